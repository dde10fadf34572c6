"""The lessons' drawings are well-formed, described in words, and each is in a lesson."""

import inspect
import itertools
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from conftest import ROOT

from autograder import diagrams, plots

DRAWN = [name for name, value in vars(diagrams).items() if inspect.isfunction(value)]


@pytest.mark.parametrize("name", DRAWN)
def test_a_drawing_is_whole_and_used(name):
    drawing = getattr(diagrams, name)()
    svg = ElementTree.fromstring(drawing.svg())
    assert ElementTree.fromstring(drawing.still()).tag.endswith("svg")  # what stands in its place where scripts do not run
    assert svg.get("aria-label") == drawing.words and len(drawing.words) > 60 and drawing.words in repr(drawing)
    for text in svg.iter("text"):  # nothing is cut off at an edge, nothing is too small to read
        assert 0 <= float(text.get("x")) <= drawing.width and 0 <= float(text.get("y")) <= drawing.height
        assert float(text.get("font-size")) >= 13
    assert any(f"diagrams.{name}()" in path.read_text() for path in (ROOT / "solutions").glob("*/lesson.py"))


# What is left of a colour (linear red, green, blue) for who has no cones for long or for middle waves: Machado, Oliveira and
# Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency" (2009), severity 1.
SEEN = {"all": np.eye(3),
        "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(colour):
    values = np.array([int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    x, y, z = np.cbrt(np.maximum(TO_XYZ @ rgb / (0.9505, 1, 1.089), 0.008856))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("eyes", SEEN)
def test_the_palettes_colours_can_be_told_apart(eyes):
    places = [lab(np.clip(SEEN[eyes] @ linear(colour), 0, 1)) for colour in plots.PALETTE]
    assert min(np.linalg.norm(one - other) for one, other in itertools.combinations(places, 2)) > 18  # 2 can just be seen, side by side


@pytest.mark.parametrize("paper", ("#ffffff", "#111111"))
def test_the_palettes_lines_stand_out_on_light_and_dark(paper):
    for colour in plots.PALETTE:
        darker, lighter = sorted(TO_XYZ[1] @ linear(one) for one in (colour, paper))
        assert (lighter + 0.05) / (darker + 0.05) > 2.7  # WCAG asks 3; orange on white has 2.8, as a broad line
