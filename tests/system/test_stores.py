"""-s: kinds, names, sizes, wrong ones; a disk that is full."""
import http.client
import json
import os
import re
import subprocess
import threading

import pytest

from copal import COPALD, Copald, Origin, is_sanitized, wait_until
from raw import connect

MB = 1 << 20


@pytest.fixture
def origin():
    with Origin() as o:
        yield o


def storage(copal):
    """The kinds by name, beside Transient, which is always there."""
    kinds = dict(re.findall(r"^storage\.(\w+) = (\w+)", copal.adm(
        "storage.list"), re.M))
    assert kinds.pop("Transient") == "ram"
    return kinds


def check_hits(copal, origin):
    for path in ("/b/0/a", "/b/700/a", "/b/70000/a", "/b/700000/a?chunked"):
        first, second = copal.get(path), copal.get(path)
        assert second.is_hit, path
        assert first.body == second.body == origin.body(path), path


@pytest.mark.parametrize("spec,name,kind", [
    ("ram,64m", "s0", "ram"),
    ("ram", "s0", "ram"),
    ("malloc,64M", "s0", "ram"),
    ("mine=ram,64mb", "mine", "ram"),
    ("lmdb", "s0", "lmdb"),
    ("lmdb,,64m", "s0", "lmdb"),
    ("disk1=lmdb,%(dir)s/elsewhere,64m", "disk1", "lmdb"),
    ("lmdb,%(dir)s/a/b/c,1%%", "s0", "lmdb"),
])
def test_kinds(origin, spec, name, kind):
    copal = Copald(origin)
    copal.store = spec % {"dir": copal.dir}
    with copal:
        assert storage(copal) == {name: kind}
        check_hits(copal, origin)
        if kind == "lmdb":
            seen = origin.total()
            copal.stop()
            copal.start()
            check_hits(copal, origin)
            assert origin.total() == seen
        where = spec.split(",")[1] if "%" in spec else \
            f"{copal.workdir}/store"
        assert os.path.isdir(where % {"dir": copal.dir}) == (kind == "lmdb")


def test_ram_starts_empty(origin):
    with Copald(origin, store="ram,64m") as copal:
        check_hits(copal, origin)
        copal.stop()
        copal.start()
        assert not copal.get("/b/700/a").is_hit


def test_default_store(origin):
    """Without -s: on disk, in the state folder."""
    copal = Copald(origin)
    copal.store = None
    with copal:
        assert storage(copal) == {"s0": "lmdb"}
        assert (copal.workdir / "store").is_dir()
        assert copal.get("/b/700/a").status == 200
        copal.stop()
        copal.start()
        assert copal.get("/b/700/a").is_hit


def test_two_stores(origin):
    vcl = """vcl 4.1;
        backend default { .host = "127.0.0.1"; .port = "%(port)d"; }
        sub vcl_backend_response {
            if (bereq.url ~ "^/b/700/") { set beresp.storage = storage.fast; }
            else { set beresp.storage = storage.disk; }
        }"""
    with Copald(origin, "-s", "fast=ram,32m", vcl=vcl,
                store="disk=lmdb,,64m") as copal:
        assert storage(copal) == {"disk": "lmdb", "fast": "ram"}
        check_hits(copal, origin)
        copal.stop()
        copal.start()
        assert not copal.get("/b/700/a").is_hit
        assert copal.get("/b/70000/a").is_hit


def test_drop(origin):
    """All objects of one store go at once; those of the other stay."""
    vcl = """vcl 4.1;
        backend default { .host = "127.0.0.1"; .port = "%(port)d"; }
        sub vcl_backend_response {
            if (bereq.url ~ "mem$") { set beresp.storage = storage.mem; }
            else { set beresp.storage = storage.disk; }
        }"""
    copal = Copald(origin, "-s", "mem=ram,64m", vcl=vcl)
    copal.store = f"disk=lmdb,{copal.workdir}/store,64m"
    paths = ["/b/500/", "/b/70000/", "/b/3000000/"]
    with copal:
        for _ in range(2):
            for path in paths:
                assert copal.get(path + "disk").status == 200
                assert copal.get(path + "mem").status == 200
        full = copal.disk()
        answer = copal.adm("storage.drop", "disk")
        assert answer.strip() == "3 objects dropped"
        assert copal.disk() < full
        for i in range(2):
            for path in paths:
                r = copal.get(path + "disk")
                assert r.is_hit == (i == 1)
                assert r.body == origin.body(path + "disk")
                assert copal.get(path + "mem").is_hit
        # nothing comes back
        copal.adm("storage.drop", "storage.disk")
        copal.stop()
        copal.start()
        for path in paths:
            assert not copal.get(path + "disk").is_hit
            copal.get(path + "mem")
        assert "3 objects" in copal.adm("storage.drop", "mem")
        assert not copal.get(paths[0] + "mem").is_hit
        none = copal.try_adm("storage.drop", "nosuch")
        assert none.returncode == 1
        assert "No storage named nosuch" in none.stdout + none.stderr


def verdict(copal):
    def ended():
        answer = json.loads(copal.adm("storage.list", "-j"))
        v = next(s["verify"] for s in answer if isinstance(s, dict))
        return v if v["ended"] and v["state"] != "running" else None

    return wait_until("the verdict", ended)


def test_verify(origin):
    """It says how many objects are good, and drops those that are not."""
    paths = [f"/b/{size}/v{i}" for i in range(10) for size in (500, 90_000)]
    with Copald(origin) as copal:
        for path in paths:
            assert copal.get(path).status == 200
        copal.stop()
        copal.start()
        assert copal.adm("storage.verify", "s0").strip() == ""
        v = verdict(copal)
        assert (v["state"], v["objects"], v["bad"]) == ("ended", 20, 0)
        assert v["bytes"] == 10 * 90_500
        assert "verify ended: 20 of 20 objects" in copal.adm("storage.list")
        copal.stop()
        bad = [p for p in paths if "/90000/" in p][::3]
        for segment in (copal.workdir / "store" / "seg").iterdir():
            data = bytearray(segment.read_bytes())
            for path in bad:
                at = data.find(origin.body(path))
                assert at >= 0
                data[at + 45_678] ^= 1
            segment.write_bytes(data)
        copal.start()
        copal.adm("storage.verify", "s0")
        v = verdict(copal)
        assert (v["state"], v["objects"], v["bad"]) == ("ended", 20, len(bad))
        assert "4 of them bad" in copal.log
        for path in paths:
            r = copal.get(path)
            assert r.body == origin.body(path)
            assert r.is_hit == (path not in bad)


def test_verify_what_cannot(origin):
    with Copald(origin, store="ram,64m") as copal:
        assert "nothing on disk" in copal.try_adm(
            "storage.verify", "s0").stdout


def test_another_size_next_time(origin):
    """A store that was larger shrinks to what it may have."""
    with Copald(origin, store="lmdb,,256m") as copal:
        with copal.client() as client:
            for i in range(150):
                client.get(f"/b/1000000/big{i}")
        copal.stop()
        assert copal.disk() > 120 * MB
        copal.store = "lmdb,,64m"
        copal.start()
        wait_until("it to shrink", lambda: copal.disk() <= 64 * MB)
        with copal.client() as client:
            hits = 0
            for i in range(150):
                r = client.get(f"/b/1000000/big{i}")
                assert r.body == origin.body(f"/b/1000000/big{i}")
                hits += r.is_hit
        assert copal.disk() <= 64 * MB


@pytest.mark.parametrize("spec,why", [
    ("", "store"),
    ("disk,64m", "unknown kind"),
    ("ram,64q", "bad size"),
    ("ram,-5m", "bad size"),
    ("ram,1", "too small"),
    ("lmdb,,1m", "too small"),
    ("lmdb,,0%", "bad size"),
    ("lmdb,,101%", "bad size"),
    ("lmdb,,64m,extra", "unexpected"),
    ("ram,64m,extra", "bad size"),
    ("1st=ram,64m", "bad name"),
    ("=ram,64m", "bad name"),
    ("lmdb,/proc/nowhere/store,64m", "/proc/nowhere"),
    ("lmdb,/etc/passwd,64m", "/etc/passwd"),
    ("lmdb,%s,64m" % ("x" * 5000), "too long"),
])
def test_wrong_specs(origin, spec, why):
    copal = Copald(origin, store=spec or " ")
    try:
        done = subprocess.run(
            [COPALD, "-F", "-n", copal.workdir, "-a", "127.0.0.1:0",
             "-s", spec, *copal.args],
            capture_output=True, text=True, timeout=60)
        assert done.returncode == 2, done.stderr
        assert why in done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        assert done.stderr.startswith("copald: ")
    finally:
        copal.remove()


def test_same_store_twice(origin):
    for args, why in ((["-s", "a=ram", "-s", "a=ram"], "named a"),
                      (["-s", "a=lmdb,,64m", "-s", "b=lmdb,,64m"],
                       "another store is in")):
        copal = Copald(origin)
        try:
            done = subprocess.run(
                [COPALD, "-F", "-n", copal.workdir, "-a", "127.0.0.1:0",
                 *args, *copal.args],
                capture_output=True, text=True, timeout=60)
            assert done.returncode == 2 and why in done.stderr
            assert done.stderr.count("\n") == 1, done.stderr
        finally:
            copal.remove()


@pytest.mark.parametrize("step", [0, 1000])
def test_slow_readers(origin, step):
    """Clients that take nothing, or a little now and then, hold segments that
    the store has given up: a quarter of it at most, then they are cut off,
    and what they got was right."""
    paths = [f"/b/4000000/s{i}" for i in range(12)]
    size = 64 * MB
    ended, got = threading.Event(), {}

    def read(path, sock):
        with sock:
            data = b""
            while not ended.wait(0.05):
                try:
                    more = sock.recv(step or 1)
                except OSError:
                    return
                data += more
                got[path] = data
                if not more:
                    return
                if not step:
                    ended.wait()
            try:
                while more := sock.recv(1 << 20):
                    got[path] = got[path] + more
            except OSError:
                pass

    with Copald(origin, store="lmdb,,64m") as copal:
        for path in paths:
            assert copal.get(path).status == 200
        wait_until("all on disk",
                   lambda: copal.counter("store_puts") == len(paths))
        readers = []
        for path in paths:
            sock = connect(copal.port, 4096)
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
            readers.append(threading.Thread(target=read, args=(path, sock)))
            readers[-1].start()
        wait_until("all to read", lambda: len(got) == len(paths))
        done = iter(range(1000_000))

        def churned():
            path = f"/b/1000000/c{next(done)}"
            assert copal.get(path).body == origin.body(path)
            return copal.counter("store_evicted") > 150

        wait_until("everything to be replaced", churned)
        wait_until("some to be cut off",
                   lambda: copal.counter("store_cut_off") > 0)
        wait_until("the others to hold no more than a quarter", lambda:
                   copal.counter("store_held_bytes") <= size // 4)
        assert copal.disk() <= size * 5 // 4
        ended.set()
        for reader in readers:
            reader.join()
        whole = 0
        for path, data in got.items():
            head, _, body = data.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200") or not body
            assert origin.body(path).startswith(body)
            whole += len(body) == 4_000_000
        assert whole < len(paths)
        check_hits(copal, origin)


# -------------------------------------------------------------- disk full

def churn(copal, origin, n, size=300_000, tag="c"):
    with copal.client() as client:
        for i in range(n):
            path = f"/b/{size}/{tag}{i}"
            r = client.get(path)
            assert r.status == 200 and r.body == origin.body(path)


def mounted(size):
    """A small file system at a new folder; None if that may not be."""
    folder = os.path.join("/tmp", f"copal.disk.{os.getpid()}")
    os.makedirs(folder, exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o",
                           f"size={size},mode=755", "tmpfs", folder],
                          capture_output=True)
    if done.returncode != 0:
        os.rmdir(folder)
        return None
    return folder


def test_disk_full(origin):
    """The store is given 256 MB of a disk that has 40."""
    folder = mounted("40m")
    if folder is None:
        pytest.skip("may not mount a tmpfs")
    try:
        with Copald(origin, store=f"lmdb,{folder}/store,256m") as copal:
            churn(copal, origin, 20)
            with open(os.path.join(folder, "others"), "wb",
                      buffering=0) as f:
                try:    # somebody else takes all that is left
                    while True:
                        f.write(b"x" * 65536)
                except OSError:
                    pass
            churn(copal, origin, 300)
            for _ in range(2):
                r = copal.get("/b/300000/c299")
                assert r.body == origin.body("/b/300000/c299")
            assert r.is_hit
            os.unlink(os.path.join(folder, "others"))
            churn(copal, origin, 100, tag="d")
            check_hits(copal, origin)
            copal.stop()
            copal.start()
            check_hits(copal, origin)
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
        os.rmdir(folder)


@pytest.mark.skipif(is_sanitized(), reason="sanitizers map large files")
def test_files_may_not_grow(origin):
    """RLIMIT_FSIZE: writes fail with EFBIG from the first segment on."""
    with Copald(origin, "-p", "vsl_space=2m", store="lmdb,,256m",
                fsize=8 * MB) as copal:
        churn(copal, origin, 60)
        check_hits(copal, origin)
        assert copal.get("/b/300000/c59").is_hit
        copal.fsize = None
        copal.stop()
        copal.start()
        churn(copal, origin, 60)
        check_hits(copal, origin)


def test_folder_is_lost(origin):
    """rm -r of a store that is in use: what is in memory is served."""
    with Copald(origin, store="lmdb,,64m") as copal:
        check_hits(copal, origin)
        subprocess.run(["rm", "-r", copal.workdir / "store"], check=True)
        check_hits(copal, origin)
        churn(copal, origin, 400)
        check_hits(copal, origin)
        copal.stop()
        copal.start()
        check_hits(copal, origin)


def test_files_are_cut_short(origin, monkeypatch):
    """Somebody truncates what is in use: no SIGBUS, nothing wrong."""
    # what LMDB had in hand when the page was gone is left behind
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=0")
    with Copald(origin, store="lmdb,,64m") as copal:
        check_hits(copal, origin)
        churn(copal, origin, 30, size=900)
        churn(copal, origin, 5, size=3_000_000, tag="large")
        copal.stop()
        copal.start()       # all of it on disk alone
        assert copal.get("/b/3000000/large0").is_hit
        worker = copal.worker
        for segment in (copal.workdir / "store" / "seg").iterdir():
            os.truncate(segment, 4096)
        for _ in range(3):
            for i in range(5):
                path = f"/b/3000000/large{i}"
                try:
                    r = copal.get(path)
                except http.client.HTTPException:
                    continue    # found under way: cut off
                assert r.status == 200 and r.body == origin.body(path)
        assert copal.get("/b/3000000/large0").body == \
            origin.body("/b/3000000/large0")
        wait_until("them to be counted",
                   lambda: copal.counter("store_corrupt") >= 4)
        os.truncate(copal.workdir / "store" / "cat" / "data.mdb", 8192)
        for _ in range(2):
            churn(copal, origin, 30, size=900)
            check_hits(copal, origin)
        assert copal.worker == worker
        assert "its file was cut short" in copal.log
        # the next start begins with an empty store
        copal.stop()
        copal.start()
        check_hits(copal, origin)
        assert "starting with an empty store" in copal.log


def test_second_hit(origin):
    """store_second_hit: asked for once, it is in memory alone."""
    once = [f"/b/{size}/once" for size in (500, 50_000, 3_000_000)]
    twice = [f"/b/{size}/twice" for size in (0, 500, 50_000, 3_000_000)]
    with Copald(origin, "-p", "store_second_hit=on") as copal:
        for path in once + twice + twice:
            assert copal.get(path).status == 200
        purged = "/b/50000/purged"
        assert copal.get(purged).status == 200
        assert copal.get(purged).is_hit
        assert copal.get(purged, "PURGE").status == 200
        wait_until("what was hit to be written",
                   lambda: copal.counter("store_puts") >= len(twice))
        copal.stop()
        copal.start()
        for path in twice:
            r = copal.get(path)
            assert r.is_hit and r.body == origin.body(path)
        for path in once + [purged]:
            assert not copal.get(path).is_hit


def test_object_max(origin):
    """storage_object_max works at once; what is larger passes through."""
    with Copald(origin, store="lmdb,,64m") as copal:
        for max_, kept in (("1m", False), ("30m", True), ("0", False)):
            copal.adm("param.set", "storage_object_max", max_)
            path = f"/b/20000000/m{max_}"
            for _ in range(2):
                r = copal.get(path)
                assert r.body == origin.body(path)
            assert r.is_hit == kept


def test_crashes_within_a_minute(origin):
    """Of three it may be the reason: it is set aside; two are forgiven."""
    with Copald(origin) as copal:
        copal.get("/b/1000/x")
        wait_until("on disk", lambda: copal.counter("store_puts") == 1)
        for n in range(3):
            old = copal.worker
            copal.adm("debug.panic.worker")
            copal.wait_new_worker(old)
            if n < 2:
                assert copal.get("/b/1000/x").is_hit
                assert "kept as" not in copal.log
        assert "a crash followed within a minute: kept as" in copal.log
        assert not copal.get("/b/1000/x").is_hit
        check_hits(copal, origin)
        copal.forget_crashes()
