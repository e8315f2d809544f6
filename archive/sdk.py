"""The process that holds WeCom's native archive library: `python -m archive.sdk LIBRARY`. Plain Python, no Django.

The library may abort its process (a C++ exception that nobody catches: a message of under 13 characters is enough), so
nothing else lives here. Frames go over stdin and stdout: four bytes of length, then JSON; an answer is followed by a
frame of raw bytes (wecom-api.md 7.2).
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from typing import IO, Any

import orjson

LIMIT = struct.Struct(">I")
POINTER, TEXT, NUMBER = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
SIGNATURES: dict[str, tuple[list[Any], Any]] = {
    "NewSdk": ([], POINTER),
    "Init": ([POINTER, TEXT, TEXT], NUMBER),
    "DestroySdk": ([POINTER], None),
    "GetChatData": ([POINTER, ctypes.c_ulonglong, ctypes.c_uint, TEXT, TEXT, NUMBER, POINTER], NUMBER),
    "DecryptData": ([TEXT, TEXT, POINTER], NUMBER),
    "NewSlice": ([], POINTER),
    "FreeSlice": ([POINTER], None),
    "GetContentFromSlice": ([POINTER], POINTER),
    "GetSliceLen": ([POINTER], NUMBER),
    "GetMediaData": ([POINTER, TEXT, TEXT, TEXT, TEXT, NUMBER, POINTER], NUMBER),
    "NewMediaData": ([], POINTER),
    "FreeMediaData": ([POINTER], None),
    "GetOutIndexBuf": ([POINTER], POINTER),
    "GetIndexLen": ([POINTER], NUMBER),
    "GetData": ([POINTER], POINTER),
    "GetDataLen": ([POINTER], NUMBER),
    "IsMediaDataFinish": ([POINTER], NUMBER),
}


def read_frame(stream: IO[bytes]) -> bytes:
    """Empty at the end of the stream."""
    head = stream.read(LIMIT.size)
    if len(head) < LIMIT.size:
        return b""
    (length,) = LIMIT.unpack(head)
    body = stream.read(length)
    return body if len(body) == length else b""


def write_frame(stream: IO[bytes], body: bytes) -> None:
    stream.write(LIMIT.pack(len(body)))
    stream.write(body)


class Library:
    """The functions of the header, with the one object of this process's company and secret."""

    def __init__(self, path: str) -> None:
        self.lib = ctypes.CDLL(path)
        for name, (arguments, result) in SIGNATURES.items():
            function = getattr(self.lib, name)
            function.argtypes, function.restype = arguments, result
        self.sdk: int | None = None
        self.proxy = b""

    def init(self, corp_id: str, secret: str, proxy: str) -> dict[str, Any]:
        if self.sdk is not None:
            self.lib.DestroySdk(self.sdk)
        self.proxy, self.sdk = proxy.encode(), self.lib.NewSdk()
        return {"code": self.lib.Init(self.sdk, corp_id.encode(), secret.encode())}

    def pull(self, seq: int, limit: int, seconds: int) -> tuple[dict[str, Any], bytes]:
        piece = self.lib.NewSlice()
        try:
            code = self.lib.GetChatData(self.sdk, seq, limit, self.proxy, b"", seconds, piece)
            return {"code": code}, b"" if code else self._content(piece)
        finally:
            self.lib.FreeSlice(piece)

    def open(self, pairs: list[list[str]]) -> dict[str, Any]:
        """(code, text) of each pair of key and message."""
        piece = self.lib.NewSlice()
        try:
            return {"opened": [self._open(key, message, piece) for key, message in pairs]}
        finally:
            self.lib.FreeSlice(piece)

    def _open(self, key: str, message: str, piece: Any) -> tuple[int, str]:
        code = self.lib.DecryptData(key.encode(), message.encode(), piece)
        return code, "" if code else self._content(piece).decode("utf-8", "replace")

    def media(self, index: str, fileid: str, seconds: int) -> tuple[dict[str, Any], bytes]:
        data = self.lib.NewMediaData()
        try:
            code = self.lib.GetMediaData(self.sdk, index.encode(), fileid.encode(), self.proxy, b"", seconds, data)
            if code:
                return {"code": code}, b""
            body = ctypes.string_at(self.lib.GetData(data), self.lib.GetDataLen(data))
            place = ctypes.string_at(self.lib.GetOutIndexBuf(data), self.lib.GetIndexLen(data))
            last = bool(self.lib.IsMediaDataFinish(data))
            return {"code": 0, "index": place.decode("latin-1"), "last": last}, body
        finally:
            self.lib.FreeMediaData(data)

    def _content(self, piece: Any) -> bytes:
        return ctypes.string_at(self.lib.GetContentFromSlice(piece), self.lib.GetSliceLen(piece))


def serve(library: Library, incoming: IO[bytes], outgoing: IO[bytes]) -> None:
    while asked := read_frame(incoming):
        wish = orjson.loads(asked)
        answer = getattr(library, wish.pop("do"))(**wish)
        head, body = answer if isinstance(answer, tuple) else (answer, b"")
        write_frame(outgoing, orjson.dumps(head))
        write_frame(outgoing, body)
        outgoing.flush()


def no_core_dumps() -> None:
    """A dump would hold the company's secret."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, OSError, ValueError):
        return


def main() -> None:
    """The library prints WeCom's answers, tokens among them, to stdout: it gets another one than ours."""
    no_core_dumps()
    outgoing = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    serve(Library(sys.argv[1]), sys.stdin.buffer, outgoing)


if __name__ == "__main__":
    main()
