"""A class is graded once: what has not changed is not run again, what was interrupted goes on, and nothing is lost."""

import dataclasses
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT, TINY_QUESTIONS, autograder, write_tiny
from rich.console import Console

from autograder.authoring import samples
from autograder.authoring.build import build
from autograder.authoring.lesson import read_lesson, solved_notebook
from autograder.authoring.question import load_questions
from autograder.commands.instructor import by_size
from autograder.grading import batch
from autograder.grading.batch import Job, find_submissions, grade_all
from autograder.grading.cache import question_digests
from autograder.grading.key import load, save
from autograder.report.json import results
from autograder.sandbox.isolation import obstacle
from autograder.sandbox.sandbox import Limits

pytestmark = pytest.mark.xdist_group("batch")  # one process, whose tests share workers
NAME = "a0_doubling"
LIMITS = Limits(cell_seconds=20, case_seconds=20, submission_seconds=60)


@pytest.fixture
def course(tmp_path):
    course = write_tiny(tmp_path)
    build(course, NAME)
    return course


def a_class(course, students=("ada", "bob", "cy"), first=""):
    folder = course.solution(NAME)
    notebook = solved_notebook(read_lesson(folder), load_questions(folder))
    made = []
    for student in students:
        answer = f"{first}def double(x):\n    return 2 * x  # {student}"
        text = json.dumps(samples.edited(notebook, "double", lambda _, answer=answer: answer))
        made.append(samples.Sample(student, text))
    samples.write_class(made, course.root / "submitted", NAME)
    return find_submissions(course.root / "submitted", NAME)[0]


def job(course, **changes):
    return Job(load(course.key(NAME)), course.skeleton(NAME), tuple(course.released_files(NAME)), LIMITS, "auto", (course.root,),
               course.cache(NAME), **changes)


@pytest.fixture
def graded(monkeypatch, warm):
    """The questions that each call of `grade` really exercised: (student, names)."""
    seen = []
    real = batch.grade

    def grade(submission, key, sandbox, known=None, observers=None, sharing=None):
        seen.append((submission.student, [question.name for question in key.questions if question.name not in (known or {})]))
        return real(submission, key, sandbox, known, observers, sharing)

    monkeypatch.setattr(batch, "grade", grade)
    return seen


def test_an_unchanged_class_is_not_run_again_and_gets_the_same(course, graded):
    handed_in = a_class(course)
    first = grade_all(handed_in, job(course), 2)
    assert sorted(graded) == [(student, ["double", "quadruple"]) for student in ("ada", "bob", "cy")]
    graded.clear()
    again = grade_all(handed_in[::-1], job(course), 1)[::-1]
    assert graded == [] and again == first
    assert results(again, load(course.key(NAME))) == results(first, load(course.key(NAME)))


def test_one_changed_question_is_graded_again_alone(course, graded):
    handed_in = a_class(course)
    grade_all(handed_in, job(course))
    graded.clear()
    changed = TINY_QUESTIONS.replace("return rng.normal(size=7)", "return rng.normal(size=9)")
    assert changed != TINY_QUESTIONS
    (course.solution(NAME) / "questions.py").write_text(changed.lstrip())
    build(course, NAME)
    verdicts = grade_all(handed_in, job(course))
    assert graded == [(student, ["quadruple"]) for student in ("ada", "bob", "cy")]
    assert [verdict.score for verdict in verdicts] == [100, 100, 100]


def test_a_question_that_builds_on_a_changed_one_is_graded_again_too(course, graded):
    key = load(course.key(NAME))
    double, quadruple = key.questions
    changed = dataclasses.replace(key, questions=(dataclasses.replace(double, forbid=("tf.add",)), quadruple))
    before, after = question_digests(key), question_digests(changed)
    assert before["double"] != after["double"] and before["quadruple"] != after["quadruple"]
    changed = dataclasses.replace(key, questions=(double, dataclasses.replace(quadruple, forbid=("tf.add",))))
    assert question_digests(changed)["double"] == before["double"]


@pytest.mark.parametrize("change", ["answer", "added", "file", "limits"])
def test_what_decides_a_verdict_is_what_it_is_kept_by(course, graded, change):
    handed_in = a_class(course, ["ada"])
    work = job(course)
    grade_all(handed_in, work)
    graded.clear()
    path = handed_in[0][1] / "doubling.ipynb"
    notebook = nbformat.read(path, as_version=4)
    if change == "answer":
        notebook.cells = samples.edited(notebook, "double", lambda source: source.replace("2", "3")).cells
    elif change == "added":
        notebook.cells.append(nbformat.v4.new_code_cell("double = None"))
    elif change == "limits":
        work = dataclasses.replace(work, limits=Limits(memory_megabytes=1000))
    else:
        extra = course.root / "data.csv"
        extra.write_text("1,2\n")
        work = dataclasses.replace(work, files=(*work.files, extra))
    nbformat.write(notebook, path)
    grade_all(handed_in, work)
    assert len(graded) == 1


def test_what_decides_nothing_changes_nothing(course, graded):
    handed_in = a_class(course, ["ada"])
    grade_all(handed_in, job(course))
    graded.clear()
    path = handed_in[0][1] / "doubling.ipynb"
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.metadata["collapsed"] = True
        if cell.cell_type == "code":
            cell.outputs = [nbformat.v4.new_output("stream", text="hello")]
    nbformat.write(notebook, path)
    assert grade_all(handed_in, job(course))[0].score == 100 and graded == []


def test_a_damaged_or_cut_file_of_the_cache_is_graded_again(course, graded):
    handed_in = a_class(course)
    first = grade_all(handed_in, job(course))
    files = sorted(course.cache(NAME).glob("*.json"))
    assert len(files) == 3 and not list(course.cache(NAME).glob(".*"))
    files[0].write_bytes(files[0].read_bytes()[:50])
    files[1].write_text("{}")
    files[2].unlink()
    graded.clear()
    again = grade_all(handed_in, job(course))
    assert len(graded) == 3
    assert [dataclasses.replace(verdict, seconds=0) for verdict in again] == [dataclasses.replace(verdict, seconds=0) for verdict in first]


def test_what_could_not_be_graded_is_not_kept(course, graded, monkeypatch):
    from autograder.sandbox.sandbox import Sandbox
    from autograder.sandbox.warm import SandboxError

    def refuse(self, spent):
        raise SandboxError("no worker today")

    handed_in = a_class(course, ["ada"])
    with monkeypatch.context() as broken:
        broken.setattr(Sandbox, "fork", refuse)
        assert grade_all(handed_in, job(course))[0].score is None
    assert grade_all(handed_in, job(course))[0].score == 100


GRADE = [sys.executable, "-m", "autograder", "grade", NAME]


@pytest.mark.corpus
def test_a_run_that_is_killed_goes_on_where_it_was(course):
    """`kill -9` in the middle: the second run grades the rest and says the same as a run that was never stopped."""
    students = [f"student-{number:02}" for number in range(12)]
    a_class(course, students)
    run = subprocess.Popen(GRADE + ["--jobs", "2"], cwd=course.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           start_new_session=True)
    cached = course.cache(NAME)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and (not cached.is_dir() or len(list(cached.glob("*.json"))) < 3) and run.poll() is None:
        time.sleep(0.02)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    kept = {path.name: path.read_bytes() for path in cached.glob("*.json")}
    assert kept
    subprocess.run(GRADE, cwd=course.root, check=True, capture_output=True)
    assert {name: (cached / name).read_bytes() for name in kept} == kept  # none was graded twice
    after = json.loads((course.root / "build" / "results" / f"{NAME}.json").read_text())
    subprocess.run(GRADE + ["--fresh", "--jobs", "1"], cwd=course.root, check=True, capture_output=True)
    fresh = json.loads((course.root / "build" / "results" / f"{NAME}.json").read_text())
    for data in (after, fresh):
        for submission in data["submissions"]:
            submission["seconds"] = 0
    assert after == fresh and [submission["student"] for submission in after["submissions"]] == students


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_who_is_interrupted_keeps_earlier_results_and_what_was_graded(course, number, status):
    a_class(course, [f"student-{number:02}" for number in range(30)], "import time\ntime.sleep(1)\n")  # time to interrupt
    before = course.root / "build" / "results" / f"{NAME}.json"
    before.parent.mkdir(parents=True)
    before.write_text("earlier results")
    run = subprocess.Popen(GRADE + ["--jobs", "1"], cwd=course.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    cached = course.cache(NAME)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and (not cached.is_dir() or len(list(cached.glob("*.json"))) < 2) and run.poll() is None:
        time.sleep(0.02)
    run.send_signal(number)
    try:
        _, said = run.communicate(timeout=6)
    except subprocess.TimeoutExpired:  # Python drops an interrupt that meets a finalizer; a person presses again
        run.send_signal(number)
        _, said = run.communicate(timeout=60)
    kept = len(list(cached.glob("*.json")))
    assert run.returncode == status and 2 <= kept < 30
    assert said.split() == (f"stopped: {30 - kept} of 30 submissions are not graded. What was graded is kept: "
                            "the same command goes on from there.").split()
    assert before.read_text() == "earlier results" and not (course.root / "build" / "reports").exists()


def test_an_interrupt_while_importing_leaves_no_traceback(course):
    run = subprocess.Popen(GRADE, cwd=course.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while run.poll() is None and "numpy" not in Path(f"/proc/{run.pid}/maps").read_text():
        time.sleep(0.005)
    run.send_signal(signal.SIGINT)
    assert run.communicate(timeout=60) == ("", "") and run.returncode == 130


@pytest.mark.parametrize("number, status", [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_within_an_exec_as_imports_have_them_ends_with_its_own_status(tmp_path, number, status):
    (tmp_path / "interrupted.py").write_text(
        "import sys, types\n"
        "from autograder.__main__ import main\n"
        "work = sys.modules['autograder.commands.main'] = types.ModuleType('autograder.commands.main')\n"
        f"work.main = lambda: exec('import os, signal; os.kill(os.getpid(), signal.{number})')\n"
        "main()\n")
    run = subprocess.run([sys.executable, "-m", "interrupted"], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)},
                         capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (status, "", "")


def test_an_isolation_that_is_not_there_is_refused_and_unknown_ones_named(course, monkeypatch, request):
    a_class(course, ["ada"])
    said = autograder("grade", NAME, "--isolation", "castle", cwd=course.root)
    assert said.returncode == 2 and "expected an isolation of auto, bubblewrap, landlock, process. Received: castle" in said.stderr
    weaker = "landlock" if obstacle("landlock") is None else "process"
    request.addfinalizer(obstacle.cache_clear)
    monkeypatch.setenv("PATH", str(course.root))  # no bwrap to be found
    obstacle.cache_clear()
    said = autograder("grade", NAME, "--isolation", "bubblewrap", cwd=course.root)
    assert said.returncode == 2 and "bwrap is not installed" in said.stderr and "autograder doctor" in said.stderr
    key = load(course.key(NAME))
    save(dataclasses.replace(key, versions=key.versions | {"tensorflow": "1.0.0"}), course.key(NAME), private=True)
    said = autograder("grade", NAME, cwd=course.root)
    assert said.returncode == 0 and f"isolation: {weaker}" in said.stderr
    found = json.loads((course.root / "build" / "results" / f"{NAME}.json").read_text())
    assert found["isolation"] == weaker and found["versions"] == {"key": key.versions | {"tensorflow": "1.0.0"}, "grader": key.versions}
    assert f"computed with TensorFlow 1.0.0. Run `autograder build {NAME}`" in said.stderr
    said = autograder("doctor", cwd=course.root)
    assert said.returncode == 0 and "install the package" in " ".join(said.stdout.split()) and "process" in said.stdout
    assert f"TensorFlow {key.versions['tensorflow']}" in said.stdout and said.stderr.count("computed with TensorFlow 1.0.0") == 1


# ---------------------------------------------------------------------------------------------------- graded again


def test_whose_points_changed_is_printed_and_stands_in_the_json_and_others_stay(course, warm):
    a_class(course, ("ada", "bob", "cy"))
    place = course.root / "build" / "results" / f"{NAME}.json"

    def run(*arguments):
        done = autograder("grade", NAME, "--no-gradebook", "--jobs", 1, *arguments, cwd=course.root)
        data = json.loads(place.read_text())
        return done, data["changes"], {submission["student"]: submission["score"] for submission in data["submissions"]}

    done, changes, scores = run()
    assert (done.returncode, changes, scores) == (0, [], {"ada": 100, "bob": 100, "cy": 100})
    for student in ("ada", "bob"):
        notebook = course.root / "submitted" / student / NAME / "doubling.ipynb"
        notebook.write_text(notebook.read_text().replace("return 2 * x", "return 3 * x"))
    done, changes, scores = run("--student", "bob")
    lost = scores["bob"]
    assert scores == {"ada": 100, "bob": lost, "cy": 100} and lost < 100
    assert [(change["student"], change["before"], change["after"]) for change in changes] == [("bob", 100, lost)]
    assert changes[0]["questions"]["double"] == [50, 0]
    assert "other points than before: 1" in done.stdout and f"{lost - 100:+d}" in done.stdout and "double 50 → 0" in done.stdout
    assert "3 submissions" not in done.stdout and "ada" not in done.stdout
    done, changes, scores = run()
    assert [change["student"] for change in changes] == ["ada"] and scores == {"ada": lost, "bob": lost, "cy": 100}
    done, changes, scores = run("--quiet")
    assert not changes and "other points" not in done.stdout and "ada" not in done.stdout
    done, *_ = run("--student", "bob", "--student", "dan\x1b")
    assert done.returncode == 2 and "expected students" in done.stderr and "dan" in done.stderr and "\x1b" not in done.stderr
    place.write_text('{"submissions": 3}')
    done, changes, scores = run()
    assert done.returncode == 0 and not changes and len(scores) == 3 and "no results to compare with" in done.stderr


def test_a_large_class_is_shown_at_a_glance(course, warm):
    handed_in = a_class(course, ("ada", "bob"))
    (course.root / "submitted" / "cy" / NAME).mkdir(parents=True)
    (course.root / "submitted" / "cy" / NAME / "doubling.ipynb").write_text("no notebook")
    verdicts = [*grade_all(handed_in, job(course)), *grade_all([("cy", course.root / "submitted" / "cy" / NAME)], job(course))]
    class_of = [dataclasses.replace(verdict, student=f"{verdict.student}-{number}") for number in range(25) for verdict in verdicts]
    console = Console(width=80, file=io.StringIO(), color_system=None)
    console.print(by_size(class_of, load(course.key(NAME)), console.width))
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80 and len(lines) < 60
    assert next(line for line in lines if line.strip().startswith("100")).split()[:2] == ["100", "50"]
    assert "to look at: 25" in "\n".join(lines) and "and 5 more: --full shows everyone" in lines[-2]
    assert sum(line.startswith("cy-") for line in lines) == 20 and not any(line.startswith("ada-") for line in lines)
    console.print(by_size(class_of[:60], load(course.key(NAME)), console.width))
    assert "ada-19" in console.file.getvalue()


def test_a_cache_that_cannot_be_written_costs_speed_and_no_verdict(course, graded):
    handed_in = a_class(course, ("ada", "bob"))
    course.cache(NAME).parent.mkdir(parents=True)
    course.cache(NAME).write_text("no directory")
    for _ in range(2):
        assert [verdict.score for verdict in grade_all(handed_in, job(course), 1)] == [100, 100]
    assert len(graded) == 4  # nothing was kept: everybody was graded in each run
    done = autograder("grade", NAME, "--no-gradebook", cwd=course.root)
    assert done.returncode == 0 and f"build/cache/{NAME} cannot be written (File exists)" in done.stderr, done.stderr
