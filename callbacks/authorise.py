"""扫码授权: a company says yes to our app with a scan, and has no secret to copy."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRedirect

from callbacks.other_apps import main_app_of
from console.access import role_required
from console.answers import done, drawer
from console.audit import record
from console.qr import picture
from tenants import authorising
from tenants.current import current_tenant
from tenants.faults import words_for
from tenants.models import Authorisation, CorpApp, Suite
from tenants.suites import offered
from wecom.errors import CodeUsed, WeComError
from wecom.suites import is_template

BACK = "callbacks:connection"
OVER = _("授权链接已失效或已使用过，请重新发起授权")


def to_offer(app: CorpApp | None) -> list[Suite]:
    """Where nothing is connected, and where what was authorised has to be again. Not beside a self-built main app: by
    the provider's app the same people would come in under other ids (wecom-api.md 11.1)."""
    if app is None:
        return offered()
    if app.lane == CorpApp.Lane.PROVIDER and app.state == CorpApp.State.BROKEN:
        return [suite for suite in offered() if suite.suite_id == app.suite_id]  # any other would stand beside it
    return []


@require_POST
@role_required("owner")
def begin(request: HttpRequest) -> HttpResponse:
    open_now = to_offer(main_app_of(current_tenant()))
    suite = next((one for one in open_now if str(one.pk) == request.POST.get("suite")), None)
    if suite is None:
        words = _now("暂时不能扫码授权，请稍后再试，或填写自建应用")
        return done(request, words, level="error", back_to=BACK, leave=True)
    try:
        back_to = request.build_absolute_uri(reverse("callbacks:authorised"))
        asked, link = authorising.ask(current_tenant(), suite, by=request.user.get_username(), back_to=back_to)
    except WeComError as error:
        told = words_for(error.code)
        return done(request, f"{told.cause}{told.fix}", level="error", back_to=BACK, leave=True)
    record(request, "connection.authorise", target=suite.name)
    if not is_template(suite.suite_id):
        return HttpResponseClientRedirect(link)
    shown = {"asked": asked, "picture": picture(link), "link": link, "title": _now("扫码授权")}
    return drawer(request, "callbacks/_authorise_code.html", shown)


@require_GET
@role_required("owner")
def state(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Asked every few seconds while the code is on the screen."""
    asked = get_object_or_404(Authorisation, pk=pk, tenant=current_tenant())
    if asked.done_at is not None:
        return connected(request, asked)
    late = timezone.now() - asked.created_at > authorising.VALID
    return drawer(request, "callbacks/_authorise_state.html", {"asked": asked, "late": late, "title": _now("扫码授权")})


@require_GET
@role_required("owner")
def authorised(request: HttpRequest) -> HttpResponse:
    """Where WeCom's page of a suite leads back to. A code that an event brought as well is exchanged once."""
    given = request.GET.get("state", "").replace("\0", "")
    asked = get_object_or_404(Authorisation.objects.select_related("suite"), state=given, tenant=current_tenant())
    try:
        authorising.accept(asked.suite, request.GET.get("auth_code", ""), asked.state)
    except CodeUsed:
        return done(request, OVER, level="error", back_to=BACK, leave=True)
    except WeComError as error:
        told = words_for(error.code)
        return done(request, f"{told.cause}{told.fix}", level="error", back_to=BACK, leave=True)
    asked.refresh_from_db()
    if asked.done_at is None:
        words = asked.get_problem_display() if asked.problem else OVER
        return done(request, words, level="error", back_to=BACK, leave=True)
    record(request, "connection.authorised", target=asked.suite.name)
    return connected(request, asked)


def connected(request: HttpRequest, asked: Authorisation) -> HttpResponse:
    """Names the company: whoever scanned decided which one it is."""
    apps = CorpApp.objects.filter(tenant=asked.tenant_id, lane=CorpApp.Lane.PROVIDER, suite_id=asked.suite.suite_id)
    words = _now("授权成功：%(corp)s，正在检查连接") % {"corp": apps.values_list("corp_name", flat=True).first() or "—"}
    return done(request, words, back_to=BACK, leave=True)
