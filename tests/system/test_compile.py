"""Compiling VCL: what happens beside it, its limits, and its bombs."""
import os
import signal
import socket
import subprocess

import pytest

from copal import COPALADM, Copald, Origin, is_alive, is_sanitized, wait_until

BACKEND = 'backend default { .host = "127.0.0.1"; .port = "9"; }\n'
VCL = "vcl 4.1;\n" + BACKEND
# A C compiler that waits until the test lets it go.
SLOW = "until [ -e %s ]; do sleep 0.05; done; %%D"


@pytest.fixture(scope="module")
def origin():
    with Origin() as it:
        yield it


@pytest.fixture
def copal(origin):
    with Copald(origin) as it:
        yield it


def begin(copal, *words):
    return subprocess.Popen(
        [COPALADM, "-n", copal.workdir, *words], text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT)


def slow_down(copal):
    """Gives what ends the wait of the loads that follow."""
    gate = copal.dir / "gate"
    copal.adm("param.set", "cc_command", SLOW % gate)
    return gate.touch


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return {int(word) for word in file.read().split()}


def wait_compiling(copal, n=1):
    """Until n deputies have a child; who they are."""
    manager = copal.process.pid

    def deputies():
        found = children(manager) - {copal.worker}
        return len(found) >= n and all(children(one) for one in found) and found

    return wait_until("the compiler to run", deputies)


def test_others_are_served_while_vcl_compiles(copal):
    let_go = slow_down(copal)
    load = begin(copal, "vcl.inline", "slow", VCL)
    wait_compiling(copal)
    assert copal.adm("ping").startswith("PONG")
    assert copal.adm("status") == "Child in state running\n"
    copal.adm("param.set", "default_ttl", "77")
    assert "slow" not in copal.adm("vcl.list")
    # the name is taken already
    done = copal.try_adm("vcl.inline", "slow", VCL)
    assert done.returncode == 1 and "Already a VCL named slow" in done.stdout
    # a worker that dies is replaced
    old = copal.kill_worker()
    copal.wait_new_worker(old)
    assert copal.get("/b/10/x").status == 200
    let_go()
    assert load.communicate()[0] == "VCL compiled.\n"
    copal.adm("vcl.use", "slow")
    copal.forget_crashes()


def test_loads_that_wait_are_all_done(copal):
    let_go = slow_down(copal)
    loads = [begin(copal, "vcl.inline", f"v{i}", VCL) for i in range(5)]
    wait_compiling(copal, 2)
    let_go()
    for load in loads:
        assert load.communicate()[0] == "VCL compiled.\n"
    names = [row.split()[-1] for row in copal.adm("vcl.list").splitlines()]
    assert sorted(names) == ["boot", "v0", "v1", "v2", "v3", "v4"]


def test_commands_behind_a_load_wait_for_it(copal):
    let_go = slow_down(copal)
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(os.path.relpath(copal.workdir / "cli.sock"))
        s.sendall(b"vcl.inline a << END\n" + VCL.encode() + b"END\n"
                  b"vcl.use a\n")
        s.shutdown(socket.SHUT_WR)
        wait_compiling(copal)
        let_go()
        said = b"".join(iter(lambda: s.recv(65536), b"")).decode()
    assert said.index("VCL compiled.") < said.index("VCL 'a' now active")


def test_client_that_leaves_does_not_end_its_load(copal):
    let_go = slow_down(copal)
    load = begin(copal, "vcl.inline", "a", VCL)
    wait_compiling(copal)
    load.kill()
    load.communicate()
    let_go()
    wait_until("the load", lambda: " a\n" in copal.adm("vcl.list"))


def test_stop_while_vcl_compiles(copal):
    slow_down(copal)
    load = begin(copal, "vcl.inline", "a", VCL)
    [deputy] = wait_compiling(copal)
    family = {deputy} | children(deputy)
    copal.stop()
    load.communicate()
    wait_until("all to end", lambda: not any(map(is_alive, family)))


def test_kill_while_vcl_compiles(copal):
    slow_down(copal)
    load = begin(copal, "vcl.inline", "a", VCL)
    [deputy] = wait_compiling(copal)
    family = {deputy} | children(deputy)
    copal.kill_manager()
    load.communicate()
    wait_until("all to end", lambda: not any(map(is_alive, family)))


def test_deputy_that_is_killed_is_told(copal):
    slow_down(copal)
    load = begin(copal, "vcl.inline", "a", VCL)
    [deputy] = wait_compiling(copal)
    os.kill(deputy, signal.SIGKILL)
    said = load.communicate()[0]
    assert "signal 9" in said and "VCL compilation failed" in said
    assert copal.adm("ping").startswith("PONG")


def test_cc_command_expansions(copal):
    def said(command):
        copal.adm("param.set", "cc_command", command + "; exit 3")
        done = copal.try_adm("vcl.inline", "a", VCL)
        assert done.returncode == 1
        lines = done.stdout.split("Message from C-compiler:\n")[1]
        return lines.splitlines()[0]

    copal.adm("param.set", "cc_warnings", "-Wextra")
    assert said("echo %n") == str(copal.workdir)
    assert said("echo %w") == "-Wextra"
    assert said("echo %% %x") == "% %x"
    assert said("echo '%d'").endswith("%w -o %o %s")
    line = said("echo \"%D\"")
    assert "-Wextra -o '" in line and "vcl.so' '" in line
    assert said("wc -l < %s").isdigit()


def test_no_network_and_few_files_for_the_compiler(copal):
    copal.adm("param.set", "cc_command",
              "/usr/bin/python3 -c 'import socket; socket.socket()'")
    done = copal.try_adm("vcl.inline", "a", VCL)
    assert "PermissionError" in done.stdout, done
    copal.adm("param.set", "cc_command", "ulimit -n; ulimit -f; exit 1")
    done = copal.try_adm("vcl.inline", "a", VCL)
    assert "Message from C-compiler:\n256\n" in done.stdout, done


@pytest.mark.skipif(os.geteuid() != 0, reason="root's files")
def test_files_that_only_root_can_read(copal):
    folder = copal.dir
    (folder / "main.vcl").write_text(
        'vcl 4.1;\ninclude "./secret/more.vcl";\n')
    (folder / "secret").mkdir()
    (folder / "secret" / "more.vcl").write_text(BACKEND)
    (folder / "secret").chmod(0o700)
    (folder / "main.vcl").chmod(0o600)
    assert copal.adm("vcl.load", "a", str(folder / "main.vcl")) == (
        "VCL compiled.\n")
    assert "./secret/more.vcl" in copal.adm("vcl.show", "-v", "a")
    # what was not trusted at the start is not read for a CLI client
    (folder / "main.key").write_text("private\n")
    (folder / "main.key").chmod(0o600)
    os.symlink("/etc/shadow", folder / "shadow.vcl")
    os.link(folder / "main.key", folder / "linked.vcl")
    for name in ("main.key", "shadow.vcl", "linked.vcl"):
        done = copal.try_adm("vcl.load", "b", str(folder / name))
        assert done.returncode == 1
        assert "Permission denied" in done.stdout, done
        done = copal.try_adm("vcl.inline", "b",
                             f'vcl 4.1;\ninclude "{folder}/{name}";\n')
        assert "Permission denied" in done.stdout, done


@pytest.mark.skipif(os.geteuid() != 0, reason="root's files")
def test_boot_file_that_only_root_can_read(origin):
    copal = Copald(origin)
    (copal.dir / "test.vcl").chmod(0o600)
    with copal:
        assert copal.get("/b/10/x").status == 200


RECV = VCL + "sub vcl_recv {\n%s\n}\n"
BOMBS = {
    "blocks": (RECV % ("{" * 100000 + "}" * 100000), "nested deeper"),
    "parentheses": (RECV % ("if (" + "(" * 100000), "nested deeper"),
    "fan of calls": (VCL + "".join(
        f"sub s{i} {{ {f'call s{i + 1}; ' * 10} }}\n" for i in range(25)) +
        "sub s25 { }\nsub vcl_recv { call s0; }", "may run more than"),
    "rules": (RECV % "".join(
        f'if (req.url ~ "^/{i}$") {{ set req.http.x = "{i}"; }}\n'
        for i in range(30000)), "program is too large"),
    "acl": (VCL + "acl a {\n" + "".join(
        f'"10.{i >> 16}.{i >> 8 & 255}.{i & 255}";\n'
        for i in range(300000)) + "}\nsub vcl_recv {"
        " if (client.ip ~ a) { return (pass); } }", "program is too large"),
    "long line": (RECV % ('set req.http.x = "a"; ' * 100000),
                  "program is too large"),
    "regex": (RECV % 'if (req.url ~ "(((a{1,99}){1,99}){1,99}){1,99}") { }',
              "too large"),
    "includes": (VCL + 'include "./bomb.vcl";\n' * 10, "includes itself"),
    "errors": (RECV % ("sett x;\n" * 100000), "too many errors"),
    "a constant": (RECV % ('set req.http.x = {"' + "x" * (17 << 20) + '"};'),
                   "File too large"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bomb(copal, name):
    """A clear error; nobody else notices."""
    text, message = BOMBS[name]
    file = copal.dir / "bomb.vcl"
    file.write_text(text)
    load = begin(copal, "vcl.load", "bomb", str(file))
    assert copal.adm("ping").startswith("PONG")
    assert copal.get("/b/10/x").status == 200
    said = load.communicate()[0]
    # a sanitized compiler may take longer than it has
    assert message in said or (is_sanitized() and "not done in" in said), \
        said[-2000:]
    assert "VCL compilation failed" in said
    assert copal.adm("status") == "Child in state running\n"


@pytest.mark.skipif(is_sanitized(), reason="its children have no such limit")
def test_c_compiler_that_takes_all_memory(copal):
    copal.adm("param.set", "cc_command",
              "exec /usr/bin/python3 -c 'x = bytearray(3 << 30)'")
    done = copal.try_adm("vcl.inline", "a", VCL)
    assert "MemoryError" in done.stdout, done


def test_compiled_before(origin):
    """What was compiled once is not compiled again, in the next run either."""
    copal = Copald(origin)
    runs = copal.dir / "runs"
    runs.touch()
    runs.chmod(0o666)
    copal.args += ["-p", f"cc_command=echo >> {runs}; %D"]

    def compiled():
        return len(runs.read_text())

    try:
        copal.start()
        assert compiled() == 1
        built = copal.workdir / "built"
        # two programs of one text are two all the same
        copal.adm("vcl.inline", "one", VCL)
        copal.adm("vcl.inline", "two", VCL)
        assert compiled() == 2
        copal.adm("vcl.use", "one")
        copal.adm("vcl.use", "two")
        copal.adm("vcl.discard", "one")
        copal.stop()

        copal.start()
        assert compiled() == 2
        assert copal.get("/b/100/x").status == 200
        # the children can't write there
        assert os.stat(built).st_uid == os.getuid()
        copal.stop()

        # what is damaged is compiled anew
        for path in built.iterdir():
            os.truncate(path, path.stat().st_size // 2)
        copal.start()
        assert compiled() == 3
        assert copal.get("/b/100/x").status == 200
        copal.stop()
        copal.start()
        assert compiled() == 3

        # there is a bound
        for n in range(70):
            (built / f"old{n}.so").touch()
        n = len(list(built.iterdir()))
        copal.adm("vcl.inline", "three", VCL + "sub vcl_recv { }")
        assert compiled() == 4
        assert len(list(built.iterdir())) == n
        copal.stop()
    finally:
        copal.remove()
