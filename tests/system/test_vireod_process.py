"""vireod as a process: its command line, its ready line, the signals that end it."""

import contextlib
import re
import signal
import socket
import time

import pytest

from client import ask_tcp, ask_udp, framed, octets, query
from faulty import GOOD
from programs import run
from vireod import ANY_PORT, Vireod, command_line

EXAMPLE = query("www.example.com")
OPTIONS = ["--listen", "--upstream", "--workers", "--help", "--version"]


def complaint(result):
    """The one line that vireod says when it does not start."""
    assert result.stdout == ""
    assert re.fullmatch(r"vireod: [^\n]+\n", result.stderr), result
    return result.stderr


# --- Command line ---


def test_help_names_every_option(vireod_program):
    result = run([vireod_program, "--help"])
    assert result.status == 0 and result.stderr == "", result
    for option in OPTIONS:
        assert option in result.stdout


def test_version_is_one_line(vireod_program):
    result = run([vireod_program, "--version"])
    assert result.status == 0 and re.fullmatch(r"vireod \d+\.\d+\.\d+\S*\n", result.stdout), result


@pytest.mark.parametrize(
    "arguments, named",
    [
        (["--no-such-option"], "--no-such-option"),
        (["stray"], "stray"),
        (["--listen"], "--listen"),
        (["--listen", "dns://nowhere:53"], "dns://nowhere:53"),
        (["--listen", "dns://127.0.0.1:65536"], "dns://127.0.0.1:65536"),
        (["--listen", "gopher://127.0.0.1:53"], "gopher://127.0.0.1:53"),
        (["--listen", "dns://300.0.0.1:53"], "dns://300.0.0.1:53"),
        (["--upstream", "127.0.0.1:port"], "127.0.0.1:port"),
        (["--upstream", ""], "--upstream"),
        (["--upstream", "dns://[::1"], "dns://[::1"),
        (["--workers", "0"], "0"),
        (["--workers", "-1"], "-1"),
        (["--workers", "two"], "two"),
        (["--workers", "1x"], "1x"),
        (["--workers", "99999999999999999999"], "99999999999999999999"),
    ],
)
def test_usage_error_names_the_argument_and_exits_2(vireod_program, arguments, named):
    result = run([vireod_program, *arguments])
    assert result.status == 2, result
    assert named in complaint(result)


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM], ids=["tcp", "udp"])
def test_address_in_use_is_one_line_and_exit_1(vireod_program, nsd, kind):
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        url = f"dns://127.0.0.1:{taken.getsockname()[1]}"
        result = run(command_line(vireod_program, [nsd.url()], listen=[url]))
    assert result.status == 1, result
    assert url.removeprefix("dns://") in complaint(result)


def test_address_that_is_not_ours_is_one_line_and_exit_1(vireod_program, nsd):
    result = run(command_line(vireod_program, [nsd.url()], listen=["dns://192.0.2.1:0"]))
    assert result.status == 1 and "192.0.2.1" in complaint(result), result


# --- Ready line and listeners ---


def test_ready_line_names_what_it_listens_on_and_forwards_to(start_vireod, nsd):
    vireod = start_vireod(nsd.url("udp"), nsd.url("tcp"), listen=["udp://127.0.0.1:0", "tcp://127.0.0.1:0"], workers=2)
    assert [url.rpartition(":")[0] for url in vireod.listening] == ["udp://127.0.0.1", "tcp://127.0.0.1"]
    assert all(port != 0 for _, port in map(Vireod.address_of, vireod.listening))
    assert vireod.forwarding == [nsd.url("udp"), nsd.url("tcp")]
    assert vireod.workers == 2
    assert vireod.program.stderr.count("\n") == 1


def test_ready_line_counts_one_worker_in_the_singular(start_vireod, nsd):
    vireod = start_vireod(nsd.url(), workers=1)
    assert vireod.program.stderr.endswith("; 1 worker\n")


def test_bare_address_means_dns(start_vireod, nsd):
    vireod = start_vireod(f"127.0.0.1:{nsd.port}", listen=["127.0.0.1:0"])
    assert vireod.listening[0].startswith("dns://127.0.0.1:") and vireod.forwarding == [nsd.url("dns")]
    assert vireod.ask("udp", EXAMPLE).answer and vireod.ask("tcp", EXAMPLE).answer


def test_listens_on_one_transport_when_asked(start_vireod, nsd):
    vireod = start_vireod(nsd.url(), listen=["udp://127.0.0.1:0", "tcp://127.0.0.1:0"])
    over_udp, over_tcp = map(vireod.address_of, vireod.listening)
    assert ask_udp(over_udp, EXAMPLE).answer and ask_tcp(over_tcp, EXAMPLE).answer
    if over_udp[1] != over_tcp[1]:
        with pytest.raises(ConnectionRefusedError):
            ask_tcp(over_udp, EXAMPLE)
        with pytest.raises(ConnectionRefusedError):
            ask_udp(over_tcp, EXAMPLE)


def test_listens_on_several_addresses(start_vireod, nsd):
    vireod = start_vireod(nsd.url(), listen=[ANY_PORT, ANY_PORT, "dns://127.0.0.2:0"])
    assert len(set(vireod.listening)) == 3
    for url in vireod.listening:
        assert ask_udp(vireod.address_of(url), EXAMPLE).answer and ask_tcp(vireod.address_of(url), EXAMPLE).answer


def test_listens_on_ipv6(start_vireod, nsd):
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no ::1")
    vireod = start_vireod(nsd.url(), listen=["dns://[::1]:0"])
    assert re.fullmatch(r"dns://\[::1\]:\d+", vireod.listening[0])
    assert vireod.ask("udp", EXAMPLE).answer and vireod.ask("tcp", EXAMPLE).answer


def test_answers_from_the_address_that_was_asked(start_vireod, nsd):
    vireod = start_vireod(nsd.url(), listen=["dns://0.0.0.0:0"])
    port = vireod.address[1]
    for host in ("127.0.0.1", "127.0.0.3"):  # the client's socket is connected: another source would not arrive
        assert ask_udp((host, port), EXAMPLE).answer


# --- Ends ---


def holding(gate):
    def behave(q):
        gate.wait()
        q.reply_well()

    return behave


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_with_0(start_vireod, nsd, number):
    vireod = start_vireod(nsd.url())
    assert vireod.ask("udp", EXAMPLE).answer
    assert vireod.program.stop(number) == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_idle_connections_do_not_delay_the_end(start_vireod, nsd, workers):
    vireod = start_vireod(nsd.url(), workers=workers)
    with vireod.connect() as never_used, vireod.connect() as used, vireod.connect() as half:
        used.send(EXAMPLE)
        assert used.receive().answer
        half.send_octets(b"\0")
        vireod.program.send(signal.SIGTERM)
        assert vireod.program.ends_within(10)
        assert never_used.ended() and used.ended() and half.ended()


@pytest.mark.parametrize("workers", [1, 2])
def test_queries_in_flight_get_their_answers_before_the_end(forwarding_to, gate, workers):
    vireod, upstream = forwarding_to(holding(gate), workers=workers)
    with vireod.connect() as over_tcp, vireod.datagrams() as over_udp:
        over_tcp.send(query("a.test", id=1), query("b.test", id=2))
        over_udp.send(query("c.test", id=3))
        assert upstream.wait_for_queries(3)
        vireod.program.send(signal.SIGTERM)
        assert vireod.refuses_connections()
        gate.open()
        answers = {**over_tcp.receive_many(2), 3: over_udp.receive()}
        assert [answers[id_].answer[0][0].address for id_ in (1, 2, 3)] == [GOOD] * 3
        assert over_tcp.ended()
    assert vireod.stop() == 0


def test_end_is_bounded_when_an_upstream_never_answers(forwarding_to, gate):
    vireod, upstream = forwarding_to(holding(gate))
    with vireod.connect() as client:
        client.send(query("a.test"))
        assert upstream.wait_for_queries()
        vireod.program.send(signal.SIGTERM)
        assert vireod.program.ends_within(20)
        assert client.receive().rcode() == 2


def test_queries_read_before_the_end_are_answered_though_they_are_many(forwarding_to, gate):
    """More than one connection may have in flight: the last are started after the signal."""
    vireod, upstream = forwarding_to(holding(gate), "udp")
    sent = [query(f"{number}.a", id=number) for number in range(300)]
    with vireod.connect() as client:
        client.send(*sent)
        assert upstream.wait_for_queries(256)
        vireod.program.send(signal.SIGTERM)
        assert vireod.refuses_connections()
        gate.open()
        assert client.receive_many(len(sent)).keys() == {message.id for message in sent}
        assert client.ended()
    assert vireod.stop() == 0


def test_client_that_reads_nothing_hardly_delays_the_end(start_vireod, nsd):
    vireod = start_vireod(nsd.url())
    with vireod.connect() as client:
        client.send_what_fits(framed(query("localhost")) * 500_000)
        assert vireod.ask("tcp", EXAMPLE).answer
        vireod.program.send(signal.SIGTERM)
        assert vireod.program.ends_within(6)


def test_flood_of_datagrams_does_not_delay_the_end(start_vireod, nsd):
    vireod = start_vireod(nsd.url())
    localhost = octets(query("localhost"))
    with vireod.datagrams() as client:
        vireod.program.send(signal.SIGTERM)
        end = time.monotonic() + 10
        with contextlib.suppress(ConnectionRefusedError):
            while time.monotonic() < end:
                client.send(*[localhost] * 100)
    assert vireod.program.ends_within(1)


def test_second_signal_ends_it_at_once(vireod_program, start_upstream, gate):
    upstream = start_upstream(holding(gate))
    vireod = Vireod(vireod_program, [upstream.url()])
    try:
        with vireod.connect() as client:
            client.send(query("a.test"))
            assert upstream.wait_for_queries()
            vireod.program.send(signal.SIGTERM)
            assert vireod.refuses_connections()
            vireod.program.send(signal.SIGTERM)
            assert vireod.program.ends_within(2), "an upstream's time limit is longer than this"
    finally:
        vireod.kill()


def test_port_is_free_again_after_the_end(start_vireod, nsd):
    first = start_vireod(nsd.url())
    assert first.ask("tcp", EXAMPLE).answer
    assert first.stop() == 0
    second = start_vireod(nsd.url(), listen=[f"dns://127.0.0.1:{first.address[1]}"])
    assert second.ask("tcp", EXAMPLE).answer
