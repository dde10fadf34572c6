"""Pictures of a class as SVG for a page of ours: drawn by matplotlib, coloured by the page's style, dark or light."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

import markupsafe
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

# Colours that stand for those of the page, whose style decides: see `page.css.jinja`.
INK, SOFT, LINE, GOOD, BLUE = COLOURS = ("#010101", "#020202", "#030303", "#040404", "#050505")
NAMES = ("ink", "soft", "line", "good", "blue")
STYLE: Any = {"svg.fonttype": "none", "svg.hashsalt": "a page of ours", "font.size": 9, "axes.edgecolor": SOFT,
              "axes.labelcolor": INK,
              "text.color": INK, "xtick.color": SOFT, "ytick.color": SOFT, "axes.spines.top": False, "axes.spines.right": False,
              "axes.grid": True, "grid.color": LINE, "axes.axisbelow": True, "axes.facecolor": "none", "figure.facecolor": "none"}


def distribution(bins: Sequence[dict[str, Any]]) -> markupsafe.Markup:
    """How many students have how many points."""
    figure, axes = _figure(3.7, 2.1)
    axes.bar(range(len(bins)), [item["students"] for item in bins], width=0.86, color=[BLUE] * (len(bins) - 1) + [GOOD])
    axes.set_xticks(range(len(bins)), [str(item["from"]) for item in bins])
    axes.set_xlabel("points, from … on; the last bar: all of them")
    axes.set_ylabel("students")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="x", visible=False)
    said = ", ".join(f"{item['from']} to {item['to']}: {item['students']}" for item in bins if item["students"])
    return _svg(figure, f"Distribution of points. Students by points: {said or 'none'}.")


def difficulty(questions: Sequence[dict[str, Any]]) -> markupsafe.Markup:
    """Each question by how much of it was won, and how well it tells strong from weak, with its interval."""
    figure, axes = _figure(3.7, 2.4)
    said = []
    for place, question in enumerate(questions, 1):
        if question["discrimination"] is None:
            continue
        x, y = question["facility"], question["discrimination"]
        axes.plot([x, x], question["interval"], color=SOFT, linewidth=1)
        axes.plot([x], [y], "o", color=BLUE, markersize=5)
        axes.annotate(str(place), (x, y), xytext=(5, 3), textcoords="offset points", color=INK)
        said.append(f"{place} {question['name']}: {x:.2f}, {y:.2f}")
    axes.axhline(0, color=SOFT, linewidth=1)
    axes.set_xlim(-0.02, 1.05)
    axes.set_xlabel("share of points won")
    axes.set_ylabel("discrimination")
    return _svg(figure, f"Questions by share of points won and discrimination: {'; '.join(said) or 'unknown'}.")


def quintile_line(name: str, shares: Sequence[float]) -> markupsafe.Markup:
    """Share of a question's points by fifths of the class."""
    figure, axes = _figure(2.7, 1.5)
    axes.plot(range(1, len(shares) + 1), shares, "o-", color=BLUE, markersize=4)
    axes.set_xticks(range(1, len(shares) + 1), ["weakest", *[""] * (len(shares) - 2), "strongest"])
    axes.set_ylim(-0.04, 1.04)
    axes.set_yticks([0, 0.5, 1], ["0%", "50%", "100%"])
    said = ", ".join(f"{share:.2f}" for share in shares)
    return _svg(figure, f"Share of {name}'s points won by each fifth of the class, weakest first: {said}.")


def progress(names: Sequence[str], middle: Sequence[float | None],
             quarters: Sequence[Sequence[float | None]]) -> markupsafe.Markup:
    """The class's median over the course, in per cent of the points, with the middle half of the class."""
    figure, axes = _figure(3.7, 2.1)
    at = [place for place, value in enumerate(middle) if value is not None]
    low, high = np.array([quarters[i] for i in at], float).reshape(-1, 2).T
    axes.fill_between(at, low, high, color=LINE, linewidth=0)
    axes.plot(at, np.array([middle[i] for i in at], float), "o-", color=BLUE, markersize=4)
    axes.set_xticks(range(len(names)), [name.split("_")[0] for name in names])
    axes.set_ylim(0, 104)
    axes.set_ylabel("median, % of points")
    said = ", ".join(f"{names[i]}: {middle[i]:.0f} %" for i in at)
    return _svg(figure, f"Median of the class by assignment: {said or 'unknown'}. The band holds the middle half of the class.")


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of this size in inches, to be shown about as large."""
    with matplotlib.rc_context(STYLE):
        figure = Figure((width, height), layout="constrained")
        return figure, figure.add_subplot()


def _svg(figure: Figure, description: str) -> markupsafe.Markup:
    file = io.StringIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = file.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg"):], flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text)  # the same in every picture
    text = re.sub(r'(<svg [^>]*?) width="[^"]*"', r'\1 aria-hidden="true"', text, count=1)
    text = re.sub(r'(<svg [^>]*?) height="[^"]*"', r"\1", text, count=1)
    for colour, name in zip(COLOURS, NAMES):
        text = text.replace(colour, f"var(--{name})")
    label = markupsafe.escape(description)
    return markupsafe.Markup('<figure role="img" aria-label="{}">{}</figure>').format(label, markupsafe.Markup(text))
