"""Purges by tag: acknowledged ones outlive a crash, and there is a bound."""
import json
import os
import re
import subprocess

import pytest

from copal import COPALLOG, Copald, Origin, tag_of, wait_until

VCL = """vcl 4.1;
import std;
import xkey;
backend default { .host = "127.0.0.1"; .port = "%%(port)d"; }
sub vcl_recv {
    if (req.http.Purge) {
        return (synth(200, "n=" + xkey.purge(req.http.Purge)));
    }
    if (req.http.Purge-File) {
        return (synth(200, "n=" + xkey.purge(std.fileread("%s"))));
    }
}
sub vcl_backend_response {
    set beresp.tags = bereq.url;
}
"""
# As in ban.c: more than this many purged tags are not remembered.
REMEMBERED = 1024 * 1024
IN_FILE = 100_000


@pytest.fixture
def origin():
    with Origin() as o:
        yield o


def purge(copal, tags):
    assert copal.get("/", headers={"Purge": tags}).status == 200


def test_crash_after_purge(origin):
    with Copald(origin, vcl=VCL % "/nothing") as copal:
        for name in "abc":
            copal.get(f"/b/3000/{name}")
        wait_until("objects to be on disk",
                   lambda: copal.counter("store_puts") == 3)
        for name in "ab":
            purge(copal, f"/b/3000/{name}")
            copal.kill_manager()
            copal.start()
            assert copal.get("/b/3000/c").is_hit
            assert not copal.get(f"/b/3000/{name}").is_hit
        copal.forget_crashes()


def test_many_purges(origin):
    """The older half is forgotten, and with it what nobody asked for."""
    copal = Copald(origin, vcl="")
    tags = copal.dir / "tags"
    tags.write_text("\n".join(f"other{i}" for i in range(IN_FILE)))
    (copal.dir / "test.vcl").write_text(VCL % tags % {"port": origin.port})
    with copal:
        copal.get("/b/3000/old")
        copal.get("/b/3000/young")
        for i in range(REMEMBERED // IN_FILE + 1):
            if i == REMEMBERED // IN_FILE - 1:
                assert copal.get("/b/3000/young").is_hit
            r = copal.get("/", headers={"Purge-File": "1"})
            assert r.status == 200
        assert copal.counter("tags_purged") > REMEMBERED
        # the object on disk must not come back, either
        copal.stop()
        copal.start()
        assert not copal.get("/b/3000/old").is_hit
        assert copal.get("/b/3000/old").is_hit
        purge(copal, "/b/3000/old")
        assert not copal.get("/b/3000/old").is_hit


def test_audit():
    """Each invalidation leaves a line: what, where in the log, of what."""
    with Origin() as origin, Copald(origin) as copal:
        path = "/b/1000/audit"
        copal.get(path)
        assert copal.get(path, "PURGE").status == 200
        copal.adm("purge", path, "Host: a")
        copal.adm("purge", "-soft", path, "Host: a")
        copal.adm("purge", "-tag", "one two")
        copal.adm("ban", "req.url", "==", "/x")
        copal.adm("purge", "-n", path, "Host: a")   # nothing is done
        copal.adm("ban", "-n", "req.url", "==", "/y")

        def lines():
            out = subprocess.run(
                [COPALLOG, "-n", copal.workdir, "-d", "-g", "raw", "-i",
                 "Audit"], capture_output=True, text=True, timeout=60).stdout
            found = re.findall(r"Audit\s+[-bc]\s+(.*)", out)
            return found if len(found) >= 5 else None

        found = wait_until("the log", lines)
        # the CLI's in their order; the request's is another thread's
        cli = f"cli:uid={os.getuid()}"
        assert [re.sub(r"\d{10,}", "N", x) for x in
                sorted(found, key=lambda x: x.startswith("cli"))] == [
            f"purge N 1 {path}",
            f"{cli} purge N 0 {path}",
            f"{cli} softpurge N 0 {path}",
            f"{cli} tags N 0 one two",
            f"{cli} ban N 0 req.url == /x",
        ]


def test_dry_run_on_disk(origin):
    """What is not in memory is counted and named, too."""
    with Copald(origin, vcl=VCL % "/nothing") as copal:
        for i in range(12):
            copal.get(f"/b/{(500, 3000, 200_000)[i % 3]}/d{i}")
        wait_until("objects to be on disk",
                   lambda: copal.counter("store_puts") == 12)
        assert copal.adm("ban", "-n", "obj.status", "==", "200").startswith(
            "At most 12 objects would be banned\n")
        copal.stop()
        copal.start()
        assert copal.get("/b/500/d0").is_hit
        dry = copal.adm("ban", "-n", "obj.status", "==", "200")
        assert dry.startswith(
            "At most 12 objects would be banned, 11 of them only on disk\n")
        assert len(dry.splitlines()) == 1 + 10
        dry = copal.adm("purge", "-n", "-tag", "/b/3000/d1 /b/500/d0 none")
        assert dry.startswith(
            "2 objects would be purged, 1 of them only on disk\n")
        assert "/b/3000/d1" in dry and "/b/500/d0" in dry
        dry = json.loads(copal.adm("purge", "-j", "-n", "-tag", "/b/3000/d1"))
        assert dry[-1]["objects"] == dry[-1]["only_on_disk"] == 1
        assert dry[-1]["sample"][0]["url"] == "/b/3000/d1"
        assert not dry[-1]["partial"]
        assert all(copal.get(f"/b/3000/d{i}").is_hit for i in (1, 4, 7, 10))
