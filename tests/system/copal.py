"""A running copald, an origin for it, and a client.

    with Origin() as origin, Copald(origin) as copal:
        assert copal.get("/b/1000/x").body == origin.body("/b/1000/x")

The origin's bodies follow from the URL, the variant and the path's
generation, so that whoever reads one can tell whether it is right.  Paths:

    /b/SIZE/NAME     SIZE bytes, max-age=3600; in the query:
        chunked      without Content-Length
        vary         Vary: X-Variant
        private      Cache-Control: private
        cc=VALUE     Cache-Control: VALUE
        tags=N       Surrogate-Key: N tags of 27 bytes, see tag_of
    /t/SIZE/NAME     the same of text, as text/html
"""
import collections
import hashlib
import http.client
import http.server
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse

BIN = pathlib.Path(os.environ["COPAL_BIN"])
COPALD = BIN / "copald" / "copald"
COPALLOG = BIN / "copallog" / "copallog"
COPALADM = BIN / "copaladm" / "copaladm"
COPALSTAT = BIN / "copalstat" / "copalstat"

LIMIT = 60          # seconds, for whatever is waited for
# What may stand in no log.
BAD_WORDS = re.compile(
    r"Sanitizer|runtime error:|Panic at|Assert|died of signal")


def is_sanitized():
    """Whether the build under test has sanitizers, which take memory."""
    return b"__asan_init" in COPALD.read_bytes()


def wait_until(what, condition, seconds=LIMIT):
    """Asks until the condition holds; gives what it returned."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.01)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# ---------------------------------------------------------------- origin

WORDS = ("the cache of a page is warm and served to all who ask for it while "
         "<p class=\"text\"> </p> <div> </div> <a href=\"/next\"> </a> item"
         ).split(" ")


def tag_of(path, i):
    return hashlib.md5(path.encode()).hexdigest()[:19] + f"-{i:06}"


def make_body(path, variant="", generation=0):
    """/b/<size>/...: noise; /t/<size>/...: text."""
    size = int(path.split("/")[2])
    if path.startswith("/t/"):
        words = random.Random(f"{path.split('?')[0]}|{variant}|{generation}")
        text = "<html><head><title>Page</title></head><body>" + \
            " ".join(words.choices(WORDS, k=size // 3 + 1))
        return text.encode()[:size]
    seed = f"{path.split('?')[0]}|{variant}|{generation}".encode()
    return hashlib.shake_128(seed).digest(size)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536

    def log_message(self, *args):
        pass

    def do_GET(self):
        origin = self.server.origin
        if origin.mode == "hang":
            origin.released.wait(LIMIT)
            self.close_connection = True
            return
        if origin.mode == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                       b"\1\0\0\0\0\0\0\0")
            self.close_connection = True
            return
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path, _, query = self.path.partition("?")
        options = urllib.parse.parse_qs(query, keep_blank_values=True)
        variant = self.headers.get("X-Variant", "") \
            if "vary" in options else ""
        with origin.lock:
            origin.counts[path] += 1
            generation = origin.generations[path]
        body = origin.body(path, variant, generation)
        cc = options.get("cc", ["private" if "private" in options else
                                "max-age=3600"])[0]
        self.send_response(200)
        self.send_header("Cache-Control", cc)
        self.send_header("X-Generation", str(generation))
        if path.startswith("/t/"):
            self.send_header("Content-Type", "text/html")
        if "vary" in options:
            self.send_header("Vary", "X-Variant")
        if "tags" in options:
            self.send_header("Surrogate-Key", " ".join(
                tag_of(path, i) for i in range(int(options["tags"][0]))))
        if "chunked" in options:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if "chunked" not in options:
            self.wfile.write(body)
            return
        step = max(1, len(body) // 7)
        for at in range(0, len(body), step):
            piece = body[at:at + step]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    do_HEAD = do_POST = do_GET


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def handle_error(self, request, client_address):
        pass    # copald went away, as the tests want it to

    def get_request(self):
        connection = super().get_request()
        self.connections.append(connection[0])
        return connection


class Origin:
    """mode: "" as it should be, "hang" or "reset"."""

    def __init__(self):
        self.counts = collections.Counter()         # requests by path
        self.generations = collections.Counter()    # of the path's body
        self.mode = ""
        self.lock = threading.Lock()
        self.released = threading.Event()
        self.large = {}
        self.port = 0
        self.server = None
        self.start()

    def start(self):
        """Also after stop, on the same port."""
        self.server = Server(("127.0.0.1", self.port), Handler)
        self.server.connections = collections.deque(maxlen=1000)
        self.server.origin = self
        # who gave up before it was accepted must not stop the others
        self.server.socket.setblocking(False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,),
                         daemon=True).start()

    def stop(self):
        """Connections are refused from now on, and idle ones closed."""
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
        for connection in self.server.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def body(self, path, variant="", generation=0):
        key = (path.split("?")[0], variant, generation)
        if key in self.large:
            return self.large[key]
        body = make_body(*key)
        if len(body) > 1 << 20 and len(self.large) < 8:
            self.large[key] = body
        return body

    def total(self):
        with self.lock:
            return sum(self.counts.values())

    def change(self, path):
        """The path gets another body."""
        with self.lock:
            self.generations[path.split("?")[0]] += 1

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.stop()


# ---------------------------------------------------------------- client

class Response:
    def __init__(self, response, body):
        self.status = response.status
        self.headers = response.headers
        self.body = body

    @property
    def is_hit(self):
        return len(self.headers.get("X-Copal", "").split()) == 2

    @property
    def generation(self):
        return int(self.headers["X-Generation"])


class Client:
    """A keep-alive connection, made anew when it was closed."""

    def __init__(self, port, timeout=LIMIT):
        self.connection = http.client.HTTPConnection("127.0.0.1", port,
                                                     timeout=timeout)

    def get(self, path, method="GET", headers=None, body=None):
        try:
            self.connection.request(method, path, body, headers or {})
            response = self.connection.getresponse()
            return Response(response, response.read())
        except BaseException:
            self.connection.close()
            raise

    def close(self):
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.close()


# ---------------------------------------------------------------- copald

class CommandFailed(Exception):
    pass


VCL = """vcl 4.1;
backend default { .host = "127.0.0.1"; .port = "%(port)d"; }
sub vcl_recv {
    if (req.method == "PURGE") { return (purge); }
    if (req.http.X-Pass) { return (pass); }
}
"""


class Copald:
    """copald in the foreground, in a folder of its own.

    Root's worker is another user, who must reach that folder: pytest's
    tmp_path is not for it.  kill leaves the folder as it is; start goes on
    in it.
    """

    def __init__(self, origin=None, *args, vcl=VCL, store=None, env=None,
                 fsize=None, program=COPALD):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="copal."))
        self.dir.chmod(0o755)
        self.workdir = self.dir / "n"
        self.args = list(args)
        self.store = store or "lmdb,,256m"     # None: copald's default
        self.env = {**os.environ, **(env or {})}
        self.fsize = fsize      # bytes: no file may be larger
        self.limits = None      # called in the new process
        self.program = program
        self.process = None
        self.port = None
        if origin is not None:
            (self.dir / "test.vcl").write_text(vcl % {"port": origin.port})
            self.args += ["-f", str(self.dir / "test.vcl")]

    @property
    def log(self):
        return (self.dir / "log").read_text(errors="replace")

    def spawn(self):
        def limits():
            if self.fsize is not None:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE,
                                   (self.fsize, self.fsize))
            if self.limits is not None:
                self.limits()

        with open(self.dir / "log", "ab") as log:
            self.process = subprocess.Popen(
                [self.program, "-F", "-n", self.workdir, "-a",
                 f"127.0.0.1:{self.port or 0}",
                 *(["-s", self.store] if self.store else []), *self.args],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.env, preexec_fn=limits)

    def start(self):
        self.spawn()
        self.wait_running()
        return self

    def wait_running(self):
        def running():
            assert self.process.poll() is None, self.log
            done = self.try_adm("status")
            return done.returncode == 0 and "running" in done.stdout

        wait_until("the worker to run", running)
        address = self.adm("debug.listen_address").split()
        self.port = int(address[2])

    def stop(self):
        """In an orderly way; it must have had nothing to complain about."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(LIMIT) == 0, self.log
        self.process = None
        assert not BAD_WORDS.search(self.log), self.log

    def forget_crashes(self):
        """What the log has up to now was wanted."""
        (self.dir / "log").write_text("")

    def kill_manager(self):
        """kill -9; the worker goes too."""
        worker = self.worker
        self.process.kill()
        self.process.wait()
        self.process = None
        wait_until("the worker to go with its manager",
                   lambda: not is_alive(worker))

    def kill_worker(self, sig=signal.SIGKILL):
        worker = self.worker
        os.kill(worker, sig)
        return worker

    def wait_new_worker(self, old):
        wait_until("a new worker", lambda: self.worker not in (0, old))
        self.wait_running()

    @property
    def worker(self):
        match = re.search(r"Worker:\s+(\d+)", self.try_adm("pid").stdout)
        return int(match[1]) if match else 0

    def try_adm(self, *words):
        return subprocess.run(
            [COPALADM, "-n", self.workdir, *words], timeout=LIMIT,
            capture_output=True, text=True, stdin=subprocess.DEVNULL)

    def adm(self, *words):
        done = self.try_adm(*words)
        if done.returncode != 0:
            raise CommandFailed(f"{words}: {done.stdout}{done.stderr}")
        return done.stdout

    def counter(self, name):
        out = subprocess.run(
            [COPALSTAT, "-n", self.workdir, "-1", "-f", name], check=True,
            timeout=LIMIT, capture_output=True, text=True).stdout
        return int(out.split()[1])

    def client(self, **kwargs):
        return Client(self.port, **kwargs)

    def get(self, path, *args, **kwargs):
        with self.client() as client:
            return client.get(path, *args, **kwargs)

    def memory(self, field="Pss"):
        """Bytes of the worker, by the kernel's count."""
        text = pathlib.Path(f"/proc/{self.worker}/smaps_rollup").read_text()
        return int(re.search(rf"^{field}:\s+(\d+) kB", text, re.M)[1]) << 10

    def fds(self):
        return len(os.listdir(f"/proc/{self.worker}/fd"))

    def disk(self):
        """Bytes that the store takes on disk."""
        sum_ = 0
        for folder, _, files in os.walk(self.workdir / "store"):
            for name in files:
                try:
                    st = os.stat(os.path.join(folder, name))
                except FileNotFoundError:
                    continue
                sum_ += st.st_blocks * 512
        return sum_

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *args):
        if self.process is not None and kind is None:
            try:
                self.stop()
            finally:
                self.remove()
            return
        if kind is not None:
            print(self.log)
        self.remove()

    def remove(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
        shutil.rmtree(self.dir, ignore_errors=True)


def is_alive(pid):
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"
