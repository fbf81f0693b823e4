"""The example programs: what they print, and that valgrind finds nothing in them."""

import os
import time

import pytest

from programs import environment, find, run

EXPECTED = {
    "switch": ["12", "56", "34"],
    "grep": ["Looking for python", "A python sleeps in the sun.", "Goodbye"],
    "spawn_join": [
        *(f"job {job}: ready false" for job in range(3)),
        *(f"squaring {number}" for number in (2, 3, 4)),
        *(f"job {job}: ready true, value {value}" for job, value in enumerate((4, 9, 16))),
    ],
    "resolve": ["www.google.com 192.0.2.10", "www.example.com 192.0.2.1", "www.python.org 192.0.2.30"],
}
NAMES = [line.split()[0] for line in EXPECTED["resolve"]]


def valgrind():
    """A command line that finds errors and leaks; needs a build that tells valgrind about the greenlets' stacks."""
    program = find("valgrind")
    if not program:
        pytest.skip("valgrind is not installed (Debian: apt-get install valgrind)")
    if os.environ.get("VIREO_VALGRIND") != "1":
        pytest.skip("not built with VIREO_VALGRIND=ON")
    return [program, "--quiet", "--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=definite,possible"]


@pytest.fixture(params=["alone", "under valgrind"])
def example(request, examples_dir):
    """Runs an example whose resolver is the URL given."""
    wrapper = valgrind() if request.param == "under valgrind" else []

    def start(name, resolver):
        result = run([*wrapper, os.path.join(examples_dir, name)], env=environment(VIREO_RESOLVERS=resolver))
        assert result.status == 0 and result.stderr == "", result
        return result

    return start


@pytest.mark.parametrize("name", EXPECTED)
def test_example_prints_what_it_promises(example, nsd, name):
    assert example(name, nsd.url("udp")).lines == EXPECTED[name]


def test_resolve_gives_up_after_two_seconds(example, silent_port):
    begin = time.monotonic()
    result = example("resolve", silent_port.url())
    assert result.lines == [f"{name} timed out" for name in NAMES]
    assert 1.9 <= time.monotonic() - begin < 15


def test_resolve_says_why_it_failed(example, closed_port):
    result = example("resolve", closed_port.url("tcp"))
    for line, name in zip(result.lines, NAMES, strict=True):
        assert line.startswith(f"{name} ") and not line.endswith(" timed out") and "192.0.2" not in line
