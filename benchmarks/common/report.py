"""What a benchmark found: rows with a goal each, and the table at the end."""

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One measured value. `at_least` and `at_most` are its goal; without either it is only told."""

    benchmark: str
    measure: str
    value: float
    unit: str = "×"
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""

    @property
    def reached(self) -> bool | None:
        if self.at_least is not None:
            return self.value >= self.at_least
        if self.at_most is not None:
            return self.value <= self.at_most
        return None

    @property
    def goal(self) -> str:
        if self.at_least is not None:
            return f"≥ {self.at_least:g} {self.unit}"
        return f"≤ {self.at_most:g} {self.unit}" if self.at_most is not None else ""


@dataclass(frozen=True, slots=True)
class Paired:
    """Ratios of two candidates that ran in the same round: what a shared machine disturbs least."""

    median: float
    low: float
    high: float
    rounds: int

    @property
    def spread(self) -> str:
        return f"quartiles {self.low:.2f}–{self.high:.2f} of {self.rounds} rounds"


def paired(reference: Sequence[float], candidate: Sequence[float]) -> Paired:
    """reference / candidate for costs: above 1 the candidate is cheaper."""
    ratios = [one / other for one, other in zip(reference, candidate, strict=True)]
    quarters = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else [ratios[0]] * 3
    return Paired(statistics.median(ratios), quarters[0], quarters[2], len(ratios))


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def print_tables(rows: Sequence[Row]) -> None:
    """One table a benchmark, under a line that tells how busy the machine was."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"\n{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, load {load}")
    marks = {True: "reached", False: "MISSED", None: ""}
    for benchmark in dict.fromkeys(row.benchmark for row in rows):
        table = [(benchmark, "value", "goal", "", "")]
        table += [
            (row.measure, f"{row.value:.4g} {row.unit}", row.goal, marks[row.reached], row.note)
            for row in rows
            if row.benchmark == benchmark
        ]
        widths = [max(len(line[column]) for line in table) for column in range(4)]
        print()
        for line in table:
            cells = [cell.ljust(width) for cell, width in zip(line[:4], widths, strict=True)]
            print("  ".join([*cells, line[4]]).rstrip())
