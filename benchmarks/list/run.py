"""客户列表 with three filters, at every depth, against bare SQL over the same rows; at growing sizes."""

from benchmarks.common.picture import draw
from benchmarks.common.report import Row
from benchmarks.common.scale import Scale
from benchmarks.list.measure import DEPTHS
from benchmarks.segment.run import measure, ratio


def run(scale: Scale) -> list[Row]:
    sizes = scale.pick([5_000, 20_000], [10_000, 100_000], [10_000, 100_000, 1_000_000])
    found = {size: measure("list", size, rounds=scale.pick(5, 9, 15))["queries"] for size in sizes}
    if scale is Scale.FULL:
        lines = {}
        for label, depth in {"first page": "first", "page in the middle": "the middle", "count": "count"}.items():
            costs = {size: [one[depth][0] for one in answer.values() if depth in one] for size, answer in found.items()}
            lines[label] = {size: max(cost) for size, cost in costs.items() if cost}
        draw("list", "客户列表, three filters: milliseconds in the database against customers", lines)
    rows = []
    for depth in (*DEPTHS, "count"):
        largest = {name: one[depth] for name, one in found[sizes[-1]].items() if depth in one}
        worst, (ours, bare) = max(largest.items(), key=lambda row: ratio(*row[1]))
        note = f"worst of {len(largest)}: {worst}, {ours:.2f} ms against {bare:.2f} ms"
        rows.append(Row("list", f"{depth}: ours / bare SQL", ratio(ours, bare), at_most=2, note=note))
        slow, cost = max(largest.items(), key=lambda row: row[1][0])
        rows.append(Row("list", f"{depth}: the slowest at {sizes[-1]:,}", cost[0], "ms", note=slow))
    return rows
