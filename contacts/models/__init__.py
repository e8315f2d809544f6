"""What a tenant knows of its customers, mirrored from WeCom."""

from contacts.models.customer import Customer, Follow, FollowTag
from contacts.models.facts import CustomerFacts
from contacts.models.group import GroupChat, GroupMember
from contacts.models.listing import ListedPage
from contacts.models.profile import CustomField, FollowUp, LossAlert, Stage
from contacts.models.tag import Tag, TagGroup
from contacts.models.timeline import TimelineEntry

__all__ = [
    "CustomField",
    "Customer",
    "CustomerFacts",
    "Follow",
    "FollowTag",
    "FollowUp",
    "GroupChat",
    "GroupMember",
    "ListedPage",
    "LossAlert",
    "Stage",
    "Tag",
    "TagGroup",
    "TimelineEntry",
]
