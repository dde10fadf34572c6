"""Notebooks from strangers: what is taken from them, and what never is."""

import io
import json
import os
import zipfile

import nbformat
import pytest

from autograder.authoring.lesson import read_lesson, student_notebook
from autograder.authoring.question import load_questions
from autograder.grading.submission import Unreadable, find_notebook, read_cells, read_notebook, read_submission

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


FOUND = [
    (["doubling.ipynb", "._doubling.ipynb", "x.ipynb", ".ipynb_checkpoints/doubling.ipynb"], "doubling.ipynb"),
    (["._doubling.ipynb", "doubling (1).ipynb", "__MACOSX/doubling.ipynb"], "doubling (1).ipynb"), (["Doubling.IPYNB", "x.ipynb"], "Doubling.IPYNB"),
    (["doubling.ipynb.txt"], "doubling.ipynb.txt"), (["other.ipynb.json"], "other.ipynb.json"), (["doubling.json", "b.json"], "doubling.json"),
    (["a0_doubling/doubling.ipynb", "examples.npz"], "a0_doubling/doubling.ipynb"), (["doubling.ipynb/doubling.ipynb"], "doubling.ipynb/doubling.ipynb"),
    (["work.zip", "notes.txt"], "work.zip"), (["in/work.ZIP"], "in/work.ZIP"), (["old/x.ipynb", "new/doubling.ipynb"], "new/doubling.ipynb")]


@pytest.mark.parametrize("files, found", FOUND)
def test_a_notebook_is_found_where_the_intent_is_plain_and_what_is_odd_is_noted(tmp_path, files, found):
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    path, notes = find_notebook(tmp_path, "doubling")
    assert path == tmp_path / found
    assert notes == (() if found == "doubling.ipynb" else (f"The notebook is {found}; expected doubling.ipynb.",))


NOT_FOUND = [
    ([], "Found: none. Hand in"), (["._doubling.ipynb"], "Found: none"), (["doubling.pdf", "src/x.py"], "Found: doubling.pdf, src/. Hand in"),
    (["doubling (1).ipynb", "doubling (2).ipynb"], "Found: doubling (1).ipynb, doubling (2).ipynb. Hand in the one that counts"),
    (["a/doubling.ipynb", "b/doubling.ipynb"], "Found: a/doubling.ipynb, b/doubling.ipynb"), (["a/b/doubling.ipynb"], "Found: a/."),
    (["a.zip", "b.zip"], "Found: a.zip, b.zip"), ([f"{i}.py" for i in range(9)], "3.py, 4.py and 4 more"),
    (["\x1b[31m\n.py"], "Found: ?[31m?.py")]


@pytest.mark.parametrize("files, words", NOT_FOUND)
def test_without_a_notebook_the_message_names_what_lies_there(tmp_path, files, words):
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    with pytest.raises(Unreadable) as caught:
        find_notebook(tmp_path, "doubling")
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_copy_beside_the_notebook_is_named(tmp_path, skeleton):
    (tmp_path / "old").mkdir()
    for name in ("doubling-Copy1.ipynb", "old/x.ipynb"):
        (tmp_path / name).touch()
    others = "eside it lies what was not graded: doubling-Copy1.ipynb, old/x.ipynb."
    assert merged(tmp_path, skeleton, lambda notebook: None).notes == ("It is as it was handed out, and b" + others,)
    assert merged(tmp_path, skeleton, lambda notebook: cell(notebook, "double").update(source=ANSWER)).notes == ("B" + others,)


def zipped(*members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members:
            packed.writestr(name, content)
    return file.getvalue()


NOTEBOOK = json.dumps({"cells": [{"cell_type": "code", "source": "x = 'é'"}]}, ensure_ascii=False)
CONFLICT = '{"cells": [\n<<<<<<< HEAD\n 1\n=======\n 2\n>>>>>>> main\n]}'


@pytest.mark.parametrize("content, encoding", [
    (NOTEBOOK.encode("utf-8-sig"), ""), (NOTEBOOK.encode("utf-16"), "UTF-16"), (NOTEBOOK.encode("utf-16-be"), "UTF-16-BE"),
    (NOTEBOOK.encode("cp1252"), "Windows-1252"), (zipped(("a/x.ipynb", NOTEBOOK), ("__MACOSX/a/._x.ipynb", "x"), ("a/data.npz", "x")), "")],
    ids=["utf-8-sig", "utf-16", "utf-16-be", "cp1252", "zip"])  # an archive knows when it was made: as a name it is another in each process
def test_a_notebook_in_another_encoding_or_in_a_zip_is_read_for_what_it_is(tmp_path, content, encoding):
    (tmp_path / "a.ipynb").write_bytes(content)
    cells, notes = read_notebook(tmp_path / "a.ipynb")
    assert [cell["source"] for cell in cells] == ["x = 'é'"]
    assert len(notes) == bool(encoding) and all(f"read as {encoding}: " in note for note in notes)


TAKEN_FOR_ONE = [
    (CONFLICT.encode(), "Git conflict (line 2)"), (b"version https://git-lfs.github.com/spec/v1\noid sha256:4e\nsize 1\n", "`git lfs pull`"),
    (b"\n<!DOCTYPE html>\n<html>", "a web page"), (b"%PDF-1.7\n", "a PDF"), (NOTEBOOK.encode()[:-2], "damaged, or not all of it has arrived"),
    (bytes(1000), "the file is empty"), (zipped(("x.ipynb", b"1"), ("y.ipynb", b"2")), "Found: x.ipynb, y.ipynb. Hand in"),
    (zipped(("x.py", b"1")), "Found: none"), (b"PK\x03\x04rest", "cannot be opened"), (zipped(("x.ipynb", bytes(60 * 2**20))), "at most 50 MB")]


@pytest.mark.parametrize("content, words", TAKEN_FOR_ONE, ids=["conflict", "lfs", "page", "pdf", "cut", "zeros", "two", "none", "broken", "bomb"])
def test_what_is_handed_in_for_a_notebook_is_called_what_it_is(tmp_path, content, words):
    (tmp_path / "a.ipynb").write_bytes(content)
    with pytest.raises(Unreadable) as caught:
        read_cells(tmp_path / "a.ipynb")
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_line_ends_of_windows_change_nothing(tmp_path, skeleton):
    def change(notebook):
        for item in notebook["cells"]:
            item["source"] = [line.replace("\n", "\r\n") for line in item["source"]]

    submission = merged(tmp_path, skeleton, change)
    assert len(submission.cells) == 1 and submission.notes == ()


TOO_LARGE = [
    ('{"cells": [' + "[]," * 4_000_000 + "[]]}", "more memory or time"), ('{"cells": [' + "{}," * 2001 + "{}]}", "at most 2,000 cells"),
    ('{"cells": [' + '{"source": "' + "x" * 5_000_000 + '"}]}', "4,194,304 characters")]


@pytest.mark.parametrize("content, words", TOO_LARGE, ids=["lists", "cells", "source"])
def test_what_a_notebook_holds_is_bounded(tmp_path, content, words):
    (tmp_path / "a.ipynb").write_text(content)
    with pytest.raises(Unreadable, match=words):
        read_cells(tmp_path / "a.ipynb")


def test_a_large_notebook_gives_the_cells_that_a_small_one_gives(tmp_path):
    cells = [{"cell_type": "code", "source": ["x = '\U0001f600'\n", "y"], "id": "a", "metadata": {"tags": ["demo"]}}, {"source": "\ud800"}]
    for name, more in (("small", ""), ("large", "x" * 3_000_000)):
        (tmp_path / f"{name}.ipynb").write_text(json.dumps({"cells": cells, "outputs": more}))
    assert read_cells(tmp_path / "large.ipynb") == read_cells(tmp_path / "small.ipynb") != []
