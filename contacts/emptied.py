"""A list of tags that came empty. WeCom answers so where nothing is left, and also to an app that may not read them."""

from contacts.models import FollowTag, Tag
from tenants.isolation import current_owner
from tenants.models import Job
from wecom.client import WeComClient
from wecom.errors import WeComError
from wecom.objects import TagGroupInfo

ASKED = 5  # customers


def read_tags(client: WeComClient) -> list[TagGroupInfo]:
    """All corp tags; asked for once more where they came empty."""
    return client.corp_tags() or client.corp_tags()


def in_doubt(client: WeComClient, groups: list[TagGroupInfo]) -> int:
    """How many tags an empty list would delete against what else WeCom says; 0 where it can be believed.

    Its customers tell: a tag that was deleted came off them as well. Where nobody carries one, the list must come
    empty in two comparisons.
    """
    living = Tag.objects.filter(deleted_at=None, group__strategy_id=None).exclude(group__wecom_id="")
    ours = set(living.values_list("wecom_id", flat=True))
    if groups or not ours:
        return 0
    links = FollowTag.objects.filter(tag__in=living, follow__ended_at=None).order_by("-follow_id", "tag_id")
    carriers = list(links.values_list("follow__customer__external_userid", flat=True)[: ASKED * 20])
    if carriers:
        return 0 if _have_none_left(client, list(dict.fromkeys(carriers))[:ASKED], ours) else len(ours)
    before = Job.objects.filter(tenant=current_owner(), kind__in=["sync", "reconcile"], state=Job.State.DONE)
    last = before.filter(params={}).order_by("-id").first()
    return 0 if last is not None and last.counts.get("tags_in_doubt") else len(ours)


def _have_none_left(client: WeComClient, external_userids: list[str], ours: set[str]) -> bool:
    read = 0
    for external_userid in external_userids:
        try:
            detail = client.customer(external_userid)
        except WeComError:
            continue
        read += 1
        if any(ours.intersection(follow.tag_ids) for follow in detail.follows):
            return False
    return read > 0
