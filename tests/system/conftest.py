"""What the system tests share: the programs under test, a name server of our own, daemons, upstreams with faults."""

import contextlib
import os

import pytest

try:
    import dns.version
except ImportError:
    pytest.exit("dnspython is not installed (Debian: apt-get install python3-dnspython)", returncode=4)

pytest.register_assert_rewrite("client", "faulty", "nsd", "programs", "records", "vireod")

from faulty import ClosedPort, Gate, SilentPort, Upstream
from nsd import Nsd
from programs import run
from vireod import Vireod


def _path_from_environment(variable):
    path = os.environ.get(variable)
    assert path, f"set {variable} to the path of what is to be tested"
    assert os.path.exists(path), f"{variable}={path}: no such file"
    return path


@pytest.fixture(scope="session")
def vireod_program():
    return _path_from_environment("VIREOD")


@pytest.fixture(scope="session")
def vireo_program():
    return _path_from_environment("VIREO")


@pytest.fixture(scope="session")
def examples_dir():
    return _path_from_environment("VIREO_EXAMPLES_DIR")


@pytest.fixture(scope="session")
def nsd(tmp_path_factory):
    server = Nsd(tmp_path_factory.mktemp("nsd"))
    yield server
    server.stop()


@pytest.fixture(params=["udp", "tcp"])
def transport(request):
    return request.param


def _end(daemon):
    print(f"stderr of vireod {daemon.url()}:\n{daemon.program.stderr}")
    status = daemon.stop()
    assert status == 0, f"vireod ended with {status}; stderr:\n{daemon.program.stderr}"


@pytest.fixture(scope="module")
def vireod(vireod_program, nsd):
    """A daemon that forwards to NSD, for all tests of a file that leave it as it was."""
    daemon = Vireod(vireod_program, [nsd.url()])
    yield daemon
    _end(daemon)


def _factory(make, end):
    """A fixture's body: it gives a factory, and ends all that was made, last first, whatever fails."""
    with contextlib.ExitStack() as made:

        def start(*arguments, **options):
            thing = make(*arguments, **options)
            made.callback(end, thing)
            return thing

        yield start


@pytest.fixture
def start_upstream():
    yield from _factory(Upstream, Upstream.close)


@pytest.fixture
def silent_port():
    with contextlib.closing(SilentPort()) as port:
        yield port


@pytest.fixture
def closed_port():
    with contextlib.closing(ClosedPort()) as port:
        yield port


@pytest.fixture
def start_vireod(vireod_program):
    """Starts a daemon, given its upstreams' URLs; it must end well."""
    yield from _factory(lambda *upstreams, **options: Vireod(vireod_program, upstreams, **options), _end)


@pytest.fixture
def forwarding_to(start_upstream, start_vireod):
    """A daemon with one upstream that behaves as the test wants: both of them."""

    def start(behave, scheme="dns", **options):
        upstream = start_upstream(behave)
        return start_vireod(upstream.url(scheme), **options), upstream

    return start


@pytest.fixture
def gate(forwarding_to):
    """Opened at the latest when the test ends, before the daemons end, so that nothing waits behind it."""
    barrier = Gate()
    yield barrier
    barrier.open()


@pytest.fixture
def vireo(vireo_program, nsd):
    """Runs vireo with NSD as its resolver."""

    def start(*arguments, **options):
        return run([vireo_program, "-r", nsd.url(), *arguments], **options)

    return start


@pytest.fixture
def vireo_with(vireo_program):
    """Runs vireo with other resolvers."""

    def start(resolvers, *arguments, **options):
        chosen = [word for resolver in resolvers for word in ("-r", resolver)]
        return run([vireo_program, *chosen, *arguments], **options)

    return start
