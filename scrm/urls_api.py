"""The Open API, version 1: which address is answered by which app."""

from django.urls import path, re_path, register_converter

from callbacks.api import Health
from contacts.api import CustomerList, CustomerTimeline, GroupDetail, GroupList, TagList
from contacts.profile_api import CustomerProfile, CustomFieldList, FollowUps, StageList
from content.api import MaterialDetail, MaterialList, ScriptDetail, ScriptList
from integrations.api import Document, Nowhere
from integrations.idempotency import once_per_key
from members.api import StaffList
from tagging.api import CustomerTags, WriteDetail
from tagging.segment_api import SegmentCount, SegmentDetail, SegmentList, SegmentMembers


class WeComId:
    """An id as WeCom gives it; anything else is an address that is none."""

    regex = r"[A-Za-z0-9_.@-]{1,64}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(WeComId, "wecom")

urlpatterns = [
    re_path(r"^schema/?$", Document.as_view(urlconf="scrm.urls_api_root"), name="api-schema"),
    path("staff", StaffList.as_view(), name="api-staff"),
    path("customers", CustomerList.as_view(), name="api-customers"),
    path("customers/<wecom:external_userid>", once_per_key(CustomerProfile).as_view(), name="api-customer"),
    path("customers/<wecom:external_userid>/timeline", CustomerTimeline.as_view(), name="api-customer-timeline"),
    path("customers/<wecom:external_userid>/tags", once_per_key(CustomerTags).as_view(), name="api-customer-tags"),
    path("customers/<wecom:external_userid>/follow-ups", once_per_key(FollowUps).as_view(), name="api-follow-ups"),
    path("stages", StageList.as_view(), name="api-stages"),
    path("custom-fields", CustomFieldList.as_view(), name="api-custom-fields"),
    path("groups", GroupList.as_view(), name="api-groups"),
    path("groups/<wecom:chat_id>", GroupDetail.as_view(), name="api-group"),
    path("tags", TagList.as_view(), name="api-tags"),
    path("segments", once_per_key(SegmentList).as_view(), name="api-segments"),
    path("segments/<int:pk>", SegmentDetail.as_view(), name="api-segment"),
    path("segments/<int:pk>/count", SegmentCount.as_view(), name="api-segment-count"),
    path("segments/<int:pk>/members", SegmentMembers.as_view(), name="api-segment-members"),
    path("materials", MaterialList.as_view(), name="api-materials"),
    path("materials/<int:pk>", MaterialDetail.as_view(), name="api-material"),
    path("scripts", ScriptList.as_view(), name="api-scripts"),
    path("scripts/<int:pk>", ScriptDetail.as_view(), name="api-script"),
    path("writes/<int:pk>", WriteDetail.as_view(), name="api-write"),
    path("health", Health.as_view(), name="api-health"),
    re_path(r"", Nowhere.as_view(), name="api-nowhere"),
]
