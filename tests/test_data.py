"""The data that lessons load: what it says it is, found where it says it looks, and shipped with the lessons that load it."""

import pytest

from autograder import data
from autograder.course import data_files


def test_sonnets_are_sonnets():
    text = data.sonnets()
    poems = text.rstrip("\n").split("\n\n")
    assert [len(poem.splitlines()) for poem in poems] == 26 * [14]
    lines = [line for poem in poems for line in poem.splitlines()]
    assert all(line == line.strip() and 28 <= len(line) <= 60 for line in lines)  # ten or eleven syllables each
    assert len(set(lines)) == len(lines) and all(line[0].isupper() or line[0] == "'" for line in lines)
    assert {"Shall I compare thee to a summer's day?", "Let me not to the marriage of true minds"} <= set(lines)


def test_sonnets_are_plain_text_as_long_as_the_loader_says():
    text = data.sonnets()
    assert text.isascii() and "\r" not in text and text.endswith("\n") and not text.endswith("\n\n")
    assert f"{len(text):,} characters" in data.sonnets.__doc__ and f"{len(set(text))} different characters" in data.sonnets.__doc__


def test_sonnets_are_found_beside_the_notebook_first(tmp_path, monkeypatch):
    (tmp_path / "sonnets.txt").write_text("a rose\n")
    monkeypatch.chdir(tmp_path)
    assert data.sonnets() == "a rose\n"


def test_a_missing_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "FILES", {"sonnets": "no-such.txt"})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="no-such.txt beside the notebook"):
        data.sonnets()


def test_a_lesson_that_loads_the_sonnets_ships_them():
    assert data_files("text = data.sonnets()") == ["sonnets.txt"]
