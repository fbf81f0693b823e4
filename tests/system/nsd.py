"""A real authoritative server for the tests: NSD, with a root zone of ours, on a free port of the loopback."""

import socket

import dns.exception
import dns.message
import dns.query

from programs import TIME_LIMIT, Program, find

BULK_COUNT = 100_000

# One record of nearly every type in use, in presentation format, at the name <type>.types.test.
TYPES = {
    "A": "192.0.2.1",
    "AAAA": "2001:db8::1",
    "AFSDB": "1 afs.test.",
    "CAA": '0 issue "ca.test; account=1"',
    "CDNSKEY": "257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==",
    "CDS": "60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118",
    "CERT": "1 12345 8 MFUZN2JZ",
    "DHCID": "AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=",
    "DNSKEY": "257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==",
    "DS": "60485 8 2 D4B7D520E7BB5F0F67674A0CCEB1E3E0614B93C4F9E99B8383F6A1E4469DA50A",
    "EUI48": "00-00-5e-00-53-2a",
    "HINFO": '"PC" "Linux \\"x\\""',
    "HTTPS": "1 . alpn=h2,h3 ipv4hint=192.0.2.1",
    "KX": "10 kx.test.",
    "LOC": "51 30 12.748 N 0 7 39.612 W 0.00m 0.00m 0.00m 0.00m",
    "MX": "10 mail.test.",
    "NAPTR": '100 50 "s" "z3950+I2L+I2C" "" _z3950._tcp.test.',
    "OPENPGPKEY": "mQENBFZ2Y3YBCAC0",
    "PTR": "host.test.",
    "RP": "admin.test. text.test.",
    "SMIMEA": "3 1 1 0B9FA5A59EED715C26C1020C711B4F6EC42D58B0015E14337A39DAD301C5AFC3",
    "SRV": "1 2 443 service.test.",
    "SSHFP": "1 1 AB9FA5A59EED715C26C1020C711B4F6EC42D58B0",
    "SVCB": "16 svc.test. port=8443 alpn=h2",
    "TLSA": "3 1 1 0B9FA5A59EED715C26C1020C711B4F6EC42D58B0015E14337A39DAD301C5AFC3",
    "TXT": '"plain" "with \\"quotes\\"; and \\\\ and \\009\\200"',
    "TYPE65280": "\\# 5 0A00FF0001",
    "URI": '10 1 "ftp://ftp.test/public"',
}

_ZONE = r"""
$ORIGIN .
$TTL 3600
@ SOA ns.test. hostmaster.test. 2026112401 3600 600 86400 300
@ NS ns.test.
ns.test. A 127.0.0.1
www.google.com. 300 A 192.0.2.10
www.google.com. 300 AAAA 2001:db8::10
www.example.com. 60 A 192.0.2.1
www.example.com. 60 A 192.0.2.2
www.example.com. AAAA 2001:db8::1
www.python.org. CNAME edge.python.map.test.
edge.python.map.test. CNAME Host.Fastly.test.
host.fastly.test. A 192.0.2.30
host.fastly.test. AAAA 2001:db8::30
example.com. MX 10 mail.example.com.
example.com. MX 20 mail2.example.com.
example.com. TXT "v=spf1 -all"
mail.example.com. A 192.0.2.25
mail2.example.com. A 192.0.2.26
MiXeD.CaSe.test. A 192.0.2.40
dot\.in\.label.test. A 192.0.2.41
nul\000octet.test. A 192.0.2.42
with\032space.test. A 192.0.2.43
high\255octet.test. A 192.0.2.44
xn--bcher-kva.example. A 192.0.2.45
*.wild.test. A 192.0.2.46
alias.test. DNAME target.test.
www.target.test. A 192.0.2.47
loop-a.test. CNAME loop-b.test.
loop-b.test. CNAME loop-a.test.
1.2.0.192.in-addr.arpa. PTR www.example.com.
1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR www.example.com.
"""

_CONFIGURATION = """
server:
  ip-address: 127.0.0.1@{port}
  username: ""
  zonesdir: "{directory}"
  database: ""
  pidfile: "{directory}/nsd.pid"
  xfrdfile: "{directory}/xfrd.state"
  zonelistfile: "{directory}/zone.list"
  logfile: "{directory}/nsd.log"
  server-count: 1
  tcp-count: 500
  rrl-ratelimit: 0
  verbosity: 0
remote-control:
  control-enable: no
zone:
  name: "."
  zonefile: root.zone
"""


def bulk_name(number):
    return f"n{number}.bulk.test."


def bulk_address(number):
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def _text_rrset(name, count, octets):
    return [f'{name} TXT "{number:05} {"x" * (octets - 6)}"' for number in range(count)]


def zone():
    """The zone's text: the names above, large RRsets, one name per type, and the bulk names."""
    lines = [_ZONE]
    lines += [f"{type_.lower()}.types.test. {type_} {data}" for type_, data in TYPES.items()]
    lines += [f"many.test. A 192.0.2.{number}" for number in range(1, 51)]  # 800 octets and more
    lines += _text_rrset("big.test.", 30, 200)  # over 4096 octets
    lines += _text_rrset("huge.test.", 100, 200)  # over 20,000 octets
    lines += [f"long-alias.test. CNAME {'l' * 63}.test.", *_text_rrset(f"{'l' * 63}.test.", 4, 250)]
    lines += [f"{bulk_name(number)} A {bulk_address(number)}" for number in range(BULK_COUNT)]
    return "\n".join(lines) + "\n"


def free_port():
    """A port of the loopback that is free for UDP and TCP now. Whoever uses it must be ready to find it taken."""
    while True:
        with socket.socket(type=socket.SOCK_STREAM) as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port = tcp.getsockname()[1]
            try:
                udp.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Nsd:
    def __init__(self, directory):
        program = find("nsd")
        assert program, "nsd is not installed (Debian: apt-get install nsd)"
        (directory / "root.zone").write_text(zone())
        for _ in range(5):  # another process may take the port before NSD does
            self.port = free_port()
            configuration = directory / "nsd.conf"
            configuration.write_text(_CONFIGURATION.format(port=self.port, directory=directory))
            self.program = Program([program, "-d", "-c", configuration])
            if self._answers():
                return
            self.stop()
        log = directory / "nsd.log"
        raise AssertionError(f"NSD did not start\n{self.program.stderr}\n{log.read_text() if log.exists() else ''}")

    @property
    def address(self):
        return ("127.0.0.1", self.port)

    def url(self, scheme="dns"):
        return f"{scheme}://127.0.0.1:{self.port}"

    def _answers(self):
        """Waits until NSD answers; False when it ended instead."""
        probe = dns.message.make_query(".", "SOA")
        pause = 0.02
        while not self.program.ends_within(pause):
            try:
                if dns.query.udp(probe, "127.0.0.1", timeout=1, port=self.port).answer:
                    return True
            except (OSError, dns.exception.DNSException):
                pause = min(pause * 2, 0.5)
        return False

    def ask(self, name, type_="A", **options):
        """The whole answer as the zone has it: over TCP, straight from NSD."""
        query = dns.message.make_query(name, type_, **options)
        return dns.query.tcp(query, "127.0.0.1", timeout=TIME_LIMIT, port=self.port)

    def stop(self):
        self.program.stop()
