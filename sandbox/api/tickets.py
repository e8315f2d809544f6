"""Tickets for the signatures of the JS-SDK (wecom-api.md 3.1)."""

from __future__ import annotations

from typing import Any

from sandbox.api import Ask, api
from sandbox.errors import ApiError
from sandbox.tickets import OF_CORP


@api("GET", "get_jsapi_ticket", frozenset({"app"}))
def corp_ticket(ask: Ask) -> dict[str, Any]:
    return ask.world.tickets.give(ask.corp, ask.app, OF_CORP, ask.now)


@api("GET", "ticket/get", frozenset({"app"}))
def app_ticket(ask: Ask) -> dict[str, Any]:
    if ask.query.get("type") != "agent_config":
        raise ApiError(91040)
    return ask.world.tickets.give(ask.corp, ask.app, ask.app.key, ask.now)
