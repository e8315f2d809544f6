"""The log as it is written, kept in memory."""

import io
import logging
from typing import Self


class Lines:
    def __init__(self) -> None:
        self._text = io.StringIO()
        self._handler = logging.StreamHandler(self._text)
        root = logging.getLogger()
        writer = next(one for one in root.handlers if getattr(one.formatter, "processors", None))
        self._handler.setFormatter(writer.formatter)

    def __enter__(self) -> Self:
        logging.getLogger().addHandler(self._handler)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self._handler)

    def taken(self) -> str:
        """Since the last look."""
        text = self._text.getvalue()
        self._text.seek(0)
        self._text.truncate()
        return text
