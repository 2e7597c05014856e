"""Parts of large objects: fetched, kept, joined, gone on with; byte by byte.

The origin of these tests answers Range and If-Range, and notes what it was
asked for.
"""
import concurrent.futures
import http.server
import random
import re
import socket
import threading

import pytest

import copal as harness
from copal import Copald, Origin, wait_until

MIB = 1 << 20


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def do_GET(self):
        o = self.server.origin
        path = self.path.partition("?")[0]
        with o.lock:
            generation = o.generations[path]
            o.counts[path] += 1
            o.asked.append(self.headers.get("Range"))
        body = o.body(path, "", generation)
        etag = f'{o.weak}"{generation}"' if o.etag else None
        begin, end = 0, len(body)
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)",
                              self.headers.get("Range", ""))
        held = self.headers.get("If-Range", etag) == etag
        if wanted and held and o.ranges:
            begin = int(wanted[1])
            end = min(end, int(wanted[2] or end) + 1)
            if begin >= len(body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", o.content_range or
                             f"bytes {begin}-{end - 1}/{len(body)}")
        else:
            self.send_response(200)
        self.send_header("Cache-Control", o.cc)
        self.send_header("X-Generation", str(generation))
        self.send_header("Content-Length", str(end - begin))
        if etag:
            self.send_header("ETag", etag)
        self.end_headers()
        if self.command == "HEAD":
            return
        o.send(self.connection, memoryview(body)[begin:end], begin)

    do_HEAD = do_GET


class Films(Origin):
    def __init__(self):
        self.asked = []
        self.etag = self.ranges = True
        self.weak = self.content_range = ""
        self.cc = "max-age=3600"
        # Bytes of a body at which its connection is cut, once; or held.
        self.cut_at = self.hold_at = None
        self.resume = threading.Event()
        super().__init__()

    def start(self):
        self.server = harness.Server(("127.0.0.1", self.port), Handler)
        self.server.connections = []
        self.server.origin = self
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,),
                         daemon=True).start()

    def send(self, connection, body, begin):
        if self.hold_at is not None and begin <= self.hold_at < \
                begin + len(body):
            connection.sendall(body[:self.hold_at - begin])
            self.resume.wait(harness.LIMIT)
            body, begin = body[self.hold_at - begin:], self.hold_at
        if self.cut_at is not None and begin <= self.cut_at < \
                begin + len(body):
            body = body[:self.cut_at - begin]
            self.cut_at = None
            connection.sendall(body)
            connection.shutdown(socket.SHUT_RDWR)
            return
        try:
            connection.sendall(body)
        except OSError:
            pass    # what was left of it is there already

    def new_asked(self):
        with self.lock:
            asked, self.asked = self.asked, []
        return asked


def blocks_of(asked):
    """Numbers of the blocks of several requests, none of which was for all."""
    blocks = []
    for value in asked:
        first, last = map(int, value[6:].split("-"))
        assert first % MIB == 0
        blocks += range(first // MIB, last // MIB + 1)
    return blocks


@pytest.fixture
def origin():
    with Films() as o:
        yield o


def check_range(client, origin, path, first, last, generation=0):
    r = client.get(path, headers={"Range": f"bytes={first}-{last}"})
    body = origin.body(path, "", generation)
    assert r.status == 206, (first, last)
    assert r.headers["Content-Range"] == \
        f"bytes {first}-{min(last, len(body) - 1)}/{len(body)}"
    assert r.body == body[first:last + 1]
    return r


def check_whole(client, origin, path, generation=0):
    r = client.get(path)
    assert r.status == 200
    assert r.body == origin.body(path, "", generation)
    return r


@pytest.mark.parametrize("store", ["lmdb,,256m", "ram,256m"])
def test_seek_fetches_blocks_and_whole_joins(origin, store):
    path = f"/b/{12 * MIB + 345}/film"
    with Copald(origin, store=store) as copal, copal.client() as client:
        check_range(client, origin, path, 5 * MIB + 10, 5 * MIB + 99)
        assert origin.new_asked() == [f"bytes={5 * MIB}-{6 * MIB - 1}"]
        check_range(client, origin, path, 6 * MIB - 10, 7 * MIB + 9)
        # In one request, or more while the store does not know yet what it has.
        assert blocks_of(origin.new_asked()) == [6, 7]
        r = check_range(client, origin, path, 5 * MIB + 1, 8 * MIB - 1)
        assert r.is_hit and origin.new_asked() == []
        # from the start too, now that there is an object
        check_range(client, origin, path, 0, 9)
        assert origin.new_asked() == [f"bytes=0-{MIB - 1}"]
        r = client.get(path, method="HEAD")
        assert int(r.headers["Content-Length"]) == 12 * MIB + 345
        assert origin.new_asked() == []
        check_whole(client, origin, path)
        assert blocks_of(origin.new_asked()) == \
            [1, 2, 3, 4, 8, 9, 10, 11, 12]
        check_whole(client, origin, path)
        r = client.get(path, headers={"Range": "bytes=-7,0-9"})
        assert r.status == 206
        assert r.headers["Content-Type"].startswith("multipart/byteranges")
        assert origin.body(path)[-7:] in r.body
        assert "X-Copal-Blocks" not in r.headers
        assert origin.new_asked() == []


def test_random_ranges_of_many_clients(origin):
    size = 20 * MIB + 77
    path = f"/b/{size}/film"

    def one(copal, seed):
        rng = random.Random(seed)
        with copal.client() as client:
            for _ in range(15):
                first = rng.randrange(size)
                check_range(client, origin, path, first,
                            min(size - 1, first + rng.randrange(3 * MIB)))

    with Copald(origin, "-p", "range_fetch_min=0") as copal:
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            for done in [pool.submit(one, copal, i) for i in range(6)]:
                done.result()
        with copal.client() as client:
            check_whole(client, origin, path)
        origin.new_asked()
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            for done in [pool.submit(one, copal, i) for i in range(6)]:
                done.result()
        assert origin.new_asked() == []


def test_clients_of_one_part_are_one_request(origin):
    path = f"/b/{8 * MIB}/film"
    origin.hold_at = 3 * MIB + 5
    with Copald(origin) as copal:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            def get():
                with copal.client() as client:
                    return check_range(client, origin, path, 3 * MIB,
                                       3 * MIB + 99)
            jobs = [pool.submit(get) for _ in range(8)]
            wait_until("the origin to be asked",
                       lambda: origin.counts[path] > 0)
            origin.resume.set()
            for job in jobs:
                job.result()
        assert origin.counts[path] == 1


def test_changed_half_way_discards_the_old(origin):
    path = f"/b/{6 * MIB}/film"
    with Copald(origin) as copal, copal.client() as client:
        check_range(client, origin, path, 2 * MIB, 2 * MIB + 9)
        origin.change(path)
        # what is there is fresh, and served
        check_range(client, origin, path, 2 * MIB, 2 * MIB + 9)
        r = check_range(client, origin, path, 4 * MIB, 4 * MIB + 9, 1)
        assert r.generation == 1
        check_range(client, origin, path, 2 * MIB, 2 * MIB + 9, 1)
        check_whole(client, origin, path, 1)


def test_purge_and_ban_take_all_parts(origin):
    path = f"/b/{6 * MIB}/film"
    with Copald(origin) as copal, copal.client() as client:
        for generation in range(3):
            check_range(client, origin, path, 2 * MIB, 2 * MIB + 9,
                        generation)
            check_range(client, origin, path, 4 * MIB, 4 * MIB + 9,
                        generation)
            origin.change(path)
            if generation == 0:
                assert client.get(path, method="PURGE").status == 200
            else:
                copal.adm("ban", f"req.url == {path}")
        check_whole(client, origin, path, 3)


def test_parts_survive_a_restart_and_are_joined(origin):
    path = f"/b/{10 * MIB + 1}/film"
    with Copald(origin) as copal:
        with copal.client() as client:
            check_range(client, origin, path, 3 * MIB, 4 * MIB - 1)
            check_range(client, origin, path, 9 * MIB, 10 * MIB)
        copal.stop()
        copal.start()
        origin.new_asked()
        with copal.client() as client:
            r = check_range(client, origin, path, 3 * MIB + 5, 3 * MIB + 6)
            assert r.is_hit
            check_range(client, origin, path, 10 * MIB, 10 * MIB)
            assert origin.new_asked() == []
            check_whole(client, origin, path)
            for asked in origin.new_asked():
                assert asked is not None and \
                    not asked.startswith(f"bytes={3 * MIB}-")
            check_whole(client, origin, path)
            assert origin.new_asked() == []


def test_cut_off_goes_on(origin):
    """The origin dies in the middle: the client does not notice."""
    path = f"/b/{20 * MIB}/film"
    origin.cut_at = 7 * MIB + 1000
    with Copald(origin) as copal, copal.client() as client:
        check_whole(client, origin, path)
        asked = origin.new_asked()
        assert asked[0] is None
        assert asked[1].startswith(f"bytes={7 * MIB}-")
        check_whole(client, origin, path)
        assert origin.new_asked() == []


def test_killed_goes_on(origin):
    """kill -9 in the middle of a fetch: what is on disk is not fetched."""
    path = f"/b/{24 * MIB}/film"
    origin.hold_at = 12 * MIB + 17
    with Copald(origin) as copal:
        with copal.client() as client:
            client.connection.request("GET", path)
            r = client.connection.getresponse()
            got = r.read(11 * MIB)
            assert got == origin.body(path)[:11 * MIB]
            # the first ten blocks and the head
            wait_until("the store to have them",
                       lambda: copal.counter("store_puts") >= 11)
        copal.kill_manager()
        origin.hold_at = None
        origin.resume.set()
        copal.forget_crashes()
        copal.start()
        origin.new_asked()
        with copal.client() as client:
            check_whole(client, origin, path)
            asked = origin.new_asked()
            assert asked and None not in asked
            assert min(int(a[6:].split("-")[0]) for a in asked) >= 10 * MIB
            check_whole(client, origin, path)
            assert origin.new_asked() == []


def test_range_far_ahead_of_what_has_arrived(origin):
    path = f"/b/{32 * MIB}/film"
    origin.hold_at = 2 * MIB
    with Copald(origin) as copal, copal.client() as client, \
            copal.client() as other:
        client.connection.request("GET", path)
        r = client.connection.getresponse()
        assert r.read(MIB) == origin.body(path)[:MIB]
        check_range(other, origin, path, 30 * MIB, 30 * MIB + 99)
        tail = other.get(path, headers={"Range": "bytes=-5"})
        assert tail.body == origin.body(path)[-5:]
        origin.resume.set()
        assert r.read() == origin.body(path)[MIB:]
        check_whole(other, origin, path)


@pytest.mark.parametrize("kind", ["weak", "none", "ignored"])
def test_without_strong_validator_the_whole(origin, kind):
    path = f"/b/{4 * MIB}/film"
    if kind == "weak":
        origin.weak = "W/"
    elif kind == "none":
        origin.etag = False
    else:
        origin.ranges = False
    with Copald(origin) as copal, copal.client() as client:
        check_range(client, origin, path, 3 * MIB, 3 * MIB + 9)
        check_whole(client, origin, path)
        assert origin.new_asked()[-1] is None or kind == "ignored"
        check_range(client, origin, path, 2 * MIB, 2 * MIB + 9)
        assert origin.new_asked() == []


def test_what_is_not_kept_gets_its_own_range(origin):
    path = f"/b/{4 * MIB}/film"
    origin.cc = "no-store"
    with Copald(origin) as copal, copal.client() as client:
        for _ in range(2):
            check_range(client, origin, path, 3 * MIB + 5, 3 * MIB + 9)
        assert origin.new_asked()[-1] == \
            f"bytes={3 * MIB + 5}-{3 * MIB + 9}"
        # of what the client has a part of already
        for etag, status in (('"0"', 206), ('"of old"', 200)):
            r = client.get(path, headers={
                "Range": f"bytes={3 * MIB}-", "If-Range": etag})
            assert r.status == status
            assert r.body == origin.body(path)[-MIB if status == 206 else 0:]


@pytest.mark.parametrize("wrong", [
    f"bytes 0-{MIB - 1}/{4 * MIB}", f"bytes {2 * MIB}-{3 * MIB}/{4 * MIB}",
    f"bytes {2 * MIB}-{3 * MIB - 1}/*", "bytes", "",
    f"bytes {2 * MIB}-{3 * MIB - 1}/{2 * MIB}"])
def test_wrong_content_range_is_refused(origin, wrong):
    path = f"/b/{4 * MIB}/film"
    with Copald(origin) as copal, copal.client() as client:
        origin.content_range = wrong or " "
        r = client.get(path, headers={
            "Range": f"bytes={2 * MIB}-{2 * MIB + 9}"})
        assert r.status in (502, 503)
        origin.content_range = ""
        check_range(client, origin, path, 2 * MIB, 2 * MIB + 9)
        # a part that is missing
        origin.content_range = wrong or " "
        r = client.get(path, headers={"Range": "bytes=0-9"})
        assert r.status in (502, 503, 206)
        if r.status == 206:
            assert r.body == origin.body(path)[:10]
        origin.content_range = ""
        check_whole(client, origin, path)


def test_beyond_the_end(origin):
    path = f"/b/{MIB + 100}/film"
    with Copald(origin) as copal, copal.client() as client:
        r = client.get(path, headers={"Range": f"bytes={5 * MIB}-"})
        assert r.status == 416
        assert r.headers["Content-Range"] == f"bytes */{MIB + 100}"
        check_whole(client, origin, path)


def test_evicted_parts_come_again(origin):
    """A store that is too small for all: parts go, and nothing is wrong."""
    with Copald(origin, store="ram,16m") as copal, copal.client() as client:
        rng = random.Random(1)
        paths = [f"/b/{3 * MIB + 500 + i}/film{i}" for i in range(8)]
        for _ in range(60):
            first = rng.randrange(3 * MIB)
            check_range(client, origin, rng.choice(paths), first,
                        first + rng.randrange(400))
        for path in paths:
            check_whole(client, origin, path)
        assert copal.counter("ram_bytes") <= 18 << 20
