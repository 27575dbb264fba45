"""The Kaplan-Meier curves of hot germanium: a panel for each size and temperature."""

from hot_md import NAMES, PLANS, endings, horizon_of, n_unknown, runs_of

WIDTH, HEIGHT, LEFT, TOP, GAP = 150, 90, 60, 40, 26
COLOURS = {
    "base": "#888888",
    "adapted": "#0a6ebd",
    "scratch": "#c8500a",
    "foundation": "#5a8f29",
}
N_ATOMS = 64


def figure(document: dict) -> str:
    """Return the figure of all short runs with 64 atoms, SVG."""
    time = PLANS["short"].time
    horizon = horizon_of(document, time)
    cells = [one for one in document["cells"] if PLANS[one["plan"]].time == time]
    found = sorted({(one["n"], T) for one in cells for T in heats(one)})
    sizes = sorted({n for n, _ in found})
    temperatures = sorted({T for _, T in found})
    parts = []
    for i, n in enumerate(sizes):
        for j, T in enumerate(temperatures):
            x, y = LEFT + j * (WIDTH + GAP), TOP + i * (HEIGHT + GAP)
            parts += panel(document, (n, T), (x, y), horizon)
    right = LEFT + len(temperatures) * (WIDTH + GAP)
    bottom = TOP + len(sizes) * (HEIGHT + GAP) + 20
    parts += legend(bottom - 12)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {right} {bottom}" '
        'font-family="sans-serif" font-size="10">\n' + "\n".join(parts) + "\n</svg>\n"
    )


def heats(cell: dict) -> list[float]:
    """Return the temperatures of a cell, K."""
    return [one["temperature"] for one in cell["details"]["conditions"]]


def panel(
    document: dict,
    condition: tuple[int, float],
    corner: tuple[int, int],
    horizon: float,
) -> list[str]:
    """Return axes, title and the curve of each model."""
    from atomgraft.metrics.survival import kaplan_meier

    (n, T), (x, y) = condition, corner
    frames = "1 frame" if n == 1 else f"{n} frames"
    parts = [
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" fill="none"'
        ' stroke="#bbbbbb"/>',
        f'<text x="{x + 4}" y="{y - 4}">{frames}, {T:g} K</text>',
        f'<text x="{x - 4}" y="{y + 8}" text-anchor="end">1</text>',
        f'<text x="{x - 4}" y="{y + HEIGHT}" text-anchor="end">0</text>',
        f'<text x="{x + WIDTH}" y="{y + HEIGHT + 12}" text-anchor="end">'
        f"{horizon:.2g} ps</text>",
    ]
    for name, colour in COLOURS.items():
        rows = endings(document, (N_ATOMS, n, T, PLANS["short"].time), name)
        if not rows:
            continue
        dashes = ' stroke-dasharray="4 3"' if n_unknown(rows) else ""
        curve = kaplan_meier(*runs_of(rows, horizon))
        points, level = [], 1.0
        for time, share in zip(curve.times, curve.survival, strict=True):
            at = x + WIDTH * min(float(time) / horizon, 1.0)
            points += [(at, level), (at, float(share))]
            level = float(share)
        points.append((x + WIDTH, level))
        path = " ".join(f"{a:.1f},{y + HEIGHT * (1 - b):.1f}" for a, b in points)
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}"'
            f' stroke-width="1.6"{dashes}/>'
        )
    return parts


def legend(y: int) -> list[str]:
    """Return the names of the models in their colours."""
    parts, x = [], LEFT
    for name, colour in COLOURS.items():
        parts.append(f'<text x="{x}" y="{y}" fill="{colour}">{NAMES[name]}</text>')
        x += 12 + 6 * len(NAMES[name])
    return [
        *parts,
        f'<text x="4" y="{TOP - 22}">Share of runs that survive; dashed: at most,'
        " because runs that melted were not followed</text>",
    ]
