"""The manager: command line, CLI, VCL programs, the worker's life."""
import contextlib
import hashlib
import json
import os
import re
import signal
import socket
import stat
import subprocess
import time

import pytest

from copal import (COPALADM, COPALD, COPALSTAT, VCL, Copald, Origin,
                   free_port, is_alive, wait_until)

WAIT = 30


@pytest.fixture
def origin():
    with Origin() as o:
        yield o


@pytest.fixture
def copal(origin):
    with Copald(origin, store="ram,32m") as c:
        yield c


class Cli:
    """The protocol itself, over TCP or the state folder's socket."""

    def __init__(self, where):
        family = socket.AF_UNIX if isinstance(where, str) else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.settimeout(WAIT)
        self.socket.connect(where)
        self.file = self.socket.makefile("rb")
        self.greeting = self.answer()

    def answer(self):
        head = self.file.read(13)
        if len(head) < 13:
            raise EOFError
        assert re.fullmatch(rb"\d{3} \d+ *\n", head), head
        text = self.file.read(int(head[4:]) + 1)
        assert text.endswith(b"\n")
        return int(head[:3]), text[:-1].decode()

    def send(self, text):
        self.socket.sendall(text.encode())

    def ask(self, line):
        self.send(line + "\n")
        return self.answer()

    def auth(self, secret):
        challenge = self.greeting[1][:33].encode()
        digest = hashlib.sha256(challenge + secret + challenge).hexdigest()
        return self.ask("auth " + digest)

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.close()


def run(*args, **kwargs):
    """copald with arguments that make it end."""
    return subprocess.run([COPALD, *map(str, args)], capture_output=True,
                          text=True, timeout=WAIT, stdin=subprocess.DEVNULL,
                          **kwargs)


# ---------------------------------------------------------- command line

@pytest.mark.parametrize("args, said", [
    (["-x"], "unknown option -x"),
    (["--nosuch"], "unknown option --nosuch"),
    (["-f"], "-f needs an argument"),
    (["word"], 'unexpected argument "word"'),
    (["-b", "none", "-f", "/dev/null"], "only one of -b and -f"),
    (["-f", "/nonexistent.vcl"], "/nonexistent.vcl: No such file"),
    (["-b", "host:99999"], "no port 99999"),
    (["-b", "[::1"], "[address]:port"),
    (["-b", 'a"b'], "no address"),
    (["-b", "none", "-p", "nosuch=1"], 'unknown parameter "nosuch"'),
    (["-b", "none", "-p", "workers"], "param=value"),
    (["-b", "none", "-p", "timeout_idle=x"], "timeout_idle=x: Invalid"),
    (["-b", "none", "-r", "nosuch"], 'unknown parameter "nosuch"'),
    (["-b", "none", "-t", "-1"], "Must be at least"),
    (["-b", "none", "-a", "127.0.0.1:99999"], "65535"),
    (["-b", "none", "-a", "127.0.0.1:0,mode=600"], "unix sockets only"),
    (["-b", "none", "-a", "127.0.0.1:0,foo"], 'unknown option "foo"'),
    (["-b", "none", "-a", "a=127.0.0.1:0", "-a", "a=127.0.0.1:0"],
     "another one is named a"),
    (["-b", "none", "-a", "127.0.0.1:0", "-s", "file,/x"],
     'unknown kind of store "file"'),
    (["-b", "none", "-a", "127.0.0.1:0", "-s", "ram,zz"], 'bad size "zz"'),
    (["-b", "none", "-a", "127.0.0.1:0", "-s", "lmdb,,zz"], 'bad size "zz"'),
    (["-b", "none", "-a", "127.0.0.1:0", "-s", "ram,1k"], "too small"),
    (["-b", "none", "-a", "127.0.0.1:0", "-s", "a=ram", "-s", "a=ram"],
     "another store is named a"),
    (["-b", "none", "-S", "/nonexistent"], "/nonexistent: No such file"),
    (["-b", "none", "-S", "none", "-T", "127.0.0.1:0"], "let everybody in"),
    (["-b", "none", "-j", "nosuch"], '"none" or'),
    (["-b", "none", "-T", "none", "-T", "127.0.0.1:0"], "-T none"),
    (["-C", "-f", ""], "-C needs -f or -b"),
])
def test_wrong_flags(args, said):
    copal = Copald()
    # not the default :80, which not everybody may have
    done = run("-n", copal.workdir, "-F", "-a", "127.0.0.1:0", *args)
    copal.remove()
    assert done.returncode == 2, done
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("copald: "), done.stderr
    assert said in lines[0]


def test_busy_addresses(copal):
    """Even a port that the other copald shares between its cores."""
    other = Copald()
    port = f"127.0.0.1:{copal.port}"
    for flags in (["-a", port], ["-a", "127.0.0.1:0", "-T", port],
                  ["-a", "127.0.0.1:0", "--metrics", port]):
        done = run("-n", other.workdir, "-b", "none", "-s", "ram,4m", *flags)
        assert done.returncode == 2
        assert re.fullmatch(rf"copald: {flags[-2]} {port}: .*in use\n",
                            done.stderr)
    done = run("-n", copal.workdir, "-b", "none", "-a", "127.0.0.1:0")
    assert done.returncode == 2
    assert f"used by another copald, pid {copal.process.pid}" in done.stderr
    other.remove()
    assert copal.adm("status") == "Child in state running\n"


def test_version_and_help():
    assert run("-V").stdout.startswith("copald (copal-")
    for flag in ("-h", "-?", "--help"):
        done = run(flag)
        assert done.returncode == 0 and "--metrics" in done.stdout


def test_compile_only(tmp_path):
    good, bad = tmp_path / "good.vcl", tmp_path / "bad.vcl"
    good.write_text("vcl 4.1;\nbackend default none;\n")
    bad.write_text("vcl 4.1;\nbackend default none;\nsub vcl_recv { sett }\n")
    done = run("-C", "-f", good)
    assert done.returncode == 0 and "vcl_program" in done.stdout
    done = run("-C", "-f", bad)
    assert done.returncode == 2 and done.stdout == ""
    assert "bad.vcl:3" in done.stderr and "^" in done.stderr
    # by a name relative to the folder we are in
    assert run("-C", "-f", "good.vcl", cwd=tmp_path).returncode == 0
    assert run("-C", "-b", "localhost:80").returncode == 0


def test_bad_vcl_at_start():
    copal = Copald(store="ram,4m")
    vcl = copal.dir / "x.vcl"
    vcl.write_text("vcl 4.1;\nbackend default none;\nsub vcl_recv { sett }\n")
    done = run("-n", copal.workdir, "-a", "127.0.0.1:0", "-f", vcl)
    copal.remove()
    assert done.returncode == 2
    assert "VCL compilation failed" in done.stderr


def test_daemon():
    """It exits with 0 when it serves; it stops when it is told to."""
    copal = Copald()
    pid_file = copal.dir / "pid"
    port = free_port()
    done = run("-n", copal.workdir, "-b", "none", "-s", "ram,4m", "-a",
               f"127.0.0.1:{port}", "-P", pid_file)
    assert done.returncode == 0, done.stderr
    pid = int(pid_file.read_text())
    try:
        with socket.create_connection(("127.0.0.1", port), WAIT) as s:
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert s.recv(100).startswith(b"HTTP/1.1 503")
        assert copal.adm("status") == "Child in state running\n"
        os.kill(pid, signal.SIGHUP)
        assert copal.adm("ping").startswith("PONG ")
    finally:
        os.kill(pid, signal.SIGTERM)
        wait_until("the daemon to end", lambda: not is_alive(pid))
    assert not pid_file.exists()
    assert sorted(os.listdir(copal.workdir)) == ["_.secret", "built", "log", "vcl"]
    assert os.listdir(copal.workdir / "vcl") == []
    copal.remove()


def test_init_file():
    copal = Copald()
    init = copal.dir / "init.cli"
    args = ["-n", copal.workdir, "-a", "127.0.0.1:0", "-s", "ram,4m", "-F",
            "-f", "", "-I", init]
    init.write_text("# comment\n-param.set nosuch 1\nparam.set nosuch 2\n")
    done = run(*args)
    assert done.returncode == 2 and "nosuch" in done.stderr
    init.write_text("vcl.inline a << E\nvcl 4.1;\nbackend b none;\nE\n"
                    "vcl.use a\nparam.set default_ttl 7\n")
    copal.args = ["-f", "", "-I", str(init)]
    copal.store = "ram,4m"
    with copal:
        assert "active" in copal.adm("vcl.list")
        assert "7.000" in copal.adm("param.show", "default_ttl")


# ------------------------------------------------------------------- CLI

def test_modes_of_the_state_folder(copal):
    def mode(name):
        return stat.S_IMODE((copal.workdir / name).stat().st_mode)

    assert mode(".") == 0o755
    assert mode("cli.sock") == 0o600 and mode("_.secret") == 0o600


def test_basic_commands(copal):
    assert re.fullmatch(r"PONG \d+ 1\.0\n", copal.adm("ping"))
    assert "vcl.load <configname>" in copal.adm("help")
    assert copal.adm("help", "ping").startswith("ping [-j]")
    assert str(copal.process.pid) in copal.adm("pid")
    assert "Copal Cache CLI 1.0" in copal.adm("banner")
    assert copal.adm("debug.listen_address") == f"a0 127.0.0.1 {copal.port}\n"
    for words in (["ping", "-j"], ["status", "-j"], ["pid", "-j"],
                  ["help", "-j"], ["vcl.list", "-j"], ["param.show", "-j"],
                  ["backend.list", "-j"], ["storage.list", "-j"],
                  ["ban.list", "-j"], ["param.show", "-j", "changed"]):
        answer = json.loads(copal.adm(*words))
        assert answer[1] == words and answer[2] > 1e9, answer[:3]
    assert json.loads(copal.adm("status", "-j"))[3] == "running"


def test_a_command_as_one_word(copal):
    """varnishadm's users write "ban req.url ~ x" in one pair of quotes"""
    copal.adm("ban", "req.url ~ ^/in-one-word")
    copal.adm('ban req.url ~ "^/as a line"')
    bans = copal.adm("ban.list")
    assert "req.url ~ ^/in-one-word" in bans
    assert 'req.url ~ "^/as a line"' in bans


@pytest.mark.parametrize("line, status, text", [
    ("nosuch", 101, "Unknown request."),
    ("help nosuch", 101, "Unknown request."),
    ("ban", 104, "Too few parameters"),
    ("ping 1 2", 105, "Too many parameters"),
    ("vcl.use -j a", 102, "JSON unimplemented"),
    ('ping "', 100, "Syntax Error: Missing"),
    ('ping "a"b', 100, "Syntax Error: Incorrectly"),
    ("vcl.use nosuch", 106, "No VCL named nosuch known"),
    ("vcl.show nosuch", 106, "No VCL named 'nosuch'"),
    ("vcl.discard no*", 106, "No VCL name matches no*"),
    ("vcl.discard boot", 300, "Cannot discard active VCL program boot"),
    ("vcl.state boot cold", 300, "Cannot set the active VCL cold."),
    ("vcl.state boot hot", 106, "State must be one of auto, cold or warm."),
    ("vcl.load 1x /x", 106, "Illegal character in VCL name ('1')"),
    ("vcl.load boot /x", 106, "Already a VCL named boot"),
    ("vcl.load x /nonexistent", 106, "Cannot read file '/nonexistent'"),
    ("vcl.load x ../../etc/passwd", 106, "Cannot read file"),
    ("param.show nosuch", 106, 'Unknown parameter "nosuch".'),
    ("param.set nosuch 1", 106, 'Unknown parameter "nosuch".'),
    ("param.set timeout_idle x", 106, "Invalid number (x)"),
    ("param.set http_req_size 1", 106, "Must be at least 256b"),
    ("param.set http_max_hdr 70000", 106, "Must be no more than 65535"),
    ("param.set auto_restart maybe", 106, 'use "on" or "off"'),
    ("param.set vcc_feature err_unref", 106, "+feature or -feature"),
    ("param.set vcc_feature +nope", 106, 'no feature "nope"'),
    ("start", 300, "Child in state running"),
    ("panic.show", 300, "Child has not panicked"),
    ("panic.clear", 300, "No panic to clear"),
    ("quit", 500, "Closing CLI connection"),
])
def test_answers(copal, line, status, text):
    with Cli(str(copal.workdir / "cli.sock")) as cli:
        assert cli.greeting[0] == 200
        answer = cli.ask(line)
        assert answer[0] == status and text in answer[1], answer


def test_authentication(origin):
    with Copald(origin, "-T", "127.0.0.1:0", store="ram,4m") as copal:
        lines = subprocess.run(["ss", "-Hltnp"], capture_output=True,
                               text=True).stdout.splitlines()
        ports = [re.search(r"127\.0\.0\.1:(\d+)", line)[1] for line in lines
                 if f"pid={copal.process.pid}," in line
                 and "127.0.0.1:" in line]
        port = next(int(p) for p in ports if int(p) != copal.port)
        secret = (copal.workdir / "_.secret").read_bytes()
        where = ("127.0.0.1", port)
        with Cli(where) as cli:
            assert cli.greeting[0] == 107
            assert re.match(r"[a-z]{32}\n\nAuthentication required",
                            cli.greeting[1])
            # nothing but a few commands before
            assert cli.ask("ping")[0] == 200
            assert cli.ask("param.show")[0] == 107
            assert cli.ask("nosuch")[0] == 107
            status, banner = cli.auth(secret)
            assert status == 200 and "Copal Cache CLI" in banner
            assert cli.ask("param.show")[0] == 200
        with Cli(where) as cli:
            assert cli.auth(secret + b"x") == (500, "")
            with pytest.raises((EOFError, ConnectionError)):
                cli.ask("ping")
        # before it is known who it is, a client gets little memory
        with Cli(where) as cli:
            try:
                cli.send("x" * 100000)
                assert cli.answer()[0] == 100
                cli.ask("ping")
            except (EOFError, ConnectionError):
                pass
        done = subprocess.run(
            [COPALADM, "-n", copal.workdir, "-T", f"127.0.0.1:{port}",
             "status"], capture_output=True, text=True, timeout=WAIT)
        assert done.stdout == "Child in state running\n"


def test_many_clients(copal):
    """More than there is room for: the manager goes on."""
    path = str(copal.workdir / "cli.sock")
    clis = []
    try:
        for _ in range(80):
            try:
                clis.append(Cli(path))
            except (EOFError, ConnectionError):
                pass
        assert len(clis) == 64
        assert clis[5].ask("ping")[0] == 200
    finally:
        for cli in clis:
            cli.close()
    wait_until("room", lambda: copal.try_adm("ping").returncode == 0)


def test_pipelined_and_large_answers(copal):
    with Cli(str(copal.workdir / "cli.sock")) as cli:
        cli.send("ping\n\n" * 50 + "param.show -l\n" * 200)
        time.sleep(0.2)     # its answers do not fit into the socket
        for _ in range(50):
            assert cli.answer()[0] == 200
        for _ in range(200):
            status, text = cli.answer()
            assert status == 200 and len(text) > 5000


# -------------------------------------------------------------- copaladm

def test_copaladm(copal):
    done = copal.try_adm("param.set", "timeout_idle", "x")
    assert done.returncode == 1
    assert done.stderr == "Command failed with error code 106\n"
    assert "Invalid number" in done.stdout
    # words of any bytes
    vcl = 'vcl 4.1;\nbackend b none;\n# "quoted" \\ \t tab\n'
    assert "compiled" in copal.adm("vcl.inline", "x", vcl)
    assert copal.adm("vcl.show", "x") == vcl
    done = subprocess.run([COPALADM, "-n", copal.workdir], text=True,
                          input="ping\nvcl.inline y << E\nvcl 4.1;\n"
                          "backend b none;\nE\nvcl.list\nquit\nping\n",
                          capture_output=True, timeout=WAIT)
    assert done.returncode == 0, done
    assert done.stdout.count("PONG") == 1 and " y\n" in done.stdout
    for args, code in ((["-n", "/nonexistent", "ping"], 1),
                       (["-x"], 2), (["-t", "x", "ping"], 2), (["-V"], 0),
                       (["-T", "127.0.0.1:1", "ping"], 1)):
        done = subprocess.run([COPALADM, *args], capture_output=True,
                              text=True, timeout=WAIT)
        assert done.returncode == code, done


# ------------------------------------------------------------ parameters

def test_parameters(origin):
    with Copald(origin, "-p", "default_ttl=10m", "-p", "thread_pool_min=5",
                "-h", "classic,11", "-hcritbit", "-Wpoll", "-W", "epoll",
                "-r", "default_grace", store="ram,4m") as copal:
        assert "thread_pool_min has no effect" in copal.log
        for option in "-h classic,11", "-h critbit", "-W poll", "-W epoll":
            assert option + " has no effect" in copal.log
        assert copal.adm("param.show", "changed").split() == [
            "default_ttl", "600.000", "[seconds]"]
        shown = copal.adm("param.show", "default_ttl")
        assert shown.startswith("default_ttl\n        Value is: 600.000 "
                                "[seconds]\n        Default is: 120.000\n")
        assert "has no effect" in copal.adm("param.set", "thread_pools", "2")
        done = copal.try_adm("param.set", "default_grace", "5")
        assert done.returncode == 1 and "is protected" in done.stdout
        assert "restarted" in copal.adm("param.set", "vsl_space", "10m")
        copal.adm("param.reset", "default_ttl")
        copal.adm("param.reset", "vsl_space")
        assert copal.adm("param.show", "changed") == ""


def test_parameters_of_varnish(origin):
    """What only Varnish has is shown, set and reset without an error."""
    with Copald(origin, store="ram,4m") as copal:
        assert "Not available" in copal.adm("param.show", "vsl_mask")
        for command in (["show"], ["set", "-j", "all"], ["reset", "-j"]):
            words = ["param." + command[0], "-j", "vsl_mask", *command[2:]]
            answer = json.loads(copal.adm(*words))
            assert answer[3] == {"name": "vsl_mask", "implemented": False}
        assert "has no effect" in copal.adm("param.reset", "vsl_mask")
        assert copal.try_adm("param.show", "nosuch").returncode == 1
        assert copal.try_adm("param.reset", "nosuch").returncode == 1
        copal.adm("param.set", "feature", "+esi_ignore_https")
        assert "esi_ignore_https" in copal.adm("param.show", "changed")
        copal.adm("param.reset", "feature")
        assert copal.adm("param.show", "changed") == ""


def test_vcc_feature(origin):
    """The errors and freedoms that varnishd's vcc_feature chooses."""
    unused = "vcl 4.1;\nbackend b none;\nacl a { }\n"
    path = 'vcl 4.1;\nbackend b none;\ninclude "/etc/x";\n'
    with Copald(origin, "-p", "vcc_feature=+err_unref", "-r",
                "vcc_unsafe_path", store="ram,4m") as copal:
        done = copal.try_adm("vcl.inline", "x", unused)
        assert "acl 'a' is never used; 'unused a;'" in (
            done.stdout + done.stderr)
        done = copal.try_adm("param.set", "vcc_feature", "-unsafe_path")
        assert "vcc_unsafe_path" in done.stdout + done.stderr
        copal.adm("param.set", "vcc_err_unref", "off")
        copal.adm("vcl.inline", "x", unused)
    with Copald(origin, "-p", "vcc_feature=-unsafe_path,-allow_inline_c",
                store="ram,4m") as copal:
        done = copal.try_adm("vcl.inline", "x", path)
        assert "vcc_unsafe_path" in done.stdout + done.stderr
        copal.adm("param.set", "vcc_feature", "+unsafe_path")
        done = copal.try_adm("vcl.inline", "x", path)
        assert "No such file" in done.stdout + done.stderr


def test_parameter_takes_effect_at_once(copal):
    """The worker reads what the manager writes."""
    def seconds_until_closed():
        begin = time.monotonic()
        with socket.create_connection(("127.0.0.1", copal.port), WAIT) as s:
            assert s.recv(1) == b""
        return time.monotonic() - begin

    copal.adm("param.set", "timeout_idle", "200ms")
    assert 0.1 < seconds_until_closed() < 3


# --------------------------------------------------------------- VCL

def vcl_of(origin, answer):
    return (VCL % {"port": origin.port}) + (
        'sub vcl_deliver { set resp.http.answer = "%s"; }\n' % answer)


def test_vcl(copal, origin):
    def answer():
        return copal.get("/b/10/x").headers["answer"]

    file = copal.dir / "one.vcl"
    file.write_text(vcl_of(origin, "one"))
    assert answer() is None
    assert copal.adm("vcl.load", "one", str(file)) == "VCL compiled.\n"
    assert answer() is None
    assert copal.adm("vcl.use", "one") == "VCL 'one' now active\n"
    assert answer() == "one"
    copal.adm("vcl.inline", "two", vcl_of(origin, "two"), "cold")
    rows = [line.split() for line in copal.adm("vcl.list").splitlines()]
    assert rows == [["available", "auto", "warm", "0", "boot"],
                    ["active", "auto", "warm", "0", "one"],
                    ["available", "cold", "cold", "0", "two"]]
    done = copal.try_adm("vcl.use", "two")
    assert done.returncode == 1 and "'two' is cold" in done.stdout
    copal.adm("vcl.state", "two", "auto")
    copal.adm("vcl.use", "two")
    assert answer() == "two"
    assert copal.adm("vcl.show", "one") == file.read_text()
    shown = copal.adm("vcl.show", "-v")
    assert shown.startswith("// VCL.SHOW 0 ") and "<builtin>" in shown
    copal.adm("vcl.discard", "boot", "o*")
    assert [line.split()[-1] for line in
            copal.adm("vcl.list").splitlines()] == ["two"]
    assert len(os.listdir(copal.workdir / "vcl")) == 1
    # a folder in vcl_path
    copal.adm("param.set", "vcl_path", f"/nonexistent:{copal.dir}")
    copal.adm("vcl.load", "one", "one.vcl")


def test_vcl_errors_change_nothing(copal, origin):
    for text, said in (
            ("vcl 4.1;\nsub vcl_recv {\n\tsett x = 1;\n}\n", "<inline>:3"),
            ("vcl 4.1;\ninclude \"/etc/shadow\";\n", "VCC-compiler"),
            ("", "VCL compilation failed"), ("x" * 100000, "failed")):
        done = copal.try_adm("vcl.inline", "bad", text)
        assert done.returncode == 1 and said in done.stdout, done
        assert done.stderr == "Command failed with error code 106\n"
    copal.adm("param.set", "cc_command", "echo no compiler >&2; exit 3")
    done = copal.try_adm("vcl.inline", "bad", vcl_of(origin, "x"))
    assert "Message from C-compiler:\nno compiler\n" in done.stdout
    assert "Running C-compiler failed, exited with 3\n" in done.stdout
    copal.adm("param.set", "cc_command", "touch %o")
    done = copal.try_adm("vcl.inline", "bad", vcl_of(origin, "x"))
    assert "trial load" in done.stdout, done
    assert len(copal.adm("vcl.list").splitlines()) == 1
    assert len(os.listdir(copal.workdir / "vcl")) == 1
    assert copal.get("/b/10/x").status == 200


# ------------------------------------------------------------ the worker

def test_stop_and_start(copal):
    assert copal.get("/b/10/x").status == 200
    copal.adm("stop")
    assert copal.adm("status") == "Child in state stopped\n"
    for words in (["ban", "req.url", "~", "x"], ["backend.list"],
                  ["storage.verify", "s0"], ["ban.list"]):
        done = copal.try_adm(*words)
        assert done.returncode == 1
        assert done.stdout == "Child not running\n"
        assert done.stderr == "Command failed with error code 300\n"
    assert copal.adm("vcl.list").split()[3] == "-"
    # the socket is still there: a client waits, and is not refused
    with socket.create_connection(("127.0.0.1", copal.port), WAIT) as s:
        s.sendall(b"GET /b/10/x HTTP/1.1\r\nHost: x\r\n\r\n")
        copal.adm("start")
        assert s.recv(15) == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGSEGV,
                                 signal.SIGABRT])
def test_crash(copal, origin, sig):
    copal.adm("vcl.inline", "two", vcl_of(origin, "two"))
    copal.adm("vcl.use", "two")
    copal.adm("param.set", "default_ttl", "77")
    old = copal.worker
    os.kill(old, sig)
    copal.wait_new_worker(old)
    assert copal.get("/b/10/x").headers["answer"] == "two"
    assert "77.000" in copal.adm("param.show", "default_ttl")
    panic = copal.adm("panic.show")
    assert panic.startswith("Panic at: ")
    if sig == signal.SIGABRT:
        assert "Backtrace:" in panic and "version = copal-" in panic
    assert panic.strip() == json.loads(copal.adm("panic.show", "-j"))[3].strip()
    copal.adm("panic.clear")
    assert copal.try_adm("panic.show").returncode == 1
    copal.forget_crashes()


def test_crash_loop_backs_off(copal):
    """It tries again and again, but not a hundred times a second."""
    begin = time.monotonic()
    for _ in range(4):
        old = wait_until("a worker", lambda: copal.worker)
        copal.wait_running()
        os.kill(old, signal.SIGKILL)
        copal.wait_new_worker(old)
    assert 0.1 + 0.2 + 0.4 < time.monotonic() - begin < 15
    copal.forget_crashes()


def test_no_auto_restart(copal):
    copal.adm("param.set", "auto_restart", "off")
    copal.adm("debug.panic.worker")
    assert copal.adm("status") == "Child in state stopped\n"
    copal.adm("start")
    assert copal.get("/b/10/x").status == 200
    copal.forget_crashes()


def test_hanging_worker_is_replaced(copal):
    copal.adm("param.set", "cli_timeout", "1s")
    copal.adm("param.set", "ping_interval", "200ms")
    old = copal.worker
    os.kill(old, signal.SIGSTOP)
    # SIGQUIT does nothing to it while it is stopped, SIGKILL does
    copal.wait_new_worker(old)
    assert "does not answer" in copal.log
    assert copal.get("/b/10/x").status == 200
    copal.forget_crashes()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_rights(copal):
    """The worker has given up root for good."""
    with open(f"/proc/{copal.worker}/status") as f:
        status = dict(line.split(":\t", 1) for line in f if ":\t" in line)
    assert "0" not in status["Uid"].split() + status["Gid"].split()
    assert status["Groups"].split() == status["Gid"].split()[:1]
    assert status["NoNewPrivs"].strip() == "1"
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    assert (copal.workdir / "log").stat().st_uid == int(
        status["Uid"].split()[0])


def test_console():
    """-d: commands from stdin; the worker waits for start."""
    copal = Copald()
    process = subprocess.Popen(
        [COPALD, "-d", "-n", copal.workdir, "-b", "none", "-a",
         "127.0.0.1:0", "-s", "ram,4m"], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        out, _ = process.communicate(b"status\nstart\nstatus\n", WAIT)
    finally:
        process.kill()
    copal.remove()
    assert process.returncode == 0
    assert b"Child in state stopped" in out
    assert b"Child in state running" in out


def test_metrics(origin):
    port = free_port()
    with Copald(origin, "--metrics", f"127.0.0.1:{port}",
                store="ram,4m") as copal:
        copal.get("/b/10/x")

        def metrics():
            with socket.create_connection(("127.0.0.1", port), WAIT) as s:
                s.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
                return b"".join(iter(lambda: s.recv(65536), b""))

        assert b"\ncopal_client_req_total 1\n" in metrics()
        wait_until("a backend's counters", lambda: re.search(
            rb'\ncopal_backend_req_total{backend="[^"]*default"} 1\n',
            metrics()))
        assert copal.counter("VBE.*.default.req") == 1
        assert copal.counter("VBE.*.default.up") == 1
        out = subprocess.run([COPALSTAT, "-n", copal.workdir, "-j"],
                             check=True, capture_output=True).stdout
        counters = json.loads(out)["counters"]
        assert any(name.startswith("VBE.") for name in counters)


def test_regression_clients_that_leave():
    """More than there may be at a time, none of which waits for an answer."""
    with Copald(None, "-b", "127.0.0.1:1", store="ram,10m") as copal:
        path = next(p for p in copal.workdir.rglob("*") if p.is_socket())
        for _ in range(100):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
                with contextlib.suppress(OSError):  # refused for now
                    client.sendall(b"help\n" * 20)
        wait_until("room for one more",
                   lambda: copal.try_adm("ping").returncode == 0)
