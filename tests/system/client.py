"""A DNS client that sends exactly the octets a test wants, over UDP and TCP."""

import contextlib
import random
import select
import socket
import struct

import dns.flags
import dns.message
import dns.name
import dns.rdatatype

from programs import TIME_LIMIT

OPT_ROOT = b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0)  # a plain OPT record (RFC 6891 section 6.1.2)


def query(name, type_="A", rdclass="IN", flags=dns.flags.RD, **options):
    """A query; the options are dns.message.make_query's: use_edns, payload, want_dnssec, options."""
    return dns.message.make_query(name, type_, rdclass, flags=flags, **options)


def octets(message):
    """The wire format of a dns.message; octets stay what they are."""
    return message if isinstance(message, bytes) else message.to_wire()


def header(id_=None, flags=dns.flags.RD, counts=(1, 0, 0, 0)):
    """A message's header (RFC 1035 section 4.1.1), true or not."""
    return struct.pack("!6H", random.getrandbits(16) if id_ is None else id_, flags, *counts)


def question(name, type_="A", class_=1):
    return dns.name.from_text(name).to_wire() + struct.pack("!HH", dns.rdatatype.from_text(type_), class_)


def id_of(message):
    return struct.unpack_from("!H", octets(message))[0]


def framed(message):
    """A message behind its length (RFC 1035 section 4.2.2)."""
    wire = octets(message)
    return struct.pack("!H", len(wire)) + wire


def parse(wire):
    """
    A message, read strictly. dnspython takes a TC bit for what it is; octets behind the end, or a broken record, fail
    the test.
    """
    return dns.message.from_wire(wire)


class UdpClient:
    def __init__(self, address):
        self._socket = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(TIME_LIMIT)
        self._socket.connect(address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def send(self, *messages):
        for message in messages:
            self._socket.send(octets(message))

    def receive_octets(self):
        return self._socket.recv(65535)

    def receive(self):
        return parse(self.receive_octets())

    def waiting(self):
        """The datagrams that are there already."""
        while select.select([self._socket], [], [], 0)[0]:
            yield self._socket.recv(65535)


class TcpClient:
    def __init__(self, address, timeout=TIME_LIMIT):
        self._socket = socket.create_connection(address, timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._read = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def send(self, *messages):
        self.send_octets(b"".join(map(framed, messages)))

    def send_octets(self, *pieces):
        """Sends each piece with a system call of its own."""
        for piece in pieces:
            self._socket.sendall(piece)

    def send_what_fits(self, wire):
        """Sends until the other side stops reading; returns how many octets that were."""
        self._socket.setblocking(False)
        sent = 0
        try:
            while sent < len(wire):
                sent += self._socket.send(wire[sent : sent + 65536])
        except BlockingIOError:
            pass
        finally:
            self._socket.settimeout(TIME_LIMIT)
        return sent

    def finish_sending(self):
        with contextlib.suppress(OSError):  # the other side may have closed the connection already
            self._socket.shutdown(socket.SHUT_WR)

    def reset(self):
        """Closes at once, with RST."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def receive_segment(self):
        """What one read gives."""
        return self._socket.recv(65535)

    def _fill(self, count):
        while len(self._read) < count:
            try:
                more = self._socket.recv(1 << 20)
            except ConnectionResetError:
                more = b""
            if not more:
                return False
            self._read += more
        return True

    def next_octets(self):
        """The next message's octets; None when the connection ends."""
        if not self._fill(2):
            assert not self._read, "the connection ended inside a length"
            return None
        end = 2 + struct.unpack_from("!H", self._read)[0]
        assert self._fill(end), "the connection ended inside a message"
        wire, self._read = self._read[2:end], self._read[end:]
        return wire

    def receive_octets(self):
        wire = self.next_octets()
        assert wire is not None, "the connection ended, and an answer is missing"
        return wire

    def receive(self):
        return parse(self.receive_octets())

    def receive_many(self, count):
        """So many answers, by their ids."""
        answers = {}
        for _ in range(count):
            answer = self.receive()
            assert answer.id not in answers, f"two answers with id {answer.id}"
            answers[answer.id] = answer
        return answers

    def ended(self):
        """Waits for the end of the connection: True when it comes with no further octets."""
        return not self._fill(1)


def ask_udp(address, message):
    with UdpClient(address) as client:
        client.send(message)
        return client.receive()


def ask_tcp(address, message):
    with TcpClient(address) as client:
        client.send(message)
        return client.receive()


ASK = {"udp": ask_udp, "tcp": ask_tcp}
