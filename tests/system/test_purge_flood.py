"""Purges: many at once share their commits, delay nobody, and hold on every core."""
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


def test_cold_reads_go_on():
    """Purges and bans that wait for a disk keep no thread from reading."""
    n = 4 * CLIENTS
    cold = [f"/b/{size}/cold{i}" for size in (100, 50_000, 300_000)
            for i in range(5)]
    # in this order: when copald has ended, the clients do
    with Origin() as origin, ThreadPoolExecutor(n) as pool, \
            Copald(origin, "-p", "workers=1", vcl=VCL) as copal:
        for path in cold:
            copal.get(path)
        wait_until("objects to be on disk",
                   lambda: copal.counter("store_puts") == len(cold))
        copal.stop()
        copal.start()
        copal.adm("debug.store_fault", "catalogue.commit", "wait")
        before = copal.counter("client_req")
        answers = [pool.submit(invalidate, copal, i) for i in range(n)
                   if i % 4 != 3]
        wait_until("all of them to be there", lambda: copal.counter(
            "client_req") - before == len(answers))
        for path in cold:
            r = copal.get(path)
            assert r.is_hit and r.body == origin.body(path)
        # and what is not there is fetched
        assert copal.get("/b/70000/new").status == 200
        assert not any(a.done() for a in answers)
        copal.adm("debug.store_fault", "catalogue.commit", "none")
        assert all(a.result() == 200 for a in answers)


def test_at_once_on_every_core():
    """Whoever asks after the acknowledgement gets what came after it."""
    path = "/b/3000/everywhere"
    vcl = VCL + "sub vcl_backend_response { set beresp.tags = bereq.url; }"
    with Origin() as origin, \
            Copald(origin, "-p", "workers=3", vcl=vcl) as copal:
        clients = [copal.client() for _ in range(24)]
        ways = [lambda client: client.get(path, "PURGE"),
                lambda client: client.get(path, "BAN"),
                lambda client: copal.adm("purge", "-tag", path),
                lambda client: copal.adm("ban", "obj.status", "==", "200"),
                lambda client: copal.adm("purge", path, "Host: 127.0.0.1:"
                                         f"{copal.port}")]
        for i in range(20):
            for client in clients:
                assert client.get(path).generation == i
            origin.change(path)
            ways[i % len(ways)](clients[i])
            for client in clients[i + 1:] + clients[:i + 1]:
                assert client.get(path).generation == i + 1, i
        for client in clients:
            client.close()
