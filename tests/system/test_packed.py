"""Text is packed on disk; who asks for it can't tell."""
import ctypes
import ctypes.util
import json

import pytest

from copal import Copald, Origin, wait_until

SIZES = [511, 512, 700, 1500, 3000, 12000, 20_000, 70_000, 131_072, 131_073,
         300_000, 1 << 20, (1 << 20) + 1]
SMALL = 700     # more than the store wants before it makes a dictionary


@pytest.fixture
def origin():
    with Origin() as o:
        yield o


def paths():
    for size in SIZES:
        yield f"/t/{size}/length"
        yield f"/t/{size}/chunked?chunked"
    for i in range(SMALL):
        yield f"/t/{600 + i * 7 % 2500}/n{i}"


def after_dictionary():
    for i in range(100):
        yield f"/t/{600 + i * 11 % 2500}/later{i}"


def unzstd(data):
    """By the C library's own, as Python has none"""
    lib = ctypes.CDLL(ctypes.util.find_library("zstd"))
    room = 1 << 20
    out = ctypes.create_string_buffer(room)
    lib.ZSTD_decompress.restype = ctypes.c_size_t
    lib.ZSTD_decompress.argtypes = [ctypes.c_void_p, ctypes.c_size_t,
                                    ctypes.c_char_p, ctypes.c_size_t]
    n = lib.ZSTD_decompress(out, room, data, len(data))
    assert n <= room, "not zstd"
    return out.raw[:n]


def check(copal, origin, some, hits):
    with copal.client() as client:
        for path in some:
            r = client.get(path)
            assert r.status == 200
            assert r.body == origin.body(path), path
            if hits:
                assert int(r.headers["Content-Length"]) == len(r.body)
            assert r.is_hit == hits, path


def fill(copal, origin):
    check(copal, origin, paths(), hits=False)
    wait_until("a dictionary", lambda: copal.counter("store_dicts") == 1)
    check(copal, origin, after_dictionary(), hits=False)
    n = len(list(paths())) + len(list(after_dictionary()))
    wait_until("all on disk", lambda: copal.counter("store_puts") >= n)


def test_packed_after_a_crash(origin):
    with Copald(origin, "-p", "store_compress_max=1m") as copal:
        fill(copal, origin)
        bytes_in = copal.counter("store_packed_in")
        assert copal.counter("store_packed") > SMALL
        assert copal.counter("store_packed_out") < bytes_in / 2
        seen = origin.total()
        for _ in range(2):
            copal.kill_manager()
            copal.start()
            check(copal, origin, paths(), hits=True)
            check(copal, origin, after_dictionary(), hits=True)
        assert origin.total() == seen

        # ranges, and codings, of what comes from disk
        copal.kill_manager()
        copal.start()
        with copal.client() as client:
            path = "/t/20000/length"
            r = client.get(path, headers={"Range": "bytes=5-9"})
            assert r.status == 206
            assert r.body == origin.body(path)[5:10]
            r = client.get(path, headers={"Accept-Encoding": "br"})
            assert r.headers["Content-Encoding"] == "br"
            assert r.is_hit
            # as it lies there: nothing is packed for this client
            made = copal.counter("encodings_made")
            for size in (70_000, 300_000):
                r = client.get(f"/t/{size}/length",
                               headers={"Accept-Encoding": "zstd"})
                assert r.headers["Content-Encoding"] == "zstd"
                assert r.is_hit
                assert unzstd(r.body) == origin.body(f"/t/{size}/length")
            assert copal.counter("encodings_stored") == 2
            assert copal.counter("encodings_made") == made
            r = client.get("/t/70000/length")
            assert r.body == origin.body("/t/70000/length")
            # small ones take the store's dictionary
            r = client.get("/t/1689/later99",
                           headers={"Accept-Encoding": "zstd"})
            assert unzstd(r.body) == origin.body("/t/1689/later99")
            assert copal.counter("encodings_stored") == 2

        copal.adm("storage.verify", "s0")

        def verified():
            store = next(x for x in json.loads(
                copal.adm("storage.list", "-j")) if isinstance(x, dict))
            return store["verify"]["state"] == "ended" and store["verify"]
        result = wait_until("verify", verified)
        assert result is None or result["bad"] == 0


def test_switched_off(origin):
    with Copald(origin, "-p", "store_compress=off") as copal:
        check(copal, origin, after_dictionary(), hits=False)
        wait_until("on disk", lambda: copal.counter("store_puts") >= 100)
        assert copal.counter("store_packed") == 0
        copal.kill_manager()
        copal.start()
        check(copal, origin, after_dictionary(), hits=True)


def test_longest(origin):
    """What is longer than store_compress_max is kept as it came."""
    sizes = [131_072, 131_073, 300_000, 2 << 20]
    with Copald(origin) as copal:
        check(copal, origin, [f"/t/{n}/x" for n in sizes], hits=False)
        wait_until("on disk", lambda: copal.counter("store_puts") == 4)
        assert copal.counter("store_packed") == 1
        copal.kill_manager()
        copal.start()
        check(copal, origin, [f"/t/{n}/x" for n in sizes], hits=True)
