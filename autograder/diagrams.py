"""Drawings of what the lessons build, in one hand: pictures as SVG that take the notebook's text colour, on light and dark.

Each function returns a `Diagram`; as the last expression of a cell it is shown, with a description for who cannot see it. Where
scripts do not run (a notebook that is not trusted, some viewers) it is a picture on white, since SVG is taken out there, too.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math

from autograder.plots import BLUE, GREEN, GREY, ORANGE, PURPLE

# Every place of the page that holds this drawing and has not come to life yet; a notebook may show a cell's output twice.
LIVE = """for (const root of document.querySelectorAll('[data-drawing="%s"]:not([data-live])')) {
  const it = %s;
  root.dataset.live = 1;
  root.onkeydown = event => event.stopPropagation();
  root.querySelector('img').remove();
  root.insertAdjacentHTML('afterbegin', it.svg);
"""


class Diagram:
    """A drawing of a given width and height in pixels, and what it shows, in words."""

    SCRIPT = ""  # what else brings it to life: a part of LIVE

    def __init__(self, width: int, height: int, words: str):
        self.width, self.height, self.words = width, height, words
        self.parts: list[str] = []

    def __repr__(self) -> str:
        return f"[Diagram: {self.words}]"

    def svg(self) -> str:
        """The drawing as part of a page, whose text colour it takes."""
        return (f"<svg role='img' aria-label='{html.escape(self.words, quote=True)}' viewBox='0 0 {self.width} {self.height}' "
                f"style='width:100%;max-width:{self.width}px;height:auto;font:15px sans-serif' fill='currentColor'>"
                f"{''.join(self.parts)}</svg>")

    def still(self) -> str:
        """The drawing as the text of an SVG file, dark on white: a file has no text around it to take a colour from."""
        return (f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {self.width} {self.height}' width='{self.width}' "
                f"height='{self.height}' style='background:#fff;color:#222;font:15px sans-serif' fill='currentColor'>"
                f"{''.join(self.parts)}</svg>")

    def alive(self) -> dict:
        """What the script of this drawing is given, as plain data."""
        return {"svg": self.svg()}

    def _repr_html_(self) -> str:
        alive = json.dumps(self.alive(), ensure_ascii=False, separators=(",", ":"))
        alive = alive.replace("</", "<\\/")  # or the script would end there
        key = hashlib.sha256(alive.encode()).hexdigest()[:12]
        picture = base64.b64encode(self.still().encode()).decode()
        # data-lm-suppress-shortcuts, and a keydown that goes no further: JupyterLab would take a slider's arrow keys for itself.
        return (f"<div data-drawing='{key}' data-lm-suppress-shortcuts='true' "
                f"style='max-width:{self.width}px;font:15px sans-serif'>"
                f"<img alt='{html.escape(self.words, quote=True)}' style='width:100%' src='data:image/svg+xml;base64,{picture}'>"
                f"<script>{LIVE % (key, alive)}{self.SCRIPT}}}</script></div>")

    def text(self, x, y, words, colour="currentColor", anchor="middle", size=15, bold=False):
        """Words around (x, y); an underscore makes the next character a subscript."""
        said = ""
        for i, piece in enumerate(words.split("_")):
            low = f"<tspan dy='4' font-size='{size - 4}'>{html.escape(piece[:1])}</tspan><tspan dy='-4'>" if i else ""
            said += low + html.escape(piece[1:] if i else piece) + ("</tspan>" if i else "")
        look = " font-weight='bold'" if bold else ""
        if colour != "currentColor":
            look += f" style='fill:color-mix(in srgb, {colour} 60%, currentColor)'"  # lighter on dark, darker on light
        if "  " in words:
            look += " xml:space='preserve'"
        self.parts.append(f"<text x='{x:.4g}' y='{y + size * 0.35:.1f}' text-anchor='{anchor}' font-size='{size}'{look}>{said}"
                          "</text>")

    def box(self, x, y, width, height, words="", colour=BLUE, strong=False, size=15):
        """A rounded box around (x, y)."""
        self.parts.append(f"<rect x='{x - width / 2}' y='{y - height / 2}' width='{width}' height='{height}' rx='6' "
                          f"fill='{colour}' fill-opacity='{0.45 if strong else 0.15}' stroke='{colour}' stroke-width='1.8'/>")
        for i, line in enumerate(lines := words.split("\n")):
            self.text(x, y + (i - (len(lines) - 1) / 2) * 1.25 * size, line, size=size)

    def circle(self, x, y, words="", colour=BLUE, radius=22):
        self.parts.append(f"<circle cx='{x}' cy='{y}' r='{radius}' fill='{colour}' fill-opacity='0.15' stroke='{colour}' "
                          "stroke-width='1.8'/>")
        self.text(x, y, words)

    def line(self, *points, colour=GREY, width=1.8, dashed=False, head=True):
        """A line through points (x, y), with an arrow's head at the last one."""
        (x0, y0), (x1, y1) = points[-2:]
        length = math.hypot(x1 - x0, y1 - y0)
        dx, dy = (x1 - x0) / length, (y1 - y0) / length
        ends = [*points[:-1], (x1 - 7 * dx, y1 - 7 * dy)] if head else points
        dash = " stroke-dasharray='5 4'" if dashed else ""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in ends)
        self.parts.append(f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='{width}'{dash}/>")
        if head:
            tip = " ".join(f"{x1 - 10 * dx + side * 4.5 * dy:.1f},{y1 - 10 * dy - side * 4.5 * dx:.1f}" for side in (1, -1))
            self.parts.append(f"<polygon points='{x1:.1f},{y1:.1f} {tip}' fill='{colour}'/>")

    def grid(self, x, y, rows, side=30, colour=BLUE, strong=(), size=14):
        """A table of numbers with its upper left corner at (x, y); `strong` are the (row, column) to mark."""
        for i, row in enumerate(rows):
            for j, number in enumerate(row):
                marked = (i, j) in strong
                opacity, width = (0.4, 1.8) if marked else (0.08, 0.8)
                self.parts.append(f"<rect x='{x + j * side}' y='{y + i * side}' width='{side}' height='{side}' fill='{colour}' "
                                  f"fill-opacity='{opacity}' stroke='{colour}' stroke-width='{width}'/>")
                self.text(x + (j + 0.5) * side, y + (i + 0.5) * side, str(number), size=size)


def perceptron() -> Diagram:
    """Inputs times weights, their sum with the bias, and a threshold."""
    it = Diagram(640, 200,
        "Three inputs, each times its weight, are added up together with the bias b; the neuron answers 1 if the sum "
        "is above 0 and 0 otherwise.")
    for i, y in enumerate((35, 100, 165), 1):
        it.circle(60, y, f"x_{i}", GREY)
        it.line((82, y), (235, 100 + (y - 100) * 0.18), colour=BLUE)
        it.text(150, (y + 100 + (y - 100) * 0.2) / 2 - 14, f"w_{i}", BLUE, bold=True)
    it.circle(262, 100, "Σ", BLUE, 27)
    it.text(262, 26, "b", ORANGE, bold=True)
    it.line((262, 38), (262, 72), colour=ORANGE)
    it.line((290, 100), (390, 100))
    it.text(338, 84, "x·w + b", size=14)
    it.box(440, 100, 98, 66, colour=GREEN)
    it.line((400, 116), (440, 116), (440, 84), (480, 84), colour=GREEN, width=2.5, head=False)
    it.text(440, 152, "above 0?", size=13)
    it.line((490, 100), (570, 100))
    it.text(600, 100, "0 or 1", bold=True)
    return it


def neuron_there_and_back() -> Diagram:
    """Forward and backward through one sigmoid neuron."""
    it = Diagram(720, 230,
        "Forward: x times w, plus b, is z, and the sigmoid of z is a. Backward: the derivative of the cost by a, "
        "times the sigmoid's slope at z, is delta; b gets delta, w gets x times delta, x gets w times delta.")
    it.text(40, 62, "x", bold=True)
    for x, sign, below in ((170, "×", "w"), (330, "+", "b")):
        it.circle(x, 62, sign)
        it.text(x, 10, below, bold=True)
        it.line((x, 20), (x, 40))
    it.circle(500, 62, "σ", GREEN, 24)
    it.line((56, 62), (148, 62))
    it.line((192, 62), (308, 62))
    it.line((352, 62), (476, 62))
    it.text(414, 47, "z")
    it.line((524, 62), (640, 62))
    it.text(580, 47, "a")
    it.text(676, 62, "cost C", bold=True)
    it.text(676, 120, "∂C/∂a", ORANGE)
    it.line((640, 120), (545, 120), colour=ORANGE)
    it.text(500, 120, "× σ′(z)", ORANGE, bold=True)
    it.line((455, 120), (346, 120), colour=ORANGE)
    it.text(330, 120, "δ", ORANGE, bold=True)
    it.line((330, 134), (330, 162), colour=ORANGE)
    it.text(330, 180, "∂C/∂b = δ", ORANGE)
    it.line((314, 120), (100, 120), colour=ORANGE)
    it.line((170, 120), (170, 162), colour=ORANGE)
    it.text(170, 180, "∂C/∂w = x δ", ORANGE)
    it.text(52, 120, "∂C/∂x = w δ", ORANGE)
    it.text(360, 216, "grey: forward, kept on the way      orange: back, each time what came in times the local slope", size=13)
    return it


def kernel_over_window() -> Diagram:
    """One number of a convolution: a window of the image times the kernel, added up."""
    it = Diagram(700, 232,
        "A window of 3 by 3 pixels is multiplied entry by entry with a kernel of 3 by 3 numbers; the sum is one entry"
        " of the feature map. The next entry comes from the window one step further.")
    image = [[0, 0, 1, 1, 1], [0, 0, 1, 1, 1], [0, 0, 1, 1, 1], [0, 0, 0, 1, 1], [0, 0, 0, 1, 1]]
    kernel = [[-1, 0, 1]] * 3
    result = [[sum(image[i + k][j + m] * kernel[k][m] for k in range(3) for m in range(3)) for j in range(3)] for i in range(3)]
    it.grid(20, 32, image, 34, strong={(i, j) for i in range(3) for j in range(1, 4)})
    it.text(105, 220, "image")
    it.text(216, 117, "⊙", size=22)
    it.grid(245, 66, [[str(n).replace("-", "−") for n in row] for row in kernel], 34, ORANGE,
            {(i, j) for i in range(3) for j in range(3)})
    it.text(296, 220, "kernel, the same everywhere")
    it.line((362, 117), (450, 117))
    it.text(404, 100, "add up", size=14)
    it.grid(470, 66, result, 34, GREEN, {(0, 1)})
    it.text(521, 220, "feature map")
    it.text(521, 30, "3 · (0·(−1) + 1·0 + 1·1) = 3", GREEN, size=14)
    return it


def unrolled() -> Diagram:
    """A recurrent network as a loop, and step by step."""
    it = Diagram(720, 210,
        "Left, a recurrent network: its state h goes back in with the next input. Right, the same unrolled over four "
        "steps: every step gets an input and the state of the step before, and all have the same weights.")
    it.box(90, 105, 84, 50, "tanh")
    it.line((90, 180), (90, 132))
    it.text(90, 194, "x_t")
    it.line((90, 80), (90, 36))
    it.text(90, 22, "h_t")
    it.line((90, 58), (166, 58), (166, 105), (134, 105), colour=ORANGE)
    it.text(182, 82, "W_h", ORANGE, "start", bold=True)
    it.text(72, 155, "W_x", BLUE, "end", bold=True)
    it.text(250, 105, "=", size=26)
    it.text(298, 105, "h_0")
    for t, x in enumerate((370, 465, 560, 655), 1):
        it.box(x, 105, 58, 50, "tanh", size=14)
        it.line((x, 180), (x, 132))
        it.text(x, 194, f"x_{t}")
        it.line((x, 80), (x, 36))
        it.text(x, 22, f"h_{t}")
        it.line((x - 62 if t > 1 else 312, 105), (x - 31, 105), colour=ORANGE)
        it.text(x - 46 if t > 1 else 325, 90, "W_h", ORANGE, size=13)
        it.text(x - 7, 158, "W_x", BLUE, "end", size=13)
    return it


def sequence_tasks() -> Diagram:
    """Which inputs a recurrent network gets, and which of its states are used, in four kinds of task."""
    it = Diagram(720, 200,
        "Four small recurrent networks, unrolled over time. One to many: one input at the first step, an output at each. Many to "
        "one: an input at each step, an output at the last. Many to many, in step: an input and an output at each step. Many to "
        "many, reading first: two steps that only read, then two that only write.")
    kinds = (("one to many", (0,), (0, 1, 2)), ("many to one", (0, 1, 2), (2,)), ("in step", (0, 1, 2), (0, 1, 2)),
             ("reading first", (0, 1), (2, 3)))
    left = 24
    for words, inputs, outputs in kinds:
        steps = max(*inputs, *outputs) + 1
        for step in range(steps):
            x = left + 18 + 46 * step
            it.box(x, 100, 32, 32)
            if step:
                it.line((x - 30, 100), (x - 17, 100), colour=ORANGE)
            if step in inputs:
                it.circle(x, 156, radius=8, colour=GREY)
                it.line((x, 147), (x, 118))
            if step in outputs:
                it.line((x, 83), (x, 54))
                it.circle(x, 44, radius=8, colour=GREEN)
        if words == "one to many":
            for step in range(steps - 1):  # what comes out is read next
                x = left + 18 + 46 * step
                it.line((x + 9, 44), (x + 23, 44), (x + 23, 150), (x + 46, 150), (x + 46, 118), colour=GREEN, dashed=True,
                        width=1.2)
        it.text(left + 18 + 23 * (steps - 1), 16, words, bold=True)
        left += 46 * steps + 26
    it.text(360, 188, "grey: inputs      blue: the same step, with its state      green: outputs that are used", size=13)
    return it


def lstm_cell() -> Diagram:
    """The two states of an LSTM and its gates."""
    it = Diagram(720, 330,
        "The cell state c runs along the top: it is multiplied by the forget gate f, and i times g is added. The new "
        "h is the output gate o times the hyperbolic tangent of the new c. All four, f, i, g and o, are computed from"
        " x and h.")
    it.line((40, 60), (176, 60), colour=ORANGE, width=3)
    it.line((224, 60), (366, 60), colour=ORANGE, width=3)
    it.line((414, 60), (680, 60), colour=ORANGE, width=3)
    it.text(24, 60, "c", bold=True)
    it.text(698, 60, "c′", bold=True)
    it.circle(200, 60, "×", ORANGE)
    it.circle(390, 60, "+", ORANGE)
    it.circle(390, 140, "×", ORANGE)
    gates = ((200, "f", "σ", GREEN), (330, "i", "σ", GREEN), (450, "g", "tanh", PURPLE), (560, "o", "σ", GREEN))
    for x, name, kind, colour in gates:
        it.box(x, 222, 62, 38, kind, colour)
        it.line((x, 280), (x, 242))
        it.text(x + 14, 190, name, colour, bold=True)
    it.line((200, 203), (200, 84), colour=GREEN)
    it.line((330, 203), (330, 140), (366, 140), colour=GREEN)
    it.line((450, 203), (450, 140), (414, 140), colour=PURPLE)
    it.line((390, 118), (390, 84), colour=ORANGE)
    it.circle(560, 140, "×", ORANGE)
    it.line((560, 203), (560, 164), colour=GREEN)
    it.line((510, 60), (510, 100), (560, 100), (560, 116), colour=ORANGE)
    it.text(500, 84, "tanh", anchor="end", size=13)
    it.line((584, 140), (680, 140), width=3)
    it.text(698, 140, "h′", bold=True)
    it.line((40, 280), (560, 280), width=3, head=False)
    it.text(40, 300, "x and h, side by side, through W and R", anchor="start", size=14)
    it.text(200, 20, "f: what stays", GREEN, size=13)
    it.text(390, 20, "i ⊙ g: what is written", PURPLE, size=13)
    it.text(640, 168, "o: what is shown", GREEN, size=13)
    return it


def attention() -> Diagram:
    """A query asks, keys answer, values are mixed."""
    words, weights = ("the", "cat", "sat", "because", "it"), (0.05, 0.7, 0.1, 0.05, 0.1)
    it = Diagram(720, 320,
        "The word it sends a query. It is multiplied with the key of every word; softmax turns the scores into "
        "weights, here 0.7 for cat; the output is the mean of the values with these weights.")
    it.line((575, 288), (660, 288), (660, 231), colour=PURPLE)
    it.line((624, 213), (66, 213), colour=PURPLE, head=False)
    for i, (word, weight) in enumerate(zip(words, weights)):
        x = 90 + 118 * i
        it.text(x, 300, word, bold=True)
        it.line((x, 286), (x, 262))
        it.box(x - 24, 246, 40, 30, "key", BLUE, size=13)
        it.box(x + 24, 246, 44, 30, "value", ORANGE, size=13)
        it.line((x - 24, 230), (x - 24, 196), colour=BLUE)
        it.box(x - 24, 178, 56, 32, f"{weight:.2f}", GREEN, strong=weight > 0.5, size=14)
        it.line((x + 24, 230), (x + 24, 118), (360 + (i - 2) * 16, 74), colour=ORANGE, width=0.8 + 5 * weight, head=False)
        it.circle(x - 24, 213, radius=4, colour=PURPLE)  # where the query meets this key
    it.box(660, 213, 70, 32, "query", PURPLE, size=14)
    it.text(655, 162, "query · key,", GREEN, size=13)
    it.text(655, 179, "then softmax", GREEN, size=13)
    it.box(360, 56, 290, 36, "output: weighted mean of the values", ORANGE, size=14)
    it.line((360, 38), (360, 10))
    return it


def transformer_block() -> Diagram:
    """Attention and a feed-forward network, each added to its input and normalised."""
    it = Diagram(480, 470,
        "From below: the input x goes through multi-head attention and is added to the result, which is normalised; "
        "that goes through the feed-forward network and is added to its result, which is normalised again.")
    it.text(210, 454, "x   (B, T, D)", bold=True)
    it.line((210, 438), (210, 386))
    for y, words, shape, colour in ((365, "multi-head attention", "positions look at\none another", BLUE),
                                    (160, "feed-forward network", "each position\nby itself: D → F → D", GREEN)):
        it.box(210, y, 210, 42, words, colour)
        it.line((210, y - 21), (210, y - 46))
        it.circle(210, y - 62, "+", ORANGE, 15)
        it.line((210, y + 47), (60, y + 47), (60, y - 62), (194, y - 62), colour=ORANGE)
        it.line((210, y - 78), (210, y - 92))
        it.box(210, y - 110, 210, 34, "layer normalisation", PURPLE)
        for i, line in enumerate(shape.split("\n")):
            it.text(328, y - 8 + 17 * i, line, anchor="start", size=13)
    it.line((210, 238), (210, 182))
    it.line((210, 32), (210, 8))
    return it
