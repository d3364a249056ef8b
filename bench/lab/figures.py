"""Charts as SVG, from results alone: readable in light and dark, no scripts, no fonts of their own."""
import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 76, 16, 44, 52
COLOURS = ["#2563eb", "#d97706", "#059669", "#9333ea", "#dc2626"]


def _ticks(most):
    """0 and up to five round steps above it."""
    step = 10 ** math.floor(math.log10(most)) if most > 0 else 1
    for factor in (0.2, 0.25, 0.5, 1, 2, 2.5, 5):
        if most / (step * factor) <= 5:
            step *= factor
            break
    return [i * step for i in range(int(math.ceil(most / step)) + 1)]


def _number(value):
    if value >= 1_000_000:
        return f"{value / 1_000_000:g}M"
    if value >= 10_000:
        return f"{value / 1000:g}k"
    return f"{value:g}"


def lines(title, x_label, y_label, series):
    """
    A chart of points joined by lines, the x axis by rank (each x has the same room: measured points, not a scale).

    series: name to list of (x label, median, least, most), all with the same x labels in the same order.
    """
    labels = [point[0] for point in next(iter(series.values()))]
    most = max(point[3] for points in series.values() for point in points)
    ticks = _ticks(most)
    inner_width, inner_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(i):
        return LEFT + inner_width * (i + 0.5) / len(labels)

    def y(value):
        return TOP + inner_height * (1 - value / ticks[-1])

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
        "<style>text{font:12px system-ui,sans-serif;fill:#555}.t{font-size:14px;font-weight:600}.g{stroke:#8884;stroke-width:1}@media(prefers-color-scheme:dark){text{fill:#bbb}}</style>",
        f'<text class="t" x="{LEFT}" y="20">{escape(title)}</text>',
    ]
    for tick in ticks:
        out.append(f'<line class="g" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/><text x="{LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{_number(tick)}</text>')
    for i, label in enumerate(labels):
        out.append(f'<text x="{x(i):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{escape(str(label))}</text>')
    out.append(f'<text x="{LEFT + inner_width / 2}" y="{HEIGHT - 12}" text-anchor="middle">{escape(x_label)}</text>')
    out.append(f'<text x="14" y="{TOP + inner_height / 2}" text-anchor="middle" transform="rotate(-90 14 {TOP + inner_height / 2})">{escape(y_label)}</text>')
    for number, (name, points) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{'M' if i == 0 else 'L'}{x(i):.1f},{y(point[1]):.1f}" for i, point in enumerate(points))
        out.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for i, (_, middle, least, top) in enumerate(points):
            out.append(f'<line x1="{x(i):.1f}" x2="{x(i):.1f}" y1="{y(least):.1f}" y2="{y(top):.1f}" stroke="{colour}"/><circle cx="{x(i):.1f}" cy="{y(middle):.1f}" r="3.5" fill="{colour}"/>')
        if len(series) > 1:
            out.append(f'<rect x="{LEFT + 150 * number}" y="28" width="10" height="10" fill="{colour}"/><text x="{LEFT + 150 * number + 15}" y="37">{escape(name)}</text>')
    out.append("</svg>")
    return "\n".join(out) + "\n"
