# The tables of `run`: awk -v peers="NAME..." -v groups="GROUP..." -f table.awk rows.tsv elsewhere.tsv results.tsv
# Fails when a figure of Vireo's is missing.

BEGIN {
    FS = "\t"
    peer_count = split(peers, peer, " ")
    split(groups, list, " ")
    for (i in list)
        wanted[list[i]] = 1
}

/^#/ { next }

FILENAME ~ /rows.tsv$/ {
    if ($1 in wanted) {
        row[++row_count] = $2
        unit[$2] = $3
        budget[$2] = $4
        what[$2] = $5
    }
    next
}

FILENAME ~ /elsewhere.tsv$/ {
    other_row[++other_count] = $1
    other_name[other_count] = $2
    other_figure[other_count] = $3
    next
}

{ sample[$1, $2, ++samples[$1, $2]] = $3 }

# The median of what a peer has measured; "" when it has nothing.
function median(name, key, n, i, j, moved, sorted)
{
    n = samples[name, key] + 0
    for (i = 1; i <= n; i++) {
        moved = sample[name, key, i]
        for (j = i - 1; j > 0 && sorted[j] > moved; j--)
            sorted[j + 1] = sorted[j]
        sorted[j + 1] = moved
    }
    if (n == 0)
        return ""
    return n % 2 ? sorted[(n + 1) / 2] : (sorted[n / 2] + sorted[n / 2 + 1]) / 2
}

# Three digits, and as many more as stand before the point.
function short(figure)
{
    if (figure == "")
        return "-"
    return sprintf(figure >= 99.95 ? "%.0f" : figure >= 9.995 ? "%.1f" : "%.2f", figure)
}

function ratio(figure, to)
{
    return figure == "" || to == "" || to <= 0 ? "-" : sprintf("%.2f", figure / to)
}

# What a row may cost, as a figure; "" when nothing says.
function allowance(key, bare)
{
    if (budget[key] !~ /^x/)
        return budget[key]
    bare = median("bare_loop", key)
    return bare == "" ? "" : substr(budget[key], 2) * bare
}

# --- A table is collected, then printed with its columns in line: text to the left, figures to the right.

function put(column, text)
{
    cell[lines, column] = text
    if (length(text) > width[column])
        width[column] = length(text)
    if (column > columns)
        columns = column
}

function flush_table(text_columns, line, column, text)
{
    for (line = 1; line <= lines; line++) {
        for (column = 1; column <= columns; column++)
            printf(index(text_columns, "," column ",") ? "| %-*s " : "| %*s ", width[column], cell[line, column])
        print "|"
        if (line > 1)
            continue
        for (column = 1; column <= columns; column++) {
            text = sprintf("%*s", width[column], "")
            gsub(/ /, "-", text)
            printf(index(text_columns, "," column ",") ? "| %s " : "|-%s:", text)
        }
        print "|"
    }
    lines = columns = 0
    split("", cell)
    split("", width)
}

function heading(name)
{
    gsub(/_/, " ", name)
    return name
}

# Vireo's rows, with the best of the peers.
function compare(i, p, key, ours, figure, best, best_name)
{
    lines = 1
    split("what,,Vireo,budget,of it,best peer,of it", title, ",")
    for (i = 1; i <= 7; i++)
        put(i, title[i])
    for (p = 2; p <= peer_count; p++)
        put(6 + p, heading(peer[p]))
    for (i = 1; i <= row_count; i++) {
        key = row[i]
        ours = median("Vireo", key)
        if (ours == "")
            missing = missing " " key
        lines++
        put(1, what[key])
        put(2, unit[key])
        put(3, short(ours))
        put(4, short(allowance(key)))
        put(5, ratio(ours, allowance(key)))
        best = best_name = ""
        for (p = 2; p <= peer_count; p++) {
            figure = median(peer[p], key)
            put(6 + p, short(figure))
            if (figure != "" && unit[key] != "" && (best == "" || figure < best)) {
                best = figure
                best_name = peer[p]
            }
        }
        put(6, best_name == "" ? "-" : heading(best_name))
        put(7, ratio(ours, best))
    }
    flush_table(",1,2,6,")
}

function compare_elsewhere(i, key, ours)
{
    lines = 1
    split("what,,who,elsewhere,Vireo here,of it", title, ",")
    for (i = 1; i <= 6; i++)
        put(i, title[i])
    for (i = 1; i <= other_count; i++) {
        key = other_row[i]
        ours = median("Vireo", key)
        if (ours == "")
            continue
        lines++
        put(1, what[key])
        put(2, unit[key])
        put(3, other_name[i])
        put(4, short(other_figure[i]))
        put(5, short(ours))
        put(6, ratio(ours, other_figure[i]))
    }
    if (lines == 1)
        return
    print "\nMeasured elsewhere, on one 2-core AMD EPYC, not in this run:\n"
    flush_table(",1,2,3,")
}

END {
    compare()
    compare_elsewhere()
    if (missing == "")
        exit 0
    print "table: no figure of Vireo's for" missing > "/dev/stderr"
    exit 1
}
