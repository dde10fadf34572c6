"""Lessons in which nothing is graded, and the page that leads to all lessons."""

import importlib.util
import re
import urllib.request

import nbformat
import pytest
from conftest import ROOT, autograder, write_tiny
from IPython.core.interactiveshell import InteractiveShell

from autograder.authoring.course import find_course
from autograder.commands import author

HELLO = '''
# %% [markdown]
# # Hello
#
# ## 1. A `word` & more

# %% question="word"
def word():
    """A word."""
    ### BEGIN SOLUTION
    return "the-secret-word"
    ### END SOLUTION

# %%
print(word())

# %% tags=["demo"]
print("a picture")
'''


@pytest.fixture
def course(tmp_path):
    made = write_tiny(tmp_path)
    folder = tmp_path / "solutions" / "a00_hello"
    folder.mkdir()
    (folder / "lesson.py").write_text(HELLO.lstrip())
    (tmp_path / "assignments").mkdir()
    (tmp_path / "assignments" / "README.md").write_text("# Lessons\n\n| no. | |\n| --- | --- |\n| 0 | [hello](a00_hello/hello.ipynb) <script>1</script> |\n")
    return made


def test_an_introduction_is_built_without_answers_points_or_key_and_the_index_leads_to_it(course):
    assert (course.assignments, course.introductions) == (["a0_doubling"], ["a00_hello"])
    done = autograder("build", "a00_hello", cwd=course.root)
    assert done.returncode == 0 and "built a00_hello: nothing of it is graded" in done.stdout
    notebook = nbformat.read(course.notebook("a00_hello"), as_version=4)
    nbformat.validate(notebook)
    assert [cell.id for cell in notebook.cells][1:3] == ["word", "setup-1"] and "raise NotImplementedError()" in notebook.cells[1].source
    assert "secret" not in str(notebook) and "nbgrader" not in str(notebook) and notebook.cells[3].metadata.jupyter.source_hidden
    assert not (course.root / "build").exists() and [path.name for path in course.release("a00_hello").iterdir()] == ["hello.ipynb"]
    page = (course.root / "assignments" / "index.html").read_text()
    assert 'href="a00_hello/hello.ipynb"' in page and "1. A word &amp; more" in page and "Nothing is graded." in page
    assert "<script" not in page and "a0_doubling" not in page  # which is not built


def test_links_of_the_index_lead_to_where_the_lessons_can_be_read(course):
    (course.root / "course.toml").write_text('lessons = "https://example.org/lessons/"\n')
    assert autograder("build", "a00_hello", cwd=course.root).returncode == 0
    page = (course.root / "assignments" / "index.html").read_text()
    assert set(re.findall(r'href="([^"]*)"', page)) == {"https://example.org/lessons/a00_hello/hello.ipynb"}


def test_lessons_on_github_open_in_colab_and_binder_and_bring_what_is_missing(course, tmp_path, monkeypatch):
    write_tiny(course.root)
    (course.root / "course.toml").write_text('lessons = "https://github.com/o/r/blob/main/assignments"\nkit = "git+https://example.org/kit"\n')
    assert autograder("build", cwd=course.root).returncode == 0
    page = (course.root / "assignments" / "index.html").read_text()
    assert 'href="https://colab.research.google.com/github/o/r/blob/main/assignments/a0_doubling/doubling.ipynb"' in page
    assert 'href="https://mybinder.org/v2/gh/o/r/main?labpath=assignments/a00_hello/hello.ipynb"' in page
    built = find_course(course.root)
    notebook = nbformat.read(built.notebook("a0_doubling"), as_version=4)
    assert [cell.cell_type for cell in notebook.cells[:2]] == ["markdown", "code"] and "demo" in notebook.cells[1].metadata.tags
    assert nbformat.read(built.nbgrader_source("a0_doubling") / "doubling.ipynb", as_version=4).cells[1] == notebook.cells[1]

    installed, fetched = [], []
    shell = InteractiveShell()
    monkeypatch.setattr(shell, "run_line_magic", lambda name, line, *_, **__: installed.append((name, line)))
    monkeypatch.setattr(urllib.request, "urlretrieve", lambda address, name: fetched.append((address, name)))
    monkeypatch.chdir(tmp_path)
    assert shell.run_cell(notebook.cells[1].source).success and not installed and not fetched  # the kit is here
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert shell.run_cell(notebook.cells[1].source).success
    assert installed == [("pip", 'install --quiet "git+https://example.org/kit"')]
    assert fetched == [("https://github.com/o/r/raw/main/assignments/a0_doubling/examples.npz", "examples.npz")]

    (course.root / "course.toml").write_text("kit = '\"; import os'\n")
    done = autograder("build", cwd=course.root)
    assert done.returncode == 2 and "kit: expected what pip installs the kit from" in done.stderr


@pytest.mark.parametrize("command", ["grade", "audit", "author"])
def test_what_grades_says_that_there_is_nothing_to_grade(course, command):
    done = autograder(command, "a00_hello", cwd=course.root)
    assert done.returncode == 2 and "expected an assignment with questions; a00_hello has none" in done.stderr


def test_points_without_questions_are_refused(course):
    lesson = course.solution("a00_hello") / "lesson.py"
    lesson.write_text(HELLO.lstrip() + '\n# %% [markdown] written="why" points=10\n# ### BEGIN SOLUTION\n# Because.\n# ### END SOLUTION\n')
    done = autograder("build", "a00_hello", cwd=course.root)
    assert done.returncode == 2 and "why has points; expected a questions.py" in done.stderr


def test_the_released_index_is_what_build_would_write(monkeypatch):
    course, page = find_course(ROOT), (ROOT / "assignments" / "index.html").read_text()
    monkeypatch.setattr(author, "atomic", None)  # nothing has changed, so nothing is written
    author.write_index(course)
    for lesson in [*course.introductions, *course.assignments]:
        assert course.notebook(lesson).relative_to(ROOT / "assignments").as_posix() in page
