"""vireo: names in, exactly one record out per line and type, whatever happens."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import subprocess
import threading
import time
from collections import Counter

import pytest

import nsd as zone
from faulty import GOOD
from programs import TIME_LIMIT, Program, environment, run
from records import assert_lines, one_json, statuses

OPTIONS = ["-f", "-t", "-r", "-R", "-o", "-c", "--timeout", "--deadline", "--retries", "-w", "--help", "--version"]
EXAMPLE = "www.example.com.\tA\tNOERROR\t192.0.2.1; 192.0.2.2"


def bulk_line(number):
    return f"{zone.bulk_name(number)}\tA\tNOERROR\t{zone.bulk_address(number)}"


# --- Where the names come from ---


def test_names_as_arguments(vireo):
    assert_lines(vireo("www.example.com", "www.google.com"), EXAMPLE, "www.google.com.\tA\tNOERROR\t192.0.2.10")


def test_names_from_a_file(vireo, tmp_path):
    (tmp_path / "names").write_text("www.example.com\nwww.google.com\n")
    result = vireo("-f", tmp_path / "names")
    assert_lines(result, EXAMPLE, "www.google.com.\tA\tNOERROR\t192.0.2.10")


@pytest.mark.parametrize("arguments", [[], ["-f", "-"]])
def test_names_from_stdin(vireo, arguments):
    assert_lines(vireo(*arguments, stdin=b"www.example.com\n"), EXAMPLE)


def test_arguments_and_file_together(vireo, tmp_path):
    (tmp_path / "names").write_text("www.google.com\n")
    result = vireo("www.example.com", "-f", tmp_path / "names")
    assert_lines(result, EXAMPLE, "www.google.com.\tA\tNOERROR\t192.0.2.10")


def test_stdin_is_not_read_beside_arguments(vireo):
    assert_lines(vireo("www.example.com", stdin=b"www.google.com\n"), EXAMPLE)


def test_terminal_on_stdin_and_no_names_is_a_usage_error(vireo):
    ours, theirs = pty.openpty()
    try:
        result = vireo(stdin=theirs)
    finally:
        os.close(ours)
        os.close(theirs)
    assert result.status == 2 and result.stdout == "" and result.stderr.startswith("vireo: "), result


@pytest.mark.parametrize("text", [b"", b"\n", b"  \n\t\n\r\n \t"])
def test_input_without_names_gives_nothing_and_exit_0(vireo, text):
    assert_lines(vireo(stdin=text))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"www.example.com", id="no final newline"),
        pytest.param(b"www.example.com\r\n", id="CRLF"),
        pytest.param(b"www.example.com.\n", id="final dot"),
        pytest.param(b"  www.example.com\t \n", id="blanks around"),
        pytest.param(b"\n\nwww.example.com\n\n", id="empty lines"),
        pytest.param(b"www.example.com\r\n\r\n", id="empty line with CRLF"),
    ],
)
def test_line_ends_and_blanks_do_not_matter(vireo, text):
    assert_lines(vireo(stdin=text), EXAMPLE)


def test_every_line_counts_also_when_it_is_there_twice(vireo):
    assert_lines(vireo(stdin=b"www.example.com\n" * 3), *[EXAMPLE] * 3)


def test_records_come_before_the_input_ends(vireo_program, nsd):
    program = Program([vireo_program, "-r", nsd.url()], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with program.process.stdin as stdin, program.process.stdout as stdout:
        for number in range(5):
            stdin.write(f"{zone.bulk_name(number)}\n".encode())
            stdin.flush()
            assert select.select([stdout], [], [], TIME_LIMIT)[0], f"no record of line {number} while stdin is open"
            assert os.read(stdout.fileno(), 65536).decode() == bulk_line(number) + "\n"
        stdin.close()
        assert program.ends_within(TIME_LIMIT) and program.process.returncode == 0


# --- Types ---


@pytest.mark.parametrize(
    "arguments", [["-t", "A,AAAA"], ["-t", "A", "-t", "AAAA"], ["-t", "a,aaaa"], ["-t", "TYPE1", "-t", "type28"]]
)
def test_a_record_for_each_type_asked(vireo, arguments):
    result = vireo("www.example.com", *arguments)
    assert_lines(result, EXAMPLE, "www.example.com.\tAAAA\tNOERROR\t2001:db8::1")


@pytest.mark.parametrize("types", [b" AAAA MX\n", b"\tAAAA  MX \n", b" aaaa mx\r\n"])
def test_types_on_a_line_replace_the_options(vireo, types):
    result = vireo("-t", "TXT", stdin=b"www.example.com" + types + b"www.google.com\n")
    assert_lines(
        result,
        "www.example.com.\tAAAA\tNOERROR\t2001:db8::1",
        "www.example.com.\tMX\tNOERROR",
        "www.google.com.\tTXT\tNOERROR",
    )


@pytest.mark.parametrize(
    "address, name",
    [("192.0.2.1", "1.2.0.192.in-addr.arpa."), ("2001:db8::1", "1." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa.")],
)
def test_address_with_ptr_is_looked_up_in_reverse_rfc1035_3_5_rfc3596(vireo, address, name):
    expected = f"{name}\tPTR\tNOERROR\twww.example.com."
    assert_lines(vireo(address, "-t", "PTR"), expected)
    assert_lines(vireo(stdin=f"{address} PTR\n".encode()), expected)


def test_unknown_type_on_a_line_gives_a_record_and_the_run_goes_on(vireo):
    result = vireo(stdin=b"www.example.com A NOSUCH\nwww.google.com\n")
    assert result.status == 1 and len(result.lines) == 3, result
    bad = [line.split("\t") for line in result.lines if "BADTYPE" in line]
    assert len(bad) == 1 and bad[0][2] == "BADTYPE" and "NOSUCH" in "\t".join(bad[0]), result
    assert EXAMPLE in result.lines and "www.google.com.\tA\tNOERROR\t192.0.2.10" in result.lines


# --- Lines that are no domain names ---


def text_name(line):
    """How the name column shows a bad line: control characters, tab and backslash as \\DDD."""
    return re.sub(r"[\x00-\x1f\x7f\\]", lambda found: f"\\{ord(found[0]):03}", line)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("a..b", id="empty label"),
        pytest.param("..", id="dots alone"),
        pytest.param(".example", id="leading dot"),
        pytest.param("x" * 64 + ".test", id="label of 64 octets"),
        pytest.param(".".join(["y" * 63] * 5), id="name of 320 octets"),
        pytest.param("z" * 100_000, id="line of 100,000 octets"),
        pytest.param(r"bad\escape\25", id="escape cut"),
        pytest.param(r"\999.test", id="escape over 255"),
        pytest.param("tail\\", id="backslash at the end"),
    ],
)
def test_line_that_is_no_name_gives_badname_and_the_run_goes_on_rfc1035(vireo, line):
    result = vireo(stdin=f"{line}\nwww.example.com\n".encode())
    assert result.status == 1 and len(result.lines) == 2, result
    assert EXAMPLE in result.lines
    bad = next(row for row in result.lines if row != EXAMPLE).split("\t")
    assert bad[1:3] == ["A", "BADNAME"] and bad[3], bad
    assert bad[0] == text_name(line) or (len(line) > 10_000 and line.startswith(bad[0].rstrip(".")[:1000]))


def test_bad_name_has_a_record_for_each_type(vireo):
    result = vireo("a..b", "-t", "A,AAAA,MX")
    shown = [line.split("\t")[1:3] for line in sorted(result.lines)]
    assert shown == [["A", "BADNAME"], ["AAAA", "BADNAME"], ["MX", "BADNAME"]]
    assert result.status == 1


@pytest.mark.parametrize(
    "line", [b"nul\0here.test", b"\0", b"\x01\x02.test", b"\xff\xfe.test", b"caf\xc3\xa9..test", b"\x1b[31m.test"]
)
@pytest.mark.parametrize("output", ["text", "json", "massdns"])
def test_octets_that_are_no_text_give_one_record_that_can_be_read(vireo, line, output):
    result = vireo("-o", output, stdin=line + b"\nwww.example.com\n")
    assert len(result.lines) == 2 and result.status in (0, 1), result
    if output == "text":
        assert EXAMPLE in result.lines
        for row in result.lines:
            assert len(row.split("\t")) >= 3 and not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", row)
    else:
        assert {"www.example.com."} < {json.loads(row)["name"] for row in result.lines}


# --- Names beyond ASCII letters ---


def test_idn_is_asked_for_in_its_ascii_form_rfc5890(vireo):
    assert_lines(vireo("bücher.example"), "xn--bcher-kva.example.\tA\tNOERROR\t192.0.2.45")


@pytest.mark.parametrize(
    "name, address",
    [
        (r"dot\.in\.label.test", "192.0.2.41"),
        (r"nul\000octet.test", "192.0.2.42"),
        (r"high\255octet.test", "192.0.2.44"),
        ("mixed.CASE.test", "192.0.2.40"),
    ],
)
def test_any_octet_may_stand_in_a_name_rfc2181_11(vireo, name, address):
    assert_lines(vireo(name), f"{name}.\tA\tNOERROR\t{address}")


def test_escaped_space_is_part_of_the_name_rfc1035_5_1(vireo):
    assert_lines(vireo(stdin=b"with\\032space.test\n"), "with\\032space.test.\tA\tNOERROR\t192.0.2.43")


def test_root_can_be_asked(vireo):
    assert_lines(vireo(".", "-t", "NS"), ".\tNS\tNOERROR\tns.test.")


# --- Resolvers ---


def test_dead_resolver_gives_a_record_each_and_exit_1(vireo_with, closed_port):
    result = vireo_with([closed_port.url()], "a.test", "b.test", "c.test")
    assert result.status == 1, result
    assert sorted(line.split("\t")[0] for line in result.lines) == ["a.test.", "b.test.", "c.test."]
    assert statuses(result).keys() <= {"ERROR", "TIMEOUT"}
    assert all(line.split("\t")[3] for line in result.lines)


@pytest.mark.parametrize("scheme", ["dns", "udp", "tcp"])
def test_resolver_may_be_named_by_each_scheme(vireo_with, nsd, scheme):
    record = one_json(vireo_with([nsd.url(scheme)], "-o", "json", "www.example.com"))
    assert record["status"] == "NOERROR"
    assert record["protocol"] == ("TCP" if scheme == "tcp" else "UDP")


def test_bare_address_is_a_resolver(vireo_with, nsd):
    assert_lines(vireo_with([f"127.0.0.1:{nsd.port}"], "www.example.com"), EXAMPLE)


@pytest.mark.parametrize("dead_first", [True, False])
def test_live_resolver_answers_beside_a_closed_one(vireo_with, closed_port, nsd, dead_first):
    resolvers = [closed_port.url(), nsd.url()]
    result = vireo_with(resolvers if dead_first else resolvers[::-1], *(zone.bulk_name(number) for number in range(50)))
    assert result.status == 0 and statuses(result) == {"NOERROR": 50}, result


def test_live_resolver_answers_beside_a_silent_one(vireo_with, silent_port, nsd):
    result = vireo_with([silent_port.url(), nsd.url()], *(zone.bulk_name(number) for number in range(50)))
    assert result.status == 0 and statuses(result) == {"NOERROR": 50}, result


def test_resolvers_from_a_file_with_comments(vireo_with, nsd, tmp_path):
    (tmp_path / "resolvers").write_text(f"# ours\n\n  {nsd.url()}  # the only one\n\n")
    assert_lines(vireo_with([], "-R", tmp_path / "resolvers", "www.example.com"), EXAMPLE)


def test_resolver_of_the_environment(vireo_program, nsd):
    result = run([vireo_program, "www.example.com"], env=environment(VIREO_RESOLVERS=nsd.url("udp")))
    assert_lines(result, EXAMPLE)


def test_lost_query_is_sent_again(vireo_with, start_upstream):
    upstream = start_upstream(lambda q: len(q.server.queries) > 1 and q.reply_well())
    assert_lines(vireo_with([upstream.url()], "www.test"), f"www.test.\tA\tNOERROR\t{GOOD}")
    assert len(upstream.queries) == 2


def test_loss_costs_no_name(vireo_with, start_upstream):
    def behave(q):
        """Every fifth name loses its first query."""
        number = int(q.name.labels[0][1:])
        with lock:
            seen[number] += 1
        if number % 5 or seen[number] > 1:
            q.reply_well()

    seen, lock, count = Counter(), threading.Lock(), 500
    names = "".join(f"n{number}.test\n" for number in range(count)).encode()
    result = vireo_with([start_upstream(behave).url()], "-c", "100", stdin=names)
    assert result.status == 0 and statuses(result) == {"NOERROR": count}, result
    assert sum(seen.values()) < 1.5 * count


def test_retries_0_asks_once(vireo_with, start_upstream):
    upstream = start_upstream(lambda q: None)
    result = vireo_with([upstream.url("udp")], "--retries", "0", "--timeout", "1", "www.test")
    assert statuses(result) == {"TIMEOUT": 1} and len(upstream.queries) == 1


# --- Time ---


def timed(start, *arguments, **options):
    begin = time.monotonic()
    result = start(*arguments, **options)
    return result, time.monotonic() - begin


@pytest.mark.parametrize("scheme", ["dns", "udp", "tcp"])
@pytest.mark.parametrize("duration", ["0.5", "500ms"])
def test_timeout_is_kept_retries_included(vireo_with, silent_port, scheme, duration):
    names = [f"n{number}.test" for number in range(20)]
    result, seconds = timed(vireo_with, [silent_port.url(scheme)], "--timeout", duration, *names)
    assert result.status == 1 and statuses(result) == {"TIMEOUT": 20}, result
    assert sorted(line.split("\t")[0] for line in result.lines) == sorted(f"{name}." for name in names)
    assert 0.45 <= seconds < 5


def test_deadline_gives_a_record_for_all_that_is_not_answered(vireo_with, silent_port, tmp_path):
    names = [f"n{number}.test" for number in range(5000)]
    (tmp_path / "names").write_text("\n".join(names) + "\n")
    options = ["--deadline", "1", "--timeout", "1m", "-c", "10", "-f", tmp_path / "names"]
    result, seconds = timed(vireo_with, [silent_port.url()], *options)
    assert result.status == 1 and statuses(result) == {"DEADLINE": 5000}, result.stderr
    assert {line.split("\t")[0] for line in result.lines} == {f"{name}." for name in names}
    assert 0.95 <= seconds < 10


def test_deadline_leaves_answers_that_came_in_time(vireo_with, start_upstream):
    upstream = start_upstream(lambda q: b"fast" in q.wire.lower() and q.reply_well())
    options = ["--deadline", "1.5s", "--timeout", "1h", "-o", "massdns"]
    result = vireo_with([upstream.url()], *options, "fast.test", "slow.test")
    records = {record["name"]: record for record in map(json.loads, result.lines)}
    assert result.status == 1 and len(result.lines) == 2, result
    assert records["fast.test."]["status"] == "NOERROR" and records["slow.test."]["error"] == "DEADLINE"


# --- Output and exit status ---


def test_output_into_a_file(vireo, tmp_path):
    result = vireo("-w", tmp_path / "out", "www.example.com")
    assert result.status == 0 and result.stdout == ""
    assert (tmp_path / "out").read_text() == EXAMPLE + "\n"


def test_nothing_but_records_on_stdout_and_nothing_on_stderr(vireo):
    result = vireo("www.example.com", "nowhere.test")
    assert_lines(result, EXAMPLE, "nowhere.test.\tA\tNXDOMAIN")
    assert result.stderr == ""


@pytest.mark.parametrize("count", [1, 5000])
@pytest.mark.parametrize("way", ["stdout", "-w"])
def test_full_disk_is_exit_3(vireo, way, count):
    names = "\n".join(map(zone.bulk_name, range(count))).encode()
    if way == "-w":
        result = vireo("-w", "/dev/full", stdin=names)
    else:
        with open("/dev/full", "wb") as full:
            result = vireo(stdin=names, stdout=full)
    assert result.status == 3 and result.stderr.startswith("vireo: "), result


@pytest.mark.parametrize(
    "arguments",
    [
        ["-f", "/nonexistent/names"],
        ["-f", "/"],
        ["-w", "/nonexistent/out", "www.example.com"],
        ["-w", "/", "www.example.com"],
    ],
)
def test_input_or_output_that_cannot_be_used_is_exit_3(vireo, arguments):
    result = vireo(*arguments)
    assert result.status == 3 and re.match(r"vireo: .*/", result.stderr), result


def test_resolver_file_that_cannot_be_read_is_an_error(vireo_with):
    result = vireo_with([], "-R", "/nonexistent/resolvers", "www.example.com")
    assert result.status in (2, 3) and re.match(r"vireo: .*/nonexistent/resolvers", result.stderr), result


def test_reader_that_is_slow_gets_every_record(vireo_program, nsd, tmp_path):
    """Records of bad lines need no network: they are all there long before the small pipe has taken them."""
    count = 20_000
    (tmp_path / "names").write_text("".join(f"a..{number}\n" for number in range(count)))
    program = Program([vireo_program, "-r", nsd.url(), "-f", tmp_path / "names"], stdout=subprocess.PIPE)
    with program.process.stdout as stdout:
        fcntl.fcntl(stdout, fcntl.F_SETPIPE_SZ, 4096)
        rows = b"".join(iter(lambda: os.read(stdout.fileno(), 1000), b"")).decode().splitlines()
    assert program.ends_within(TIME_LIMIT) and program.process.returncode == 1, program.stderr
    assert [row.split("\t")[2] for row in rows] == ["BADNAME"] * count
    assert {row.split("\t")[0] for row in rows} == {f"a..{number}" for number in range(count)}


@pytest.mark.parametrize("count", [1, 20_000])
def test_reader_that_goes_away_ends_the_run(vireo_program, nsd, tmp_path, count):
    (tmp_path / "names").write_text("".join(f"{zone.bulk_name(number)}\n" for number in range(count)))
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as gone:
        result = run([vireo_program, "-r", nsd.url(), "-f", tmp_path / "names"], stdout=gone)
    assert result.status in (3, -signal.SIGPIPE), result


@pytest.mark.parametrize(
    "arguments, named",
    [
        (["--no-such-option"], "--no-such-option"),
        (["-o", "xml"], "xml"),
        (["-t", "NOSUCH"], "NOSUCH"),
        (["-t", ""], "-t"),
        (["-r", "gopher://127.0.0.1"], "gopher://127.0.0.1"),
        (["-r", "nowhere"], "nowhere"),
        (["-c", "0"], "0"),
        (["-c", "many"], "many"),
        (["--timeout", "soon"], "soon"),
        (["--timeout", "5x"], "5x"),
        (["--timeout", "-1"], "-1"),
        (["--deadline", ""], "--deadline"),
        (["--deadline", "nan"], "nan"),
        (["--retries", "-1"], "-1"),
        (["--retries", "x"], "x"),
        (["-f"], "f"),
    ],
)
def test_usage_error_names_the_argument_and_exits_2(vireo, arguments, named):
    result = vireo("www.example.com", *arguments)
    assert result.status == 2 and result.stdout == "", result
    assert result.stderr.startswith("vireo: ") and named in result.stderr, result


def test_help_names_every_option(vireo_program):
    result = run([vireo_program, "--help"])
    assert result.status == 0 and result.stderr == "", result
    for option in OPTIONS:
        assert re.search(rf"(?<![\w-]){option}(?![\w-])", result.stdout), option
    for output in ("text", "json", "massdns"):
        assert output in result.stdout


def test_version_is_one_line(vireo_program):
    result = run([vireo_program, "--version"])
    assert result.status == 0 and re.fullmatch(r"vireo \d+\.\d+\.\d+\S*\n", result.stdout), result


# --- Many ---


@pytest.fixture(scope="module")
def hundred_thousand(tmp_path_factory):
    path = tmp_path_factory.mktemp("bulk") / "names"
    path.write_text("".join(f"{zone.bulk_name(number)}\n" for number in range(zone.BULK_COUNT)))
    return path


def test_hundred_thousand_names_give_hundred_thousand_records(vireo, hundred_thousand):
    result = vireo("-c", "1000", "-f", hundred_thousand, timeout=120)
    expected = set(map(bulk_line, range(zone.BULK_COUNT)))
    lines = result.lines
    assert result.status == 0, result.stderr[-2000:]
    assert len(lines) == zone.BULK_COUNT and len(set(lines) ^ expected) == 0


@pytest.mark.parametrize("concurrency", ["1", "7", "5000"])
def test_concurrency_changes_nothing_in_the_records(vireo, concurrency):
    names = [zone.bulk_name(number) for number in range(3000)]
    result = vireo("-c", concurrency, stdin="\n".join(names).encode())
    assert {line.split("\t")[0] for line in result.lines} == set(names) and statuses(result) == {"NOERROR": 3000}


def test_concurrency_is_the_number_of_lookups_at_once(vireo_with, start_upstream):
    together, lock, held, most = threading.Barrier(4, timeout=TIME_LIMIT), threading.Lock(), 0, 0

    def behave(q):
        nonlocal held, most
        with lock:
            held += 1
            most = max(most, held)
        together.wait()  # for three more
        with lock:
            held -= 1
        q.reply_well()

    result = vireo_with([start_upstream(behave).url()], "-c", "4", *(f"n{number}.test" for number in range(40)))
    assert statuses(result) == {"NOERROR": 40}
    assert most == 4


def test_through_vireod(vireo_with, vireod):
    names = [zone.bulk_name(number) for number in range(2000)]
    result = vireo_with([vireod.url()], "-c", "200", stdin="\n".join(names).encode())
    assert result.status == 0 and statuses(result) == {"NOERROR": 2000}, result
