"""Reads the XML and JSON that WeCom posts, with nothing in it able to hurt: no DTD, no entity, no depth, no size."""

import threading
from typing import Any
from xml.parsers import expat

import orjson
from lxml import etree

from wecom.errors import BadCallback
from wecom.flat import flat_fields

MAX_BYTES = 64 * 1024
MAX_DEPTH = 10
_BOM = b"\xef\xbb\xbf"

RENAMED = {"OpitonIds": "OptionIds", "OpitonId": "OptionId"}
"""Misspelt by WeCom on the wire (path/90240)."""

LISTED = {"MemChangeList": "Item", "ExtAttr": "Item", "SelectedItems": "SelectedItem", "OptionIds": "OptionId"}
"""Elements that only wrap a list, with the name of what they hold."""

REPEATED = frozenset({"AccountList", "AuthAddOpenKfId", "AuthDelOpenKfId"})
"""Elements that WeCom repeats; a list even when there is one."""

_UNUSUAL = RENAMED.keys() | LISTED.keys() | REPEATED


class _Parsers(threading.local):
    """One parser a thread: lxml serialises the use of a shared one. UTF-8 is forced, whatever the document declares."""

    def __init__(self) -> None:
        self.xml = etree.XMLParser(
            encoding="utf-8",
            resolve_entities=False,
            load_dtd=False,
            dtd_validation=False,
            no_network=True,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        )


_parsers = _Parsers()


def checked(body: bytes) -> bytes:
    """The body without byte-order mark and blanks, once it is known to be of a bearable size and real UTF-8."""
    if len(body) > MAX_BYTES:
        raise BadCallback("body too large")
    body = body.removeprefix(_BOM).strip()
    if not body:
        raise BadCallback("body empty")
    if not body.isascii():
        try:
            body.decode("utf-8")
        except UnicodeDecodeError:
            raise BadCallback("body not UTF-8") from None
    return body


def parse_xml(body: bytes) -> etree._Element:
    """The root of a checked document; a DTD is refused before any of it is read."""
    if b"<!DOCTYPE" in body:
        _refuse_dtd(body)
    try:
        return etree.fromstring(body, _parsers.xml)
    except (etree.LxmlError, ValueError):
        raise BadCallback("body not XML") from None


def parse_json(body: bytes) -> dict[str, Any]:
    """The object of a checked JSON document."""
    try:
        found = orjson.loads(body)
    except (ValueError, RecursionError):
        raise BadCallback("body not JSON") from None
    if not isinstance(found, dict):
        raise BadCallback("body not a JSON object")
    return found


def _refuse_dtd(body: bytes) -> None:
    """Tells a DTD from the same letters inside CDATA: expat stops at the declaration and never reads its entities."""

    def refuse(*_: object) -> None:
        raise BadCallback("document type declared")

    parser = expat.ParserCreate("utf-8")
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(body, True)
    except expat.ExpatError:
        raise BadCallback("body not XML") from None


def fields_of(body: bytes) -> dict[str, Any]:
    """The payload as a dict of text, lists and dicts, the same for XML and for its JSON twin."""
    body = checked(body)
    if body[0] == 0x7B:  # {
        return _from_object(parse_json(body), 1)
    flat = flat_fields(body)
    if flat is not None and _UNUSUAL.isdisjoint(flat):
        return flat
    found = _from_element(parse_xml(body), 1)
    if not isinstance(found, dict):
        raise BadCallback("payload without elements")
    return found


def _from_element(element: etree._Element, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise BadCallback("payload too deep")
    if not len(element):
        return (element.text or "").strip()
    fields: dict[str, Any] = {}
    for child in element:
        tag = child.tag
        if not isinstance(tag, str):
            raise BadCallback("entity reference")
        tag = RENAMED.get(tag, tag)
        value = _from_element(child, depth + 1) if len(child) else (child.text or "").strip()
        if tag in LISTED:
            value = _unwrapped(tag, value)
        if tag in REPEATED:
            fields.setdefault(tag, []).append(value)
        elif tag not in fields:
            fields[tag] = value
        elif isinstance(fields[tag], list) and tag not in LISTED:
            fields[tag].append(value)
        else:
            fields[tag] = [fields[tag], value]
    return fields


def _from_object(value: dict[str, Any], depth: int) -> dict[str, Any]:
    if depth > MAX_DEPTH:
        raise BadCallback("payload too deep")
    fields: dict[str, Any] = {}
    for name, raw in value.items():
        tag = RENAMED.get(name, name).replace("\0", "")
        item = _from_json(raw, depth + 1)
        if tag in LISTED:
            item = _unwrapped(tag, item)
        elif tag in REPEATED and not isinstance(item, list):
            item = [item]
        fields[tag] = item
    return fields


def _from_json(value: Any, depth: int) -> Any:
    """Numbers and flags become text, as XML has them; NUL is dropped, as no XML or Postgres text may hold it."""
    if depth > MAX_DEPTH:
        raise BadCallback("payload too deep")
    if isinstance(value, str):
        return value.replace("\0", "").strip()
    if isinstance(value, dict):
        return _from_object(value, depth)
    if isinstance(value, list):
        return [_from_json(item, depth + 1) for item in value]
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, bool) else str(value)


def _unwrapped(tag: str, value: Any) -> list[Any]:
    """`<MemChangeList><Item/></MemChangeList>` as the list it is, whether it holds none, one or many."""
    if isinstance(value, dict) and set(value) == {LISTED[tag]}:
        value = value[LISTED[tag]]
    if value == "":
        return []
    return value if isinstance(value, list) else [value]
