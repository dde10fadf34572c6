"""Written answers: asked in the lesson, graded by a person, never in the way of the automatic points."""

import datetime
import json

import nbformat
import pytest
from conftest import TINY_LESSON, TINY_QUESTIONS, write_tiny

from autograder.authoring.blame import DeclarationError
from autograder.authoring.build import build
from autograder.authoring.lesson import read_lesson, solved_notebook
from autograder.authoring.question import load_questions
from autograder.grading.batch import Job, grade_all
from autograder.grading.key import load
from autograder.report.html import student_page
from autograder.report.json import results
from autograder.report.outline import Outline
from autograder.sandbox.sandbox import Limits

NAME = "a0_doubling"
CELL = '''
# %% [markdown] written="why" points=10
# ### BEGIN SOLUTION
# Because two is even.
# ### END SOLUTION
'''
QUESTIONS = TINY_QUESTIONS.replace("points=40)\ndef random", "points=30)\ndef random")


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    course = write_tiny(tmp_path_factory.mktemp("written"), TINY_LESSON + CELL, QUESTIONS)
    build(course, NAME)
    return course


def test_students_get_a_place_for_text_and_no_model_answer(course):
    notebook = nbformat.read(course.notebook(NAME), as_version=4)
    cell = next(cell for cell in notebook.cells if cell.id == "why")
    assert cell.cell_type == "markdown" and cell.source == "YOUR ANSWER HERE"
    metadata = cell.metadata.nbgrader
    assert (metadata.grade, metadata.solution, metadata.points, metadata.cell_type) == (True, True, 10, "markdown")
    assert "two is even" not in course.notebook(NAME).read_text()


def test_it_counts_in_the_maximum_and_hides_no_automatic_point(course, tmp_path):
    folder = tmp_path / "ada" / NAME
    folder.mkdir(parents=True)
    nbformat.write(solved_notebook(read_lesson(course.solution(NAME)), load_questions(course.solution(NAME))), folder / "doubling.ipynb")
    key = load(course.key(NAME))
    verdicts = grade_all([("ada", folder)], Job(key, course.skeleton(NAME), (), Limits()))
    data = json.loads(json.dumps(results(verdicts, key)))["submissions"][0]
    assert (data["score"], data["max_score"]) == (90, 100)
    assert data["questions"][-1] == {"name": "why", "status": "manual", "score": None, "max_score": 10, "misconception": None, "closure": "",
                                     "cases": [], "message": "A person reads and grades this answer."}
    assert "10 points, by hand" in student_page(verdicts[0], Outline(NAME, NAME), datetime.date(2026, 11, 28))


@pytest.mark.parametrize("old, new, words", [
    ("points=10", "points=0", "whole number above 0"),
    (" points=10", "", "whole number above 0"),
    ("points=10", "points=20", "add up to 100. Received: 110"),
    ("# ### END SOLUTION\n", "", "expected pairs of"),
    ('"why"', '"double"', "two cells"),
])
def test_a_written_answer_that_does_not_fit_is_refused(tmp_path, old, new, words):
    assert old in CELL
    with pytest.raises(DeclarationError, match=words):
        build(write_tiny(tmp_path, TINY_LESSON + CELL.replace(old, new), QUESTIONS), NAME)
