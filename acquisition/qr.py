"""The picture of a channel code, drawn anew at any size: WeCom gives one small picture and not what it says."""

import io
from functools import lru_cache

import segno
import zxingcpp
from django.conf import settings
from PIL import Image, UnidentifiedImageError

from acquisition.models import ChannelCode
from wecom.errors import WeComUnavailable
from wecom.pictures import NotAPicture, fetch_picture

MOST_PIXELS = 4_000_000
SIZES = {"500": 500, "1000": 1000}


class NoPicture(Exception):
    """The code has no picture that can be had or read."""


def svg(code: ChannelCode) -> bytes:
    """The code as a drawing that prints sharp at any size."""
    out = io.BytesIO()
    segno.make(said_by(code), error="m", micro=False).save(out, kind="svg", border=4, xmldecl=True)
    return out.getvalue()


def png(code: ChannelCode, width: int) -> bytes:
    """The code as a picture of about `width` pixels a side, in whole pixels per module."""
    drawn = segno.make(said_by(code), error="m", micro=False)
    out = io.BytesIO()
    drawn.save(out, kind="png", border=4, scale=max(1, width // drawn.symbol_size(scale=1, border=4)[0]))
    return out.getvalue()


def said_by(code: ChannelCode) -> str:
    """The address inside WeCom's picture. Raises NoPicture."""
    if not code.qr_code:
        raise NoPicture
    return _read(code.qr_code)


@lru_cache(maxsize=512)
def _read(url: str) -> str:
    trusted = frozenset(getattr(settings, "WECOM_TRUSTED_HOSTS", ()))
    try:
        picture = Image.open(io.BytesIO(fetch_picture(url, trusted_hosts=trusted)))
        if picture.width * picture.height > MOST_PIXELS:
            raise NoPicture
        found = zxingcpp.read_barcodes(picture.convert("L"))
    except (WeComUnavailable, NotAPicture, UnidentifiedImageError, OSError, ValueError) as error:
        raise NoPicture from error
    if not found or not found[0].text:
        raise NoPicture
    return found[0].text
