"""Materials and scripts in the Open API."""

from typing import Any

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from content import folders, scripts
from content.models import Folder, Material, Script, ScriptMaterial, StoredFile
from content.reading import file_url
from members import reach


class FolderRefSerializer(serializers.ModelSerializer[Folder]):
    class Meta:
        model = Folder
        fields = ["id", "name"]


class FileSerializer(serializers.ModelSerializer[StoredFile]):
    url = serializers.SerializerMethodField(
        help_text="where it can be read for an hour or two; never the same for long"
    )

    class Meta:
        model = StoredFile
        fields = ["name", "mime", "size", "width", "height", "url"]

    def get_url(self, file: StoredFile) -> str:
        return reach.address(file_url(file))


class MaterialSerializer(serializers.ModelSerializer[Material]):
    kind = serializers.CharField(help_text="text, image, link, file, video or miniprogram; kinds may be added")
    folder = FolderRefSerializer(allow_null=True)
    body = serializers.DictField(
        child=serializers.CharField(), help_text="by kind: text · url, desc · appid, page; empty for files"
    )
    file = FileSerializer(allow_null=True, help_text="the file itself, or the cover of a link or mini program")
    tracked = serializers.BooleanField(help_text="of links: whether openings are recorded")
    uses = serializers.IntegerField(help_text="how often staff sent it")

    class Meta:
        model = Material
        fields = ["id", "kind", "title", "folder", "body", "file", "tracked", "uses", "created_at", "updated_at"]


class Query(serializers.Serializer[Any]):
    """The filters of the console's lists."""

    folder = serializers.IntegerField(required=False, min_value=1, max_value=2**53, help_text="with the folders below")
    q = serializers.CharField(required=False, max_length=40, help_text="part of the title, of scripts also of the text")

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """An empty parameter is none."""
        values: dict[str, Any] = super().to_internal_value({name: value for name, value in data.items() if value})
        return values


class MaterialQuery(Query):
    kind = serializers.ChoiceField(choices=Material.Kind.choices, required=False)


def in_folder(rows: QuerySet[Any], of: str, pk: int | None) -> QuerySet[Any]:
    if pk is None:
        return rows
    folder = Folder.objects.filter(of=of, pk=pk).first()
    return rows.filter(folder__in=folders.with_below(folder)) if folder else rows.none()


def materials() -> QuerySet[Material]:
    return Material.objects.filter(archived_at=None).select_related("folder", "file")


class MaterialList(generics.ListAPIView[Material]):
    """素材: what can be sent to customers."""

    serializer_class = MaterialSerializer
    queryset = Material.objects.none()  # names the model for the schema

    @extend_schema(parameters=[MaterialQuery])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Material]:
        given = MaterialQuery(data=self.request.query_params)
        given.is_valid(raise_exception=True)
        wish = given.validated_data
        rows = in_folder(materials(), Folder.Of.MATERIALS, wish.get("folder"))
        if kind := wish.get("kind"):
            rows = rows.filter(kind=kind)
        return rows.filter(title__icontains=wish.get("q", "")).order_by("id")


class MaterialDetail(generics.RetrieveAPIView[Material]):
    """One material, as in the list."""

    serializer_class = MaterialSerializer
    queryset = Material.objects.none()

    def get_queryset(self) -> QuerySet[Material]:
        return materials()


class PartSerializer(serializers.ModelSerializer[ScriptMaterial]):
    id = serializers.IntegerField(source="material.pk")
    kind = serializers.CharField(source="material.kind")
    title = serializers.CharField(source="material.title")

    class Meta:
        model = ScriptMaterial
        fields = ["id", "kind", "title"]


class ScriptSerializer(serializers.ModelSerializer[Script]):
    folder = FolderRefSerializer(allow_null=True)
    materials = PartSerializer(source="parts", many=True, help_text="sent after the text, in this order")
    uses = serializers.IntegerField(help_text="how often staff sent it")

    class Meta:
        model = Script
        fields = ["id", "title", "text", "folder", "materials", "uses", "updated_at"]


def with_parts() -> QuerySet[Script]:
    parts = ScriptMaterial.objects.select_related("material").order_by("order", "pk")
    return scripts.living().select_related("folder").prefetch_related(Prefetch("parts", parts))


class ScriptList(generics.ListAPIView[Script]):
    """话术: answers that sales keep at hand."""

    serializer_class = ScriptSerializer
    queryset = Script.objects.none()

    @extend_schema(parameters=[Query])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Script]:
        given = Query(data=self.request.query_params)
        given.is_valid(raise_exception=True)
        wish = given.validated_data
        rows = in_folder(with_parts(), Folder.Of.SCRIPTS, wish.get("folder"))
        return scripts.search(rows, wish.get("q", "")).order_by("id")


class ScriptDetail(generics.RetrieveAPIView[Script]):
    """One script, as in the list."""

    serializer_class = ScriptSerializer
    queryset = Script.objects.none()

    def get_queryset(self) -> QuerySet[Script]:
        return with_parts()
