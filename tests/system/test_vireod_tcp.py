"""vireod's TCP connections: framing, pipelining, order, closing (RFC 1035 section 4.2.2, RFC 7766)."""

import contextlib
import struct
import threading

import dns.flags
import dns.rdatatype
import pytest

from client import framed, header, octets, query
from faulty import GOOD, raw_response
from programs import TIME_LIMIT

EXAMPLE = query("www.example.com")


def address(answer):
    return answer.answer[0][0].address


def assert_serves(vireod):
    assert vireod.ask("tcp", EXAMPLE).answer


def queries(count, name="n{}.bulk.test"):
    return [query(name.format(number), id=number) for number in range(count)]


def assert_answers_to(sent, answers):
    """Each query has its own answer: same id, same question, data of that name."""
    assert answers.keys() == {message.id for message in sent}
    for message in sent:
        assert answers[message.id].question == message.question
        assert answers[message.id].answer, answers[message.id].to_text()


# --- Framing: TCP has no boundaries (RFC 7766 section 8) ---


def test_query_may_come_octet_by_octet_rfc7766_8(vireod):
    with vireod.connect() as client:
        client.send_octets(*(bytes([octet]) for octet in framed(EXAMPLE)))
        assert client.receive().id == EXAMPLE.id


def test_query_may_be_cut_anywhere_rfc7766_8(vireod):
    frame = framed(EXAMPLE)
    with vireod.connect() as client:
        for cut in range(1, len(frame)):
            client.send_octets(frame[:cut], frame[cut:])
            assert client.receive().id == EXAMPLE.id


def test_second_query_may_begin_in_the_segment_of_the_first_rfc7766_8(vireod):
    sent = queries(2)
    stream = b"".join(map(framed, sent))
    for cut in range(1, len(stream)):
        with vireod.connect() as client:
            client.send_octets(stream[:cut], stream[cut:])
            assert_answers_to(sent, client.receive_many(2))


def test_length_and_message_leave_together_rfc7766_8(vireod):
    with vireod.connect() as client:
        client.send(EXAMPLE)
        segment = client.receive_segment()
        assert len(segment) == 2 + struct.unpack_from("!H", segment)[0]


# --- Pipelining (RFC 7766 section 6.2.1.1) ---


def test_pipelined_queries_are_all_answered_rfc7766_6_2_1_1(vireod):
    sent = queries(1000)
    with vireod.connect() as client:
        client.send(*sent)
        assert_answers_to(sent, client.receive_many(len(sent)))


def test_pipelined_queries_run_at_the_same_time_rfc7766_6_2_1_1(forwarding_to):
    count = 20

    def behave(q):
        if q.server.wait_for_queries(count):  # none is answered before all have come
            q.reply_well()

    vireod, _ = forwarding_to(behave)
    sent = queries(count)
    with vireod.connect() as client:
        client.send(*sent)
        assert_answers_to(sent, client.receive_many(count))


def test_answers_leave_as_they_come_back_rfc7766_7(forwarding_to, gate):
    def behave(q):
        if q.name.labels[0].lower() == b"slow":
            gate.wait()
        q.reply_well()

    vireod, _ = forwarding_to(behave)
    slow, fast = query("slow.test", id=1), query("fast.test", id=2)
    with vireod.connect() as client:
        client.send(slow, fast)
        assert client.receive().id == fast.id
        gate.open()
        assert client.receive().id == slow.id


def test_same_id_and_name_may_be_in_flight_on_two_connections_rfc7766_7(vireod):
    with vireod.connect() as one, vireod.connect() as two:
        for client in (one, two):
            client.send(query("www.example.com", id=7))
        assert [one.receive().id, two.receive().id] == [7, 7]


def test_same_name_may_be_asked_twice_on_one_connection_rfc7766_6_2_1_1(vireod):
    with vireod.connect() as client:
        client.send(*(query("www.example.com", id=id_) for id_ in range(50)))
        assert client.receive_many(50).keys() == set(range(50))


def test_errors_and_answers_mix_on_one_connection_rfc7766(vireod):
    no_question = struct.pack("!6H", 1000, 0x0100, 0, 0, 0, 0)
    with vireod.connect() as client:
        transfer = query("example.com", "AXFR", id=2)
        client.send(query("www.example.com", id=1), no_question, transfer, query("localhost", id=3))
        answers = client.receive_many(4)
        assert {id_: int(answer.rcode()) for id_, answer in answers.items()} == {1: 0, 1000: 1, 2: 5, 3: 0}


def test_connection_serves_one_query_after_the_other_rfc7766_6_2_1(vireod):
    with vireod.connect() as client:
        for sent in queries(200):
            client.send(sent)
            assert client.receive().id == sent.id


# --- Ends (RFC 7766 section 6.2.3 and 6.2.4) ---


def test_half_close_still_gets_its_answers_rfc7766_6_2_4(vireod):
    sent = queries(20)
    with vireod.connect() as client:
        client.send(*sent)
        client.finish_sending()
        assert_answers_to(sent, client.receive_many(len(sent)))
        assert client.ended()


def test_half_close_still_gets_an_answer_that_takes_long_rfc7766_6_2_4(forwarding_to, gate):
    def behave(q):
        gate.wait()
        q.reply_well()

    vireod, upstream = forwarding_to(behave)
    with vireod.connect() as client:
        client.send(query("www.test"))
        client.finish_sending()
        assert upstream.wait_for_queries()
        gate.open()
        assert address(client.receive()) == GOOD
        assert client.ended()


def test_connection_closed_without_a_query_is_closed_rfc7766_6_2_3(vireod):
    with vireod.connect() as client:
        client.finish_sending()
        assert client.ended()


@pytest.mark.parametrize("octets", [b"\0\0", b"\0\0\0\0\0\0"])
def test_zero_length_closes_the_connection_rfc1035_4_2_2(vireod, octets):
    with vireod.connect() as client:
        client.send_octets(octets)
        assert client.ended()
    assert_serves(vireod)


def test_query_before_a_zero_length_is_answered_or_closed_with_it_rfc1035_4_2_2(vireod):
    with vireod.connect() as client:
        client.send_octets(framed(EXAMPLE) + b"\0\0" + framed(query("www.google.com")))
        answer = client.next_octets()
        assert answer is None or (answer[:2] == struct.pack("!H", EXAMPLE.id) and client.ended())


@pytest.mark.parametrize("length", [1, 2, 11])
def test_message_too_short_for_a_header_gets_formerr_or_the_end_rfc1035(vireod, length):
    with vireod.connect() as client:
        client.send(b"\0" * length)
        client.finish_sending()
        answer = client.next_octets()
        assert answer is None or (answer[:2] == b"\0\0" and answer[3] & 15 == 1)
    assert_serves(vireod)


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(b"\0", id="half a length"),
        pytest.param(b"\0\x64" + b"x" * 20, id="100 octets promised"),
        pytest.param(b"\xff\xff" + b"x" * 10, id="65535 octets promised"),
        pytest.param(framed(EXAMPLE)[:-1], id="an octet missing"),
    ],
)
def test_cut_message_closes_cleanly_rfc7766_8(vireod, stream):
    with vireod.connect() as client:
        client.send_octets(stream)
        client.finish_sending()
        assert client.ended()
    assert_serves(vireod)


def test_answers_before_a_cut_message_are_given_rfc7766_8(vireod):
    with vireod.connect() as client:
        client.send_octets(framed(EXAMPLE) + framed(EXAMPLE)[:-1])
        client.finish_sending()
        assert client.receive().id == EXAMPLE.id
        assert client.ended()


@pytest.mark.parametrize("leave", ["close", "reset"])
def test_clients_that_leave_with_queries_in_flight_harm_nobody_rfc7766_6_2_4(forwarding_to, gate, leave):
    def behave(q):
        if q.name.labels[0].lower() != b"www":
            gate.wait()
        q.reply_well()

    vireod, upstream = forwarding_to(behave)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(vireod.connect()) for _ in range(50)]
        for number, client in enumerate(clients):
            client.send(query(f"a{number}.test"), query(f"b{number}.test"))
        assert upstream.wait_for_queries(100)
        if leave == "reset":
            for client in clients:
                client.reset()
    assert address(vireod.ask("tcp", query("www.test"))) == GOOD
    gate.open()
    assert address(vireod.ask("udp", query("www2.test"))) == GOOD


def test_client_that_sends_answers_is_none_and_is_closed_rfc1035(vireod):
    with vireod.connect() as client:
        client.send(EXAMPLE, header(flags=dns.flags.QR, counts=(0, 0, 0, 0)), query("www.google.com"))
        assert client.receive().id == EXAMPLE.id
        assert client.ended()
    assert_serves(vireod)


def test_answer_arrives_before_the_end_though_more_was_sent_rfc7766_6_2_4(vireod):
    """What is left unread when a connection is closed makes a reset, which takes answers with it."""
    for _ in range(20):
        with vireod.connect() as client:
            client.send_octets(framed(EXAMPLE) + b"\0\0" + bytes(20_000))
            assert client.receive().id == EXAMPLE.id
            assert client.receive_segment() == b""  # where a reset would raise


# --- Many, and slow ones (RFC 9210 section 3) ---


def test_two_hundred_connections_at_once_rfc7766_6_2_2(vireod):
    sent = queries(200)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(vireod.connect()) for _ in sent]
        for client, message in zip(clients, sent):
            client.send(message)
        answers = [client.receive() for client in clients]
    assert_answers_to(sent, {answer.id: answer for answer in answers})


def test_idle_connections_keep_nobody_waiting_rfc7766_6_2_3(vireod):
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(vireod.connect()) for _ in range(200)]
        assert_serves(vireod)
        idle[100].send(EXAMPLE)
        assert idle[100].receive().id == EXAMPLE.id


def test_service_goes_on_after_the_descriptors_ran_out(start_vireod, nsd):
    vireod = start_vireod(nsd.url(), limits=["--nofile=64"])
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(vireod.connect())
        assert vireod.ask("udp", EXAMPLE).id == EXAMPLE.id
    assert_serves(vireod)


def test_half_sent_queries_keep_nobody_waiting_rfc7766_10(vireod):
    with contextlib.ExitStack() as stack:
        for cut in range(1, 21):
            stack.enter_context(vireod.connect()).send_octets(framed(EXAMPLE)[:cut])
        assert_serves(vireod)


@pytest.fixture
def vireod_with_big_answers(forwarding_to):
    """Its upstream has 20,000 octets to say; NSD 4.6 itself stalls when it is read slowly."""

    def behave(q):
        if q.message.question[0].rdtype == dns.rdatatype.A:
            q.reply_well()
        else:
            q.send(raw_response(q.wire, bytes(20_000)))

    return forwarding_to(behave, "tcp")[0]


BIG = query("big.test", "TYPE65281", id=1)


def test_client_that_reads_nothing_keeps_nobody_waiting_rfc7766_10(vireod_with_big_answers):
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(vireod_with_big_answers.connect()).send_what_fits(framed(BIG) * 5000)  # 100 MB to read
        for _ in range(100):
            assert_serves(vireod_with_big_answers)
        assert vireod_with_big_answers.resident_kilobytes() < 200_000


def octets_until_the_end(client):
    """How many octets come until the connection ends, cleanly or not."""
    count = 0
    with contextlib.suppress(ConnectionResetError):
        while segment := client.receive_segment():
            count += len(segment)
    return count


def test_clients_that_leave_too_much_unread_are_closed_rfc7766_10(forwarding_to):
    """Each has as many lookups under way as it may, before the first answer can be found unread."""
    vireod, upstream = forwarding_to(lambda q: q.send(raw_response(q.wire, bytes(60_000))), "tcp")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(vireod.connect()) for _ in range(16)]
        for client in clients:
            client.send(*[BIG] * 256)
        assert upstream.wait_for_queries(16 * 256)
        for _ in range(100):
            assert vireod.ask("tcp", query("localhost")).answer
        for client in clients:
            client.finish_sending()
            assert octets_until_the_end(client) < 256 * 60_000


def test_stream_of_bad_queries_keeps_nobody_waiting_rfc7766_10(vireod):
    """They need no lookup, and so no wait."""
    flood, enough = framed(header(counts=(0, 0, 0, 0))) * 50_000, threading.Event()
    with vireod.connect() as client:

        def drain():
            with contextlib.suppress(OSError):
                while client.receive_segment():
                    pass

        def pour():
            with contextlib.suppress(OSError):
                while not enough.is_set():
                    client.send_octets(flood)

        threads = [threading.Thread(target=work, daemon=True) for work in (drain, pour)]
        for thread in threads:
            thread.start()
        for _ in range(50):
            assert_serves(vireod)
        enough.set()
        threads[1].join(TIME_LIMIT)
        client.finish_sending()
        threads[0].join(TIME_LIMIT)


def test_client_that_reads_late_gets_all_answers_rfc7766(vireod_with_big_answers):
    sent = [query("big.test", "TYPE65281", id=id_) for id_ in range(1000)]  # 20 MB to read
    with vireod_with_big_answers.connect() as client:
        client.send(*sent)
        assert_serves(vireod_with_big_answers)
        wires = [client.receive_octets() for _ in sent]
    assert {struct.unpack_from("!H", wire)[0] for wire in wires} == set(range(1000))
    assert {len(wire) for wire in wires} == {len(raw_response(octets(BIG), bytes(20_000)))}


def test_several_workers_share_the_connections(start_vireod, nsd):
    vireod = start_vireod(nsd.url(), workers=2)
    assert vireod.workers == 2
    sent = queries(40)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(vireod.connect()) for _ in sent]
        for client, message in zip(clients, sent):
            client.send(message)
        assert_answers_to(sent, {answer.id: answer for answer in (client.receive() for client in clients)})


def test_concurrent_datagrams_are_all_answered_rfc1035_4_2_1(vireod):
    sent = queries(200)
    with vireod.datagrams() as client:
        answers = {}
        for first in range(0, len(sent), 50):
            client.send(*sent[first : first + 50])
            answers.update((answer.id, answer) for answer in (client.receive() for _ in range(50)))
    assert_answers_to(sent, answers)
