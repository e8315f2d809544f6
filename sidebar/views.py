"""The shell of the sidebar and the signatures its JS-SDK asks for; the panels come on demand."""

import json

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import get_object_or_404, render
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from contacts.models import Customer
from members.models import Staff
from sidebar.access import inside_wecom, seller_required
from tenants import tickets
from tenants.current import main_app
from tenants.faults import words_for
from wecom.errors import WeComError

JS_APIS = (
    *("getContext", "getCurExternalContact", "getCurExternalChat"),
    *("sendChatMessage", "openEnterpriseChat", "openUserProfile"),
)


def shell(request: HttpRequest) -> HttpResponse:
    """Outside WeCom nobody is sent to sign in: the page says where it belongs."""
    if not inside_wecom(request):
        response = render(request, "sidebar/outside.html")
        add_never_cache_headers(response)
        return response
    return _shell(request)


@require_GET
@seller_required
def _shell(request: HttpRequest, staff: Staff) -> HttpResponse:
    return opened(request, staff)


def opened(
    request: HttpRequest, staff: Staff, *, page: bool = False, customer: str = "", first: str = ""
) -> HttpResponse:
    """The shell. `page`: a link of ours was opened, the client need not say where; `customer`: whom it is about;
    `first`: the panel it leads to, where that is not the usual one."""
    app = main_app()
    get_token(request)
    setting = {"corpId": app.corp_id, "agentId": app.agent_id, "apis": JS_APIS, "member": staff.userid}
    setting |= {"page": page, "customer": customer, "first": first}
    context = {"setting": json.dumps(setting), "staff": staff, "customer": customer}
    return render(request, "sidebar/shell.html", context)


@require_GET
@seller_required
def customer(request: HttpRequest, staff: Staff, pk: int) -> HttpResponse:
    """A customer without a chat beside them: where the cards in WeCom's window lead who sells."""
    found = get_object_or_404(Customer.objects.only("external_userid"), pk=pk)
    if not staff.follows.filter(customer=found).exists():
        return render(request, "sidebar/not_yours.html", status=403)
    return opened(request, staff, page=True, customer=found.external_userid)


@require_POST
@seller_required
def signature(request: HttpRequest, staff: Staff) -> HttpResponse:
    """`{url, whose}` → `{timestamp, nonceStr, signature}` of one of our own pages."""
    whose, url = request.POST.get("whose", ""), request.POST.get("url", "")
    if whose not in tickets.CALLS:
        return JsonResponse({"code": "whose", "message": _("不认识的签名类型")}, status=400)
    try:
        signed = tickets.sign(url, "corp" if whose == "corp" else "agent")
    except tickets.ForeignAddress:
        words = _("页面地址不是本企业的域名，不能签名。请检查应用的“聊天工具栏”里配置的页面。")
        return JsonResponse({"code": "foreign_address", "message": words}, status=400)
    except WeComError as error:
        words = f"{words_for(error.code).cause}{words_for(error.code).fix}"
        return JsonResponse({"code": str(error.code), "message": words}, status=502)
    return JsonResponse({"timestamp": signed.timestamp, "nonceStr": signed.nonce, "signature": signed.signature})
