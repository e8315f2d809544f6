import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from scrm.up.folder import Fault
from scrm.up.runner import Interrupted, Program, Runner, end_leftovers

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


def python(name: str, code: str, stage: int = 2) -> Program:
    return Program(name, (sys.executable, "-c", code), stage=stage)


@pytest.fixture(autouse=True)
def signals_as_they_were():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_lines_carry_the_name_of_their_program(capfd):
    with Runner() as runner:
        runner.run(python("web", "print('第一行'); print('last without an end', end='')"))

    assert capfd.readouterr().out.splitlines() == ["      web | 第一行", "      web | last without an end"]


def test_what_a_program_shows_is_collected_and_not_printed(capfd):
    with Runner() as runner:
        runner.run(
            python("seed", """print('{"show": "console", "url": "http://demo.localhost/"}'); print('{"level": 1}')""")
        )

    assert runner.collected == [{"show": "console", "url": "http://demo.localhost/"}]
    assert "level" in capfd.readouterr().out


def test_a_command_that_fails_is_named_with_its_reason():
    with Runner(quiet=True) as runner, pytest.raises(Fault, match=r"failed: RuntimeError: no database$"):
        runner.run(python("migrate", "raise RuntimeError('no database')"))


def test_a_program_that_falls_is_started_again(tmp_path):
    starts = tmp_path / "starts"
    with Runner(quiet=True) as runner:
        runner.start(python("web", f"open({str(starts)!r}, 'a').write('x')"))
        end = time.monotonic() + 20
        while (not starts.exists() or len(starts.read_text()) < 2) and time.monotonic() < end:
            runner.turn(0.1)

    assert len(starts.read_text()) >= 2


def test_a_program_that_ends_while_starting_is_a_fault():
    with Runner(quiet=True) as runner:
        child = runner.start(python("valkey", "import sys; sys.exit('FATAL: no room')"))

        with pytest.raises(Fault, match="valkey stopped while starting: FATAL: no room"):
            runner.wait_for(child, lambda: False, seconds=20)


def test_the_servers_stop_after_those_that_use_them(tmp_path):
    log = tmp_path / "log"
    leave = (
        "import signal, sys, time\n"
        "def end(*_):\n time.sleep(0.2); open({0!r}, 'a').write({1!r}); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end); print('up', flush=True); time.sleep(60)"
    )
    with Runner(quiet=True) as runner:
        children = [
            runner.start(python("postgres", leave.format(str(log), "p"), stage=0)),
            runner.start(python("worker", leave.format(str(log), "w"), stage=3)),
        ]
        for child in children:
            runner.wait_for(child, lambda child=child: "up" in child.last_lines, seconds=20)

    assert log.read_text() == "wp"


def test_a_second_signal_ends_the_waiting_for_one_that_does_not_stop():
    began = time.monotonic()
    with Runner(quiet=True) as runner:
        child = runner.start(python("worker", STUBBORN))
        runner.wait_for(child, lambda: "up" in child.last_lines, seconds=20)
        runner.start(python("impatient", f"import os, time; time.sleep(1); os.kill({os.getpid()}, 2)", stage=0))

    assert not child.running
    assert time.monotonic() - began < 15


def test_a_signal_ends_the_loop():
    with Runner(quiet=True) as runner:
        os.kill(os.getpid(), signal.SIGTERM)

        with pytest.raises(Interrupted):
            runner.forever()


def test_what_a_killed_runner_leaves_is_ended_by_the_next(tmp_path):
    record = tmp_path / "run.json"
    code = (
        "import os, pathlib, sys\nfrom scrm.up.runner import *\n"
        f"runner = Runner(quiet=True, record=pathlib.Path({str(record)!r})); runner.__enter__()\n"
        "runner.start(Program('web', (sys.executable, '-c', 'import time; time.sleep(60)')))\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    ((_stage, pid, _born, _stop),) = json.loads(record.read_text())
    assert psutil.pid_exists(pid)

    assert end_leftovers(record) == 1

    assert not psutil.pid_exists(pid)
    assert end_leftovers(record) == 0


def test_a_pid_that_became_someone_elses_is_left_alone(tmp_path):
    record = tmp_path / "run.json"
    record.write_text(json.dumps([[2, os.getpid(), psutil.Process().create_time() - 100, 9]]))

    assert end_leftovers(record) == 0
