"""Heads of responses beyond what most have: 100 KiB of tags, by default."""
import http.client
import re
import threading

import pytest

from copal import Copald, tag_of, wait_until
from raw import Cut, RawOrigin, Reader, connect, response

# tags of 26 bytes with one between them: 100 KiB
N = 100 * 1024 // 27
LINES = 20
BODY = b"b" * 3000


@pytest.fixture(autouse=True)
def long_lines(monkeypatch):
    """http.client takes lines of 64 KiB."""
    monkeypatch.setattr(http.client, "_MAXLINE", 1 << 20)


def fields_of(path):
    """/HEADER/NAME: a line; /HEADER/lines/NAME: several."""
    header = path.split("/")[1]
    tags = [tag_of(path, i) for i in range(N)]
    n = LINES if "/lines/" in path else 1
    step = -(-N // n)
    return [f"{header}: {' '.join(tags[i:i + step])}".encode()
            for i in range(0, N, step)]


def with_tags(origin, conn):
    """A condition is answered by 304, with the tags once more."""
    while (request := conn.read_request()) is not None:
        origin.note(request)
        fields = fields_of(request.start[1].decode()) + [
            b"Cache-Control: max-age=%d" % origin.max_age, b'ETag: "x"']
        if request.get(b"if-none-match") is not None:
            conn.send(b"HTTP/1.1 304 Not Modified\r\n" +
                      b"\r\n".join(fields) + b"\r\n\r\n")
        else:
            conn.send(response(BODY, *fields))


@pytest.fixture
def origin():
    with RawOrigin(with_tags) as o:
        o.max_age = 3600
        yield o


def is_whole(r, path, stripped):
    header = path.split("/")[1]
    got = " ".join(r.headers.get_all(header, [])).split()
    assert r.status == 200 and r.body == BODY
    assert got == ([] if stripped else [tag_of(path, i) for i in range(N)])


@pytest.mark.parametrize("strip", ["on", "off"])
def test_tags(origin, strip):
    """Fetch, hit, restart, refresh; purge by the first, the last, and one
    between, in memory and on disk."""
    paths = [f"/Surrogate-Key/{name}" for name in "abcd"] + [
        "/X-Magento-Tags/a", "/Surrogate-Key/lines/a", "/xkey/lines/b"]
    with Copald(origin, "-p", f"tag_headers_strip={strip}") as copal:
        def hits():
            result = [copal.get(path) for path in paths]
            for path, r in zip(paths, result):
                is_whole(r, path, strip == "on")
            return [r.is_hit for r in result]

        assert hits() == [False] * 7
        assert hits() == [True] * 7
        head = copal.get(paths[0], method="HEAD")
        assert head.is_hit and head.status == 200
        not_modified = copal.get(paths[0],
                                 headers={"If-None-Match": '"x"'})
        assert not_modified.status == 304
        wait_until("all on disk", lambda: copal.counter("store_puts") == 7)
        copal.kill_manager()
        copal.start()
        assert hits() == [True] * 7
        copal.adm("purge", "-tag", tag_of(paths[0], 0))
        copal.adm("purge", "-tag", tag_of(paths[1], N - 1))
        copal.adm("purge", "-tag", tag_of(paths[5], N - 1))
        # these are only on disk
        copal.kill_manager()
        copal.start()
        copal.adm("purge", "-tag", tag_of(paths[2], N // 2))
        copal.adm("purge", "-tag", tag_of(paths[6], 0))
        assert hits() == [False, False, False, True, True, False, False]
        copal.adm("purge", "-soft", "-tag", tag_of(paths[3], N - 1))
        seen = len(origin.complete)
        hits()
        wait_until("the refresh", lambda: len(origin.complete) == seen + 1)
        assert origin.complete[-1].get(b"if-none-match") == b'"x"'
        wait_until("what it found",
                   lambda: copal.counter("s_bgfetch") == 1 and
                   hits() == [True] * 7 and
                   len(origin.complete) == seen + 1)
        # a 304 told them anew
        copal.adm("purge", "-tag", tag_of(paths[3], N - 1))
        assert hits() == [True] * 3 + [False] + [True] * 3
        assert copal.counter("ws_backend_overflow") == 0
        assert copal.counter("ws_client_overflow") == 0


def test_policy(origin):
    """It can do with them what it does with others."""
    vcl = """vcl 4.1;
backend default { .host = "127.0.0.1"; .port = "%(port)d"; }
sub vcl_backend_response {
    set beresp.http.X-Other = regsuball(beresp.http.Odd, "-0+", "-n");
    set beresp.tags = beresp.http.X-Other + " more";
    unset beresp.http.Odd;
}
sub vcl_deliver {
    if (resp.http.X-Other) { set resp.http.X-Other = resp.http.X-Other + "!"; }
}
"""
    path = "/Odd/a"
    with Copald(origin, vcl=vcl) as copal:
        tags = [re.sub("-0+", "-n", tag_of(path, i)) for i in range(N)]
        for hit in (False, True):
            r = copal.get(path)
            assert r.status == 200 and r.is_hit == hit
            assert r.headers["X-Other"] == " ".join(tags) + "!"
        for tag in (tags[0], tags[N - 1], "more"):
            copal.adm("purge", "-tag", tag)
            assert [copal.get(path).is_hit for _ in "ab"] == [False, True]


def test_beyond(origin):
    """What is longer yet is refused, and the next request is served."""
    limits = ("-p", "http_resp_hdr_len=64k"), ("-p", "http_resp_size=96k"), \
        ("-p", "http_resp_size=20k")
    for limit in limits:
        with Copald(origin, *limit) as copal:
            for path in "/Surrogate-Key/a", "/Surrogate-Key/lines/a":
                if "hdr_len" in limit[1] and "lines" in path:
                    assert copal.get(path).status == 200
                    continue
                r = copal.get(path)
                assert r.status == 503
                assert "head-too-long" in r.headers["Cache-Status"]


class Slow:
    """Sends a head but for its last line, and that when it is told."""

    HEAD = b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\n" + \
        fields_of("/Surrogate-Key/a")[0] + b"\r\n"

    def __init__(self):
        self.reached, self.go = threading.Semaphore(0), threading.Event()

    def __call__(self, origin, conn):
        while conn.read_request() is not None:
            conn.send(self.HEAD)
            self.reached.release()
            self.go.wait()
            conn.send(b"Content-Length: 2\r\n\r\nok")


def answer(sock):
    """None: turned away, without a byte."""
    reader = Reader(sock)
    try:
        if not reader.more():
            return None
    except Cut:
        return None
    return reader.read_response()


def test_memory():
    """A head is counted while it is there; who comes when there is no room
    for one more is told so."""
    slow = Slow()
    with RawOrigin(slow) as origin, Copald(
            origin, "-p", "memory_limit=16m", store="ram,2m") as copal:
        # twice: what the first ones took was given back
        for _ in range(2):
            refused = copal.counter("memory_refused")
            clients = [connect(copal.port) for _ in range(120)]
            for i, client in enumerate(clients):
                client.sendall(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % i)
            for _ in range(40):
                assert slow.reached.acquire(timeout=60)
            wait_until("the heads to be counted", lambda: copal.counter(
                "memory_used") >= 40 * 128 * 1024)
            wait_until("some to be refused", lambda: copal.counter(
                "memory_refused") > refused)
            slow.go.set()
            answers = [a for a in map(answer, clients) if a is not None]
            assert {a.status for a in answers} == {200, 503}
            for a in answers:
                if a.status == 200:
                    assert a.body == b"ok"
                    assert len(a.get(b"surrogate-key")) == 27 * N - 1
                else:
                    assert a.get(b"retry-after") is not None
            for client in clients:
                client.close()
            slow.go.clear()
            while slow.reached.acquire(blocking=False):
                pass
