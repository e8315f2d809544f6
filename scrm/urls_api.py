"""The Open API, version 1: which address is answered by which app."""

from django.urls import path, re_path, register_converter

from acquisition.api import ChannelCodeDetail, ChannelCodeList
from archive.api import MessageList
from broadcasts.api import BroadcastDetail, BroadcastList, BroadcastPreflight, BroadcastResults, BroadcastSend
from callbacks.api import Health
from contacts.api import CustomerList, CustomerTimeline, GroupDetail, GroupList
from contacts.profile_api import CustomerProfile, CustomFieldList, FollowUps, StageList
from content.api import MaterialDetail, MaterialList, ScriptDetail, ScriptList
from integrations.api import Document, Nowhere
from integrations.idempotency import once_per_key
from members.api import StaffList
from sop.api import PlanDetail, PlanList, TaskDetail, TaskList
from sop.enrolment_api import CustomerOfPlan, EnrolmentList
from tagging.api import CustomerTags, WriteDetail
from tagging.run_api import RuleList, RunDetail, RunItems, RunList
from tagging.segment_api import SegmentCount, SegmentDetail, SegmentList, SegmentMembers
from tagging.tag_api import TagDetail, Tags


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
    path("tags", once_per_key(Tags).as_view(), name="api-tags"),
    path("tags/<wecom:tag_id>", once_per_key(TagDetail).as_view(), name="api-tag"),
    path("tag-runs", once_per_key(RunList).as_view(), name="api-tag-runs"),
    path("tag-runs/<int:pk>", RunDetail.as_view(), name="api-tag-run"),
    path("tag-runs/<int:pk>/items", RunItems.as_view(), name="api-tag-run-items"),
    path("tag-rules", RuleList.as_view(), name="api-tag-rules"),
    path("segments", once_per_key(SegmentList).as_view(), name="api-segments"),
    path("segments/<int:pk>", SegmentDetail.as_view(), name="api-segment"),
    path("segments/<int:pk>/count", SegmentCount.as_view(), name="api-segment-count"),
    path("segments/<int:pk>/members", SegmentMembers.as_view(), name="api-segment-members"),
    path("channel-codes", once_per_key(ChannelCodeList).as_view(), name="api-channel-codes"),
    path("channel-codes/<int:pk>", ChannelCodeDetail.as_view(), name="api-channel-code"),
    path("broadcasts", once_per_key(BroadcastList).as_view(), name="api-broadcasts"),
    path("broadcasts/<int:pk>", BroadcastDetail.as_view(), name="api-broadcast"),
    path("broadcasts/<int:pk>/preflight", BroadcastPreflight.as_view(), name="api-broadcast-preflight"),
    path("broadcasts/<int:pk>/send", once_per_key(BroadcastSend).as_view(), name="api-broadcast-send"),
    path("broadcasts/<int:pk>/results", BroadcastResults.as_view(), name="api-broadcast-results"),
    path("materials", MaterialList.as_view(), name="api-materials"),
    path("materials/<int:pk>", MaterialDetail.as_view(), name="api-material"),
    path("scripts", ScriptList.as_view(), name="api-scripts"),
    path("scripts/<int:pk>", ScriptDetail.as_view(), name="api-script"),
    path("sop-plans", PlanList.as_view(), name="api-sop-plans"),
    path("sop-plans/<int:pk>", PlanDetail.as_view(), name="api-sop-plan"),
    path("sop-plans/<int:pk>/customers", once_per_key(EnrolmentList).as_view(), name="api-sop-plan-customers"),
    path(
        "sop-plans/<int:pk>/customers/<wecom:external_userid>",
        once_per_key(CustomerOfPlan).as_view(),
        name="api-sop-plan-customer",
    ),
    path("tasks", TaskList.as_view(), name="api-tasks"),
    path("tasks/<int:pk>", TaskDetail.as_view(), name="api-task"),
    path("writes/<int:pk>", WriteDetail.as_view(), name="api-write"),
    path("archive/messages", MessageList.as_view(), name="api-archive-messages"),
    path("health", Health.as_view(), name="api-health"),
    re_path(r"", Nowhere.as_view(), name="api-nowhere"),
]
