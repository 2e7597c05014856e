"""The origin refuses, hangs or resets: what clients get, and recovery."""
import concurrent.futures
import http.client
import socket
import threading
import time

import pytest

from copal import Copald, Origin, wait_until

VCL = """vcl 4.1;
backend default {
    .host = "127.0.0.1"; .port = "%(port)d";
    .first_byte_timeout = 1s;
}
sub vcl_recv {
    if (req.method == "PURGE") { return (purge); }
}
"""


@pytest.fixture
def origin():
    with Origin() as o:
        yield o


@pytest.fixture
def copal(origin):
    with Copald(origin, vcl=VCL, store="ram,64m") as c:
        yield c


def take_down(origin, how):
    if how == "refuse":
        origin.stop()
    else:
        origin.mode = how


def bring_up(origin, how):
    if how == "refuse":
        origin.start()
    origin.mode = ""


def status_of(how):
    """RFC 9110 15.6.5: a gateway that waited too long says so."""
    return 504 if how == "hang" else 503


HOWS = pytest.mark.parametrize("how", ["refuse", "hang", "reset"])


@HOWS
def test_error_page(origin, copal, how):
    assert copal.get("/b/100/before").status == 200
    take_down(origin, how)
    with copal.client() as client:
        for path in ("/b/100/x", "/b/100/y"):
            r = client.get(path)
            assert r.status == status_of(how)
            assert "Retry-After" in r.headers
            assert r.headers["Content-Type"].startswith("text/html")
            assert str(r.status).encode() in r.body
        assert client.get("/b/100/x", "HEAD").status == status_of(how)
        assert client.get("/b/100/before").is_hit
    bring_up(origin, how)
    # an error is not kept
    wait_until("recovery", lambda: copal.get("/b/100/x").status == 200)
    assert copal.get("/b/100/x").body == origin.body("/b/100/x")


@HOWS
def test_all_who_wait_are_told(origin, copal, how):
    """One fetch fails: none of those who waited for it is forgotten."""
    take_down(origin, how)
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: copal.get("/b/100/together").status,
                                range(20)))
    assert answers == [status_of(how)] * 20


@HOWS
def test_stale_is_served(origin, copal, how):
    copal.adm("param.set", "default_grace", "1000")
    path = "/b/5000/stale?cc=max-age=1"
    assert not copal.get(path).is_hit
    take_down(origin, how)
    time.sleep(1.1)     # until it is stale
    with copal.client() as client:
        for _ in range(5):
            r = client.get(path)
            assert r.status == 200 and r.is_hit
            assert r.body == origin.body(path)
    assert copal.counter("cache_hit_grace") >= 5
    bring_up(origin, how)
    origin.change(path)
    wait_until("a fresh one", lambda: copal.get(path).generation == 1)


def test_stale_beyond_grace_is_not(origin, copal):
    copal.adm("param.set", "default_grace", "0")
    path = "/b/100/old?cc=max-age=1"
    assert copal.get(path).status == 200
    origin.stop()
    time.sleep(1.1)     # until it is stale
    assert copal.get(path).status == 503
    origin.start()


def test_pooled_connection_that_the_origin_closed(origin, copal):
    """Its restart is noticed by nobody."""
    with copal.client() as client:
        for i in range(5):
            assert client.get(f"/b/100/first{i}").status == 200
            origin.stop()
            origin.start()
            assert client.get(f"/b/100/second{i}").status == 200


def test_cut_short_is_never_complete(origin, copal):
    """The origin dies in the middle of a body; the client is told."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                s = server.accept()[0]
            except OSError:
                return
            s.recv(65536)
            s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n"
                      b"Cache-Control: max-age=100\r\n\r\n" + b"x" * 50000)
            s.close()

    threading.Thread(target=serve, daemon=True).start()
    (copal.dir / "cut.vcl").write_text(
        VCL % {"port": server.getsockname()[1]})
    copal.adm("vcl.load", "cut", str(copal.dir / "cut.vcl"))
    copal.adm("vcl.use", "cut")
    for _ in range(3):
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            copal.get("/b/100000/cut")
    assert copal.get("/b/100000/cut", "HEAD").is_hit is False
    server.close()


CLUSTER = """vcl 4.1;
import directors;
probe alive {
    .url = "/b/10/alive?cc=no-store";
    .interval = 0.1s; .timeout = 0.5s; .window = 4; .threshold = 3;
    .initial = 4;
}
backend one {
    .host = "127.0.0.1"; .port = "%(one)d"; .probe = alive;
    .first_byte_timeout = 1s;
}
backend two {
    .host = "127.0.0.1"; .port = "%(two)d"; .probe = alive;
    .first_byte_timeout = 1s;
}
sub vcl_init {
    new all = directors.round_robin();
    all.add_backend(one);
    all.add_backend(two);
}
sub vcl_recv { set req.backend_hint = all.backend(); }
sub vcl_backend_response {
    if (bereq.url ~ "grace") { set beresp.grace = 1000s; }
}
"""


@HOWS
def test_not_one_error_while_they_are_down(how):
    """
    Under load, with probes: all that is within stale-if-error or grace is
    served, from the moment when the origins fail until they are back.
    """
    paths = [f"/b/{100 * i}/{kind}{i}?cc=max-age=1{more}"
             for kind, more in (("error", ",stale-if-error=1000"), ("grace", ""))
             for i in range(1, 6)]
    stop = threading.Event()
    wrong, served = [], [0] * 8

    def load(n):
        with copal.client() as client:
            while not stop.is_set():
                path = paths[served[n] % len(paths)]
                try:
                    r = client.get(path)
                    if r.status != 200 or r.body != one.body(path):
                        wrong.append((path, r.status))
                except (OSError, http.client.HTTPException) as e:
                    wrong.append((path, e))
                served[n] += 1

    def served_more(n):
        before = list(served)
        wait_until("more requests", lambda: all(
            now >= then + n for now, then in zip(served, before)), 60)

    with Origin() as one, Origin() as two, Copald(
            one, vcl=CLUSTER % {"one": one.port, "two": two.port},
            store="ram,64m") as copal:
        for path in paths:
            assert copal.get(path).status == 200
        threads = [threading.Thread(target=load, args=(n,)) for n in range(8)]
        for t in threads:
            t.start()
        try:
            served_more(20)
            take_down(one, how)
            take_down(two, how)
            wait_until("both are sick", lambda: copal.adm(
                "backend.list").count("sick") >= 2)
            asked = one.total() + two.total()
            served_more(60)
            # as long as nobody answers nobody is asked, but by probes
            assert one.total() + two.total() - asked < 60
            bring_up(one, how)
            bring_up(two, how)
            served_more(20)
        finally:
            stop.set()
            for t in threads:
                t.join()
        assert wrong == []
        for path in paths:
            one.change(path)
            two.change(path)
        for path in paths:
            wait_until("a fresh one",
                       lambda path=path: copal.get(path).generation == 1)
