"""The ASGI application: WeCom's API, the control API and the page."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.archive_control import ArchiveControl, Archivist
from sandbox.authorize import Authorize
from sandbox.bridge import Bridge
from sandbox.campaigns import Campaigns
from sandbox.client import Client
from sandbox.control import Control
from sandbox.gateway import Gateway
from sandbox.installs import Installs
from sandbox.looks import Looks
from sandbox.suite_control import SuiteControl
from sandbox.windows import Window
from sandbox.world import World

PAGE = Path(__file__).with_name("page")
CHAT = Path(__file__).with_name("chat")
OURS = ("/chat", "/_sandbox/", "/connect/", "/wwlogin/", "/wwopen/", "/3rdapp/")  # even under an app's name


def build(world: World) -> ASGIApp:
    control = Control(world)
    page = StaticFiles(directory=PAGE, html=True)
    chat = Mount("/chat", StaticFiles(directory=CHAT, html=True))
    archive = ArchiveControl(control, Archivist(world))
    parts = (control, Looks(control), Campaigns(control), Authorize(world), Bridge(control), Client(control), archive)
    vendors = (SuiteControl(control), Installs(world))
    routes: list[Route | Mount] = [route for part in (*parts, *vendors) for route in part.routes()]
    routes += [chat, Mount("/", page)]
    lab = Starlette(routes=routes)
    gateway = Gateway(world)
    window = Window(world)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"].startswith("/cgi-bin/"):
            await gateway(scope, receive, send)
        elif not scope["path"].startswith(OURS) and (place := world.windows.find(host_of(scope))):
            await window(scope, receive, send, place)
        else:
            await lab(scope, receive, send)

    return application


def host_of(scope: Scope) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
