"""A disk that is slow, fails, or is full, below a running copald."""
import ctypes
import errno
import os
import re
import struct
import threading

import pytest

from copal import Copald, Origin, wait_until


@pytest.fixture
def origin():
    with Origin() as o:
        yield o


def cold(copal, origin, paths):
    """These are on disk, and not in memory."""
    for path in paths:
        assert copal.get(path).status == 200
    copal.stop()
    copal.start()


class Getting(threading.Thread):
    """One request that may take its time."""

    def __init__(self, copal, path):
        super().__init__()
        self.copal, self.path, self.response = copal, path, None
        self.start()

    def run(self):
        self.response = self.copal.get(self.path)


@pytest.mark.parametrize("size", [50_000, 3_000_000])
def test_slow_read_delays_nobody_else(origin, size):
    """Cold reads hang; what is in memory is served as ever."""
    slow = [f"/b/{size}/slow{i}" for i in range(3)]
    small = [f"/b/900/s{i}" for i in range(5)]
    # all on one core: who is delayed is delayed by it
    with Copald(origin, "-p", "workers=1") as copal:
        cold(copal, origin, slow + small)
        copal.adm("debug.store_fault", "segment.read", "wait")
        waiting = [Getting(copal, path) for path in slow]
        with copal.client() as client:
            for _ in range(20):
                for path in small:  # in the catalogue: not read from there
                    r = client.get(path)
                    assert r.is_hit and r.body == origin.body(path)
                r = client.get(f"/b/20000/new{_}")  # misses go on as well
                assert r.status == 200
            # and a second request for one that hangs waits with it
            assert all(w.response is None for w in waiting)
        copal.adm("debug.store_fault", "segment.read", "none")
        for w in waiting:
            w.join()
            assert w.response.is_hit
            assert w.response.body == origin.body(w.path)


FAILING = [
    ("segment.create", "ENOSPC"), ("segment.create", "EIO"),
    ("segment.write", "EIO"), ("segment.write", "EDQUOT"),
    ("segment.sync", "EIO"), ("catalogue.begin", "ENOMEM"),
    ("catalogue.commit", "ENOSPC"), ("catalogue.commit", "EIO"),
]


@pytest.mark.parametrize("operation,error", FAILING)
def test_failing_writes(origin, operation, error):
    """Hits go on, nothing new is kept on disk, it is said, and it ends."""
    before = [f"/b/{size}/before" for size in (500, 90_000, 2_000_000)]
    after = [f"/b/{size}/after" for size in (500, 90_000, 5_000_000)]
    with Copald(origin, store="lmdb,,64m") as copal:
        cold(copal, origin, before)
        copal.adm("debug.store_fault", operation, error)
        for _ in range(2):
            for path in after + before:
                r = copal.get(path)
                assert r.status == 200 and r.body == origin.body(path)
                assert r.is_hit or path in after
        wait_until("it to be said",
                   lambda: "until that works again" in copal.log)
        assert re.search(r"store s0: [a-z ]+: ", copal.log)
        wait_until("it to be counted",
                   lambda: copal.counter("store_dropped") > 0)
        assert "not writable now" in copal.adm("storage.list")
        copal.adm("debug.store_fault", operation, "none")

        def kept():
            path = f"/b/70000/try{origin.total()}"
            copal.get(path)
            return "writes work again" in copal.log

        wait_until("it to recover", kept)
        assert "not writable now" not in copal.adm("storage.list")
        assert copal.get("/b/90000/last").status == 200
        copal.stop()
        copal.start()
        for path in before + ["/b/90000/last"]:
            r = copal.get(path)
            assert r.is_hit and r.body == origin.body(path)


@pytest.mark.parametrize("operation", ["segment.open", "segment.read",
                                       "catalogue.read"])
def test_failing_reads(origin, operation):
    """What can't be read is fetched; nothing wrong, and no crash."""
    paths = [f"/b/{size}/r{i}" for size in (500, 90_000, 3_000_000)
             for i in range(3)]
    with Copald(origin, store="lmdb,,64m") as copal:
        cold(copal, origin, paths)
        copal.adm("debug.store_fault", operation, "EIO")
        for _ in range(2):
            for path in paths:
                r = copal.get(path)
                assert r.status == 200 and r.body == origin.body(path)
        copal.adm("debug.store_fault", operation, "none")
        for path in paths:
            r = copal.get(path)
            assert r.status == 200 and r.body == origin.body(path)


def test_purge_is_not_acknowledged(origin):
    """What is not on disk is not said to be: a purge fails with the disk."""
    path = "/b/70000/p"
    with Copald(origin) as copal:
        assert copal.get(path).status == 200
        origin.change(path)
        copal.adm("debug.store_fault", "catalogue.commit", "EIO")
        assert copal.get(path, "PURGE").status != 200
        assert copal.try_adm("ban", "obj.status", "==", "200").returncode != 0
        copal.adm("debug.store_fault", "catalogue.commit", "none")
        assert copal.get(path, "PURGE").status == 200
        assert copal.get(path).generation == 1


def forbid_io_uring(error):
    """For copald, as a container's seccomp does: io_uring_setup(2) fails."""
    setup, ret, allow = 425, 0x00050000, 0x7fff0000
    program = struct.pack(
        "HBBI" * 4,
        0x20, 0, 0, 0,              # load the system call's number
        0x15, 0, 1, setup,          # skip the next one unless it is
        0x06, 0, 0, ret | error,
        0x06, 0, 0, allow)
    code = ctypes.create_string_buffer(program)

    class Prog(ctypes.Structure):
        _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]

    prog = Prog(4, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    libc.prctl(38, 1, 0, 0, 0)      # no new privileges
    assert libc.prctl(22, 2, ctypes.addressof(prog), 0, 0) == 0


@pytest.mark.parametrize("how", ["default", "off", "EPERM", "ENOMEM",
                                 "ENOSYS"])
def test_cold_reads_by_io_uring(origin, how):
    """Where it may be used, it is; else the pool serves, and that is said."""
    paths = [f"/b/{size}/u{i}" for size in (50_000, 300_000, 5_000_000)
             for i in range(3)]
    args = ["-p", "io_uring=off"] if how == "off" else []
    copal = Copald(origin, *args)
    if how.startswith("E"):
        copal.limits = lambda: forbid_io_uring(getattr(errno, how))
    with copal:
        cold(copal, origin, paths)
        for path in paths:
            r = copal.get(path)
            assert r.is_hit and r.body == origin.body(path)
        if how == "default":        # this machine may have none
            assert copal.counter("uring_reads") > 0 or \
                "no io_uring" in copal.log
            return
        assert copal.counter("uring_reads") == 0
        assert (f"no io_uring ({os.strerror(getattr(errno, how))})"
                in copal.log) if how != "off" else \
            "no io_uring" not in copal.log
