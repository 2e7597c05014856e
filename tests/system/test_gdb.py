"""gdb finds fibers, and its way up the stack at every instruction of a switch."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

BIN = pathlib.Path(os.environ["COPAL_BIN"])
PARKED = BIN.parent / "tests" / "system" / "parked"
SCRIPT = pathlib.Path(__file__).parents[2] / "lib" / "copal-gdb.py"

# Steps through the start and the first wait of each fiber, and prints each
# stack whose outermost call is not where stacks begin.
STEP = """
import gdb
gdb.execute("break fiber_ctx_enter")
gdb.execute("run", to_string=True)
gdb.execute("delete")
switches = set()
for step in range(2500):
    names = []
    frame = gdb.newest_frame()
    while frame is not None and len(names) < 50:
        names.append(frame.name())
        frame = frame.older()
    if names[0] in ("fiber_ctx_enter", "fiber_ctx_leave", "switch_stack"):
        switches.add(gdb.newest_frame().pc())
    if names[-1] not in ("main", "fiber_bottom"):
        print("LOST", hex(gdb.newest_frame().pc()), names)
    gdb.execute("stepi", to_string=True)
print("SWITCHES", len(switches))
"""


def gdb(*arguments):
    if shutil.which("gdb") is None:
        pytest.skip("gdb is not installed")
    # LeakSanitizer can't work under a debugger
    env = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")
    done = subprocess.run(
        ["gdb", "-nx", "-batch", *arguments, PARKED], env=env, timeout=120,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace")
    if "ptrace: " in done.stdout:
        pytest.skip("gdb may not trace here")
    if "No debugging symbols" in done.stdout or \
            "no debug information" in done.stdout:
        pytest.skip("built without -g")
    return done.stdout


def backend():
    out = gdb("-ex", "ptype struct fiber", "-ex", "ptype struct fiber_ctx")
    if "pthread_t" in out:
        return "threads"
    return "ucontext" if "ucontext_t" in out else "asm"


def test_fibers_are_listed():
    out = gdb("-ex", f"source {SCRIPT}", "-ex", "break stop_here",
              "-ex", "run", "-ex", "copal fibers")
    assert "4 fibers" in out
    assert re.search(r"^ +1 running +runner", out, re.M)
    assert re.search(r"^ +2 running +starter, in fiber_start\(\)", out, re.M)
    assert re.search(r"^ +3 yielded +yielder, for [0-9.]+ s: its turn", out,
                     re.M)
    parked = out[out.index("  4 parked"):]
    assert re.match(r"  4 parked +sleeper, for [0-9.]+ s: a test\n", parked)
    calls = re.findall(r"^ {9}(\w+) at ", parked, re.M)
    assert calls == ["wait_in", "wait_in", "wait_in", "sleeper"]


def test_backtrace_of_one():
    out = gdb("-ex", f"source {SCRIPT}", "-ex", "break stop_here",
              "-ex", "run", "-ex", "copal fiber 4", "-ex", "copal fiber 9",
              "-ex", "bt")
    assert "wait_in (depth=" in out
    assert "no fiber 9" in out
    # gdb's own view of the running fiber is as before
    assert re.search(r"^#0 +(0x\w+ in )?stop_here \(\)", out, re.M)


def test_every_instruction_unwinds(tmp_path):
    if backend() != "asm":
        pytest.skip("for the assembler backend")
    script = tmp_path / "step.py"
    script.write_text(STEP)
    out = gdb("-x", script)
    switches = re.search(r"^SWITCHES (\d+)", out, re.M)
    assert switches and int(switches[1]) > 20, out[-2000:]
    assert "LOST" not in out
