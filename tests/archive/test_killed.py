"""F48: a backlog under three keys, and a puller that is killed again and again: nothing is missing, nothing doubled."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from archive.models import ArchivedMessage, Conversation, Envelope, PullCursor
from scrm.up.folder import ROOT

pytestmark = pytest.mark.xdist_group("processes")
EACH = 1000


def puller(schema="acme"):
    return subprocess.Popen(
        [sys.executable, "manage.py", "archive_pull", schema, "--json"],
        cwd=ROOT,
        env=os.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def kills(count, archive, monkeypatch):
    from django.conf import settings

    monkeypatch.setitem(os.environ, "WECOM_FINANCE_PROXY", settings.WECOM_FINANCE_PROXY)
    monkeypatch.setitem(os.environ, "SCRM_DATA", str(settings.DATA_DIR))
    archive.set(most=200, per_minute=100_000)
    for version in (1, 2, 3):
        if version > 1:
            archive.new_key(ours=version == 2)  # the third key comes late
        archive.push(*(archive.text(f"第 {version} 版的 {number}") for number in range(EACH)))

    dice, seqs = random.Random(48), []
    for number in range(count):
        if number == count // 2:
            archive.give_key(3)
        process = puller()
        time.sleep(dice.uniform(1.5, 5))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        seqs.append(PullCursor.objects.values_list("seq", flat=True).first() or 0)
    final = puller()
    assert final.wait(180) == 0, final.stderr.read()

    truth = {row["msgid"]: row["plain"]["text"]["content"] for row in archive.truth()}
    assert seqs == sorted(seqs)
    assert dict(ArchivedMessage.objects.values_list("msgid", "text")) == truth
    assert not Envelope.objects.exclude(state="opened").exists()
    assert Conversation.objects.get().messages == len(truth) == 3 * EACH


@pytest.fixture
def committed(db_commits, archive):
    return archive


def test_a_puller_that_is_killed_loses_nothing_and_doubles_nothing(committed, monkeypatch):
    kills(4, committed, monkeypatch)


@pytest.mark.faults
def test_killed_twenty_times(committed, monkeypatch):
    kills(20, committed, monkeypatch)
