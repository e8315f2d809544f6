"""Error pages in words: what happened, what to do, and the number by which support finds the request."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _


def bad_request(request: HttpRequest, exception: Any = None) -> HttpResponse:
    return told(request, 400, _("请求有误"), _("浏览器发来的内容不完整或不正确，请返回上一页重试。"), "broken")


def forbidden(request: HttpRequest, exception: Any = None) -> HttpResponse:
    return told(request, 403, _("没有权限"), _("您的角色不能打开这个页面，如有需要，请联系超级管理员。"), "lock")


def not_found(request: HttpRequest, exception: Any = None) -> HttpResponse:
    return told(request, 404, _("页面不存在"), _("地址有误，或者内容已被删除，或者它不在您的数据范围内。"), "search")


def broken(request: HttpRequest) -> HttpResponse:
    return told(
        request, 500, _("系统出错了"), _("问题已记录，请稍后再试；若一直如此，请把请求号告诉技术支持。"), "broken"
    )


def told(request: HttpRequest, status: int, title: str, text: str, picture: str) -> HttpResponse:
    """Without context processors: to say that the database failed takes neither the session nor the database."""
    values = {
        "status": status,
        "title": title,
        "text": text,
        "picture": f"console/pictures/{picture}.svg",
        "request_id": getattr(request, "request_id", ""),
        "product": "SCRM",
    }
    return HttpResponse(
        render_to_string("console/error.html", values), status=status, headers={"Cache-Control": "no-store"}
    )
