"""copallog and copalstat over a log that a small program writes as told."""

import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

BIN = pathlib.Path(os.environ["COPAL_BIN"])
WRITER = BIN.parent / "tests" / "system" / "log_writer"
LIMIT = 20  # seconds, for whatever is waited for


class Writer:
    def __init__(self, workdir):
        self.process = subprocess.Popen(
            [WRITER, workdir], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, *lines):
        """Sends commands and waits until they were carried out."""
        data = "".join(line + "\n" for line in lines) + "sync\n"
        self.process.stdin.write(data.encode())
        self.process.stdin.flush()
        assert self.process.stdout.readline() == b"ok\n"

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def workdir(tmp_path):
    return str(tmp_path)


@pytest.fixture
def write(workdir):
    writer = Writer(workdir)
    writer("ring 0 1")
    yield writer
    writer.kill()


REQUEST = [
    "begin c 2 1",
    "num Timestamp 1700000000.5,1700000000.5,1700000000.5 Start",
    "put ReqStart 192.0.2.1 4000 a0",
    "put ReqMethod GET",
    "put ReqURL /foo?a=1",
    "put ReqProtocol HTTP/1.1",
    "put ReqHeader Host: www.example:8080",
    r'put ReqHeader User-Agent: x"y\x1b\xffz',
    "put ReqHeader Authorization: Basic dXNlcjpwYXNz",
    "put VCL_call MISS",
    "num Link 98,3,6",
    "put VCL_Log key:some value",
    "num Timestamp 1700000000.75,1700000000.5,1700000000.5 Process",
    "num Timestamp 1700000001.75,1700000000.5,1700000000.75 Resp",
    "num RespStatus 200",
    "put RespHeader X-A: 1",
    "put RespUnset X-A: 1",
    "put RespHeader X-B: 2",
    "num ReqAcct 100,0,100,200,3000,3200",
    "end",
]
FETCH = ["begin b 3 2", "put BereqMethod GET", "num BerespStatus 200", "end"]
SESSION = ["begin s 1 0", "num Link 99,2,3", "num SessClose 1.5 REM_CLOSE",
           "end"]


def request(xid, status=200, url="/"):
    return [f"begin c {xid} 1", f"put ReqURL {url}",
            f"num RespStatus {status}", "end"]


def run(program, workdir, *args, code=0):
    result = subprocess.run(
        [BIN / program / program, "-n", workdir, *args], timeout=LIMIT,
        capture_output=True, env={**os.environ, "TZ": "UTC"})
    assert result.returncode == code, result.stderr
    return (result.stderr if code else result.stdout).decode()


def copallog(workdir, *args, **kwargs):
    return run("copallog", workdir, "-d", *args, **kwargs)


def test_request_with_its_fetch(workdir, write):
    write(*SESSION, *FETCH, *REQUEST, "raw CLI Rd ping")
    lines = copallog(workdir).split("\n")
    assert lines[0] == "*   << Request  >> 2         "
    assert lines[1] == "-   Begin          req 1 rxreq"
    assert lines[2] == ("-   Timestamp      "
                        "Start: 1700000000.500000 0.000000 0.000000")
    assert r'-   ReqHeader      User-Agent: x"y\x1b\xffz' in lines
    assert "-   Link           bereq 3 fetch" in lines
    assert "-   ReqAcct        100 0 100 200 3000 3200" in lines
    end = lines.index("-   End            ")
    assert lines[end + 1:] == [
        "**  << BeReq    >> 3         ", "--  Begin          bereq 2 fetch",
        "--  BereqMethod    GET", "--  BerespStatus   200",
        "--  End            ", "", ""]


@pytest.mark.parametrize("order", [REQUEST + FETCH, FETCH + REQUEST])
def test_order_of_a_group(workdir, write, order):
    write(*order)
    text = copallog(workdir, "-i", "ReqMethod,BereqMethod")
    assert text.split("\n")[1::2] == ["-   ReqMethod      GET",
                                      "--  BereqMethod    GET", ""]


def test_groupings(workdir, write):
    write(*SESSION, *FETCH, *REQUEST, "raw CLI Rd ping")
    assert copallog(workdir, "-g", "xid").count("*   << ") == 3
    session = copallog(workdir, "-g", "session")
    assert session.index("*   << Session  >> 1") == 0
    assert "\n**  << Request  >> 2" in session
    assert "\n*** << BeReq    >> 3" in session
    raw = copallog(workdir, "-g", "raw").split("\n")
    assert raw[0] == "         1 Link           c req 2 rxreq"
    assert raw[2] == "         3 BereqMethod    b GET"
    assert raw[-2] == "         0 CLI            - Rd ping"


def test_restart_and_esi_belong_to_their_request(workdir, write):
    write("begin c 5 1", "num Link 99,6,5", "end",
          "begin c 6 5 restart", "num Link 99,7,4", "end",
          "begin c 7 6 esi", "end")
    text = copallog(workdir, "-i", "Begin")
    assert text.split("\n")[:6] == [
        "*   << Request  >> 5         ", "-   Begin          req 1 rxreq",
        "**  << Request  >> 6         ", "--  Begin          req 5 restart",
        "*** << Request  >> 7         ", "--- Begin          req 6 esi"]


def test_sides(workdir, write):
    write(*FETCH, *REQUEST)
    assert "BeReq" not in copallog(workdir, "-c")
    assert "Request" not in copallog(workdir, "-b")


def test_filters(workdir, write):
    write(*FETCH, *REQUEST)
    assert copallog(workdir, "-i", "Resp*", "-x", "RespUnset") == (
        "*   << Request  >> 2         \n-   RespStatus     200\n"
        "-   RespHeader     X-A: 1\n-   RespUnset      X-A: 1\n"
        "-   RespHeader     X-B: 2\n\n")
    assert "RespUnset" not in copallog(workdir, "-x", "RespUnset")
    assert copallog(workdir, "-I", "ReqHeader:^Host") == (
        "*   << Request  >> 2         \n"
        "-   ReqHeader      Host: www.example:8080\n\n")
    assert "Host" not in copallog(workdir, "-X", "^Host")
    assert "Host" not in copallog(workdir, "-C", "-X", "^HOST")


def test_queries(workdir, write):
    write(*request(10, 200, "/a"), *request(11, 503, "/b"))
    text = copallog(workdir, "-q", "RespStatus >= 500", "-i", "ReqURL")
    assert text.split("\n")[1] == "-   ReqURL         /b"
    text = copallog(workdir, "-g", "raw", "-q", 'ReqURL ~ "^/a"')
    assert text == "        10 ReqURL         c /a\n"
    err = copallog(workdir, "-q", "Bogus", code=2)
    assert err == ('copallog: -q: "Bogus" is not a tag of the log, '
                   'at offset 0\n')


def test_ncsa(workdir, write):
    write(*FETCH, *REQUEST)
    assert copallog(workdir, "--ncsa") == (
        '192.0.2.1 - user [14/Nov/2023:22:13:20 +0000] '
        '"GET http://www.example:8080/foo?a=1 HTTP/1.1" 200 3000 "-" '
        r'"x\"y\x1b\xffz"' "\n")
    fmt = ("%D %T %v %q %U %{X-A}o %{X-B}o %{Varnish:hitmiss}x "
           "%{Copal:handling}x %{VCL_Log:key}x "
           "%{VSL:Timestamp:Process[2]}x %{Copal:time_firstbyte}x "
           r"%I %O %b %{sec}t %{%F}t %{Varnish:side}x %>s\t%%")
    assert copallog(workdir, "--format", fmt) == (
        "1250000 1 www.example ?a=1 /foo - 2 miss miss some value 0.250000 "
        "0.250000 100 3200 3000 1700000000 2023-11-14 c 200\t%\n")
    assert copallog(workdir, "--ncsa", "-b").split()[5:7] == [
        '"GET', 'http://localhost-']
    assert "Unknown format" in copallog(workdir, "--format", "%Z", code=2)


def test_ncsa_leaves_out_includes(workdir, write):
    """Their bytes are the page's, and no client has asked for them."""
    write("begin c 5 1", "put ReqURL /page", "end",
          "begin c 6 5 esi", "put ReqURL /include", "end")
    assert copallog(workdir, "-F", "%U") == "/page\n"
    assert copallog(workdir, "-F", "%U", "-E") == "/page\n/include\n"
    assert copallog(workdir, "-F", "%U", "-bE") == "/page\n/include\n"


def test_ncsa_tells_what_was_on_the_wire(workdir, write):
    """Not what policy has made of what came."""
    write("begin c 5 1", "put ReqMethod POST", "put ReqURL /sent?q",
          "put ReqHeader A: sent", "put VCL_call RECV", "put ReqMethod GET",
          "put ReqURL /changed", "put ReqUnset A: sent",
          "put ReqHeader A: changed", "put ReqHeader B: added",
          "put RespStatus 200", "put RespHeader C: came",
          "put VCL_call DELIVER", "put RespStatus 201",
          "put RespHeader C: changed", "end")
    assert copallog(workdir, "-F", "%m %U%q %{A}i %{B}i %s %{C}o") == (
        "POST /sent?q sent - 201 changed\n")
    write("begin b 6 5", "put BereqURL /sent", "put BereqHeader A: came",
          "put VCL_call BACKEND_FETCH", "put BereqURL /made",
          "put BereqUnset A: came", "put BerespStatus 202",
          "put BerespHeader C: came", "put VCL_call BACKEND_RESPONSE",
          "put BereqURL /late", "put BereqHeader A: late",
          "put BerespStatus 200", "put BerespHeader C: changed", "end")
    assert copallog(workdir, "-b", "-F", "%U %{A}i %s %{C}o") == (
        "/made - 202 came\n")
    # a retry is logged in the same transaction: the last try counts
    write("begin b 8 7", "put BereqURL /first", "put BerespStatus 500",
          "put BerespHeader C: first", "put VCL_call BACKEND_RESPONSE",
          "put BereqURL /second", "put VCL_return retry",
          "put BereqURL /second", "put BereqHeader A: second",
          "put BerespStatus 202", "put VCL_call BACKEND_RESPONSE",
          "put BerespStatus 200", "end")
    assert copallog(workdir, "-b", "-F", "%U %{A}i %s %{C}o").endswith(
        "/second second 202 -\n")


def test_ncsa_tells_of_markers(workdir, write):
    write("begin c 5 1", "put HitMiss 3 1.5", "put VCL_call MISS", "end",
          "begin c 6 1", "put HitPass 3 1.5", "put VCL_call PASS", "end",
          "begin c 7 1", "put HitMiss 3 1.5", "put VCL_call MISS",
          "put VCL_call PASS", "end")
    fmt = "%{Varnish:handling}x %{Varnish:hitmiss}x"
    assert copallog(workdir, "-F", fmt) == (
        "hitmiss miss\nhitpass miss\npass miss\n")


def test_to_standard_output(workdir, write, tmp_path, monkeypatch):
    write("begin c 5 1", "put ReqURL /page", "end")
    monkeypatch.chdir(tmp_path)
    assert copallog(workdir, "-w", "-", "-F", "%U") == "/page\n"
    assert not list(tmp_path.glob("-"))


def test_ncsa_leaves_out_what_was_restarted(workdir, write):
    write("begin c 5 1", "put ReqURL /a", "put VCL_return restart", "end",
          "begin c 6 5 restart", "put ReqURL /b", "put VCL_return deliver",
          "end")
    assert copallog(workdir, "--format", "%U") == "/b\n"


def test_json(workdir, write):
    write(*FETCH, *REQUEST)
    req, fetch = map(json.loads, copallog(workdir, "--json").splitlines())
    assert req["id"] == 2 and req["kind"] == "request" and req["complete"]
    assert req["status"] == 200 and req["duration"] == 1.25
    assert req["bytes_out"] == 3200 and req["handling"] == "miss"
    assert ["ReqHeader", 'User-Agent: x"y\x1b\u00ffz'] in req["records"]
    assert fetch["parent"] == 2 and fetch["level"] == 2
    every_byte = "".join(f"\\x{i:02x}" for i in range(1, 256))
    write("begin c 9 1", f"put ReqURL {every_byte}", "end")
    last = json.loads(copallog(workdir, "--json").splitlines()[-1])
    assert last["url"] == "".join(map(chr, range(1, 256)))


def test_parts_are_put_together(workdir, write):
    """log_writer has 1 KiB of buffer."""
    long = "x" * 60000
    write("begin c 2 1", *[f"put Notice {i} {'y' * 50}" for i in range(100)],
          f"put ReqURL /{long}", "end")
    lines = copallog(workdir).split("\n")
    assert len(lines) == 106
    assert lines[0] == "*   << Request  >> 2         "
    assert lines[-4] == "-   ReqURL         /" + long


def test_incomplete(workdir, write):
    write("begin c 2 1", "put ReqURL /a", "flush")
    assert copallog(workdir).startswith(
        "*   << Request  >> 2          (incomplete)\n")
    write("end")
    assert "incomplete" not in copallog(workdir)


def test_number_of_groups(workdir, write):
    for xid in range(10, 20):
        write(*request(xid))
    assert copallog(workdir, "-k", "3").count("<<") == 3


class Follower:
    def __init__(self, workdir, *args):
        self.process = subprocess.Popen(
            [BIN / "copallog" / "copallog", "-n", workdir, *args],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def line(self):
        return self.process.stdout.readline().decode()

    def stop(self):
        """How it ends, and what it has to say."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=LIMIT)
        assert err == b""
        assert self.process.returncode == 0
        return out.decode()


def test_follows_across_a_crash_and_new_rings(workdir, write):
    write(*request(2, url="/before"))
    log = Follower(workdir, "-d", "--follow", "--format", "%U")
    assert log.line() == "/before\n"
    write(*request(3, url="/after"))
    assert log.line() == "/after\n"
    # The writer dies, another goes on in the same ring.
    write("begin c 4 1", "put ReqURL /lost")
    write.kill()
    other = Writer(workdir)
    other("ring 0 1", *request(2, url="/again"))
    assert log.line() == "/again\n"
    # A ring of another size, and one more.
    other("ring 0 1000000", *request(5, url="/replaced"))
    assert log.line() == "/replaced\n"
    other("ring 1 1", *request(6, url="/core1"))
    assert log.line() == "/core1\n"
    other.kill()
    assert log.stop() == ""


def test_overrun_is_reported(workdir, write):
    log = Follower(workdir, "-d", "--follow", "-g", "raw")
    write("fill 1")
    assert "filler 1" in log.line()
    log.process.send_signal(signal.SIGSTOP)
    os.waitpid(log.process.pid, os.WUNTRACED)
    write("fill 100000")  # 20 times the ring
    log.process.send_signal(signal.SIGCONT)
    line = log.line()
    first = int(line.split()[-1])
    while not line.endswith("filler 100000\n"):
        line = log.line()
    log.process.send_signal(signal.SIGINT)
    _, err = log.process.communicate(timeout=LIMIT)
    assert log.process.returncode == 0
    assert 90000 < first < 100000
    assert err.startswith(b"copallog: too slow: ")


def test_reader_that_goes_away(workdir, write):
    log = Follower(workdir, "-d", "--follow", "-g", "raw")
    write("fill 10")
    log.line()
    log.process.stdout.close()
    write("fill 2000")
    assert log.process.wait(LIMIT) == 0
    assert log.process.stderr.read() == b""
    log.process.stderr.close()


def test_file_and_rotation(workdir, write, tmp_path):
    target = tmp_path / "access.log"
    write(*request(2, url="/one"))
    log = Follower(workdir, "-d", "--follow", "-a", "-w", str(target),
                   "--format", "%U")

    def wait_for(text):
        deadline = time.monotonic() + LIMIT
        while not target.exists() or target.read_text() != text:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    wait_for("/one\n")
    target.rename(tmp_path / "access.log.1")
    log.process.send_signal(signal.SIGHUP)
    wait_for("")
    write(*request(3, url="/two"))
    wait_for("/two\n")
    assert log.stop() == ""


def test_wrong_use(workdir, write):
    assert "No such file" in run(
        "copallog", workdir + "/none", "-t", "0", code=2)
    for args in (["-g", "x"], ["-k", "0"], ["-T", "x"], ["-i", "x"],
                 ["-I", "("], ["-g", "raw", "--json"], ["x"], ["-?"]):
        err = run("copallog", workdir, *args, code=2)
        assert err.endswith("\n") and "Sanitizer" not in err


def test_copalstat(workdir, write):
    write("count client_req 5", "count uptime 2")
    lines = run("copalstat", workdir, "-1").splitlines()
    assert len(lines) > 50
    assert lines[0].split(None, 3) == [
        "MAIN.uptime", "2", ".", "Seconds since the worker started"]
    line = run("copalstat", workdir, "-1", "-f", "client_req")
    assert line.split(None, 3) == ["MAIN.client_req", "5", "2.50",
                                   "Good client requests\n"]
    assert run("copalstat", workdir, "-1", "-f", "MAIN.client_req") == line
    counters = json.loads(run("copalstat", workdir, "-j"))["counters"]
    assert counters["MAIN.client_req"] == {
        "description": "Good client requests", "flag": "c", "format": "i",
        "value": 5}
    assert counters["MAIN.s_resp_bodybytes"]["format"] == "B"
    names = [line.split()[0] for line in run(
        "copalstat", workdir, "-l", "-f", "^*_400", "-f",
        "client_*").splitlines()]
    assert names == ["MAIN.client_req", "MAIN.client_resp_500"]
    assert "No counter" in run("copalstat", workdir, "-1", "-f", "x", code=2)
    assert "Not a terminal" in run("copalstat", workdir, code=2)
    assert "No such file" in run(
        "copalstat", workdir + "/none", "-1", "-t", "0", code=2)
