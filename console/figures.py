"""Numbers that an app tells on a page of another one, each with the list behind it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Text = Any  # str or a lazy translation


@dataclass(frozen=True, slots=True)
class Figure:
    """One number, as the tag `stat` draws it: a count, or words such as “1.2 秒”; None when there is none yet."""

    label: Text
    value: int | str | None
    url: str
    note: Text = ""
    icon: str = ""
    tone: str = "blue"


@dataclass(frozen=True, slots=True)
class Figures:
    title: Text
    figures: Sequence[Figure]


HEALTH_FIGURES: list[Callable[[], Figures]] = []
"""What the apps tell of themselves on 待办与异常; filled by scrm/wiring.py. Each costs one statement at most."""
