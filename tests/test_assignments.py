"""Every assignment from outside: whole notebooks through the whole grader."""

import inspect
import json
import re

import nbformat
import numpy as np
import pytest
import test_a4_cross_entropy as a4
import test_a8_attention as a8
from conftest import ASSIGNMENTS

from autograder import samples
from autograder.batch import Job, find_submissions, grade_all
from autograder.key import load
from autograder.lesson import read_lesson, solved_notebook
from autograder.question import load_questions
from autograder.report.html import student_page
from autograder.report.json import results
from autograder.sandbox import Limits

LIMITS = Limits(cell_seconds=15, case_seconds=15, submission_seconds=300)
SLOW = ("endless-cell", "endless-answer")  # tests/test_grade.py has them, with shorter limits


@pytest.fixture(scope="module")
def graded(course, tmp_path_factory):
    """`graded(assignment, samples)` -> the JSON's submissions by student, with a page each."""

    def grade(assignment, made):
        folder = tmp_path_factory.mktemp("submitted")
        samples.write_class(made, folder, assignment)
        key = load(course.key(assignment))
        job = Job(key, course.skeleton(assignment), tuple(course.released_files(assignment)), LIMITS)
        verdicts = grade_all(find_submissions(folder, assignment)[0], job, 1)
        data = json.loads(json.dumps(results(verdicts, key)))["submissions"]
        pages = {verdict.student: student_page(verdict, assignment) for verdict in verdicts}
        return {submission["student"]: {**submission, "page": pages[submission["student"]]} for submission in data}

    return grade


def everyone_gets_what_they_earned(made, submissions, key):
    for sample in made:
        submission = submissions[sample.student]
        if sample.misconception is None:
            continue
        named = {question["name"]: question["misconception"] for question in submission["questions"] if question["misconception"]}
        assert named == {sample.question: sample.misconception}, sample.student
        own = next(question for question in submission["questions"] if question["name"] == sample.question)
        assert own["score"] < own["max_score"], sample.student
        hint = next(question for question in key.questions if question.name == sample.question).hints[sample.misconception]
        assert hint in own["message"]
    by_name = {name: submission["score"] for name, submission in submissions.items()}
    assert by_name["all-right"] == by_name["duplicated-cells"] == by_name["prints-in-its-cell"] == 100
    assert all(question["status"] == "missing" and question["score"] == 0 for question in submissions["blank"]["questions"])
    first = key.questions[0]
    for name in ("syntax-error", "raises-at-import", "ends-python", "kills-itself", "prints-a-megabyte", "returns-none"):
        lost = [question["name"] for question in submissions[name]["questions"] if question["score"] < question["max_score"]]
        assert first.name in lost and by_name[name] >= 100 - first.max_score - sum(
            question.max_score for question in key.questions if first.name in question.uses), name
    for name in ("not-json", "not-a-notebook", "empty-file", "no-notebook"):
        assert submissions[name]["status"] == "unreadable" and "\n" not in submissions[name]["error"]
    half = {question["name"]: question["status"] for question in submissions["half-finished"]["questions"]}
    assert set(half.values()) == {"passed", "missing"}


def numbers(value):
    """Every number of a case's hidden inputs or expected values that is telling: not a small whole number."""
    arrays = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
    found = set()
    for item in arrays:
        if isinstance(item, (dict, list)):
            found |= numbers(item)
        elif isinstance(item, (float, np.ndarray)) and not isinstance(item, bool):
            found |= {f"{abs(x):.4g}" for x in np.ravel(np.asarray(item, float)) if x != round(x)}
    return {text for text in found if len(text.replace(".", "").strip("0")) >= 4}  # four digits are no coincidence


def feedback_tells_nothing(submissions, key):
    hidden = set()
    for question in key.questions:
        for case in question.cases:
            if not case.visible:
                hidden |= numbers(case.inputs) | numbers(case.expected)
    assert len(hidden) > 100
    for submission in submissions.values():
        text = json.dumps(submission["questions"]) + re.sub(r"<style>.*?</style>|style=\".*?\"", "", submission["page"], flags=re.S)
        shown = {f"{abs(float(number)):.4g}" for number in re.findall(r"\d+\.\d+(?:e-?\d+)?", text)}
        assert not shown & hidden, (submission["student"], shown & hidden)


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_a_whole_class_gets_what_it_earned_and_learns_no_hidden_value(course, graded, assignment):
    made = [sample for sample in samples.sample_class(course, assignment) if sample.student not in SLOW]
    assert len(made) >= 24
    submissions = graded(assignment, made)
    key = load(course.key(assignment))
    everyone_gets_what_they_earned(made, submissions, key)
    feedback_tells_nothing(submissions, key)


def rewritten(course, assignment, answers, helpers=()):
    """The solved notebook with other answers, functions and classes from the tests, and helper cells of the student's own."""
    folder = course.solution(assignment)
    notebook = solved_notebook(read_lesson(folder), load_questions(folder))
    for name, answer in answers.items():
        source = f"{inspect.getsource(answer)}\n\n{name} = {answer.__name__}"
        notebook = samples.edited(notebook, name, lambda _, source=source: source)
    first = next(i for i, cell in enumerate(notebook.cells) if cell.id in answers)
    for source in (f"import keras\nimport math\nimport scipy.special\nDENSE = {a8.DENSE!r}", *map(inspect.getsource, helpers)):
        notebook.cells.insert(first, nbformat.v4.new_code_cell(source))
        first += 1
    return json.dumps(notebook)


def test_correct_answers_written_differently_get_everything(course, graded):
    styles = {}
    for name, answer in a4.WRITTEN_DIFFERENTLY:
        styles.setdefault(answer.__name__.rsplit("_", 1)[1], {})[name] = getattr(answer, "python_function", answer)
    assert {style: len(answers) for style, answers in styles.items()} == {"numpy": 6, "keras": 6, "graph": 6}
    made = [samples.Sample(style, rewritten(course, "a4_cross_entropy", answers)) for style, answers in styles.items()]
    scores = {name: (submission["score"], submission["notes"]) for name, submission in graded("a4_cross_entropy", made).items()}
    assert scores == {style: (100, []) for style in styles}


def test_correct_layers_written_differently_get_everything(course, graded):
    functions = {
        "numpy": (dict(positional_encoding=a8.encoding_in_float32, scaled_dot_product_attention=a8.attention_in_numpy,
                       split_heads=a8.split_in_numpy, merge_heads=a8.merge_in_numpy, MultiHeadAttention=a8.MadeInBuild), ()),
        "ops": (dict(positional_encoding=a8.encoding_with_ops, scaled_dot_product_attention=a8.attention_with_ops,
                     split_heads=a8.split_with_ops, merge_heads=a8.merge_with_ops, MultiHeadAttention=a8.WithOps),
                (a8.attention_with_ops,)),
        "loops": (dict(positional_encoding=a8.encoding_by_assignment), ()),
    }
    made = [samples.Sample(style, rewritten(course, "a8_attention", *parts)) for style, parts in functions.items()]
    scores = {name: (submission["score"], submission["notes"]) for name, submission in graded("a8_attention", made).items()}
    assert scores == {style: (100, []) for style in functions}
