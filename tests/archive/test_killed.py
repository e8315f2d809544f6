"""F48: a backlog under three keys, and a puller that is killed again and again: nothing is missing, nothing doubled."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
from django.conf import settings

from archive.models import ArchivedMessage, Conversation, Envelope, PullCursor
from scrm.up.folder import ROOT
from tests.sizes import in_two_sizes

pytestmark = pytest.mark.long


@pytest.fixture
def committed(db_commits, archive, monkeypatch):
    """For processes of their own: real commits, and an environment that leads to the sandbox."""
    monkeypatch.setitem(os.environ, "WECOM_FINANCE_PROXY", settings.WECOM_FINANCE_PROXY)
    monkeypatch.setitem(os.environ, "SCRM_DATA", str(settings.DATA_DIR))
    return archive


def puller():
    return subprocess.Popen(
        [sys.executable, "manage.py", "archive_pull", "acme", "--json"],
        cwd=ROOT,
        env=os.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


@in_two_sizes("kills, each", (3, 300), (20, 2000))
def test_a_puller_that_is_killed_loses_nothing_and_doubles_nothing(committed, kills, each):
    committed.set(most=200, per_minute=100_000)
    for version in (1, 2, 3):
        if version > 1:
            committed.new_key(ours=version == 2)  # the third key comes late
        committed.push(*(committed.text(f"第 {version} 版的 {number}") for number in range(each)))

    dice, seqs = random.Random(48), []
    for number in range(kills):
        if number == kills // 2:
            committed.give_key(3)
        process = puller()
        time.sleep(dice.uniform(1.5, 4))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        seqs.append(PullCursor.objects.values_list("seq", flat=True).first() or 0)
    final = puller()
    assert final.wait(300) == 0, final.stderr.read()

    truth = {row["msgid"]: row["plain"]["text"]["content"] for row in committed.truth()}
    assert seqs == sorted(seqs)
    assert dict(ArchivedMessage.objects.values_list("msgid", "text")) == truth
    assert not Envelope.objects.exclude(state="opened").exists()
    assert Conversation.objects.get().messages == len(truth) == 3 * each
