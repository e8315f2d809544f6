"""Processes of a test that die by SIGKILL and are started again."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from scrm.up.folder import ROOT


class Killable:
    """Processes of one kind; the oldest dies, another takes its place."""

    def __init__(self, script: str, count: int, **environment: str) -> None:
        self.script = script
        self.environment = os.environ | {"DJANGO_SETTINGS_MODULE": "scrm.settings"} | environment
        self.running = [self._start() for _ in range(count)]

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", self.script], cwd=ROOT, env=self.environment, stdout=subprocess.DEVNULL
        )

    def kill_one(self) -> None:
        victim = self.running.pop(0)
        victim.send_signal(signal.SIGKILL)
        victim.wait(10)
        self.running.append(self._start())

    def stop(self) -> None:
        for process in self.running:
            process.kill()
            process.wait(10)


@pytest.fixture
def killable() -> Iterator[list[Killable]]:
    started: list[Killable] = []
    yield started
    for one in started:
        one.stop()
