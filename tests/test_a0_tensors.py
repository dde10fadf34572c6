"""The lesson before the lessons: nothing of it is graded, so its own cells have to tell right from wrong, and its text what happens."""

import contextlib
import io
import re

import nbformat
import pytest
from conftest import ROOT

from autograder.authoring.lesson import introduction_notebook, keep_solution, read_lesson, run_cell

NAME = "a0_tensors"
CELLS = read_lesson(ROOT / "solutions" / NAME)


def printed(**answers):
    """What the cells print, by the exercise that they follow; `answers` take the place of the lesson's own."""
    namespace, said, last = {"__name__": "__main__"}, {}, ""
    for number, cell in enumerate(CELLS):
        if cell.kind == "prose":
            continue
        last = cell.question or last
        with contextlib.redirect_stdout(io.StringIO()) as text:
            run_cell(answers.get(cell.id) or keep_solution(cell.source), f"<{NAME}:{number}>", namespace)
        said[last] = said.get(last, "") + text.getvalue()
    return said


@pytest.fixture(scope="module")
def said():
    return printed()


def test_right_answers_are_told_so_and_the_line_is_found(said):
    everything = "".join(said.values())
    assert "✗" not in everything and all("✓" in said[cell.question] for cell in CELLS if cell.question)
    assert re.search(r"step 300: error   0\.0\d+   height = 3\.0\d\d · x \+ 1\.0\d\d|step 300: .* height = 3\.000 · x \+ 1\.000", said["Scale"])


def test_every_error_that_the_last_table_explains_has_been_seen(said):
    everything = "".join(said.values())
    rows = [line.split("|")[1] for line in CELLS[-1].source.splitlines() if line.startswith("| ")][2:]
    quoted = [text for row in rows for text in re.findall(r"`([^`]+)`", row) if text not in ("reshape", "None")]
    assert len(rows) == 10 and len(quoted) == 7
    assert [text for text in quoted if text not in everything.replace("EagerTensor' object", "object")] == []
    assert "No error." not in everything and re.search(r"mean squared error, as written: 2\.5\n.* 0\.0\n", everything)


WRONG = {
    "halves": ("def halves(counts):\n    return counts / 2", "✗ Its type is float64; expected float32."),
    "largest_of_each_example": ("def largest_of_each_example(scores):\n    return tf.argmax(scores)", "✗ Its shape is (3,); expected (2,)."),
    "centred": ("def centred(x):\n    return x - tf.reduce_mean(x)", "✗ It is [["),
    "weighted_sums": ("def weighted_sums(x, w, b):\n    return tf.reduce_sum(x * w, axis=-1, keepdims=True) + b",
                      "✗ Its shape is (2, 1); expected (2,)."),
    "shrink": ("def shrink(variable, factor):\n    variable = variable * factor", "✗ It is [8.0, 2.0]; expected [4.0, 1.0]."),
    "slope": ("def slope(function, x):\n    with tf.GradientTape() as tape:\n        y = function(x)\n    return tape.gradient(y, x)",
              "✗ It returned None: is there a `return`?"),
    "Scale": ("class Scale(keras.layers.Layer):\n    def build(self, input_shape):\n        self.factor = tf.Variable(tf.ones(input_shape[-1]), "
              "trainable=False)\n    def call(self, x):\n        return x * self.factor", "✗ It is 0; expected 1."),
}


def test_wrong_answers_are_told_what_is_wrong():
    said = printed(**{name: answer for name, (answer, _) in WRONG.items()})
    assert [(name, said[name]) for name, (_, words) in WRONG.items() if words not in said[name]] == []


def test_what_is_released_is_what_the_lesson_says_without_answers():
    released = nbformat.read(ROOT / "assignments" / NAME / "tensors.ipynb", as_version=4)
    assert released == nbformat.from_dict(introduction_notebook(CELLS))
    exercises = [cell for cell in released.cells if cell.id in {cell.id for cell in CELLS if cell.question}]
    assert len(exercises) == 7 and all("raise NotImplementedError()" in cell.source for cell in exercises)
    assert not any("nbgrader" in cell.metadata for cell in released.cells)
