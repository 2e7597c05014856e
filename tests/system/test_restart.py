"""Objects, bans and purges outlive stops, crashes and damage."""
import os
import random
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from copal import (COPALD, Client, Copald, Origin, is_sanitized,
                   wait_until)

SIZES = [0, 1, 1000, 1024, 1025, 4096, 65535, 65536, 65537, 131072, 262145,
         1 << 20, (1 << 20) + 1, 5_000_000, 20 << 20]
# COPAL_KILL_ROUNDS=200: a long run, of most of an hour
ROUNDS = int(os.environ.get("COPAL_KILL_ROUNDS",
                            4 if is_sanitized() else 6))
# What a crash may lose is the last second: older objects are on disk.
ON_DISK_AFTER = 1.5


@pytest.fixture
def origin():
    with Origin() as o:
        yield o


def paths_of_all_kinds():
    for size in SIZES:
        yield f"/b/{size}/length", {}
        yield f"/b/{size}/chunked?chunked", {}
    for variant in ("a", "b", "c"):
        yield "/b/3000/variants?vary", {"X-Variant": variant}
        yield "/b/300000/variants?vary&chunked", {"X-Variant": variant}


def check_all(copal, origin, hits):
    with copal.client() as client:
        for path, headers in paths_of_all_kinds():
            r = client.get(path, headers=headers)
            assert r.status == 200
            assert r.is_hit == hits, path
            assert r.body == origin.body(path, headers.get("X-Variant", "")), \
                path


def test_clean_stop(origin):
    with Copald(origin) as copal:
        check_all(copal, origin, hits=False)
        check_all(copal, origin, hits=True)
        seen = origin.total()
        for _ in range(2):
            copal.stop()
            copal.start()
            check_all(copal, origin, hits=True)
            check_all(copal, origin, hits=True)
        assert origin.total() == seen


def test_stop_and_start_by_cli(origin):
    with Copald(origin) as copal:
        check_all(copal, origin, hits=False)
        seen = origin.total()
        copal.adm("stop")
        assert "stopped" in copal.adm("status")
        copal.adm("start")
        check_all(copal, origin, hits=True)
        assert origin.total() == seen


# ------------------------------------------------------- kill -9 under load

class Load:
    """Fills, reads, purges and bans until it is told to end.

    known: by path, the generation of the body that was got last and when;
    least: the oldest generation that may still be served, by purges and bans
    that were acknowledged.
    """
    NAMES = 120

    def __init__(self, copal, origin, seed):
        self.copal, self.origin = copal, origin
        self.random = random.Random(seed)
        self.known, self.least = {}, {}
        self.wrong = []
        self.ending = False
        self.thread = threading.Thread(target=self.run)

    def path(self, i):
        size = (0, 900, 3000, 70_000, 300_000, 1_500_000)[i % 6]
        return f"/b/{size}/n{i}" + ("?chunked" if i % 4 == 0 else "")

    def check(self, path, r):
        plain = path.partition("?")[0]
        if r.status != 200 or \
                r.body != self.origin.body(plain, "", r.generation):
            self.wrong.append((path, r.status, "bytes"))
        elif r.generation < self.least.get(path, 0):
            self.wrong.append((path, r.generation, "purge undone"))
        else:
            if self.known.get(path, (None, 0))[0] != r.generation:
                self.known[path] = (r.generation, time.monotonic())

    def step(self, client):
        path = self.path(self.random.randrange(self.NAMES))
        what = self.random.random()
        if what < 0.9:
            self.check(path, client.get(path))
            return
        self.origin.change(path)
        generation = self.origin.generations[path.partition("?")[0]]
        # until it is acknowledged nothing is known of it
        self.known.pop(path, None)
        if what < 0.95:
            if client.get(path, "PURGE").status != 200:
                return
        else:
            done = self.copal.try_adm("ban", "req.url", "==", path)
            if done.returncode != 0:
                return
        self.least[path] = generation

    def run(self):
        client = Client(self.copal.port)
        while not self.ending:
            try:
                self.step(client)
            except Exception as e:
                if isinstance(e, AssertionError):
                    raise
                # the worker was killed: what was being read is cut short
        client.close()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *args):
        self.ending = True
        self.thread.join()


def check_after_crash(copal, load, killed_at):
    """Everything served is right; how many were on disk, and are still hits."""
    old = {p: g for p, (g, at) in load.known.items()
           if at < killed_at - ON_DISK_AFTER}
    hits = 0
    with copal.client() as client:
        for i in range(Load.NAMES):
            path = load.path(i)
            r = client.get(path)
            load.check(path, r)
            hits += path in old and r.is_hit
    assert load.wrong == []
    assert len(old) > 10
    return len(old), hits


def assert_still_there(rounds):
    """Of all rounds: a few dozen objects are too few for a percentage."""
    old, hits = (sum(numbers) for numbers in zip(*rounds))
    assert hits >= 0.99 * old, rounds


def let_it_run(load, rng):
    """Until there is enough to lose, and then to any moment."""
    def on_disk():
        before = time.monotonic() - ON_DISK_AFTER
        return sum(at < before for _, at in list(load.known.values())) > 30

    wait_until("objects that are on disk", on_disk)
    time.sleep(rng.uniform(0, 1))


def test_kill_worker_under_load(origin):
    rng = random.Random(1)
    with Copald(origin) as copal:
        load, rounds = None, []
        for i in range(ROUNDS):
            previous, load = load, Load(copal, origin, seed=i)
            if previous is not None:
                load.known, load.least = previous.known, previous.least
            with load:
                let_it_run(load, rng)
                killed_at = time.monotonic()
                old = copal.kill_worker()
                load.ending = True
            copal.wait_new_worker(old)
            rounds.append(check_after_crash(copal, load, killed_at))
            assert "died of signal 9" in copal.adm("panic.show")
            copal.adm("panic.clear")
        assert_still_there(rounds)
        copal.forget_crashes()


def test_kill_manager_under_load(origin):
    rng = random.Random(2)
    with Copald(origin) as copal:
        load, rounds = None, []
        for i in range(ROUNDS // 2):
            previous, load = load, Load(copal, origin, seed=10 + i)
            if previous is not None:
                load.known, load.least = previous.known, previous.least
            with load:
                let_it_run(load, rng)
                killed_at = time.monotonic()
                load.ending = True
                copal.kill_manager()
            copal.start()
            rounds.append(check_after_crash(copal, load, killed_at))
        assert_still_there(rounds)


def test_acknowledged_is_never_undone(origin):
    """Purge or ban, and kill in the same breath."""
    ban = ["ban", "obj.http.X-Generation", "==", "0"]
    with Copald(origin) as copal:
        for i in range(ROUNDS):
            path = f"/b/50000/breath{i}"
            other = f"/b/500/breath{i}"
            with copal.client() as client:
                assert client.get(path).generation == 0
                assert client.get(other).generation == 0
                if i % 2:   # on disk by now, or still in the queue
                    time.sleep(ON_DISK_AFTER)
                origin.change(path)
                origin.change(other)
                old = copal.worker
                if i % 3:
                    assert client.get(path, "PURGE").status == 200
                    assert client.get(other, "PURGE").status == 200
                else:
                    copal.adm(*ban)
                os.kill(old, signal.SIGKILL)
            copal.wait_new_worker(old)
            assert copal.get(path).generation == 1
            assert copal.get(other).generation == 1
            # bans go on: generation 0 is banned for what was there before
        copal.forget_crashes()


# ---------------------------------------------------- sockets stay open

def test_crash_refuses_no_connection(origin):
    with Copald(origin, "-p", "workers=2") as copal:
        assert copal.get("/b/1000/x").status == 200
        refused, made, ending = [], [], threading.Event()

        def connect():
            while not ending.is_set():
                try:
                    s = socket.create_connection(("127.0.0.1", copal.port), 5)
                    made.append(1)
                    s.close()
                except OSError as e:
                    refused.append(e)

        thread = threading.Thread(target=connect)
        thread.start()
        sockets = os.listdir(f"/proc/{copal.process.pid}/fd")
        for _ in range(3):
            old = copal.kill_worker()
            copal.wait_new_worker(old)
            assert copal.get("/b/1000/x").status == 200
        ending.set()
        thread.join()
        assert refused == [] and len(made) > 50
        copal.adm("stop")
        # nobody serves, but it queues up
        late = socket.create_connection(("127.0.0.1", copal.port), 5)
        late.sendall(b"GET /b/1000/x HTTP/1.1\r\nHost: a\r\n"
                     b"Connection: close\r\n\r\n")
        copal.adm("start")
        late.settimeout(20)
        assert late.recv(15) == b"HTTP/1.1 200 OK"
        late.close()
        assert len(os.listdir(f"/proc/{copal.process.pid}/fd")) <= \
            len(sockets) + 2
        copal.forget_crashes()


def test_panic_is_kept(origin):
    with Copald(origin) as copal:
        assert copal.get("/b/1000/x").status == 200
        time.sleep(ON_DISK_AFTER)
        old = copal.worker
        copal.adm("debug.panic.worker")
        copal.wait_new_worker(old)
        assert "signal 6" in copal.adm("panic.show")
        assert copal.get("/b/1000/x").is_hit
        copal.adm("panic.clear")
        assert copal.try_adm("panic.show").returncode == 1
        copal.forget_crashes()


def test_crash_loop_comes_to_an_end(origin):
    """A worker that dies again and again is started again and again."""
    with Copald(origin) as copal:
        for _ in range(4):
            old = wait_until("a worker", lambda: copal.worker)
            os.kill(old, signal.SIGKILL)
            wait_until("another", lambda: copal.worker not in (0, old))
        copal.wait_running()
        assert copal.get("/b/1000/x").status == 200
        copal.forget_crashes()


# ----------------------------------------------------------- first hit

def test_first_hit_needs_no_scan(origin):
    """It is there as soon as the worker answers at all."""
    with Copald(origin) as copal:
        with copal.client() as client:
            for i in range(2000):
                client.get(f"/b/2000/many{i}")
        seen = origin.total()
        copal.stop()
        copal.spawn()   # no waiting for anything but the connection
        r = None

        def first():
            nonlocal r
            try:
                r = copal.get("/b/2000/many777")
            except ConnectionRefusedError:
                return False
            return True

        wait_until("the first answer", first)
        assert r.is_hit and r.body == origin.body("/b/2000/many777")
        assert origin.total() == seen
        copal.wait_running()


# ---------------------------------------------------------- the store

def test_store_is_locked(origin):
    with Copald(origin) as copal:
        other = subprocess.run(
            [COPALD, "-F", "-n", copal.dir / "other", "-a", "127.0.0.1:0",
             "-b", "127.0.0.1:1", "-s", f"lmdb,{copal.workdir}/store,256m"],
            capture_output=True, text=True, timeout=60)
        assert other.returncode == 2
        assert "by another process" in other.stderr
        assert other.stderr.count("\n") == 1, other.stderr
        # the state folder too
        other = subprocess.run(
            [COPALD, "-F", "-n", copal.workdir, "-a", "127.0.0.1:0", "-b",
             "127.0.0.1:1"], capture_output=True, text=True, timeout=60)
        assert other.returncode == 2
        assert other.stderr.count("\n") == 1, other.stderr
        assert copal.get("/b/1000/x").status == 200


def fill_and_stop(copal, origin):
    for path in ("/b/500/a", "/b/50000/b", "/b/2000000/c"):
        assert copal.get(path).status == 200
    copal.stop()


def check_right(copal, origin):
    for _ in range(2):
        for path in ("/b/500/a", "/b/50000/b", "/b/2000000/c"):
            r = copal.get(path)
            assert r.status == 200 and r.body == origin.body(path)
    assert r.is_hit


def test_catalogue_of_garbage(origin):
    with Copald(origin) as copal:
        fill_and_stop(copal, origin)
        store = copal.workdir / "store"
        data = next(store.rglob("data.mdb"))
        data.write_bytes(random.Random(3).randbytes(data.stat().st_size))
        copal.start()
        check_right(copal, origin)
        assert "starting with an empty store" in copal.log
        assert list(copal.workdir.rglob("*bad-*"))


def test_catalogue_cut_short(origin):
    with Copald(origin) as copal:
        fill_and_stop(copal, origin)
        data = next((copal.workdir / "store").rglob("data.mdb"))
        os.truncate(data, data.stat().st_size // 2 // 4096 * 4096)
        copal.start()
        check_right(copal, origin)
        copal.forget_crashes()


def test_no_segments(origin):
    with Copald(origin) as copal:
        fill_and_stop(copal, origin)
        shutil.rmtree(copal.workdir / "store" / "seg")
        copal.start()
        check_right(copal, origin)


def test_flipped_bytes_are_never_served(origin):
    with Copald(origin) as copal:
        fill_and_stop(copal, origin)
        seen = origin.total()
        for segment in (copal.workdir / "store" / "seg").iterdir():
            with open(segment, "r+b") as f:
                for at in range(0, segment.stat().st_size, 4096):
                    f.seek(at + 700)
                    byte = f.read(1)
                    f.seek(at + 700)
                    f.write(bytes([byte[0] ^ 0x40]))
        copal.start()
        # A piece that is found bad under way ends the answer; the next
        # client gets it from the origin.
        for path in ("/b/500/a", "/b/50000/b", "/b/2000000/c"):
            for _ in range(4):
                try:
                    r = copal.get(path)
                except Exception:
                    continue
                assert r.status in (200, 503)
                if r.status == 200:
                    assert r.body == origin.body(path)
        check_right(copal, origin)
        assert origin.total() == seen + 2   # /a is in the catalogue
