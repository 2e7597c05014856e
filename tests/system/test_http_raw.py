"""HTTP/1 in any pieces and of any length: splits, cuts, resets, slow peers.

What scripts with one client and one origin can't do: every byte position, many
connections at once, and no descriptor left behind.
"""
import random
import re
import socket
import threading

import pytest
from copal import Copald, is_sanitized, wait_until
from raw import (LIMIT, RawOrigin, Reader, connect, echo, reset,
                 response)

VCL = """vcl 4.1;
backend default { .host = "127.0.0.1"; .port = "%(port)d"; }
sub vcl_recv {
    if (req.url ~ "^/pass") { return (pass); }
    if (req.url ~ "^/pipe") { return (pipe); }
}
"""


def copald(origin, *args):
    return Copald(origin, *args, vcl=VCL, store="ram,64m")


def rest(sock):
    """What comes until the end: (bytes, whether it was a reset)"""
    data = []
    try:
        while True:
            piece = sock.recv(262144)
            if not piece:
                return b"".join(data), False
            data.append(piece)
    except ConnectionError:
        return b"".join(data), True


@pytest.fixture
def settled():
    """check(copal, origin): all is closed again; begin(copal) before."""
    class Settled:
        def begin(self, copal, origin):
            with connect(copal.port) as s:      # whatever is opened once
                s.sendall(b"GET /pass HTTP/1.0\r\nHost: a\r\n\r\n")
                rest(s)
            self.worker = copal.worker
            self.fds = self.count(copal, origin)

        def count(self, copal, origin):
            origin.hang_up()
            wait_until("connections to close",
                       lambda: copal.counter("sess_open") == 0)
            wait_until("origin connections to close",
                       lambda: not origin.socks)
            return copal.fds()

        def check(self, copal, origin):
            assert copal.worker == self.worker, copal.log
            wait_until("descriptors to be given back",
                       lambda: self.count(copal, origin) <= self.fds)
            assert origin.malformed == []
            with connect(copal.port) as s:
                s.sendall(b"GET /pass HTTP/1.0\r\nHost: a\r\n\r\n")
                assert rest(s)[0].startswith(b"HTTP/1.1 200 ")
    return Settled()


# ------------------------------------------------------------------ splits

PIPELINE = (
    b"GET /hit HTTP/1.1\r\nHost: a\r\nX-Long: " + b"x" * 40 + b"\r\n\r\n"
    b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
    b"\r\nGET /hit HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
    b"POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5;a=\"b\"\r\nhello\r\n01\r\n!\r\n0\r\nTrailer: x\r\n\r\n"
    b"HEAD /hit HTTP/1.1\r\nHost: a\r\n\r\n"
    b"GET http://a/hit HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n")
ANSWERS = [b"GET /hit ", b"POST /1 hello", b"GET /hit ", b"POST /2 hello!",
           None, b"GET /hit "]


def check_answers(sock):
    reader = Reader(sock)
    for want in ANSWERS:
        m = reader.read_response(head=want is None)
        assert m.status == 200
        assert want is None or m.body == want
    assert reader.rest() == b""


def send_in_rounds(copal, splits):
    """
    Each list of splits is a connection that sends PIPELINE in these pieces;
    all send a piece before any sends its next, so that the pieces arrive
    apart.
    """
    socks = [connect(copal.port) for _ in splits]
    edges = [[0, *s, len(PIPELINE)] for s in splits]
    for i in range(max(map(len, edges)) - 1):
        for sock, edge in zip(socks, edges):
            if i + 1 < len(edge):
                sock.sendall(PIPELINE[edge[i]:edge[i + 1]])
    for sock in socks:
        with sock:
            check_answers(sock)


def test_requests_split_at_every_byte(settled):
    with RawOrigin(echo) as origin, copald(origin) as copal:
        settled.begin(copal, origin)
        send_in_rounds(copal, [[i] for i in range(1, len(PIPELINE))])
        settled.check(copal, origin)


def test_requests_in_random_pieces(settled):
    rng = random.Random(2)
    with RawOrigin(echo) as origin, copald(origin) as copal:
        settled.begin(copal, origin)
        send_in_rounds(copal, [
            sorted(rng.sample(range(1, len(PIPELINE)), rng.randint(2, 40)))
            for _ in range(150)])
        send_in_rounds(copal, [range(1, len(PIPELINE))] * 3)
        settled.check(copal, origin)


# kind of framing: the bytes
RESPONSES = {
    b"length": response(b"hello world", b"X-Y: z"),
    b"chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: t\r\n\r\n",
    b"interim": b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" +
    response(b"hello world"),
    b"close": b"HTTP/1.0 200 OK\r\nX-Y: z\r\n\r\nhello world",
}


class Rounds:
    """An origin whose connections send their pieces in turns."""

    def __init__(self, n):
        self.barrier = threading.Barrier(n)

    def __call__(self, origin, conn):
        while True:
            request = conn.read_request()
            if request is None:
                return
            parts = request.start[1].split(b"/")
            if len(parts) < 4:
                conn.send(response(b""))
                continue
            kind, at = parts[2], int(parts[3])
            text = RESPONSES[kind]
            self.barrier.wait(LIMIT)
            conn.send(text[:at])
            self.barrier.wait(LIMIT)
            conn.send(text[at:])
            if kind == b"close":
                return


@pytest.mark.parametrize("kind", RESPONSES, ids=bytes.decode)
def test_responses_split_at_every_byte(kind, settled):
    n = len(RESPONSES[kind])
    with RawOrigin(Rounds(n)) as origin, copald(origin) as copal:
        settled.begin(copal, origin)
        socks = [connect(copal.port) for _ in range(n)]
        for i, sock in enumerate(socks):
            sock.sendall(b"GET /%s/%s/%d HTTP/1.1\r\nHost: a\r\n"
                         b"Connection: close\r\n\r\n" %
                         (b"pass" if i % 2 else b"miss", kind, i))
        for sock in socks:
            with sock:
                m = Reader(sock).read_response()
                assert m.status == 200
                assert m.body == b"hello world"
        settled.check(copal, origin)


# -------------------------------------------------------------------- cuts

def cut_short(origin, conn):
    """/how/kind/N: the first N bytes of a response, then the end."""
    while True:
        request = conn.read_request()
        if request is None:
            return
        parts = request.start[1].split(b"/")
        if len(parts) < 4:
            conn.send(response(b""))
            continue
        with origin.lock:
            again = request.start[1] in [r.start[1] for r in origin.complete]
        origin.note(request)
        if again:
            conn.send(response(b"whole"))
            return
        conn.send(RESPONSES[parts[2]][:int(parts[3])])
        if parts[2] == b"close":
            conn.reset()
        return


def is_whole(data, version):
    """Would a client take this for a complete response with the body?"""
    head, _, body = data.partition(b"\r\n\r\n")
    if b"content-length" in head.lower():
        return body == b"hello world"
    if b"chunked" in head.lower():
        return data.endswith(b"0\r\n\r\n")
    return version == b"1.0" and head != b""


@pytest.mark.parametrize("version", [b"1.0", b"1.1"], ids=bytes.decode)
@pytest.mark.parametrize("kind", RESPONSES, ids=bytes.decode)
def test_responses_cut_at_every_byte(kind, version, settled):
    text = RESPONSES[kind]
    # that one is ended by a reset: no part of it is whole
    n = len(text) + (kind == b"close")
    with RawOrigin(cut_short) as origin, copald(origin) as copal:
        settled.begin(copal, origin)
        for i in range(n):
            request = (b"GET /miss/%s/%d HTTP/%s\r\nHost: a\r\n"
                       b"Connection: close\r\n\r\n" % (kind, i, version))
            with connect(copal.port) as sock:
                sock.sendall(request)
                data, was_reset = rest(sock)
            data = re.sub(rb"\AHTTP/1\.1 103 .*?\r\n\r\n", b"", data,
                          flags=re.S)   # relayed
            if data.startswith(b"HTTP/1.1 200"):
                assert was_reset or not is_whole(data, version), data
            else:   # nothing: cut before the first byte of the body
                assert not data or re.match(rb"HTTP/1.1 50[23] ", data), data
            # and nothing of it was kept
            with connect(copal.port) as sock:
                sock.sendall(request)
                assert rest(sock)[0].endswith(b"whole"), i
        settled.check(copal, origin)


UPLOADS = [
    b"POST /pass/cut HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n"
    b"hello world",
    b"POST /pass/cut HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
    b"\r\n5\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: x\r\n\r\n",
]


@pytest.mark.parametrize("how", ["end", "half", "reset"])
@pytest.mark.parametrize("upload", UPLOADS, ids=["length", "chunked"])
def test_requests_cut_at_every_byte(upload, how, settled):
    with RawOrigin(echo) as origin, copald(origin) as copal:
        settled.begin(copal, origin)
        for i in range(len(upload)):
            with connect(copal.port) as sock:
                sock.sendall(upload[:i])
                if how == "half":
                    sock.shutdown(socket.SHUT_WR)
                    data, _ = rest(sock)
                    assert not data or data.startswith(b"HTTP/1.1 400"), data
                elif how == "reset":
                    reset(sock)
        settled.check(copal, origin)
        assert [r for r in origin.complete
                if r.start[1] == b"/pass/cut"] == []
        with connect(copal.port) as sock:
            sock.sendall(upload)
            m = Reader(sock).read_response()
            assert m.body == b"POST /pass/cut hello world"


# ------------------------------------------------------------------- peers

LARGE = 8 << 20     # more than the 4 MiB that a socket takes


def large(origin, conn):
    """Answers N bytes, in pieces if the path says so, and slowly."""
    while True:
        request = conn.read_request()
        if request is None:
            return
        origin.note(request)
        path = request.start[1]
        if b"large" not in path:
            conn.send(response(b""))
            continue
        body = random.Random(5).randbytes(LARGE)
        if b"chunked" not in path:
            conn.send(response(body))
            continue
        conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for at in range(0, LARGE, 100003):
            piece = body[at:at + 100003]
            conn.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        conn.send(b"0\r\n\r\n")


@pytest.mark.parametrize("kind", [b"length", b"chunked"], ids=bytes.decode)
@pytest.mark.parametrize("how", [b"pass", b"miss"], ids=bytes.decode)
def test_large_bodies_both_ways(kind, how, settled):
    upload = random.Random(4).randbytes(LARGE)
    with RawOrigin(large) as origin, copald(origin) as copal:
        settled.begin(copal, origin)
        for turn in range(2):
            with connect(copal.port, receive_buffer=4096) as sock:
                reader = Reader(sock)
                head = b"POST /pass/large/%s HTTP/1.1\r\nHost: a\r\n" % kind
                if how == b"miss":
                    sock.sendall(b"GET /large/%s HTTP/1.1\r\nHost: a\r\n\r\n"
                                 % kind)
                elif kind == b"length":
                    sock.sendall(head + b"Content-Length: %d\r\n\r\n" % LARGE +
                                 upload)
                else:
                    sock.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
                    for at in range(0, LARGE, 70001):
                        piece = upload[at:at + 70001]
                        sock.sendall(b"%X\r\n%s\r\n" % (len(piece), piece))
                    sock.sendall(b"0\r\n\r\n")
                m = reader.read_response()
                assert m.status == 200
                assert m.body == random.Random(5).randbytes(LARGE)
        if how == b"pass":
            assert all(r.body == upload for r in origin.complete
                       if r.start[0] == b"POST")
        settled.check(copal, origin)


def test_pass_waits_for_a_slow_client():
    """Neither end's slowness ends in memory of ours."""
    sent = []

    def handle(origin, conn):
        conn.read_request()
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" %
                  (64 << 20))
        conn.sock.settimeout(1)
        try:
            for _ in range(64):
                conn.send(b"x" * (1 << 20))
                sent.append(1)
        except TimeoutError:
            pass

    with RawOrigin(handle) as origin, copald(origin) as copal:
        with connect(copal.port, receive_buffer=4096) as sock:
            sock.sendall(b"GET /pass HTTP/1.1\r\nHost: a\r\n\r\n")
            wait_until("the origin to be stopped", lambda: not origin.socks)
            assert len(sent) < 32   # what kernel buffers take, and the window


def test_client_that_reads_nothing_is_given_up():
    with RawOrigin(large) as origin, \
            copald(origin, "-p", "idle_send_timeout=0.5") as copal:
        for n, path in enumerate((b"/pass/large", b"/large"), 1):
            with connect(copal.port, receive_buffer=4096) as sock:
                sock.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path)
                wait_until("the connection to be closed",
                           lambda: copal.counter("sess_conn") == n and
                           copal.counter("sess_open") == 0)
                data, was_reset = rest(sock)
                assert len(data) < LARGE
        # the fetch went on without its client
        with connect(copal.port) as sock:
            sock.sendall(b"GET /large HTTP/1.0\r\nHost: a\r\n\r\n")
            assert len(rest(sock)[0]) > LARGE
        assert sum(r.start[1] == b"/large" for r in origin.complete) == 1


def test_send_timeout_counts_all_of_a_response():
    """A client that reads a little now and then is given up, too."""
    with RawOrigin(large) as origin, \
            copald(origin, "-p", "send_timeout=1") as copal:
        with connect(copal.port, receive_buffer=4096) as sock:
            sock.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")

            def closed():
                sock.recv(100)
                return copal.counter("sess_conn") == 1 and \
                    copal.counter("sess_open") == 0

            wait_until("the connection to be closed", closed)
            assert len(rest(sock)[0]) < LARGE


def test_connect_timeout():
    """An origin whose accept queue is full."""
    class Full:
        socks = []

    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        Full.port = full.getsockname()[1]
        fill = []
        for _ in range(8):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", Full.port))
            fill.append(s)
        with copald(Full, "-p", "connect_timeout=0.3") as copal:
            with connect(copal.port) as sock:
                sock.sendall(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
                assert rest(sock)[0].startswith(b"HTTP/1.1 504 ")
        for s in fill:
            s.close()


def test_clients_that_reset_at_random(settled):
    rng = random.Random(3)
    with RawOrigin(large) as origin, copald(origin) as copal:
        settled.begin(copal, origin)
        paths = [b"/large", b"/pass/large", b"/large/chunked",
                 b"/pass/large/chunked"]
        for i in range(60):
            sock = connect(copal.port, receive_buffer=8192)
            sock.sendall(b"GET %s?%d HTTP/1.1\r\nHost: a\r\n\r\n" % (
                rng.choice(paths), i % 7))
            left = rng.choice([0, 1, 100, 10000, 1000000])
            while left > 0:
                left -= len(sock.recv(min(left, 65536)))
            if rng.random() < 0.5:
                reset(sock)
            else:
                sock.close()
        settled.check(copal, origin)


def test_thousands_of_idle_connections(settled):
    n = 800 if is_sanitized() else 3000
    with RawOrigin(echo) as origin, \
            copald(origin, "-p", "timeout_idle=60") as copal:
        settled.begin(copal, origin)
        socks = [connect(copal.port) for _ in range(n)]
        wait_until("all to be accepted",
                   lambda: copal.counter("sess_open") == n)
        for turn in range(2):
            for sock in socks:
                sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            for sock in socks:
                assert Reader(sock).read_response().body == b"GET / "
        for i, sock in enumerate(socks):
            if i % 2:
                reset(sock)
            else:
                sock.close()
        settled.check(copal, origin)


# -------------------------------------------------------------------- pipe

def relayed(origin, conn):
    """Sends back what it gets, until that ends; /pipe/end: ends at once."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = conn.sock.recv(1)
        if not piece:
            return
        head += piece
    if not head.startswith(b"GET /pipe"):
        conn.send(response(b""))
        return
    if b"/end" in head:
        conn.send(b"x" * 300000)
        conn.sock.shutdown(socket.SHUT_WR)
        conn.rest()
        return
    if b"/reset" in head:
        conn.send(b"x")
        conn.reset()
        return
    while True:
        data = conn.sock.recv(65536)
        if not data:
            conn.send(b"the end")
            return
        conn.send(data)


def test_pipe_both_ways_and_half_closed(settled):
    data = random.Random(6).randbytes(LARGE)
    with RawOrigin(relayed) as origin, copald(origin) as copal:
        settled.begin(copal, origin)
        with connect(copal.port) as sock:
            sock.sendall(b"GET /pipe HTTP/1.1\r\nHost: a\r\n\r\n")

            def send():
                sock.sendall(data)
                sock.shutdown(socket.SHUT_WR)

            thread = threading.Thread(target=send)
            thread.start()
            got, was_reset = rest(sock)
            thread.join()
        assert got == data + b"the end" and not was_reset
        settled.check(copal, origin)


def test_pipe_end_of_the_origin_while_the_client_sends(settled):
    """What the origin said last is not lost in a reset."""
    with RawOrigin(relayed) as origin, copald(origin) as copal:
        settled.begin(copal, origin)
        for _ in range(20):
            with connect(copal.port) as sock:
                sock.sendall(b"GET /pipe/end HTTP/1.1\r\nHost: a\r\n\r\n"
                             + b"y" * 10)
                sock.recv(1, socket.MSG_PEEK)   # it has begun
                sock.sendall(b"y" * 1000)
                got, was_reset = rest(sock)
                assert got == b"x" * 300000 and not was_reset
        settled.check(copal, origin)


def test_pipe_passes_a_reset_on(settled):
    with RawOrigin(relayed) as origin, copald(origin) as copal:
        settled.begin(copal, origin)
        with connect(copal.port) as sock:
            sock.sendall(b"GET /pipe/reset HTTP/1.1\r\nHost: a\r\n\r\n")
            got, was_reset = rest(sock)
            assert was_reset
        settled.check(copal, origin)


def test_pipe_clients_that_reset(settled):
    rng = random.Random(7)
    with RawOrigin(relayed) as origin, copald(origin) as copal:
        settled.begin(copal, origin)
        for _ in range(50):
            sock = connect(copal.port)
            sock.sendall(b"GET /pipe HTTP/1.1\r\nHost: a\r\n\r\n" +
                         rng.randbytes(rng.choice([0, 10, 100000])))
            reset(sock)
        settled.check(copal, origin)
