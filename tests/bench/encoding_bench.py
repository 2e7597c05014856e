#!/usr/bin/env python3
"""encoding_bench.py - what a hit costs in each coding.

    COPAL_BIN=build/out/bin tests/bench/encoding_bench.py [SECONDS] [ROUNDS]

One page of text, hit by wrk with one Accept-Encoding after the other, in turns:
CPU of the daemon for a request.  The codings are made before the clock starts.
"""
import http.server
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import urllib.request

from policy_bench import Server

BIN = os.environ["COPAL_BIN"]
CODINGS = ("identity", "gzip", "br", "zstd", "gzip, deflate, br, zstd")
SIZES = (4000, 40_000)


def page(size):
    r = random.Random(size)
    words = ["".join(r.choices("aeinorst", k=r.randint(2, 9)))
             for _ in range(800)]
    text = " ".join(f"<p class='{r.choice(words)}'>{r.choice(words)}</p>"
                    for _ in range(size // 20))
    return text.encode()[:size]


class Origin(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = page(int(self.path[1:]))
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Cache-Control", "max-age=3600")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def cost(server, size, coding, seconds):
    """us of CPU a request"""
    wrk = ["taskset", "-c", "1", "wrk", "-t1", "-c32", f"-d{seconds}s",
           "-H", f"Accept-Encoding: {coding}",
           f"http://127.0.0.1:{server.port}/{size}"]
    before = server.cpu()
    said = subprocess.run(wrk, capture_output=True, text=True,
                          check=True).stdout
    used = server.cpu() - before
    [n] = [int(line.split()[0]) for line in said.splitlines()
           if " requests in " in line]
    assert "Non-2xx" not in said, said
    return used / n * 1e6


def bytes_of(server, size, coding):
    """Also asks often enough for the coding to be made well."""
    url = f"http://127.0.0.1:{server.port}/{size}"
    for _ in range(40):
        with urllib.request.urlopen(urllib.request.Request(
                url, headers={"Accept-Encoding": coding})) as r:
            n = len(r.read())
    return n


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    folder = tempfile.mkdtemp(prefix="encoding.")
    origin = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin)
    threading.Thread(target=origin.serve_forever, daemon=True).start()
    for name in ("empty", "policy"):
        with open(f"{folder}/{name}.vcl", "w") as f:
            f.write('vcl 4.1;\nbackend default { .host = "127.0.0.1"; '
                    f'.port = "{origin.server_port}"; }}\n')
    server = Server("copal", BIN + "/copald/copald", BIN + "/copaladm/copaladm",
                    8109, folder, "-s", "ram,64m", "-p", "workers=1")
    try:
        print("| | bytes | us a hit |\n|---|---|---|")
        for size in SIZES:
            sent = {c: bytes_of(server, size, c) for c in CODINGS}
            got = {c: [] for c in CODINGS}
            for _ in range(rounds):
                for c in CODINGS:
                    got[c].append(cost(server, size, c, seconds))
            for c in CODINGS:
                print(f"| {size}, {c} | {sent[c]} | "
                      f"{statistics.median(got[c]):.2f} |")
    finally:
        server.process.terminate()
        server.process.wait()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
