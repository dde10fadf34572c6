"""One class of all that is odd: the same points in the results, the gradebook, formgrader, feedback and tables; a line for each oddity."""

import csv
import json
import re
import shutil
import unicodedata
import warnings

import pytest
from conftest import ROOT, autograder
from test_handed_in import FILE, NAME, RIGHT, TUPLE, WRONG, Notebooks, answers, packed
from test_nbgrader import NAMES
from test_submission import FOUND, NOT_FOUND, TAKEN_FOR_ONE, TOO_LARGE

from autograder.authoring.course import find_course
from autograder.nbgrader.export import PointsPerQuestion
from autograder.nbgrader.gradebook import api

pytestmark = [pytest.mark.corpus, pytest.mark.xdist_group("grade")]
ENCODED = {"utf-8-sig": "", "utf-16-be": "read as UTF-16-BE", "cp1252": "read as Windows-1252"}


def odd_class(course):
    """By student: the files, the points, and words of the only line that is said of them; "" where none is."""
    notebooks = Notebooks(course)
    solved = json.dumps(notebooks.made()).encode()
    for student, (make, note) in RIGHT.items():
        yield student, make(notebooks), 100, note or ""
    for student, (make, _) in WRONG.items():
        yield student, make(notebooks), 0, None
    yield "tuple", answers(double=TUPLE)(notebooks), 0, ""
    for number, (files, found) in enumerate(FOUND):
        content = packed(notebooks)["homework.zip"] if found.lower().endswith(".zip") else solved
        others = "doubling.ipynb" == found  # what lies beside it is named
        yield (f"found-{number}", dict.fromkeys(files, b"") | {found: content}, 100,
               "eside it lies what was not graded" if others else None)
    for number, (files, words) in enumerate(NOT_FOUND):
        yield f"not-found-{number}", dict.fromkeys(files, b""), 0, words
    for number, (content, words) in enumerate([*TAKEN_FOR_ONE, *TOO_LARGE]):
        yield f"no-notebook-{number}", {FILE: content if isinstance(content, bytes) else content.encode()}, 0, words
    for encoding, words in ENCODED.items():
        text = json.dumps(notebooks.made(before=["# \u00e9"]), ensure_ascii=False)
        yield f"in {encoding}", {FILE: text.encode(encoding)}, 100, words
    for student in NAMES:
        yield student, {FILE: solved}, 100, ""
    yield "no-date", {FILE: solved, "timestamp.txt": b"the day after tomorrow"}, 100, ""


def test_a_class_of_odd_submissions_has_the_same_points_everywhere(built_tiny, tmp_path, warm):
    course = find_course(shutil.copytree(built_tiny.root, tmp_path / "course"))
    shutil.copy(ROOT / "nbgrader_config.py", course.root)
    (course.root / "course.toml").write_text('name = "tiny"\n\n[limits]\ncell_seconds = 10\ncase_seconds = 5\nsubmission_seconds = 60\n')
    wanted = {}
    for student, files, points, line in odd_class(course):
        wanted[student] = points, line
        place = course.root / "submitted" / student / NAME
        place.mkdir(parents=True)
        for name, content in files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    assert len(wanted) >= 75
    with warnings.catch_warnings(action="ignore"):
        done = autograder("grade", NAME, cwd=course.root)
        assert done.returncode == 0 and f"gradebook: {len(wanted)} recorded" in done.stdout, done.stderr
        assert done.stderr.count("no-date: timestamp.txt holds no date") == 1 == len(done.stderr.splitlines()), done.stderr
        interface = api(course)
        assert interface.generate_feedback(NAME)["success"]
        formgrader = {item["student"]: item for item in interface.get_submissions(NAME)}
        with interface.gradebook as gradebook:
            in_gradebook = {item.student.id: item.score for item in gradebook.assignment_submissions(NAME)}
            PointsPerQuestion(parent=interface, to=str(course.root / "grades.csv")).export(gradebook)
        autograder("export", "csv", f"build/results/{NAME}.json", "--to", "table.csv", cwd=course.root)
    graded = {item["student"]: item for item in json.loads((course.root / "build" / "results" / f"{NAME}.json").read_text())["submissions"]}
    tables = [rows(course.root / "grades.csv", "student_id"), rows(course.root / "table.csv", "student")]
    for place in (graded, formgrader, in_gradebook, *tables):
        assert {unicodedata.normalize("NFC", name) for name in place} == {unicodedata.normalize("NFC", name) for name in wanted}
    for student, (points, line) in wanted.items():
        result, page = graded[student], (course.root / "feedback" / student / NAME / "doubling.html").read_text()
        shown = float(re.search(r"Score: ([\d.]+) / 100", page).group(1))
        assert points == result["score"] == in_gradebook[student] == formgrader[student]["score"] == shown, student
        assert [float(table[student]["score"]) for table in tables] == [points] * 2, student
        assert {table[student]["status"] for table in tables} == {result["status"]}
        assert formgrader[student]["autograded"] and not formgrader[student]["needs_manual_grade"]
        said = [*([result["error"]] if result["error"] else []), *result["notes"]]
        assert not any("\n" in text for text in said)
        if line is not None:
            assert len(said) == bool(line) and all(line in text for text in said), (student, said)
        for question in result["questions"]:
            assert [float(table[student][question["name"]]) for table in tables] == [question["score"]] * 2, student


def rows(path, name):
    with open(path, newline="", encoding="utf-8-sig") as file:
        return {row[name].removeprefix("'"): row for row in csv.DictReader(file)}
