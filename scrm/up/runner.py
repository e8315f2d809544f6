"""The process runner: starts programs, prefixes their lines, restarts what falls, stops all in order. One loop."""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Any, Self

import psutil

from scrm.up.folder import Fault

COLOURS = (36, 33, 32, 35, 34, 31, 96, 93, 92, 95)
LONGEST_PAUSE = 30.0
STEADY = 60.0  # a program that ran this long may fall again without being held back for it
GRACE = 20.0  # a worker finishes what it holds


@dataclass(frozen=True)
class Program:
    """A command and how to end it. Higher stages stop first."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    account: tuple[int, int] | None = None
    stop: signal.Signals = signal.SIGTERM
    kill: signal.Signals = signal.SIGKILL
    stage: int = 2
    hide: str = ""  # lines with this are kept for the reason of a failure, and not shown


class Interrupted(Exception):
    """Someone asked us to stop: Ctrl-C, SIGTERM, a closed terminal."""


class Child:
    """A program that runs, or that waits for its next start."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.process: subprocess.Popen[bytes] | None = None
        self.started = 0.0
        self.tended = True  # started again when it falls
        self.falls = 0
        self.start_again: float | None = None
        self.rest = b""
        self.last_lines: deque[str] = deque(maxlen=20)

    @property
    def pid(self) -> int:
        return self.process.pid if self.process else 0

    @property
    def code(self) -> int | None:
        return self.process.poll() if self.process else None

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        who: dict[str, Any] = {}
        if self.program.account:
            who = {"user": self.program.account[0], "group": self.program.account[1], "extra_groups": []}
        self.process = subprocess.Popen(
            self.program.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **self.program.env},
            cwd="/" if self.program.account else None,
            start_new_session=True,  # Ctrl-C in the terminal is ours to pass on, in order
            **who,
        )
        self.started, self.start_again, self.rest = time.monotonic(), None, b""
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)

    def signal(self, number: signal.Signals, *, group: bool = False) -> None:
        try:
            if group:
                os.killpg(self.pid, number)
            elif self.running:
                os.kill(self.pid, number)
        except (ProcessLookupError, PermissionError):
            pass


class Runner:
    """`with Runner() as runner:` everything started inside is stopped at the end, whatever happens."""

    def __init__(
        self, *, quiet: bool = False, record: Path | None = None, until_closed: IO[bytes] | None = None
    ) -> None:
        self.quiet, self.record, self.until_closed = quiet, record, until_closed
        self.children: list[Child] = []
        self.collected: list[dict[str, Any]] = []
        self._signals = 0
        self._stopping = False
        self._selector = selectors.DefaultSelector()
        self._colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        if self.until_closed:
            self._selector.register(self.until_closed, selectors.EVENT_READ, None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signals += 1

    # -- starting ------------------------------------------------------------------------------------------------------

    def start(self, program: Program, *, tended: bool = True) -> Child:
        child = Child(program)
        child.tended = tended
        self.children.append(child)
        self._launch(child)
        return child

    def _launch(self, child: Child) -> None:
        try:
            child.start()
        except OSError as error:
            raise Fault(f"{child.program.name} cannot start: {error}") from error
        assert child.process is not None
        self._selector.register(child.process.stdout, selectors.EVENT_READ, child)  # type: ignore[arg-type]
        self._write_record()

    def wait_for(self, child: Child, ready: Callable[[], bool], *, seconds: float) -> None:
        """Until the program answers. One that ends before that is a fault; it is not tried again."""
        end = time.monotonic() + seconds
        child.tended = False
        while not ready():
            if not child.running:
                self._drain([child])
                raise Fault(f"{child.program.name} stopped while starting: {reason(child)}")
            if time.monotonic() > end:
                raise Fault(f"{child.program.name} is not ready after {seconds:.0f} s: {reason(child)}")
            ask_again = time.monotonic() + 0.1
            while time.monotonic() < ask_again:
                self.turn(0.1)
        child.tended = True

    def run(self, *programs: Program) -> None:
        """Side by side, to the end; JSON objects among their lines are collected and not shown."""
        children = [self.start(program, tended=False) for program in programs]
        while any(child.running for child in children):
            self.turn(0.05)
        self._drain(children)
        for child in children:
            self.children.remove(child)
            if child.code != 0:
                raise Fault(f"{' '.join(child.program.command[-2:])} failed: {reason(child)}")

    # -- the loop ------------------------------------------------------------------------------------------------------

    def forever(self) -> None:
        while True:
            self.turn(0.25)

    def turn(self, seconds: float) -> None:
        """Once around: lines, falls, restarts, signals."""
        for key, _ in self._selector.select(seconds):
            if key.data is not None:
                self._read(key.data)
            elif not os.read(key.fd, 4096):
                self._selector.unregister(key.fileobj)
                self._signals += 1
        if self._signals and not self._stopping:
            raise Interrupted
        if not self._stopping:
            for child in self.children:
                if child.tended:
                    self._tend(child)

    def _tend(self, child: Child) -> None:
        now = time.monotonic()
        if child.start_again is not None:
            if now >= child.start_again:
                self._launch(child)
        elif not child.running:
            child.falls = 1 if now - child.started > STEADY else child.falls + 1
            pause = min(LONGEST_PAUSE, 2.0 ** (child.falls - 1))
            child.start_again = now + pause
            child.signal(signal.SIGKILL, group=True)  # what it left behind would hold its port or its tasks
            self.say(child.program.name, f"ended with {ending(child)}; starting again in {pause:.0f} s", alarm=True)

    def _read(self, child: Child) -> None:
        assert child.process is not None and child.process.stdout is not None
        try:
            data = os.read(child.process.stdout.fileno(), 65536)
        except BlockingIOError:
            return
        if not data:
            self._selector.unregister(child.process.stdout)
            child.process.stdout.close()
        *lines, child.rest = (child.rest + data).split(b"\n")
        if len(child.rest) > 65536 or (not data and child.rest):
            lines, child.rest = [*lines, child.rest], b""
        for line in lines:
            self._line(child, line.decode(errors="replace").rstrip())

    def _line(self, child: Child, line: str) -> None:
        if line.startswith("{"):
            try:
                found = json.loads(line)
            except ValueError:
                found = None
            if isinstance(found, dict) and "show" in found:
                self.collected.append(found)
                return
        child.last_lines.append(line)
        if line and not (child.program.hide and child.program.hide in line):
            self.say(child.program.name, line)

    def _drain(self, children: Sequence[Child]) -> None:
        """What was printed just before the end."""
        for child in children:
            while child.process and child.process.stdout and not child.process.stdout.closed:
                before = len(child.last_lines), child.rest
                self._read(child)
                if child.process.stdout.closed or (len(child.last_lines), child.rest) == before:
                    break

    def say(self, name: str, line: str, *, alarm: bool = False) -> None:
        if self.quiet:
            return
        if self._colour:
            colour = 31 if alarm else COLOURS[sum(name.encode()) % len(COLOURS)]
            print(f"\033[{colour}m{name:>9} |\033[0m {line}", flush=True)
        else:
            print(f"{name:>9} | {line}", flush=True)

    # -- stopping ------------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Those that use the servers first, the servers last; a second signal ends the waiting."""
        self._stopping, heard = True, self._signals
        for stage in sorted({child.program.stage for child in self.children}, reverse=True):
            group = [child for child in self.children if child.program.stage == stage]
            for child in group:
                child.signal(child.program.stop)
            end = time.monotonic() + GRACE
            while any(child.running for child in group) and time.monotonic() < end and self._signals == heard:
                self.turn(0.05)
            for child in group:
                if child.running:
                    self.say(child.program.name, "does not stop; killed", alarm=True)
                    child.signal(child.program.kill, group=True)
                    self._wait_or_kill(child)
                else:
                    child.signal(signal.SIGKILL, group=True)
            self._drain(group)
        if self.record:
            self.record.unlink(missing_ok=True)

    @staticmethod
    def _wait_or_kill(child: Child) -> None:
        assert child.process is not None
        try:
            child.process.wait(5)
        except subprocess.TimeoutExpired:
            child.signal(signal.SIGKILL, group=True)
            child.process.wait()

    # -- what a killed runner leaves behind ----------------------------------------------------------------------------

    def _write_record(self) -> None:
        """Pids with their birth: a pid alone may be someone else's by tomorrow."""
        if self.record is None:
            return
        rows = []
        for child in self.children:
            try:
                born = psutil.Process(child.pid).create_time()
            except psutil.NoSuchProcess:
                continue
            rows.append([child.program.stage, child.pid, born, int(child.program.stop)])
        self.record.write_text(json.dumps(rows))


def end_leftovers(record: Path) -> int:
    """End what a runner that was killed left running, in order; how many there were."""
    try:
        rows = json.loads(record.read_text())
    except (OSError, ValueError):
        return 0
    ended = 0
    for _stage, pid, born, stop in sorted(rows, reverse=True):
        try:
            process = psutil.Process(pid)
            if abs(process.create_time() - born) > 0.1:
                continue
            family = [process, *process.children(recursive=True)]
            process.send_signal(stop)
            _, left = psutil.wait_procs(family, timeout=10)
            for straggler in left:
                straggler.kill()
            ended += 1
        except psutil.NoSuchProcess:
            continue
        except psutil.AccessDenied as error:
            raise Fault(f"process {pid} of an earlier run belongs to another account: end it first") from error
    record.unlink(missing_ok=True)
    return ended


def reason(child: Child) -> str:
    """The line that most likely says why: the last fatal one, else the last one."""
    lines = [line.strip() for line in child.last_lines if line.strip()]
    loud = [line for line in lines if "FATAL" in line or "PANIC" in line or "Error" in line]
    return (loud or lines or [ending(child)])[-1]


def ending(child: Child) -> str:
    code = child.code
    if code is None:
        return "no answer"
    return signal.Signals(-code).name if code < 0 else f"code {code}"
