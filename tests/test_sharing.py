"""Answers that students have in common are run once, alone, and nobody's verdict is another for it."""

from __future__ import annotations

import dataclasses
from collections import Counter

import nbformat
import pytest
from conftest import ASSIGNMENTS

from autograder.authoring import samples
from autograder.grading import sharing
from autograder.grading.batch import Job, find_submissions, grade_all
from autograder.grading.key import load
from autograder.inside.closure import closures
from autograder.inside.protocol import Inspect
from autograder.sandbox.sandbox import Limits, Sandbox

GIVEN = "import numpy as np\nimport tensorflow as tf\nimport time\nfrom autograder import check\n"
DOUBLE = "def double(x):\n    return 2 * x\n"
QUADRUPLE = "def quadruple(x):\n    return double(double(x))\n"


def closures_of(*cells, given=GIVEN):
    """Closures of a notebook of (source, question) cells after the release's."""
    request = Inspect([given, *(source for source, _ in cells)], {}, [None, *(question for _, question in cells)],
                      {"double": (), "quadruple": ("double",)})
    return closures(request)


def test_a_closure_knows_what_an_answer_reaches_and_neither_comments_nor_layout():
    plain = closures_of((DOUBLE, "double"), (QUADRUPLE, "quadruple"))
    assert plain["double"].cells == (0, 1) and plain["quadruple"].cells == (0, 1, 2)
    other = closures_of(("def double( x ):  # twice\n\n    return (2*x)\n", "double"), ("def unused():\n    return tf.nn\n", ""),
                        (QUADRUPLE, "quadruple"))
    assert {name: found.digest for name, found in other.items()} == {name: found.digest for name, found in plain.items()}
    assert other["quadruple"].cells == (0, 1, 3)
    changed = closures_of(("def double(x):\n    return x + x\n", "double"), (QUADRUPLE, "quadruple"))
    assert all(changed[name].digest != plain[name].digest for name in plain)  # what it builds on decides, too
    helped = [closures_of(("def double(x):\n    return times(x)\n", "double"), (f"FACTOR = {factor}\n", ""),
                          ("def times(x):\n    return FACTOR * x\n", "")) for factor in (2, 3)]
    assert helped[0]["double"].cells == (0, 1, 2, 3) and helped[0]["double"].digest != helped[1]["double"].digest
    assert "quadruple" not in helped[0]


@pytest.mark.parametrize("other", [
    "print(double(1))", "tf.config.run_functions_eagerly(True)", "np.seterr(all='raise')", "%matplotlib inline", "x = [1]",
    "def f(x):\n    tf.nn.relu = x", "def f(x):\n    double.count = x", "def f(x):\n    del np.pi", "def f(x):\n    global double\n    double = x",
    "def f(x, kept=[]):\n    return x", "def f():\n    return time.time()", "import random", "from os import *", "def f():\n    import sys",
    "def f():\n    return globals()['double']", "def f():\n    return double.__globals__", "def f():\n    setattr(tf, 'a', 1)",
    "def f():\n    keras.config.set_floatx('float16')", "@print\ndef f(x):\n    return x", "class A(print('x')):\n    pass",
    "class A:\n    print('x')", "def f(x=print()):\n    return x", "for i in range(3):\n    pass", "del double", "def f(:\n", "assert True",
    "def f():\n    return np.random.default_rng().normal()", "from time import time", "def f():\n    return open('x')", "(" * 3000])
def test_a_notebook_that_does_more_than_define_has_no_closures(other):
    assert closures_of((DOUBLE, "double"), (other, "")) == {} and closures_of((other, "quadruple"), (DOUBLE, "double")) == {}


def write(course, folder, cells):
    """A class: student -> {question or "": source}; "" is a cell added at the end."""
    for student, sources in cells.items():
        notebook = nbformat.read(course.release("a0_doubling") / "doubling.ipynb", as_version=4)
        for cell in notebook.cells:
            cell.source = sources.get(cell.id, cell.source) if cell.cell_type == "code" else cell.source
        notebook.cells += [nbformat.v4.new_code_cell(sources[""])] if "" in sources else []
        place = folder / student / "a0_doubling"
        place.mkdir(parents=True)
        nbformat.write(notebook, place / "doubling.ipynb")
    return find_submissions(folder, "a0_doubling")[0]


@pytest.fixture
def graded(built_tiny, tmp_path, warm, monkeypatch):
    """`graded(cells, jobs, worth)` -> verdicts with and without sharing, and the processes that each took."""
    job = Job(load(built_tiny.key("a0_doubling")), built_tiny.skeleton("a0_doubling"),
              tuple(built_tiny.released_files("a0_doubling")), Limits())
    forks = Counter()
    fork = Sandbox.fork

    def get(cells, jobs=1, worth=0.0):
        monkeypatch.setattr(sharing, "WORTH", worth)
        handed_in = write(built_tiny, tmp_path, cells)
        found = []
        for share in (True, False):
            monkeypatch.setattr(Sandbox, "fork", lambda self, spent, share=share: forks.update([share]) or fork(self, spent))
            found.append(grade_all(handed_in, dataclasses.replace(job, share=share), jobs))
        assert all(not question.closure for verdict in found[1] for question in verdict.questions)
        return *found, forks

    return get


def same(shared, own):
    """Are verdicts the same, but for the time that they took and the closures?"""
    def bare(verdict):
        return dataclasses.replace(verdict, seconds=0, questions=tuple(dataclasses.replace(it, closure="") for it in verdict.questions),
                                   outputs=dict(verdict.outputs))
    return list(map(bare, shared)) == list(map(bare, own))


def test_what_many_hand_in_is_run_once_for_them_and_gives_everybody_the_same(graded):
    wrong = "def double(x):\n    return x * x  # {}\n"
    cells = {f"s{number:02}": {"double": DOUBLE if number % 2 else wrong.format(number), "quadruple": QUADRUPLE}
             for number in range(8)} | {"own": {"double": "def double(x):\n    return x + x\n", "quadruple": QUADRUPLE}, "blank": {}}
    shared, own, forks = graded(cells)
    assert same(shared, own)
    assert {verdict.score for verdict in shared} == {0, 50, 100}
    # A process each, in which it is read, and one for each of the two answers of the second of each kind.
    assert forks[False] == 10 and forks[True] == 10 + 2 * 2
    digests = Counter(question.closure for verdict in shared for question in verdict.questions)
    assert sorted(digests.values()) == [1, 1, 2, 4, 4, 4, 4]  # the blank notebook's two have none


def test_several_jobs_share_as_well(graded):
    cells = {f"s{number}": {"double": DOUBLE, "quadruple": QUADRUPLE} for number in range(4)}
    shared, own, _ = graded(cells, jobs=2)
    assert same(shared, own) and {verdict.score for verdict in shared} == {100}


def test_what_one_student_spoils_is_that_students_alone(graded):
    spoiler = {"double": DOUBLE, "quadruple": "def quadruple(x):\n    nn = tf\n    nn.add = None\n    double.__defaults__\n    return x\n"}
    sly = {"double": DOUBLE, "quadruple": "def quadruple(x):\n    f = double\n    f.spoilt = True\n    return double(double(x))\n"}
    helped = "def double(x):\n    return 3 * x if spoilt(double) else 2 * x\n\ndef spoilt(f):\n    return hasattr(f, 'spoilt')\n"
    cells = {"a": {"double": helped, "quadruple": sly["quadruple"]}, "b": {"double": helped, "quadruple": sly["quadruple"]}} | \
        {name: {"double": helped, "quadruple": QUADRUPLE} for name in ("c", "d", "e")} | {"f": spoiler, "g": sly}
    shared, own, _ = graded(cells)
    assert {verdict.student: verdict.score for verdict in own}["a"] < 100
    assert all(verdict.score == 100 for verdict in shared if verdict.student in "cdeg")


def test_an_answer_that_costs_less_than_a_process_is_run_for_everybody(graded):
    _, _, forks = graded({f"s{number}": {"double": DOUBLE, "quadruple": QUADRUPLE} for number in range(3)}, worth=100)
    assert forks[True] == forks[False] == 3


def test_a_verdict_that_quotes_a_line_is_not_shared(graded):
    raises = "def double(x):\n    return np.zeros(3) @ np.zeros(4){}\n"
    shared, own, _ = graded({f"s{number}": {"double": raises.format("  # mine" * number), "quadruple": QUADRUPLE}
                             for number in range(4)})
    assert same(shared, own)
    said = [verdict.questions[0].message for verdict in shared]
    assert "mine" not in said[0] and all("# mine" in text for text in said[1:])


@pytest.mark.corpus
@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_a_whole_class_gets_the_same_with_and_without(course, assignment, tmp_path, monkeypatch):
    """Every mistake of the assignment, each twice: the second with comments, and beside others' answers."""
    monkeypatch.setattr(sharing, "WORTH", 0.02)
    key = load(course.key(assignment))
    samples.write_class(samples.sample_class(course, assignment), tmp_path, assignment)
    job = Job(key, course.skeleton(assignment), tuple(course.released_files(assignment)), course.limits)
    shared, own = (grade_all(find_submissions(tmp_path, assignment)[0], dataclasses.replace(job, share=share), 2)
                   for share in (True, False))
    assert same(shared, own)
