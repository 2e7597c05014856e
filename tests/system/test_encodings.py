"""Codings made for clients: while many ask, well in the background, from disk."""
import ctypes
import ctypes.util
import gzip
import threading

import pytest

from copal import Copald, Origin, make_body, wait_until
from raw import RawOrigin, Reader, connect, response

PATH = "/t/30000/page"


@pytest.fixture
def origin():
    with Origin() as o:
        yield o


def get(client, coding, path=PATH):
    return client.get(path, headers={"Accept-Encoding": coding})


def test_popular_is_packed_well(origin):
    with Copald(origin, "-p", "gzip_level=1") as copal:
        with copal.client() as client:
            client.get(PATH)
            first = get(client, "gzip")
            assert first.headers["Content-Encoding"] == "gzip"
            assert gzip.decompress(first.body) == origin.body(PATH)
            sizes = set()

            def smaller():
                r = get(client, "gzip")
                assert gzip.decompress(r.body) == origin.body(PATH)
                assert r.headers["ETag"] == first.headers["ETag"] \
                    if "ETag" in first.headers else True
                sizes.add(len(r.body))
                return len(r.body) < len(first.body)
            wait_until("a smaller one", smaller)
        assert len(sizes) == 2
        assert copal.counter("encodings_made") == 2


def test_many_ask_at_once(origin):
    """Some get it plain, none gets anything wrong."""
    wrong = []

    def ask(copal, coding):
        with copal.client() as client:
            for i in range(40):
                path = f"/t/{5000 + i}/page"
                r = get(client, coding, path)
                body = r.body
                if r.headers["Content-Encoding"] == "gzip":
                    body = gzip.decompress(body)
                elif r.headers["Content-Encoding"] is not None:
                    if r.headers["Content-Encoding"] != coding:
                        wrong.append((path, r.headers["Content-Encoding"]))
                    continue
                if r.status != 200 or body != origin.body(path):
                    wrong.append((path, r.status))
    with Copald(origin) as copal:
        threads = [threading.Thread(target=ask, args=(copal, coding))
                   for coding in ("gzip", "br", "zstd", "gzip", "identity")]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not wrong
        # and all of them leave with the objects
        copal.adm("storage.drop", "s0")
        with copal.client() as client:
            r = get(client, "identity")
            assert r.body == origin.body(PATH)


def test_little_memory(origin):
    """They count: objects leave, and what is served stays right."""
    with Copald(origin, "-p", "ram_limit=2m") as copal:
        with copal.client() as client:
            for turn in range(2):
                for i in range(150):
                    path = f"/t/{30000 + i}/page"
                    r = get(client, "gzip", path)
                    body = gzip.decompress(r.body) \
                        if r.headers["Content-Encoding"] else r.body
                    assert body == origin.body(path)
        assert copal.counter("n_lru_nuked") > 0
        assert copal.counter("ram_bytes") < 3 << 20


# ------------------------------------------------- gzip from the origin

PACKED_TEXT = make_body("/t/30000/packed")
PACKED = gzip.compress(PACKED_TEXT)
MODIFIED = b"Mon, 01 Jan 2024 00:00:00 GMT"


def packs(origin, conn):
    """Everything, whatever is asked for."""
    while (request := conn.read_request()) is not None:
        origin.note(request)
        conn.send(response(
            PACKED, b'ETag: "v"', b"Last-Modified: " + MODIFIED,
            b"Cache-Control: max-age=3600", b"Content-Encoding: gzip",
            b"Content-Type: text/html" if request.start[1].startswith(b"/t")
            else b"Content-Type: application/octet-stream"))


def unpacked(coding, data):
    if coding == b"gzip":
        return gzip.decompress(data)
    room = ctypes.c_size_t(len(PACKED_TEXT) + 1)
    out = ctypes.create_string_buffer(room.value)
    if coding == b"br":
        brotli = ctypes.CDLL(ctypes.util.find_library("brotlidec"))
        assert brotli.BrotliDecoderDecompress(
            ctypes.c_size_t(len(data)), data, ctypes.byref(room), out) == 1
        return out.raw[:room.value]
    if coding == b"zstd":
        zstd = ctypes.CDLL(ctypes.util.find_library("zstd"))
        zstd.ZSTD_decompress.restype = ctypes.c_size_t
        n = zstd.ZSTD_decompress(out, room, data, ctypes.c_size_t(len(data)))
        return out.raw[:n]
    assert coding is None
    return data


# Accept-Encoding, and what may be sent of text.
TAKEN = [
    (None, {None}), (b"", {None}), (b"identity", {None}),
    (b"gzip", {b"gzip"}), (b"x-gzip", {b"gzip"}), (b"GZIP;Q=1.0", {b"gzip"}),
    (b"br", {b"br"}), (b"zstd", {b"zstd"}), (b"deflate", {None}),
    (b"gzip;q=0", {None}), (b"gzip;q=0.000, br", {b"br"}),
    (b"gzip;q=0, *", {b"br", b"zstd"}), (b"*;q=0", {None}),
    (b"*", {b"gzip", b"br", b"zstd"}),
    (b"br;q=0, zstd;q=0, *", {b"gzip"}),
    (b"gzip;q=0.5, identity", {None}),
    (b"gzip;q=0.5, identity;q=0.4", {b"gzip"}),
    (b"gzip;q=0.001, identity;q=0.5", {None}),
    (b"identity;q=0, gzip;q=0.1", {b"gzip"}),
    (b"br;q=0.5, gzip;q=0.1", {b"br"}),
    (b"br;q=0.1, gzip;q=0.5", {b"gzip"}),
    (b"br, identity;q=0.5, gzip;q=0.1", {b"br"}),
]

# Of what is no text, all that is there is what was stored.
TAKE_GZIP = {accept for accept, codings in TAKEN if b"gzip" in codings} | {
    b"br;q=0.5, gzip;q=0.1"}


@pytest.mark.parametrize("kind", [b"/t", b"/o"])
def test_gzip_from_the_origin(kind):
    """One stored copy; each gets what he takes, with the head that fits."""
    with RawOrigin(packs) as origin, Copald(origin) as copal:
        reader = Reader(connect(copal.port))

        def ask(path, accept, *fields, method=b"GET"):
            lines = [method + b" " + path + b" HTTP/1.1", b"Host: h", *fields]
            if accept is not None:
                lines.append(b"Accept-Encoding: " + accept)
            reader.sock.sendall(b"\r\n".join(lines) + b"\r\n\r\n")
            r = reader.read_response(head=method == b"HEAD")
            assert b"accept-encoding" in r.get(b"vary").lower()
            return r

        for n, (accept, codings) in enumerate(TAKEN):
            if kind == b"/o":
                codings = {b"gzip"} if accept in TAKE_GZIP else {None}
            path = b"%s/%d" % (kind, n)
            first = ask(path, accept)       # a miss, which may not wait
            assert unpacked(first.get(b"content-encoding"),
                            first.body) == PACKED_TEXT
            r = ask(path, accept)
            coding = r.get(b"content-encoding")
            assert coding in codings, accept
            assert unpacked(coding, r.body) == PACKED_TEXT
            stored = coding == b"gzip"
            assert r.get(b"etag") == (b'"v"' if stored else b'W/"v"')
            h = ask(path, accept, method=b"HEAD")
            assert h.status == 200
            for name in b"etag", b"content-encoding", b"content-type":
                assert h.get(name) == r.get(name)
            assert h.get(b"content-length") in (None, b"%d" % len(r.body))
            for etag in (b'"v"', b'W/"v"', b'"x", W/"v"'):
                c = ask(path, accept, b"If-None-Match: " + etag)
                assert c.status == 304 and not c.body
                assert c.get(b"etag") == r.get(b"etag")
            assert ask(path, accept, b'If-None-Match: "x"').status == 200
            assert ask(path, accept, b"If-Modified-Since: " +
                       MODIFIED).status == 304
            for condition in ((), (b'If-Range: "v"',), (b'If-Range: W/"v"',),
                              (b'If-Range: "x"',)):
                p = ask(path, accept, b"Range: bytes=5-14", *condition)
                if p.status == 206:         # of the stored bytes
                    assert p.get(b"content-encoding") == b"gzip"
                    assert p.get(b"etag") == b'"v"'
                    assert p.body == PACKED[5:15]
                    assert p.get(b"content-range") == \
                        b"bytes 5-14/%d" % len(PACKED)
                    assert condition in ((), (b'If-Range: "v"',))
                    assert None not in codings
                else:
                    assert p.status == 200
                    assert unpacked(p.get(b"content-encoding"),
                                    p.body) == PACKED_TEXT
        assert len(origin.complete) == len(TAKEN)
        reader.sock.close()


LIE = """vcl 4.1;
backend default { .host = "127.0.0.1"; .port = "%(port)d"; }
sub vcl_backend_response {
    set beresp.http.Content-Encoding = "gzip";
    if (bereq.url ~ "unseen") { set beresp.filters = ""; }
}
sub vcl_synth {
    set resp.http.X-Policy = "1";
}
"""


def test_content_encoding_that_lies():
    """Nothing was sent yet when that is found: it is said, not cut."""
    def plain(origin, conn):
        while conn.read_request() is not None:
            conn.send(response(PACKED_TEXT, b"Cache-Control: max-age=3600"))

    with RawOrigin(plain) as origin, Copald(origin, vcl=LIE) as copal, \
            copal.client() as client:
        for _ in range(2):
            for path in "/seen", "/unseen":
                r = client.get(path)
                assert r.status == 503
                assert r.headers["X-Policy"] == "1"
                assert "Content-Encoding" not in r.headers
        # who wants it packed gets what the policy says
        r = client.get("/unseen", headers={"Accept-Encoding": "gzip"})
        assert r.status == 200 and r.body == PACKED_TEXT


def test_cut_before_the_first_byte():
    """Of the body: the client is told, on a connection that goes on."""
    def cut(origin, conn):
        while (request := conn.read_request()) is not None:
            if request.start[1] == b"/good":
                conn.send(response(b"good"))
                continue
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
                      if request.start[1] == b"/length" else
                      b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                      b"\r\nnone\r\n")
            return

    with RawOrigin(cut) as origin, Copald(origin) as copal, \
            copal.client() as client:
        for path in "/length", "/chunked":
            for headers in ({}, {"X-Pass": "1"}, {"Range": "bytes=2-3"}):
                assert client.get(path, headers=headers).status == 503
                assert client.get("/good").body == b"good"
