#!/usr/bin/env python3
"""ban_bench.py - what a hit costs with many bans and many purged tags.

    COPAL_BIN=build/out/bin tests/bench/ban_bench.py [SECONDS] [ROUNDS]

Hits of one object with tags are loaded by wrk, in turns, on daemons with no bans,
1,000, 100,000, 100,000 purged tags, and once more none, which tells how far two
that are the same are apart.  Of the rounds the cheapest counts: what others on
the machine do only makes a hit dearer.

us/hit is the CPU of the core's thread, where lookups are.  What the other threads
and the manager take is no cost of a hit; it is told in ms for each second.
"""
import http.server
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

BIN = os.environ["COPAL_BIN"]
BAR = 1.10


class Origin(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "1024")
        self.send_header("Cache-Control", "max-age=100000")
        self.send_header("Surrogate-Key", "a b c d e")
        self.end_headers()
        self.wfile.write(b"x" * 1024)

    def log_message(self, *args):
        pass


class Copal:
    def __init__(self, name, port, origin, dir_, fill):
        self.name, self.port = name, port
        n = f"{dir_}/{port}"
        self.process = subprocess.Popen(
            ["taskset", "-c", "0", BIN + "/copald/copald", "-F", "-j", "none", "-n", n, "-a", f"127.0.0.1:{port}",
             "-b", f"127.0.0.1:{origin}", "-s", "ram,64m", "-p", "workers=1"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            if subprocess.run([BIN + "/copaladm/copaladm", "-n", n, "status"], capture_output=True,
                              text=True).stdout.find("running") > 0:
                break
            time.sleep(0.05)
        self.load(1)
        fill(lambda command: subprocess.run([BIN + "/copaladm/copaladm", "-n", n], input=command, text=True, check=True,
                                            stdout=subprocess.DEVNULL))

    def cpu(self):
        """Seconds of the core's thread, and of all others."""
        core = rest = 0
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                parent = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[1]
                if self.process.pid not in (int(pid), int(parent)):
                    continue
                for thread in os.listdir(f"/proc/{pid}/task"):
                    at = f"/proc/{pid}/task/{thread}/"
                    ns = int(open(at + "schedstat").read().split()[0])
                    if open(at + "comm").read().startswith("core-"):
                        core += ns
                    else:
                        rest += ns
            except OSError:
                continue
        return core / 1e9, rest / 1e9

    def load(self, seconds):
        said = subprocess.run(["taskset", "-c", "1", "wrk", "-t1", "-c32", f"-d{seconds}s",
                               f"http://127.0.0.1:{self.port}/"], capture_output=True, text=True, check=True).stdout
        assert "Non-2xx" not in said, said
        return int(re.search(r"(\d+) requests in", said).group(1))

    def measure(self, seconds):
        """us of a hit, ms of the rest a second"""
        core, rest = self.cpu()
        n = self.load(seconds)
        core_after, rest_after = self.cpu()
        return (core_after - core) / n * 1e6, (rest_after - rest) / seconds * 1e3


def bans(n):
    return lambda run: n and run("".join(f"ban req.url == /no/such/page/{i}\n" for i in range(n)))


def tags(n):
    return lambda run: run("".join("purge -tag " + " ".join(f"t{k}-{i}" for i in range(50)) + "\n"
                                   for k in range(n // 50)))


def main():
    seconds, rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 1, int(sys.argv[2]) if len(sys.argv) > 2 else 12
    dir_ = tempfile.mkdtemp(prefix="bans.")
    origin = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin)
    threading.Thread(target=origin.serve_forever, daemon=True).start()
    servers, got = [], {}
    try:
        for i, (name, fill) in enumerate((("no bans", bans(0)), ("1,000 bans", bans(1000)),
                                          ("100,000 bans", bans(100000)), ("100,000 purged tags", tags(100000)),
                                          ("no bans, again", bans(0)))):
            servers.append(Copal(name, 8120 + i, origin.server_port, dir_, fill))
        for _ in range(rounds):
            for s in servers:
                got.setdefault(s.name, []).append(s.measure(seconds))
        best = {name: min(runs) for name, runs in got.items()}
        first = min(best["no bans"][0], best["no bans, again"][0])
        print("| | us/hit | against none | other threads, ms/s |\n|---|---|---|---|")
        for name, (hit, _) in best.items():
            rest = min(r for _, r in got[name])
            print(f"| {name} | {hit:.2f} | {hit / first:.2f} | {rest:.1f} |")
        worst = max(hit for hit, _ in best.values()) / first
    finally:
        for s in servers:
            s.process.terminate()
            s.process.wait()
        shutil.rmtree(dir_, ignore_errors=True)
    print(f"bar: {BAR:.2f}: {'met' if worst < BAR else 'MISSED'}")
    sys.exit(worst >= BAR)


main()
