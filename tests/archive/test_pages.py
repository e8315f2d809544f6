"""The viewer, the search and the settings, as operators of different range see them."""

from console.models import AuditEntry


def test_the_viewer_shows_a_conversation_and_writes_down_who_looked(archive, owner):
    archive.says("周末停车方便吗？")
    archive.answers("方便的")
    archive.pull()
    from archive.models import Conversation

    talk = Conversation.objects.get()
    page = owner.get(f"/console/archive/?c={talk.pk}")

    assert page.status_code == 200
    text = page.content.decode()
    assert "周末停车方便吗？" in text and "方便的" in text
    assert AuditEntry.objects.filter(action="archive.read").count() == 1


def test_every_page_opens(archive, owner):
    archive.examples()
    archive.pull()
    for path in (
        "archive/",
        "archive/search/",
        "archive/search/?q=停车",
        "archive/alerts/",
        "archive/words/",
        "archive/words/new/",
        "archive/rule/",
        "archive/consents/",
        "archive/exports/",
        "settings/archive/",
        "settings/archive/keeping/",
        "settings/archive/keys/1/",
        "settings/archive/keys/add/",
    ):
        page = owner.get(f"/console/{path}")
        assert page.status_code == 200, (path, page.content.decode()[:500])
