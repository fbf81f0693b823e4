"""vireo's three output formats, field by field against what dnspython reads in the same answers."""

import re
import time
from datetime import datetime, timedelta, timezone

import dns.flags
import dns.rcode
import pytest

import nsd as zone
from faulty import GOOD, address_record
from records import assert_lines, one_json, rdata, section, section_of_json, split_data

# --- -o text ---


def test_text_shows_a_cname_chain_in_order(vireo):
    result = vireo("www.python.org")
    assert [line.lower() for line in result.lines] == [
        "www.python.org.\ta\tnoerror\tcname edge.python.map.test.; cname host.fastly.test.; 192.0.2.30"
    ]
    assert "\tNOERROR\tCNAME " in result.lines[0]


@pytest.mark.parametrize(
    "name, type_, status", [("nowhere.test", "A", "NXDOMAIN"), ("www.google.com", "MX", "NOERROR")]
)
def test_text_has_no_data_column_where_there_is_no_data(vireo, name, type_, status):
    assert_lines(vireo(name, "-t", type_), f"{name}.\t{type_}\t{status}")


@pytest.mark.parametrize(
    "name, type_, data",
    [
        ("example.com", "MX", {"10 mail.example.com.", "20 mail2.example.com."}),
        ("example.com", "TXT", {'"v=spf1 -all"'}),
        (".", "SOA", {"ns.test. hostmaster.test. 2026112401 3600 600 86400 300"}),
        ("srv.types.test", "SRV", {"1 2 443 service.test."}),
        ("caa.types.test", "CAA", {'0 issue "ca.test; account=1"'}),
        ("type65280.types.test", "TYPE65280", {"\\# 5 0A00FF0001"}),
    ],
)
def test_text_writes_data_as_a_zone_file_does_rfc1035_5_1_rfc3597_5(vireo, name, type_, data):
    columns = vireo(name, "-t", type_).lines[0].split("\t")
    assert columns[1:3] == [type_, "NOERROR"]
    assert set(split_data(columns[3])) == data or (type_ == "TYPE65280" and columns[3].upper() == "\\# 5 0A00FF0001")


@pytest.mark.parametrize("type_", zone.TYPES)
def test_text_of_every_type_says_what_dnspython_reads(vireo, nsd, type_):
    name = f"{type_.lower()}.types.test"
    columns = vireo(name, "-t", type_).lines[0].split("\t")
    expected = [(item.rdtype, item.to_digestable()) for rrset in nsd.ask(name, type_).answer for item in rrset]
    assert columns[:3] == [f"{name}.", type_, "NOERROR"]
    assert [rdata(type_, text) for text in split_data(columns[3])] == expected


def test_text_of_an_answer_over_20000_octets_is_whole(vireo, nsd):
    columns = vireo("huge.test", "-t", "TXT").lines[0].split("\t")
    expected = {item.to_digestable() for item in nsd.ask("huge.test", "TXT").answer[0]}
    assert {rdata("TXT", text)[1] for text in split_data(columns[3])} == expected


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED", "FORMERR", "NOTIMP"])
def test_text_names_the_rcode_and_the_exit_is_1(vireo_with, start_upstream, rcode):
    upstream = start_upstream(lambda q: q.reply(rcode=dns.rcode.from_text(rcode)))
    assert_lines(vireo_with([upstream.url()], "www.test"), f"www.test.\tA\t{rcode}", status=1)


# --- -o json ---

SECTIONS = {"answers": "answer", "authorities": "authority", "additionals": "additional"}

# Addresses, a CNAME chain, additional records, a negative answer, and one that comes over TCP.
QUESTIONS = [
    ("www.example.com", "A"),
    ("www.python.org", "A"),
    ("example.com", "MX"),
    ("nowhere.test", "A"),
    ("huge.test", "TXT"),
]


def assert_sections(shown, expected):
    for key, attribute in SECTIONS.items():
        of_dns = section(getattr(expected, attribute))
        assert section_of_json(shown.get(key, [])) == of_dns
        assert (key in shown) == bool(of_dns), "an empty section is omitted"


def flags_of(message):
    return {flag.lower() for flag in dns.flags.to_text(message.flags).split()} - {"qr"}


@pytest.mark.parametrize(
    "name, type_", [*QUESTIONS, ("txt.types.test", "TXT"), (r"nul\000octet.test", "A"), (".", "SOA")]
)
def test_json_field_by_field(vireo, nsd, name, type_):
    begin = datetime.now(timezone.utc)
    record, expected = one_json(vireo("-o", "json", name, "-t", type_)), nsd.ask(name, type_)
    end = datetime.now(timezone.utc)
    assert record["name"] == name.rstrip(".") + "." and record["type"] == type_ and record["class"] == "IN"
    assert record["status"] == dns.rcode.to_text(expected.rcode())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", record["timestamp"])
    when = datetime.strptime(record["timestamp"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    assert begin - timedelta(seconds=1) <= when <= end + timedelta(seconds=1)
    assert type(record["duration_us"]) is int and 0 <= record["duration_us"] < 30_000_000
    assert record["resolver"] == f"127.0.0.1:{nsd.port}"
    assert record["protocol"] == ("TCP" if name == "huge.test" else "UDP")
    assert set(record["flags"]) == flags_of(expected)
    assert_sections(record, expected)
    known = {"name", "type", "class", "status", "timestamp", "duration_us", "resolver", "protocol", "flags", *SECTIONS}
    assert record.keys() <= known


@pytest.mark.parametrize("type_", zone.TYPES)
def test_json_of_every_type_says_what_dnspython_reads(vireo, nsd, type_):
    name = f"{type_.lower()}.types.test"
    assert_sections(one_json(vireo("-o", "json", name, "-t", type_)), nsd.ask(name, type_))


def test_json_never_shows_opt_rfc6891_6_1_1(vireo_with, start_upstream):
    def behave(q):
        assert q.message.edns == 0
        q.reply(address_record(q.name))

    record = one_json(vireo_with([start_upstream(behave).url()], "-o", "json", "www.test"))
    assert "additionals" not in record and [answer["data"] for answer in record["answers"]] == [GOOD]


@pytest.mark.parametrize("name, status", [("a..b", "BADNAME"), ("www.test", "TIMEOUT")])
def test_json_of_a_failure(vireo_with, silent_port, name, status):
    result = vireo_with([silent_port.url()], "-o", "json", "--timeout", "0.3", name)
    record = one_json(result)
    assert record.keys() == {"name", "type", "class", "status", "timestamp", "error"}
    assert (record["type"], record["class"], record["status"]) == ("A", "IN", status)
    assert record["name"].rstrip(".") == name and record["error"]
    assert result.status == 1


# --- -o massdns ---


@pytest.mark.parametrize("name, type_", QUESTIONS)
def test_massdns_field_by_field(vireo, nsd, name, type_):
    begin = time.time_ns()
    record, expected = one_json(vireo("-o", "massdns", name, "-t", type_)), nsd.ask(name, type_)
    end = time.time_ns()
    assert record.keys() == {"name", "type", "class", "status", "rx_ts", "data", "flags", "resolver", "proto"}
    assert (record["name"], record["type"], record["class"]) == (f"{name}.", type_, "IN")
    assert record["status"] == dns.rcode.to_text(expected.rcode())
    assert begin - 10**9 <= record["rx_ts"] <= end + 10**9
    assert set(record["flags"]) == flags_of(expected)
    assert record["resolver"] == f"127.0.0.1:{nsd.port}"
    assert record["proto"] == ("TCP" if name == "huge.test" else "UDP")
    assert_sections(record["data"], expected)


@pytest.mark.parametrize("name, error", [("a..b", "BADNAME"), ("www.test", "TIMEOUT")])
def test_massdns_of_a_failure(vireo_with, silent_port, name, error):
    result = vireo_with([silent_port.url()], "-o", "massdns", "--timeout", "0.3", name)
    record = one_json(result)
    assert record["name"].rstrip(".") == name
    assert {**record, "name": ""} == {"name": "", "type": "A", "class": "IN", "error": error}
    assert result.status == 1
