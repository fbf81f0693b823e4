"""The gdb script: what it lists, and that backtraces walk through a switch, of a process and of its core file."""

import os
import re

import pytest

from programs import find, run

_COMMANDS = {
    "list": "vireo greenlets",
    "list of a word": "vireo greenlets reader",
    "running": "bt",
    "sleeper": "vireo bt sleeper",
    "sleeper's innermost": "vireo bt sleeper 2",
    "joiner": "vireo bt joiner",
    "yielder": "vireo bt yielder",
    "main": "vireo bt 1.0",
    "late": "vireo bt late",
    "corpse": "vireo bt corpse",
    "stopper": "vireo bt stopper",
    "elsewhere": "vireo bt elsewhere",
    "all": "vireo bt all",
    "nobody": "vireo bt nobody",
    "select": "vireo select sleeper",
    "frame": "frame function nap",
    "argument": "print depth",
    "select stopper": "vireo select stopper",
    "select none": "vireo select",
    "running again": "bt",
}

_TELL = """
def tell(command):
    try:
        print(gdb.execute(command, to_string=True))
    except gdb.error as error:
        print("error:", error)
"""


def _core_file_of(program, directory):
    """The core file that the kernel writes of a program that aborts; None where it goes elsewhere."""
    with open("/proc/sys/kernel/core_pattern") as pattern:
        if "/" in (word := pattern.read().strip()) or word.startswith("|"):
            return None
    run(["sh", "-c", f"ulimit -c unlimited && cd '{directory}' && exec '{program}' abort"])
    (core,) = directory.glob("core*")
    return core


@pytest.fixture(scope="module", params=["process", "core file"])
def said(request, tmp_path_factory):
    """What gdb says to each command, by the command's name, of a process that has stopped or of a core file."""
    gdb = find("gdb")
    assert gdb, "gdb is not installed (Debian: apt-get install gdb)"
    program = os.environ["VIREO_GDB_SUBJECT"]
    directory = tmp_path_factory.mktemp("gdb")
    prelude = directory / "prelude.py"
    prelude.write_text(_TELL)
    words = [gdb, "-nx", "-batch", "-iex", "set debuginfod enabled off"]
    words += ["-x", os.environ["VIREO_GDB_SCRIPT"], "-x", prelude]
    if request.param == "process":
        words += [program, "-ex", "break stop_here", "-ex", "run"]
    elif core := _core_file_of(program, directory):
        words += [program, core]
    else:
        pytest.skip("core files do not go to the directory of the program (sysctl kernel.core_pattern)")
    for name, command in _COMMANDS.items():
        words += ["-ex", f"echo \\n=== {name}\\n", "-ex", f"python tell({command!r})"]
    result = run(words, timeout=120)
    parts = re.split(r"^=== (.*)\n", result.stdout, flags=re.MULTILINE)
    assert parts[1::2] == list(_COMMANDS), result
    return dict(zip(parts[1::2], parts[2::2]))


def _functions(backtrace):
    """The functions of a backtrace, innermost first, its frames being numbered without a gap."""
    frames = re.findall(r"^#(\d+) +(?:0x\w+ in )?([\w?]+) \(", backtrace, flags=re.MULTILINE)
    assert [int(number) for number, _ in frames] == list(range(len(frames))), backtrace
    return [function for _, function in frames]


def _row(listing, name):
    """The line of a listing for the greenlet of that name, with single spaces."""
    (row,) = re.findall(rf"^[* ] \d+\.\d+ +{name} .*", listing, flags=re.MULTILINE)
    return " ".join(row.split())


@pytest.mark.parametrize("name, row", [
    ("stopper", "* 1.9 stopper running"),
    ("late", "1.10 late not started"),
    ("corpse", "1.6 corpse dead"),
    ("yielder", "1.7 yielder ready"),
    ("sleeper", "1.3 sleeper waiting the end of its sleep"),
    ("reader", "1.4 reader waiting fd "),
    ("joiner", "1.5 joiner waiting sleeper to end"),
    ("greenlet-8", "1.8 greenlet-8 waiting the end of its sleep"),
    ("elsewhere", "2.3 elsewhere waiting the end of its sleep"),
])
def test_listing_tells_state_and_wait(said, name, row):
    assert _row(said["list"], name).startswith(row)


def test_listing_has_each_threads_main_and_hub(said):
    for name in ("main", "hub"):
        assert len(re.findall(rf"\d\.\d +{name} ", said["list"])) == 2, said["list"]


def test_listing_tells_stack_use_and_where_it_was_made(said):
    row = _row(said["list"], "sleeper")
    used, size = re.search(r"([\d.]+) of (\d+) KiB \S*gdb_subject\.c:\d+$", row).groups()
    assert 0 < float(used) < int(size), row


def test_listing_of_a_word_leaves_out_what_has_it_not(said):
    assert _row(said["list of a word"], "reader")
    assert "sleeper" not in said["list of a word"]


def test_backtrace_of_a_running_greenlet_ends_at_its_first_code(said):
    for command in ("running", "stopper", "running again"):
        functions = _functions(said[command])
        assert functions[functions.index("stop_here"):] == ["stop_here", "stops", "begin", "vr_context_start"]
        assert "Backtrace stopped" not in said[command]


@pytest.mark.parametrize("name, ours", [
    ("sleeper", ["vr_sleep", "nap", "nap", "nap", "nap", "sleeps", "begin", "vr_context_start"]),
    ("joiner", ["vr_join", "joins", "begin", "vr_context_start"]),
    ("yielder", ["vr_sleep", "gives_way", "begin", "vr_context_start"]),
    ("elsewhere", ["vr_sleep", "nap", "sleeps", "begin", "vr_context_start"]),
    ("main", ["vr_sleep", "main"]),
])
def test_backtrace_of_a_suspended_greenlet_leads_from_the_switch_to_its_first_code(said, name, ours):
    functions = _functions(said[name])
    assert functions[0] == "vr_context_switch"
    assert functions[functions.index(ours[0]):] == ours
    assert "Backtrace stopped" not in said[name]


def test_backtrace_takes_the_arguments_of_bt(said):
    assert len(_functions(said["sleeper's innermost"])) == 2


def test_backtrace_of_one_that_does_not_run_says_so(said):
    assert "it will run <ends>" in said["late"]
    assert "it has ended" in said["corpse"]


def test_backtrace_of_all_has_every_greenlet(said):
    heads = re.findall(r"^greenlet (\S+), ([^,]+),", said["all"], flags=re.MULTILINE)
    listed = re.findall(r"^[* ] (\d+\.\d+) +(\S+)", said["list"], flags=re.MULTILINE)
    assert heads == listed


def test_unknown_greenlet_is_an_error(said):
    assert said["nobody"].strip() == "error: vireo: no greenlet nobody"


def test_selected_greenlets_variables_can_be_looked_at(said):
    assert "nap (depth=0)" in said["frame"]
    assert re.search(r"^\$\d+ = 0$", said["argument"], flags=re.MULTILINE), said["argument"]


def test_running_greenlet_is_not_selected(said):
    assert said["select stopper"].startswith("error: vireo: greenlet stopper is running")
