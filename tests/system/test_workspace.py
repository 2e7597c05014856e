"""A workspace that ends at any byte of what a policy wants from it.

A header of the request takes as much of the workspace as the test likes; what
the policy does after that has more or less room.  An answer is right, or it is
a 503, and nothing that is wrong is kept.
"""
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
