"""Names of backends: resolved while Copal runs, again and again."""
import collections
import http.server
import json
import socket
import threading

import pytest

from copal import Copald, free_port, wait_until
from dns_server import DnsServer

# the Host header goes through, so that origins can tell it
VCL = """vcl 4.1;
backend default { .host = "%s"; %s }
sub vcl_recv { return (pass); }
"""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.server.count += 1
        body = self.server.name.encode()
        self.send_response(200)
        self.send_header("X-Host", self.headers.get("Host", ""))
        self.send_header("Content-Length", str(len(body)))
        if not self.server.keep:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)


class Server(http.server.ThreadingHTTPServer):
    """Says which address it is at."""
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(self, host, port, keep):
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), Handler)
        self.name = host
        self.port = self.server_address[1]
        self.count = 0
        self.keep = keep
        self.open = collections.deque(maxlen=1000)
        threading.Thread(target=self.serve_forever, args=(0.02,),
                         daemon=True).start()

    def get_request(self):
        connection = super().get_request()
        self.open.append(connection[0])
        return connection

    def handle_error(self, request, client_address):
        pass

    def stop(self):
        self.shutdown()
        self.server_close()
        for connection in self.open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Origins:
    """Servers at several addresses, with the same port."""

    def __init__(self):
        self.servers = []
        self.port = free_port()

    def add(self, host, port=None, keep=True):
        server = Server(host, port or self.port, keep)
        self.servers.append(server)
        return server

    def stop(self):
        for server in self.servers:
            server.stop()


@pytest.fixture
def dns():
    with DnsServer() as d:
        yield d


@pytest.fixture
def origins():
    o = Origins()
    yield o
    o.stop()


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


def copald(dns, host, rest="", *args):
    copal = Copald(None, *dns.args(), *args, store="ram,64m")
    (copal.dir / "test.vcl").write_text(VCL % (host, rest))
    copal.args += ["-f", str(copal.dir / "test.vcl")]
    return copal


def details(copal, name="boot.default"):
    return json.loads(copal.adm("backend.list", "-j", "-p"))[3][name]


def wait_addresses(copal, *addresses):
    wait_until(f"{addresses}", lambda: sorted(
        details(copal)["addresses"]) == sorted(addresses))


def test_a_name_that_does_not_resolve_yet(dns, origins):
    """The program is loaded, the backend is sick; then it is there."""
    port = origins.add("127.0.0.1").port
    with copald(dns, "late.test", f'.port = "{port}";') as copal:
        wait_until("its failure", lambda: details(copal)["dns"]["state"] ==
                   "unresolved")
        d = details(copal)
        assert d["probe_message"][2] == "sick" and d["addresses"] == []
        assert d["dns"]["name"] == "late.test" and d["dns"]["error"]
        assert copal.get("/").status == 503
        # another program with it can be loaded and used
        copal.adm("vcl.load", "again", str(copal.dir / "test.vcl"))
        assert "late.test: unresolved" in copal.adm("backend.list", "-p")
        dns.set("late.test", "127.0.0.1")
        wait_until("an answer", lambda: copal.get("/").status == 200)
        assert details(copal)["probe_message"][2] == "healthy"
        assert copal.counter("dns_failed") > 0


def test_the_first_request_waits_for_the_answer(dns, origins):
    port = origins.add("127.0.0.1").port
    dns.set("origin.test", "127.0.0.1", ttl=3600)
    with copald(dns, "origin.test", f'.port = "{port}";') as copal:
        for i in range(5):
            name = f"p{i}.test"
            dns.set(name, "127.0.0.1", ttl=3600)
            path = copal.dir / "next.vcl"
            path.write_text(VCL % (name, f'.port = "{port}";'))
            copal.adm("vcl.load", f"p{i}", str(path))
            copal.adm("vcl.use", f"p{i}")
            r = copal.get("/")
            assert r.status == 200
        # one question a name, however many programs have it
        assert dns.counts["origin.test"] == 2   # A, AAAA


def test_all_addresses_are_used(dns, origins):
    servers = [origins.add(f"127.0.0.{i}", keep=False) for i in (1, 2, 3)]
    dns.set("many.test", *(s.name for s in servers), ttl=60)
    with copald(dns, "many.test", f'.port = "{origins.port}";') as copal:
        for _ in range(30):
            assert copal.get("/").status == 200
    assert [s.count for s in servers] == [10, 10, 10]


def test_an_address_that_is_down_costs_no_request(dns, origins):
    up = origins.add("127.0.0.2", keep=False)
    dns.set("many.test", "127.0.0.1", "127.0.0.2", "127.0.0.3", ttl=60)
    with copald(dns, "many.test", f'.port = "{origins.port}";') as copal:
        for _ in range(20):
            assert copal.get("/").status == 200
    assert up.count == 20


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on loopback")
def test_both_families(dns, origins):
    four = origins.add("127.0.0.1", keep=False)
    six = origins.add("::1", keep=False)
    dns.set("both.test", "127.0.0.1", "::1", ttl=60)
    with copald(dns, "both.test", f'.port = "{origins.port}";') as copal:
        for _ in range(10):
            assert copal.get("/").status == 200
        assert four.count == six.count == 5
        six.stop()
        for _ in range(10):
            assert copal.get("/").body == b"127.0.0.1"
        dns.set("six.test", "::1", ttl=60)
        origins.add("::1", keep=False)
        (copal.dir / "six.vcl").write_text(
            VCL % ("six.test", f'.port = "{origins.port}";'))
        copal.adm("vcl.load", "six", str(copal.dir / "six.vcl"))
        copal.adm("vcl.use", "six")
        assert copal.get("/").body == b"::1"


def test_it_moves_and_the_old_place_is_closed(dns, origins):
    """Long before the TTL is up: a failed connect asks DNS again."""
    old, new = origins.add("127.0.0.1"), origins.add("127.0.0.2")
    dns.set("moves.test", "127.0.0.1", ttl=3600)
    with copald(dns, "moves.test", f'.port = "{origins.port}";') as copal:
        assert copal.get("/").body == b"127.0.0.1"
        # it is not asked twice within dns_ttl_min
        wait_until("dns_ttl_min", lambda: 0 < details(copal)["dns"]["next"] <
                   3600 - 0.05)
        dns.set("moves.test", "127.0.0.2", ttl=3600)
        old.stop()
        for _ in range(20):
            assert copal.get("/").body == b"127.0.0.2"
        assert new.count == 20
        assert details(copal)["addresses"] == [f"127.0.0.2:{origins.port}"]


def test_it_moves_and_the_old_place_still_answers(dns, origins):
    """Kept connections are no reason to stay."""
    origins.add("127.0.0.1"), origins.add("127.0.0.2")
    dns.set("moves.test", "127.0.0.1")
    with copald(dns, "moves.test", f'.port = "{origins.port}";') as copal, \
            copal.client() as client:
        assert client.get("/").body == b"127.0.0.1"
        dns.set("moves.test", "127.0.0.2")
        wait_addresses(copal, f"127.0.0.2:{origins.port}")
        for _ in range(5):
            assert client.get("/").body == b"127.0.0.2"


def test_it_moves_under_load(dns, origins):
    servers = {h: origins.add(h) for h in ("127.0.0.1", "127.0.0.2")}
    dns.set("moves.test", "127.0.0.1", ttl=0)
    statuses = collections.Counter()
    over = threading.Event()
    with copald(dns, "moves.test", f'.port = "{origins.port}";') as copal:
        def ask():
            with copal.client() as client:
                while not over.is_set():
                    statuses[client.get("/").status] += 1

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for t in threads:
            t.start()
        for host in ("127.0.0.2", "127.0.0.1", "127.0.0.2"):
            before = servers[host].count
            dns.set("moves.test", host, ttl=0)
            wait_until(f"requests at {host}",
                       lambda: servers[host].count > before + 50)
        over.set()
        for t in threads:
            t.join()
    assert list(statuses) == [200]


@pytest.mark.parametrize("mode", ["silent", "servfail", "garbage", "gone"])
def test_dns_is_down(dns, origins, mode):
    """What was known is kept."""
    origins.add("127.0.0.1")
    dns.set("origin.test", "127.0.0.1")
    with copald(dns, "origin.test", f'.port = "{origins.port}";') as copal:
        assert copal.get("/").status == 200
        if mode == "gone":
            dns.set("origin.test")
        else:
            dns.mode = mode
        wait_until("it to notice",
                   lambda: details(copal)["dns"]["state"] == "kept")
        for _ in range(5):
            assert copal.get("/").status == 200
        d = details(copal)
        assert d["addresses"] == [f"127.0.0.1:{origins.port}"]
        assert d["probe_message"][2] == "healthy"
        dns.mode = ""
        dns.set("origin.test", "127.0.0.1")
        wait_until("it to be well again",
                   lambda: details(copal)["dns"]["state"] == "resolved")


def test_ttl_is_bounded(dns, origins):
    origins.add("127.0.0.1")
    dns.set("origin.test", "127.0.0.1", ttl=3600)
    dns.set("alias.test", ("CNAME", "origin.test"), ttl=7)
    with copald(dns, "alias.test", f'.port = "{origins.port}";', "-p",
                "dns_ttl_max=20") as copal:
        assert copal.get("/").status == 200
        wait_until("an answer", lambda: details(copal)["addresses"])
        assert details(copal)["dns"]["ttl"] == 7
        (copal.dir / "o.vcl").write_text(VCL % ("origin.test", ""))
        copal.adm("vcl.load", "o", str(copal.dir / "o.vcl"))
        wait_until("an answer",
                   lambda: details(copal, "o.default")["addresses"])
        assert details(copal, "o.default")["dns"]["ttl"] == 20


def test_servers_are_changed_while_it_runs(dns, origins):
    origins.add("127.0.0.1")
    dns.set("origin.test", "127.0.0.1")
    with DnsServer() as other, \
            copald(dns, "origin.test", f'.port = "{origins.port}";') as copal:
        other.set("origin.test", "127.0.0.1")
        assert copal.get("/").status == 200
        copal.adm("param.set", "dns_servers", other.address)
        wait_until("a question", lambda: other.counts["origin.test"])
        assert copal.get("/").status == 200


def test_service(dns, origins):
    """SRV: priorities, ports, aliases; and who is meant by Host."""
    one = origins.add("127.0.0.1", free_port(), keep=False)
    two = origins.add("127.0.0.2", free_port(), keep=False)
    last = origins.add("127.0.0.3", free_port(), keep=False)
    dns.set("one.test", "127.0.0.1", ttl=60)
    dns.set("two.test", ("CNAME", "too.test"), ttl=60)
    dns.set("too.test", "127.0.0.2", ttl=60)
    dns.set("last.test", "127.0.0.3", ttl=60)
    dns.set("_http._tcp.shop.test",
            ("SRV", 10, 50, one.port, "one.test"),
            ("SRV", 10, 50, two.port, "two.test"),
            ("SRV", 20, 50, last.port, "last.test"), ttl=60)
    with copald(dns, "_http._tcp.shop.test") as copal:
        for _ in range(20):
            assert copal.get("/").status == 200
        assert (one.count, two.count, last.count) == (10, 10, 0)
        assert sorted(details(copal)["addresses"]) == [
            f"127.0.0.1:{one.port}", f"127.0.0.2:{two.port}",
            f"127.0.0.3:{last.port}"]
        one.stop()
        two.stop()
        for _ in range(5):
            assert copal.get("/").body == b"127.0.0.3"
        with socket.create_connection(("127.0.0.1", copal.port)) as s:
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            got = b"".join(iter(lambda: s.recv(4096), b""))
        assert b"X-Host: shop.test" in got


def test_service_that_is_not(dns, origins):
    dns.set("_http._tcp.no.test", ("SRV", 0, 0, 0, "."))
    with copald(dns, "_http._tcp.no.test") as copal:
        wait_until("its failure", lambda: details(copal)["dns"]["state"] ==
                   "unresolved")
        assert "no such service" in details(copal)["dns"]["error"]
        assert copal.get("/").status == 503


def test_service_with_weights(dns, origins):
    """Three of four; what is random has bounds that it keeps to."""
    one = origins.add("127.0.0.1", free_port(), keep=False)
    two = origins.add("127.0.0.2", free_port(), keep=False)
    dns.set("one.test", "127.0.0.1", ttl=60)
    dns.set("two.test", "127.0.0.2", ttl=60)
    dns.set("_http._tcp.test", ("SRV", 1, 30, one.port, "one.test"),
            ("SRV", 1, 10, two.port, "two.test"), ttl=60)
    with copald(dns, "_http._tcp.test") as copal:
        for _ in range(200):
            assert copal.get("/").status == 200
    assert 110 < one.count < 185 and one.count + two.count == 200


def test_probe_of_a_name(dns, origins):
    origins.add("127.0.0.1", keep=False)
    rest = (f'.port = "{origins.port}"; .probe = {{ .interval = 50ms; '
            '.timeout = 10s; .threshold = 1; .window = 1; }')
    with copald(dns, "probed.test", rest) as copal:
        wait_until("its failure", lambda: details(copal)["dns"]["state"] ==
                   "unresolved")
        assert details(copal)["probe_message"][2] == "sick"
        dns.set("probed.test", "127.0.0.1")
        wait_until("health", lambda: details(copal)["probe_message"][2] ==
                   "healthy")
        assert copal.get("/").status == 200


def test_backend_on_the_command_line(dns, origins):
    """-b with a name; of /etc/hosts, which DNS does not know."""
    origins.add("127.0.0.1")
    with Copald(None, *dns.args(), "-b", f"localhost:{origins.port}",
                store="ram,64m") as copal:
        assert copal.get("/").status == 200
        assert f"127.0.0.1:{origins.port}" in details(copal)["addresses"]
    with Copald(None, *dns.args(), "-b", f"b.test:{origins.port}",
                store="ram,64m") as copal:
        assert copal.get("/").status == 503
        dns.set("b.test", "127.0.0.1")
        wait_until("an answer", lambda: copal.get("/").status == 200)


def test_many_names(dns, origins):
    """A hundred backends, and programs that come and go meanwhile."""
    origins.add("127.0.0.1")
    backends = "".join(
        f'backend b{i} {{ .host = "n{i}.test"; .port = "{origins.port}"; }}\n'
        for i in range(100))
    for i in range(100):
        dns.set(f"n{i}.test", "127.0.0.1")
    with copald(dns, "n0.test", f'.port = "{origins.port}";', "-p",
                "vcc_err_unref=off") as copal:
        path = copal.dir / "many.vcl"
        path.write_text("vcl 4.1;\n" + backends)
        for i in range(3):
            copal.adm("vcl.load", f"many{i}", str(path))
            wait_until("all of them", lambda: all(
                details(copal, f"many{i}.b{j}")["addresses"]
                for j in range(100)))
            if i > 0:
                copal.adm("vcl.discard", f"many{i - 1}")
        assert copal.get("/").status == 200
