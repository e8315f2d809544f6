"""A sync that is killed goes on where its last checkpoint stands; the commands of the contract."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from contacts.harvest import AHEAD, PAGE, SET
from contacts.models import Customer, Follow
from scrm.up.folder import ROOT
from tenants.models import Job
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.long


@pytest.fixture
def slow_wecom(db_commits: None, sandbox: Sandbox) -> Sandbox:
    slow = {"externalcontact/batch/get_by_user": 0.25}
    sandbox.make_corp(staff=8, customers=4000, groups=2, limits={"latency": slow, "short_pages": False})
    return sandbox


def command(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=os.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: subprocess.Popen[str]) -> str:
    out, problem = process.communicate(timeout=120)
    assert process.returncode == 0, problem
    return out


def test_a_killed_sync_goes_on_and_repeats_at_most_one_set_of_pages(slow_wecom, acme):
    first = command("sync_now", "acme", "--only", "customers", "--json")
    end = time.monotonic() + 60
    while not Job.objects.filter(kind="sync", done__gt=0).exists():
        assert first.poll() is None and time.monotonic() < end
        time.sleep(0.05)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    with acme:
        kept = Follow.objects.count()
    asked = len(slow_wecom.calls("externalcontact/batch/get_by_user"))

    said = json.loads(finished(command("sync_now", "acme", "--only", "customers", "--json")))

    job = Job.objects.get(kind="sync")
    friendships = len(slow_wecom.friendships())
    assert 0 < kept < friendships
    assert (said["job"], said["state"]) == (job.pk, "done")
    with acme:
        assert Follow.objects.filter(ended_at=None).count() == friendships
        assert Customer.objects.filter(active_follows=0).count() == 0
    pages_again = asked - kept // PAGE
    assert pages_again <= SET // PAGE + AHEAD + 12  # a set being filled, pages read ahead, one under way in each reader
    assert said["counts"]["follows_new"] == friendships


def test_reconcile_prints_what_it_found_and_mended(db_commits, sandbox, acme):
    finished(command("sync_now", "acme", "--json"))
    userid = sandbox.friendships()[0][0]
    sandbox.act("customer_adds", userid=userid, name="漏掉的客户")

    found = json.loads(finished(command("reconcile", "acme", "--json")))
    again = finished(command("reconcile", "acme"))

    assert (found["differences"], found["mended"]["follows_missing"]) == (1, 1)
    assert again.strip() == "no differences"


def test_an_unknown_company_is_one_clear_line(db_commits):
    process = command("sync_now", "nowhere")
    _, problem = process.communicate(timeout=60)

    assert process.returncode != 0
    assert "nowhere" in problem and len(problem.strip().splitlines()) == 1
