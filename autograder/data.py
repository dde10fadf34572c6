"""Data sets for the lessons, found beside the notebook or in the course's `data/`; nothing is downloaded.

Where they come from and their licences: `data/README.md`.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

# loader -> the file that a release ships when its lesson calls `data.<loader>(`
FILES = {"digits": "digits.npz", "photograph": "photograph.npz", "sonnets": "sonnets.txt"}


def digits() -> tuple[np.ndarray, np.ndarray]:
    """The 1,797 handwritten digits of the UCI test set, 8 by 8 pixels.

    Returns:
        images: float32 (1797, 8, 8), 0 (paper) to 1 (ink).
        labels: int32 (1797,), 0 to 9.
    Raises:
        FileNotFoundError: the file is neither beside the notebook nor in the course.
    """
    with np.load(_find(FILES["digits"])) as file:
        return file["images"].astype(np.float32) / 16, file["labels"].astype(np.int32)


def photograph() -> np.ndarray:
    """A portrait of Grace Hopper in grey, 240 pixels high and 205 wide.

    Returns:
        float32 (240, 205), 0 (black) to 1 (white).
    Raises:
        FileNotFoundError: the file is neither beside the notebook nor in the course.
    """
    with np.load(_find(FILES["photograph"])) as file:
        return file["image"].astype(np.float32) / 255


def sonnets() -> str:
    """Twenty-six of Shakespeare's sonnets, 15,982 characters, with an empty line between one and the next.

    Returns:
        the text: lines end in a newline, the last one too; 59 different characters, all of them ASCII.
    Raises:
        FileNotFoundError: the file is neither beside the notebook nor in the course.
    """
    return _find(FILES["sonnets"]).read_text(encoding="ascii")


def mnist() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """The MNIST handwritten digits, 28 by 28 pixels, for those who have them; nothing that is graded needs them.

    Read from the file that the environment variable `KIT_MNIST` names, or from Keras's cache.

    Returns:
        (images, labels) to train with and to test with: float32 (60000, 28, 28) from 0 to 1 with int32 (60000,), and 10,000.
    Raises:
        FileNotFoundError: neither is there; the message says how to get the file.
    """
    cache = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"), "datasets", "mnist.npz")
    path = Path(os.environ.get("KIT_MNIST") or cache)
    if not path.is_file():
        raise FileNotFoundError(f"expected MNIST at {path}; found none. Set KIT_MNIST to a copy of mnist.npz, or get one with "
                                "`python -c 'import keras; keras.datasets.mnist.load_data()'`")
    with np.load(path) as file:
        train, test = ((file[f"x_{part}"].astype(np.float32) / 255, file[f"y_{part}"].astype(np.int32))
                       for part in ("train", "test"))
    return train, test


def _find(name: str) -> Path:
    here = Path.cwd()
    course = Path(__file__).resolve().parents[1]  # a clone of the course, where the package is installed editable
    for folder in (here, here / "data", *(parent / "data" for parent in here.parents), course / "data"):
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"expected {name} beside the notebook or in a folder data/; not found from {here}")
