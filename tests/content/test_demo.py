"""The demo's library: ten materials, twelve scripts, a month of use; made once."""

import io

from contacts.models import CustomerFacts, TimelineEntry
from content import demo
from content.kinds import FILE_RULES
from content.models import LinkOpen, Material, Script, Sending
from content.storage import store
from content.uploads import check
from tenants.models import Tenant


def test_the_demo_has_a_library_that_was_used(mirrored: Tenant) -> None:
    for _ in range(2):
        demo.fill()
        demo.history()

    assert (Material.objects.count(), Script.objects.count()) == (10, 12)
    assert set(Material.objects.values_list("kind", flat=True)) == {"image", "link", "file", "miniprogram", "text"}
    assert Sending.objects.count() == TimelineEntry.objects.filter(kind="content_sent").count() > 0
    opened = TimelineEntry.objects.filter(kind="link_opened")
    assert LinkOpen.objects.count() == opened.count() > 0
    assert CustomerFacts.objects.exclude(last_opened_at=None).count() == opened.values("customer").distinct().count()


def test_its_files_are_real(mirrored: Tenant) -> None:
    demo.fill()
    for one in Material.objects.exclude(file=None).select_related("file"):
        with store().open(one.file.key) as file:
            body = file.read()
        assert check(io.BytesIO(body), one.file.name, len(body), FILE_RULES[one.kind]).mime == one.file.mime
