#!/usr/bin/env python3
"""bars.py - is Copal where it should be?  A line for each bar, pass or fail.

    bars.py [-p PEER,PEER] [-r REPS] [-d SECS] [-o OUT.json] [--from OUT.json]

Runs scenarios a, b, f and h (see README.md) with copal, the limit programs
and the peers, all side by side in one run in a network namespace (ns.sh:
root), and compares medians of the server's CPU time a request.  A bar whose
peer is not installed is skipped.  Exits with 1 if a bar is missed.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

import peers

HERE = os.path.dirname(os.path.abspath(__file__))
DEFAULT = "copal,limit,limit-sendfile,varnish,nginx,haproxy,ats,h2o-file"
TOOLS = {"wrk": "wrk", "ss": "iproute2", "taskset": "util-linux", "gcc": "gcc"}

# (what, scenario, point, peer, most that copal / peer may be)
RATIO_BARS = [
    ("1 KiB hit, against the limit program", "a", 1024, "limit", 1.3),
    ("1 KiB hit, against haproxy", "a", 1024, "haproxy", 1 / 1.5),
    ("1 KiB hit, against nginx", "a", 1024, "nginx", 1 / 1.5),
    ("256 KiB hit, against limit-sendfile", "a", 262144, "limit-sendfile",
     1.15),
]
IDLE_CONNECTION_MAX = 1024      # bytes


def cpu(points, scen, point, peer):
    """median microseconds a request; None: not measured"""
    v = [p["cpu_us"] for p in points
         if p["scen"] == scen and p.get("point") == point and p["peer"] == peer]
    return statistics.median(v) if v else None


def check(points):
    """prints the bars -> how many were missed"""
    missed = 0
    print(f"\n{'bar':42} {'copal':>9} {'other':>9} {'ratio':>6} {'bar':>6}")
    for what, scen, point, peer, most in RATIO_BARS:
        ours, other = (cpu(points, scen, point, p) for p in ("copal", peer))
        if not ours or not other:
            print(f"{what:42} skipped")
            continue
        ok = ours / other <= most
        missed += not ok
        print(f"{what:42} {ours:6.2f} us {other:6.2f} us {ours / other:6.2f} "
              f"{most:6.2f} {'pass' if ok else 'FAIL'}")
    what = "idle connection"
    for p in points:
        if p["scen"] == "f-mem" and p["peer"] == "copal":
            ok = p["bytes_per_conn"] <= IDLE_CONNECTION_MAX
            missed += not ok
            print(f"{what:42} {p['bytes_per_conn']:7.0f} B {'':9} {'':6} "
                  f"{IDLE_CONNECTION_MAX:6} {'pass' if ok else 'FAIL'}")
    return missed


def overview(points):
    names = list(dict.fromkeys(p["peer"] for p in points))
    rows = [("a", z, f"hit {z} B") for z in peers.SIZES]
    rows += [("b", 1024, "hit 1 KiB, close"), ("h", "miss 1K", "miss 1 KiB")]
    print("\nserver CPU us a request | req/s | p99 us\n")
    print(f"{'':18}" + "".join(f"{n:>24}" for n in names))
    for scen, point, label in rows:
        line = f"{label:18}"
        for n in names:
            v = [p for p in points if (p["scen"], p.get("point"), p["peer"])
                 == (scen, point, n)]
            if not v:
                line += f"{'-':>24}"
                continue
            us, rps, p99 = (statistics.median(p[k] for p in v)
                            for k in ("cpu_us", "rps", "p99"))
            bad = "!" if any(p.get("misses") or p.get("err")
                             or p.get("status") for p in v) else ""
            line += f"{bad}{us:.1f} | {rps:,.0f} | {p99:,.0f}".rjust(24)
        print(line)
    line = f"{'idle connection':18}"
    for n in names:
        v = [p["bytes_per_conn"] for p in points
             if p["scen"] == "f-mem" and p["peer"] == n]
        line += (f"{v[0]:,.0f} B" if v else "-").rjust(24)
    print(line + "\n\n!: errors, or requests that went to the origin")


def missing(names):
    """Debian packages of what is not installed"""
    tools = [p for t, p in TOOLS.items() if subprocess.run(
        ["sh", "-c", f"command -v {t}"], capture_output=True).returncode]
    return tools, [peers.PROGRAMS[n][1] for n in names
                   if n in peers.PROGRAMS and not peers.is_here(n)]


def main():
    ap = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("-p", default=DEFAULT, help="peers")
    ap.add_argument("-r", default="3", help="rounds")
    ap.add_argument("-d", default="2", help="seconds a point")
    ap.add_argument("-o", help="keep the points here")
    ap.add_argument("--from", dest="old", help="report these points instead")
    args = ap.parse_args()

    path = args.old
    if not path:
        if not peers.is_here("copal"):
            sys.exit(f"bars.py: no {peers.COPALD}; set COPAL_BIN")
        tools, packages = missing(args.p.split(","))
        if tools:
            sys.exit("bars.py: apt-get install " + " ".join(tools))
        if packages:
            print("Not installed, so not compared with:", *packages,
                  "\n(their Debian packages start services of their own)")
        path = args.o or tempfile.mkstemp(suffix=".json")[1]
        r = subprocess.run([HERE + "/ns.sh", "-p", args.p, "-r", args.r,
                            "-d", args.d, "-o", path, "a", "b", "f", "h"],
                           stdout=subprocess.DEVNULL)
        if r.returncode:
            sys.exit("bars.py: the run failed")
    with open(path) as f:
        points = json.load(f)["points"]
    if not (args.old or args.o):
        os.unlink(path)
    points = [p for p in points if p]
    overview(points)
    sys.exit(1 if check(points) else 0)


if __name__ == "__main__":
    main()
