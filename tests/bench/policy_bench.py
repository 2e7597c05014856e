#!/usr/bin/env python3
"""policy_bench.py - what a policy of 200 lines costs a request, in Copal and in Varnish.

    COPAL_BIN=build/out/bin tests/bench/policy_bench.py [SECONDS] [ROUNDS]

Both get the same two programs (policy.py): one that does nothing, and the policy.
They are switched by vcl.use while hits are loaded by wrk, in turns; the difference
of CPU per request is what the policy's code costs, the server's own work left out.
"""
import http.server
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import policy

BIN = os.environ["COPAL_BIN"]
TICK = os.sysconf("SC_CLK_TCK")
BAR_US = 2.0
REQUEST = ('wrk.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"\n'
           'wrk.headers["Accept-Language"] = "en-GB,en;q=0.5"\nwrk.headers["Cookie"] = "_ga=GA1.2.3; theme=dark"\n'
           'wrk.headers["Host"] = "www.example.com"\n')
URL = "/articles/2024/a-story.html?page=2&b=1"


class Origin(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "1024")
        self.end_headers()
        self.wfile.write(b"x" * 1024)

    def log_message(self, *args):
        pass


class Server:
    def __init__(self, name, daemon, adm, port, dir_, *args):
        self.name, self.port, self.n = name, port, f"{dir_}/{name}"
        self.adm_path = adm
        self.process = subprocess.Popen(
            ["taskset", "-c", "0", daemon, "-F", "-j", "none", "-n", self.n, "-a", f"127.0.0.1:{port}",
             "-f", f"{dir_}/empty.vcl", *args], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            if subprocess.run([adm, "-n", self.n, "status"], capture_output=True, text=True).stdout.find("running") > 0:
                break
            time.sleep(0.05)
        self.adm("vcl.load", "policy", f"{dir_}/policy.vcl")

    def adm(self, *words):
        subprocess.run([self.adm_path, "-n", self.n, *words], check=True, capture_output=True)

    def cpu(self):
        """Seconds, of the daemon and its children."""
        total = 0
        for pid in os.listdir("/proc"):
            try:
                fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            except ValueError:
                continue
            except IndexError:
                continue
            if self.process.pid in (int(pid) if pid.isdigit() else 0, int(fields[1])):
                total += int(fields[11]) + int(fields[12])
        return total / TICK

    def measure(self, program, seconds, lua):
        """us of CPU for a request"""
        self.adm("vcl.use", program)
        wrk = ["taskset", "-c", "1", "wrk", "-t1", "-c32", "-s", lua]
        url = f"http://127.0.0.1:{self.port}{URL}"
        subprocess.run(wrk + ["-d1s", url], capture_output=True)
        before = self.cpu()
        said = subprocess.run(wrk + [f"-d{seconds}s", url], capture_output=True, text=True, check=True).stdout
        used = self.cpu() - before
        [n] = [int(line.split()[0]) for line in said.splitlines() if " requests in " in line]
        assert "Non-2xx" not in said, said
        return used / n * 1e6


def main():
    seconds, rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3, int(sys.argv[2]) if len(sys.argv) > 2 else 3
    dir_ = tempfile.mkdtemp(prefix="policy.")
    origin = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin)
    threading.Thread(target=origin.serve_forever, daemon=True).start()
    for name, text in (("empty", policy.empty), ("policy", policy.text)):
        with open(f"{dir_}/{name}.vcl", "w") as f:
            f.write(text(origin.server_port))
    with open(f"{dir_}/request.lua", "w") as f:
        f.write(REQUEST)
    servers = []
    try:
        servers.append(Server("copal", BIN + "/copald/copald", BIN + "/copaladm/copaladm", 8108, dir_,
                              "-s", "ram,64m", "-p", "workers=1"))
        if shutil.which("varnishd"):
            servers.append(Server("varnish", "varnishd", "varnishadm", 8101, dir_, "-s", "malloc,64m"))
        got = {(s.name, p): [] for s in servers for p in ("boot", "policy")}
        for _ in range(rounds):
            for s in servers:
                for p in ("boot", "policy"):
                    got[s.name, p].append(s.measure(p, seconds, f"{dir_}/request.lua"))
        print("| | empty program, us/request | policy | the policy's share |\n|---|---|---|---|")
        for s in servers:
            a, b = (statistics.median(got[s.name, p]) for p in ("boot", "policy"))
            print(f"| {s.name} | {a:.2f} | {b:.2f} | {b - a:.2f} |")
            if s.name == "copal":
                share = b - a
    finally:
        for s in servers:
            s.process.terminate()
            s.process.wait()
        shutil.rmtree(dir_, ignore_errors=True)
    print(f"bar: {BAR_US:.1f} us: {'met' if share < BAR_US else 'MISSED'}")
    sys.exit(share >= BAR_US)


if __name__ == "__main__":
    main()
