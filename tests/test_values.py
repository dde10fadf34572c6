"""What a student sees of a lost visible case: values side by side, what differs marked, what does not folded, and never too much."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from autograder.student import values


def case(expected, inputs=(), rtol=1e-4, atol=1e-5):
    return SimpleNamespace(inputs=list(inputs), expected={name: np.asarray(value) for name, value in expected.items()}, rtol=rtol, atol=atol)


def shown(expected, received, inputs=(), names=()):
    """The lines of text and the HTML of one lost case."""
    asked = case(expected, inputs)
    got = None if received is None else {name: value if isinstance(value, str) else np.asarray(value) for name, value in received.items()}
    given, seen = values.inputs(asked, list(names)), values.pairs(asked, got)
    return values.as_text(given, seen), values.as_html(given, seen)


def marked(page):
    """Entries that stand on a tone, by column."""
    return [re.findall(r"<b style='background:[^>]*>([^<]*)</b>", cell) for cell in re.findall(r"<td[^>]*><code[^>]*>(.*?)</code></td>", page, re.DOTALL)]


def test_what_differs_is_marked_on_both_sides_and_stands_side_by_side():
    text, page = shown({"output": [[1.0, 2.0], [3.0, 44.0]]}, {"output": [[1.0, 2.0], [7.0, 44.0]]})
    assert text == ["output: expected         received",
                    "        [[ 1. ,  2. ],   [[ 1. ,  2. ],",
                    "         [ 3.*, 44. ]]    [ 7.*, 44. ]]", "(* differs)"]
    assert [[entry.strip() for entry in cell] for cell in marked(page)] == [["3."], ["7."]]


def test_where_everything_differs_or_shapes_do_nothing_is_marked():
    for expected, received in (([1.0, 2.0], [3.0, 4.0]), ([1.0, 2.0], [[1.0, 2.0]]), (1, 2), ([1.0, 2.0], "no array")):
        text, page = shown({"output": expected}, {"output": received})
        assert marked(page) == [[], []] and "(* differs)" not in text


def test_what_is_as_expected_is_named_and_folded():
    text, page = shown({"output": [1.0, 2.0], "gradient of x": [5.0]}, {"output": [1.0, 2.000001], "gradient of x": [6.0]})
    assert text[-1] == "as expected: output" and not any("2." in line for line in text)
    before, folded = page.split("<details")
    assert "gradient of x" in before and "1 as expected: output" in folded and "[1., 2.]" in folded.replace("[1.      , 2.      ]", "[1., 2.]")


def test_images_are_matrices_with_their_shape():
    text, page = shown({"output": np.arange(6.0).reshape(1, 2, 3, 1)}, {"output": np.zeros((1, 2, 3, 1))}, [np.ones((1, 2, 2, 1))], ["images"])
    assert text[:3] == ["input:  [[1., 1.],", "         [1., 1.]]", "        shape (1, 2, 2, 1)"]
    assert "[[0. , 1.*, 2.*]," in text[4] and page.count("shape (1, 2, 3, 1)") == 2


def test_inputs_have_the_names_of_parameters_and_what_is_large_or_hostile_is_told_in_words():
    text, page = shown({"output": np.zeros((9, 9)), "other": 1.0}, {"output": np.zeros(10**6), "other": "<b>a description</b>"},
                       [[[1, 2], [3, 4]], "same", [[1.0], [2.0, 3.0]]], ["x", "padding", "ragged", "further"])
    assert text[:4] == ["input x:       [[1, 2],", "                [3, 4]]", "input padding: 'same'", "input ragged:  [[1.],"]
    assert any("float64 array of shape (9, 9)" in line and "float64 array of shape (1000000,)" in line for line in text)
    assert "<b>a description" not in page and "&lt;b&gt;a description" in page and len(page) < 4000


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, 1e-30, np.array([np.nan, 1.0]), np.array(1j), np.zeros((0, 3)), True,
                                   np.array([[["a"]]]), np.uint64(2**63)])
def test_odd_values_are_shown(value):
    text, page = shown({"output": [1.0, 2.0]}, {"output": value})
    assert text[0].startswith("output:") and "received" in page


def test_without_an_answer_there_is_what_was_expected_alone():
    text, page = shown({"output": 2.0, "is it?": True}, None, [np.float32(1.5)], ["x"])
    assert text == ["input:           1.5", "expected:        2.", "expected is it?: yes"] and "received" not in page


def test_truth_is_told_in_words():
    text, _ = shown({"are rows lost?": False}, {"are rows lost?": True})
    assert [line.split() for line in text] == [["are", "rows", "lost?:", "expected", "received"], ["no", "yes"]]


def test_a_label_that_names_code_has_no_backticks_in_a_table():
    text, page = shown({"is every answer 0 with `nand` stuck at 0?": 1.0}, {"is every answer 0 with `nand` stuck at 0?": 0.0})
    assert "is every answer 0 with nand stuck at 0?" in page and "`" not in page
