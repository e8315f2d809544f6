"""The ASGI application: WeCom's API, the control API and the page."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.control import Control
from sandbox.gateway import Gateway
from sandbox.looks import Looks
from sandbox.world import World

PAGE = Path(__file__).with_name("page")


def build(world: World) -> ASGIApp:
    control = Control(world)
    page = StaticFiles(directory=PAGE, html=True)
    routes: list[Route | Mount] = [*control.routes(), *Looks(control).routes(), Mount("/", page)]
    lab = Starlette(routes=routes)
    gateway = Gateway(world)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        await (gateway if scope["path"].startswith("/cgi-bin/") else lab)(scope, receive, send)

    return application
