"""A tenant's rows as a sync would have made them from the imitation WeCom, in the test's own transaction."""

from django.utils import timezone

from contacts import bulk
from contacts.bulk.groups import GroupNews, write_groups
from contacts.models import TimelineEntry
from members.bulk import write_departments, write_staff
from members.events import news_of
from tenants.current import wecom_client

SYNC = TimelineEntry.Source.SYNC


def mirror_everything() -> None:
    """Staff, tags, customers with their friendships, and groups of the current tenant."""
    at = timezone.now()
    client = wecom_client()
    departments = client.departments()
    write_departments(departments, at=at, complete=True)
    write_staff([news_of(member) for one in departments for member in client.members_of(one.id)], at=at)
    bulk.write_tags(client.corp_tags(), at=at)
    bulk.write_told(told_of(client.follow_user_list()), at=at, source=SYNC)
    chats = [chat.chat_id for chat in client.group_chats().rows]
    write_groups([GroupNews(chat, client.group_chat(chat)) for chat in chats], at=at, source=SYNC)


def told_of(userids: list[str]) -> bulk.Told:
    client, told, cursor = wecom_client(), bulk.Told(), ""
    while True:
        page = client.customers_of(userids, cursor)
        for row in page.rows:
            told.add_contact(row.contact)
            told.add_listed(row.contact.external_userid, row.follow)
        if not (cursor := page.next_cursor):
            return told
