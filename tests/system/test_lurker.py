"""Bans are completed in the background for what is only on disk, too."""
from copal import Copald, Origin, wait_until

VCL = """vcl 4.1;
backend default { .host = "127.0.0.1"; .port = "%(port)d"; }
sub vcl_backend_response {
    set beresp.tags = bereq.url;
}
"""


def bans(copal):
    return copal.adm("ban.list").count("req.url")


def test_disk():
    with Origin() as origin, Copald(origin, vcl=VCL) as copal:
        for i in range(20):
            copal.get(f"/b/100/{i}")
        wait_until("objects to be on disk",
                   lambda: copal.counter("store_puts") == 20)
        copal.stop()
        copal.start()
        copal.adm("param.set", "ban_lurker_age", "0")
        copal.adm("ban", "req.url", "~", "^/b/100/1.$")
        copal.adm("ban", "req.url", "==", "/b/100/2")
        copal.adm("ban", "req.url", "==", "/none")
        wait_until("the bans to be completed", lambda: bans(copal) == 1)
        assert copal.counter("bans_lurker_obj_killed") == 11
        # nothing was tested at a lookup, or read into memory
        assert copal.counter("bans_tested") == 0
        hits = {i: copal.get(f"/b/100/{i}").is_hit for i in range(20)}
        assert hits == {i: i < 10 and i != 2 for i in range(20)}
        copal.stop()
        copal.start()
        assert all(copal.get(f"/b/100/{i}").is_hit for i in range(20))


DEVICE = {"Device": "/none"}
KEYED = VCL + """sub vcl_hash {
    hash_data(req.http.Device);
}
"""


def test_regression_key_of_other_parts():
    """Of such a key nobody can tell the URL, also not before the first request."""
    with Origin() as origin, Copald(origin, vcl=KEYED) as copal:
        path = "/b/100/1"
        assert copal.get(path, headers=DEVICE).generation == 0
        wait_until("the object to be on disk",
                   lambda: copal.counter("store_puts") == 1)
        copal.stop()
        copal.start()
        copal.adm("param.set", "ban_lurker_age", "0")
        copal.adm("ban", "req.url", "==", path)
        origin.change(path)
        # a ban that can be decided: when it is gone a pass has ended
        copal.adm("ban", "obj.status", "==", "999")
        wait_until("a pass", lambda: copal.counter("bans_lurker_tested") > 0)
        assert copal.get(path, headers=DEVICE).generation == 1
