"""Visible cases as tests: one for each, with the check's words; and nothing at all for what is no assignment of ours."""

import dataclasses
import shutil
import subprocess
import sys
import tomllib
from importlib import import_module
from types import SimpleNamespace

import pytest
from conftest import ROOT

from autograder.grading.key import load
from autograder.grading.verdict import broken, no_points
from autograder.student import ci, pytest_plugin
from autograder.student.check import visible_part

HINT = "You square: add the number to itself."


class Recorder:
    """What a run of pytest tells whoever listens, as an editor does."""

    def __init__(self):
        self.names, self.places, self.outcomes, self.words, self.broken = [], [], {}, {}, []

    def pytest_collection_modifyitems(self, items):
        self.names = [item.name for item in items]
        self.places = [(item.location[0], item.location[1]) for item in items]

    def pytest_collectreport(self, report):
        self.broken += [report.longreprtext] if report.failed else []

    def pytest_runtest_logreport(self, report):
        if report.when == "call" or report.failed:
            self.outcomes[report.nodeid.split("::")[1]] = report.outcome if report.when == "call" else f"{report.outcome} in {report.when}"
            self.words[report.nodeid.split("::")[1]] = report.longreprtext


def run(folder, *arguments):
    """Run pytest in a folder, with the plugin as its entry point loads it; returns its exit status and what was told."""
    told = Recorder()
    status = pytest.main(["-c", "/dev/null", "--rootdir", str(folder), "-p", "no:cacheprovider", "-p", "no:autograder", "-p", "no:xdist",
                          *map(str, arguments)], plugins=[pytest_plugin, told])
    return status, told


@pytest.fixture
def release(built_tiny, tmp_path, monkeypatch):
    """A release whose notebook, when it is checked, has the second question unwritten and the first wrong; and how often it was."""
    folder = shutil.copytree(built_tiny.release("a0_doubling"), tmp_path / "release")
    key = visible_part(load(folder / "examples.npz"))
    double, quadruple = (no_points(question, "failed", words) for question, words in zip(key.questions, (HINT, "not written yet")))
    verdict = dataclasses.replace(broken("doubling", key, ""), questions=(double, quadruple), error=None, notes=("it is odd",))
    count = SimpleNamespace(verdict=verdict, checks=0)

    def check_push(notebook):
        count.checks += 1
        return ci.Push(notebook, count.verdict, key, 100)

    monkeypatch.setattr(ci, "check_push", check_push)
    return SimpleNamespace(folder=folder, count=count)


def test_every_visible_case_is_a_test_that_fails_with_the_words_of_the_check(release, capsys):
    status, told = run(release.folder, release.folder)
    assert told.names == ["double: Numbers you can double by hand", "quadruple: One number"]
    lines = (release.folder / "doubling.ipynb").read_text().splitlines()
    assert all(path == "doubling.ipynb" and name in lines[line] for (path, line), name in zip(told.places, ("def double", "def quadruple")))
    assert status == 1 and set(told.outcomes.values()) == {"failed"} and list(told.words.values()) == [HINT, "not written yet"]
    said = capsys.readouterr().out
    assert "doubling.ipynb: 0 of the 20 points of visible cases" in said and "note: it is odd" in said and release.count.checks == 1


def test_one_case_can_be_asked_for_and_what_is_right_passes(release):
    right = release.count.verdict.questions[1]
    right = dataclasses.replace(right, cases=tuple(dataclasses.replace(case, passed=True) for case in right.cases))
    release.count.verdict = dataclasses.replace(release.count.verdict, questions=(release.count.verdict.questions[0], right))
    status, told = run(release.folder, f"{release.folder}/doubling.ipynb::quadruple: One number")
    assert status == 0 and told.outcomes == {"quadruple: One number": "passed"}


def test_what_could_not_be_checked_is_an_error_and_no_lost_point(release):
    release.count.verdict = broken("doubling", load(release.folder / "examples.npz"), "checking failed (OSError)")
    _, told = run(release.folder, release.folder, "-k", "quadruple")
    assert told.outcomes == {"quadruple: One number": "failed in setup"} and told.words == {"quadruple: One number": "checking failed (OSError)"}


@pytest.mark.parametrize("content, words", [("{", "not valid JSON"), ("", "the file is empty")])
def test_a_notebook_that_cannot_be_read_is_one_line(release, content, words):
    (release.folder / "doubling.ipynb").write_text(content)
    status, told = run(release.folder, release.folder)
    assert status == 2 and words in told.broken[0] and len(told.broken[0].splitlines()) == 1 and release.count.checks == 0


def test_other_notebooks_and_other_files_of_that_name_are_left_alone(release, tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "examples.npz").write_bytes(b"PK\x05\x06 no archive")
    for folder in (release.folder, tmp_path / "bad", tmp_path):
        shutil.copy(release.folder / "doubling.ipynb", folder / "mine.ipynb")
    shutil.copy(release.folder / "doubling.ipynb", tmp_path / "doubling.ipynb")
    _, told = run(tmp_path, tmp_path)
    assert len(told.names) == 2 and {path for path, _ in told.places} == {"release/doubling.ipynb"}
    _, told = run(tmp_path, release.folder / "mine.ipynb")  # a copy under another name, asked for
    assert len(told.names) == 2
    (release.folder / "examples.npz").write_bytes((release.folder / "examples.npz").read_bytes()[:-40])
    status, told = run(tmp_path, release.folder)
    assert (status, told.names) == (5, [])  # nothing collected


def test_it_is_declared_and_loads_nothing_of_the_kit():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]
    assert import_module(declared["autograder"]) is pytest_plugin
    code = (f"import sys, pytest, {declared['autograder']}\n"
            "print(sorted({name.split('.')[0] for name in sys.modules} & {'numpy', 'tensorflow', 'keras', 'IPython', 'nbformat', 'jinja2'}),"
            " sorted(name for name in sys.modules if name.startswith('autograder')))")
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] ['autograder', 'autograder.student', 'autograder.student.pytest_plugin']"
