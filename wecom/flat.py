"""Reads the plain form in which WeCom writes nearly everything, at a fifth of a parser's cost.

One level of elements, each with a CDATA section or plain text. Whatever differs in the least (attributes, nesting,
entities, comments, a declaration, an odd character) is not read here but left to the parser.
"""

import re

# no "]" inside CDATA, no markup or entity outside
_ELEMENT = re.compile(r"<([A-Za-z]\w*)>(?:<!\[CDATA\[([^\]]*)\]\](>)|([^<&\]]*))</\1>", re.ASCII)
_MARKUP = len("<></>")
_CDATA = len("<![CDATA[]]>")
_OPEN, _CLOSE = "<xml>", "</xml>"


def flat_fields(body: bytes) -> dict[str, str] | None:
    """The fields of a checked document, stripped; None when a parser must look at it."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return None
    # nothing that XML forbids or normalises: control characters, line ends, non-characters
    if not (text.startswith(_OPEN) and text.endswith(_CLOSE) and text.isprintable()):
        return None
    fields: dict[str, str] = {}
    read = len(_OPEN) + len(_CLOSE)
    found = _ELEMENT.findall(text)
    for tag, inside, is_cdata, plain in found:
        if is_cdata:
            read += _MARKUP + _CDATA + 2 * len(tag) + len(inside)
            fields[tag] = inside.strip()
        else:
            read += _MARKUP + 2 * len(tag) + len(plain)
            fields[tag] = plain.strip()
    # every character was part of an element that was read, and no name came twice
    return fields if read == len(text) and len(fields) == len(found) and fields else None
