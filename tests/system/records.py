"""What vireo prints: counted, read back, and made comparable with dnspython's view of the same answer."""

import json
from collections import Counter

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype


def assert_lines(result, *lines, status=0):
    assert sorted(result.lines) == sorted(lines), result
    assert result.status == status, result


def one_json(result):
    assert len(result.lines) == 1, result
    return json.loads(result.lines[0])


def statuses(result):
    """How often each status stands in the third column of `-o text`."""
    return Counter(line.split("\t")[2] for line in result.lines)


def split_data(column):
    """The DATA column of `-o text` into records, at each "; " that stands outside quotes."""
    parts, begin, quoted, at = [], 0, False, 0
    while at < len(column):
        if column[at] == "\\":
            at += 1
        elif column[at] == '"':
            quoted = not quoted
        elif column.startswith("; ", at) and not quoted:
            parts.append(column[begin:at])
            begin = at + 2
        at += 1
    return [*parts, column[begin:]]


def rdata(type_, text):
    """A record's data, so that two ways to write the same data are equal."""
    data = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(type_), text)
    return (data.rdtype, data.to_digestable())


def section(rrsets):
    """A section of a dns.message: (owner, type, class, TTL, data) of each record."""
    return sorted(
        (str(rrset.name).lower(), rrset.rdtype, rrset.rdclass, rrset.ttl, item.to_digestable())
        for rrset in rrsets
        for item in rrset
    )


def section_of_json(records):
    """The same of a section in vireo's JSON."""
    for record in records:
        assert record.keys() == {"name", "type", "class", "ttl", "data"}, record
    return sorted(
        (
            str(dns.name.from_text(record["name"])).lower(),
            dns.rdatatype.from_text(record["type"]),
            dns.rdataclass.from_text(record["class"]),
            record["ttl"],
            rdata(record["type"], record["data"])[1],
        )
        for record in records
    )
