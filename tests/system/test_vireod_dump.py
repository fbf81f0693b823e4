"""SIGUSR1: vireod lists what its workers are at, and goes on."""

import re
import signal
import time

import pytest

from client import query
from faulty import GOOD
from programs import TIME_LIMIT

EXAMPLE = query("www.example.com")

_TITLE = r"^vireo: (\d+) greenlets in thread \d+ \((worker-\d+)\)$"


def lists_in(stderr):
    """The lists that are complete, by worker: the lines of the greenlets in each."""
    found = {}
    lines = stderr.splitlines()
    for at, line in enumerate(lines):
        title = re.match(_TITLE, line)
        if title and len(lines) > at + int(title[1]):
            found[title[2]] = lines[at + 1 : at + 1 + int(title[1])]
    return found


def ask_for_lists(vireod, workers=1):
    """Has the workers write their lists, and waits for all of them."""
    vireod.program.process.send_signal(signal.SIGUSR1)
    end = time.monotonic() + TIME_LIMIT
    while len(lists_in(vireod.program.stderr)) < workers:
        assert time.monotonic() < end and not vireod.program.ends_within(0.01), vireod.program.stderr
    return lists_in(vireod.program.stderr)


def holding(gate):
    def behave(q):
        gate.wait()
        q.reply_well()

    return behave


@pytest.mark.parametrize("workers", [1, 3])
def test_every_worker_lists_its_greenlets(start_vireod, nsd, workers):
    vireod = start_vireod(nsd.url(), workers=workers)
    found = ask_for_lists(vireod, workers)
    assert sorted(found) == [f"worker-{n}" for n in range(1, workers + 1)]
    for lines in found.values():
        assert any(re.match(r"  main +waiting +fd \d+ to be readable +for .+ \(main\)$", line) for line in lines)
        assert any(re.match(r"  hub +running .+ \d+ of \d+ KiB +\(hub\)$", line) for line in lines)
        readers = [line for line in lines if re.search(r" server/udp_service\.c:\d+$", line)]
        assert any(re.search(r" waiting +fd \d+ to be readable ", line) for line in readers)
    assert vireod.ask("udp", EXAMPLE).answer and vireod.ask("tcp", EXAMPLE).answer


def test_lookups_and_connections_are_listed(forwarding_to, gate):
    vireod, upstream = forwarding_to(holding(gate))
    with vireod.connect() as client:
        client.send(query("a.test", id=1), query("b.test", id=2))
        assert upstream.wait_for_queries(2)
        lines = ask_for_lists(vireod)["worker-1"]
        assert len([line for line in lines if re.search(r" waiting .+ server/session\.c:\d+$", line)]) >= 2
        gate.open()
        answers = client.receive_many(2)
        assert [answers[id_].answer[0][0].address for id_ in (1, 2)] == [GOOD] * 2


def test_signal_while_it_drains_is_harmless(forwarding_to, gate):
    vireod, upstream = forwarding_to(holding(gate))
    with vireod.connect() as client:
        client.send(query("a.test"))
        assert upstream.wait_for_queries()
        vireod.program.send(signal.SIGTERM)
        assert vireod.refuses_connections()
        assert ask_for_lists(vireod)["worker-1"]
        gate.open()
        assert client.receive().answer
    assert vireod.stop() == 0
