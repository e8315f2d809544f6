"""Reads the frame of a picture from its own structure, without decoding a single pixel."""

from typing import IO, NamedTuple

PNG = b"\x89PNG\r\n\x1a\n"
MOST_PARTS = 20_000
TRAILING = 64 * 1024  # what some cameras leave behind a JPEG's end


class Picture(NamedTuple):
    width: int | None
    height: int | None


class NotAPicture(Exception):
    """The bytes are not one whole picture of that format."""


def read_png(file: IO[bytes], size: int) -> Picture:
    """Chunk by chunk from IHDR to IEND, which must be the end of the file."""
    file.seek(0)
    if file.read(8) != PNG:
        raise NotAPicture
    place, frame, has_data = 8, None, False
    for _ in range(MOST_PARTS):
        file.seek(place)
        head = file.read(8)
        if len(head) < 8:
            raise NotAPicture
        length, name = int.from_bytes(head[:4], "big"), head[4:]
        end = place + 12 + length
        if length > 2**31 - 1 or end > size:
            raise NotAPicture
        if frame is None:
            frame = _ihdr(name, file.read(13), length)
        has_data = has_data or name == b"IDAT"
        if name == b"IEND":
            if end != size or not has_data:
                raise NotAPicture
            return frame
        place = end
    raise NotAPicture


def _ihdr(name: bytes, body: bytes, length: int) -> Picture:
    if name != b"IHDR" or length != 13:
        raise NotAPicture
    width, height = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")
    if not width or not height or body[8] not in (1, 2, 4, 8, 16) or body[9] not in (0, 2, 3, 4, 6):
        raise NotAPicture
    return Picture(width, height)


FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
BARE = frozenset({0x01, *range(0xD0, 0xD8)})


def read_jpeg(file: IO[bytes], size: int) -> Picture:
    """Segment by segment up to the frame; the file must end like a JPEG, or a little behind its end."""
    file.seek(0)
    if file.read(2) != b"\xff\xd8":
        raise NotAPicture
    place = 2
    for _ in range(MOST_PARTS):
        file.seek(place)
        head = file.read(4)
        if len(head) < 4 or head[0] != 0xFF:
            raise NotAPicture
        marker = head[1]
        if marker == 0xFF or marker in BARE:  # filling, or a marker without a body
            place += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(head[2:4], "big")
        if length < 2 or place + 2 + length > size or marker in (0xD9, 0xDA):
            raise NotAPicture
        if marker in FRAMES:
            body = file.read(5)
            height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
            _must_end(file, size)
            if not width or not height:
                raise NotAPicture
            return Picture(width, height)
        place += 2 + length
    raise NotAPicture


def _must_end(file: IO[bytes], size: int) -> None:
    file.seek(max(0, size - TRAILING))
    if b"\xff\xd9" not in file.read(TRAILING):
        raise NotAPicture
