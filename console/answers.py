"""What a view answers after an act: the same line for htmx and for a plain form."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django_htmx.http import HttpResponseClientRedirect, trigger_client_event

from console.access import asked_by_htmx

LEVELS = {"success": messages.SUCCESS, "info": messages.INFO, "warning": messages.WARNING, "error": messages.ERROR}


def drawer(request: HttpRequest, template: str, context: Mapping[str, Any], *, wrong: bool = False) -> HttpResponse:
    """A part that opens beside a list; a page of its own when its address is opened. `wrong`: a form to mend."""
    partial = asked_by_htmx(request)
    values = {**context, "part": template}
    return render(request, template if partial else "console/alone.html", values, status=422 if wrong else 200)


def done(
    request: HttpRequest, text: Any, *, back_to: str, level: str = "success", undo: str = "", leave: bool = False
) -> HttpResponse:
    """The act is done: say so, close the drawer and reload the list behind it. `leave` goes to `back_to` instead."""
    if asked_by_htmx(request) and not leave:
        response = HttpResponse(status=204)
        trigger_client_event(response, "toast", {"text": str(text), "level": level, "undo": undo})
        trigger_client_event(response, "drawer:close", {})
        trigger_client_event(response, "list:refresh", {})
        return response
    messages.add_message(request, LEVELS[level], str(text))
    url = resolve_url(back_to)
    return HttpResponseClientRedirect(url) if asked_by_htmx(request) else HttpResponseRedirect(url)
