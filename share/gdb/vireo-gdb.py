"""Vireo's greenlets in gdb: of a process, or of a core file.

    (gdb) source vireo-gdb.py
    (gdb) vireo greenlets [WORD]     lists them all, or those whose name, wait or site has the word in it
    (gdb) vireo bt WHO [ARGUMENT]... the backtrace of one; arguments as for gdb's own bt
    (gdb) vireo bt all
    (gdb) vireo select WHO           its frames, from number 1 on, are to be looked at with frame, up, info locals ...
    (gdb) vireo select               ends that; so does letting the program run

WHO is a name or a number of the list. Each thread counts its own: 2.17 is number 17 of thread 2, and plain 17 that of
the selected thread, if it has one. Nothing is written to the process. The program needs its debug information, and gdb
needs libthread_db, which comes with the C library, to find the hub of each thread.

A core file has to be the kernel's (kill -ABRT): gdb's own generate-core-file, and gcore, cannot read the guard pages
between stacks, and leave out the stacks with them.
"""

import functools
import re
import time

import gdb
from gdb.unwinder import Unwinder, register_unwinder

# As in runtime/stack.c: the smallest slots have 2^14 octets, those of the next pool twice as many, and so on.
MIN_SHIFT = 14

# vr_state of runtime/greenlet.h, which compilers leave out of the debug information.
NEW, RUNNING = 0, 1  # the third is dead

# VR_FOREVER of vireo/time.h.
FOREVER = 2**63 - 1


class GreenletError(gdb.GdbError):
    """What is told the user in one line."""


# --- Machines: where a context goes on ---


class Machine:
    """The registers of a suspended context, by gdb's names for them."""

    def __init__(self, pc, sp, fp, ucontext):
        self.pc, self.sp, self.fp = pc, sp, fp
        self.ucontext = ucontext  # of a ucontext's mcontext: register by register

    def registers(self, context):
        fields = [field.name for field in context.type.fields()]
        if "ucontext" in fields:
            return self.ucontext(context["ucontext"]["uc_mcontext"])
        return {self.pc: context["pc"], self.sp: context["sp"], self.fp: context["fp"]}


def x86_64_ucontext(mcontext):
    order = "r8 r9 r10 r11 r12 r13 r14 r15 rdi rsi rbp rbx rdx rax rcx rsp rip".split()
    return {name: mcontext["gregs"][i] for i, name in enumerate(order)}


def aarch64_ucontext(mcontext):
    registers = {"x%d" % i: mcontext["regs"][i] for i in range(19, 31)}
    registers.update(sp=mcontext["sp"], pc=mcontext["pc"])
    return registers


MACHINES = {
    "i386:x86-64": Machine("rip", "rsp", "rbp", x86_64_ucontext),
    "aarch64": Machine("pc", "sp", "x29", aarch64_ucontext),
}


def machine():
    name = gdb.newest_frame().architecture().name()
    if name not in MACHINES:
        raise GreenletError("vireo: greenlets of this machine (%s) are unknown here" % name)
    return MACHINES[name]


# --- The runtime's records ---


def address_of(pointer):
    return int(pointer) & (1 << 64) - 1


def type_of(name):
    try:
        return gdb.lookup_type(name)
    except gdb.error:
        raise GreenletError("vireo: no debug information of libvireo: no type %s" % name) from None


def duration(nanoseconds):
    for unit, length in (("s", 10**9), ("ms", 10**6), ("us", 10**3)):
        if nanoseconds >= length:
            return "%.1f %s" % (nanoseconds / length, unit)
    return "0 s" if nanoseconds < 0 else "%d ns" % nanoseconds


def symbol_at(address):
    """ <name> where an address is that of a variable or a function; otherwise nothing."""
    line = gdb.execute("info symbol %#x" % address, to_string=True)
    found = re.match(r"(\S+) in section", line)
    return " <%s>" % found.group(1) if found else ""


class Greenlet:
    def __init__(self, hub, record):
        self.hub = hub
        self.record = record  # struct vr_greenlet
        self.address = address_of(record.address)

    def __getitem__(self, field):
        return self.record[field]

    @property
    def serial(self):
        return int(self["serial"])

    @property
    def number(self):
        return "%d.%d" % (self.hub.thread.num, self.serial)

    @property
    def name(self):
        return self["name"].string() if self["name"] else "greenlet-%d" % self.serial

    @property
    def is_current(self):
        return self.address == address_of(self.hub.record["current"])

    @property
    def state(self):
        """In the words of vr_dump."""
        if self.is_current:
            return "running"
        if self["state"] != RUNNING:
            return "not started" if self["state"] == NEW else "dead"
        is_hub = self.address == address_of(self.hub.record["loop_greenlet"])
        if is_hub or self["wake"]["previous"] or self["kill"]["previous"]:
            return "ready"
        return "waiting"

    @property
    def wait(self):
        """What it waits for, in the words of vr_dump; the limit of its time comes apart."""
        if self.state != "waiting":
            return ""
        words = gdb.lookup_static_symbol("wait_words").value()[int(self["wait_kind"])]
        subject = self.wait_subject(str(words["subject"]), address_of(self["wait_on"]))
        return words["before"].string() + subject + words["after"].string()

    def wait_subject(self, kind, on):
        """`wait_on`, as runtime/dump.c reads it."""
        if kind in ("NOTHING", "NAMELESS"):
            return ""
        if kind == "NUMBER":
            return str(on)
        if kind == "SIGNAL_NUMBER":
            return " %d" % on if on else ""
        if kind in ("ENDING", "GENERATOR"):
            return self.hub.greenlet_with(on, kind == "ENDING").name
        if kind == "SEVERAL":
            return str(int(self["wait_on"].cast(type_of("vr_iwait").pointer())["count"]))
        text = "%#x%s" % (on, symbol_at(on))
        if kind == "LOCK":
            lock = self["wait_on"].cast(type_of("vr_rlock").pointer())
            if lock["owner"] and lock["owner"]["serial"] == lock["owner_serial"]:
                text += " of " + Greenlet(self.hub, lock["owner"].dereference()).name
        return text

    @property
    def limit(self):
        """How long its wait may go on, or until it starts."""
        if self.state == "waiting" and self["wait_kind"]:
            until = int(self["wait_until"])
        elif self.state == "not started" and self["later"]:
            until = int(self["wait_until"])
        else:
            return ""
        return "" if until == FOREVER else duration(until - self.hub.now)

    @property
    def since(self):
        if self.state != "waiting" or not self["wait_kind"]:
            return ""
        return duration(self.hub.now - int(self["wait_since"]))

    @property
    def site(self):
        return self["site"].string() if self["site"] else ""

    @property
    def stack_use(self):
        """Octets in use now, of how many."""
        bottom = address_of(self["stack"]["bottom"])
        if not bottom:
            return ""
        if self.state in ("not started", "dead"):
            used = 0
        elif self.is_current:
            used = self.address - self.hub.stack_pointer()
        else:
            used = self.address - address_of(self.registers()[machine().sp])
        return "%.1f of %d KiB" % (used / 1024, (self.address - bottom) // 1024)

    def registers(self):
        return machine().registers(self["context"])


class Hub:
    def __init__(self, thread, record):
        self.thread = thread
        self.record = record  # vr_hub

    @functools.cached_property
    def now(self):
        """The hub's time: this moment's for a process on this machine, otherwise that of the loop's last turn."""
        if self.record["virtual_clock"]:
            return int(self.record["now"])
        if gdb.selected_inferior().connection.type == "native":
            return time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        return int(self.record["turn"])

    def stack_pointer(self):
        with selected_thread(self.thread):
            return address_of(gdb.newest_frame().read_register(machine().sp))

    def greenlet_with(self, address, is_waitable):
        """The greenlet at an address, or the one whose waitable is there."""
        record_type = type_of("struct vr_greenlet")
        if is_waitable:
            (field,) = [field for field in record_type.fields() if field.name == "waitable"]
            address -= field.bitpos // 8
        return Greenlet(self, gdb.Value(address).cast(record_type.pointer()).dereference())

    def greenlets(self):
        """The main one, then those that have a stack of the arena, the hub's own among them."""
        yield Greenlet(self, self.record["main"])
        pools = self.record["stacks"]["pools"]
        first, last = pools.type.range()
        for i in range(first, last + 1):
            for record in records(pools[i], 1 << (MIN_SHIFT + i - first)):
                yield Greenlet(self, record)


def records(pool, size):
    """The record of each slot in use, as vr_stack_each finds them."""
    head_type = type_of("struct vr_stack_head")
    record_type = type_of("struct vr_greenlet").pointer()
    chunk = pool["chunks"]
    while chunk:
        end = pool["fresh"] if chunk == pool["chunks"] else chunk["end"]
        for slot in range(address_of(chunk["slots"]), address_of(end), size):
            head = gdb.Value(slot + size - head_type.sizeof).cast(head_type.pointer())
            if head["record"]:
                yield head["record"].cast(record_type).dereference()
        chunk = chunk["next"]


class selected_thread:
    """Has a thread selected, and then the one that was before, with its frame."""

    def __init__(self, thread):
        self.thread = thread

    def __enter__(self):
        self.before = gdb.selected_thread()
        self.frame = gdb.selected_frame()
        if self.before != self.thread:
            self.thread.switch()

    def __exit__(self, *_):
        if self.before != self.thread:
            self.before.switch()
            self.frame.select()


def hubs():
    """The hub of each thread that has one."""
    if not gdb.selected_thread():
        raise GreenletError("vireo: no process and no core file")
    found = []
    problem = None
    for thread in sorted(gdb.selected_inferior().threads(), key=lambda thread: thread.num):
        with selected_thread(thread):
            try:
                hub = gdb.parse_and_eval("vr_thread_hub")
            except gdb.error as error:
                problem = error
                continue
            if hub:
                found.append(Hub(thread, hub.dereference()))
    if problem and not found:
        raise GreenletError("vireo: the threads' hubs are not to be found: %s" % problem)
    return found


def find(who):
    """The greenlets of that name or number."""
    number = re.fullmatch(r"(?:(\d+)\.)?(\d+)", who)
    if not number:
        found = [greenlet for hub in hubs() for greenlet in hub.greenlets() if greenlet.name == who]
    else:
        thread, serial = number.groups()
        found = [greenlet for hub in hubs() if thread in (None, str(hub.thread.num))
                 for greenlet in hub.greenlets() if greenlet.serial == int(serial)]
        here = [greenlet for greenlet in found if greenlet.hub.thread == gdb.selected_thread()]
        found = here or found
    if not found:
        raise GreenletError("vireo: no greenlet %s" % who)
    return found


# --- Unwinding from a suspended greenlet ---


class FrameName:
    """How gdb tells frames apart; it looks for these two."""

    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


class Detour(Unwinder):
    """
    Has the frames of a greenlet follow after frame 0, in one thread. So the registers of a process need not be changed,
    nor those of a core file, which cannot be.
    """

    def __init__(self):
        super().__init__("vireo")
        self.thread = None

    def begin(self, greenlet):
        self.machine = machine()
        self.registers = greenlet.registers()
        self.innermost = self.position(gdb.newest_frame())
        self.thread = gdb.selected_thread()
        gdb.invalidate_cached_frames()

    def end(self):
        if self.thread:
            self.thread = None
            gdb.invalidate_cached_frames()

    def position(self, frame):
        return [address_of(frame.read_register(name)) for name in (self.machine.pc, self.machine.sp)]

    def __call__(self, frame):
        if not self.thread or gdb.selected_thread() != self.thread or self.position(frame) != self.innermost:
            return None
        # Frames have to lie deeper the newer they are: by its name, this one does not lie above the greenlet's.
        name = FrameName(self.registers[self.machine.sp], frame.read_register(self.machine.pc))
        info = frame.create_unwind_info(name)
        for register, value in self.registers.items():
            info.add_saved_register(register, value.cast(frame.read_register(register).type))
        return info


detour = Detour()
register_unwinder(None, detour, replace=True)
gdb.events.cont.connect(lambda _: detour.end())


def backtrace(greenlet, arguments):
    """What bt says of a greenlet, its frames numbered from 0."""
    state = greenlet.state
    if state == "not started":
        return "it will run%s\n" % symbol_at(address_of(greenlet["function"]))
    if state == "dead":
        return "it has ended\n"
    if state == "running":
        with selected_thread(greenlet.hub.thread):
            return gdb.execute("bt " + arguments, to_string=True)
    # One frame more than asked for, as the first is left out.
    arguments = re.sub(r"(?<!\S)\d+(?!\S)", lambda count: str(int(count.group()) + 1), arguments)
    detour.begin(greenlet)
    try:
        text = gdb.execute("bt " + arguments, to_string=True)
    finally:
        detour.end()
    frames = text[text.find("\n#1 ") + 1 :]
    return re.sub(r"^#(\d+) *", lambda frame: "#%-3d" % (int(frame.group(1)) - 1), frames, flags=re.MULTILINE)


# --- Commands ---


class Command(gdb.Command):
    """Vireo's greenlets. "help vireo" lists the commands; the script's head explains them."""

    def __init__(self, name, prefix=False):
        super().__init__(name, gdb.COMMAND_STACK, prefix=prefix)


class GreenletsCommand(Command):
    """List the greenlets of all threads, or those with WORD in a name, a wait or a site: vireo greenlets [WORD]

    The one that runs, or would if its thread did, has a star. A wait is told with what for, for how long by now, and
    how much longer at most; of a core file, as of the last turn of the hub's loop. Of stacks: what is in use, and the
    size."""

    FORMAT = "%s %-8s %-20s %-11s %-32s %9s %9s %18s  %s"

    def invoke(self, argument, from_tty):
        print(self.FORMAT % (" ", "number", "name", "state", "waits for", "for", "limit", "stack in use", "made at"))
        for hub in hubs():
            for greenlet in hub.greenlets():
                row = self.row(greenlet)
                if any(argument in row[i] for i in (2, 4, 8)):
                    print((self.FORMAT % row).rstrip())

    @staticmethod
    def row(greenlet):
        mark = "*" if greenlet.is_current else " "
        return (mark, greenlet.number, greenlet.name, greenlet.state, greenlet.wait, greenlet.since, greenlet.limit,
                greenlet.stack_use, greenlet.site)


class BacktraceCommand(Command):
    """Print the backtrace of a greenlet, or of all: vireo bt NAME|NUMBER|all [ARGUMENT]...

    The arguments are those of gdb's own bt."""

    def invoke(self, argument, from_tty):
        who, _, arguments = argument.partition(" ")
        if not who:
            raise GreenletError("usage: vireo bt NAME|NUMBER|all [ARGUMENT]...")
        if who == "all":
            found = [greenlet for hub in hubs() for greenlet in hub.greenlets()]
        else:
            found = find(who)
        for greenlet in found:
            wait = " for " + greenlet.wait if greenlet.wait else ""
            print("greenlet %s, %s, %s%s" % (greenlet.number, greenlet.name, greenlet.state, wait))
            print(backtrace(greenlet, arguments))


class SelectCommand(Command):
    """Look at the frames of a suspended greenlet, or no more: vireo select [NAME|NUMBER]

    Its frames begin at number 1, for frame, up, info locals and the like. Number 0 remains the thread's."""

    def invoke(self, argument, from_tty):
        detour.end()
        if not argument:
            return
        greenlet = find(argument)[0]
        if greenlet.state not in ("waiting", "ready"):
            raise GreenletError("vireo: greenlet %s is %s: no frames to select" % (greenlet.name, greenlet.state))
        detour.begin(greenlet)
        gdb.execute("frame 1")


Command("vireo", prefix=True)
GreenletsCommand("vireo greenlets")
BacktraceCommand("vireo bt")
SelectCommand("vireo select")
