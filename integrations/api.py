"""The Open API about itself: its document, and what stands at an address that is none."""

import threading
from functools import cache
from typing import Any

from django.http import Http404
from django.utils.translation import override
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import (
    OpenApiJsonRenderer,
    OpenApiJsonRenderer2,
    OpenApiYamlRenderer,
    OpenApiYamlRenderer2,
)
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

ABOUT = """\
Call it on your company's own address with `Authorization: Bearer <API key>`. Lists come in pages: as long as `next` is
not null, ask again with `after=<next>`. Times are ISO 8601 with a zone. A write to WeCom is answered 202 with the
address at which its state is read; give it an `Idempotency-Key`, and you may repeat it safely. Fields may be added to
answers."""


_making = threading.Lock()


def document(urlconf: str) -> dict[str, Any]:
    """The OpenAPI document, made once in a process: it is the same for every tenant."""
    with _making:  # the generator sets up its extensions on first use, and two threads at that break each other
        return _document(urlconf)


@cache
def _document(urlconf: str) -> dict[str, Any]:
    with override("en"):
        made: dict[str, Any] = SchemaGenerator(urlconf=urlconf).get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    made["info"]["description"] = ABOUT
    return made


class Document(APIView):
    """Without a key: it tells nothing about any tenant. JSON, or YAML for who asks for it."""

    schema = None
    urlconf = ""
    authentication_classes = ()
    permission_classes = ()
    renderer_classes = (OpenApiJsonRenderer2, OpenApiJsonRenderer, OpenApiYamlRenderer2, OpenApiYamlRenderer)

    def get(self, request: Request) -> Response:
        return Response(document(self.urlconf))


class Nowhere(APIView):
    """Every other address below the API: 404 in the API's own shape, for callers with a key."""

    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise Http404
