"""What a tenant knows of its customers, mirrored from WeCom."""

from contacts.models.customer import Customer, Follow, FollowTag
from contacts.models.group import GroupChat, GroupMember
from contacts.models.listing import ListedPage
from contacts.models.tag import Tag, TagGroup
from contacts.models.timeline import TimelineEntry

__all__ = [
    "Customer",
    "Follow",
    "FollowTag",
    "GroupChat",
    "GroupMember",
    "ListedPage",
    "Tag",
    "TagGroup",
    "TimelineEntry",
]
