"""Corp tags in the Open API: made, renamed and deleted in WeCom; each write's fate is readable."""

from typing import Any

from django.core.exceptions import ValidationError as DomainError
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts.api import TagList
from contacts.models import Tag, TimelineEntry
from tagging import corp_tags
from tagging.api import WriteSerializer

API = TimelineEntry.Source.API


class NewTagsSerializer(serializers.Serializer[Any]):
    names = serializers.ListField(
        child=serializers.CharField(max_length=corp_tags.LONGEST), min_length=1, max_length=100
    )
    group_id = serializers.CharField(required=False, max_length=64, help_text="a group that is there")
    group_name = serializers.CharField(
        required=False,
        max_length=corp_tags.LONGEST,
        help_text="a new group, or the one of that name; not with group_id",
    )


class TagNameSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=corp_tags.LONGEST)


def refused(error: DomainError) -> ValidationError:
    """A refusal of ours in the shape of the API's errors."""
    return ValidationError(error.message_dict if hasattr(error, "error_dict") else {"non_field_errors": error.messages})


class Tags(TagList):
    """Corp tags; new ones can be made."""

    @extend_schema(request=NewTagsSerializer, responses={202: WriteSerializer})
    def post(self, request: Request) -> Response:
        """Have WeCom make tags. They stand in the list once the write is `done`."""
        wish = NewTagsSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        values = wish.validated_data
        group = None
        if "group_id" in values:
            group = corp_tags.living_groups().filter(wecom_id=values["group_id"]).first()
            if group is None:
                raise ValidationError({"group_id": [_("标签组不存在")]})
        elif "group_name" not in values:
            raise ValidationError({"group_name": [_("请提供 group_id 或 group_name")]})
        try:
            call = corp_tags.add_tags(
                values["names"],
                group=group,
                group_name=values.get("group_name", ""),
                by=request.user.label,
                source=API,
            )
        except DomainError as error:
            raise refused(error) from error
        return Response(WriteSerializer(call).data, status=202)


class TagDetail(APIView):
    """One corp tag."""

    def tag(self, wecom_id: str) -> Tag:
        living = Tag.objects.filter(deleted_at=None, group__deleted_at=None).select_related("group")
        found: Tag = get_object_or_404(living, wecom_id=wecom_id)
        return found

    @extend_schema(request=TagNameSerializer, responses={202: WriteSerializer})
    def patch(self, request: Request, tag_id: str) -> Response:
        """Have WeCom rename it. Apps may change only tags of their own making."""
        wish = TagNameSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        try:
            call = corp_tags.rename(self.tag(tag_id), wish.validated_data["name"], by=request.user.label, source=API)
        except DomainError as error:
            raise refused(error) from error
        if call is None:
            raise ValidationError({"name": [_("名称没有变化")]})
        return Response(WriteSerializer(call).data, status=202)

    @extend_schema(responses={202: WriteSerializer})
    def delete(self, request: Request, tag_id: str) -> Response:
        """Have WeCom delete it; it comes off every customer. Apps may delete only tags of their own making."""
        try:
            call = corp_tags.delete([self.tag(tag_id)], by=request.user.label, source=API)
        except DomainError as error:
            raise refused(error) from error
        return Response(WriteSerializer(call).data, status=202)
