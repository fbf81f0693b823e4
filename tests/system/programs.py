"""Running programs with a time limit, their output kept for the failure message, nothing left behind."""

import os
import re
import shutil
import signal
import subprocess
import threading
from dataclasses import dataclass

# For a machine that is busy with other things: a healthy program needs a small part of it.
TIME_LIMIT = 30

_SYSTEM_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/bin", "/bin"])
_OURS_ALONE = ("VIREO_RESOLVERS", "LIBEV_FLAGS", "RES_OPTIONS", "LOCALDOMAIN")


def find(name):
    """The path of an installed program, or None; the administrator's directories count, too."""
    return shutil.which(name, path=_SYSTEM_PATH)


def environment(**more):
    """The environment of this process without what would change how the programs resolve names."""
    kept = {key: value for key, value in os.environ.items() if key not in _OURS_ALONE}
    return {**kept, **more}


def _bound_to_us(command):
    """A command that gets SIGTERM when the tests die, even by SIGKILL."""
    return ["setpriv", "--pdeathsig", "TERM", "--", *map(str, command)]


def _text(octets):
    return octets.decode("utf-8", "surrogateescape")


def _story(command, end, stdout, stderr):
    """What a failure message says of a run."""
    return f"{' '.join(command)}\n  {end}\n  stdout: {stdout[-2000:]}\n  stderr: {stderr[-2000:]}"


@dataclass
class Result:
    command: list
    status: int
    stdout: str
    stderr: str

    @property
    def lines(self):
        return self.stdout.splitlines()

    def __str__(self):
        return _story(self.command, f"exit {self.status}", self.stdout, self.stderr)


def run(command, stdin=b"", timeout=TIME_LIMIT, stdout=subprocess.PIPE, env=None):
    """Runs a program to its end. `stdin` is octets to be read, or a file."""
    feed = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
    command = list(map(str, command))
    try:
        done = subprocess.run(
            _bound_to_us(command),
            stdout=stdout,
            stderr=subprocess.PIPE,
            timeout=timeout,
            env=env or environment(),
            **feed,
        )
    except subprocess.TimeoutExpired as late:
        raise AssertionError(
            _story(command, f"no end within {timeout} s", _text(late.stdout or b""), _text(late.stderr or b""))
        ) from None
    return Result(command, done.returncode, _text(done.stdout or b""), _text(done.stderr))


class Program:
    """A program that keeps running; its stderr is read all the time."""

    def __init__(self, command, env=None, **streams):
        self.command = list(map(str, command))
        self.process = subprocess.Popen(
            _bound_to_us(command), **{"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **streams},
            stderr=subprocess.PIPE, env=env or environment(),
        )
        self.pid = self.process.pid
        self._stderr = ""
        self._ended = self._told_to_end = False
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read_stderr, daemon=True)
        self._reader.start()

    def _read_stderr(self):
        with self.process.stderr as pipe:
            for line in pipe:
                with self._changed:
                    self._stderr += _text(line)
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def stderr(self):
        with self._changed:
            return self._stderr

    def wait_for_stderr(self, pattern, timeout=TIME_LIMIT):
        """Waits for stderr to match: the match, or None when the program ended or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or re.search(pattern, self._stderr, re.M), timeout)
            return re.search(pattern, self._stderr, re.M)

    def running(self):
        return self.process.poll() is None

    def ends_within(self, seconds):
        """Waits for the end; also the way to wait a little while the program runs."""
        try:
            self.process.wait(seconds)
            return True
        except subprocess.TimeoutExpired:
            return False

    def send(self, number=signal.SIGTERM):
        self._told_to_end = True
        self.process.send_signal(number)

    def stop(self, number=signal.SIGTERM, timeout=TIME_LIMIT):
        """
        Signals the program, unless a test has done so already, waits for its end, and returns its exit status; one that
        does not end is killed.
        """
        if self.running() and not self._told_to_end:
            self.send(number)
        if not self.ends_within(timeout):
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{' '.join(self.command)} did not end within {timeout} s of a signal\n{self.stderr}")
        self._reader.join(TIME_LIMIT)
        return self.process.returncode
