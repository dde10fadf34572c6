"""Notebooks from strangers: what is taken from them, and what never is."""

import json
import os

import nbformat
import pytest

from autograder.authoring.lesson import read_lesson, student_notebook
from autograder.authoring.question import load_questions
from autograder.grading.submission import Unreadable, find_notebook, read_cells, read_submission

NAME = "a0_doubling"
ANSWER = "def double(x):\n    return 2 * x"


@pytest.fixture(scope="module")
def skeleton(built_tiny):
    folder = built_tiny.solution(NAME)
    return student_notebook(read_lesson(folder), load_questions(folder))


def merged(tmp_path, skeleton, change):
    """Write the skeleton as a notebook after `change(notebook)`, and read it as a submission."""
    notebook = json.loads(nbformat.writes(skeleton))
    change(notebook)
    path = tmp_path / "doubling.ipynb"
    path.write_text(json.dumps(notebook))
    return read_submission(path, skeleton, "ada")


def cell(notebook, id):
    return next(cell for cell in notebook["cells"] if cell["id"] == id)


def run_sources(submission):
    return [item.source for item in submission.cells]


def test_the_released_notebook_runs_only_its_setup(tmp_path, skeleton):
    submission = merged(tmp_path, skeleton, lambda notebook: None)
    assert [item.id.split("-")[0] for item in submission.cells] == ["setup"] and submission.notes == ()


def test_answers_are_taken_and_everything_else_comes_from_the_skeleton(tmp_path, skeleton):
    setup = next(cell.id for cell in skeleton.cells if cell.id.startswith("setup"))

    def change(notebook):
        cell(notebook, "double")["source"] = ANSWER
        cell(notebook, "double-check")["source"] = "print('100 points')"
        cell(notebook, setup)["source"] = "import evil"
        for item in notebook["cells"]:
            if "nbgrader" in item["metadata"]:
                item["metadata"]["nbgrader"].update(points=1000, grade=False, solution=True, schema_version=99)
        notebook["metadata"] = {"kernelspec": {"name": "bash"}}
        notebook["cells"].reverse()

    submission = merged(tmp_path, skeleton, change)
    assert run_sources(submission)[-1] == ANSWER and "import tensorflow" in run_sources(submission)[0] and len(submission.cells) == 2
    assert submission.notes == (f"The locked cell {setup} was changed; the original was used.",)


def test_added_cells_stay_where_they_were_added(tmp_path, skeleton):
    def change(notebook):
        cell(notebook, "double")["source"] = ANSWER
        at = next(i for i, item in enumerate(notebook["cells"]) if item["id"] == "double")
        for offset, source in ((0, "before = 1"), (2, "after = 1")):
            notebook["cells"].insert(at + offset, {"cell_type": "code", "source": [source], "metadata": {}, "outputs": []})

    assert run_sources(merged(tmp_path, skeleton, change))[1:] == ["before = 1", ANSWER, "after = 1"]


def test_of_several_answers_the_last_counts_and_an_untouched_copy_counts_for_nothing(tmp_path, skeleton):
    stub = next(cell.source for cell in skeleton.cells if cell.id == "double")

    def change(notebook):
        cell(notebook, "double")["source"] = ANSWER
        for source in (stub, ANSWER + " + 0"):
            notebook["cells"].append({**cell(notebook, "double"), "source": source})

    submission = merged(tmp_path, skeleton, change)
    assert run_sources(submission)[1:] == [ANSWER, ANSWER + " + 0"]
    assert submission.notes == ("The answer cell double is there 3 times; the last answer in it counts.",)


@pytest.mark.parametrize("change", [
    lambda item: item.pop("id"), lambda item: item.update(id="renamed"), lambda item: item.update(metadata={}),
    lambda item: item.update(cell_type="raw"), lambda item: item.update(cell_type="markdown"),
    lambda item: item["metadata"].update(nbgrader={}), lambda item: item["metadata"].update(nbgrader=[1], tags="skip-execution"),
    lambda item: item.update(source=["def double(x):\n", "    return 2 * x"]),
])
def test_an_answer_is_recognised_by_its_id_or_its_grade_id(tmp_path, skeleton, change):
    def both(notebook):
        cell(notebook, "double")["source"] = ANSWER
        change(cell(notebook, "double"))

    assert ANSWER in run_sources(merged(tmp_path, skeleton, both))


def test_an_answer_that_lost_all_its_metadata_still_runs_as_an_added_cell(tmp_path, skeleton):
    def change(notebook):
        cell(notebook, "double").update(source=ANSWER, metadata={}, id="x1")

    submission = merged(tmp_path, skeleton, change)
    assert ANSWER in run_sources(submission) and submission.notes == ()
    gone = merged(tmp_path, skeleton, lambda notebook: notebook["cells"].remove(cell(notebook, "double")))
    assert gone.notes == ("The answer cell double is missing.",)


@pytest.mark.parametrize("content, words", [
    (b"", "empty"), (b"{", "not valid JSON"), (b"\xff\xfe\x00", "not valid JSON"), (b"[" * 200_000, "not valid JSON"),
    (b"[]", "has none"), (b'{"cells": {}}', "has none"), (b"null", "has none"), (b'"text"', "has none"),
])
def test_what_is_no_notebook_is_one_clear_line(tmp_path, content, words):
    path = tmp_path / "doubling.ipynb"
    path.write_bytes(content)
    with pytest.raises(Unreadable, match=words) as caught:
        read_cells(path)
    assert "\n" not in str(caught.value)


def test_odd_cells_are_read_for_what_they_are(tmp_path):
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"cells": [1, None, "x", {}, {"cell_type": 3, "source": 5, "metadata": None, "id": []},
                                          {"cell_type": "code", "source": ["a", 1, "b"]}, {"source": "\ud800"}]}))
    cells = read_cells(path)
    assert [cell["source"] for cell in cells] == ["", "", "ab", "?"]


def test_a_notebook_of_format_3_is_converted(tmp_path):
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"metadata": {}, "cells": [
        {"cell_type": "code", "input": "x = 1", "outputs": [], "language": "python", "collapsed": False, "metadata": {}}]}]}))
    assert [cell["source"] for cell in read_cells(path)] == ["x = 1"]


def test_links_pipes_and_directories_are_not_followed(tmp_path):
    (tmp_path / "secret.ipynb").write_text('{"cells": []}')
    os.symlink(tmp_path / "secret.ipynb", tmp_path / "link.ipynb")
    os.mkfifo(tmp_path / "pipe.ipynb")
    (tmp_path / "folder.ipynb").mkdir()
    os.symlink(tmp_path, tmp_path / "linked")
    with pytest.raises(Unreadable, match="Hand in the files themselves"):
        find_notebook(tmp_path / "linked", "secret")
    for name in ("link", "pipe", "folder"):
        with pytest.raises(Unreadable, match="Hand in the file itself"):
            read_cells(tmp_path / f"{name}.ipynb")


def test_a_renamed_notebook_is_found_when_it_is_the_only_one(tmp_path):
    with pytest.raises(Unreadable, match="Found: none"):
        find_notebook(tmp_path, "doubling")
    (tmp_path / "doubling (1).ipynb").touch()
    path, notes = find_notebook(tmp_path, "doubling")
    assert path.name == "doubling (1).ipynb" and len(notes) == 1
    (tmp_path / "doubling (2).ipynb").touch()
    with pytest.raises(Unreadable, match=r"doubling \(1\).ipynb, doubling \(2\).ipynb"):
        find_notebook(tmp_path, "doubling")


@pytest.mark.parametrize("content, words", [
    ('{"cells": [' + "[]," * 4_000_000 + "[]]}", "more memory or time"), ('{"cells": [' + "{}," * 2001 + "{}]}", "at most 2,000 cells"),
    ('{"cells": [' + '{"source": "' + "x" * 5_000_000 + '"}]}', "4,194,304 characters")], ids=["lists", "cells", "source"])
def test_what_a_notebook_holds_is_bounded(tmp_path, content, words):
    (tmp_path / "a.ipynb").write_text(content)
    with pytest.raises(Unreadable, match=words):
        read_cells(tmp_path / "a.ipynb")


def test_a_large_notebook_gives_the_cells_that_a_small_one_gives(tmp_path):
    cells = [{"cell_type": "code", "source": ["x = '\U0001f600'\n", "y"], "id": "a", "metadata": {"tags": ["demo"]}}, {"source": "\ud800"}]
    for name, more in (("small", ""), ("large", "x" * 3_000_000)):
        (tmp_path / f"{name}.ipynb").write_text(json.dumps({"cells": cells, "outputs": more}))
    assert read_cells(tmp_path / "large.ipynb") == read_cells(tmp_path / "small.ipynb") != []
