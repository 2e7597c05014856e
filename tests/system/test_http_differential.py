"""Odd requests through Copal to two real servers, nginx and Python's.

A seeded generator makes requests that are right, odd or wrong, and sends them
in one connection after the other, each with one more behind it that must
never be taken for a part of the first.  What each server says it was asked is
compared with what Copal logged as sent (BereqMethod, BereqURL, BereqHeader)
and with what the generator knows about the request.

COPAL_DIFFERENTIAL=N: so many requests of each seed instead of 120.
"""
import http.server
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import tempfile
import threading

import pytest
from copal import COPALLOG, LIMIT, Copald, free_port, wait_until
from raw import Cut, Reader, connect

VCL = """vcl 4.1;
backend default { .host = "127.0.0.1"; .port = "%(port)d"; }
sub vcl_recv { return (pass); }
sub vcl_backend_fetch { return (fetch); }   # GET keeps its body
"""

COUNT = int(os.environ.get("COPAL_DIFFERENTIAL", 120))


# ------------------------------------------------------------- real servers

class PythonServer:
    """http.server: answers with what it read, as JSON."""

    name = "python"
    refuses = ()    # targets that are right

    def __enter__(self):
        seen = self.seen = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def answer(self):
                if "chunked" in self.headers.get("Transfer-Encoding", ""):
                    body = b""
                    while True:
                        size = int(self.rfile.readline().split(b";")[0], 16)
                        if size == 0:
                            break
                        body += self.rfile.read(size)
                        self.rfile.readline()
                    while self.rfile.readline() not in (b"\r\n", b"\n", b""):
                        pass
                else:
                    length = int(self.headers.get("Content-Length", 0))
                    body = self.rfile.read(length)
                seen.append({
                    "method": self.command,
                    # self.path has one slash where two were sent
                    "target": self.requestline.split(" ")[1],
                    "id": self.headers.get("X-Copal"),
                    "host": self.headers.get("Host"),
                    "probe": self.headers.get("X-Probe"),
                    "body": body.decode("latin-1")})
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(b"ok")

            def __getattr__(self, name):
                if name.startswith("do_"):
                    return self.answer
                raise AttributeError(name)

        self.server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.block_on_close = False
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,),
                         daemon=True).start()
        return self

    def requests(self):
        return self.seen

    def __exit__(self, *args):
        self.server.shutdown()
        self.server.server_close()


NGINX = """
daemon off; master_process off; pid %(dir)s/pid; error_log %(dir)s/error;
events { }
http {
    log_format seen escape=json '{"method":"$request_method",'
        '"target":"$request_uri","id":"$http_x_copal","host":"$http_host",'
        '"probe":"$http_x_probe","body":"$request_body"}';
    access_log %(dir)s/seen seen;
    client_body_temp_path %(dir)s/body; proxy_temp_path %(dir)s/proxy;
    fastcgi_temp_path %(dir)s/f; uwsgi_temp_path %(dir)s/u;
    scgi_temp_path %(dir)s/s; client_body_buffer_size 64k;
    client_body_in_single_buffer on; merge_slashes off;
    underscores_in_headers on;
    server {
        listen 127.0.0.1:%(port)d;
        # a request that is passed on is one whose body was read
        location / { proxy_pass http://127.0.0.1:%(inner)d; }
    }
    server {
        listen 127.0.0.1:%(inner)d; access_log off;
        location / { return 200 ok; }
    }
}
"""


def find_nginx():
    """NGINX in the environment, build/tools, PATH; None."""
    top = pathlib.Path(__file__).resolve().parents[2]
    for path in (os.environ.get("NGINX"),
                 str(top / "build/tools/usr/sbin/nginx"),
                 shutil.which("nginx", path=os.environ["PATH"] +
                              ":/usr/sbin:/usr/local/sbin")):
        if path and os.access(path, os.X_OK):
            return path
    return None


class Nginx:
    name = "nginx"
    # a NUL, what is above the root, the server as a whole
    refuses = ("/%00", "/%2e%2e/x", "*")

    def __enter__(self):
        binary = find_nginx()
        if binary is None:
            pytest.skip("no nginx here (./autogen.sh check gets it)")
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="copal-nginx."))
        self.port = free_port()
        conf = self.dir / "conf"
        conf.write_text(NGINX % {"dir": self.dir, "port": self.port,
                                 "inner": free_port()})
        self.process = subprocess.Popen(
            [binary, "-c", conf, "-p", self.dir],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        try:
            wait_until("nginx", self.answers)
        except BaseException:
            self.__exit__()
            raise
        return self

    def answers(self):
        if self.process.poll() is not None:
            pytest.skip("nginx does not start here")
        try:
            connect(self.port).close()
            return True
        except OSError:
            return False

    def requests(self):
        text = (self.dir / "seen").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def __exit__(self, *args):
        self.process.terminate()
        self.process.wait(LIMIT)
        shutil.rmtree(self.dir, ignore_errors=True)


# ------------------------------------------------------------ the generator

class Odd:
    """
    text: the bytes.  wrong: a recipient must refuse it (or may, and Copal
    does).  method, target, host, body: what is to arrive else.
    """

    def __init__(self, rng, number, refused):
        self.rng = rng
        self.refused = refused
        self.probe = f"p{number}"
        self.wrong = False
        self.method = rng.choice(["GET", "POST", "PUT", "DELETE", "PATCH",
                                  "OPTIONS", "POST", "HEAD"])
        self.target = self.make_target(number)
        self.host = rng.choice(["a", "A.example", "a:80", "127.0.0.1",
                                "[::1]", "[::1]:8080", "a.b-c_d"])
        self.fields = [("Host", self.host), ("X-Probe", self.probe)]
        self.body = ""
        self.version = "HTTP/1.1"
        self.start_target = self.target
        framing = b""
        if self.method in ("POST", "PUT", "PATCH", "DELETE"):
            framing = self.make_body()
        for _ in range(rng.randint(0, 2)):
            self.be_odd()
        if rng.random() < 0.45:
            self.break_it()
        rng.shuffle(self.fields)
        self.text = self.head() + framing

    def make_target(self, number):
        rng = self.rng
        path = rng.choice(["/", "/a/b", "/a%20b", "/%00", "/%2e%2e/x", "//x",
                           "/a;b=c", "/~x", "/a,b", "/%C3%A9", "/:80",
                           "/x:y@z", "/a=b&c", "/$&'()*+"])
        while path in self.refused:
            path = rng.choice(["/", "/a/b"])
        query = rng.choice(["", "?", "?a=b", "?a=b&a=c", "?/../", "??",
                            "?%0d%0aX:%20y", "?x=http://b/"])
        return f"{path}{'' if path.endswith('/') else '/'}{number}{query}"

    def make_body(self):
        rng = self.rng
        smuggle = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
        self.body = rng.choice(["", "x", smuggle, "0\r\n\r\n" + smuggle,
                                "y" * rng.randint(1, 5000)])
        if rng.random() < 0.5:
            self.fields.append(("Content-Length", str(len(self.body))))
            return self.body.encode()
        self.fields.append((rng.choice(["Transfer-Encoding",
                                        "transfer-encoding"]),
                            rng.choice(["chunked", "Chunked", "chunked ",
                                        "\tchunked"])))
        return self.chunks()

    def chunks(self):
        rng, out, at = self.rng, [], 0
        body = self.body.encode()
        while at < len(body):
            n = rng.randint(1, len(body) - at)
            size = rng.choice(["%x", "%X", "0%x", "000%x"]) % n
            out.append(size.encode() + rng.choice(
                [b"", b"", b";a", b";a=b", b';a="b;\\"c"']) +
                b"\r\n" + body[at:at + n] + b"\r\n")
            at += n
        trailer = rng.choice([b"", b"", b"X-Probe: trailer\r\n",
                              b"Content-Length: 5\r\nHost: b\r\n"])
        return b"".join(out) + rng.choice([b"0", b"00"]) + b"\r\n" + \
            trailer + b"\r\n"

    def be_odd(self):
        """What is allowed."""
        rng = self.rng
        odd = rng.randrange(7)
        if odd == 0 and self.method != "OPTIONS":   # RFC 9112 3.2.2
            self.start_target = f"http://{self.host}{self.target}"
            self.fields[0] = ("Host", rng.choice(["other", self.host]))
        elif odd == 1:
            self.fields.append(("Connection", rng.choice(
                ["close", "X-Hop", "Host, X-Probe-Not", "Content-Length",
                 "keep-alive, Transfer-Encoding"])))
            self.fields.append(("X-Hop", "1"))
        elif odd == 2:
            self.fields.append(("X-Odd", " \t a \t"))
        elif odd == 3:
            self.fields.append(("X-Empty", ""))
        elif odd == 4:
            self.fields += [("X-Twice", "1"), ("x-twice", "2")]
        elif odd == 5:
            self.fields.append(("X-Forwarded-For", "1.2.3.4"))
        else:
            self.fields.append(("X-High", "\xe9\xff"))

    def break_it(self):
        """What a proxy must not pass on (RFC 9112 2.2, 3, 5, 6)."""
        rng = self.rng
        self.wrong = True
        name, value = rng.choice([
            ("Host", "b"), ("Content-Length", "5, 5"),
            ("Content-Length", "+5"), ("Content-Length", "0x5"),
            ("Content-Length", "-1"), ("Content-Length", ""),
            ("Content-Length", "99999999999999999999"),
            ("Transfer-Encoding", "identity"),
            ("Transfer-Encoding", "chunked, chunked"),
            ("Transfer-Encoding", "x, chunked"),
            ("Transfer-Encoding", "chunked;q=1"),
            ("Transfer-Encoding", "\x0bchunked"),
            ("Transfer-Encoding ", "chunked"), ("X Y", "z"), ("", "x"),
            ("X-Fold", "a\r\n b"), ("X-Nul", "a\0b"), ("X-Cr", "a\rb"),
            ("X-Lf", "a\nContent-Length: 3"), ("X(", "1"),
            (" X-Lead", "1"), ("version", "HTTP/1.1x"),
            ("target", "/a#b"), ("target", "a"), ("target", "/a b"),
            ("target", "http://u@a/"), ("target", "*"),
            ("version", "HTTP/2.0"), ("version", "http/1.1")])
        if name == "target" and value in self.refused:
            self.fields.append(("X Y", "z"))
        elif name == "target":
            self.start_target = value
            self.wrong = value != "*" or self.method != "OPTIONS"
            self.target = self.start_target
        elif name == "version":
            self.version = value
        else:
            self.fields.append((name, value))

    def head(self):
        return "".join(
            [f"{self.method} {self.start_target} {self.version}\r\n",
             *(f"{n}: {v}\r\n" for n, v in self.fields),
             "\r\n"]).encode("latin-1")

    @property
    def closes(self):
        return any(n == "Connection" and v == "close"
                   for n, v in self.fields)


def ask(port, odd):
    """The statuses of what came back until the connection ended."""
    behind = (b"GET /behind/%s HTTP/1.1\r\nHost: behind\r\nConnection: close"
              b"\r\n\r\n" % odd.probe.encode())
    statuses = []
    with connect(port) as sock:
        sock.sendall(odd.text + behind)
        reader = Reader(sock)
        try:
            while True:
                m = reader.read_response(head=odd.method == "HEAD" and
                                         not statuses)
                statuses.append(m.status)
        except Cut:
            pass
    return statuses


# ------------------------------------------------------------- the log

def logged(copal):
    """X-Copal of a request to the origin: what the log says it was."""
    out = subprocess.run(
        [COPALLOG, "-n", copal.workdir, "-d", "-b", "-g", "raw"],
        capture_output=True, timeout=LIMIT, check=True).stdout
    found = {}
    for line in out.decode("latin-1").splitlines():
        match = re.match(r"\s*(\d+) (Bereq(?:Method|URL|Header))\s+b (.*)$",
                         line)
        if not match:
            continue
        entry = found.setdefault(match[1], {"fields": {}})
        if match[2] == "BereqHeader":
            name, _, value = match[3].partition(":")
            entry["fields"].setdefault(name.lower(), value.strip())
        else:
            entry[match[2]] = match[3]
    return found


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("server", [PythonServer, Nginx],
                         ids=["python", "nginx"])
def test_servers_see_what_copal_logged(server, seed):
    rng = random.Random(seed)
    with server() as real, \
            Copald(real, "-p", "vsl_space=64m", vcl=VCL,
                   store="ram,64m") as copal:
        odds = [Odd(rng, i, server.refuses) for i in range(COUNT)]
        answers = [ask(copal.port, odd) for odd in odds]

        def all_seen():
            seen = real.requests()
            right = [o for o in odds if not o.wrong]
            behind = [r for r in seen if r["host"] == "behind"]
            return len([r for r in seen if r["probe"]]) >= len(right) and \
                len(behind) >= sum(not o.closes for o in right) and seen

        seen = wait_until("the server to have noted all", all_seen)
        log = logged(copal)
        by_probe = {}
        for r in seen:
            entry = log[r["id"]]
            assert entry["BereqMethod"] == r["method"]
            assert entry["BereqURL"] == r["target"]
            assert entry["fields"].get("host") == r["host"]
            if r["probe"]:
                assert r["probe"] not in by_probe, r
                by_probe[r["probe"]] = r
        assert not any("smuggled" in r["target"] for r in seen)
        behind = {r["target"] for r in seen if r["host"] == "behind"}
        for odd, statuses in zip(odds, answers):
            r = by_probe.get(odd.probe)
            if odd.wrong:
                assert r is None, odd.text
                assert len(statuses) <= 1, odd.text
                assert all(s in (400, 501, 505, 414, 431)
                           for s in statuses), (statuses, odd.text)
                assert f"/behind/{odd.probe}" not in behind, odd.text
                continue
            assert r is not None, (statuses, odd.text)
            assert r["method"] == odd.method
            assert r["target"] == odd.target, odd.text
            assert r["host"] == odd.host, odd.text
            assert r["body"] == odd.body, odd.text
            assert (f"/behind/{odd.probe}" in behind) == (not odd.closes), \
                odd.text
            assert len(statuses) == 2 - odd.closes, (statuses, odd.text)
