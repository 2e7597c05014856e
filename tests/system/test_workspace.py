"""A workspace that ends at any byte of what a policy wants from it.

A header of the request takes as much of the workspace as the test likes; what
the policy does after that has more or less room.  An answer is right, or it is
a 503, and nothing that is wrong is kept.
"""
import itertools
import re
import subprocess

import pytest

from copal import COPALLOG, Copald, Origin, is_sanitized

POLICY = """\
vcl 4.1;
import std;
import cookie;
backend default { .host = "127.0.0.1"; .port = "%(port)d"; }
sub vcl_recv {
    if (req.http.Big) {
        set req.http.Eaten = req.http.Big + "x";
        set req.http.Eaten = req.http.Eat + "x";
        unset req.http.Big;
        unset req.http.Eat;
        unset req.http.Eaten;
    }
    cookie.parse(req.http.Cookie);
    cookie.delete("b");
    set req.http.Cookie = cookie.get_string();
    set req.http.X-Kept = req.http.Cookie + "; " + req.http.Host;
    set req.url = std.querysort(req.url + "?z=1&a=" + req.http.Host.upper());
    unset req.http.Cookie;
}
sub vcl_hash {
    hash_data(req.url + req.http.X-Kept);
}
sub vcl_backend_fetch {
    if (bereq.http.Eat) {
        set bereq.http.Eaten = bereq.http.Eat + "x";
        unset bereq.http.Eaten;
    }
    set bereq.http.X-More = regsuball(bereq.url, "[aeiou]", "<\\0>");
}
sub vcl_backend_response {
    set beresp.http.X-Made = bereq.http.X-More + " " + beresp.status;
    set beresp.http.X-Twice = beresp.http.X-Made + beresp.http.X-Made;
    unset beresp.http.Server;
}
sub vcl_deliver {
    set resp.http.X-Sum = req.http.X-Kept + ", " + resp.http.X-Twice;
    set resp.http.X-Status = resp.status + " " + resp.reason;
}
"""
MOST = 7900     # bytes of a header
# a build with sanitizers has larger structs, and no time
STEP, BIG = (7, 2000) if is_sanitized() else (1, 6000)


def headers_of(side, eaten):
    """What makes the policy take that many bytes, and some, first."""
    if side == "client":
        return {"Big": "b" * BIG, "Eat": "e" * eaten}
    # a header of the request is copied for the fetch, and eaten there
    return {"Eat": "e" * (eaten // 2), "Odd": "o" * (eaten % 2)}


def is_answered(client, name, headers):
    """Right, or 503 and no trace of the policy."""
    url = f"/b/40/{name}"
    response = client.get(url, headers={
        "Host": "h", "Cookie": "a=1; b=2", **headers})
    if response.headers.get("Connection") == "close":
        client.close()
    if response.status == 503:
        assert response.headers.get("X-Made") is None
        return False
    url += "?a=H&z=1"
    made = re.sub("([aeiou])", r"<\1>", url) + " 200"
    assert response.status == 200 and len(response.body) == 40
    assert response.headers.get("X-Made") == made
    assert response.headers.get("X-Sum") == f"a=1; h, {made}{made}"
    assert response.headers.get("X-Status") == "200 OK"
    return True


@pytest.mark.parametrize("side", ["client", "backend"])
def test_any_byte(side):
    with Origin() as origin, Copald(
            origin, "-p", "workspace_client=9216", "-p",
            "workspace_backend=9216", "-p", "workers=1", "-p",
            "http_resp_size=1k", "-p", "vsl_space=256m", vcl=POLICY,
            store="ram,20m") as copal:
        worker = copal.worker
        with copal.client() as client:
            low, high = 0, MOST
            assert is_answered(client, "low", headers_of(side, low))
            assert not is_answered(client, "high", headers_of(side, high))
            while high - low > 1:
                middle = (low + high) // 2
                if is_answered(client, f"m{middle}",
                               headers_of(side, middle)):
                    low = middle
                else:
                    high = middle
            failed = 0
            for eaten in range(low - 64, MOST, STEP):
                failed += not is_answered(client, f"n{eaten}",
                                          headers_of(side, eaten))
                # nothing wrong was kept
                assert is_answered(client, f"n{eaten}", {})
            assert failed > 100
        said = subprocess.run(
            [COPALLOG, "-n", copal.workdir, "-d", "-g", "raw", "-i",
             "VCL_Error"], capture_output=True, text=True).stdout
        # the statements that had no room: several of them
        assert len(set(re.findall(r"Workspace overflow \(.*\) \(.*\)",
                                  said))) > 3, said[-2000:]
        assert copal.worker == worker


# what each of the other subs does with a header that ate its workspace
EAT = """
    if (%(http)s.Eat) {
        set %(http)s.Eaten = %(http)s.Eat + "x";
        set %(http)s.Eaten = %(http)s.Eaten + %(http)s.Eat;
        unset %(http)s.Eaten;
    }
    set %(made)s.X-Made = regsuball(%(url)s, "[a-z]", "<\\0>") + "!";
    set %(made)s.X-Twice = %(made)s.X-Made + %(made)s.X-Made;
"""
SUBS = {
    "hit": "req", "miss": "req", "pass": "req", "purge": "req",
    "pipe": "req", "synth": "req", "backend_error": "bereq",
    "backend_refresh": "bereq",
}
EACH = """\
vcl 4.1;
backend default { .host = "127.0.0.1"; .port = "%%(port)d"; }
backend down { .host = "127.0.0.1"; .port = "1"; }
sub vcl_%(sub)s {%(eat)s}
sub vcl_recv {
    if (req.url ~ "/purge") { return (purge); }
    if (req.url ~ "/pass") { return (pass); }
    if (req.url ~ "/pipe") { return (pipe); }
    if (req.url ~ "/synth") { return (synth(200)); }
    if (req.url ~ "/backend_error") { set req.backend_hint = down; }
    if (req.url ~ "/backend_refresh") { set req.http.Refresh = "1"; }
    return (hash);
}
sub vcl_hash {
    if (req.url ~ "/hit" || req.url ~ "/backend_refresh") {
        hash_data("one");
        return (lookup);
    }
}
sub vcl_backend_response {
    if (bereq.http.Refresh) {
        set beresp.ttl = 0.001s;
        set beresp.grace = 0s;
        set beresp.keep = 1h;
        set beresp.http.ETag = {""a""};
    }
}
sub vcl_purge { return (synth(200)); }
sub vcl_backend_error { set beresp.status = 200; }
"""


@pytest.mark.parametrize("sub", SUBS)
def test_each_sub(sub):
    """Any byte of what is left in it: 503, the policy whole, or not run."""
    head = SUBS[sub]
    eat = EAT % {
        "http": f"{head}.http", "url": f"{head}.url",
        "made": {"synth": "resp.http", "backend_error": "beresp.http",
                 "backend_refresh": "beresp.http"}.get(sub, f"{head}.http")}
    policy = EACH % {"sub": sub, "eat": eat}
    with Origin() as origin, Copald(
            origin, "-p", "workspace_client=9216", "-p",
            "workspace_backend=9216", "-p", "workers=1", "-p",
            "http_resp_size=1k", vcl=policy, store="ram,20m") as copal:
        worker = copal.worker
        urls = (f"/b/40/{sub}" + (f"?{n}" if sub == "miss" else "")
                for n in itertools.count(1000))
        seen = set()

        def ask(eaten):
            with copal.client() as client:
                response = client.get(next(urls), headers={
                    "Host": "h", "Connection": "close",
                    **({"Eat": "e" * eaten} if eaten else {})})
            assert response.status in (200, 503), response.status
            seen.add(response.status)
            return response.status == 200

        assert ask(0)
        low, high = 0, 4000
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if ask(middle) else (low, middle)
        for eaten in range(max(low - 40, 1), low + 120, STEP):
            ask(eaten)
            assert ask(0)
        assert seen == {200, 503}
        assert copal.worker == worker
