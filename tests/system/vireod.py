"""The daemon under test."""

import re
import time
from urllib.parse import urlsplit

from client import ASK, TcpClient, UdpClient
from programs import Program

_READY = (
    r"^vireod: listening on (?P<listen>\S+(?: \S+)*); forwarding to (?P<forward>\S+(?: \S+)*); "
    r"(?P<workers>\d+) workers?$"
)

ANY_PORT = "dns://127.0.0.1:0"


def command_line(program, upstreams, listen=(ANY_PORT,), workers=1, limits=()):
    """Starts vireod; `limits` are options of prlimit(1)."""
    options = ["--workers", workers]
    for url in listen:
        options += ["--listen", url]
    for url in upstreams:
        options += ["--upstream", url]
    return [*(["prlimit", *limits] if limits else []), program, *options]


class Vireod:
    def __init__(self, program, upstreams, **options):
        self.program = Program(command_line(program, upstreams, **options))
        ready = self.program.wait_for_stderr(_READY)
        if not ready:
            self.kill()
            raise AssertionError(f"vireod did not say that it listens; stderr: {self.program.stderr!r}")
        self.listening = ready["listen"].split(" ")
        self.forwarding = ready["forward"].split(" ")
        self.workers = int(ready["workers"])
        self.address = self.address_of(self.listening[0])

    @staticmethod
    def address_of(url):
        parts = urlsplit(url)
        return (parts.hostname, parts.port)

    def url(self, scheme="dns"):
        return f"{scheme}://{self.address[0]}:{self.address[1]}"

    def ask(self, transport, message):
        return ASK[transport](self.address, message)

    def connect(self):
        return TcpClient(self.address)

    def datagrams(self):
        return UdpClient(self.address)

    def refuses_connections(self, timeout=3):
        """Waits until a new connection is refused, the daemon still running; the wait is shorter than a lookup's."""
        end = time.monotonic() + timeout
        while time.monotonic() < end and not self.program.ends_within(0.01):
            try:
                self.connect().reset()
            except ConnectionRefusedError:
                return self.program.running()
        return False

    def resident_kilobytes(self):
        with open(f"/proc/{self.program.pid}/status", encoding="ascii") as status:
            return int(re.search(r"^VmRSS:\s+(\d+) kB", status.read(), re.M)[1])

    def stop(self):
        """Ends it as an administrator does; its exit status."""
        return self.program.stop()

    def kill(self):
        self.program.process.kill()
        self.program.process.wait()
