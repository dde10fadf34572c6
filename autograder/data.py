"""Small data sets for the lessons, found beside the notebook or in the course's `data/`; nothing is downloaded.

Where they come from and their licences: `data/README.md`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

# loader -> the file that a release ships when its lesson calls `data.<loader>(`
FILES = {"digits": "digits.npz", "sonnets": "sonnets.txt"}


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


def sonnets() -> str:
    """Twenty-six of Shakespeare's sonnets, 15,982 characters, with an empty line between one and the next.

    Returns:
        the text: lines end in a newline, the last one too; 59 different characters, all of them ASCII.
    Raises:
        FileNotFoundError: the file is neither beside the notebook nor in the course.
    """
    return _find(FILES["sonnets"]).read_text(encoding="ascii")


def _find(name: str) -> Path:
    here = Path.cwd()
    course = Path(__file__).resolve().parents[1]  # a clone of the course, where the package is installed editable
    for folder in (here, here / "data", *(parent / "data" for parent in here.parents), course / "data"):
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"expected {name} beside the notebook or in a folder data/; not found from {here}")
