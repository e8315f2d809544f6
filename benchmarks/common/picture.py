"""A picture of cost against size, on two logarithmic scales, as an SVG file that a page can show."""

import math
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "pictures"
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 720, 400, 70, 50, 50, 20
COLOURS = ("#1d5fd3", "#c2410c", "#15803d", "#7e22ce")


def draw(name: str, title: str, lines: Mapping[str, Mapping[int, float]]) -> None:
    """`lines`: by label, milliseconds by size."""
    sizes = sorted({size for points in lines.values() for size in points})
    costs = [max(cost, 0.01) for points in lines.values() for cost in points.values()]
    low, high = math.floor(math.log10(min(costs))), math.ceil(math.log10(max(costs)))
    first, last = math.log10(sizes[0]), math.log10(sizes[-1])

    def x(size: float) -> float:
        return LEFT + (math.log10(size) - first) / max(last - first, 1e-9) * (WIDTH - LEFT - RIGHT)

    def y(cost: float) -> float:
        return HEIGHT - BOTTOM - (math.log10(max(cost, 0.01)) - low) / max(high - low, 1) * (HEIGHT - BOTTOM - TOP)

    parts = [f'<text x="{LEFT}" y="24" font-size="15" font-weight="600">{title}</text>']
    for power in range(low, high + 1):
        at = y(10**power)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="#e3e8ee"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{10**power:g} ms</text>')
    parts += [f'<text x="{x(size):.1f}" y="{HEIGHT - 26}" text-anchor="middle">{size:,}</text>' for size in sizes]
    for number, (label, points) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        places = [(x(size), y(cost), cost) for size, cost in sorted(points.items())]
        path = " ".join(f"{left:.1f},{top:.1f}" for left, top, _cost in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for left, top, cost in places:
            parts.append(f'<circle cx="{left:.1f}" cy="{top:.1f}" r="3.5" fill="{colour}"/>')
            end = "end" if left > WIDTH - 120 else "start"
            parts.append(
                f'<text x="{left + (-8 if end == "end" else 8):.1f}" y="{top - 7:.1f}" text-anchor="{end}"'
                f' fill="{colour}">{cost:.3g}</text>'
            )
        place = LEFT + number * 210
        parts.append(f'<text x="{place}" y="{HEIGHT - 6}" fill="{colour}">● {label}</text>')
    FOLDER.mkdir(exist_ok=True)
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>'
    background = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
    (FOLDER / f"{name}.svg").write_text("\n".join([head, background, *parts, "</svg>", ""]))
