"""Drawings that follow a slider, in the hand of `diagrams`: what a student wrote, at many settings, computed beforehand.

Everything is in the output itself: no network and no kernel is asked when a slider moves. Where scripts do not run (a notebook
that is not trusted, GitHub, a print-out) a still picture stands in its place, described in words.
"""

from __future__ import annotations

import html
import itertools
import math
import textwrap
from collections.abc import Callable, Sequence

import numpy as np

from autograder.diagrams import Diagram
from autograder.plots import BLUE, GREEN, GREY, ORANGE, RED

MUTED = "color-mix(in srgb, currentColor 65%, transparent)"  # of axes: the notebook's text colour, paler
SLIDERS = """  const layers = root.querySelectorAll('g[data-layer]'), inputs = [], shown = [];
  const at = it.sliders.map(slider => slider.start);
  const show = () => {
    it.layers.forEach((layer, i) => {
      layers[i].innerHTML = layer.frames[layer.by.reduce((n, by) => n * it.sliders[by].labels.length + at[by], 0)];
    });
    it.sliders.forEach((slider, i) => {
      inputs[i].value = at[i];
      inputs[i].setAttribute('aria-valuetext', shown[i].textContent = slider.labels[at[i]]);
    });
  };
  it.sliders.forEach((slider, i) => {
    const row = document.createElement('label');
    row.style.cssText = 'display:flex;gap:.8em;align-items:center;margin:.25em 0';
    row.innerHTML = '<span style="flex:0 0 11em"></span><input type="range" min="0" style="flex:1;accent-color:BLUE_">' +
      '<output style="min-width:5em"></output>';
    row.firstChild.textContent = slider.name;
    inputs.push(row.children[1]);
    shown.push(row.lastChild);
    inputs[i].max = slider.labels.length - 1;
    inputs[i].oninput = () => { at[i] = +inputs[i].value; show(); };
    root.append(row);
  });
  root.querySelectorAll('[data-to]').forEach(part => {
    part.onpointerenter = part.onclick = () => { at[0] = +part.dataset.to; show(); };
  });
  show();
""".replace("BLUE_", BLUE)


class Moving(Diagram):
    """A drawing of which some layers follow sliders, for keys as for the mouse.

    Args:
        width, height: of the picture, in pixels.
        words: what it shows, for who cannot see it.
        sliders: for each name, its values and the one to begin with.
        labels: how a value is written beside its slider.
    """

    SCRIPT = SLIDERS

    def __init__(self, width: int, height: int, words: str, sliders: dict[str, tuple[Sequence, object]],
                 labels: Callable[..., str] = str):
        super().__init__(width, height, words)
        self.sliders = {name: [*values] for name, (values, _) in sliders.items()}
        self.start = [self.sliders[name].index(value) for name, (_, value) in sliders.items()]
        self.labels = labels
        self.layers: list[tuple[list[int], list[str], int]] = []

    def follow(self, draw: Callable, *names: str) -> None:
        """Draw a layer for every value of the named sliders, of the first one if none is named."""
        names = names or (next(iter(self.sliders)),)
        still, frames = self.parts, []
        for values in itertools.product(*(self.sliders[name] for name in names)):
            self.parts = []
            draw(*values)
            frames.append("".join(self.parts))
        self.parts = still
        by = [list(self.sliders).index(name) for name in names]
        start = 0
        for i in by:
            start = start * len(self.sliders[list(self.sliders)[i]]) + self.start[i]
        self.layers.append((by, frames, start))
        self.parts.append(f"<g data-layer=''>{frames[start]}</g>")

    def button(self, x, y, width, height, to: int, words: str) -> None:
        """A place that sets the first slider to its value number `to` when one points at it."""
        self.parts.append(f"<rect x='{x - width / 2:.1f}' y='{y - height / 2:.1f}' width='{width}' height='{height}' "
                          f"data-to='{to}' fill='transparent' style='cursor:pointer'><title>{html.escape(words)}</title></rect>")

    def alive(self) -> dict:
        svg = self.svg()
        for _, frames, start in self.layers:  # the script draws them
            svg = svg.replace(f"<g data-layer=''>{frames[start]}</g>", "<g data-layer=''></g>", 1)
        return {"svg": svg, "layers": [{"by": by, "frames": frames} for by, frames, _ in self.layers],
                "sliders": [{"name": name, "labels": [self.labels(value) for value in values], "start": start}
                            for (name, values), start in zip(self.sliders.items(), self.start)]}


class Plot:
    """A pair of axes within a drawing: where points of the plane lie on it."""

    def __init__(self, it: Diagram, left, top, width, height, x: tuple[float, float], y: tuple[float, float],
                 logarithmic: bool = False):
        self.it, self.box, self.x, self.y, self.logarithmic = it, (left, top, width, height), x, y, logarithmic

    def __call__(self, x, y) -> tuple[float, float]:
        left, top, width, height = self.box
        low, high = self.y
        if self.logarithmic:
            y, low, high = math.log(max(float(y), 1e-300)), math.log(low), math.log(high)
        share = min(max((float(y) - low) / (high - low), 0.0), 1.0)  # what leaves the picture runs along its edge
        return left + width * (float(x) - self.x[0]) / (self.x[1] - self.x[0]), top + height * (1 - share)

    def axes(self, across="", up="", x_ticks=(), y_ticks=(), title=""):
        left, top, width, height = self.box
        it = self.it
        it.line((left, top), (left, top + height), (left + width, top + height), colour=MUTED, width=1.2, head=False)
        for tick in x_ticks:
            it.text(self(tick, self.y[0])[0], top + height + 13, f"{tick:g}".replace("-", "−"), size=13)
        for tick in y_ticks:
            words = f"{tick:g}" if tick == 0 or 1e-3 < abs(tick) < 1e4 else f"{tick:.0e}".replace("e-0", "e−")
            it.text(left - 7, self(self.x[0], tick)[1], words.replace("-", "−"), anchor="end", size=13)
        it.text(left + width / 2, top + height + 31, across, size=13)
        it.text(left, top - 12, up, anchor="start" if up else "middle", size=13)
        it.text(left + width / 2, top - 12, title, size=14, bold=True)

    def curve(self, xs, ys, colour=BLUE, width=2.2, dashed=False):
        self.it.line(*(self(x, y) for x, y in zip(xs, ys)), colour=colour, width=width, dashed=dashed, head=False)


def number(value: float, digits: int = 2) -> str:
    """A number as people write it, with a true minus; what is not finite in words."""
    return f"{value:.{digits}f}".replace("-", "−") if math.isfinite(value) else "no number"


def _tensors(*arrays) -> list:
    """What lessons pass to a student's functions: float32 tensors."""
    import tensorflow as tf  # lazy: a notebook has it already, and this module is cheap to import

    return [tf.constant(array, tf.float32) for array in arrays]


def decision_line(perceptron: Callable) -> Moving:
    """The line that a perceptron draws, as its weights and its bias are turned."""
    weights, biases = range(-2, 3), range(-5, 6)
    it = Moving(640, 310, "The plane of two inputs. A perceptron divides it along a straight line; weights turn the line, the "
                "bias slides it. A table at the right has what it answers at the four corners 00, 01, 10 and 11.",
                {"weight w₁": (weights, 1), "weight w₂": (weights, 2), "bias b": (biases, -1)}, number0)
    plane = Plot(it, 50, 24, 240, 240, (-0.75, 1.75), (-0.75, 1.75))
    corners = [(0, 0), (0, 1), (1, 0), (1, 1)]
    names = {"0000": "never", "0001": "AND", "0010": "x₁, not x₂", "0011": "x₁", "0100": "x₂, not x₁", "0101": "x₂",
             "0110": "XOR", "0111": "OR", "1000": "NOR", "1001": "XNOR", "1010": "not x₂", "1011": "x₁ or not x₂",
             "1100": "not x₁", "1101": "x₂ or not x₁", "1110": "NAND", "1111": "always"}

    def answers(w1, w2, b):
        return [float(answer) for answer in np.asarray(perceptron(*_tensors(corners, [w1, w2]), float(b)))]

    def line(w1, w2, b):
        if region := _side(w1, w2, b, -0.75, 1.75):
            points = " ".join(f"{x:.0f},{y:.0f}" for x, y in (plane(*point) for point in region))
            it.parts.append(f"<polygon points='{points}' fill='{BLUE}' fill-opacity='.22'/>")
        if w1 or w2:
            foot = np.array([w1, w2]) * -b / (w1 * w1 + w2 * w2)  # of the line's points the nearest to the origin
            tip = foot + np.array([w1, w2]) / 4
            if all(-0.7 < place < 1.7 for place in (*foot, *tip)):
                it.line(plane(*foot), plane(*tip), colour=ORANGE, width=2.5)
        it.text(470, 222, names.get("".join(f"{answer:g}" for answer in answers(w1, w2, b)), "no table of bits"), BLUE, size=20,
                bold=True)

    def corner(i, w1=0, w2=0, b=0):
        (x, y), answer = plane(*corners[i]), answers(w1, w2, b)[i]
        fill = BLUE if answer else "none"
        it.parts.append(f"<circle cx='{x:.0f}' cy='{y:.0f}' r='8' fill='{fill}' stroke='{BLUE}' stroke-width='2'/>")
        it.text(480, 82 + 30 * i, number0(w1 * corners[i][0] + w2 * corners[i][1] + b))
        it.text(560, 82 + 30 * i, f"{answer:g}", bold=True)

    plane.axes("input x_1", "input x_2", (0, 1), (0, 1))
    for x, words in ((400, "x_1  x_2"), (480, "x·w + b"), (560, "answer")):
        it.text(x, 50, words, size=14, bold=True)
    for i, (x1, x2) in enumerate(corners):
        it.text(400, 82 + 30 * i, f"{x1}    {x2}")
    w1, w2, b = it.sliders
    it.follow(line, w1, w2, b)
    it.follow(lambda b: corner(0, b=b), b)  # an input that is 0 has no say, whatever its weight
    it.follow(lambda w2, b: corner(1, w2=w2, b=b), w2, b)
    it.follow(lambda w1, b: corner(2, w1=w1, b=b), w1, b)
    it.follow(lambda w1, w2, b: corner(3, w1, w2, b), w1, w2, b)
    return it


def number0(value: float) -> str:
    """A whole number, as people write it."""
    return number(value, 0)


def _side(a, b, c, low, high):
    """The corners of the part of a square where a·x + b·y + c is above 0."""
    square, inside = [(low, low), (high, low), (high, high), (low, high)], []
    for (x0, y0), (x1, y1) in zip(square, square[1:] + square[:1]):
        one, other = a * x0 + b * y0 + c, a * x1 + b * y1 + c
        if one > 0:
            inside.append((x0, y0))
        if one * other < 0:
            share = one / (one - other)
            inside.append((x0 + share * (x1 - x0), y0 + share * (y1 - y0)))
    return inside


def valley(minimize: Callable) -> Moving:
    """Thirty steps of gradient descent in a valley that is steep across and level along, by learning rate.

    Args:
        minimize: of (f, start, learning rate, steps), as lesson 2 asks for it; f takes a tensor (2,).
    """
    rates = [round(0.004 * i, 3) for i in range(1, 21)] + [0.081, 0.082]
    it = Moving(720, 300, "Left, a valley seen from above, with the way of thirty steps of gradient descent; right, how high the "
                "walker is after each step. With small learning rates it creeps, then zigzags, and above 0.08 leaves the valley.",
                {"learning rate η": (rates, 0.012)}, lambda rate: f"{rate:.3f}")
    above = Plot(it, 40, 30, 360, 200, (-1.2, 10.6), (-2.9, 2.9))
    falls = Plot(it, 470, 30, 230, 200, (0, 30), (0.01, 1000), logarithmic=True)
    (start,) = _tensors([10, 1.2])
    for level in (2, 10, 35, 80):
        turn = np.linspace(0, 2 * np.pi, 289)
        points = [(math.sqrt(2 * level) * math.cos(t), math.sqrt(2 * level) / 5 * math.sin(t)) for t in turn]
        for part in _inside(points, above):
            xs, ys = zip(*part)
            above.curve(xs, ys, colour=MUTED, width=1)
    above.axes("x", "y", (0, 5, 10), (-2, 0, 2), title="from above")
    falls.axes("step", "height f", (0, 10, 20, 30), (0.01, 1, 100))
    it.circle(*above(0, 0), radius=4, colour=GREEN)

    def draw(rate):
        path = np.asarray(minimize(lambda p: (p[0] ** 2 + 25 * p[1] ** 2) / 2, start, rate, 30), np.float64)  # (31, 2)
        heights = (path[:, 0] ** 2 + 25 * path[:, 1] ** 2) / 2
        colour = RED if heights[-1] > heights[0] / 2 else BLUE
        above.curve(*path.T, colour=colour, width=1.5)
        for x, y in path[:31:2]:
            px, py = above(x, y)
            it.parts.append(f"<circle cx='{px:.0f}' cy='{py:.0f}' r='3' fill='{colour}'/>")
        falls.curve(range(31), heights, colour)
        it.text(585, 290, f"after 30 steps f = {number(heights[-1])}", bold=True)

    it.follow(draw)
    return it


def _inside(points, plot):
    """Cut a line into the pieces that lie within a plot."""
    part = []
    for x, y in points:
        if plot.x[0] <= x <= plot.x[1] and plot.y[0] <= y <= plot.y[1]:
            part.append((x, y))
        elif part:
            yield part
            part = []
    if len(part) > 1:
        yield part


def gradients(norms: Callable) -> Moving:
    """How long each layer's gradient is, as all weights of a deep network grow.

    Args:
        norms: of (activation, factor): one number per layer, the first layer first.
    """
    factors = [0.5, 0.7, 1, 1.4, 2, 2.8, 4, 5.7, 8, 11, 16]
    kinds = {"ReLU": ("relu", GREEN), "tanh": ("tanh", BLUE), "sigmoid": ("sigmoid", ORANGE)}
    layers = len(norms("tanh", 1))
    it = Moving(640, 320, "The length of the gradient in each layer of a deep network, for three activations, on a logarithmic "
                "scale. With small weights the sigmoid's is far shorter in the first layers; with large ones tanh's is longer.",
                {"weights times": (factors, 1)}, lambda factor: f"{factor:g}")
    plot = Plot(it, 70, 30, 420, 230, (1, layers), (1e-6, 1e3), logarithmic=True)
    plot.axes("layer, the last is the output", "", range(1, layers + 1), (1e-6, 1e-3, 1, 1e3), title="length of the gradient")

    def draw(factor):
        for i, (name, (activation, colour)) in enumerate(kinds.items()):
            lengths = [float(length) for length in norms(activation, factor)]
            plot.curve(range(1, layers + 1), lengths, colour)
            for layer, length in enumerate(lengths, 1):
                x, y = plot(layer, length)
                it.parts.append(f"<circle cx='{x:.0f}' cy='{y:.0f}' r='4' fill='{colour}'/>")
            it.text(505, 60 + 60 * i, name, colour, "start", bold=True)
            it.text(505, 80 + 60 * i, f"first : last {lengths[0] / lengths[-1]:.1g}" if lengths[-1] else "nothing arrives",
                    anchor="start", size=13)

    it.follow(draw)
    return it


def temperature(softmax: Callable) -> Moving:
    """What softmax makes of four scores, divided by a temperature.

    Args:
        softmax: of float32 (1, 4), as lesson 4 asks for it.
    """
    scores = np.array([2.0, 1.0, 0.5, -1.0])
    values = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 7, 10]
    it = Moving(560, 280, "The probabilities of four scores as bars. At a low temperature the highest score takes all; at a high "
                "one all four get nearly the same.", {"temperature T": (values, 1)}, lambda value: f"{value:g}")
    plot = Plot(it, 60, 30, 460, 190, (0, 4), (0, 1))
    plot.axes("score", "", (), (0, 0.5, 1), title="probability")
    for i, score in enumerate(scores):
        it.text(plot(i + 0.5, 0)[0], 234, number(score, 1), size=13)

    def draw(value):
        for i, share in enumerate(np.asarray(softmax(*_tensors(scores[np.newaxis] / value)))[0]):
            x, y = plot(i + 0.5, share)
            it.parts.append(f"<rect x='{x - 38:.0f}' y='{y:.1f}' width='76' height='{220 - y:.1f}' fill='{BLUE}' "
                            "fill-opacity='.7'/>")
            it.text(x, y - 11, number(float(share)))

    it.follow(draw)
    return it


def bumps(bump_network: Callable, f: Callable) -> Moving:
    """How a network of bumps comes closer to a function, the more it has.

    Args:
        bump_network: of (f, n), as lesson 5 asks for it.
        f: function of one float from 0 to 1.
    """
    counts = [*range(1, 21), 24, 30, 40, 50]
    it = Moving(640, 320, "A wavy function, and the staircase that a network of sigmoid units makes of it. With more bumps the "
                "stairs become finer, and the mean error falls.", {"bumps": (counts, 5)})
    plot = Plot(it, 50, 30, 570, 230, (0, 1), (0, 1))
    x = np.linspace(0, 1, 241)
    truth = np.array([f(float(value)) for value in x])
    plot.axes("x", "output", (0, 0.5, 1), (0, 0.5, 1))

    def draw(n):
        w1, b1, w2, b2 = (np.asarray(weight, np.float64) for weight in bump_network(f, n))
        output = ((1 + np.tanh((x[:, np.newaxis] @ w1 + b1) / 2)) / 2 @ w2 + b2)[:, 0]
        moves = np.diff(output) ** 2
        keep = np.concatenate([[True], moves[:-1] + moves[1:] > 1e-9, [True]])  # the ends of level pieces are enough
        plot.curve(x[keep], output[keep], BLUE)
        error = np.mean(np.abs(output - truth)[(x >= 0.1) & (x <= 0.9)])
        it.text(620, 20, f"{2 * n} units, mean error {number(error, 3)}", anchor="end", bold=True)

    plot.curve(x[::2], truth[::2], ORANGE, width=2.2, dashed=True)
    it.follow(draw)
    return it


def kernel(conv2d: Callable, image, weights) -> Moving:
    """A kernel that slides over a picture, and the feature map that grows from it.

    Args:
        conv2d: of (x (1, H, W, 1), kernel (3, 3, 1, 1), bias (1,)), as lesson 6 asks for it.
        image: float (H, W), 0 to 1.
        weights: float (3, 3).
    """
    image, weights = np.asarray(image, np.float32), np.asarray(weights, np.float32)
    rows, columns = image.shape[0] - 2, image.shape[1] - 2
    arguments = _tensors(image[np.newaxis, ..., np.newaxis], weights[..., np.newaxis, np.newaxis], [0])
    found = np.asarray(conv2d(*arguments))[0, ..., 0]  # (H - 2, W - 2)
    limit = max(float(np.abs(found).max()), 1e-6)
    side = 30
    it = Moving(720, 310, "A window of three by three pixels moves over a digit, row by row. At every place its pixels are "
                "multiplied with the kernel and added up, and the sum becomes the next entry of the feature map: orange above 0, "
                "blue below.", {"place": (range(rows * columns), columns + 2)}, lambda place: f"{place + 1} of {rows * columns}")
    for (i, j), ink in np.ndenumerate(image):
        it.parts.append(f"<rect x='{20 + side * j}' y='{30 + side * i}' width='{side}' height='{side}' fill='currentColor' "
                        f"fill-opacity='{ink:.2f}' stroke='{GREY}' stroke-width='.5'/>")
    it.text(20 + side * image.shape[1] / 2, 16, "picture", size=14, bold=True)
    it.text(345, 16, "window × kernel", size=14, bold=True)
    it.text(470 + side * columns / 2, 16, "feature map", size=14, bold=True)

    def draw(place):
        i, j = divmod(place, columns)
        it.parts.append(f"<rect x='{20 + side * j}' y='{30 + side * i}' width='{3 * side}' height='{3 * side}' fill='none' "
                        f"stroke='{ORANGE}' stroke-width='4'/>")
        window = image[i:i + 3, j:j + 3]
        for (k, m), pixel in np.ndenumerate(window):
            it.text(345, 48 + 21 * (3 * k + m), f"{number(float(pixel))} × {number(float(weights[k, m]), 0)}", size=14,
                    bold=weights[k, m] != 0)
        it.text(345, 250, f"sum {number(float(found[i, j]))}", GREEN, size=16, bold=True)
        for (r, c), value in np.ndenumerate(found):
            if r * columns + c <= place:
                colour = ORANGE if value > 0 else BLUE
                it.parts.append(f"<rect x='{470 + side * c}' y='{30 + side * r}' width='{side}' height='{side}' "
                                f"fill='{colour}' fill-opacity='{abs(value) / limit:.2f}'/>")
        it.parts.append(f"<rect x='{470 + side * j}' y='{30 + side * i}' width='{side}' height='{side}' fill='none' "
                        f"stroke='{GREEN}' stroke-width='3'/>")

    it.parts.append(f"<rect x='470' y='30' width='{side * columns}' height='{side * rows}' fill='none' stroke='{GREY}'/>")
    it.follow(draw)
    return it


def echo(rnn: Callable, lstm: Callable) -> Moving:
    """One pulse, and what a recurrent unit and a cell of an LSTM still know of it later.

    Args:
        rnn, lstm: as lesson 7 asks for them.
    """
    steps = 41
    pulse = np.eye(1, steps)[..., np.newaxis]  # (1, steps, 1): one, then silence
    weights = [round(0.1 * i, 1) for i in range(17)]
    biases = [-1, 0, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 6]
    it = Moving(720, 300, "The echo of one pulse over forty steps. Left, the state of a recurrent unit: it dies away when its "
                "weight on itself is below 1, and never ends above. Right, the memory of an LSTM's cell, which lasts the longer, "
                "the larger the bias of its forget gate.",
                {"RNN: weight on itself": (weights, 0.8), "LSTM: forget bias": (biases, 1)},
                lambda value: f"{value:g}".replace("-", "−"))
    left, right = (Plot(it, x, 34, 280, 190, (0, steps - 1), (0, 1)) for x in (50, 420))
    left.axes("steps since the pulse", "", (0, 10, 20, 30, 40), (0, 0.5, 1), title="state of an RNN")
    right.axes("steps since the pulse", "", (0, 10, 20, 30, 40), (0, 0.5, 1), title="cell of an LSTM, as a share")

    def unit(weight):
        states = np.asarray(rnn(*_tensors(pulse, [[0]], [[1]], [[weight]], [0])))[0, :, 0]
        left.curve(range(steps), states, ORANGE)
        it.text(190, 288, f"after 10 steps {number(float(states[10]))}, after 40 {number(float(states[40]))}", size=13)

    def cell(bias):
        # The pulse opens the input gate and gives the candidate; then nothing comes in, and only the forget gate counts.
        h, c, *weights = _tensors([[0]], [[0]], [[10, 0, 3, 0]], np.zeros((1, 4)), [-5, bias, 0, 5])
        memory = []
        for step in range(steps):
            _, c = lstm(*_tensors(pulse[:, step:step + 1]), h, c, *weights)  # no weight on h: it has no say
            memory.append(float(np.asarray(c)[0, 0]))
        shares = [value / memory[0] for value in memory]
        right.curve(range(steps), shares, BLUE)
        it.text(560, 288, f"after 10 steps {number(shares[10])}, after 40 {number(shares[40])}", size=13)

    it.follow(unit, "RNN: weight on itself")
    it.follow(cell, "LSTM: forget bias")
    return it


def looks(words: Sequence[str], weights, start: int = 0, wide: int = 74, name: str = "the word that looks") -> Moving:
    """Who looks at whom: point at a word, and see what it attends to.

    Args:
        words: T of them, or characters.
        weights: float (T, T); row s has the weights with which position s looks at all others.
        start: the position to begin with.
        wide: pixels for a word.
        name: what the slider is called.
    """
    weights = np.asarray(weights, np.float64)
    size = 15 if wide > 30 else 14
    per_row = min(len(words), max(900 // wide, 1))
    rows = math.ceil(len(words) / per_row)
    tall = 40 if rows > 1 else 90  # a bar of weight 1
    it = Moving(20 + per_row * wide, 20 + (tall + 30) * rows, f"The {len(words)} words or characters of a text. The one that "
                "looks is framed, and bars above all others are as high as the weight with which it looks at them.",
                {name: (range(len(words)), start)}, lambda place: f"{words[place]} ({place + 1})")

    def place(i):
        return 10 + wide * (i % per_row + 0.5), (tall + 30) * (i // per_row) + tall + 22

    for i, word in enumerate(words):
        x, y = place(i)
        it.text(x, y, word, size=size)

    def draw(at):
        for i, weight in enumerate(weights[at]):
            x, y = place(i)
            if weight >= 0.02:
                it.parts.append(f"<rect x='{x - min(wide * 0.35, 16):.1f}' y='{y - 14 - tall * weight:.1f}' "
                                f"width='{min(wide * 0.7, 32):.1f}' height='{tall * weight:.1f}' fill='{BLUE}' "
                                "fill-opacity='.75'/>")
                if wide > 30:
                    it.text(x, y - 22 - tall * weight, number(weight), size=13)
        x, y = place(at)
        it.parts.append(f"<rect x='{x - wide / 2 + 1:.1f}' y='{y - 11}' width='{wide - 2}' height='24' rx='5' "
                        f"fill='{ORANGE}' fill-opacity='.2' stroke='{ORANGE}' stroke-width='2'/>")

    it.follow(draw)
    for i, word in enumerate(words):
        x, y = place(i)
        it.button(x, y, wide, 60, i, word)
    return it


def pages(texts: dict, name: str = "temperature", start=None, title: str = "") -> Moving:
    """Texts to turn over like pages, one for every value of a slider."""
    start = next(iter(texts)) if start is None else start
    # Who writes verse without a sense of length would run out of the picture: a long line goes on below, as in a printed book.
    printed = {value: [piece for line in text.split("\n") for piece in textwrap.wrap(line, 66, subsequent_indent="    ") or [""]]
               for value, text in texts.items()}
    lines = max(len(page) for page in printed.values())
    it = Moving(640, 60 + 24 * lines, f"{title}, one text for each {name}: {' / '.join(texts[start].splitlines())}",
                {name: ([*texts], start)})
    it.text(30, 22, title, anchor="start", bold=True)

    def draw(value):
        for i, line in enumerate(printed[value]):
            it.parts.append(f"<text x='30' y='{60 + 24 * i}' font-size='17' font-family='serif' xml:space='preserve'>"
                            f"{html.escape(line)}</text>")

    it.follow(draw)
    return it
