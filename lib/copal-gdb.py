# copal-gdb.py - fibers in gdb: what they are and where they stand.
#
#   (gdb) source copal-gdb.py
#   (gdb) copal fibers          every fiber of every loop, with its calls
#   (gdb) copal fibers -s       one line each
#   (gdb) copal fiber NUMBER    the backtrace of one, with arguments
#
# Works on a running process and on a core file, with the assembler and the
# ucontext backend; with a thread a fiber it goes to the fiber's thread.  Needs
# debug information (-g).  A core file must be the kernel's: gdb's own
# generate-core-file may leave out memory that has guard pages in it.
#
# How a parked stack is unwound: while Parked is set, an unwinder says of
# gdb's innermost frame that its caller is the place where the fiber stands.
# No register of the process is written, so that a core file will do.

import gdb
from gdb.unwinder import Unwinder, register_unwinder

STATES = {
    "FIBER_POOLED": "pooled",
    "FIBER_RUNNING": "running",
    "FIBER_PARKED": "parked",
    "FIBER_READY": "ready",
    "FIBER_YIELDED": "yielded",
}

# The list leaves out what every fiber has: the way into the wait (what is
# called by these, too) and the start of the stack.
WAITS = {"fiber_ctx_leave", "fiber_ctx_enter", "leave", "park", "fiber_park",
         "fiber_park_uncancelable", "fiber_yield", "fiber_start"}
STARTS = {"fiber_bottom", "fiber_entry", "fiber_thread"}

# Calls shown of a stack in the list.
CALLS_MAX = 12

# <sys/ucontext.h>: registers by their place in gregs
X86_GREGS = {"rip": 16, "rsp": 15, "rbp": 10, "rbx": 11,
             "r12": 4, "r13": 5, "r14": 6, "r15": 7}


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class Parked(Unwinder):
    """Leads from gdb's innermost frame to the stack of a fiber."""

    def __init__(self):
        super().__init__("copal-fiber")
        self.registers = None
        self.innermost = None

    def enter(self, registers):
        frame = gdb.newest_frame()
        self.innermost = (int(frame.read_register("sp")), frame.pc())
        self.registers = registers
        gdb.invalidate_cached_frames()

    def leave(self):
        self.registers = None
        gdb.invalidate_cached_frames()

    def __call__(self, pending):
        if self.registers is None:
            return None
        sp = pending.read_register("sp")
        pc = pending.read_register("pc")
        if (int(sp), int(pc)) != self.innermost:
            return None
        # gdb takes a caller's frame that is nearer to the stack's end for
        # a corrupt stack: nothing is nearer than 1
        lowest = gdb.Value(1).cast(sp.type)
        info = pending.create_unwind_info(FrameId(lowest, pc))
        for name, value in self.registers.items():
            info.add_saved_register(name, value)
        return info


parked = Parked()
register_unwinder(None, parked, replace=True)


def is_x86():
    return "x86-64" in gdb.selected_frame().architecture().name()


def word(value):
    return gdb.Value(int(value)).cast(gdb.lookup_type("long"))


def registers_of(ctx):
    """What a struct fiber_ctx says of the registers."""
    names = [field.name for field in ctx.type.fields()]
    if "uc" not in names:
        where = ("rip", "rsp", "rbp") if is_x86() else ("pc", "sp", "x29")
        return dict(zip(where, (word(ctx["pc"]), word(ctx["sp"]),
                                word(ctx["fp"]))))
    machine = ctx["uc"]["uc_mcontext"]
    if is_x86():
        return {name: word(machine["gregs"][i])
                for name, i in X86_GREGS.items()}
    registers = {"x%d" % i: word(machine["regs"][i]) for i in range(19, 31)}
    # swapcontext() returns to its caller: its pc is in x30
    registers["pc"] = word(machine["regs"][30])
    registers["sp"] = word(machine["sp"])
    return registers


def loops():
    symbol = gdb.lookup_static_symbol("all_loops")
    if symbol is None:
        raise gdb.GdbError("copal: no debug information for the loop")
    loop = symbol.value()
    while loop:
        yield loop.dereference()
        loop = loop["next"]


def fibers_of(loop):
    fiber_type = gdb.lookup_type("struct fiber")
    offset = next(field.bitpos // 8 for field in fiber_type.fields()
                  if field.name == "ring")
    head = loop["fibers"]["live"]
    at = head["next"]
    byte = gdb.lookup_type("char").pointer()
    while at != head.address:
        yield (at.cast(byte) - offset).cast(fiber_type.pointer())
        at = at["next"]


class Fiber:
    def __init__(self, number, loop, fiber):
        self.number = number
        self.loop = loop
        self.fiber = fiber
        self.state = STATES.get(str(fiber["state"]), str(fiber["state"]))

    def is_current(self):
        return self.fiber == self.loop["fibers"]["current"]

    def has_thread(self):
        return any(field.name == "thread"
                   for field in self.fiber.type.target().fields())

    def context(self):
        """Where it stands; None for the one that its loop's thread runs."""
        if self.is_current():
            return None
        if self.state != "running":
            return self.fiber["ctx"]
        # it started another one, and waits for that to park or return
        for other in fibers_of(self.loop):
            if other["state"] == self.fiber["state"] and \
                    other["enterer"] == self.fiber:
                return other["back"]
        return None

    def describe(self):
        text = "%4d %-8s %s" % (self.number, self.state,
                                text_of(self.fiber["name"]))
        if self.is_current():
            return text
        if self.state == "running":
            return text + ", in fiber_start()"
        now = int(self.loop["fibers"]["now"])
        return text + ", for %.3f s: %s" % (
            (now - int(self.fiber["since"])) / 1e9,
            text_of(self.fiber["what"]))

    def thread(self):
        handle = int(self.fiber["thread"])
        for thread in gdb.selected_inferior().threads():
            if int.from_bytes(thread.handle(), "little") == handle:
                return thread
        return None

    def inside(self, action):
        """Calls action(frame) with the fiber's stack; None: can't say."""
        if self.has_thread():
            before = gdb.selected_thread()
            thread = self.thread()
            if thread is None:
                return None
            thread.switch()
            try:
                return action(gdb.newest_frame())
            finally:
                before.switch()
        context = self.context()
        if context is None:
            return None
        before = gdb.selected_frame()
        parked.enter(registers_of(context))
        try:
            return action(gdb.newest_frame().older())
        finally:
            parked.leave()
            if before.is_valid():
                before.select()


def text_of(pointer):
    return pointer.string(errors="replace") if pointer else "?"


def calls(frame):
    lines = []
    while frame is not None and len(lines) < CALLS_MAX:
        name = frame.name() or "?"
        place = frame.find_sal()
        where = ""
        if name in STARTS:
            break
        if place.symtab is not None:
            where = " at %s:%d" % (place.symtab.filename, place.line)
        lines.append("         %s%s" % (name, where))
        if name in WAITS:
            lines = []
        frame = frame.older()
    return lines


def all_fibers():
    number = 0
    for loop in loops():
        for fiber in fibers_of(loop):
            number += 1
            yield Fiber(number, loop, fiber)


class Copal(gdb.Command):
    """Looks into a Copal process."""

    def __init__(self):
        super().__init__("copal", gdb.COMMAND_STATUS, prefix=True)


class CopalFibers(gdb.Command):
    """Lists fibers: number, state, name, how long and for what each waits,
and the calls that it is in.  With -s, without the calls."""

    def __init__(self):
        super().__init__("copal fibers", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        n = 0
        for fiber in all_fibers():
            n += 1
            print(fiber.describe())
            if argument.strip() == "-s":
                continue
            for line in fiber.inside(calls) or []:
                print(line)
        print("%d fiber%s" % (n, "" if n == 1 else "s"))


class CopalFiber(gdb.Command):
    """The backtrace of one fiber, by its number in `copal fibers'."""

    def __init__(self):
        super().__init__("copal fiber", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        for fiber in all_fibers():
            if str(fiber.number) != argument.strip():
                continue
            print(fiber.describe())
            if fiber.inside(self.backtrace) is None:
                print("it runs: see `bt' in its thread")
            return
        raise gdb.GdbError("copal: no fiber %s" % argument)

    @staticmethod
    def backtrace(frame):
        lines = gdb.execute("bt", to_string=True).splitlines()
        if parked.registers is not None:
            # the innermost frame is not the fiber's
            while lines and not lines[0].startswith("#1 "):
                lines.pop(0)
        print("\n".join(lines))
        return True


Copal()
CopalFibers()
CopalFiber()
