"""内容: scripts and materials with a 发送 on each row, and the report of what was sent."""

from typing import Any

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from contacts.models import Customer, Follow, GroupChat
from content import messages, scripts, sendings
from content.models import Folder, Material, Script
from members.models import Staff
from sidebar.access import seller_required
from sidebar.group_views import own_groups
from sop import tasks
from tenants.faults import words_for
from wecom.errors import WeComError

SHOWN = 30


@require_GET
@seller_required
def index(request: HttpRequest, staff: Staff) -> HttpResponse:
    """`tab`: common (what is used most and what this member sent last), scripts, materials; `q` searches all."""
    term, tab = request.GET.get("q", "").strip()[:40], request.GET.get("tab", "common")
    folder = request.GET.get("folder", "")
    chosen = Folder.objects.filter(pk=int(folder)).first() if folder.isdecimal() and len(folder) < 19 else None
    context: dict[str, Any] = {"q": term, "tab": tab, "folder": chosen, "folders": []}
    if term:
        context |= {"scripts": scripts.best(term, limit=SHOWN), "materials": materials(term=term)}
    elif tab == "materials":
        context |= {"materials": materials(folder=chosen), "folders": folders(Folder.Of.MATERIALS)}
    elif tab == "scripts":
        context |= {"scripts": scripts.best(folder=chosen, limit=SHOWN), "folders": folders(Folder.Of.SCRIPTS)}
    else:
        recent = recently_sent(staff)
        context |= {"recent": recent, "scripts": scripts.best(limit=10), "materials": materials(limit=10)}
    part = "sidebar/_contents.html" if request.headers.get("HX-Target") == "contents" else "sidebar/content.html"
    return render(request, part, context)


def materials(*, term: str = "", folder: Folder | None = None, limit: int = SHOWN) -> list[Material]:
    rows = Material.objects.filter(archived_at=None).select_related("file")
    if term:
        rows = rows.filter(title__icontains=term)
    if folder is not None:
        rows = rows.filter(folder=folder)
    return list(rows.order_by("-uses", "-id")[:limit])


def folders(of: str) -> list[Folder]:
    return list(Folder.objects.filter(of=of, parent=None).order_by("order", "id")[:20])


def recently_sent(staff: Staff) -> list[Script | Material]:
    """What this member sent last, each once, while it is still there."""
    found: dict[tuple[str, int], Script | Material] = {}
    for sending in sendings.recent_of(staff, 20):
        one = sending.script or sending.material
        if one is not None and one.archived_at is None:
            found.setdefault((type(one).__name__, one.pk), one)
    return list(found.values())[:5]


@require_GET
@seller_required
def parts(request: HttpRequest, staff: Staff, of: str, pk: int) -> HttpResponse:
    """What sendChatMessage is to be called with, one after the other, for this receiver."""
    if of == "script":
        script = get_object_or_404(scripts.living(), pk=pk)
        content = scripts.content_of(script)
    elif of == "material":
        material = get_object_or_404(Material, pk=pk, archived_at=None)
        content = {"text": "", "materials": [material.pk]}
    else:
        raise Http404
    return as_parts(content, staff, customer_asked(request, staff))


def as_parts(content: dict[str, Any], staff: Staff, customer: Customer | None) -> HttpResponse:
    """JSON of the parts, or why they cannot be sent, in words."""
    try:
        found = messages.sidebar_parts(content, staff, customer)
    except ValidationError as error:
        return JsonResponse({"code": "content", "message": " ".join(error.messages)}, status=422)
    except messages.MediaNotReady:
        words = _("文件还没有传到企业微信，请几秒后再试。")
        return JsonResponse({"code": "media", "message": words}, status=409)
    except WeComError as error:
        told = words_for(error.code)
        return JsonResponse({"code": str(error.code), "message": f"{told.cause}{told.fix}"}, status=502)
    return JsonResponse({"parts": found})


def customer_asked(request: HttpRequest, staff: Staff) -> Customer | None:
    """The customer of the open chat, when it is one of the member's own."""
    external_userid = request.GET.get("to") or request.POST.get("to") or ""
    follow = Follow.objects.filter(staff=staff, customer__external_userid=external_userid).select_related("customer")
    found = follow.first()
    return found.customer if found else None


@require_POST
@seller_required
def sent(request: HttpRequest, staff: Staff) -> HttpResponse:
    """A part went out: `key` (one a tap and part), `of` and `pk` of what it was, `to` or `chat`, the task's `part`."""
    key = request.POST.get("key", "")
    if not 8 <= len(key) <= 60:
        return JsonResponse({"code": "key", "message": _("缺少发送编号")}, status=400)
    script = material = None
    of, pk = request.POST.get("of", ""), request.POST.get("pk", "")
    if pk.isdecimal() and len(pk) < 19:
        script = Script.objects.filter(pk=int(pk)).first() if of == "script" else None
        material = Material.objects.filter(pk=int(pk)).first() if of == "material" else None
    customer, chat = customer_asked(request, staff), chat_asked(request, staff)
    task = None
    if of == "task" and pk.isdecimal() and len(pk) < 19:
        task = tasks.own_task(staff, int(pk))
    if task is not None and task.customer_id is not None and (customer is None or customer.pk != task.customer_id):
        task = None  # what went to somebody else proves nothing
    sending, new = sendings.record(
        f"{staff.pk}:{key}",
        staff,
        customer=customer,
        chat=chat,
        material=material,
        script=script,
        task_id=task.pk if task else None,
    )
    if task is not None:  # also when told again: the first report may have ended between the two
        tasks.task_sent(task, request.POST.get("part", ""), sending)
    if task is None or task.state != task.State.DONE:
        return JsonResponse({"new": new, "done": False})
    return JsonResponse({"new": new, "done": True, "left": tasks.open_tasks(staff, task.customer).count()})


def chat_asked(request: HttpRequest, staff: Staff) -> GroupChat | None:
    chat_id = request.POST.get("chat", "")
    return own_groups(staff).filter(chat_id=chat_id).first() if chat_id else None
