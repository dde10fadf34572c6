"""The data that lessons load: what it says it is, found where it says it looks, and shipped with the lessons that load it."""

import os

import numpy as np
import pytest

from autograder import data
from autograder.authoring.course import data_files


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


def test_the_photograph_is_a_picture_in_grey():
    picture = data.photograph()
    assert picture.shape == (240, 205) and picture.dtype == np.float32 and picture.min() < 0.05 and picture.max() > 0.95
    assert picture[190:, 60:90].mean() < 0.2 < picture[20:60, 185:].mean()  # the jacket is dark, the wall behind it is not
    assert data_files("data.photograph()") == ["photograph.npz"]


def test_a_missing_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "FILES", {"sonnets": "no-such.txt"})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="no-such.txt beside the notebook"):
        data.sonnets()


def test_a_lesson_that_loads_the_sonnets_ships_them():
    assert data_files("text = data.sonnets()") == ["sonnets.txt"]


def test_mnist_is_read_from_where_it_is_said_to_be(tmp_path, monkeypatch):
    images, labels = np.arange(2 * 28 * 28).reshape(2, 28, 28) % 256, np.array([3, 7])
    np.savez(tmp_path / "mine.npz", x_train=images.astype(np.uint8), y_train=labels, x_test=images[:1].astype(np.uint8), y_test=labels[:1])
    monkeypatch.setenv("KIT_MNIST", str(tmp_path / "mine.npz"))
    (train, train_labels), (test, test_labels) = data.mnist()
    assert train.shape == (2, 28, 28) and train.dtype == np.float32 and train.max() == 1 and train.min() == 0
    assert train_labels.tolist() == [3, 7] and test.shape == (1, 28, 28) and test_labels.tolist() == [3]


def test_without_mnist_one_is_told_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.delenv("KIT_MNIST", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="Set KIT_MNIST to a copy of mnist.npz"):
        data.mnist()


@pytest.mark.skipif("KIT_MNIST" not in os.environ, reason="KIT_MNIST names no copy of MNIST")
def test_mnist_is_mnist():
    (images, labels), (test, _) = data.mnist()
    assert (len(images), len(test)) == (60_000, 10_000) and np.sum(labels == 1) == 6742
    assert abs(images.mean() - 0.1307) < 1e-4 and abs(images.std() - 0.3081) < 1e-4
