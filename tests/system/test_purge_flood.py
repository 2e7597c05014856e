"""Many purges at once share their commits; each is on disk when answered."""
from concurrent.futures import ThreadPoolExecutor

from copal import Copald, Origin, wait_until

VCL = """vcl 4.1;
import std;
backend default { .host = "127.0.0.1"; .port = "%(port)d"; }
sub vcl_recv {
    if (req.method == "PURGE") { return (purge); }
    if (req.method == "BAN") {
        if (std.ban("req.url == " + req.url)) { return (synth(200)); }
        return (synth(500));
    }
}
"""
CLIENTS = 64


def invalidate(copal, i):
    """Of four objects two are purged, one is banned, one stays."""
    if i % 4 == 3:
        return 200
    return copal.get(f"/b/100/{i}",
                     method="BAN" if i % 4 == 2 else "PURGE").status


def test_flood():
    n = 4 * CLIENTS
    with Origin() as origin, Copald(origin, vcl=VCL) as copal:
        for i in range(n):
            copal.get(f"/b/100/{i}")
        wait_until("objects to be on disk",
                   lambda: copal.counter("store_puts") == n)
        with ThreadPoolExecutor(CLIENTS) as pool:
            answers = list(pool.map(lambda i: invalidate(copal, i), range(n)))
        assert answers == [200] * n
        groups = copal.counter("inval_groups")
        assert 0 < groups < 3 * CLIENTS
        # what was acknowledged is not undone by a crash
        copal.kill_manager()
        copal.start()
        for i in range(n):
            assert copal.get(f"/b/100/{i}").is_hit == (i % 4 == 3), i
        copal.forget_crashes()
