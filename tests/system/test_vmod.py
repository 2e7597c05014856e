"""A module in a file of its own: built out of tree, imported, refused."""
import os
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile

import pytest

from copal import BIN, Client, CommandFailed, Copald, Origin

EXAMPLE = pathlib.Path(__file__).parent / "example_vmod"

VCL = """
vcl 4.1;
import example;
backend default { .host = "127.0.0.1"; .port = "%(port)d"; }
"""

ALL = """
vcl 4.1;
import example as ex;
probe p { .url = "/"; .interval = 1h; }
backend default {
    .host = "127.0.0.1"; .port = "%(port)d"; .probe = p;
}
sub ask {
    if (req.http.end) {
        return (synth(299));
    }
    set req.http.asked = "yes";
}
sub vcl_init {
    new one = ex.counter(10);
    if (false) {
        new never = ex.counter();
    }
    new two = ex.counter(first=100);
}
sub vcl_recv {
    set req.http.visits = ex.visits() + ", " + ex.visits();
    set req.http.count = one.next() + " " + one.next(by=5) + " " +
        two.next() + " " + one.name();
    set req.http.mine = one.mine() + " " + two.mine();
    set req.http.state = ex.state();
    set req.http.greet = ex.greet() + ex.greet(how=loud, times=2, name="x");
    set req.http.show = ex.show(ex.bytes("a" + "bc"), req.http.count, req,
        "one$", ask, p, ex.same(default), ex.address("192.0.2.1"), now,
        2s, 1KB);
    if (req.url == "/fails") {
        set req.http.greet = ex.greet(times=0);
    }
    if (req.url == "/never") {
        set req.http.count = never.next();
    }
    return (synth(200));
}
sub here {
    set resp.http.here = ex.here();
}
sub vcl_synth {
    set resp.http.visits = req.http.visits;
    set resp.http.count = req.http.count;
    set resp.http.mine = req.http.mine;
    set resp.http.state = req.http.state;
    set resp.http.greet = req.http.greet;
    set resp.http.show = req.http.show;
    set resp.http.asked = req.http.asked;
    call here;
    return (deliver);
}
"""


class Kit:
    """Copal's interface as it is installed, and the example built with it."""

    def __init__(self, dir):
        build = BIN.parent
        env = {k: v for k, v in os.environ.items() if k != "MAKEFLAGS"}
        self.dir = dir
        self.stage = dir / "stage"
        subprocess.run(
            ["make", "-s", "-C", build, "install-binPROGRAMS",
             "install-pkgincludeHEADERS", "install-nodist_pkgconfigDATA",
             f"DESTDIR={self.stage}"], check=True, env=env,
            stdout=subprocess.DEVNULL)
        pc = next(self.stage.rglob("copal.pc"))
        prefix = re.search("^prefix=(.*)", pc.read_text(), re.M)[1]
        self.prefix = f"{self.stage}{prefix}"
        self.env = {**env, "PKG_CONFIG_PATH": str(pc.parent)}
        self.headers = self.stage / prefix[1:] / "include" / "copal"

    def make(self, name, *words, edit=None):
        """A folder with the example, edited, and made."""
        folder = self.dir / name
        shutil.copytree(EXAMPLE, folder)
        if edit:
            edit(folder)
        subprocess.run(
            ["make", "-s", "-C", folder,
             "PKG_CONFIG=pkg-config --define-variable=prefix=" + self.prefix,
             *words], check=True, env=self.env)
        return folder / "libvmod_example.so"


@pytest.fixture(scope="module")
def kit():
    with tempfile.TemporaryDirectory(prefix="copal-vmod.") as dir:
        os.chmod(dir, 0o755)    # the worker may be another user
        yield Kit(pathlib.Path(dir))


@pytest.fixture(scope="module")
def module(kit):
    return kit.make("good")


@pytest.fixture
def origin():
    with Origin() as o:
        yield o


@pytest.fixture
def copal(origin):
    with Copald(origin, store="ram,32m") as c:
        yield c


def load(copal, name, vcl, port=1):
    path = copal.dir / f"{name}.vcl"
    path.write_text(vcl % {"port": port})
    return copal.adm("vcl.load", name, str(path))


def refusal(copal, name, vcl):
    with pytest.raises(CommandFailed) as failure:
        load(copal, name, vcl)
    return str(failure.value)


def from_file(path):
    return VCL.replace("import example;", f'import example from "{path}";')


def use(copal, name, vcl):
    load(copal, name, vcl)
    copal.adm("vcl.use", name)


def get(copal, url="/", **headers):
    return Client(copal.port).get(url, headers=headers)


def test_everything(copal, module):
    copal.adm("param.set", "vmod_path", str(module.parent))
    use(copal, "all", ALL)
    r = get(copal)
    assert r.status == 200
    assert r.headers["visits"] == "visit 1, visit 2"
    assert r.headers["count"] == "11 16 101 one"
    # 2 visits are counted in what the module keeps for the task
    assert r.headers["mine"] == "103 104"
    assert r.headers["greet"] == "Hello youHello x again!"
    assert r.headers["state"].split() == ["load", "warm"]
    assert r.headers["show"] == (
        "3 11 16 101 one fields match default 192.0.2.1 time 2.0 1024 p "
        "client")
    assert r.headers["asked"] == "yes"
    assert r.headers["here"] == "1"
    r = get(copal)
    assert r.headers["visits"] == "visit 1, visit 2"
    assert r.headers["count"] == "17 22 102 one"
    assert r.headers["here"] == "2"


def test_failures_end_the_request(copal, module):
    copal.adm("param.set", "vmod_path", str(module.parent))
    use(copal, "all", ALL)
    assert get(copal, "/fails").status == 503
    assert get(copal, "/never").status == 503
    # a SUB's verdict is that of the sub that handed it over
    assert get(copal, "/", end="1").status == 299
    assert get(copal).status == 200


def test_events(copal, module):
    copal.adm("param.set", "vmod_path", str(module.parent))
    load(copal, "all", ALL)
    copal.adm("vcl.state", "all", "cold")
    copal.adm("vcl.state", "all", "warm")
    copal.adm("vcl.use", "all")
    assert get(copal).headers["state"].split() == [
        "load", "warm", "cold", "warm"]


def test_event_refuses(origin, module):
    with Copald(origin, "-p", f"vmod_path={module.parent}",
                store="ram,32m", env={"EXAMPLE_REFUSES": "1"}) as copal:
        said = refusal(copal, "no", VCL)
        assert "module example: not on this host" in said
        assert "no" not in copal.adm("vcl.list").split()


def test_constructor_refuses(copal, module):
    said = refusal(copal, "no", from_file(module) +
                   "sub vcl_init { new x = example.counter(refuse=true); }")
    assert "x: was asked to refuse" in said
    assert "no.vcl:" in said


def test_from(copal, module):
    load(copal, "path", from_file(module))
    shutil.copy(module, copal.dir)
    load(copal, "beside", from_file("./libvmod_example.so"))
    copal.adm("param.set", "vmod_path", f"/nowhere:{module.parent}")
    load(copal, "named", from_file("libvmod_example.so"))


def test_wrong_sub(copal, module):
    said = refusal(copal, "no", from_file(module) + """
        sub vcl_backend_fetch { set bereq.http.x = example.visits(); }""")
    assert "'example.visits' can't be called in vcl_backend_fetch" in said


def test_two_versions(copal, kit, module):
    """Each program has the module that it was compiled with."""
    def edit(folder):
        c = folder / "example.c"
        c.write_text(c.read_text().replace("Hello", "Hi"))

    greets = """
        sub vcl_recv { return (synth(200)); }
        sub vcl_synth { set resp.http.greet = example.greet();
            return (deliver); }"""
    new = kit.make("changed", edit=edit)
    path = copal.dir / "libvmod_example.so"
    shutil.copy(module, path)
    load(copal, "old", from_file(path) + greets)
    shutil.copy(new, copal.dir / "next")
    os.rename(copal.dir / "next", path)
    load(copal, "new", from_file(path) + greets)
    path.unlink()
    for again in False, True:
        copal.adm("vcl.use", "old")
        assert get(copal).headers["greet"] == "Hello you"
        copal.adm("vcl.use", "new")
        assert get(copal).headers["greet"] == "Hi you"
        if not again:
            copal.wait_new_worker(copal.kill_worker())
            copal.forget_crashes()


def test_discard_and_load_again(copal, module):
    for i in range(3):
        load(copal, f"v{i}", from_file(module) +
             "sub vcl_init { new x = example.counter(); }")
        copal.adm("vcl.discard", f"v{i}")


@pytest.mark.parametrize("macro, number, hint", [
    ("VMOD_ABI_MAJOR", 99, "the module has to be built for it"),
    ("VMOD_ABI_MINOR", 7777, "it needs a newer copald"),
])
def test_other_version(copal, kit, macro, number, hint):
    header = kit.headers / "vmod.h"
    text = header.read_text()
    header.write_text(
        re.sub(rf"(#define {macro}) \d+", rf"\1 {number}", text))
    try:
        module = kit.make(macro.lower())
    finally:
        header.write_text(text)
    said = refusal(copal, "no", from_file(module))
    assert str(module) in said and hint in said
    major, minor = ((number, 0) if macro == "VMOD_ABI_MAJOR"
                    else (1, number))
    assert f"version {major}.{minor} of the module interface" in said
    assert "this copald has 1.0" in said


def test_missing(copal):
    copal.adm("param.set", "vmod_path", "/nowhere")
    said = refusal(copal, "no", VCL)
    assert "there is no module 'example'" in said
    assert "vmod_path is '/nowhere'" in said
    said = refusal(copal, "no2", from_file("/nowhere/x.so"))
    assert "can't import '/nowhere/x.so': No such file or directory" in said


def test_no_module(copal, module):
    wrong = copal.dir / "wrong.so"
    for content in b"", b"\x7fELF", b"text\n" * 100:
        wrong.write_bytes(content)
        assert "no shared object for this machine" in refusal(
            copal, "no", from_file(wrong))
    said = refusal(copal, "no", from_file(copal.dir))
    assert "it is no file" in said
    # a shared object, but nobody's module
    libc = pathlib.Path("/proc/self/maps").read_text()
    libc = re.search(r"\S+/libc\.so\S*|\S+/libc-\S+\.so", libc)[0]
    said = refusal(copal, "no", from_file(libc))
    assert "it has no description of a module for Copal" in said


def test_wrong_name(copal, module):
    said = refusal(copal, "no",
                   from_file(module).replace("import example", "import other"))
    assert "is module 'example', not 'other'" in said


def test_damaged(copal, module):
    """Whatever is cut off or overwritten is an error that names the file."""
    whole = module.read_bytes()
    damaged = copal.dir / "damaged.so"
    sections = struct.unpack_from("<Q", whole, 40)[0]
    at = whole.index(b"copal_vmod 1.0\n")
    text = whole.index(b"module example", at)
    cases = [whole[:n] for n in (63, 64, 1000, len(whole) // 2,
                                 len(whole) - 1)]
    for offset, value in ((40, b"\xff" * 8), (58, b"\0\0"),
                          (62, b"\xff\xff"), (sections, b"\xff" * 2000),
                          (at, b"copal_vmod x.0\n"), (text, b"(" * 10)):
        cases.append(whole[:offset] + value + whole[offset + len(value):])
    for case in cases:
        damaged.write_bytes(case)
        assert "damaged.so" in refusal(copal, "no", from_file(damaged))


def test_missing_function(copal, kit, capfd):
    """One of its own is missed by the linker, one of copald when it loads."""
    def rename(old, new):
        def edit(folder):
            c = folder / "example.c"
            c.write_text(c.read_text().replace(old, new))
        return edit

    with pytest.raises(subprocess.CalledProcessError):
        kit.make("lacks", "CFLAGS=-w",
                 edit=rename("vmod_example_here(", "vmod_example_there("))
    assert "vmod_example_here" in capfd.readouterr().err
    module = kit.make("wants", "CFLAGS=-w",
                      edit=rename("vrt_call(", "vrt_future("))
    said = refusal(copal, "no", from_file(module))
    assert "module example: can't load" in said and str(module) in said
    assert "undefined symbol: vrt_future" in said


def test_own_module_instead(copal):
    """Files that were written for Varnish say where its modules are."""
    said = load(copal, "std", VCL.replace(
        "import example;", 'import std from "/usr/lib/none/libvmod_std.so";'))
    assert "module 'std' of copald is" in said


def test_manual(kit, module):
    folder = module.parent
    subprocess.run(
        ["make", "-s", "-C", folder, "vmod_example.3",
         "PKG_CONFIG=pkg-config --define-variable=prefix=" + kit.prefix],
        check=True, env=dict(kit.env, SOURCE_DATE_EPOCH="1000000000"))
    page = (folder / "vmod_example.3").read_text()
    assert page.startswith('.TH VMOD_EXAMPLE 3 "2001-09-09" ')
    assert "vmod_example \\- what a module can do" in page
    assert "ENUM {plain, loud} how=plain" in page
    assert "PRIV" not in page.split(".SH FUNCTIONS")[1].split(".SH OBJ")[0]


def test_copalvmod_tells_errors(tmp_path):
    tool = BIN / "copalvmod" / "copalvmod"
    wrong = tmp_path / "x.vmod"
    wrong.write_text("module x\n\nfunction WHAT f()\n")
    done = subprocess.run([tool, "--header", wrong], capture_output=True,
                          text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert f"{wrong}:3:10: error: a result can't be of type 'WHAT'" in \
        done.stderr
    for words in ([], ["--glue"], ["--what", wrong]):
        done = subprocess.run([tool, *words], capture_output=True, text=True)
        assert done.returncode == 2 and "usage:" in done.stderr
    done = subprocess.run([tool, "--glue", "/nowhere"], capture_output=True,
                          text=True)
    assert done.returncode == 1 and "No such file" in done.stderr
