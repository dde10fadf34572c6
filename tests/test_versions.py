"""When are other releases than a key's worth a word, and who hears it?"""

import dataclasses

import pytest
from conftest import write_tiny

from autograder import check
from autograder.authoring import build as building
from autograder.grading.cache import Cache
from autograder.grading.key import EXAMPLES, load, save
from autograder.grading.versions import installed, notice
from autograder.sandbox.sandbox import Limits

NAME = "a0_doubling"
BUILT = {"python": "3.12.4", "tensorflow": "2.21.0", "keras": "3.15.1", "numpy": "2.4.6", "autograder": "0.1.0"}


@pytest.mark.parametrize("here, words", [
    ({}, []),
    ({"tensorflow": "2.21.1", "keras": "3.15.0", "numpy": "2.4.0", "python": "3.12.9", "autograder": "0.2.0"}, []),
    ({"tensorflow": "2.22.0rc0"}, ["TensorFlow 2.22.0rc0 here", "TensorFlow 2.21.0."]),
    ({"keras": "4.15.1", "numpy": "2.10.0"}, ["Keras 4.15.1, NumPy 2.10.0 here", "Keras 3.15.1, NumPy 2.4.6."]),
    ({"tensorflow": "2.2.0"}, ["TensorFlow 2.2.0 here"]),
    ({"python": "3.13.0"}, ["Python 3.13.0 here", "Python 3.12.4."]),
    ({"python": "3.11.7"}, []),
    ({"tensorflow": ""}, []),
])
def test_minor_releases_of_libraries_and_a_newer_python_matter(here, words):
    said = notice(BUILT, BUILT | here)
    assert all(word in said for word in words) and bool(said) == bool(words)
    assert notice({}, BUILT) == ""


def test_a_build_with_other_releases_says_so_in_the_key_and_keeps_what_is_committed(tmp_path, monkeypatch):
    course = write_tiny(tmp_path)
    first = building.build(course, NAME)
    assert first.versions == load(course.key(NAME)).versions == installed() and all(first.versions.values())
    examples = (course.release(NAME) / EXAMPLES).read_bytes()
    monkeypatch.setattr(building, "installed", lambda: installed() | {"tensorflow": "2.99.0"})
    second = building.build(course, NAME)
    assert load(course.key(NAME)).versions["tensorflow"] == "2.99.0" and second.digest == first.digest
    assert (course.release(NAME) / EXAMPLES).read_bytes() == examples


def test_a_check_that_is_not_passed_says_which_releases_differ(built_tiny, tmp_path, monkeypatch, capsys):
    (tmp_path / "release").mkdir()
    monkeypatch.chdir(tmp_path / "release")
    key = load(built_tiny.release(NAME) / EXAMPLES)

    def shown(factor, versions):
        save(dataclasses.replace(key, versions=versions), tmp_path / "release" / EXAMPLES, private=False)
        exec("check('double')", {"check": check, "double": lambda x: factor * x})
        return capsys.readouterr().out

    other = installed() | {"keras": "3.0.5"}
    assert "computed with Keras 3.0.5." in shown(3, other) and "computed with" not in shown(2, other)
    assert "computed with" not in shown(3, installed())


def test_a_verdict_of_other_releases_is_not_taken_from_the_cache(built_tiny, tmp_path, monkeypatch):
    key = load(built_tiny.key(NAME))

    def place():
        return Cache(tmp_path, key, (), Limits(), "process")._circumstances

    before = place()
    assert place() == before
    monkeypatch.setattr("autograder.grading.cache.installed", lambda: installed() | {"numpy": "2.99.0"})
    assert place() != before
