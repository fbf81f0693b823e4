"""vireod as the usual tools see it: dig, kdig and dnsperf."""

import os
import re

import pytest

import nsd as zone
from programs import find, run

PACKAGES = {"dig": "bind9-dnsutils", "kdig": "knot-dnsutils", "dnsperf": "dnsperf"}


@pytest.fixture
def tool(vireod):
    """Runs an installed tool; where it is missing the test is skipped, but not in CI."""

    def start(name, *arguments, **options):
        path = find(name)
        if not path:
            missing = f"{name} is not installed (Debian: apt-get install {PACKAGES[name]})"
            pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
        return run([path, *arguments], **options)

    return start


@pytest.fixture
def dig(tool, vireod):
    """Runs dig or kdig, which take the same arguments; gives the output."""

    def start(name, *arguments):
        result = tool(name, "@127.0.0.1", "-p", vireod.address[1], *arguments)
        assert result.status == 0, result
        assert "WARNING" not in result.stdout and "Warning" not in result.stdout, result
        return result.stdout

    return start


@pytest.mark.parametrize("name", ["dig", "kdig"])
@pytest.mark.parametrize("transport", ["+tcp", "+notcp"])
def test_dig_gets_the_addresses(dig, name, transport):
    assert sorted(dig(name, transport, "+short", "www.example.com", "A").split()) == ["192.0.2.1", "192.0.2.2"]


@pytest.mark.parametrize("name", ["dig", "kdig"])
@pytest.mark.parametrize("transport", ["+tcp", "+notcp"])
def test_dig_reads_header_question_and_opt(dig, name, transport):
    output = dig(name, transport, "+dnssec", "www.python.org", "AAAA")
    assert re.search(r"status: NOERROR", output)
    assert re.search(r"[Ff]lags: qr rd ra;", output)
    assert re.search(r"2001:db8::30", output)
    assert re.search(r"(OPT|EDNS) PSEUDOSECTION", output)


@pytest.mark.parametrize("name", ["dig", "kdig"])
def test_dig_repeats_a_cut_answer_over_tcp(dig, name):
    output = dig(name, "huge.test", "TXT")
    assert len(re.findall(r"^huge\.test\.\s+\d+\s+IN\s+TXT\s", output, re.M)) == 100


def test_dig_keeps_a_connection_open_for_more(dig):
    names = ["www.google.com", "A", "www.example.com", "AAAA", "localhost", "A"]
    output = dig("dig", "+tcp", "+keepopen", "+short", *names)
    assert output.split() == ["192.0.2.10", "2001:db8::1", "127.0.0.1"]


@pytest.mark.parametrize(
    "options, status",
    [
        (["+ednsopt=65001:6162"], "NOERROR"),
        (["+nsid"], "NOERROR"),
        (["+subnet=192.0.2.0/24"], "NOERROR"),
        (["+cookie"], "NOERROR"),
        (["+ednsflags=0x0080"], "NOERROR"),
        (["+edns=1", "+noednsneg"], "BADVERS"),
        (["+opcode=NOTIFY"], "NOTIMP"),
    ],
)
@pytest.mark.parametrize("transport", ["+tcp", "+notcp"])
def test_dig_is_content_rfc8906(tool, vireod, options, status, transport):
    result = tool("dig", "@127.0.0.1", "-p", vireod.address[1], transport, *options, "example.com", "SOA")
    assert f"status: {status}" in result.stdout, result


@pytest.fixture(scope="module")
def query_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("dnsperf") / "queries"
    path.write_text("".join(f"{zone.bulk_name(number)} A\n" for number in range(10_000)))
    return path


@pytest.mark.parametrize("mode, outstanding", [("tcp", 1000), ("udp", 100)])
def test_dnsperf_loses_none_of_ten_thousand(tool, vireod, query_file, mode, outstanding):
    where = ["-s", "127.0.0.1", "-p", vireod.address[1], "-m", mode]
    what = ["-d", query_file, "-n", "1", "-c", "4", "-q", outstanding]
    result = tool("dnsperf", *where, *what, timeout=60)
    assert result.status == 0, result
    counted = dict(re.findall(r"^\s*(Queries (?:sent|completed|lost)):\s+(\d+)", result.stdout, re.M))
    assert counted == {"Queries sent": "10000", "Queries completed": "10000", "Queries lost": "0"}, result
    assert re.search(r"Response codes:\s+NOERROR 10000 \(100\.00%\)", result.stdout), result
