"""轨迹链接: an address of ours for each material, staff member and customer, that knows when it is opened.

We never open the target ourselves, and lead nowhere but to the address that is stored with the material.
"""

import secrets
from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts import bulk
from contacts.bulk.timeline import Entry, write_timeline
from contacts.models import Customer, TimelineEntry
from content import reading, signals
from content.models import LinkOpen, Material, TrackedLink
from members import reach
from members.models import Staff

SAME_VISIT = timedelta(minutes=30)
"""Opened again by the same visitor within this time, it is the same visit: neither told nor written again."""
MOST_PER_MINUTE = 60  # visits of one link that are kept; more than that is no person


def url_of(material: Material, staff: Staff | None, customer: Customer | None) -> str:
    """What is sent for a link: the tracked address, or the plain one where tracking is switched off."""
    return link_for(material, staff, customer) if material.tracked else str(material.body.get("url", ""))


def link_for(material: Material, staff: Staff | None, customer: Customer | None) -> str:
    """The address for this pair, the same one each time it is asked for."""
    wanted = {"material": material, "staff": staff, "customer": customer}
    link = TrackedLink.objects.filter(**wanted).first()
    if link is None:
        TrackedLink.objects.bulk_create([TrackedLink(**wanted)], ignore_conflicts=True)
        link = TrackedLink.objects.get(**wanted)
    return reach.address(reverse("content:open", args=[link.token]))


def cover_of(material: Material) -> str:
    """A lasting address of the picture, for WeCom and the customer's WeChat, which keep it; empty without a picture."""
    return reach.address(reading.cover_url(material.file_id)) if material.file_id else ""


def new_visitor() -> str:
    """A number of chance in a cookie of this site: it tells visits apart and says nothing of the person."""
    return secrets.token_hex(16)


@transaction.atomic
def record_opening(link: TrackedLink, visitor: str) -> LinkOpen | None:
    """A visit, once; then the timeline, the staff member and whoever listens are told. None: nothing new."""
    now = timezone.now()
    link = TrackedLink.objects.select_for_update().get(pk=link.pk)
    TrackedLink.objects.filter(pk=link.pk).update(opens=F("opens") + 1)
    visits = LinkOpen.objects.filter(link=link)
    if visits.filter(visitor=visitor, at__gt=now - SAME_VISIT).exists():
        return None
    if visits.filter(at__gt=now - timedelta(minutes=1)).count() >= MOST_PER_MINUTE:
        return None
    told_lately = visits.filter(told_at__gt=now - SAME_VISIT).exists()
    visit = LinkOpen.objects.create(link=link, visitor=visitor, at=now)
    if link.customer_id is not None:
        bulk.touch(last_opened_at={link.customer_id: now})
        if not told_lately:
            LinkOpen.objects.filter(pk=visit.pk).update(told_at=now)
            _tell(link, visit)
    signals.link_opened.send(LinkOpen, open_ids=[visit.pk])
    return visit


def _tell(link: TrackedLink, visit: LinkOpen) -> None:
    """The timeline, and the staff member who sent the link."""
    material, staff, customer = link.material, link.staff, link.customer
    assert customer is not None
    entry = Entry(
        key=f"opened:{visit.pk}",
        kind=TimelineEntry.Kind.LINK_OPENED,
        at=visit.at,
        customer_id=customer.pk,
        staff_id=link.staff_id,
        payload={"material": material.title, "material_id": material.pk, "opens": link.opens + 1},
    )
    write_timeline([entry], source=TimelineEntry.Source.SYSTEM)
    if staff is not None:
        reach.tell(
            [staff],
            title=_("客户打开了您发的链接"),
            text=_("%(customer)s 刚刚打开了“%(material)s”") % {"customer": customer, "material": material.title},
            url=reach.page_for(staff, customer=customer.pk),
            key=str(visit.pk),
            kind="link_opened",
        )
