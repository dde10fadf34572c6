"""How the course's figures look: one palette, one style, so that a colour means the same in every lesson."""

from __future__ import annotations

BLUE, ORANGE, GREEN, RED, PURPLE, GREY = "#2f6fb3", "#e07b39", "#3a9d6e", "#c8453c", "#7141d8", "#8a8f98"
PALETTE = (BLUE, ORANGE, GREEN, RED, PURPLE, GREY)


def style() -> None:
    """Give matplotlib the course's style: open axes, light grid, the course's palette."""
    import matplotlib as mpl  # lazy: most users of the package never plot
    from cycler import cycler

    mpl.rcParams.update({
        "axes.prop_cycle": cycler(color=PALETTE), "axes.spines.top": False, "axes.spines.right": False,
        "axes.grid": True, "axes.axisbelow": True, "axes.titlelocation": "left", "axes.titleweight": "bold",
        "axes.titlesize": 12.5, "axes.labelsize": 11.5, "axes.edgecolor": "#5b616b", "axes.labelcolor": "#30343b",
        "grid.color": "#e4e7eb", "grid.linewidth": 0.8, "lines.linewidth": 2, "legend.frameon": False, "legend.fontsize": 10.5,
        "xtick.color": "#5b616b", "ytick.color": "#5b616b", "xtick.labelsize": 10.5, "ytick.labelsize": 10.5,
        "figure.dpi": 110, "figure.constrained_layout.use": True, "image.cmap": "viridis"})


def network(axis, sizes, weights=None, values=None, names=()):
    """Draw a fully connected network, a column of neurons for each layer, and return where the neurons are.

    Args:
        axis: a matplotlib axis; its frame and ticks are taken away.
        sizes: number of neurons of each layer, inputs first.
        weights: one array (n_in, n_out) per pair of layers: blue above 0, orange below, the wider the larger.
        values: one array (n,) per layer, 0 to 1, written into its neurons.
        names: what to write under the layers.
    Returns:
        One float array (n, 2) per layer: x and y of its neurons, top first. Neurons have the radius 0.3.
    """
    import numpy as np

    places = [np.stack([np.full(n, 2.4 * i), (n - 1) / 2 - np.arange(n)], axis=1) for i, n in enumerate(sizes)]  # (n, 2) each
    for i, (left, right) in enumerate(zip(places, places[1:])):
        for j, k in np.ndindex(len(left), len(right)):
            weight = None if weights is None else float(np.asarray(weights[i])[j, k])
            colour = GREY if weight is None else BLUE if weight > 0 else ORANGE
            width = 0.8 if weight is None else min(0.4 + 1.1 * abs(weight), 5)
            axis.plot(*zip(left[j], right[k]), color=colour, linewidth=width, alpha=0.75, zorder=1, solid_capstyle="butt")
    lowest = min(place[-1, 1] for place in places)
    for i, place in enumerate(places):
        for j, (x, y) in enumerate(place):
            axis.add_patch(_circle(x, y, first=i == 0))
            if values is not None:
                axis.text(x, y, f"{float(np.asarray(values[i])[j]):.2f}", ha="center", va="center", fontsize=10.5, zorder=3)
        if i < len(names):
            axis.text(place[0, 0], lowest - 0.65, names[i], ha="center", va="top", color="#30343b", fontsize=10.5)
    axis.set_aspect("equal")
    axis.set_axis_off()
    axis.set(xlim=(-0.7, places[-1][0, 0] + 0.7), ylim=(lowest - (1.3 if names else 0.6), -lowest + 0.6))
    return places


def _circle(x: float, y: float, first: bool):
    from matplotlib.patches import Circle

    face, edge = ("#eef1f5", GREY) if first else ("white", BLUE)
    return Circle((x, y), 0.3, facecolor=face, edgecolor=edge, linewidth=1.5, zorder=2)
