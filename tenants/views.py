"""WeCom's proof that a domain belongs to the company: a small text file at the root of its host."""

import re

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from tenants.models import DomainFile, Tenant
from tenants.provision import Refused

NAME = re.compile(r"WW_verify_[A-Za-z0-9]{1,48}\.txt")
CONTENT = re.compile(r"[A-Za-z0-9]{1,256}")


@require_safe
def domain_file(request: HttpRequest, name: str) -> HttpResponse:
    """The file of this host's tenant, and of no other's."""
    file = DomainFile.objects.filter(tenant=request.tenant, name=name).first()  # type: ignore[attr-defined]
    if file is None:
        raise Http404
    return HttpResponse(file.content, content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})


def store_domain_file(tenant: Tenant, name: str, content: str) -> DomainFile:
    """Keep the file as WeCom's admin gave it; a new one of the same name replaces the old."""
    name, content = name.strip(), content.strip()
    if not NAME.fullmatch(name):
        raise Refused(f"file name {name!r}: as downloaded from WeCom's admin, WW_verify_<letters and digits>.txt")
    if not CONTENT.fullmatch(content):
        raise Refused("file content: 1–256 letters and digits, as downloaded from WeCom's admin")
    file, _ = DomainFile.objects.update_or_create(tenant=tenant, name=name, defaults={"content": content})
    return file
