"""A seeded fuzz of a running copald: malformed requests and responses.

Whatever comes, the worker lives, gives every descriptor back, forwards only
what is exactly HTTP (raw.py is strict), and answers the next proper request.
COPAL_FUZZ_SEED and COPAL_FUZZ_ROUNDS choose another run, or a longer one.
"""
import os
import random

import pytest
from copal import CommandFailed, Copald, wait_until
from raw import RawOrigin, Reader, connect, echo, reset, response

SEED = int(os.environ.get("COPAL_FUZZ_SEED", "1"))
SEEDS = range(SEED, SEED + 5)       # the tests of one run go side by side
ROUNDS = int(os.environ.get("COPAL_FUZZ_ROUNDS", "1500"))

VCL = """vcl 4.1;
backend default { .host = "127.0.0.1"; .port = "%(port)d"; }
sub vcl_recv {
    if (req.url ~ "pass") { return (pass); }
    # a relay would carry anything
    if (req.method !~ "^(GET|HEAD|POST|PUT|OPTIONS|PURGE)$") {
        return (synth(405));
    }
    if (req.method == "PURGE") { return (purge); }
}
"""

REQUESTS = [
    b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /pass/b?c=d HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\n"
    b"Connection: close, x\r\nX: y\r\n\r\n",
    b"HEAD http://user@a:80/a HTTP/1.1\r\nHost: b\r\n\r\n",
    b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
    b"Expect: 100-continue\r\n\r\n5;a=b\r\nhello\r\n0\r\nT: x\r\n\r\n",
    b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"GET /range HTTP/1.1\r\nHost: a\r\nRange: bytes=1-2,5-\r\n"
    b'If-None-Match: "x", W/"y"\r\nIf-Modified-Since: '
    b"Thu, 01 Jan 1970 00:00:00 GMT\r\nAccept-Encoding: gzip;q=0.5\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\nCache-Control: max-age=0\r\n\r\n",
    b"PURGE /a HTTP/1.1\r\nHost: a\r\n\r\n",
]
RESPONSES = [
    response(b"hello", b'ETag: "x"', b"Cache-Control: max-age=10",
             b"Vary: Accept-Encoding, X"),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: x\r\n"
    b"X: y\r\n\r\n5\r\nhello\r\n0\r\nT: x\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n"
    b"Age: 5\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nExpires: 0\r\nLast-Modified: "
    b"Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\nhello",
    response(b"hello", b"Set-Cookie: a=b", status=b"404 Not Found"),
    response(b"", b"Location: /x", status=b"301 Moved Permanently"),
]
BITS = [b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b",", b";", b"\xff",
        b"0", b"-1", b"+5", b"0x5", b"99999999999999999999", b"chunked",
        b"Content-Length: 3\r\n", b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip\r\n",
        b"Host: b\r\n", b"Connection: close\r\n", b"Connection: host\r\n",
        b"\r\n folded", b"HTTP/1.0", b"HTTP/1.1", b"HTTP/9.9",
        b"Expect: 100-continue\r\n", b"Upgrade: h2c\r\n", b"\r\n\r\n",
        b"A: " + b"x" * 9000 + b"\r\n", b"B: y\r\n" * 80, b"/" * 5000]


def mutate(rng, text):
    text = bytearray(text)
    for _ in range(rng.choice([0, 1, 1, 2, 3, 8])):
        at = rng.randrange(len(text) + 1)
        end = min(len(text), at + rng.choice([1, 1, 2, 5, 20]))
        what = rng.randrange(6)
        if what == 0:
            text[at:end] = b""
        elif what == 1:
            text[at:at] = rng.choice(BITS)
        elif what == 2:
            text[at:end] = rng.choice(BITS)
        elif what == 3:
            text[at:end] = rng.randbytes(end - at)
        elif what == 4:
            text[at:at] = text[at:end] * rng.choice([1, 2, 50])
        else:
            lines = bytes(text).split(b"\r\n")
            rng.shuffle(lines)
            text = bytearray(b"\r\n".join(lines))
    return bytes(text)


def send_pieces(rng, sock, data):
    at = 0
    while at < len(data):
        n = rng.choice([1, 7, 100, len(data)])
        sock.sendall(data[at:at + n])
        at += n


def drain(sock):
    try:
        while sock.recv(65536):
            pass
    except OSError:
        pass


def check_alive(copal, origin, worker, fds):
    assert copal.worker == worker, copal.log
    with pytest.raises(CommandFailed):
        copal.adm("panic.show")
    origin.hang_up()
    wait_until("connections to close",
               lambda: copal.counter("sess_open") == 0)
    wait_until("descriptors to be given back", lambda: copal.fds() <= fds)


def baseline(copal, origin):
    with connect(copal.port) as sock:
        sock.sendall(b"GET /pass HTTP/1.0\r\nHost: a\r\n\r\n")
        drain(sock)
    origin.hang_up()
    wait_until("origin connections to close", lambda: not origin.socks)
    return copal.worker, copal.fds()


def fast(origin):
    return Copald(origin, "-p", "timeout_idle=1", "-p", "timeout_req=1",
                  "-p", "timeout_body=1", "-p", "first_byte_timeout=0.3",
                  "-p", "between_bytes_timeout=0.3", "-p", "default_ttl=1",
                  vcl=VCL, store="ram,64m")


@pytest.mark.parametrize("seed", SEEDS)
def test_malformed_requests(seed):
    rng = random.Random(seed)
    with RawOrigin(echo) as origin, fast(origin) as copal:
        worker, fds = baseline(copal, origin)
        for _ in range(ROUNDS):
            data = b"".join(mutate(rng, rng.choice(REQUESTS))
                            for _ in range(rng.choice([1, 1, 2, 4])))
            with connect(copal.port) as sock:
                try:
                    send_pieces(rng, sock, data)
                except OSError:     # refused before all was sent
                    pass
                how = rng.randrange(4)
                if how == 0:
                    reset(sock)
                elif how == 1:
                    continue
                else:
                    try:
                        sock.shutdown(1)
                    except OSError:
                        pass
                    drain(sock)
        check_alive(copal, origin, worker, fds)
        assert origin.malformed == []
        with connect(copal.port) as sock:
            sock.sendall(b"GET /after HTTP/1.1\r\nHost: a\r\n\r\n")
            assert Reader(sock).read_response().body == b"GET /after "


@pytest.mark.parametrize("seed", SEEDS)
def test_malformed_responses(seed):
    rng = random.Random(seed)

    def handle(origin, conn):
        while True:
            request = conn.read_request()
            if request is None:
                return
            if b"/proper" in request.start[1]:
                conn.send(response(b"proper"))
                continue
            # one thread's requests come one after another
            send_pieces(rng, conn.sock, mutate(rng, rng.choice(RESPONSES)))
            how = rng.randrange(4)
            if how == 0:
                conn.reset()
            if how <= 2:
                return

    with RawOrigin(handle) as origin, fast(origin) as copal:
        worker, fds = baseline(copal, origin)
        for i in range(ROUNDS // len(SEEDS)):
            url = rng.choice([b"/pass/%d", b"/%d", b"/%d"]) % (i % 50)
            with connect(copal.port) as sock:
                sock.sendall(b"%s %s HTTP/1.1\r\nHost: a\r\n"
                             b"Connection: close\r\n\r\n" % (
                                 rng.choice([b"GET", b"GET", b"HEAD"]), url))
                if i % 5:
                    drain(sock)
        check_alive(copal, origin, worker, fds)
        assert origin.malformed == []
        copal.adm("param.set", "first_byte_timeout", "60")
        with connect(copal.port) as sock:
            sock.sendall(b"GET /proper HTTP/1.1\r\nHost: a\r\n\r\n")
            assert Reader(sock).read_response().body == b"proper"
