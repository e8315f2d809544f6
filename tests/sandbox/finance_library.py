"""WeCom's own archive library, called as its header says: the referee of what the sandbox seals."""

import ctypes
import importlib.util
import json
import os
from pathlib import Path

PACKAGES = {
    "pywecomarchive": "lib/linux/x86_64/libWeWorkFinanceSdk_C.so",
    "pyweworkfinance": "libs/linux/libWeWorkFinanceSdk_C_x86.so",
}


def find():
    """The library named by WECOM_FINANCE_SDK, else that of an installed package; None when there is none."""
    named = os.environ.get("WECOM_FINANCE_SDK", "")
    if named and named != "auto":
        return Path(named)
    for package, inside in PACKAGES.items():
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin:
            return Path(spec.origin).parent / inside
    return None


class Library:
    def __init__(self, path, corp_id, secret, proxy):
        self.proxy = proxy.encode()
        self.lib = lib = ctypes.CDLL(str(path))
        pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
        signatures = {
            "NewSdk": ([], pointer),
            "Init": ([pointer, text, text], number),
            "DestroySdk": ([pointer], None),
            "GetChatData": ([pointer, ctypes.c_ulonglong, ctypes.c_uint, text, text, number, pointer], number),
            "DecryptData": ([text, text, pointer], number),
            "NewSlice": ([], pointer),
            "FreeSlice": ([pointer], None),
            "GetContentFromSlice": ([pointer], pointer),
            "GetSliceLen": ([pointer], number),
            "GetMediaData": ([pointer, text, text, text, text, number, pointer], number),
            "NewMediaData": ([], pointer),
            "FreeMediaData": ([pointer], None),
            "GetOutIndexBuf": ([pointer], pointer),
            "GetIndexLen": ([pointer], number),
            "GetData": ([pointer], pointer),
            "GetDataLen": ([pointer], number),
            "IsMediaDataFinish": ([pointer], number),
        }
        for name, (arguments, result) in signatures.items():
            function = getattr(lib, name)
            function.argtypes, function.restype = arguments, result
        self.sdk = lib.NewSdk()
        assert lib.Init(self.sdk, corp_id.encode(), secret.encode()) == 0

    def chat_data(self, seq=0, limit=100):
        """(return code, JSON)"""
        piece = self.lib.NewSlice()
        try:
            code = self.lib.GetChatData(self.sdk, seq, limit, self.proxy, b"", 10, piece)
            return code, json.loads(self.content(piece) or b"null")
        finally:
            self.lib.FreeSlice(piece)

    def decrypt(self, key, message):
        piece = self.lib.NewSlice()
        try:
            code = self.lib.DecryptData(key.encode(), message.encode(), piece)
            return code, json.loads(self.content(piece) or b"null") if code == 0 else None
        finally:
            self.lib.FreeSlice(piece)

    def content(self, piece):
        return ctypes.string_at(self.lib.GetContentFromSlice(piece), self.lib.GetSliceLen(piece))

    def media(self, file_id):
        """(return code, bytes, pieces)"""
        place, body, pieces = b"", b"", 0
        while True:
            data = self.lib.NewMediaData()
            try:
                code = self.lib.GetMediaData(self.sdk, place, file_id.encode(), self.proxy, b"", 10, data)
                if code:
                    return code, body, pieces
                body += ctypes.string_at(self.lib.GetData(data), self.lib.GetDataLen(data))
                place = ctypes.string_at(self.lib.GetOutIndexBuf(data), self.lib.GetIndexLen(data))
                pieces += 1
                if self.lib.IsMediaDataFinish(data):
                    return 0, body, pieces
            finally:
                self.lib.FreeMediaData(data)

    def close(self):
        self.lib.DestroySdk(self.sdk)
