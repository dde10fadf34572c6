"""nbgrader's own commands on this course: an awkward class, the known attacks, and the same numbers everywhere."""

import contextlib
import csv
import json
import logging
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import warnings
from datetime import UTC, datetime, timedelta

import nbformat
import nbgrader_command
import psutil
import pytest
from conftest import ROOT, TINY_LESSON, TINY_QUESTIONS, autograder, first_to, needs_bubblewrap, write_tiny
from nbgrader.preprocessors import AssignLatePenalties, SaveAutoGrades

from autograder.authoring.build import build
from autograder.authoring.course import find_course
from autograder.authoring.lesson import read_lesson, solved_notebook
from autograder.authoring.question import load_questions
from autograder.files import PART
from autograder.grading.key import load
from autograder.grading.verdict import broken
from autograder.nbgrader.autograde import _create
from autograder.nbgrader.export import PointsPerQuestion
from autograder.nbgrader.gradebook import api, record
from autograder.nbgrader.recorder import Recorder
from autograder.report.json import results
from autograder.sandbox.sandbox import Sandbox

NAME = "a0_doubling"
WRITTEN = '''
# %% [markdown]
# Why does doubling twice give four times as much?

# %% [markdown] written="explain" points=10
# ### BEGIN SOLUTION
# Two times two is four.
# ### END SOLUTION
'''
QUESTIONS = TINY_QUESTIONS.replace("points=40)\ndef random", "points=30)\ndef random")
LIMITS = '\n[limits]\ncell_seconds = 5\ncase_seconds = 3\nsubmission_seconds = 60\n'
NAP = f"7531.{os.getpid()}"  # seconds: another test process, which runs the same attack, is not taken for a leak
RIGHT = {"double": "def double(x):\n    return 2 * x", "quadruple": "def quadruple(x):\n    return double(double(x))"}
ENVIRONMENT = dict(os.environ)
pytestmark = [pytest.mark.long, pytest.mark.xdist_group("nbgrader")]  # one process, which need not wait for another's class


def nbgrader(course, *arguments, check=True):
    status, said, complained = nbgrader_command.run(arguments, course.root, ENVIRONMENT)
    assert not check or status == 0, said[-1500:] + complained[-3000:]
    return said + complained


def make_course(root):
    course = write_tiny(root, TINY_LESSON + WRITTEN, QUESTIONS)
    (root / "course.toml").write_text('name = "tiny"\n' + LIMITS)
    shutil.copy(ROOT / "nbgrader_config.py", root)
    return course


def released(course):
    return json.loads(course.notebook(NAME).read_text())


def cell(notebook, name):
    return next(item for item in notebook["cells"] if item.get("id") == name)


def hand_in(course, student, change=lambda notebook: None, *, solved=True, text=None, name="doubling.ipynb", folder="submitted"):
    place = course.root / folder / student / NAME
    place.mkdir(parents=True, exist_ok=True)
    notebook = released(course)
    if solved:
        for question, source in RIGHT.items():
            cell(notebook, question)["source"] = source
    change(notebook)
    (place / name).write_text(json.dumps(notebook) if text is None else text)
    return place


def meta(name, **changes):
    return lambda notebook: cell(notebook, name)["metadata"]["nbgrader"].update(changes)


def source(name, text):
    return lambda notebook: cell(notebook, name).update(source=text)


def without(name):
    return lambda notebook: notebook["cells"].remove(cell(notebook, name))


def added(text, at=0):
    return lambda notebook: notebook["cells"].insert(at, {"cell_type": "code", "id": "mine", "metadata": {}, "outputs": [],
                                                          "execution_count": None, "source": text})


def again(name):
    return lambda notebook: notebook["cells"].append(json.loads(json.dumps(cell(notebook, name))))


def everywhere(**metadata):
    return lambda notebook: [item["metadata"].update(json.loads(json.dumps(metadata))) for item in notebook["cells"]]


# student -> (what is done to a solved notebook, the points it deserves)
AWKWARD = {
    "good": (lambda notebook: None, 90),
    "stderr": (source("double", "import sys\ndef double(x):\n    print('E0000 no GPU', file=sys.stderr)\n    return 2 * x"), 90),
    "half": (source("quadruple", "# YOUR CODE HERE\nraise NotImplementedError()"), 40),
    "wrong": (source("double", "def double(x):\n    return x * x"), 50),
    "dead-kernel": (source("double", "import os\nos._exit(1)"), 0),
    "hang": (source("quadruple", "def quadruple(x):\n    while True:\n        pass"), 40),
    "hang-deaf": (source("quadruple", "import signal\ndef quadruple(x):\n    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))\n"
                                      "    while True:\n        pass"), 40),
    "check-deleted": (without("double-check"), 90),
    "check-edited": (source("double-check", "100.0"), 90),
    "check-doubled": (again("double-check"), 90),
    "answer-doubled": (again("double"), 90),
    "answer-deleted": (without("quadruple"), 40),
    "renamed-grade-id": (meta("double-check", grade_id="triple-check"), 90),
    "renamed-answer-id": (meta("double", grade_id="something else"), 90),
    "retyped-answer": (lambda notebook: cell(notebook, "double").update(cell_type="raw"), 90),
    "retyped-check": (lambda notebook: cell(notebook, "double-check").update(cell_type="markdown"), 90),
    "reordered": (lambda notebook: notebook["cells"].reverse(), 90),
    "empty-metadata": (lambda notebook: [item["metadata"].update(nbgrader={}) for item in notebook["cells"]], 90),
    "schema-4": (lambda notebook: [item["metadata"]["nbgrader"].update(schema_version=4) for item in notebook["cells"]
                                   if "nbgrader" in item["metadata"]], 90),
    "schema-text": (meta("double", schema_version="three"), 90),
    "points-100": (meta("double-check", points=100), 90),
    "points-text": (meta("double-check", points="many"), 90),
    "grade-false": (meta("double-check", grade=False), 90),
    "solution-true": (meta("double-check", solution=True), 90),
    "locked-false": (meta("double-check", locked=False), 90),
    "ids-doubled": (lambda notebook: [item.update(id="same") for item in notebook["cells"]], 90),
    "ids-changed": (lambda notebook: [item.update(id=f"x{i}") for i, item in enumerate(notebook["cells"])], 90),
    "skip-execution": (everywhere(tags=["skip-execution", "hide-input"]), 90),
    "foreign-kernel": (lambda notebook: notebook["metadata"].update(kernelspec={"name": "ir", "language": "R", "display_name": "R"}), 90),
    "colab": (lambda notebook: (notebook["metadata"].update(colab={"provenance": []}, accelerator="GPU"),
                                everywhere(id="aBcDeF", colab={"base_uri": "https://localhost"}, outputId="x")(notebook)), 90),
    "vscode": (lambda notebook: (notebook["metadata"].update(vscode={"interpreter": {"hash": "0"}}),
                                 everywhere(vscode={"languageId": "python"})(notebook)), 90),
    "big-outputs": (lambda notebook: cell(notebook, "double").update(outputs=[
        {"output_type": "stream", "name": "stdout", "text": "x" * 20_000_000}]), 90),
    "own-cells": (added("import numpy as np\nhelper = 3\nprint('here I am')"), 90),
    "own-error": (added("1 / 0"), 90),
    "figure": (added("import matplotlib.pyplot as plt\nplt.plot([1, 2, 3])"), 90),
}
FILES = {"not-json": '{"cells": [', "empty": "", "a-list": "[1, 2]", "binary": "\x00\x01"}
NAMES = ("Ada Lovelace", "O'Brien, Flann", "Ünal Çelik", 'the "great"', "=1+1")
# student -> what the twelve attacks that beat plain nbgrader do; none of them has a right answer
ATTACKS = {
    "attack-skip-tag": everywhere(tags=["skip-execution"]),
    "attack-displayhook": added("import sys\nclass Full(float):\n    def __repr__(self):\n        return '50.0'\n"
                                "sys.displayhook = lambda value: print(Full())\nget_ipython().displayhook = sys.displayhook"),
    "attack-transformer": added("import ast\nclass Strip(ast.NodeTransformer):\n    def visit_Assert(self, node):\n        return ast.Pass()\n"
                                "get_ipython().ast_transformers.append(Strip())"),
    "attack-gradebook": added("import sqlite3, glob\nfor file in glob.glob('/**/gradebook.db', recursive=False) + ['gradebook.db', "
                              "'../../../gradebook.db']:\n    try:\n        c = sqlite3.connect(file)\n"
                              "        c.execute('update grade set manual_score = 50')\n        c.commit()\n    except Exception as e:\n        print(e)"),
    "attack-source": added("import glob\nprint('STOLEN', [open(f).read() for f in glob.glob('/tmp/**/build/source/**/*.ipynb', recursive=True)])"),
    "attack-equal": source("double", "class Any:\n    def __eq__(self, other):\n        return True\n    def __array__(self, *a, **k):\n"
                                     "        return self\ndef double(x):\n    return Any()"),
    "attack-regex": added("import re\nprint('STOLEN', [c for c in In if re.search('expected|assert', c)])"),
    "attack-run-code": added("async def run_code(self, *a, **k):\n    return False\ntype(get_ipython()).run_code = run_code"),
    "attack-environment": added("import os, glob\nprint('STOLEN', [v for k, v in os.environ.items() if 'SECRET' in k], "
                                "[open(f).read() for f in glob.glob('/tmp/**/submitted/good/**/*.ipynb', recursive=True)])"),
    "attack-outlive": added("import subprocess\nsubprocess.Popen(['sleep', '" + NAP + "'], start_new_session=True)"),
}
PLANTED = {"attack-launcher": ("ipykernel_launcher.py", "numpy.py"), "attack-config": ("nbgrader_config.py", "sitecustomize.py")}


@pytest.fixture(scope="module")
def course(shared):
    """A class that has been through plain `nbgrader generate_assignment`, `autograde`, `generate_feedback` and `export`."""
    root = shared / "nbgrader"
    with first_to(root) as mine:
        if mine:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("AUTOGRADER_SECRET", "canary")
                patch.setitem(ENVIRONMENT, "AUTOGRADER_SECRET", "canary")
                put_through_nbgrader(root)
    return find_course(root)


def put_through_nbgrader(root):
    course = make_course(root)
    build(course, NAME)
    before = {path.name: path.read_bytes() for path in course.release(NAME).iterdir()}
    nbgrader(course, "generate_assignment", NAME)
    assert {path.name: path.read_bytes() for path in course.release(NAME).iterdir()} == before  # both make the same release
    for student, (change, _) in AWKWARD.items():
        hand_in(course, student, change)
    hand_in(course, "blank", solved=False)
    for student, text in FILES.items():
        hand_in(course, student, text=text)
    hand_in(course, "renamed", name="my homework.ipynb")
    (course.root / "submitted" / "missing" / NAME).mkdir(parents=True)
    for student in NAMES:
        hand_in(course, student)
    for student, change in ATTACKS.items():
        hand_in(course, student, change, solved=False)
    for student, files in PLANTED.items():
        place = hand_in(course, student, solved=False)
        for file in files:
            (place / file).write_text("raise SystemExit('planted code ran')\n")
    link = hand_in(course, "attack-link", solved=False)
    (link / "data.npz").symlink_to(course.key(NAME))
    (link / "endless").symlink_to("/dev/zero")
    os.mkfifo(link / "pipe")
    late = hand_in(course, "late")
    (late / "timestamp.txt").write_text("2026-01-02 00:00:00 UTC")
    (course.root / "log.txt").write_text(nbgrader(course, "autograde", NAME))
    nbgrader(course, "generate_feedback", NAME)
    nbgrader(course, "export", "--to", "grades.csv")


@pytest.fixture(scope="module")
def scores(course):
    with warnings.catch_warnings(action="ignore"), api(course).gradebook as gradebook:
        return {submission.student.id: submission.score for submission in gradebook.find_assignment(NAME).submissions}


@pytest.mark.parametrize("student", AWKWARD)
def test_everyone_gets_every_deserved_point_and_no_other(scores, student):
    assert scores[student] == AWKWARD[student][1]


def test_there_are_at_least_34_awkward_submissions():
    assert len(AWKWARD) + len(FILES) + len(NAMES) + 4 >= 34


@pytest.mark.parametrize("student", [*FILES, "missing", "blank"])
def test_what_cannot_be_read_is_zero_and_a_line(course, scores, student):
    assert scores[student] == 0
    if student != "blank":
        log = (course.root / "log.txt").read_text()
        lines = [line for line in log.splitlines() if line.split("] ")[-1].startswith(f"{student}: expected")]
        assert len(lines) == 1, lines
        page = (course.root / "feedback" / student / NAME / "doubling.html").read_text()
        assert "Noticed while grading" in page and "expected" in page


def test_a_renamed_notebook_counts_and_is_noticed(course, scores):
    assert scores["renamed"] == 90
    assert "renamed: The notebook is my homework.ipynb; expected doubling.ipynb" in (course.root / "log.txt").read_text()


@pytest.mark.parametrize("student", NAMES)
def test_students_are_called_what_they_are_called(course, scores, student):
    assert scores[student] == 90
    assert (course.root / "feedback" / student / NAME / "doubling.html").is_file()


@needs_bubblewrap
@pytest.mark.parametrize("student", [*ATTACKS, *PLANTED, "attack-link"])
def test_the_attacks_on_plain_nbgrader_gain_nothing(course, scores, student):
    assert scores[student] == 0
    feedback = course.root / "feedback" / student / NAME
    text = (feedback / "doubling.html").read_text()
    for canary in ("the-secret-of-doubling", "canary", "BEGIN SOLUTION"):
        shown = text.replace(json.dumps(ATTACKS.get(student) and ""), "")
        assert canary not in shown, canary
    assert sorted(path.name for path in feedback.iterdir()) == ["doubling.html", "examples.npz"]  # nothing planted or linked came along
    graded = course.root / "autograded" / student / NAME
    assert sorted(path.name for path in graded.iterdir()) == ["doubling.ipynb", "examples.npz"]
    assert [process.pid for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"] == ["sleep", NAP]] == []


def test_the_numbers_are_the_same_everywhere(course, scores):
    """Gradebook, formgrader's interface, feedback pages, the CSV, and `autograder grade`'s JSON."""
    with warnings.catch_warnings(action="ignore"):
        formgrader = {item["student"]: item["score"] for item in api(course).get_submissions(NAME) if item["autograded"]}
    with open(course.root / "grades.csv", newline="", encoding="utf-8") as file:
        rows = {row["student_id"].removeprefix("'"): row for row in csv.DictReader(file)}
    assert grade(course, "--no-gradebook", "--json", "grades.json").returncode == 0
    results = {item["student"]: item for item in json.loads((course.root / "grades.json").read_text())["submissions"]}
    assert set(scores) == set(formgrader) == set(rows) == set(results)
    for student, score in scores.items():
        page = (course.root / "feedback" / student / NAME / "doubling.html").read_text()
        shown = float(re.search(r"Score: ([\d.]+) / 100", page).group(1))
        questions = {question["name"]: question["score"] for question in results[student]["questions"]}
        assert score == formgrader[student] == float(rows[student]["score"]) == results[student]["score"] == shown, student
        for name in ("double", "quadruple"):
            assert float(rows[student][name]) == questions[name], (student, name)


def test_what_a_killed_run_left_of_a_new_gradebook_goes_though_there_is_a_gradebook_by_then(tmp_path):
    (tmp_path / "gradebook.db").write_bytes(b"another run's")
    half = tmp_path / f".gradebook.db.x{PART}"
    half.write_bytes(b"half")
    os.utime(half, (0, 0))
    _create(f"sqlite:///{tmp_path}/gradebook.db", "course")
    assert [path.name for path in tmp_path.iterdir()] == ["gradebook.db"]
    assert (tmp_path / "gradebook.db").read_bytes() == b"another run's"


def test_the_rows_are_those_that_nbgraders_own_steps_write(course, tmp_path):
    """SaveAutoGrades and AssignLatePenalties, on the graded notebooks and a copy of the gradebook that has forgotten their work."""
    def rows():
        joined = ("join submitted_notebook n on n.id = x.notebook_id join submitted_assignment s on s.id = n.assignment_id "
                  "join base_cell c on c.id = x.cell_id")
        with contextlib.closing(sqlite3.connect(copy)) as file:
            return [sorted(file.execute(query)) for query in (
                f"select s.student_id, c.name, auto_score, manual_score, needs_manual_grade from grade x {joined}",
                f"select s.student_id, c.name, auto_comment is null, auto_comment, manual_comment from comment x {joined}",
                "select s.student_id, late_submission_penalty is null from submitted_notebook n join submitted_assignment s on s.id = n.assignment_id")]

    copy = shutil.copy(course.root / "gradebook.db", tmp_path)
    ours = rows()
    with contextlib.closing(sqlite3.connect(copy)) as file:
        for change in ("grade set auto_score = null, needs_manual_grade = 1", "comment set auto_comment = 'forgotten'",
                       "submitted_notebook set late_submission_penalty = 99"):
            file.execute(f"update {change}")
        file.commit()
    assert rows()[0] != ours[0] and len(ours[0]) == 3 * len(ours[2]) > 150
    with warnings.catch_warnings(action="ignore"):
        steps = SaveAutoGrades(), AssignLatePenalties()
        for student, _ in ours[2]:
            notebook = nbformat.read(course.root / "autograded" / student / NAME / "doubling.ipynb", as_version=4)
            names = {"student": student, "assignment": NAME, "notebook": "doubling", "db_url": f"sqlite:///{copy}"}
            for step in steps:
                step(notebook, {"nbgrader": names})
    assert rows() == ours


def test_feedback_shows_verdicts_figures_and_outputs_but_nothing_hidden(course):
    def page(student):
        return (course.root / "feedback" / student / NAME / "doubling.html").read_text()

    assert "You square: add the number to itself." in page("wrong") and "Random numbers." in page("wrong")
    assert "data:image/png;base64" in page("figure") and "here I am" in page("own-cells")
    assert "ZeroDivisionError" in page("own-error")
    for student in ("wrong", "hang", "dead-kernel", "own-error"):
        text = re.sub(r"<style.*?</style>|<script.*?</script>", "", page(student), flags=re.S)
        assert "autograder/" not in text and "Traceback" not in text
        assert "the-secret-of-doubling" not in page(student)


def test_autograde_again_takes_everything_from_the_cache(course, tmp_path):
    course = find_course(shutil.copytree(course.root, tmp_path / "course", symlinks=True, ignore=shutil.ignore_patterns("pipe")))
    log = nbgrader(course, "autograde", NAME, "--force", "--student", "good")
    assert "good: 90 of 100" in log
    files = {path: path.stat().st_mtime_ns for path in course.cache(NAME).iterdir()}
    nbgrader(course, "autograde", NAME, "--force")
    assert {path: path.stat().st_mtime_ns for path in course.cache(NAME).iterdir()} == files


# ---------------------------------------------------------------------------------------------------- people, dates, commands


@pytest.fixture(scope="module")
def registered(tmp_path_factory):
    """A course that is built and has an empty gradebook, which takes nbgrader longer than grading anybody."""
    course = make_course(tmp_path_factory.mktemp("registered"))
    build(course, NAME)
    with warnings.catch_warnings(action="ignore"), api(course).gradebook:
        pass
    return course


@pytest.fixture
def small(registered, tmp_path, warm):
    return find_course(shutil.copytree(registered.root, tmp_path / "small"))


def grade(course, *arguments):
    with warnings.catch_warnings(action="ignore"):
        return autograder("grade", NAME, *arguments, cwd=course.root)


def table(path):
    with open(path, newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def test_a_persons_points_comments_and_extra_credit_survive_grading_again(small):
    place = hand_in(small, "ada", source("explain", "Because."))
    done = grade(small)
    assert done.returncode == 0 and "gradebook" in done.stdout, done.stderr
    with warnings.catch_warnings(action="ignore"):
        interface = api(small)
        with interface.gradebook as gradebook:
            submission = gradebook.find_submission(NAME, "ada")
            assert submission.score == 90 and submission.needs_manual_grade  # the answer waits, and hides no other point
            explain = gradebook.find_grade("explain", "doubling", NAME, "ada")
            assert explain.auto_score is None and explain.needs_manual_grade and explain.max_score == 10
            explain.manual_score, explain.needs_manual_grade = 7, False
            double = gradebook.find_grade("double-check", "doubling", NAME, "ada")
            double.extra_credit = 2
            gradebook.find_comment("explain", "doubling", NAME, "ada").manual_comment = "Say more."
            gradebook.db.commit()
        notebook = json.loads((place / "doubling.ipynb").read_text())
        cell(notebook, "quadruple")["source"] = "def quadruple(x):\n    return x"
        (place / "doubling.ipynb").write_text(json.dumps(notebook))
        grade(small)
        with interface.gradebook as gradebook:
            submission = gradebook.find_submission(NAME, "ada")
            assert submission.score == 40 + 7 + 2
            assert gradebook.find_comment("explain", "doubling", NAME, "ada").comment == "Say more."
    assert json.loads((small.root / "build" / "results" / f"{NAME}.json").read_text())["submissions"][0]["score"] == 40


def test_an_unwritten_answer_gets_zero_and_waits_for_nobody(small):
    hand_in(small, "ada")
    grade(small)
    with warnings.catch_warnings(action="ignore"), api(small).gradebook as gradebook:
        explain = gradebook.find_grade("explain", "doubling", NAME, "ada")
        assert explain.auto_score == 0 and not explain.needs_manual_grade


def test_what_could_not_be_graded_is_no_zero_anywhere_and_takes_nothing_away(small, monkeypatch):
    def refuse(*_):
        raise AssertionError("the class has been graded")

    hand_in(small, "ada")
    hand_in(small, "bob", source("explain", "Because."))
    grade(small)
    hand_in(small, "cy", added("mine = 1"))
    monkeypatch.setattr(Sandbox, "fork", refuse)
    verdicts = [broken(student, load(small.key(NAME)), "no worker today") for student in ("ada", "cy")]
    graded = (small.root / "autograded" / "ada" / NAME / "doubling.ipynb").read_bytes()
    assert [record(small, NAME, small.root / "submitted", verdicts, logging.getLogger("test")) for _ in range(2)] == [1, 0]
    assert (small.root / "autograded" / "ada" / NAME / "doubling.ipynb").read_bytes() == graded
    with warnings.catch_warnings(action="ignore"), api(small).gradebook as gradebook:
        def double(student):
            row = gradebook.find_grade("double-check", "doubling", NAME, student)
            return row.auto_score, row.needs_manual_grade

        assert double("ada") == (40, True) and double("bob") == (40, False)
        assert gradebook.average_assignment_score(NAME) == 90  # cy's nothing is not among them
        gradebook.update_or_create_student("dora")
        in_formgrader = {item["student"]: (item["autograded"], item["needs_manual_grade"]) for item in api(small).get_submissions(NAME)}
    assert in_formgrader == {"ada": (True, True), "bob": (True, True), "cy": (False, False)}  # "needs autograding", and no score
    shown = json.loads((small.root / "build" / "results" / f"{NAME}.json").read_text())
    shown["submissions"] += results(verdicts[1:], load(small.key(NAME)))["submissions"]
    (small.root / "with-cy.json").write_text(json.dumps(shown))
    done = autograder("export", "csv", "with-cy.json", "--to", "table.csv", cwd=small.root)
    assert "2 not final, because a person has yet to look at some of it: ada (double, quadruple); bob (explain)" in done.stdout, done
    assert [(row["student"], row["status"], row["score"], row["double"]) for row in table(small.root / "table.csv")] == [
        ("ada", "by hand outstanding", "90", "40"), ("bob", "by hand outstanding", "90", "40"), ("cy", "ungraded", "", ""),
        ("dora", "not submitted", "", "")]
    with warnings.catch_warnings(action="ignore"):
        plugin = PointsPerQuestion(parent=api(small), to=str(small.root / "grades.csv"))
        with api(small).gradebook as gradebook:
            plugin.export(gradebook)
    assert [(row["student_id"], row["status"], row["score"], row["double"]) for row in table(small.root / "grades.csv")] == [
        ("ada", "by hand outstanding", "90.0", "40.0"), ("bob", "by hand outstanding", "90.0", "40.0"), ("cy", "ungraded", "", ""),
        ("dora", "not submitted", "0.0", "")]
    with warnings.catch_warnings(action="ignore"):  # formgrader's button
        assert api(small).autograde(NAME, "ada")["success"]
        tried = api(small).autograde(NAME, "cy")
        assert not tried["success"] and "1 submission could not be graded, by no fault of the students: cy" in tried["log"]
        with api(small).gradebook as gradebook:
            assert gradebook.find_grade("double-check", "doubling", NAME, "ada").needs_manual_grade is False
            assert [item.student.id for item in gradebook.assignment_submissions(NAME)] == ["ada", "bob"]


def test_grade_books_get_the_points_that_count(small):
    """By a person, extra, and less what being late costs; that results are newer than the gradebook, or all there is, is said."""
    def exported():
        done = autograder("export", "canvas", f"build/results/{NAME}.json", "--template", "canvas.csv", "--to", "filled.csv", cwd=small.root)
        assert done.returncode == 0, done
        return [row[f"{NAME} (4711)"] for row in table(small.root / "filled.csv")][1:], done.stdout

    (small.root / "canvas.csv").write_text(
        f"Student,ID,SIS User ID,SIS Login ID,Section,{NAME} (4711)\n    Points Possible,,,,,100\n" + "".join(
            f"{student},{number},,{student},A,\n" for number, student in enumerate(("ada", "bob", "cy"))))
    for student in ("ada", "bob"):
        hand_in(small, student, source("explain", "Because."))
    hand_in(small, "cy", text="{")
    grade(small, "--no-gradebook")
    points, said = exported()
    assert points == ["90", "90", "0"] and "no gradebook that has" in said and "2 not final" in said
    grade(small)
    with warnings.catch_warnings(action="ignore"), api(small).gradebook as gradebook:
        explain = gradebook.find_grade("explain", "doubling", NAME, "ada")
        explain.manual_score, explain.extra_credit, explain.needs_manual_grade = 7.5, 1, False
        gradebook.find_submission_notebook("doubling", NAME, "ada").late_submission_penalty = 4
        gradebook.db.commit()
    points, said = exported()
    assert points == ["94.5", "90", "0"] and "points: nbgrader's gradebook" in said and "1 not final" in said and "bob (explain)" in said
    hand_in(small, "ada", source("double", "def double(x):\n    return x"))
    grade(small, "--no-gradebook")
    points, said = exported()
    assert points == ["94.5", "90", "0"] and "1 graded otherwise since, and not recorded: with the gradebook's points: ada" in said


def test_what_is_recorded_is_written_again_only_when_something_of_it_changed(small):
    def recorded():
        done = grade(small)
        assert done.returncode == 0, done.stderr
        return re.search(r"gradebook: (.*) ·|gradebook: (.*)", done.stdout).group(0)

    for student in ("ada", "bob"):
        hand_in(small, student)
    assert recorded() == "gradebook: 2 recorded ·"
    pages = {path: path.stat().st_mtime_ns for path in (small.root / "autograded").rglob("*.ipynb")}
    assert len(pages) == 2
    assert recorded().startswith("gradebook: 0 of 2 recorded")
    assert {path: path.stat().st_mtime_ns for path in pages} == pages
    hand_in(small, "bob", source("double", "def double(x):\n    return x * x"))
    assert recorded().startswith("gradebook: 1 of 2 recorded")
    with warnings.catch_warnings(action="ignore"), api(small).gradebook as gradebook:
        gradebook.find_grade("double-check", "doubling", NAME, "ada").auto_score = 3
        gradebook.db.commit()
    assert recorded().startswith("gradebook: 1 of 2 recorded")
    with warnings.catch_warnings(action="ignore"), api(small).gradebook as gradebook:
        assert gradebook.find_submission(NAME, "ada").score == 90 and gradebook.find_submission(NAME, "bob").score == 50
    (small.root / "gradebook.db").unlink()
    assert recorded() == "gradebook: 2 recorded ·"


def test_a_run_that_is_ended_while_recording_loses_nothing_and_leaves_nothing(small, monkeypatch):
    for student in ("ada", "bob"):
        hand_in(small, student)
    write = Recorder._write_files

    def end_at_bob(self, entry):
        if entry.rows.student == "bob":
            graded = small.root / "autograded" / "bob" / NAME
            graded.mkdir(parents=True)
            (graded / ".doubling.ipynb.x7").write_text("half of it")
            raise KeyboardInterrupt
        write(self, entry)

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "_write_files", end_at_bob)
        done = grade(small)
    assert done.returncode == 130 and "stopped: 1 of 2 submissions are not recorded" in done.stderr, done
    with warnings.catch_warnings(action="ignore"), api(small).gradebook as gradebook:
        assert {row.student.id: row.score for row in gradebook.assignment_submissions(NAME)} == {"ada": 90, "bob": 90}
    done = grade(small)
    assert done.returncode == 0 and "gradebook: 1 of 2 recorded" in done.stdout, done
    for student in ("ada", "bob"):
        files = sorted(path.name for path in (small.root / "autograded" / student / NAME).iterdir())
        assert files == ["doubling.ipynb", "examples.npz"]


def test_what_is_wrong_with_one_submissions_record_costs_nobody_else_any(small, monkeypatch):
    for student in ("ada", "bob", "cy"):
        hand_in(small, student)
    (small.root / "penalties.py").write_text(
        "from nbgrader.plugins import BasePlugin\n\nclass Picky(BasePlugin):\n"
        "    def late_submission_penalty(self, student_id, score, total_seconds_late):\n        return 1 / (student_id == 'cy')\n")
    with open(small.root / "nbgrader_config.py", "a") as file:
        file.write("c.AssignLatePenalties.plugin_class = 'penalties.Picky'\n")
    for student in ("bob", "cy"):
        (small.root / "submitted" / student / NAME / "timestamp.txt").write_text("2026-01-02 00:00:00 UTC")
    (small.root / "submitted" / "ada" / NAME / "timestamp.txt").write_text("the day after tomorrow")
    with warnings.catch_warnings(action="ignore"), api(small).gradebook as gradebook:
        gradebook.update_or_create_assignment(NAME, duedate=datetime(2026, 1, 1))
    done = grade(small)
    assert done.returncode == 1 and done.stderr.splitlines() == [
        "ada: timestamp.txt holds no date that nbgrader can read: the submission counts as handed in without one.",
        "autograder: 1 submission could not be recorded, all others are: bob: ZeroDivisionError: division by zero"], done.stderr
    with warnings.catch_warnings(action="ignore"), api(small).gradebook as gradebook:
        rows = {row.student.id: row.notebooks[0].late_submission_penalty for row in gradebook.assignment_submissions(NAME)}
        in_formgrader = {item["student"]: item["timestamp"] for item in api(small).get_submissions(NAME)}
    assert rows == {"ada": None, "cy": 1.0} and in_formgrader["ada"] is None and in_formgrader["cy"] == "2026-01-02T00:00:00"


def test_a_gradebook_that_cannot_be_written_is_one_line(small):
    with open(small.root / "nbgrader_config.py", "a") as file:
        file.write("c.CourseDirectory.db_url = f'sqlite:///{c.CourseDirectory.root}/gradebook.db?timeout=0.1'\n")
    place = hand_in(small, "ada")
    grade(small)
    (place / "timestamp.txt").write_text("2026-01-02 00:00:00 UTC")
    with contextlib.closing(sqlite3.connect(small.root / "gradebook.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        done = grade(small)
    assert done.returncode == 1 and done.stderr.strip() == (
        "autograder: expected to read and write the gradebook; its database says: database is locked. What was graded is kept: "
        "run the command again."), done.stderr
    done = grade(small)
    assert done.returncode == 0 and "gradebook: 1 recorded" in done.stdout, done


def test_another_due_date_penalty_or_extension_counts_when_the_class_is_recorded_again(small):
    def penalties():
        done = grade(small)
        assert done.returncode == 0, done.stderr
        with warnings.catch_warnings(action="ignore"), api(small).gradebook as gradebook:
            rows = {row.student.id: row.notebooks[0].late_submission_penalty for row in gradebook.assignment_submissions(NAME)}
        return rows["ada"], rows["bob"], re.search("gradebook: ([^,·]*)", done.stdout).group(1).strip()

    hand_in(small, "ada")
    (hand_in(small, "bob") / "timestamp.txt").write_text("2026-01-02 00:00:00 UTC")
    assert penalties() == (None, None, "2 recorded")
    with warnings.catch_warnings(action="ignore"), api(small).gradebook as gradebook:
        gradebook.update_or_create_assignment(NAME, duedate=datetime(2026, 1, 1))
    assert penalties() == (None, None, "0 of 2 recorded")
    with open(small.root / "nbgrader_config.py", "a") as file:
        file.write("c.LateSubmissionPlugin.penalty_method = 'zero'\n")
    assert penalties() == (None, 90, "1 of 2 recorded")
    with warnings.catch_warnings(action="ignore"), api(small).gradebook as gradebook:
        gradebook.update_or_create_submission(NAME, "bob", extension=timedelta(days=2))
    assert penalties() == (None, None, "1 of 2 recorded")


def test_late_penalties_and_due_dates_are_nbgraders_own(small):
    due = datetime(2026, 1, 1, tzinfo=UTC)
    (small.root / "late.py").write_text(
        "from nbgrader.plugins import BasePlugin\n\nclass PerHour(BasePlugin):\n"
        "    def late_submission_penalty(self, student_id, score, total_seconds_late):\n        return 2.0 * (total_seconds_late // 3600)\n")
    with open(small.root / "nbgrader_config.py", "a") as file:
        file.write("import sys\nsys.path.insert(0, '.')\nc.AssignLatePenalties.plugin_class = 'late.PerHour'\n")
    nbgrader(small, "generate_assignment", NAME)
    with warnings.catch_warnings(action="ignore"), api(small).gradebook as gradebook:
        gradebook.update_or_create_assignment(NAME, duedate=due.replace(tzinfo=None))
        gradebook.update_or_create_student("extended")
        gradebook.update_or_create_submission(NAME, "extended", extension=timedelta(hours=2))
    for student, hours in (("early", -1), ("late", 3), ("extended", 3)):
        place = hand_in(small, student)
        (place / "timestamp.txt").write_text((due + timedelta(hours=hours)).strftime("%Y-%m-%d %H:%M:%S UTC"))
    nbgrader(small, "autograde", NAME)
    nbgrader(small, "export", "--to", "grades.csv")
    with open(small.root / "grades.csv", newline="") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert (rows["early"]["score"], rows["early"]["late_submission_penalty"]) == ("90.0", "0.0")
    assert (rows["late"]["raw_score"], rows["late"]["late_submission_penalty"], rows["late"]["score"]) == ("90.0", "6.0", "84.0")
    assert (rows["extended"]["late_submission_penalty"], rows["extended"]["score"]) == ("2.0", "88.0")


def test_validate_passes_a_right_notebook_and_fails_a_wrong_one_with_our_words(small, tmp_path):
    folder = shutil.copytree(small.release(NAME), tmp_path / "student")
    solved = solved_notebook(read_lesson(small.solution(NAME)), load_questions(small.solution(NAME)))
    nbformat.write(solved, folder / "doubling.ipynb")
    run = dict(cwd=folder, capture_output=True, text=True, env=ENVIRONMENT, timeout=300)
    right = subprocess.run([sys.executable, "-m", "nbgrader", "validate", "doubling.ipynb"], **run)
    assert "Success! Your notebook passes all the tests." in right.stdout, right.stdout + right.stderr
    next(item for item in solved.cells if item.id == "double").source = "def double(x):\n    return x * x"
    nbformat.write(solved, folder / "doubling.ipynb")
    wrong = subprocess.run([sys.executable, "-m", "nbgrader", "validate", "doubling.ipynb"], **run)
    assert "VALIDATION FAILED" in wrong.stdout and "You square: add the number to itself." in wrong.stdout


def test_zip_collect_unpacks_a_download_and_autograde_takes_it(small):
    archive = small.root / "downloaded" / NAME / "archive"
    archive.mkdir(parents=True)
    place = hand_in(small, "ada", folder="elsewhere")
    shutil.copy(place / "doubling.ipynb", archive / "ada_doubling.ipynb")
    with open(small.root / "nbgrader_config.py", "a") as file:
        file.write(r"c.FileNameCollectorPlugin.named_regexp = r'.*/(?P<student_id>\w+)_(?P<file_id>doubling)\.ipynb'" + "\n")
    nbgrader(small, "generate_assignment", NAME)
    nbgrader(small, "zip_collect", NAME)
    assert (small.root / "submitted" / "ada" / NAME / "doubling.ipynb").is_file()
    assert "ada: 90 of 100" in nbgrader(small, "autograde", NAME)


def test_before_anything_is_built_the_error_is_one_line(tmp_path):
    course = make_course(tmp_path)
    for command in ("generate_assignment", "autograde"):
        said = nbgrader(course, command, NAME, check=False).strip()
        assert said.splitlines()[-1] == (f"autograder: expected {NAME} to be built; found no key or no nbgrader source. "
                                         f"Run `autograder build {NAME}`."), said
        assert len(said.splitlines()) == 1, said


def test_a_setup_cell_can_be_corrected_while_submissions_exist(small):
    hand_in(small, "ada")
    assert grade(small).returncode == 0
    lesson = small.solution(NAME) / "lesson.py"
    lesson.write_text(lesson.read_text().replace("import numpy as np\n", "import numpy as np\n\nlimit = 3\n"))
    build(small, NAME)
    done = grade(small)
    assert done.returncode == 0, done.stderr
    with warnings.catch_warnings(action="ignore"), api(small).gradebook as gradebook:
        assert gradebook.find_submission(NAME, "ada").score == 90


# ---------------------------------------------------------------------------------------------------- PostgreSQL


def postgres():
    found = shutil.which("initdb") or next(iter(sorted(map(str, __import__("pathlib").Path("/usr/lib/postgresql").glob("*/bin/initdb")))), None)
    return found and os.path.dirname(found)


@pytest.mark.skipif(postgres() is None, reason="no PostgreSQL server is installed")
@pytest.mark.skipif(os.getuid() == 0 and shutil.which("setpriv") is None, reason="PostgreSQL does not run as root, and setpriv is missing")
def test_the_gradebook_may_be_postgresql_also_of_a_second_submission_that_is_late(small, tmp_path_factory):
    pytest.importorskip("psycopg", reason="no PostgreSQL driver is installed")
    place = tmp_path_factory.mktemp("postgres")
    as_user = []
    if os.getuid() == 0:
        as_user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        os.chown(place, 65534, 65534)
        for parent in place.parents:
            if parent.is_relative_to("/tmp") and str(parent) != "/tmp":
                parent.chmod(parent.stat().st_mode | 0o711)
    data, port = place / "data", "54329"
    run = dict(check=True, capture_output=True, timeout=120, cwd=place)
    subprocess.run([*as_user, f"{postgres()}/initdb", "-D", str(data), "-U", "grader", "--auth=trust"], **run)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={place} -c fsync=off"
    subprocess.run([*as_user, f"{postgres()}/pg_ctl", "-D", str(data), "-o", options, "-w", "-l", str(place / "log"), "start"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120, cwd=place)
    try:
        with open(small.root / "nbgrader_config.py", "a") as file:
            file.write(f"c.CourseDirectory.db_url = 'postgresql+psycopg://grader@127.0.0.1:{port}/postgres'\n")
            file.write("c.CourseDirectory.course_id = 'course'\n")  # unlike SQLite, PostgreSQL insists on one
            file.write("c.LateSubmissionPlugin.penalty_method = 'zero'\n")
        (small.root / "gradebook.db").unlink()
        hand_in(small, "ada")
        done = grade(small)
        assert done.returncode == 0, done.stderr
        with warnings.catch_warnings(action="ignore"), api(small).gradebook as gradebook:
            assert gradebook.find_submission(NAME, "ada").score == 90
            gradebook.update_or_create_assignment(NAME, duedate=datetime(2026, 1, 1))
        second = hand_in(small, "ada", source("quadruple", "def quadruple(x):\n    return x"))
        (second / "timestamp.txt").write_text("2026-01-02 00:00:00 UTC")
        assert "gradebook: 1 recorded" in grade(small).stdout
        with warnings.catch_warnings(action="ignore"), api(small).gradebook as gradebook:
            ada = gradebook.find_submission(NAME, "ada")
            assert (ada.score, ada.total_seconds_late, ada.notebooks[0].late_submission_penalty) == (40, 86400, 40)
        assert not (small.root / "gradebook.db").exists()
    finally:
        subprocess.run([*as_user, f"{postgres()}/pg_ctl", "-D", str(data), "-m", "immediate", "stop"], capture_output=True, cwd=place)
