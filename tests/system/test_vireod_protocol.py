"""vireod, one message at a time: what each RFC asks of an answer, over UDP and TCP alike."""

import contextlib
import random
import struct

import dns.edns
import dns.flags
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

import nsd as zone
from client import OPT_ROOT, framed, header, id_of, octets, parse, query, question
from faulty import BAD, GOOD, Query, address_record, question_octets, raw_response, response


def addresses(answer):
    return {rdata.address for rrset in answer.answer if rrset.rdtype == dns.rdatatype.A for rdata in rrset}


def assert_serves(vireod, transport):
    """The daemon is well: it answers an ordinary query, and that one."""
    sent = query("www.example.com")
    answer = vireod.ask(transport, sent)
    assert answer.id == sent.id and answer.question == sent.question


def ask_for_wire(vireod, transport, message):
    with vireod.datagrams() if transport == "udp" else vireod.connect() as client:
        client.send(message)
        return client.receive_octets()


# --- The header (RFC 1035 section 4.1.1) ---


@pytest.mark.parametrize(
    "name, type_",
    [("www.example.com", "A"), ("www.python.org", "AAAA"), ("example.com", "MX"), ("www.alias.test", "A")],
)
def test_gives_the_answer_of_the_upstream_rfc1035(vireod, nsd, transport, name, type_):
    answer, expected = vireod.ask(transport, query(name, type_)), nsd.ask(name, type_)
    assert answer.rcode() == dns.rcode.NOERROR
    assert answer.answer == expected.answer


@pytest.mark.parametrize("name, rcode", [("nowhere.test", dns.rcode.NXDOMAIN), ("a.types.test", dns.rcode.NOERROR)])
def test_negative_answers_keep_their_soa_rfc2308(vireod, transport, name, rcode):
    answer = vireod.ask(transport, query(name, "NAPTR"))
    assert answer.rcode() == rcode and not answer.answer
    assert [rrset.rdtype for rrset in answer.authority] == [dns.rdatatype.SOA]


@pytest.mark.parametrize("id_", [0, 1, 0x8000, 0xFFFF])
def test_id_comes_back_whatever_it_is_rfc1035(vireod, transport, id_):
    assert vireod.ask(transport, query("www.example.com", id=id_)).id == id_


@pytest.mark.parametrize("rd", [0, dns.flags.RD])
def test_rd_is_copied_and_ra_set_rfc1035(vireod, transport, rd):
    answer = vireod.ask(transport, query("www.example.com", flags=rd))
    assert answer.flags & dns.flags.RD == rd
    assert answer.flags & dns.flags.RA


def test_aa_ad_and_z_of_the_upstream_do_not_pass_rfc1035_rfc4035(forwarding_to, transport):
    z = 0x0040
    vireod, _ = forwarding_to(lambda q: q.reply(address_record(q.name), flags=dns.flags.AA | dns.flags.AD | z))
    answer = vireod.ask(transport, query("www.example.com", flags=dns.flags.RD | dns.flags.AD))
    assert addresses(answer) == {GOOD}
    assert answer.flags & (dns.flags.AA | dns.flags.AD | z) == 0


def test_z_of_the_client_is_cleared_rfc1035(vireod, transport):
    answer = vireod.ask(transport, query("www.example.com", flags=dns.flags.RD | 0x0040))
    assert answer.rcode() == dns.rcode.NOERROR
    assert answer.flags & 0x0040 == 0


def test_cd_is_passed_upstream_and_copied_rfc4035_3_2_2(forwarding_to, transport):
    vireod, upstream = forwarding_to(Query.reply_well)
    for cd in (dns.flags.CD, 0):
        answer = vireod.ask(transport, query(f"cd{cd}.test", flags=dns.flags.RD | cd))
        assert answer.flags & dns.flags.CD == cd
        assert upstream.queries[-1].message.flags & dns.flags.CD == cd


def test_question_comes_back_alone_rfc1035(vireod, transport):
    sent = query("www.example.com", "AAAA")
    assert vireod.ask(transport, sent).question == sent.question


@pytest.mark.parametrize("name", ["www.example.com", "WWW.EXAMPLE.COM", "wWw.eXaMpLe.CoM"])
def test_case_of_the_name_comes_back_exactly_rfc4343(vireod, transport, name):
    sent = query(name)
    wire = octets(vireod.ask(transport, sent))
    assert wire[12 : 12 + len(question(name))] == question(name)


def test_upstream_that_writes_the_question_in_lower_case_is_understood_rfc4343(forwarding_to, transport):
    def lower(q):
        name = q.name.to_wire()
        q.send(response(q.message, address_record(q.name)).to_wire().replace(name, name.lower()))

    vireod, _ = forwarding_to(lower)
    answer = vireod.ask(transport, query("wWw.eXaMpLe.CoM"))
    assert addresses(answer) == {GOOD}
    assert answer.question[0].name.to_text() == "wWw.eXaMpLe.CoM."


# --- Names, types and classes pass as they are ---


@pytest.mark.parametrize(
    "name",
    [
        r"dot\.in\.label.test",
        r"nul\000octet.test",
        r"with\032space.test",
        r"high\255octet.test",
        "MIXED.case.TEST",
        "any.wild.test",
        ".",
    ],
)
def test_any_octet_may_stand_in_a_label_rfc2181_11(vireod, nsd, transport, name):
    type_ = "NS" if name == "." else "A"
    answer = vireod.ask(transport, query(name, type_))
    assert answer.answer and answer.answer == nsd.ask(name, type_).answer


def test_longest_name_and_labels_pass_rfc1035_2_3_4(forwarding_to, transport):
    vireod, _ = forwarding_to(Query.reply_well)
    name = dns.name.from_text(".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61]))
    assert len(name.to_wire()) == 255
    answer = vireod.ask(transport, query(name))
    assert answer.question[0].name == name and addresses(answer) == {GOOD}


@pytest.mark.parametrize("type_", zone.TYPES)
def test_every_type_passes_rfc3597(vireod, nsd, transport, type_):
    name = f"{type_.lower()}.types.test"
    answer = vireod.ask(transport, query(name, type_))
    assert answer.answer and answer.answer == nsd.ask(name, type_).answer


def test_data_of_an_unknown_type_passes_octet_by_octet_rfc3597(forwarding_to, transport):
    data = b"\xc0\x0c\x00" + bytes(range(256))  # looks like a compression pointer, and is none

    vireod, _ = forwarding_to(lambda q: q.send(raw_response(q.wire, data)))
    answer = vireod.ask(transport, query("x.test", "TYPE65281"))
    assert answer.answer[0][0].to_wire() == data


@pytest.mark.parametrize("class_", [3, 4, 254, 255, 65280])
def test_other_classes_pass_rfc3597(forwarding_to, transport, class_):
    vireod, upstream = forwarding_to(lambda q: q.send(raw_response(q.wire, b"\1x")))
    asked = header() + question("version.bind", "TXT", class_)
    wire = ask_for_wire(vireod, transport, asked)
    assert question_octets(wire) == question_octets(asked)
    assert wire[-14:-8] == b"\xc0\x0c" + struct.pack("!HH", 16, class_) and wire.endswith(b"\1x")
    assert question_octets(upstream.queries[0].wire)[-2:] == struct.pack("!H", class_)


# --- Messages that are not served ---


def with_question(*, flags=dns.flags.RD, counts=(1, 0, 0, 0), behind=b"", name="www.example.com", type_="A"):
    return header(flags=flags, counts=counts) + question(name, type_) + behind


def nameless(name_octets, behind=b"\0\1\0\1"):
    return header() + name_octets + behind


def option(code, data):
    return struct.pack("!HH", code, len(data)) + data


def opt(options=b"", *, owner=b"\0", version=0, size=1232, dnssec_ok=0, length=None):
    flags = version << 16 | dnssec_ok
    return owner + struct.pack("!HHIH", 41, size, flags, len(options) if length is None else length) + options


MALFORMED = {
    "no question, QDCOUNT 0 (RFC 9619)": lambda: header(counts=(0, 0, 0, 0)),
    "two questions (RFC 9619)": lambda: with_question(counts=(2, 0, 0, 0), behind=question("www.google.com")),
    "question missing (RFC 1035)": lambda: header(),
    "name cut (RFC 1035)": lambda: nameless(b"\3ww", b""),
    "class missing (RFC 1035)": lambda: header() + question("www.example.com")[:-2],
    "label type 01 (RFC 6891 5)": lambda: nameless(b"\x41" + b"x" * 65 + b"\0"),
    "label type 10 (RFC 1035 4.1.4)": lambda: nameless(b"\x80\0"),
    "pointer to itself (RFC 1035 4.1.4)": lambda: nameless(b"\xc0\x0c"),
    "pointer forward (RFC 1035 4.1.4)": lambda: nameless(b"\xc0\x0e"),
    "pointer loop of two (RFC 1035 4.1.4)": lambda: nameless(b"\1a\xc0\x0c"),
    "name over 255 octets (RFC 1035 2.3.4)": lambda: nameless((b"\x3f" + b"x" * 63) * 4 + b"\0"),
    "additional record missing (RFC 1035)": lambda: with_question(counts=(1, 0, 0, 1)),
    "65535 records missing (RFC 1035)": lambda: with_question(counts=(1, 0xFFFF, 0xFFFF, 0xFFFF)),
    "record data cut (RFC 1035)": lambda: with_question(counts=(1, 0, 0, 1), behind=b"\0\0\1\0\1\0\0\0\0\0\4\x7f"),
    "octets behind the end (RFC 1035)": lambda: with_question(behind=b"\0\1\2"),
    "two OPTs (RFC 6891 6.1.1)": lambda: with_question(counts=(1, 0, 0, 2), behind=OPT_ROOT * 2),
    "OPT with a name (RFC 6891 6.1.2)": lambda: with_question(counts=(1, 0, 0, 1), behind=opt(owner=b"\1x\0")),
    "EDNS option cut (RFC 6891 6.1.2)": lambda: with_question(counts=(1, 0, 0, 1), behind=opt(b"\0\x0a\0\x10\1\2")),
    "EDNS option header cut (RFC 6891 6.1.2)": lambda: with_question(counts=(1, 0, 0, 1), behind=opt(b"\0\x0a\0")),
}


@pytest.mark.parametrize("build", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_query_gets_formerr(vireod, transport, build):
    wire = build()
    answer = vireod.ask(transport, wire)
    assert answer.id == id_of(wire)
    assert answer.flags & dns.flags.QR
    assert answer.rcode() == dns.rcode.FORMERR
    assert not answer.answer


@pytest.mark.parametrize("opcode", [1, 2, 3, 4, 5, 6, 15])
@pytest.mark.parametrize("questions", [0, 1])
def test_other_opcodes_get_notimp_rfc8906(vireod, transport, opcode, questions):
    wire = header(flags=opcode << 11, counts=(questions, 0, 0, 0)) + question("example.com", "SOA") * questions
    answer = ask_for_wire(vireod, transport, wire)  # dnspython does not read all opcodes
    assert id_of(answer) == id_of(wire)
    assert answer[2] & 0x80 and answer[2] >> 3 & 15 == opcode
    assert answer[3] & 15 == dns.rcode.NOTIMP


@pytest.mark.parametrize("type_", ["AXFR", "IXFR"])
def test_zone_transfer_is_refused_rfc5936(vireod, transport, type_):
    wire = with_question(name="example.com", type_=type_)
    answer = vireod.ask(transport, wire)
    assert answer.id == id_of(wire) and answer.rcode() == dns.rcode.REFUSED and not answer.answer


def test_answer_sent_as_a_query_is_dropped_rfc1035(vireod, transport):
    sent = query("www.example.com")
    unasked = with_question(flags=dns.flags.QR | dns.flags.RD)
    with vireod.datagrams() if transport == "udp" else vireod.connect() as client:
        client.send(unasked, sent)
        answer = client.receive_octets() if transport == "udp" else client.next_octets()
        assert answer is None or id_of(answer) == sent.id  # a connection may be closed


@pytest.mark.parametrize("length", [0, 1, 2, 11])
def test_datagram_too_short_for_a_header_is_dropped_rfc1035(vireod, length):
    sent = query("www.example.com")
    with vireod.datagrams() as client:
        client.send(b"\0" * length, sent)
        assert client.receive().id == sent.id


# --- EDNS (RFC 6891) ---


@pytest.mark.parametrize("version", [1, 2, 255])
def test_edns_version_above_0_gets_badvers_rfc6891_6_1_3(vireod, transport, version):
    answer = vireod.ask(transport, with_question(counts=(1, 0, 0, 1), behind=opt(version=version)))
    assert answer.rcode() == dns.rcode.BADVERS
    assert answer.edns == 0
    assert not answer.answer


@pytest.mark.parametrize("upstream_has_opt", [False, True])
@pytest.mark.parametrize("client_has_opt", [False, True])
def test_opt_in_the_answer_exactly_when_the_query_had_one_rfc6891_7(
    forwarding_to, transport, client_has_opt, upstream_has_opt
):
    def reply(q):
        answer = response(q.message, address_record(q.name))
        answer.use_edns(0 if upstream_has_opt else -1)
        q.send(answer.to_wire())

    vireod, _ = forwarding_to(reply)
    answer = vireod.ask(transport, query("www.example.com", use_edns=0 if client_has_opt else -1))
    assert addresses(answer) == {GOOD}
    assert (answer.edns >= 0) == client_has_opt


@pytest.mark.parametrize("refused", [{"type_": "AXFR"}, {"flags": 2 << 11}], ids=["REFUSED", "NOTIMP"])
def test_opt_in_an_error_when_the_query_had_one_rfc6891_7(vireod, transport, refused):
    assert vireod.ask(transport, with_question(counts=(1, 0, 0, 1), behind=OPT_ROOT, **refused)).edns == 0
    assert vireod.ask(transport, with_question(**refused)).edns == -1


def test_do_is_passed_upstream_and_copied_rfc3225(forwarding_to, transport):
    signature = "A 13 2 60 20300101000000 20200101000000 12345 test. oJB1W6WNGv+ldvQ3WDG0MQkg5IEhjRip8WTrPYGv07h108dU"

    def reply(q):
        wanted = q.message.ednsflags & dns.flags.DO
        q.reply(address_record(q.name), *[dns.rrset.from_text(q.name, 60, "IN", "RRSIG", signature)] * bool(wanted))

    vireod, upstream = forwarding_to(reply)
    plain = vireod.ask(transport, query("www.test", use_edns=0))
    signed = vireod.ask(transport, query("www.test", want_dnssec=True))
    assert [q.message.ednsflags & dns.flags.DO for q in upstream.queries] == [0, dns.flags.DO]
    assert not plain.ednsflags & dns.flags.DO and signed.ednsflags & dns.flags.DO
    assert {rrset.rdtype for rrset in signed.answer} == {dns.rdatatype.A, dns.rdatatype.RRSIG}


CLIENT_OPTIONS = {
    dns.edns.NSID: b"",
    dns.edns.ECS: b"\0\1\x18\0\xc0\0\2",
    dns.edns.COOKIE: b"01234567",
    65001: b"private",
}


def test_options_of_the_client_are_neither_forwarded_nor_echoed_rfc5625_rfc6891(forwarding_to, transport):
    vireod, upstream = forwarding_to(Query.reply_well)
    options = [dns.edns.GenericOption(code, data) for code, data in CLIENT_OPTIONS.items()]
    answer = vireod.ask(transport, query("www.test", use_edns=0, options=options))
    assert addresses(answer) == {GOOD}
    for message in (upstream.queries[0].message, answer):
        passed = {option.otype for option in message.options} & {dns.edns.NSID, dns.edns.ECS, 65001}
        assert not passed
    assert b"01234567" not in upstream.queries[0].wire


def test_options_of_the_upstream_are_not_passed_on_rfc6891(forwarding_to, transport):
    options = [dns.edns.GenericOption(code, b"upstream") for code in (dns.edns.NSID, dns.edns.COOKIE, 65001)]

    def reply(q):
        answer = response(q.message, address_record(q.name))
        answer.use_edns(0, options=options)
        q.send(answer.to_wire())

    vireod, _ = forwarding_to(reply)
    answer = vireod.ask(transport, query("www.test", use_edns=0))
    assert addresses(answer) == {GOOD} and not answer.options


def test_keepalive_only_when_asked_over_tcp_rfc7828(vireod):
    keepalive = dns.edns.GenericOption(11, b"")
    over_udp = vireod.ask("udp", query("www.example.com", use_edns=0, options=[keepalive]))
    not_asked = vireod.ask("tcp", query("www.example.com", use_edns=0))
    assert 11 not in {option.otype for answer in (over_udp, not_asked) for option in answer.options}


def test_upstream_is_asked_with_opt_for_at_most_1232_octets_over_udp_rfc9715(forwarding_to, transport):
    vireod, upstream = forwarding_to(Query.reply_well)
    vireod.ask(transport, query("www.test", use_edns=0, payload=4096))
    asked = upstream.queries[0].message
    assert asked.edns == 0 and asked.payload == 1232


def formerr_with_question(wire):
    return raw_response(wire, rcode=dns.rcode.FORMERR)


def formerr_header(wire):
    """All that servers send which do not read on behind what they do not know (RFC 6891 section 7)."""
    return wire[:2] + b"\x81\x81" + bytes(8)


@pytest.mark.parametrize("formerr", [formerr_with_question, formerr_header])
def test_upstream_without_edns_is_asked_again_without_rfc6891_7(forwarding_to, transport, formerr):
    def behave(q):
        if q.message.edns >= 0:
            q.send(formerr(q.wire))
        else:
            q.reply_well()

    vireod, upstream = forwarding_to(behave)
    answer = vireod.ask(transport, query("www.test", use_edns=0))
    assert addresses(answer) == {GOOD} and answer.edns == 0
    assert [q.message.edns for q in upstream.queries][:2] == [0, -1]


def test_extended_rcode_of_the_upstream_is_an_error_for_clients_without_edns_rfc6891(forwarding_to, transport):
    vireod, _ = forwarding_to(lambda q: q.reply(rcode=dns.rcode.BADCOOKIE))
    answer = vireod.ask(transport, query("www.test"))
    assert answer.edns == -1 and answer.rcode() == dns.rcode.SERVFAIL


# --- Size (RFC 1035, 2181, 6891, 7766) ---


LIMITS = [(None, 512), (0, 512), (100, 512), (512, 512), (700, 700), (1232, 1232), (4096, 1232), (65535, 1232)]


@pytest.mark.parametrize("size, limit", LIMITS)
@pytest.mark.parametrize(
    "name, type_", [("many.test", "A"), ("long-alias.test", "TXT"), ("big.test", "TXT"), ("huge.test", "TXT")]
)
def test_udp_answer_is_cut_to_the_size_of_the_client_rfc6891_6_2_5(vireod, nsd, name, type_, size, limit):
    edns = {"use_edns": -1} if size is None else {"use_edns": 0, "payload": size}
    wire = ask_for_wire(vireod, "udp", query(name, type_, **edns))
    answer, whole = parse(wire), nsd.ask(name, type_)
    assert len(wire) <= limit
    assert answer.question == whole.question and (answer.edns == 0) == (size is not None)
    assert answer.answer == whole.answer or answer.flags & dns.flags.TC
    for rrset in answer.answer:
        assert rrset in whole.answer, "an RRset that is not whole (RFC 2181 section 9)"


def test_udp_answer_that_fits_is_not_cut_rfc2181_9(vireod, nsd):
    answer = vireod.ask("udp", query("many.test", use_edns=0, payload=1232))
    assert not answer.flags & dns.flags.TC and answer.answer == nsd.ask("many.test").answer


def test_additional_records_that_do_not_fit_leave_tc_clear_rfc2181_9(forwarding_to):
    extra = dns.rrset.from_text("extra.test.", 60, "IN", "TXT", *(f'"{n} {"x" * 100}"' for n in range(6)))

    def reply(q):
        answer = response(q.message, address_record(q.name))
        answer.additional.append(extra)
        q.send(answer.to_wire(max_size=65535))

    vireod, _ = forwarding_to(reply)
    answer = vireod.ask("udp", query("www.test"))
    assert addresses(answer) == {GOOD}
    assert not answer.additional and not answer.flags & dns.flags.TC


@pytest.mark.parametrize("name", ["many.test", "big.test", "huge.test"])
def test_tcp_answer_is_whole_whatever_its_size_rfc7766(vireod, nsd, name):
    type_ = "A" if name == "many.test" else "TXT"
    answer = vireod.ask("tcp", query(name, type_))
    assert not answer.flags & dns.flags.TC and answer.answer == nsd.ask(name, type_).answer


@pytest.mark.parametrize("octet_count", [4000, 4097, 16384, 60000, 65535])
def test_upstream_answer_cut_over_udp_comes_whole_over_tcp_rfc7766_5(forwarding_to, octet_count):
    asked = query("x.test", "TYPE65281")
    data = random.Random(octet_count).randbytes(octet_count - len(raw_response(octets(asked), b"")))

    def behave(q):
        if q.transport == "udp":
            q.reply(flags=dns.flags.TC)
        else:
            q.send(raw_response(q.wire, data))

    vireod, _ = forwarding_to(behave)
    wire = ask_for_wire(vireod, "tcp", asked)
    assert len(wire) == octet_count and wire.endswith(data)
    assert parse(ask_for_wire(vireod, "udp", asked)).flags & dns.flags.TC


def test_upstream_answer_over_the_size_asked_for_is_taken_rfc5625_4_4_2(forwarding_to):
    texts = [f'"{n} {"x" * 200}"' for n in range(15)]
    vireod, upstream = forwarding_to(lambda q: q.reply(dns.rrset.from_text(q.name, 60, "IN", "TXT", *texts)))
    answer = vireod.ask("tcp", query("x.test", "TXT"))
    assert len(answer.answer[0]) == 15
    assert [q.transport for q in upstream.queries] == ["udp"]


# --- localhost (RFC 6761 section 6.3) ---


@pytest.mark.parametrize("name", ["localhost", "LocalHost", "a.b.localhost"])
@pytest.mark.parametrize("type_, data", [("A", ["127.0.0.1"]), ("AAAA", ["::1"]), ("MX", []), ("TXT", [])])
def test_localhost_is_answered_here_rfc6761_6_3(forwarding_to, transport, name, type_, data):
    vireod, upstream = forwarding_to(lambda q: q.reply(address_record(q.name, BAD)))
    answer = vireod.ask(transport, query(name, type_))
    assert answer.rcode() == dns.rcode.NOERROR
    assert [rdata.to_text() for rrset in answer.answer for rdata in rrset] == data
    assert answer.question[0].name.to_text() == name + "."
    assert answer.flags & dns.flags.RA and not answer.flags & dns.flags.AA
    assert not upstream.queries


def test_names_that_only_look_like_localhost_are_forwarded_rfc6761_6_3(forwarding_to, transport):
    vireod, upstream = forwarding_to(Query.reply_well)
    for name in ("localhost.test", "notlocalhost"):
        assert addresses(vireod.ask(transport, query(name))) == {GOOD}
    assert len(upstream.queries) == 2


# --- Octets that nobody meant (RFC 8906, and every decoder's history) ---


def mutations(count, seed=20261124):
    """Queries with octets changed, cut, doubled or behind the end; the same ones each time."""
    dice = random.Random(seed)
    seeds = [
        octets(query("www.example.com")),
        octets(query("www.python.org", "TXT", want_dnssec=True, options=[dns.edns.GenericOption(65001, b"data")])),
        with_question(counts=(1, 0, 1, 0), behind=b"\xc0\x0c" + struct.pack("!HHIH", 6, 1, 0, 4) + b"\0\0\0\0"),
        octets(query(r"nul\000octet.test", "ANY")),
    ]
    for _ in range(count):
        wire = bytearray(dice.choice(seeds))
        for _ in range(dice.randint(1, 6)):
            at = dice.randrange(len(wire)) if wire else 0
            match dice.randrange(5):
                case 0 | 1:
                    wire[at : at + 1] = bytes([dice.randrange(256)])
                case 2:
                    del wire[at:]
                case 3:
                    wire[at:at] = dice.randbytes(dice.randint(1, 20))
                case 4:
                    wire[at : at + 2] = dice.choice([b"\xff\xff", b"\xc0\x0c", b"\0\0", b"\x3f\x3f"])
        yield bytes(wire)


@pytest.fixture
def vireod_with_quick_upstream(forwarding_to):
    """Its upstream has an answer to everything: NSD is silent, or as good as, on some of what is forwarded."""
    return forwarding_to(lambda q: q.send(raw_response(q.wire, rcode=dns.rcode.NXDOMAIN)))[0]


def test_survives_random_datagrams(vireod_with_quick_upstream):
    sent = list(mutations(3000))
    ids = {id_of(wire) for wire in sent if len(wire) >= 2}
    with vireod_with_quick_upstream.datagrams() as client:
        for first in range(0, len(sent), 50):
            client.send(*sent[first : first + 50])
            for wire in client.waiting():
                assert len(wire) >= 12 and wire[2] & 0x80 and id_of(wire) in ids
            assert_serves(vireod_with_quick_upstream, "udp")


def test_survives_random_octets_over_tcp(vireod_with_quick_upstream):
    dice = random.Random(7766)
    for _ in range(60):
        stream = b"".join(map(framed, mutations(10, dice.random())))
        at = dice.randrange(len(stream))
        with vireod_with_quick_upstream.connect() as client:
            with contextlib.suppress(OSError):  # vireod may close the connection before it has read all
                client.send_octets(stream[:at] + dice.randbytes(2) + stream[at:])
                client.finish_sending()
            while client.next_octets() is not None:
                pass
        assert_serves(vireod_with_quick_upstream, "tcp")
