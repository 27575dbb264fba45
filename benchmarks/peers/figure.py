"""The figure: force MAE on the held-out frames against time, one line a method."""

import math
import statistics
from typing import Any

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 56, 210, 16, 44
COLOURS = {
    "mace_run_train": "#b45309",
    "Equitrain": "#15803d",
    "franken": "#7e22ce",
    "atomgraft": "#1d4ed8",
}
DASHES = ("", "6 3", "2 3", "8 3 2 3")
"""So that colour is never the only difference."""

N_POINTS = 60

Line = list[tuple[float, float]]


def svg(curves: dict[str, dict[int, list[dict[str, Any]]]], base: float) -> str:
    """Return the figure as SVG text.

    Parameters
    ----------
    curves
        By "tool, method" and seed: points with ``seconds`` and ``forces`` (meV/Å).
    base
        Force MAE of the base, meV/Å.
    """
    lines = {name: mean_line(list(seeds.values())) for name, seeds in curves.items()}
    lines = {name: line for name, line in lines.items() if line}
    times = [time for line in lines.values() for time, _ in line]
    highest = 1.05 * max(base, *(v for line in lines.values() for _, v in line))
    lowest = 0.8 * min(v for line in lines.values() for _, v in line)
    frame = Frame(min(times), max(times), lowest, highest)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'role="img" font-family="sans-serif" font-size="12">',
        "<title>Force MAE on held-out germanium against time</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        *frame.axes(),
        *frame.rule(base, "base, as it is"),
    ]
    heights = spread({n: frame.y(line[-1][1]) for n, line in lines.items()})
    used: dict[str, int] = {}
    for name, line in lines.items():
        tool = name.split(",")[0]
        dash = DASHES[used.setdefault(tool, 0) % len(DASHES)]
        used[tool] += 1
        parts += frame.line(name, line, COLOURS[tool], dash, heights[name])
    return "\n".join([*parts, "</svg>"]) + "\n"


def mean_line(seeds: list[list[dict[str, Any]]]) -> Line:
    """Return the mean over seeds of what each had at a time, from when all have it."""
    known = [
        [(p["seconds"], p["forces"]) for p in one if p["seconds"] > 0] for one in seeds
    ]
    if not all(known):
        return []
    first = max(one[0][0] for one in known)
    last = max(one[-1][0] for one in known)
    ratio = (last / first) ** (1 / N_POINTS)
    grid = [first * ratio**i for i in range(N_POINTS)] + [last]
    return [(t, statistics.mean(value_at(one, t) for one in known)) for t in grid]


def value_at(line: Line, time: float) -> float:
    """Return the last value at or before a time."""
    return [value for when, value in line if when <= time * (1 + 1e-9)][-1]


def spread(heights: dict[str, float], gap: float = 15.0) -> dict[str, float]:
    """Move labels apart."""
    placed: dict[str, float] = {}
    floor = -math.inf
    for name, height in sorted(heights.items(), key=lambda one: one[1]):
        floor = max(height, floor + gap)
        placed[name] = floor
    return placed


class Frame:
    """The axes: time logarithmic, errors linear."""

    def __init__(
        self, first: float, last: float, lowest: float, highest: float
    ) -> None:
        self._span = (math.log(first), math.log(last * 1.02))
        self._lowest, self._highest = lowest, highest

    def x(self, time: float) -> float:
        """Return the place of a time, s."""
        low, high = self._span
        share = (math.log(time) - low) / max(high - low, 1e-9)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Return the place of an error, meV/Å."""
        share = (self._highest - value) / (self._highest - self._lowest)
        return TOP + share * (HEIGHT - TOP - BOTTOM)

    def axes(self) -> list[str]:
        """Return grid and numbers."""
        bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
        parts = []
        for time in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000):
            if LEFT <= self.x(time) <= right:
                x = self.x(time)
                parts.append(
                    f'<path d="M{x:.1f} {TOP}V{bottom}" stroke="#e5e7eb"/>'
                    f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle" '
                    f'fill="#374151">{time}</text>'
                )
        step = 10 ** math.floor(math.log10(self._highest))
        step = step / 5 if self._highest / step < 2 else step
        for i in range(math.ceil(self._lowest / step), int(self._highest / step) + 1):
            y = self.y(i * step)
            parts.append(
                f'<path d="M{LEFT} {y:.1f}H{right}" stroke="#e5e7eb"/>'
                f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" '
                f'fill="#374151">{i * step:g}</text>'
            )
        middle = (LEFT + right) / 2
        parts.append(
            f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle" '
            'fill="#111827">processor time of the command, s (one thread)</text>'
            f'<text transform="translate(14 {(TOP + bottom) / 2}) rotate(-90)" '
            'text-anchor="middle" fill="#111827">forces MAE, meV/Å</text>'
        )
        return parts

    def rule(self, value: float, text: str) -> list[str]:
        """Return a horizontal line with a name."""
        y = self.y(value)
        return [
            f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#6b7280" '
            f'stroke-dasharray="1 3"/><text x="{WIDTH - RIGHT + 6}" y="{y + 4:.1f}" '
            f'fill="#6b7280">{text}</text>'
        ]

    def line(
        self, name: str, line: Line, colour: str, dash: str, height: float
    ) -> list[str]:
        """Return a line, a dot at its end and its name."""
        points = " ".join(f"{self.x(t):.1f},{self.y(v):.1f}" for t, v in line)
        time, value = line[-1]
        return [
            f'<polyline points="{points}" fill="none" stroke="{colour}" '
            f'stroke-width="2" stroke-dasharray="{dash}"/>'
            f'<circle cx="{self.x(time):.1f}" cy="{self.y(value):.1f}" r="3" '
            f'fill="{colour}"/><text x="{WIDTH - RIGHT + 6}" y="{height + 4:.1f}" '
            f'fill="{colour}">{name}</text>'
        ]
