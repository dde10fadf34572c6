"""Comparison is total, says how answers differ, and tells no value."""

import numpy as np
import pytest

from autograder.grading.compare import difference, differences
from autograder.grading.diagnose import fingerprint
from autograder.inside.protocol import Failure, Outcome

RIGHT = {"output": np.array([[1.5, -2.25, 3.125]], np.float32)}


def sentence(value, expected=RIGHT, visible=True):
    return difference(expected, {"output": value}, 1e-4, 1e-5, visible)


@pytest.mark.parametrize("same", [
    np.array([[1.5, -2.25, 3.125]]), np.array([[1.5, -2.25, 3.125]], np.float16), np.array([[1.50001, -2.25, 3.125]]),
    np.array([[1.5, -2.25, 3.125]], np.complex64),
])
def test_the_same_values_are_the_same_answer_whatever_their_dtype(same):
    assert sentence(same) is None


def test_truth_values_and_zeros_and_ones_are_the_same_mask():
    expected = {"output": np.array([True, False])}
    for value in (np.array([1, 0]), np.array([1.0, 0.0], np.float32), np.array([True, False])):
        assert sentence(value, expected) is None
    assert sentence(np.array([False, True]), expected)


@pytest.mark.parametrize("value, words", [
    ("None", "None"), (np.zeros((3, 1)), "shape (3, 1)"), (np.zeros(3), "shape (3,)"), (np.float64(1).reshape(()), "a number"),
    (np.full((1, 3), np.nan), "NaN"), (np.array([[1.5, np.inf, 3.125]]), "infinite value in 1 of 3"),
    (np.array([[1.5, 0, 0]]), "other values in 2 of 3"), (np.zeros((1, 3)), "every entry"),
    (np.array([[1.5j, 1, 1]]), "complex"), (np.zeros((0,)), "shape (0,)"), (np.full((1, 3), 1e308), "every entry"),
])
def test_what_differs_is_said_in_one_sentence_without_expected_values(value, words):
    text = sentence(value)
    assert words in text and text.endswith(".") and "\n" not in text
    for secret in ("1.5", "2.25", "3.12"):
        assert secret not in text


@pytest.mark.parametrize("value, words", [
    (np.zeros((1, 123456789)), "with another size along axis 1; expected an array of shape (1, 3)."),
    (np.zeros((7, 8)), "with another size along axes 0 and 1; expected"), (np.zeros((3,)), "an array of 1 axis; expected"),
    (np.zeros((1,) * 20), "an array of more than 8 axes"), (np.float64(1).reshape(()), "a number; expected"),
    (np.array([[1.5, 0, 0]]), "other values in most entries"), (np.array([[1.5, np.inf, 3.125]]), "an infinite value in one entry"),
    ("deadbeef" * 10, "returned something that is no array; expected"), ("a list with 4e00", "It returned something that is no array; expected"),
])
def test_of_a_hidden_case_no_number_is_said_that_the_answer_could_choose(value, words):
    text = sentence(value, visible=False)
    assert words in text and text in set(differences(RIGHT))
    assert not any(secret in text for secret in ("123456789", "20", "deadbeef", "4e00", "2.25"))


def test_counts_are_exact_and_measurements_are_not():
    for count, other in ((23550, 23551), (520, 520.01), ([3, 100_000], [3, 100_001])):
        assert sentence(np.array(other), {"output": np.array(count)})
    assert sentence(np.array(23550.0), {"output": np.array(23550)}) is None
    assert sentence(np.array(23551.0), {"output": np.array(23550.0)}) is None


def test_missing_and_additional_outputs_are_named():
    two = {"output": np.zeros(2), "weights": np.zeros(3)}
    assert "weights" in difference(two, {"output": np.zeros(2)}, 1e-4, 1e-5)
    assert "more was received" in difference({"output": np.zeros(2)}, two, 1e-4, 1e-5)
    assert "The weights is" in difference(two, {**two, "weights": np.ones(3)}, 1e-4, 1e-5)


def test_a_yes_or_no_question_is_answered_in_words():
    asked = {"are rows lost?": np.array(False)}
    assert difference(asked, {"are rows lost?": np.array(True)}, 0, 0) == "Are rows lost? Yes; it should be no."
    assert difference(asked, {"are rows lost?": np.array(False)}, 0, 0) is None
    assert "shape (2,)" in difference(asked, {"are rows lost?": np.array([True, False])}, 0, 0, visible=True)


def test_nan_is_never_right_but_equals_itself_between_mistakes():
    mistake = {"output": np.array([np.nan, 1.0])}
    assert difference(mistake, {"output": np.array([np.nan, 1.0])}, 1e-4, 1e-5) is None
    assert difference({"output": np.zeros(2)}, mistake, 1e-4, 1e-5)


def test_random_pairs_never_raise_and_hidden_ones_give_one_of_the_sentences_there_are():
    rng = np.random.default_rng(0)
    values = ["None", "a string"] + [
        rng.normal(size=shape).astype(dtype) if dtype != "bool" else rng.normal(size=shape) > 0
        for shape in ((), (0,), (1,), (2, 3), (3, 2), (2, 0, 4))
        for dtype in ("float16", "float32", "float64", "int8", "uint64", "bool", "complex64", "complex128")]
    values += [np.array(np.nan), np.array([np.inf, -np.inf]), np.array([2**63], np.uint64)]
    for a in values:
        possible = set(differences({"output": a}))
        for b in values:
            with np.errstate(all="ignore"):
                hidden, shown = (difference({"output": a}, {"output": b}, 1e-4, 1e-5, visible) for visible in (False, True))
            assert (hidden is None and shown is None) or (hidden in possible and isinstance(shown, str))


def test_wrong_answers_that_agree_up_to_rounding_have_one_fingerprint():
    rng = np.random.default_rng(0)
    for scale in 10.0 ** np.arange(-4, 5):
        for value in (rng.normal(size=(5, 3)), rng.integers(-4, 4, size=(5, 3)) / 4, rng.normal(size=(2, 2)) * 1j, np.zeros((2, 2))):
            value = (value * scale).astype(np.complex64 if np.iscomplexobj(value) else np.float32)
            noisy = (value * (1 + 1e-7 * rng.normal(size=value.shape))).astype(value.dtype)
            of = lambda array: fingerprint(Outcome({"output": array}))  # noqa: E731
            assert of(value) == of(noisy) and of(value) != of(value.T if value.shape[0] != value.shape[1] else value + scale)
    odd = [Outcome({"output": array}) for array in (np.array(np.nan), np.array(np.inf), np.array(-np.inf), np.zeros(0), np.array(2**64 - 1, np.uint64))]
    odd += [Outcome({"output": "None"}), Outcome(failure=Failure("ValueError", "x")), Outcome(failure=Failure("TypeError", "x")),
            Outcome(undefined=True), Outcome(several=2), Outcome(died="timeout", brief="a"), Outcome(died="crashed", brief="a")]
    assert len({fingerprint(outcome) for outcome in odd}) == len(odd)
    assert fingerprint(Outcome(failure=Failure("ValueError", "at 0x7f01"))) == fingerprint(Outcome(failure=Failure("ValueError", "at 0x7f99")))
