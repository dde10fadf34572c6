"""Moving drawings: whole at every setting, true to what they were given, at home in a browser, and each in a lesson."""

import base64
import inspect
import math
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from conftest import ROOT
from scipy.signal import correlate2d
from scipy.special import expit
from scipy.special import softmax as shares

from autograder import moving

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WEIGHTS = shares(np.random.default_rng(0).normal(size=(3, 3)), axis=1)


@pytest.fixture(autouse=True)
def without_tensorflow(monkeypatch):
    monkeypatch.setattr(moving, "_tensors", lambda *given: [np.asarray(array, np.float32) for array in given])


def steps_down(f, x, rate, steps):
    path = [x]
    for _ in range(steps):
        path.append(path[-1] - rate * path[-1] * (1, 25))
    return np.array(path)


def unit(x, h, w_x, w_h, b):
    states = []
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ w_x + h @ w_h + b)
        states.append(h)
    return np.stack(states, axis=1)


def cell(x, h, c, kernel, recurrent, bias):
    for t in range(x.shape[1]):
        i, f, g, o = np.split(x[:, t] @ kernel + h @ recurrent + bias, 4, axis=-1)
        c = expit(f) * c + expit(i) * np.tanh(g)
        h = expit(o) * np.tanh(c)
    return h[:, np.newaxis], c


def stairs(f, n):
    ends = np.concatenate([np.arange(n), np.arange(n) + 1]) / n
    heights = np.array([f((k + 0.5) / n) for k in range(n)])
    return np.full((1, 2 * n), 50.0 * n), -50.0 * n * ends, np.concatenate([heights, -heights])[:, np.newaxis], np.zeros(1)


FIGURES = {
    "decision_line": lambda: moving.decision_line(lambda x, w, b: x @ w + b > 0),
    "valley": lambda: moving.valley(steps_down),
    "gradients": lambda: moving.gradients(lambda activation, factor: [factor ** k for k in range(3, 0, -1)]),
    "temperature": lambda: moving.temperature(lambda z: shares(z, axis=1)),
    "bumps": lambda: moving.bumps(stairs, lambda x: x),
    "kernel": lambda: moving.kernel(lambda x, k, b: correlate2d(x[0, ..., 0], k[..., 0, 0], "valid")[np.newaxis, ..., np.newaxis],
                                    np.eye(5), [[0, 0, 0], [0, 1, 0], [0, 0, 0]]),
    "echo": lambda: moving.echo(unit, cell),
    "looks": lambda: moving.looks(["a", "<b>", "c & d"], WEIGHTS),
    "pages": lambda: moving.pages({0.5: "one\n<two>", 1: "three"}, title="Verse"),
}


def drawn(name, *at):
    """The words that a figure's layers show, with its sliders at these values."""
    figure, found = FIGURES[name](), []
    values = list(figure.sliders.values())
    for by, frames, _ in figure.layers:
        place = 0
        for i in by:
            place = place * len(values[i]) + values[i].index(at[i])
        found += ElementTree.fromstring(f"<g>{frames[place]}</g>").itertext()
    return found


def test_every_figure_is_tried_here():
    returned = {name: inspect.signature(value).return_annotation for name, value in vars(moving).items() if inspect.isfunction(value)}
    assert {name for name, kind in returned.items() if kind == "Moving"} == set(FIGURES)


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_whole_at_every_setting_and_used(name):
    figure = FIGURES[name]()
    page = figure._repr_html_()
    assert len(page) < 200_000 and page.count("<script>") == page.count("</script>") == 1
    assert re.findall(r"https?://[^'\"]*", page) == []  # nothing of it comes from the network
    still = ElementTree.fromstring(base64.b64decode(re.search(r"base64,([^']+)'", page)[1]))
    assert "NaN" not in page and len(figure.words) > 20 and any(text.strip() for text in still.itertext())
    for by, frames, _ in figure.layers:
        assert len(frames) == math.prod(len(list(figure.sliders.values())[i]) for i in by)
        for frame in frames:
            for text in ElementTree.fromstring(f"<g>{frame}</g>").iter("text"):
                assert float(text.get("font-size")) >= 13 and -5 <= float(text.get("x")) <= figure.width
                assert 0 <= float(text.get("y")) <= figure.height
    assert any(f"moving.{name}(" in path.read_text() for path in (ROOT / "solutions").glob("*/lesson.py"))


def test_figures_say_what_they_were_given():
    assert "NAND" in drawn("decision_line", -2, -2, 3) and "OR" in drawn("decision_line", 2, 2, -1)
    figure = FIGURES["decision_line"]()
    assert not any(">XOR<" in frame or ">XNOR<" in frame for frame in figure.layers[0][1])
    height = (10 * (1 - 0.04) ** 30) ** 2 / 2  # across the valley, one step is enough at this rate: 1 - 25 · 0.04 is 0
    assert drawn("valley", 0.04)[-1] == f"after 30 steps f = {height:.2f}"
    assert drawn("temperature", 0.5) == [f"{share:.2f}" for share in shares(np.array([4.0, 2.0, 1.0, -2.0]))]
    assert drawn("bumps", 10)[0].startswith("20 units, mean error 0.02")  # a quarter of a stair's width, or less
    assert "sum 1.00" in drawn("kernel", 0) and "sum 0.00" in drawn("kernel", 1)
    assert "after 10 steps 0.86, after 40 0.86" in drawn("echo", 1.5, 1)  # the state that tanh of 1.5 times itself keeps
    assert f"after 10 steps {expit(2) ** 10:.2f}, after 40 {expit(2) ** 40:.2f}" in drawn("echo", 1.5, 2)


def test_a_long_line_of_verse_stays_within_the_page():
    words = "and to the lords " * 9
    figure = moving.pages({0: f"Shall I\n\n{words}", 1: "short"})
    shown = ["".join(text.itertext()) for text in ElementTree.fromstring(f"<g>{figure.layers[0][1][0]}</g>").iter("text")]
    assert shown[:2] == ["Shall I", ""] and " ".join(" ".join(shown[2:]).split()) == words.strip()
    assert max(map(len, shown)) <= 66 and figure.height >= 60 + 24 * len(shown)


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_in_a_browser_a_slider_moves_the_figure_and_pointing_does(tmp_path):
    moves = """<script>
    const [first, second] = document.querySelectorAll('[data-live]'), input = first.querySelector('input');
    const before = first.querySelector('[data-layer]').textContent;
    input.value = 0;
    input.dispatchEvent(new Event('input'));
    const told = [before, first.querySelector('[data-layer]').textContent, input.getAttribute('aria-valuetext')];
    second.querySelectorAll('[data-to]')[1].dispatchEvent(new PointerEvent('pointerenter'));
    told.push(second.querySelector('input').getAttribute('aria-valuetext'), document.querySelectorAll('img').length);
    document.title = JSON.stringify(told);
    </script>"""
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><meta charset=utf-8>{FIGURES['temperature']()._repr_html_()}{FIGURES['looks']()._repr_html_()}{moves}")
    shown = subprocess.run([CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                            f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri()],
                           capture_output=True, text=True, timeout=120).stdout
    assert re.search(r"<title>(.*?)</title>", shown)[1] == '["0.610.220.140.03","1.000.000.000.00","0.1","&lt;b&gt; (2)",0]'
