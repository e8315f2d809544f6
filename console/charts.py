"""Lines and bars by day, said once: drawn by ECharts in the browser, readable as a table without it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils.functional import cached_property


@dataclass(frozen=True)
class Series:
    """One number per day. `url`: address of the list behind a day, with {day} in it; "" when there is none."""

    name: Any
    values: Sequence[int]
    url: str = ""
    shape: str = "line"  # or "bar"

    def url_of(self, day: date) -> str:
        return self.url.replace("{day}", day.isoformat())


@dataclass(frozen=True)
class DayChart:
    """A chart of `templates/console/kit/chart.html`; include `console/kit/chart_head.html` in the page's block head."""

    title: Any
    days: Sequence[date]
    series: Sequence[Series]

    @cached_property
    def drawing(self) -> str:
        """What static/js/charts.js draws."""
        return json.dumps(
            {
                "days": [f"{day.month}-{day.day}" for day in self.days],
                "series": [
                    {
                        "name": str(one.name),
                        "shape": one.shape,
                        "values": list(one.values),
                        "urls": [one.url_of(day) for day in self.days] if one.url else [],
                    }
                    for one in self.series
                ],
            },
            ensure_ascii=False,
        )

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The newest day first, as a table reads."""
        return [
            {
                "day": day,
                "cells": [{"value": one.values[at], "url": one.url_of(day)} for one in self.series],
            }
            for at, day in reversed(list(enumerate(self.days)))
        ]

    @property
    def is_flat(self) -> bool:
        """Nothing happened on any day: a sentence says so rather than a line at zero."""
        return not any(any(one.values) for one in self.series)
