"""The calls under /cgi-bin/. A handler gets a question it may trust to be authorised and gives the answer's fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from sandbox.corp import Corp
from sandbox.errors import ApiError
from sandbox.objects import App

if TYPE_CHECKING:
    from sandbox.world import World

ALL_KINDS = frozenset({"app", "contact", "sync"})
SELLING_KINDS = frozenset({"app", "contact"})


@dataclass(slots=True)
class Ask:
    """One call: who asks, in which corp, what."""

    world: World
    corp: Corp
    app: App
    query: dict[str, str]
    body: dict[str, Any]
    now: float
    site: str = ""  # how the caller reached the sandbox: http://host:port
    raw: bytes = b""  # the body of an upload
    content_type: str = ""
    range: str = ""  # the Range header: which part of a file is asked for

    def text(self, name: str, longest: int, default: str = "") -> str:
        """A text field of the body, its length counted in characters as WeCom does for names and remarks."""
        value = self.body.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise ApiError(40058, f"{name} is not a string")
        if len(value) > longest:
            raise ApiError(40058, f"{name} exceed max length {longest}")
        return value

    def number(self, name: str, lowest: int, highest: int, default: int | None = None) -> int:
        value = self.body.get(name)
        if value is None and default is not None:
            return default
        if value is None:
            raise ApiError(40058, f"{name} is required")
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            raise ApiError(40058, f"{name} out of range [{lowest}, {highest}]")
        return value

    def strings(self, name: str, most: int) -> list[str]:
        value = self.body.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ApiError(40058, f"{name} is not a list of strings")
        if len(value) > most:
            raise ApiError(40058, f"{name} exceed max size {most}")
        return value


@dataclass(frozen=True, slots=True)
class Blob:
    """An answer that is a file."""

    body: bytes
    content_type: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


Handler = Callable[[Ask], dict[str, Any]]
FileHandler = Callable[[Ask], Blob]
AnyHandler = TypeVar("AnyHandler", Handler, FileHandler)


@dataclass(frozen=True, slots=True)
class Endpoint:
    path: str
    method: str
    kinds: frozenset[str]
    customer_right: bool
    handler: Handler | FileHandler
    raw: bool = False  # the body is not JSON but an upload


ENDPOINTS: dict[str, Endpoint] = {}


def api(
    method: str, path: str, kinds: frozenset[str] = ALL_KINDS, *, raw: bool = False
) -> Callable[[AnyHandler], AnyHandler]:
    """Puts a handler at a path. Everything under externalcontact/ needs the 客户联系 right of the app."""

    def register(handler: AnyHandler) -> AnyHandler:
        ENDPOINTS[path] = Endpoint(path, method, kinds, path.startswith("externalcontact/"), handler, raw)
        return handler

    return register
