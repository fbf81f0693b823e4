"""vireod with upstreams that are dead, late, wrong or hostile."""

import contextlib
import random
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from client import octets, query
from faulty import (
    BAD,
    GOOD,
    ClosedPort,
    Query,
    SilentPort,
    Upstream,
    address_record,
    good_response,
    question_octets,
    raw_response,
    response,
)
from vireod import Vireod

PATIENCE = 20  # seconds: longer than a client waits (RFC 1035: 5 s), on a machine that is busy


def address(answer):
    assert answer.rcode() == dns.rcode.NOERROR, answer
    return answer.answer[0][0].address


def assert_good(vireod, transport, name="www.test"):
    assert address(vireod.ask(transport, query(name))) == GOOD


# --- Nobody answers: SERVFAIL, soon, with a reason (RFC 8914) ---


def silent_over_tcp():
    """Says over UDP that the answer comes over TCP, where it never comes."""
    return Upstream(lambda q: q.transport == "udp" and q.reply(flags=dns.flags.TC))


DEAD = {
    "closed port, dns": (ClosedPort, "dns"),
    "closed port, udp": (ClosedPort, "udp"),
    "closed port, tcp": (ClosedPort, "tcp"),
    "silent, dns": (SilentPort, "dns"),
    "silent, udp": (SilentPort, "udp"),
    "silent, tcp": (SilentPort, "tcp"),
}
ALL_DEAD = {**DEAD, "TCP silent": (silent_over_tcp, "dns")}


@pytest.fixture(scope="module", autouse=True)
def dead_upstreams(vireod_program):
    """
    A daemon for each dead upstream, and what it answers with its time. All are asked at once when the first test
    begins, for all must wait; the tests at the end of this file look at what came.
    """

    def timed(daemon, transport):
        begin = time.monotonic()
        answer = daemon.ask(transport, query("www.test", use_edns=0))
        return answer, time.monotonic() - begin

    def pipelined(daemon, count):
        with daemon.connect() as client:
            client.send(*(query(f"n{number}.test", id=number) for number in range(count)))
            return client.receive_many(count)

    with contextlib.ExitStack() as stack:
        daemons = {}
        for kind, (make, scheme) in ALL_DEAD.items():
            upstream = stack.enter_context(contextlib.closing(make()))
            daemons[kind] = Vireod(vireod_program, [upstream.url(scheme)])
            stack.callback(daemons[kind].kill)
        pool = stack.enter_context(ThreadPoolExecutor(2 * len(ALL_DEAD) + 1))
        answers = {
            (kind, transport): pool.submit(timed, daemon, transport)
            for kind, daemon in daemons.items()
            for transport in ("udp", "tcp")
        }
        answers["many"] = pool.submit(pipelined, daemons["silent, udp"], 300)
        yield answers
        for kind, daemon in daemons.items():
            assert daemon.stop() == 0, kind


def test_servfail_of_our_own_has_no_opt_for_a_client_without_rfc6891_7(start_vireod, closed_port, transport):
    answer = start_vireod(closed_port.url()).ask(transport, query("www.test"))
    assert answer.rcode() == dns.rcode.SERVFAIL and answer.edns == -1


@pytest.mark.parametrize("scheme", ["dns", "tcp"])
def test_upstream_that_comes_up_late_is_used_without_a_restart(
    start_vireod, start_upstream, closed_port, transport, scheme
):
    vireod = start_vireod(closed_port.url(scheme))
    assert vireod.ask(transport, query("www.test")).rcode() == dns.rcode.SERVFAIL
    port = closed_port.port
    closed_port.close()
    start_upstream(Query.reply_well, port)
    assert_good(vireod, transport)


# --- One of several is dead or fails ---


@pytest.mark.parametrize("scheme", ["dns", "udp", "tcp"])
@pytest.mark.parametrize("dead_first", [True, False])
def test_live_upstream_answers_beside_a_closed_port(start_vireod, closed_port, nsd, transport, scheme, dead_first):
    urls = [closed_port.url(scheme), nsd.url(scheme)]
    vireod = start_vireod(*(urls if dead_first else reversed(urls)))
    for _ in range(4):
        assert vireod.ask(transport, query("www.example.com")).answer


@pytest.mark.parametrize("scheme", ["dns", "tcp"])
def test_live_upstream_answers_beside_a_silent_one(start_vireod, silent_port, nsd, transport, scheme):
    vireod = start_vireod(silent_port.url(scheme), nsd.url())
    begin = time.monotonic()
    assert vireod.ask(transport, query("www.example.com")).answer
    assert time.monotonic() - begin < PATIENCE


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED, dns.rcode.NOTIMP])
def test_next_upstream_is_asked_when_one_fails(start_vireod, start_upstream, transport, rcode):
    failing = start_upstream(lambda q: q.reply(rcode=rcode))
    good = start_upstream(Query.reply_well)
    vireod = start_vireod(failing.url(), good.url())
    for number in range(4):
        assert_good(vireod, transport, f"n{number}.test")
    assert failing.queries, "the failing upstream was never asked"


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
def test_failure_of_the_only_upstream_is_passed_on_rfc1035(forwarding_to, transport, rcode):
    vireod, _ = forwarding_to(lambda q: q.reply(rcode=rcode))
    answer = vireod.ask(transport, query("www.test"))
    assert answer.rcode() in (rcode, dns.rcode.SERVFAIL) and not answer.answer


def test_nxdomain_is_an_answer_and_asks_nobody_else_rfc2308(start_vireod, start_upstream, transport):
    denying = start_upstream(lambda q: q.reply(rcode=dns.rcode.NXDOMAIN))
    other = start_upstream(lambda q: q.reply(rcode=dns.rcode.NXDOMAIN))
    vireod = start_vireod(denying.url(), other.url())
    assert vireod.ask(transport, query("www.test")).rcode() == dns.rcode.NXDOMAIN
    assert len(denying.queries) + len(other.queries) == 1


# --- Late ---


def test_lost_query_is_sent_again_rfc1035_4_2_1(forwarding_to, transport):
    def behave(q):
        if len(q.server.queries) > 1:
            q.reply_well()

    vireod, _ = forwarding_to(behave)
    assert_good(vireod, transport)


def test_answer_to_the_first_try_may_come_after_the_second_try_rfc1035_4_2_1(forwarding_to, transport):
    def behave(q):
        q.server.wait_for_queries(2)  # the first is answered late, at the same time as the second
        q.reply_well()

    vireod, _ = forwarding_to(behave)
    first, second = query("www.test"), query("www2.test")
    with vireod.datagrams() if transport == "udp" else vireod.connect() as client:
        for sent in (first, second):
            client.send(sent)
            answer = client.receive()
            assert answer.id == sent.id and answer.question == sent.question and address(answer) == GOOD


def test_answer_that_comes_after_the_client_left_harms_nobody(forwarding_to, gate):
    def behave(q):
        if q.name.labels[0].lower() == b"late":
            gate.wait()
        q.reply_well()

    vireod, upstream = forwarding_to(behave)
    with vireod.datagrams() as client:
        client.send(query("late.test"))
        assert upstream.wait_for_queries()
    gate.open()
    assert_good(vireod, "udp")
    assert_good(vireod, "tcp")


# --- Wrong answers are ignored, and the right one is waited for (RFC 5452 section 9.1) ---


def changed(wire, at, new):
    return wire[:at] + new + wire[at + len(new) :]


def bad_response(q):
    return response(q.message, address_record(q.name, BAD))


def wrong_id(q):
    return changed(bad_response(q).to_wire(), 0, struct.pack("!H", (q.message.id + 1) & 0xFFFF))


def not_a_response(q):
    answer = bad_response(q)
    answer.flags &= ~dns.flags.QR
    return answer.to_wire()


def other_opcode(q):
    wire = bad_response(q).to_wire()
    return changed(wire, 2, bytes([wire[2] | 2 << 3]))


def other_question(name="other.test", type_="A", class_="IN"):
    def build(q):
        other = dns.message.make_query(name or q.name, type_, class_, id=q.message.id)
        return response(other, address_record(other.question[0].name, BAD)).to_wire()

    return build


def no_question(q):
    answer = bad_response(q)
    answer.question = []
    return answer.to_wire()


def two_questions(q):
    wire = changed(bad_response(q).to_wire(), 4, b"\0\2")
    return wire[: record_at(q)] + question_octets(q.wire) + wire[record_at(q) :]


def cut(q):
    return bad_response(q).to_wire()[:-3]


def record_at(q):
    """Where the first record of an answer begins."""
    return 12 + len(question_octets(q.wire))


def pointer(offset):
    return struct.pack("!H", 0xC000 | offset)


def with_record(name, rdata, length=None, type_=1):
    """An answer whose one record is written by hand."""

    def build(q):
        head = changed(raw_response(q.wire), 6, b"\0\1")
        return head + name + struct.pack("!HHIH", type_, 1, 60, len(rdata) if length is None else length) + rdata

    return build


WRONG = {
    "wrong id": wrong_id,
    "QR clear": not_a_response,
    "other opcode": other_opcode,
    "other name": other_question(),
    "other type": other_question(None, "AAAA"),
    "other class": other_question(None, "A", "CH"),
    "no question": no_question,
    "two questions": two_questions,
    "record cut": cut,
    "header alone": lambda q: changed(q.wire[:12], 2, b"\x81\x80"),
    "eleven octets": lambda q: q.wire[:11],
    "one octet": lambda q: q.wire[:1],
    "random octets": lambda q: random.Random(5452).randbytes(200),
    "random octets behind the header": lambda q: bad_response(q).to_wire()[:12] + random.Random(1).randbytes(100),
    "octets behind the end": lambda q: bad_response(q).to_wire() + b"\0",
    "pointer to itself": lambda q: with_record(pointer(record_at(q)), b"\xc0\0\2\x42")(q),
    "pointer forward": with_record(b"\xc0\xff", b"\xc0\0\2\x42"),
    "pointer beyond the end": with_record(b"\xff\xff", b"\xc0\0\2\x42"),
    "data longer than the message": with_record(b"\xc0\x0c", b"\xc0\0\2\x42", 400),
    "CNAME with a pointer loop": lambda q: with_record(b"\xc0\x0c", pointer(record_at(q) + 12), type_=5)(q),
    "65535 records promised": lambda q: changed(bad_response(q).to_wire(), 6, b"\xff\xff"),
}


@pytest.mark.parametrize("build", WRONG.values(), ids=WRONG.keys())
@pytest.mark.parametrize("scheme", ["udp", "tcp"])
def test_wrong_answer_is_ignored_while_waiting_for_the_right_one_rfc5452_9_1(forwarding_to, build, scheme):
    def behave(q):
        if len(q.server.queries) == 1 or q.transport == "udp":
            q.send(build(q))
        q.reply_well()

    vireod, upstream = forwarding_to(behave, scheme)
    assert_good(vireod, "tcp")
    if scheme == "udp":
        assert len(upstream.queries) == 1, "the wrong answer was taken for a failure"


@pytest.mark.parametrize("host, same_port", [("127.0.0.1", False), ("127.0.0.2", True)], ids=["port", "address"])
def test_answer_from_elsewhere_is_ignored_rfc5452_9_1(start_vireod, host, same_port):
    """An upstream by hand: the two sockets of the one who answers are what the test is about."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as right,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wrong,
    ):
        right.settimeout(PATIENCE)
        right.bind(("127.0.0.1", 0))
        port = right.getsockname()[1]
        wrong.bind((host, port if same_port else 0))
        vireod = start_vireod(f"udp://127.0.0.1:{port}")
        with vireod.connect() as client:
            client.send(query("www.test"))
            wire, asker = right.recvfrom(65535)
            q = Query(None, "udp", wire, lambda out: right.sendto(out, asker))
            wrong.sendto(bad_response(q).to_wire(), asker)
            q.reply_well()
            assert address(client.receive()) == GOOD


def test_empty_datagrams_are_ignored(forwarding_to, transport):
    def behave(q):
        for _ in range(10):
            q.send(b"")
        q.reply_well()

    vireod, _ = forwarding_to(behave, "udp")
    for number in range(5):
        assert_good(vireod, transport, f"n{number}.test")


def test_many_wrong_answers_do_not_stop_the_right_one_rfc5452(forwarding_to, transport):
    def behave(q):
        for id_ in range(200):
            q.send(changed(bad_response(q).to_wire(), 0, struct.pack("!H", (q.message.id + 1 + id_) & 0xFFFF)))
        q.reply_well()

    vireod, _ = forwarding_to(behave, "udp")
    assert_good(vireod, transport)


@pytest.mark.parametrize("scheme", ["udp", "tcp"])
def test_random_answers_never_end_the_daemon(forwarding_to, scheme):
    """Octets of a good answer changed at random: what the client gets may be anything that can be read."""
    dice = random.Random(1035)

    def behave(q):
        answer = response(q.message, *(address_record(q.name, f"192.0.2.{n}") for n in range(3)))
        answer.authority.append(dns.rrset.from_text("test.", 60, "IN", "SOA", "ns.test. host.test. 1 2 3 4 5"))
        wire = bytearray(answer.to_wire())
        for _ in range(dice.randint(1, 5)):
            wire[dice.randrange(12, len(wire))] = dice.randrange(256)
        q.send(bytes(wire))
        q.reply_well()

    vireod, upstream = forwarding_to(behave, scheme)
    count = 300
    with vireod.connect() as client:
        client.send(*(query(f"n{number}.test", id=number) for number in range(count)))
        ids = {struct.unpack_from("!H", client.receive_octets())[0] for _ in range(count)}
    assert ids == set(range(count))
    assert len(upstream.queries) >= count


# --- Records that the question did not ask for (dropped: RFC 5452 section 6, RFC 2181 section 5.4.1) ---


def test_records_beyond_the_cname_chain_are_dropped_rfc5452_6(forwarding_to, transport):
    def behave(q):
        alias, target = dns.rrset.from_text(q.name, 60, "IN", "CNAME", "target.test."), address_record("target.test.")
        q.reply(address_record("evil.test.", BAD), alias, target, address_record("other.test.", BAD))

    vireod, _ = forwarding_to(behave)
    answer = vireod.ask(transport, query("www.test"))
    assert [(rrset.name.to_text().lower(), rrset.rdtype) for rrset in answer.answer] == [
        ("www.test.", dns.rdatatype.CNAME),
        ("target.test.", dns.rdatatype.A),
    ]
    assert answer.answer[1][0].address == GOOD


def test_dname_and_its_cname_stay_rfc6672(forwarding_to, transport):
    def behave(q):
        q.reply(
            dns.rrset.from_text("old.test.", 60, "IN", "DNAME", "new.test."),
            dns.rrset.from_text(q.name, 60, "IN", "CNAME", "www.new.test."),
            address_record("www.new.test."),
        )

    vireod, _ = forwarding_to(behave)
    answer = vireod.ask(transport, query("www.old.test"))
    assert [rrset.rdtype for rrset in answer.answer] == [dns.rdatatype.DNAME, dns.rdatatype.CNAME, dns.rdatatype.A]


def test_cname_loop_ends_rfc1034_3_6_2(forwarding_to, transport):
    def behave(q):
        q.reply(
            dns.rrset.from_text("a.test.", 60, "IN", "CNAME", "b.test."),
            dns.rrset.from_text("b.test.", 60, "IN", "CNAME", "a.test."),
        )

    vireod, _ = forwarding_to(behave)
    answer = vireod.ask(transport, query("a.test"))
    assert answer.rcode() in (dns.rcode.NOERROR, dns.rcode.SERVFAIL)


# --- Over TCP to the upstream (RFC 7766) ---


def test_cut_answer_is_asked_for_again_over_tcp_rfc7766_5(forwarding_to, transport):
    def behave(q):
        if q.transport == "udp":
            q.reply(address_record(q.name, BAD), flags=dns.flags.TC)
        else:
            q.reply_well()

    vireod, upstream = forwarding_to(behave)
    answer = vireod.ask(transport, query("www.test"))
    assert address(answer) == GOOD and not answer.flags & dns.flags.TC
    assert [q.transport for q in upstream.queries] == ["udp", "tcp"]


def test_cut_answer_is_passed_on_over_udp_alone_where_tcp_fails_rfc2181_9(start_vireod, transport):
    """A client over TCP has no other way to ask: to it the upstream has failed."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as only_udp:
        only_udp.settimeout(PATIENCE)
        only_udp.bind(("127.0.0.1", 0))
        vireod = start_vireod(f"dns://127.0.0.1:{only_udp.getsockname()[1]}")
        with vireod.datagrams() if transport == "udp" else vireod.connect() as client:
            client.send(query("www.test"))
            wire, asker = only_udp.recvfrom(65535)
            Query(None, "udp", wire, lambda out: only_udp.sendto(out, asker)).reply(flags=dns.flags.TC)
            answer = client.receive()
    cut = bool(answer.flags & dns.flags.TC)
    assert (answer.rcode(), cut) == ((dns.rcode.NOERROR, True) if transport == "udp" else (dns.rcode.SERVFAIL, False))


def test_udp_scheme_never_uses_tcp(forwarding_to):
    vireod, upstream = forwarding_to(lambda q: q.reply(flags=dns.flags.TC), "udp")
    answer = vireod.ask("udp", query("www.test"))
    assert answer.rcode() == dns.rcode.NOERROR and answer.flags & dns.flags.TC
    assert {q.transport for q in upstream.queries} == {"udp"}


def test_tcp_scheme_never_uses_udp(forwarding_to, transport):
    vireod, upstream = forwarding_to(Query.reply_well, "tcp")
    assert_good(vireod, transport)
    assert {q.transport for q in upstream.queries} == {"tcp"}


def test_queries_are_pipelined_on_few_connections_rfc7766_6_2_2(forwarding_to):
    count = 50

    def behave(q):
        q.server.wait_for_queries(count)
        q.reply_well()

    vireod, upstream = forwarding_to(behave, "tcp")
    sent = [query(f"n{number}.test", id=number) for number in range(count)]
    with vireod.connect() as client:
        client.send(*sent)
        answers = client.receive_many(count)
    for message in sent:
        assert answers[message.id].question == message.question and address(answers[message.id]) == GOOD
    assert upstream.connection_count <= 5


def test_connection_that_the_upstream_closed_is_opened_again_rfc7766_6_2_3(forwarding_to, transport):
    def behave(q):
        q.reply_well()
        q.close()

    vireod, upstream = forwarding_to(behave, "tcp")
    for number in range(5):
        assert_good(vireod, transport, f"n{number}.test")
    assert upstream.connection_count >= 5


def prefix_alone(q):
    q.connection.sendall(b"\0")


def half_an_answer(q):
    wire = bad_response(q).to_wire()
    q.connection.sendall(struct.pack("!H", len(wire)) + wire[:-5])


def zero_length(q):
    q.connection.sendall(b"\0\0")


def nothing(q):
    pass


@pytest.mark.parametrize("first", [nothing, prefix_alone, half_an_answer, zero_length])
def test_connection_that_breaks_before_the_answer_is_tried_again_rfc7766_6_2_4(forwarding_to, transport, first):
    def behave(q):
        if len(q.server.queries) == 1:
            first(q)
            q.close()
        else:
            q.reply_well()

    vireod, _ = forwarding_to(behave, "tcp")
    assert_good(vireod, transport)


def test_connections_that_always_break_give_servfail_in_bounded_time(forwarding_to, transport):
    def behave(q):
        half_an_answer(q)
        q.close()

    vireod, _ = forwarding_to(behave, "tcp")
    begin = time.monotonic()
    assert vireod.ask(transport, query("www.test")).rcode() == dns.rcode.SERVFAIL
    assert time.monotonic() - begin < PATIENCE


def test_answer_may_come_octet_by_octet_rfc7766_8(forwarding_to, transport):
    def behave(q):
        wire = good_response(q.message).to_wire()
        q.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in struct.pack("!H", len(wire)) + wire:
            q.connection.sendall(bytes([octet]))

    vireod, _ = forwarding_to(behave, "tcp")
    assert_good(vireod, transport)


# --- Unpredictable (RFC 5452) ---


def test_ids_and_ports_towards_the_upstream_vary_rfc5452_9_2(start_vireod):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.settimeout(PATIENCE)
        server.bind(("127.0.0.1", 0))
        vireod = start_vireod(f"udp://127.0.0.1:{server.getsockname()[1]}")
        ids, ports = set(), set()
        with vireod.connect() as client:
            for number in range(100):
                client.send(query(f"n{number}.test", id=number))
                wire, asker = server.recvfrom(65535)
                Query(None, "udp", wire, lambda out: server.sendto(out, asker)).reply_well()
                assert client.receive().id == number
                ids.add(wire[:2])
                ports.add(asker[1])
    assert len(ids) > 90 and len(ports) > 4


# --- What the dead upstreams came to (asked at the beginning) ---


@pytest.mark.parametrize("kind", DEAD)
def test_dead_upstream_gives_servfail_in_bounded_time_rfc1035_rfc8914(dead_upstreams, transport, kind):
    answer, seconds = dead_upstreams[kind, transport].result()
    assert answer.rcode() == dns.rcode.SERVFAIL
    assert seconds < PATIENCE
    errors = [option for option in answer.options if option.otype == dns.edns.EDE]
    assert len(errors) == 1 and errors[0].code in (22, 23)  # no reachable authority, network error


def test_queries_that_wait_for_others_of_their_connection_are_not_forgotten_rfc7766_6_2_1_1(dead_upstreams):
    """More than are looked up at once: the last are read when the time limit of the first is over."""
    answers = dead_upstreams["many"].result()
    assert answers.keys() == set(range(300))
    assert {answer.rcode() for answer in answers.values()} == {dns.rcode.SERVFAIL}


def test_upstream_whose_tcp_never_answers_fails_or_passes_tc_on_in_bounded_time_rfc7766(dead_upstreams, transport):
    answer, seconds = dead_upstreams["TCP silent", transport].result()
    assert seconds < PATIENCE
    assert answer.rcode() == dns.rcode.SERVFAIL or (transport == "udp" and answer.flags & dns.flags.TC)
