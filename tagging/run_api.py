"""批量打标签 and the rules of 自动标签 in the Open API."""

from typing import Any

from django.core.exceptions import ValidationError as DomainError
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.exceptions import ValidationError
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts.models import CustomerFacts, Follow, Tag
from members.models import Staff
from tagging import rules, runs, segments
from tagging.api import tags_of
from tagging.models import Segment, TagRule, TagRun, TagRunItem
from tagging.tag_api import API, refused
from tagging.triggers import TRIGGERS

MOST_NAMED = 1000


class NewRunSerializer(serializers.Serializer[Any]):
    add = serializers.ListField(
        child=serializers.CharField(max_length=64), default=list, max_length=100, help_text="ids of tags to put on"
    )
    remove = serializers.ListField(
        child=serializers.CharField(max_length=64), default=list, max_length=100, help_text="ids of tags to take off"
    )
    customers = serializers.ListField(
        child=serializers.CharField(max_length=64),
        required=False,
        min_length=1,
        max_length=MOST_NAMED,
        help_text="external_userids; or name a segment",
    )
    segment = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1, help_text="id of a segment")
    userid = serializers.CharField(
        required=False, max_length=64, help_text="only friendships of this member of staff; without it all living ones"
    )


class RunSerializer(serializers.ModelSerializer[TagRun]):
    """Tags put on or taken off many friendships; `open` counts those without a result yet."""

    add = serializers.SerializerMethodField()
    remove = serializers.SerializerMethodField()
    total = serializers.SerializerMethodField()
    open = serializers.SerializerMethodField()
    counts = serializers.SerializerMethodField(help_text="by state of the items")
    undo_of = serializers.IntegerField(source="undo_of_id", allow_null=True)

    class Meta:
        model = TagRun
        fields = ["id", "add", "remove", "total", "open", "counts", "by", "undo_of", "created_at"]

    def get_add(self, run: TagRun) -> list[str]:
        return outside(run.add)

    def get_remove(self, run: TagRun) -> list[str]:
        return outside(run.remove)

    def get_total(self, run: TagRun) -> int:
        return runs.progress(run).total

    def get_open(self, run: TagRun) -> int:
        return runs.progress(run).open

    @extend_schema_field(serializers.DictField(child=serializers.IntegerField()))
    def get_counts(self, run: TagRun) -> dict[str, int]:
        return runs.progress(run).counts


def outside(keys: list[int]) -> list[str]:
    """WeCom's ids of tags, in the given order."""
    known = dict(Tag.objects.filter(pk__in=keys).values_list("pk", "wecom_id"))
    return [known[key] for key in keys if key in known]


class RunItemSerializer(serializers.ModelSerializer[TagRunItem]):
    external_userid = serializers.CharField(source="follow.customer.external_userid")
    userid = serializers.CharField(source="follow.staff.userid")
    code = serializers.IntegerField(allow_null=True, help_text="WeCom's errcode")
    reason = serializers.CharField(help_text="why it failed or was not done, in Chinese")

    class Meta:
        model = TagRunItem
        fields = ["id", "external_userid", "userid", "state", "code", "reason"]


class RunList(APIView):
    """Put tags on, or take them off, many customers at once."""

    @extend_schema(request=NewRunSerializer, responses={202: RunSerializer})
    def post(self, request: Request) -> Response:
        """Whom it concerns is fixed at once; the result of each friendship can be read."""
        wish = NewRunSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        values = wish.validated_data
        add, remove = (tags_of(name, values[name]) for name in ("add", "remove"))
        follows = chosen(values)
        try:
            run = runs.begin(follows, add=add, remove=remove, by=request.user.label, source=API)
        except DomainError as error:
            raise refused(error) from error
        return Response(RunSerializer(run).data, status=202)


def chosen(values: dict[str, Any]) -> QuerySet[Follow]:
    """The friendships that are meant."""
    if ("customers" in values) == ("segment" in values):
        raise ValidationError({"customers": [_("请提供 customers 或 segment 其中之一")]})
    if "segment" in values:
        found = Segment.objects.filter(pk=values["segment"], archived_at=None).first()
        if found is None:
            raise ValidationError({"segment": [_("人群包不存在")]})
        customers = segments.facts_of(found)
    else:
        wanted = set(values["customers"])
        customers = CustomerFacts.objects.known().filter(customer__external_userid__in=wanted)
        known = set(customers.values_list("customer__external_userid", flat=True))
        if missing := sorted(wanted - known):
            raise ValidationError({"customers": [_("客户不存在：%(id)s") % {"id": one} for one in missing[:20]]})
    staff = None
    if "userid" in values:
        staff = Staff.objects.filter(userid_key=values["userid"].lower()).first()
        if staff is None:
            raise ValidationError({"userid": [_("员工不存在")]})
    return runs.friendships(customers, staff=staff)


class RunDetail(generics.RetrieveAPIView[TagRun]):
    """How a bulk change of tags stands."""

    serializer_class = RunSerializer
    queryset = TagRun.objects.all()


class RunItems(generics.ListAPIView[TagRunItem]):
    """What became of each friendship of a bulk change of tags."""

    serializer_class = RunItemSerializer
    queryset = TagRunItem.objects.none()

    def get_queryset(self) -> QuerySet[TagRunItem]:
        run = get_object_or_404(TagRun.objects.all(), pk=self.kwargs["pk"])
        return TagRunItem.objects.filter(run=run).select_related("follow__customer", "follow__staff").order_by("id")


class RuleSerializer(serializers.ModelSerializer[TagRule]):
    """A rule that changes tags by itself when something happens."""

    trigger = serializers.ChoiceField(choices=list(TRIGGERS))
    in_words = serializers.SerializerMethodField(help_text="when it acts, in Chinese")
    add = serializers.SerializerMethodField(help_text="ids of tags")
    remove = serializers.SerializerMethodField(help_text="ids of tags")

    class Meta:
        model = TagRule
        fields = ["id", "name", "trigger", "in_words", "add", "remove", "enabled", "created_at", "updated_at"]

    def get_in_words(self, rule: TagRule) -> str:
        return TRIGGERS[rule.trigger].in_words(rule.conditions) if rule.trigger in TRIGGERS else ""

    def get_add(self, rule: TagRule) -> list[str]:
        return outside(rule.add)

    def get_remove(self, rule: TagRule) -> list[str]:
        return outside(rule.remove)


class RuleList(generics.ListAPIView[TagRule]):
    """The rules of 自动标签."""

    serializer_class = RuleSerializer
    queryset = TagRule.objects.none()

    def get_queryset(self) -> QuerySet[TagRule]:
        rows: QuerySet[TagRule] = rules.living_rules().order_by("id")
        return rows
