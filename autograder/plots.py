"""How the course's figures look: one palette, one style, so that a colour means the same in every lesson."""

from __future__ import annotations

BLUE, ORANGE, GREEN, RED, PURPLE, GREY = "#2f6fb3", "#e07b39", "#3a9d6e", "#c8453c", "#7b5ea7", "#8a8f98"
PALETTE = (BLUE, ORANGE, GREEN, RED, PURPLE, GREY)


def style() -> None:
    """Give matplotlib the course's style: open axes, light grid, the course's palette."""
    import matplotlib as mpl  # lazy: most users of the package never plot

    mpl.rcParams.update({
        "axes.prop_cycle": mpl.cycler(color=PALETTE), "axes.spines.top": False, "axes.spines.right": False,
        "axes.grid": True, "axes.axisbelow": True, "axes.titlelocation": "left", "axes.titleweight": "bold",
        "axes.titlesize": 11, "axes.labelsize": 10, "axes.edgecolor": "#5b616b", "axes.labelcolor": "#30343b",
        "grid.color": "#e4e7eb", "grid.linewidth": 0.8, "lines.linewidth": 2, "legend.frameon": False, "legend.fontsize": 9,
        "xtick.color": "#5b616b", "ytick.color": "#5b616b", "xtick.labelsize": 9, "ytick.labelsize": 9,
        "figure.dpi": 110, "figure.constrained_layout.use": True, "image.cmap": "viridis"})
