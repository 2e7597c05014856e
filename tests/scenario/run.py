#!/usr/bin/env python3
"""Runs VTC scenarios against copald: one varnishtest a file, several at once.

    run.py [--bin DIR] [-j N] [-t SECONDS] [-v] FILE.vtc|FOLDER...

A VTC file starts `varnishd`; a wrapper of that name, first in PATH, starts
the copald of this build instead.  Beside varnishtest's own macros a file may
use ${copald}, ${copaladm}, ${copallog}, ${copalstat} and ${srcdir} (the
folder of scenarios).  Each file gets a temporary folder of its own.

varnishtest is $VARNISHTEST, or the one that autogen.sh took out of Debian's
package, or the one in PATH.  Each core has origin
connections of its own: so that a scripted origin sees them in one order,
copald uses one core, unless a file says -arg "-p workers=2".

Prints the logs of the files that failed, then how many passed and failed;
exits with 1 if one failed.
"""
import argparse
import concurrent.futures
import glob
import os
import shutil
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
TOOLS = ("copaladm", "copallog", "copalstat")
SKIPPED = 77    # varnishtest's exit code for a file it cannot run here


def find_varnishtest():
    for path in (os.environ.get("VARNISHTEST"),
                 TOP + "/build/tools/usr/bin/varnishtest",
                 shutil.which("varnishtest")):
        if path and os.access(path, os.X_OK):
            return path
    return None


def environment(varnishtest, wrappers):
    """PATH with the wrapper, and the libraries beside an unpacked package."""
    env = dict(os.environ)
    env["PATH"] = wrappers + os.pathsep + env["PATH"]
    usr = os.path.dirname(os.path.dirname(os.path.realpath(varnishtest)))
    found = glob.glob(usr + "/lib/*/libvarnishapi.so.*")
    if found and usr not in ("/usr", "/usr/local"):
        lib = os.path.dirname(found[0])
        env["LD_LIBRARY_PATH"] = lib + os.pathsep + lib + "/varnish"
    # Leaks are counted by the unit tests; a scenario may kill its worker.
    env["ASAN_OPTIONS"] = "detect_leaks=0:" + env.get("ASAN_OPTIONS", "")
    return env


# varnishtest follows the shared-memory log of its varnishd while it waits, and
# waits for ever if there is none or nothing in it: copald's wrapper gives it
# one, in the form of Varnish 7 (vsl_priv.h): marker, size and number of
# segments, their offsets; a record (tag CLI, three bytes); the end marker.
# Since 7.3 a record has a version, and an id of 64 bits.
def empty_log(varnishtest):
    usr = os.path.dirname(os.path.dirname(os.path.realpath(varnishtest)))
    newer = False
    for lib in glob.glob(usr + "/lib/**/libvarnishapi.so.*", recursive=True):
        with open(lib, "rb") as f:
            newer = newer or b"VSLHEAD2" in f.read()
    head = struct.pack("=8sqI4x8q", b"VSLHEAD2" if newer else b"VSLHEAD1",
                       64, 0xfffffff8, 0, *[-1] * 7)
    record = struct.pack("=III", 0x03010003, 0, 0) if newer else \
        struct.pack("=II", 0x03000003, 0)
    end = struct.pack("=4sI", b"Rd", 0xfe454545)
    return (head + record + end).ljust(4096, b"\0")


WRAPPER = """#!/bin/sh
dir= prev=
for arg; do
    [ "$prev" = -n ] && dir=$arg
    prev=$arg
done
for part in mgt child; do
    [ -n "$dir" ] || break
    mkdir -p "$dir/_.vsm_$part"
    cp "${0%/*}/empty_log" "$dir/_.vsm_$part/file"
    echo "# $$ 1" >"$dir/_.vsm_$part/_.index"
done
if [ -n "$dir" ]; then      # it looks at the second index if the first has any
    echo "+ file 0 4096 Arg -i" >>"$dir/_.vsm_mgt/_.index"
    echo "+ file 0 4096 Log Log" >>"$dir/_.vsm_child/_.index"
    # it follows until they are gone
    (while readlink "/proc/$$/exe"; do sleep 0.1; done
    rm -rf "$dir"/_.vsm_*) </dev/null >/dev/null 2>&1 &
fi
exec "COPALD" -p workers=1 "$@"
"""


def write_wrapper(folder, copald, log):
    """copald under the name varnishd, with what varnishtest looks for."""
    with open(folder + "/empty_log", "wb") as f:
        f.write(log)
    path = folder + "/varnishd"
    with open(path, "w") as f:
        f.write(WRAPPER.replace("COPALD", copald))
    os.chmod(path, 0o755)


def run_one(path, args, macros, env):
    """-> (exit code, output)"""
    with tempfile.TemporaryDirectory(prefix="vtc.") as tmp:
        os.chmod(tmp, 0o755)    # root's copald runs its worker as nobody
        cmd = [args.varnishtest, "-b", "16M", "-t", str(args.timeout),
               *macros, path]
        try:
            p = subprocess.run(cmd, env=dict(env, TMPDIR=tmp),
                               stdin=subprocess.DEVNULL, errors="replace",
                               stdout=subprocess.PIPE, text=True, cwd=tmp,
                               stderr=subprocess.STDOUT,
                               timeout=args.timeout + 30)
        except subprocess.TimeoutExpired as e:
            out = e.stdout or b""
            return 1, out.decode(errors="replace") + "\nrun.py: timed out\n"
        return p.returncode, p.stdout


def scenarios(paths):
    for path in paths:
        if os.path.isdir(path):
            yield from sorted(glob.glob(path + "/**/*.vtc", recursive=True))
        else:
            yield path


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--bin", default=TOP + "/build/out/bin",
                    help="the build's bin folder")
    ap.add_argument("-j", type=int, default=2 * (os.cpu_count() or 1),
                    help="files at once: they wait more than they work")
    ap.add_argument("-t", dest="timeout", type=int, default=60)
    ap.add_argument("-v", action="store_true", help="name each file")
    ap.add_argument("paths", nargs="+")
    args = ap.parse_args()

    bin_dir = os.path.abspath(args.bin)
    copald = bin_dir + "/copald/copald"
    args.varnishtest = find_varnishtest()
    files = [os.path.abspath(p) for p in scenarios(args.paths)]
    if args.varnishtest is None:
        print("scenario: no varnishtest here (./autogen.sh check gets it)")
        print(f"scenario: 0 passed, 0 failed, {len(files)} skipped")
        return 0
    if not os.access(copald, os.X_OK):
        print(f"scenario: {copald} is not there", file=sys.stderr)
        return 1

    macros = ["-D", "copald=" + copald, "-D", "srcdir=" + HERE]
    for tool in TOOLS:
        macros += ["-D", f"{tool}={bin_dir}/{tool}/{tool}"]
    count = {"passed": 0, "failed": 0, "skipped": 0}
    with tempfile.TemporaryDirectory(prefix="vtc-bin.") as wrappers, \
            concurrent.futures.ThreadPoolExecutor(args.j) as pool:
        write_wrapper(wrappers, copald, empty_log(args.varnishtest))
        env = environment(args.varnishtest, wrappers)
        jobs = {pool.submit(run_one, f, args, macros, env): f for f in files}
        for job in concurrent.futures.as_completed(jobs):
            code, out = job.result()
            how = {0: "passed", SKIPPED: "skipped"}.get(code, "failed")
            count[how] += 1
            if how == "failed":
                print(f"---- {jobs[job]}\n{out}", end="")
            if args.v or how == "failed":
                print(f"{how}: {os.path.basename(jobs[job])}", flush=True)
    line = f"scenario: {count['passed']} passed, {count['failed']} failed"
    if count["skipped"]:
        line += f", {count['skipped']} skipped"
    print(line)
    return 1 if count["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
