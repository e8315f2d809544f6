"""How much of a benchmark is run: a minute for CI, ten for a verdict, an hour for the record."""

from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")


class Scale(StrEnum):
    SMOKE = "smoke"
    QUICK = "quick"
    FULL = "full"

    def pick(self, smoke: T, quick: T, full: T) -> T:
        return {Scale.SMOKE: smoke, Scale.QUICK: quick, Scale.FULL: full}[self]
