"""The lessons' drawings are well-formed, described in words, and each is in a lesson."""

import inspect
import xml.etree.ElementTree as ElementTree

import pytest
from conftest import ROOT

from autograder import diagrams

DRAWN = [name for name, value in vars(diagrams).items() if inspect.isfunction(value)]


@pytest.mark.parametrize("name", DRAWN)
def test_a_drawing_is_whole_and_used(name):
    drawing = getattr(diagrams, name)()
    svg = ElementTree.fromstring(drawing._repr_html_())
    assert svg.get("aria-label") == drawing.words and len(drawing.words) > 60 and drawing.words in repr(drawing)
    for text in svg.iter("text"):  # nothing is cut off at an edge, nothing is too small to read
        assert 0 <= float(text.get("x")) <= drawing.width and 0 <= float(text.get("y")) <= drawing.height
        assert float(text.get("font-size")) >= 13
    assert any(f"diagrams.{name}()" in path.read_text() for path in (ROOT / "solutions").glob("*/lesson.py"))
