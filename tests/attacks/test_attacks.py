"""Hostile notebooks gain no point, see no secret, harm nobody and stop nothing.

Each is graded as a whole file in a sandbox that then grades an honest notebook, whose verdict must be the same as ever. The suite
runs as the present user and, when that is root, once more as an ordinary user.
"""

import ast
import contextlib
import datetime
import functools
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import hostile
import nbformat
import psutil
import pytest
from conftest import ROOT, needs_bubblewrap, open_closed_parents, sandboxed, write_tiny

from autograder.authoring import samples
from autograder.authoring.build import build
from autograder.authoring.lesson import read_lesson, solved_notebook
from autograder.authoring.question import load_questions
from autograder.grading.batch import Job, find_submissions, grade_all, grade_one
from autograder.grading.cache import Cache
from autograder.grading.key import load
from autograder.report.html import student_page
from autograder.report.json import results
from autograder.report.outline import Outline
from autograder.sandbox.isolation import obstacle
from autograder.sandbox.sandbox import Limits

NAME = "a0_doubling"
LIMITS = Limits(cell_seconds=3, case_seconds=1, submission_seconds=20, memory_megabytes=400, scratch_megabytes=64, processes=80)
NAP = f"8642.{os.getpid()}"  # seconds: another test process, which runs the same attack, is not taken for a leak
BY_NAME = {attack.name: attack for attack in hostile.ATTACKS}
CANARIES = ("canary-of-bob", "canary-in-the-environment", "canary-in-the-secret", "the-secret-of-doubling", "You square", "You triple")
ORDINARY = "KIT_ORDINARY_USER" in os.environ  # this is the run as an ordinary user
needs_landlock = pytest.mark.skipif(obstacle("landlock") is not None, reason=f"landlock cannot isolate here: {obstacle('landlock')}")
pytestmark = needs_bubblewrap


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course with something to steal in every place."""
    root = tmp_path_factory.mktemp("course")
    course = write_tiny(root)
    (root / ".autograder_secret").write_text("canary-in-the-secret\n")
    build(course, NAME)
    bob = root / "submitted" / "bob" / NAME
    bob.mkdir(parents=True)
    notebook = samples.edited(solved(course), "double", lambda source: source + "\n# canary-of-bob")
    nbformat.write(notebook, bob / "doubling.ipynb")
    (root / "gradebook.db").write_bytes(b"canary-of-bob")
    return course


def solved(course):
    folder = course.solution(NAME)
    return solved_notebook(read_lesson(folder), load_questions(folder))


def job(course, isolation="bubblewrap"):
    return Job(load(course.key(NAME)), course.skeleton(NAME), tuple(course.released_files(NAME)), LIMITS, isolation, (course.root,))


def written(course, attack):
    """The attack as a student's directory."""
    notebook = solved(course)
    for name, source in attack.cells.items():
        notebook = samples.edited(notebook, name, lambda _, source=source: source)
    if attack.cell:
        notebook.cells.insert(1, nbformat.v4.new_code_cell(attack.cell.replace("8642", NAP)))
    return hand_in(course, attack.name, notebook)


def hand_in(course, student, notebook):
    folder = course.root / "submitted" / student / NAME
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "doubling.ipynb").write_text(notebook if isinstance(notebook, str) else json.dumps(notebook))
    return folder


def everywhere(names, walls=lambda name: False):
    """Each with both levels, each level in one process; where the walls have nothing to do with it, the second level and the second user are for the corpora."""
    corpus = pytest.mark.corpus
    return pytest.mark.parametrize("level, name", [
        pytest.param(level, name, marks=[pytest.mark.xdist_group(level), *([needs_landlock] if level == "landlock" else ()),
                                         *([corpus] if (ORDINARY or level == "landlock") and not walls(name) else ())],
                     id=f"{level}-{name}")
        for level in ("bubblewrap", "landlock") for name in names])


@pytest.fixture(scope="module")
def gradings(course):
    """`gradings(level)` -> what `graded` gives, with one sandbox for all tests of a level."""
    with contextlib.ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOGRADER_SECRET", "canary-in-the-environment")
        yield functools.cache(lambda level: stack.enter_context(grading(course, level)))


@pytest.fixture
def graded(gradings, level):
    """`graded(student, folder)` -> the verdict, after which an honest notebook has got its 100."""
    return gradings(level)


@contextlib.contextmanager
def grading(course, level):
    work = job(course, level)
    nothing = Cache(None, work.key, (), LIMITS, level)
    honest = hand_in(course, "honest", solved(course))
    with sandboxed(work.files, LIMITS, level, (course.root,)) as sandbox:

        def grade(student, folder):
            verdict = grade_one(student, folder, work, sandbox, nothing)
            after = grade_one("honest", honest, work, sandbox, nothing)
            assert (after.score, after.notes, after.error) == (100, (), None), (student, after)
            assert {question.message for question in after.questions} == {"All cases are right."}
            return verdict

        yield grade
        left = len(psutil.Process(sandbox.parent.process.pid).children(recursive=True))
    # As before the first submission: the worker, and bubblewrap's first process in its namespace with the warm parent in it.
    assert left == (3 if level == "bubblewrap" else 1)
    assert not [process for process in psutil.process_iter(["cmdline"]) if NAP in (process.info["cmdline"] or [])]


def what_is_shown(verdict, key):
    return json.dumps(results([verdict], key)) + student_page(verdict, Outline(NAME, NAME), datetime.date(2026, 11, 28)) + json.dumps(verdict.outputs)


# Behind landlock a disk may take minutes to remove many directories; test_confine has some there, too.
@everywhere(BY_NAME, lambda name: BY_NAME[name].walls and name != "inode_bomb")
def test_an_attack_gains_nothing_sees_nothing_and_harms_nobody(course, graded, name):
    attack = BY_NAME[name]
    start = time.monotonic()
    verdict = graded(name, written(course, attack))
    assert time.monotonic() - start < 4 * LIMITS.submission_seconds
    assert verdict.status == "graded" and verdict.error is None
    assert verdict.score <= attack.most, (attack.tries, verdict)
    shown = what_is_shown(verdict, load(course.key(NAME)))
    hints = [canary for canary in CANARIES if canary in shown]
    # A wrong answer may be told its own mistake's hint, which is what hints are for; none of these makes a known mistake.
    assert hints == [], (attack.tries, hints)
    for word in ("FOUND", "ATTACHED", "SENT", "UNSHARED", "MOUNTED", "BECAME ROOT", "CHANGED"):
        assert word not in "".join(output.get("text", "") for outputs in verdict.outputs.values() for output in outputs), attack.tries
    page = student_page(verdict, Outline(NAME, NAME), datetime.date(2026, 11, 28))
    assert "<script" not in page and "<img" not in page
    messages = [question.message for question in verdict.questions] + [case.message for question in verdict.questions for case in question.cases]
    assert all(character.isprintable() for text in [*messages, *verdict.notes] for character in text), attack.tries


def test_there_are_many_different_attacks():
    assert len(BY_NAME) >= 40 and len({attack.tries for attack in hostile.ATTACKS}) == len(hostile.ATTACKS)
    assert 30 < sum(attack.walls for attack in hostile.ATTACKS) < len(hostile.ATTACKS) - 20


def test_what_attacks_patch_is_still_called_so():
    source = BY_NAME["patch_the_worker"].double
    modules, attributes = (ast.literal_eval(f"({found})") for found in re.findall(r"for \w+ in \((.*?)\):", source))
    there = [importlib.import_module(f"autograder.inside.{module}") for module in modules]
    assert [name for name in attributes if not any(hasattr(module, name) for module in there)] == []


@pytest.mark.skipif(ORDINARY, reason="shown once, by the user who runs the tests")
@pytest.mark.parametrize("name", [attack.name for attack in hostile.ATTACKS if attack.reads])
def test_as_a_process_files_can_be_read_and_the_report_says_process(course, name):
    """Honesty: what bubblewrap prevents is possible without it, so the attacks that look for files do work."""
    work = job(course, "process")
    patient = replace(LIMITS, cell_seconds=60, submission_seconds=120)  # a disk to look through may be large
    with sandboxed(work.files, patient, "process", (course.root,)) as sandbox:
        verdict = grade_one(name, written(course, BY_NAME[name]), work, sandbox, Cache(None, work.key, (), patient, "process"))
    text = json.dumps(verdict.outputs)
    assert "FOUND" in text and ("the-secret-of-doubling" in text or "canary" in text)
    assert results([verdict], work.key)["isolation"] == "process"


# ---------------------------------------------------------------------------------------------------- notebooks as data


def rewritten(course, change):
    notebook = json.loads(nbformat.writes(course.skeleton(NAME)))
    change(notebook)
    return json.dumps(notebook)


def wrong_and(change):
    def apply(notebook):
        for cell in notebook["cells"]:
            if cell["id"] in ("double", "quadruple"):
                cell["source"] = hostile.WRONG.format(name=cell["id"])
        change(notebook)
    return apply


def by_id(notebook, name):
    return next(cell for cell in notebook["cells"] if cell["id"] == name)


METADATA = {
    "points_of_a_thousand": lambda notebook: [cell["metadata"]["nbgrader"].update(points=1000) for cell in notebook["cells"]
                                              if cell["metadata"].get("nbgrader")],
    "tags_that_skip_execution": lambda notebook: [cell["metadata"].update(tags=["skip-execution", "demo"]) for cell in notebook["cells"]],
    "checks_that_pass": lambda notebook: by_id(notebook, "double-check").update(source="print('100/100')\n1.0"),
    "scores_in_outputs": lambda notebook: by_id(notebook, "double-check").update(outputs=[
        {"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": {"text/plain": "50.0"}}]),
    "grade_ids_swapped": lambda notebook: (by_id(notebook, "double")["metadata"]["nbgrader"].update(grade_id="double-check"),
                                           by_id(notebook, "double-check")["metadata"]["nbgrader"].update(grade_id="double")),
    "answers_marked_locked": lambda notebook: by_id(notebook, "double")["metadata"]["nbgrader"].update(locked=True, solution=False),
    "a_schema_of_the_future": lambda notebook: [cell["metadata"].update(nbgrader={"schema_version": 99}) for cell in notebook["cells"]],
    "no_metadata_at_all": lambda notebook: [cell.update(metadata={}) for cell in notebook["cells"]],
    "metadata_of_wrong_types": lambda notebook: [cell.update(metadata=[1, 2], id=None) for cell in notebook["cells"]],
    "a_kernel_of_its_own": lambda notebook: notebook["metadata"].update(
        kernelspec={"name": "evil", "language": "bash", "display_name": "rm -rf"}),
    "every_cell_a_hundred_times": lambda notebook: notebook.update(cells=notebook["cells"] * 100),
    "a_setup_cell_that_exits": lambda notebook: next(cell for cell in notebook["cells"] if cell["id"].startswith("setup")).update(
        source="import os; os._exit(0)"),
    "cells_in_reverse": lambda notebook: notebook["cells"].reverse(),
    "a_worksheet_of_format_3": lambda notebook: notebook.update(nbformat=3, worksheets=[{"cells": notebook.pop("cells")}]),
}


@everywhere(METADATA)
def test_metadata_earns_nothing(course, graded, name):
    verdict = graded(name, hand_in(course, name, rewritten(course, wrong_and(METADATA[name]))))
    assert verdict.score in (0, None) and verdict.score == 0 and verdict.max_score == 100
    assert {question.max_score for question in verdict.questions} == {50}


@everywhere(["odd"])
def test_links_and_odd_files_are_lines_not_ways_in(course, graded, name):
    lesson = course.solution(NAME) / "lesson.py"
    submitted = course.root / "submitted"
    cases = {}
    for student, make in {
        "symlink": lambda path: path.symlink_to(lesson),
        "symlink-to-bob": lambda path: path.symlink_to(submitted / "bob" / NAME / "doubling.ipynb"),
        "fifo": os.mkfifo,
        "folder": lambda path: path.mkdir(),
        "zip": lambda path: path.write_bytes(b"PK\x03\x04" + b"\0" * 1000),
        "bomb": lambda path: path.write_text('{"cells": ' + "[" * 100_000),
        "binary": lambda path: path.write_bytes(os.urandom(4096)),
    }.items():
        folder = submitted / student / NAME
        shutil.rmtree(folder, ignore_errors=True)  # of the other level's turn
        folder.mkdir(parents=True)
        make(folder / "doubling.ipynb")
        cases[student] = folder
    (submitted / "linked-folder").mkdir(exist_ok=True)
    (submitted / "linked-folder" / NAME).unlink(missing_ok=True)
    (submitted / "linked-folder" / NAME).symlink_to(submitted / "bob" / NAME)
    cases["linked-folder"] = submitted / "linked-folder" / NAME
    for student, folder in cases.items():
        verdict = graded(student, folder)
        assert (verdict.status, verdict.score) == ("unreadable", 0), student
        assert "\n" not in verdict.error and "canary" not in what_is_shown(verdict, load(course.key(NAME)))


@everywhere(["with-modules"], lambda name: True)
def test_files_beside_the_notebook_are_not_taken(course, graded, name):
    folder = hand_in(course, name, solved(course))
    for name in ("numpy.py", "autograder.py", "tensorflow.py", "sitecustomize.py", "ipykernel_launcher.py", "nbgrader_config.py", "x.pth"):
        (folder / name).write_text("raise SystemExit('taken')\n")
    (folder / "hard_link.py").unlink(missing_ok=True)
    os.link(course.solution(NAME) / "lesson.py", folder / "hard_link.py")
    added = nbformat.v4.new_code_cell("import os\nprint(sorted(os.listdir()))")
    notebook = solved(course)
    notebook.cells.append(added)
    verdict = graded(name, hand_in(course, name, notebook))
    assert verdict.score == 100
    assert "['examples.npz']" in json.dumps(verdict.outputs)


def test_names_of_students_lead_nowhere(course, tmp_path):
    odd = ["..", "a b", "ünï çödé", "$(touch x)", "'; drop table--", "-rf", "<b>bold", "x" * 200, "\x1b[31mred", "new\nline"]
    folder = tmp_path / "submitted"
    for name in odd[1:]:
        place = folder / name / NAME
        place.mkdir(parents=True)
        (place / "doubling.ipynb").write_text(json.dumps(solved(course)))
    found, _ = find_submissions(folder, NAME)
    verdicts = grade_all(found, job(course))
    assert [verdict.score for verdict in verdicts] == [100] * len(odd[1:])
    for verdict in verdicts:
        page = student_page(verdict, Outline(NAME, NAME), datetime.date(2026, 11, 28))
        assert "<b>bold" not in page.split("<style>")[0] and "<h1><b>" not in page and "\x1b" not in page


# ---------------------------------------------------------------------------------------------------- as an ordinary user


@pytest.mark.parametrize("what", [pytest.param("walls", marks=pytest.mark.long), pytest.param("attacks", marks=pytest.mark.corpus)])
@pytest.mark.skipif(os.getuid() != 0, reason="the suite runs as an ordinary user already")
@pytest.mark.skipif(ORDINARY, reason="this is the run as an ordinary user")
@pytest.mark.skipif(shutil.which("unshare") is None or shutil.which("setpriv") is None, reason="needs unshare and setpriv of util-linux")
def test_everything_above_holds_for_an_ordinary_user(what, request):
    shared = Path(tempfile.mkdtemp(prefix="ordinary-"))  # not pytest's, which every other run of pytest closes to other users
    request.addfinalizer(lambda: shutil.rmtree(shared, ignore_errors=True))
    shared.chmod(0o777)
    script = open_closed_parents([Path(sys.base_prefix), Path(sys.prefix), ROOT, *map(Path, sys.path)])
    file = {"walls": ROOT / "tests" / "test_confine.py", "attacks": Path(__file__)}[what]
    command = ["setpriv", "--reuid=4711", "--regid=4711", "--clear-groups", "--bounding-set=-all", sys.executable, "-m", "pytest",
               "-p", "no:cacheprovider", "-p", "no:xdist", "--basetemp", str(shared / "pytest"), str(file),
               "-k", "not (test_attacks and landlock)"]  # whose walls test_confine tries
    done = subprocess.run(["unshare", "--mount", "sh", "-c", f"{script}\ncd {ROOT}\nexec \"$@\"", "sh", *command], text=True,
                          capture_output=True, timeout=900,
                          env={**os.environ, "HOME": str(shared), "TMPDIR": str(shared), "KIT_ORDINARY_USER": "1",
                               "PYTHONDONTWRITEBYTECODE": "1"})
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert " passed" in done.stdout and "failed" not in done.stdout
