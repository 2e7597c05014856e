"""Origins that misbehave, byte by byte: what clients get, and what is kept.

For each fault: the client gets an error or a response that it can see was cut
short, never a wrong one; nothing of it is stored; the connection is not used
again; and with a stale copy at hand there is no error at all.
"""
import threading

import pytest
from copal import Copald, is_sanitized, wait_until
from raw import LIMIT, Cut, RawOrigin, Reader, connect, reset, response

VCL = """vcl 4.1;
backend default {
    .host = "127.0.0.1"; .port = "%(port)d";
    .connect_timeout = 5s; .first_byte_timeout = 1s;
    .between_bytes_timeout = 1s;
}
sub vcl_recv {
    if (req.url ~ "^/pass") { return (pass); }
    if (req.url ~ "^/pipe") { return (pipe); }
}
sub vcl_backend_response {
    set beresp.grace = 1h;
    if (beresp.http.X-Short) { set beresp.ttl = 0.001s; }
    if (bereq.url ~ "whole") { set beresp.do_stream = false; }
}
sub vcl_pipe {
    if (req.http.Upgrade) {
        set bereq.http.Upgrade = req.http.Upgrade;
        set bereq.http.Connection = "Upgrade";
    }
}
"""
OK = b"HTTP/1.1 200 OK\r\n"


def endless(conn, head, piece):
    """Until the other side has enough."""
    conn.send(head)
    for _ in range((100 << 20) // len(piece)):
        conn.send(piece)


def drip(conn, text):
    """A byte now and then, until the other side has enough."""
    conn.sock.settimeout(0.2)
    for i in range(LIMIT * 5):
        conn.send(text[i % len(text):][:1])
        try:
            if conn.sock.recv(1) == b"":
                return
        except TimeoutError:
            pass


def lie(text):
    def fault(conn):
        conn.send(text)
    return fault


# what the origin does: the function, and the statuses that are right
HEADS = {
    "reset": lambda conn: conn.reset(),
    "close": lambda conn: None,
    "hang": lambda conn: conn.sock.recv(1),
    "garbage": lie(b"\x16\x03\x01\x02\x00\x01\x00" * 20),
    "garbage-line": lie(b"220 mail.example.com ESMTP\r\n\r\n"),
    "http09": lie(b"<html>hello</html>"),
    "http2": lie(b"HTTP/2 200 OK\r\n\r\n"),
    "status-line": lie(b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok"),
    "status-0": lie(b"HTTP/1.1 000 OK\r\nContent-Length: 2\r\n\r\nok"),
    "status-long": lie(b"HTTP/1.1 200 " + b"x" * 300000 +
                       b"\r\nContent-Length: 2\r\n\r\nok"),
    "status-nul": lie(b"HTTP/1.1 200 O\0K\r\nContent-Length: 2\r\n\r\nok"),
    "status-space": lie(b"HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\nok"),
    "blank-first": lie(b"\r\n" + OK + b"Content-Length: 2\r\n\r\nok"),
    "bare-lf": lie(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok"),
    "bare-cr": lie(OK + b"X: a\rContent-Length: 2\r\n\r\nok"),
    "fold": lie(OK + b"X: a\r\n b\r\nContent-Length: 2\r\n\r\nok"),
    "space-colon": lie(OK + b"Content-Length : 2\r\n\r\nok"),
    "no-colon": lie(OK + b"Content-Length 2\r\n\r\nok"),
    "nul": lie(OK + b"X: a\0b\r\nContent-Length: 2\r\n\r\nok"),
    "length-twice": lie(OK + b"Content-Length: 2\r\nContent-Length: 3"
                        b"\r\n\r\nok!"),
    "length-list": lie(OK + b"Content-Length: 2, 2\r\n\r\nok"),
    "length-minus": lie(OK + b"Content-Length: -2\r\n\r\nok"),
    "length-huge": lie(OK + b"Content-Length: 18446744073709551618"
                       b"\r\n\r\nok"),
    "length-and-coding": lie(OK + b"Content-Length: 2\r\nTransfer-Encoding: "
                             b"chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
    "coding-unknown": lie(OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n"
                          b"2\r\nok\r\n0\r\n\r\n"),
    "coding-10": lie(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                     b"2\r\nok\r\n0\r\n\r\n"),
    "101": lie(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n"
               b"Connection: upgrade\r\n\r\nok"),
    "1xx-flood": lie(b"HTTP/1.1 102 x\r\n\r\n" * 10000),
    "103-flood": lie(b"HTTP/1.1 103 x\r\nLink: </a>\r\n\r\n" * 10000),
    "many-fields": lie(OK + b"X: y\r\n" * 10000 + b"\r\n"),
    "drip-head": lambda conn: drip(conn, OK + b"X: " + b"y" * 1000),
}
BODIES = {
    "length-short": lie(OK + b"Content-Length: 10\r\n\r\nhello"),
    "chunk-cut": lie(OK + b"Transfer-Encoding: chunked\r\n\r\n9\r\nhello"),
    "chunk-no-last": lie(OK + b"Transfer-Encoding: chunked\r\n\r\n"
                         b"5\r\nhello\r\n"),
    "chunk-bad": lie(OK + b"Transfer-Encoding: chunked\r\n\r\n"
                     b"5\r\nhello\r\nzz\r\n"),
    "chunk-overrun": lie(OK + b"Transfer-Encoding: chunked\r\n\r\n"
                         b"3\r\nhello\r\n0\r\n\r\n"),
    "chunk-huge": lie(OK + b"Transfer-Encoding: chunked\r\n\r\n"
                      b"5\r\nhello\r\nffffffffffffffff\r\nx"),
    "chunk-trailer": lie(OK + b"Transfer-Encoding: chunked\r\n\r\n"
                         b"5\r\nhello\r\n0\r\nX y\r\n\r\n"),
    "chunk-hang": lambda conn: (
        conn.send(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
        conn.sock.recv(1)),
    "length-hang": lambda conn: (
        conn.send(OK + b"Content-Length: 10\r\n\r\nhello"),
        conn.sock.recv(1)),
    "reset-body": lambda conn: (
        conn.send(OK + b"Content-Length: 10\r\n\r\nhello"), conn.reset()),
    "gzip-bad": lie(OK + b"Content-Encoding: gzip\r\nContent-Length: 9\r\n"
                    b"\r\nnot gzip!"),
}
FAULTS = {**HEADS, **BODIES}


class Faulty:
    """/FAULT/...: right while good, with X-Short; then the fault."""

    def __init__(self):
        self.good = True
        self.lock = threading.Lock()
        self.faulted = set()    # connections that did wrong
        self.reused = []

    def __call__(self, origin, conn):
        while True:
            request = conn.read_request()
            if request is None:
                return
            with self.lock:
                if conn in self.faulted:
                    self.reused.append(request.start)
            fault = request.start[1].split(b"/")[-1].decode()
            if self.good or fault not in FAULTS:
                conn.send(response(b"good", b"X-Short: 1" if self.good else
                                   b"X-Now: 1"))
                continue
            with self.lock:
                self.faulted.add(conn)
            FAULTS[fault](conn)
            return


def get(port, path):
    """A whole response, or None: it was cut, and one can see it."""
    with connect(port) as sock:
        sock.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                     b"\r\n" % path.encode())
        try:
            return Reader(sock).read_response()
        except Cut:
            return None


@pytest.fixture(scope="module")
def rig():
    faulty = Faulty()
    with RawOrigin(faulty) as origin, \
            Copald(origin, vcl=VCL, store="ram,64m") as copal:
        yield faulty, origin, copal
        assert origin.malformed == []


@pytest.mark.parametrize("how", ["miss", "whole", "pass"])
@pytest.mark.parametrize("fault", FAULTS)
def test_fault_without_a_copy(rig, fault, how):
    faulty, origin, copal = rig
    faulty.good = False
    m = get(copal.port, f"/{how}/{fault}")
    if fault in HEADS or (m is not None and how == "whole"):
        assert m is not None and m.status in (502, 503, 504), m
    else:
        assert m is None or m.status in (502, 503, 504) or \
            fault == "gzip-bad" and how == "pass", (m.status, m.body)
    assert faulty.reused == []
    # nothing of it is kept: the next one is asked for, and right
    faulty.good = True
    m = get(copal.port, f"/{how}/{fault}")
    assert m.status == 200 and m.body == b"good"


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_with_a_stale_copy(rig, fault):
    faulty, origin, copal = rig
    faulty.good = True
    path = f"/stale/{fault}"
    assert get(copal.port, path).body == b"good"
    faulty.good = False
    for _ in range(3):
        m = get(copal.port, path)
        assert m.status == 200 and m.body == b"good"
    faulty.good = True
    assert faulty.reused == []


@pytest.mark.parametrize("how", ["miss", "pass"])
def test_endless_head(how):
    """100 MB of header fields."""
    def handle(origin, conn):
        if conn.read_request() is not None:
            endless(conn, OK, b"X-Field: " + b"x" * 4000 + b"\r\n")

    with RawOrigin(handle) as origin, \
            Copald(origin, vcl=VCL, store="ram,64m") as copal:
        before = copal.memory()
        assert get(copal.port, f"/{how}").status in (502, 503)
        wait_until("the origin to be stopped", lambda: not origin.socks)
        assert copal.memory() < before + (30 << 20)


@pytest.mark.parametrize("framing", ["chunked", "close"])
def test_endless_body(framing):
    """It is given to who wants it, and neither kept nor hoarded."""
    def handle(origin, conn):
        if conn.read_request() is None:
            return
        if framing == "chunked":
            endless(conn, OK + b"Transfer-Encoding: chunked\r\n\r\n",
                    b"10000\r\n" + b"x" * 65536 + b"\r\n")
        else:
            endless(conn, OK + b"\r\n", b"x" * 65536)
        reset(conn.sock)

    with RawOrigin(handle) as origin, \
            Copald(origin, vcl=VCL, store="ram,32m") as copal:
        before = copal.memory()
        assert get(copal.port, "/endless") is None
        if not is_sanitized():  # which keeps what was freed for a while
            assert copal.memory() < before + (64 << 20)
        assert copal.counter("n_object") == 0


def test_upgrade_both_ways_and_its_bytes():
    """RFC 9110 7.8: what is behind 101 is another protocol's."""
    def handle(origin, conn):
        request = conn.read_request()
        assert request.get(b"upgrade") == b"websocket"
        conn.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket"
                  b"\r\nConnection: Upgrade\r\n\r\n")
        while True:
            data = conn.buf or conn.sock.recv(65536)
            conn.buf = b""
            if not data:
                return
            conn.send(data[::-1])

    with RawOrigin(handle) as origin, \
            Copald(origin, vcl=VCL, store="ram,64m") as copal:
        with connect(copal.port) as sock:
            sock.sendall(b"GET /pipe HTTP/1.1\r\nHost: a\r\nUpgrade: "
                         b"websocket\r\nConnection: Upgrade\r\n\r\n")
            reader = Reader(sock)
            assert reader.line().startswith(b"HTTP/1.1 101 ")
            assert (b"upgrade", b"websocket") in reader.fields()
            for data in (b"GET / HTTP/1.1\r\n\r\n", b"\0\xff\r\n\n", b"x"):
                sock.sendall(data)
                assert reader.take(len(data)) == data[::-1]
        assert origin.malformed == []


def test_body_that_trickles():
    """Never idle for timeout_body, and still too slow: 408 (body_rate_min)."""
    def handle(_, conn):
        conn.read_request()
        conn.send(response(b"ok"))

    with RawOrigin(handle) as origin, \
            Copald(origin, "-p", "timeout_body=1", "-p", "body_rate_min=100",
                   vcl=VCL, store="ram,16m") as copal:
        sock = connect(copal.port)
        sock.sendall(b"POST /pass HTTP/1.1\r\nHost: a\r\n"
                     b"Content-Length: 100000\r\n\r\n")
        sock.settimeout(0.1)
        answer = b""
        for _ in range(LIMIT * 10):
            try:
                sock.send(b"x")
                answer = sock.recv(1000)
                break
            except TimeoutError:
                pass    # nothing yet
        assert answer.startswith(b"HTTP/1.1 408 "), answer
