"""Upstream servers that a test has in its hand: they record each query, and answer as the test wants, or not at all."""

import socket
import socketserver
import struct
import threading

import dns.message
import dns.rrset

from programs import TIME_LIMIT

GOOD = "192.0.2.1"
BAD = "192.0.2.66"  # never to reach a client


def address_record(name, address=GOOD, ttl=60):
    return dns.rrset.from_text(name, ttl, "IN", "A", address)


def response(query, *rrsets, rcode=0, flags=0):
    """An answer to a dns.message, with the RRsets in its answer section."""
    answer = dns.message.make_response(query, recursion_available=True)
    answer.set_rcode(rcode)
    answer.flags |= flags
    answer.answer.extend(rrsets)
    return answer


def good_response(query):
    return response(query, address_record(query.question[0].name))


def question_octets(wire):
    """The question of a query, as it stands in the message."""
    end = 12
    while wire[end]:
        end += wire[end] + 1
    return wire[12 : end + 5]


def raw_response(wire, data=None, rcode=0):
    """An answer to a query's octets with one record of the type asked for, or none: for data that dnspython refuses."""
    question = question_octets(wire)
    record = b"" if data is None else b"\xc0\x0c" + question[-4:] + struct.pack("!IH", 60, len(data)) + data
    return wire[:2] + struct.pack("!5H", 0x8180 | rcode, 1, data is not None, 0, 0) + question + record


class Query:
    """A query that has reached an upstream, and the ways to answer it."""

    def __init__(self, server, transport, wire, write, connection=None):
        self.server = server
        self.transport = transport
        self.wire = wire
        self._write = write
        self.connection = connection

    @property
    def message(self):
        return dns.message.from_wire(self.wire)

    @property
    def name(self):
        return self.message.question[0].name

    def send(self, wire):
        """Sends octets as a message, whatever they are."""
        self._write(wire)

    def reply(self, *rrsets, **options):
        self.send(response(self.message, *rrsets, **options).to_wire(max_size=65535))

    def reply_well(self):
        self.send(good_response(self.message).to_wire())

    def close(self):
        """Closes the TCP connection that the query came on."""
        self.connection.shutdown(socket.SHUT_RDWR)


class _Udp(socketserver.BaseRequestHandler):
    def handle(self):
        wire, listener = self.request
        upstream = self.server.upstream
        upstream.take(Query(upstream, "udp", wire, lambda out: listener.sendto(out, self.client_address)))


class _Tcp(socketserver.StreamRequestHandler):
    """Reads queries from a connection; each is handled by a thread of its own, so that answers may overtake."""

    timeout = None

    def handle(self):
        upstream, lock = self.server.upstream, threading.Lock()

        def write(out):
            with lock:
                self.request.sendall(struct.pack("!H", len(out)) + out)

        upstream.connected(self.request)
        handlers = []
        try:
            while len(prefix := self.rfile.read(2)) == 2:
                wire = self.rfile.read(struct.unpack("!H", prefix)[0])
                query = Query(upstream, "tcp", wire, write, self.request)
                handlers.append(threading.Thread(target=upstream.take, args=(query,), daemon=True))
                handlers[-1].start()
        except OSError:
            pass  # closed, by either side
        for handler in handlers:
            handler.join()


class _UdpServer(socketserver.ThreadingUDPServer):
    daemon_threads = True
    max_packet_size = 65535

    def server_bind(self):
        super().server_bind()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)  # the kernel may allow less


class _TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128


class Upstream:
    """
    Serves UDP and TCP on one port. `behave` is called with each Query, in a thread of its own, and may wait; what it
    raises makes close() fail. OSError is no failure: a program under test may close its socket when it likes.
    """

    def __init__(self, behave=Query.reply_well, port=0):
        self._behave = behave
        self._changed = threading.Condition()
        self._failures = []
        self._connections = []
        self._closed = False
        self.queries = []
        self._udp, self._tcp = self._bind(port)
        self.port = self._udp.server_address[1]
        for server in (self._udp, self._tcp):
            server.upstream = self
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()

    @staticmethod
    def _bind(port):
        for attempts_left in reversed(range(20)):
            udp = _UdpServer(("127.0.0.1", port), _Udp)
            try:
                return udp, _TcpServer(udp.server_address, _Tcp)
            except OSError:
                udp.server_close()
                if port or not attempts_left:
                    raise

    def url(self, scheme="dns"):
        return f"{scheme}://127.0.0.1:{self.port}"

    def connected(self, connection):
        with self._changed:
            self._connections.append(connection)

    @property
    def connection_count(self):
        """How many TCP connections there have been."""
        with self._changed:
            return len(self._connections)

    def take(self, query):
        with self._changed:
            self.queries.append(query)
            self._changed.notify_all()
        try:
            self._behave(query)
        except OSError:
            pass
        except Exception as failure:  # whatever a test's behaviour raises is shown when the test ends
            self._failures.append(failure)

    def wait_for_queries(self, count=1, timeout=TIME_LIMIT):
        """Waits until `count` queries have come; returns whether they have."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self.queries) >= count, timeout)
            return len(self.queries) >= count

    def close(self):
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for server in (self._udp, self._tcp):
            server.shutdown()
            server.server_close()
        for connection in self._connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        assert not self._failures, self._failures


class Gate:
    """Holds answers back until the test opens it."""

    def __init__(self):
        self._event = threading.Event()

    def open(self):
        self._event.set()

    def wait(self):
        self._event.wait(TIME_LIMIT)


class SilentPort:
    """A port that takes datagrams and connections, and never answers: the kernel accepts, nobody reads."""

    def __init__(self):
        self._tcp = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._tcp.getsockname()[1]
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))

    def url(self, scheme="dns"):
        return f"{scheme}://127.0.0.1:{self.port}"

    def close(self):
        self._tcp.close()
        self._udp.close()


class ClosedPort:
    """A port where nobody listens; a socket that is bound, and does no more, keeps it from others."""

    def __init__(self):
        self._tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._tcp.bind(("127.0.0.1", 0))
        self.port = self._tcp.getsockname()[1]

    def url(self, scheme="dns"):
        return f"{scheme}://127.0.0.1:{self.port}"

    def close(self):
        self._tcp.close()
