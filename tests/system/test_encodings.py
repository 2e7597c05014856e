"""Codings made for clients: while many ask, well in the background, from disk."""
import gzip
import threading

import pytest

from copal import Copald, Origin, wait_until

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
