"""`autograder audit`: an assignment is fair when whole notebooks get what they should."""

import contextlib
import dataclasses
import itertools

import pytest
from conftest import TINY_LESSON, TINY_QUESTIONS, autograder, write_tiny

from autograder.authoring import audit, samples
from autograder.authoring import build as building
from autograder.authoring.blame import DeclarationError
from autograder.authoring.build import build
from autograder.grading.batch import Job, find_submissions, grade_all
from autograder.grading.key import SECRET_FILE, case_rng, load
from autograder.sandbox.sandbox import Limits

NAME = "a0_doubling"


@pytest.fixture
def alone(monkeypatch, warm):
    """A command computes in this process, and grades with a worker that is there already."""
    monkeypatch.setattr(building, "processes", lambda jobs: contextlib.nullcontext(map))


def audited(course, key, made, folder):
    samples.write_class(made, folder, NAME)
    job = Job(key, course.skeleton(NAME), tuple(course.released_files(NAME)), Limits(), "auto", (course.root,))
    return list(audit.problems(made, grade_all(find_submissions(folder, NAME)[0], job), key))


@pytest.mark.xdist_group("grade")  # whose process has a worker
def test_a_sound_assignment_passes(built_tiny, alone):
    done = autograder("audit", NAME, cwd=built_tiny.root)
    mistakes = len(audit.notebooks(built_tiny, NAME)) - 2
    assert done.returncode == 0, done.stderr
    assert mistakes >= 2 and f"✓ {NAME}: reference 100, blank 0, {mistakes} mistakes lose points and are named" in done.stdout
    assert f"visible cases show {mistakes} of {mistakes} mistakes before handing in\n" in done.stdout


def test_what_is_unfair_is_said_by_notebook(built_tiny, tmp_path):
    key, made = load(built_tiny.key(NAME)), audit.notebooks(built_tiny, NAME)
    notebooks = {sample.student: sample for sample in made}
    mistake = next(sample for sample in made if sample.question == "double")
    swapped = [dataclasses.replace(notebooks["all-right"], notebook=mistake.notebook),
               dataclasses.replace(notebooks["blank"], notebook=notebooks["all-right"].notebook),
               dataclasses.replace(mistake, notebook=notebooks["all-right"].notebook)]
    right, blank, wrong = audited(built_tiny, key, swapped, tmp_path)
    assert right.startswith("all-right: expected 100 points. Received: 50. double: ")
    assert blank == "blank: expected 0 points. Received: 100, for double, quadruple"
    assert wrong == f"{mistake.student}: expected double to lose points. Received: all 50"


def test_a_mistake_under_another_name_or_none_is_said(built_tiny, tmp_path):
    key, made = load(built_tiny.key(NAME)), audit.notebooks(built_tiny, NAME)
    first, second = [sample for sample in made if sample.question == "double"][:2]
    (line,) = audited(built_tiny, key, [dataclasses.replace(first, notebook=second.notebook)], tmp_path)
    assert line.startswith(f"{first.student}: expected the name {first.misconception}. Received: {second.misconception} (")


# ---------------------------------------------------------------------------------------------------- forged replies

PROBES = '''
from autograder.inside.probes import array, probe, tensors


@probe
def code(answer, inputs):
    """7 where the answer refuses, 3 where it does not."""
    try:
        answer(tensors(inputs[0]))
        return {"code": array(3)}
    except ValueError:
        return {"code": array(7)}


@probe
def value(answer, inputs):
    """What it gives, and how often it was asked."""
    return {"value": array(answer(tensors(inputs[0]))), "calls": array(1)}
'''
OBSERVE = '''
def value(seen, inputs):
    """Whether a number was given."""
    return {"is it None?": isinstance(seen["value"], str)}
'''


def guessable(root, made, body, probe="call"):
    """The tiny course whose `double` computes something else on another hidden case.

    OWN in either stands for a number: with this course's secret `rng.random()` is larger in that case, with those that the audit
    tries it is not.
    """
    def draw(secret):
        return case_rng(secret.encode() if isinstance(secret, str) else secret, NAME, "double", "random_numbers").random()

    others = max(map(draw, audit.OTHER_SECRETS))
    secret = next(secret for secret in map(str, itertools.count()) if draw(secret) > others)
    own = repr((draw(secret) + others) / 2)
    lesson = TINY_LESSON.replace("return 2 * x", body.replace("OWN", own)).replace("double(double(x))", "4 * x")
    questions = TINY_QUESTIONS.replace("lesson.double(x)", "2 * x").replace("rng.normal(size=4),", made.replace("OWN", own)).replace(
        "@double.case(points=40)", f"@double.case(points=40, probe=Probe({probe!r}))").replace(
        "import tensorflow as tf", "import tensorflow as tf\nfrom autograder.inside.protocol import Probe")
    course = write_tiny(root, lesson.replace('print("demo", double(1))', "pass"), questions)
    (course.solution(NAME) / "probes.py").write_text(PROBES)
    (course.solution(NAME) / "observe.py").write_text(OBSERVE)
    (root / SECRET_FILE).write_text(secret)
    build(course, NAME)
    return course


COUNTED = "return tf.cast(tf.size(x), tf.float32)"
LARGE, ONE = "rng.random(),", "tf.size(x) == 1 and x > OWN"
TRIED = {  # the hidden case, the answer, the probe -> can it be won unseen?
    "secret numbers": ("rng.normal(size=3),", "return 2 * x", "call", False),
    "a secret length": ("[0.0] * int(rng.integers(4, 100_000)),", COUNTED, "call", False),
    "one result for many numbers": ("rng.normal(size=4),", COUNTED, "call", True),
    "a visible case's numbers": ("[rng.random(), 2.0, 5.0] if rng.random() < OWN else [1.0, 2.0, 5.0],", "return 2 * x", "call", True),
    "zeros": (LARGE, "return tf.maximum(OWN - x, 0.0)", "call", True),
    "ones": (LARGE, "return tf.where(x > OWN, 1.0, x)", "call", True),
    "True": (LARGE, "return x > OWN", "call", True),
    "False": (LARGE, "return x <= OWN", "call", True),
    "a word": (LARGE, f"return None if {ONE} else x", "value", True),
    "an answer that raises": (LARGE, f"if {ONE}: raise ValueError\n    return x", "code", True),
}


@pytest.mark.parametrize("made, body, probe, wins", TRIED.values(), ids=TRIED)
def test_a_hidden_case_that_can_be_won_unseen_is_named(tmp_path, made, body, probe, wins):
    course = guessable(tmp_path, made, body, probe)
    assert audit.forged(course, NAME, load(course.key(NAME))) == [("double/random_numbers", 40)] * wins


@pytest.mark.xdist_group("grade")
@pytest.mark.parametrize("made, body, error", [
    ("[1.0, 2.0 / (rng.random() > OWN)],", "return 2 * x", "ZeroDivisionError"),
    (LARGE, "assert tf.size(x) == 3 or x > OWN\n    return 2 * x", "AssertionError")], ids=["inputs", "reference"])
def test_what_only_this_secret_allows_is_said_in_a_sentence(tmp_path, made, body, error, alone):
    course = guessable(tmp_path, made, body)
    sentence = f"{NAME}: double/random_numbers: expected inputs and an answer with every secret. Received: {error}"
    with pytest.raises(DeclarationError, match=sentence):
        audit.forged(course, NAME, load(course.key(NAME)))
    if error == "AssertionError":
        done = autograder("audit", NAME, cwd=course.root)
        assert done.returncode == 1 and "Traceback" not in done.stderr and sentence in done.stdout
