"""人群包 in the Open API: conditions speak of tags, staff, departments and groups by WeCom's own ids."""

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError as DomainError
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts.api import CustomerSerializer, with_follows
from contacts.models import Customer, GroupChat, Stage, Tag
from members.models import Department, Staff
from tagging import segments
from tagging.conditions import MAX_DEPTH, Tree, Vocabulary, is_sound, leaves
from tagging.criteria import MAX_PICKED, NO_STAGE, plain
from tagging.models import Segment

OUTSIDE: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "tags": (Tag, "wecom_id", {"deleted_at": None}),
    "stage": (Stage, "name", {"archived_at": None}),
    "staff": (Staff, "userid", {}),
    "department": (Department, "wecom_id", {"deleted_at": None}),
    "chat": (GroupChat, "chat_id", {}),
}
"""By kind of condition: what its ids are outside, and of which rows."""

CONDITIONS = """A group is `{"match": "all"|"any"|"none", "of": [...]}`, a condition `{"is", "op", "value"}`:

- `tags` (any, all, none): ids of tags
- `stage` (any, none): names; null for no stage
- `staff` (any, none): userids
- `department` (any, none): WeCom's ids; those below are included
- `chat` (any, none): chat_ids
- `added` (last, before): days; (between): `{"from", "to"}`, dates
- `add_way` (any, none): WeCom's numbers
- `code` (any, none): states of channel codes
- `lost` (yes, no)
- `message`, `opened` (within, absent): days
- `field:<key>` (equals, contains): text; (any): choices; (range, dates): `{"from", "to"}`; (empty, filled)
"""


class Translation:
    """Our ids and those outside, of some trees at once."""

    def __init__(self, trees: Iterable[Tree]) -> None:
        wanted: dict[str, set[Any]] = {}
        for tree in filter(is_sound, trees):
            for leaf in leaves(tree):
                if leaf["is"] in OUTSIDE:
                    wanted.setdefault(leaf["is"], set()).update(leaf["value"])
        self.names: dict[str, dict[int, Any]] = {
            key: dict(OUTSIDE[key][0].objects.filter(pk__in=ids).values_list("pk", OUTSIDE[key][1]))
            for key, ids in wanted.items()
        }

    def outward(self, node: Tree) -> Tree:
        if "of" in node:
            return {"match": node["match"], "of": [self.outward(one) for one in node["of"]]}
        names = self.names.get(node["is"])
        return dict(node) if names is None else {**node, "value": [names.get(one) for one in node["value"]]}


def inward(node: Any, depth: int = 1) -> Any:
    """A tree as a caller writes it, with our ids; what is unknown is refused, what has no shape is left to `clean`."""
    if not isinstance(node, dict) or depth > MAX_DEPTH + 1:
        return node
    if isinstance(node.get("of"), list):
        return {**node, "of": [inward(one, depth + 1) for one in node["of"]]}
    if str(node.get("is")) not in OUTSIDE or not isinstance(node.get("value"), list):
        return node
    model, column, living = OUTSIDE[str(node["is"])]
    given = [one for one in node["value"] if isinstance(one, str | int) and plain(str(one)) == str(one)]
    given = given[: MAX_PICKED + 1]
    if column == "wecom_id" and model is Department:
        given = [int(one) for one in given if str(one).isascii() and str(one).isdigit() and len(str(one)) < 19]
    known = {
        str(name): pk
        for name, pk in model.objects.filter(**{f"{column}__in": given}, **living).values_list(column, "pk")
    }
    if node["is"] == "stage":
        known["None"] = NO_STAGE
    unknown = [one for one in node["value"] if str(one) not in known]
    if unknown:
        raise ValidationError(
            {"conditions": [_("不存在：%(id)s") % {"id": plain(str(one)[:64])} for one in unknown[:20]]}
        )
    return {**node, "value": [known[str(one)] for one in node["value"]]}


class SegmentSerializer(serializers.ModelSerializer[Segment]):
    """A saved description of some customers; who is in it changes as the customers do."""

    conditions = serializers.SerializerMethodField(help_text=CONDITIONS)
    in_words = serializers.SerializerMethodField(help_text="the conditions as a sentence, in Chinese")
    count = serializers.IntegerField(allow_null=True, help_text="at `counted_at`; see also the count resource")

    class Meta:
        model = Segment
        fields = ["id", "name", "conditions", "in_words", "count", "counted_at", "watched", "created_at", "updated_at"]

    @extend_schema_field({"type": "object", "additionalProperties": True})
    def get_conditions(self, row: Segment) -> Any:
        if not is_sound(row.tree):
            return {}
        return (self.context.get("translation") or Translation([row.tree])).outward(row.tree)

    def get_in_words(self, row: Segment) -> str:
        return (self.context.get("vocabulary") or Vocabulary([row.tree])).say(row.tree)


class NewSegmentSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=30)
    conditions = serializers.JSONField(help_text=CONDITIONS)


class SegmentList(generics.ListAPIView[Segment]):
    """人群包; a new one can be made."""

    serializer_class = SegmentSerializer
    queryset = Segment.objects.none()

    def get_queryset(self) -> QuerySet[Segment]:
        return living()

    def paginate_queryset(self, queryset: Any) -> Any:
        """What the trees of a page name is looked up together."""
        self.rows = super().paginate_queryset(queryset) or []
        return self.rows

    def get_serializer_context(self) -> dict[str, Any]:
        trees = [row.tree for row in getattr(self, "rows", [])]
        extra = {"translation": Translation(trees), "vocabulary": Vocabulary(trees)} if trees else {}
        return {**super().get_serializer_context(), **extra}

    @extend_schema(request=NewSegmentSerializer, responses={201: SegmentSerializer})
    def post(self, request: Request) -> Response:
        """Describe some customers."""
        wish = NewSegmentSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        tree = inward(wish.validated_data["conditions"])
        try:
            with transaction.atomic():
                made = segments.save(Segment(), name=wish.validated_data["name"], tree=tree, by=request.user.label)
        except DomainError as error:
            words = error.message_dict
            raise ValidationError({{"tree": "conditions"}.get(name, name): words[name] for name in words}) from error
        segments.recount(made)
        return Response(SegmentSerializer(made).data, status=201)


def living() -> QuerySet[Segment]:
    return Segment.objects.filter(archived_at=None).order_by("id")


class SegmentDetail(generics.RetrieveAPIView[Segment]):
    """One 人群包, as in the list."""

    serializer_class = SegmentSerializer
    queryset = Segment.objects.none()

    def get_queryset(self) -> QuerySet[Segment]:
        return living()


class CountSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    exact = serializers.BooleanField(help_text="false: counting took too long, and this is an estimate")


class SegmentCount(APIView):
    """How many customers are in it now."""

    @extend_schema(responses={200: CountSerializer})
    def get(self, request: Request, pk: int) -> Response:
        found = generics.get_object_or_404(living(), pk=pk)
        counted = segments.count(found, patience=segments.PATIENCE)
        return Response({"count": counted.number, "exact": counted.exact})


class SegmentMembers(generics.ListAPIView[Customer]):
    """The customers who are in it now."""

    serializer_class = CustomerSerializer
    queryset = Customer.objects.none()

    def get_queryset(self) -> QuerySet[Customer]:
        found = generics.get_object_or_404(living(), pk=self.kwargs["pk"])
        return with_follows(segments.customers_of(found).order_by("id"))
