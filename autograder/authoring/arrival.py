"""Lessons that open in Colab and Binder: the addresses that open them, and the cell that brings there what is missing."""

from __future__ import annotations

import re
from collections.abc import Iterable

import nbformat
from nbformat import NotebookNode

from autograder.authoring.lesson import FOLDED

ON_GITHUB = re.compile(r"https://github\.com/([\w.-]+)/([\w.-]+)/blob/([\w.-]+)/([\w./-]+)")  # owner, repository, branch, folder
CELL = "arrive"


def doors(lessons: str, notebook: str) -> dict[str, str]:
    """Where a notebook opens to be worked on: addresses by the names of those who run it.

    Args:
        lessons: the web address under which `assignments/` can be read; what is not on GitHub nobody opens.
        notebook: its path from there.
    """
    if not (found := ON_GITHUB.fullmatch(lessons)):
        return {}
    owner, repository, branch, folder = found.groups()
    return {"Colab": f"https://colab.research.google.com/github/{owner}/{repository}/blob/{branch}/{folder}/{notebook}",
            "Binder": f"https://mybinder.org/v2/gh/{owner}/{repository}/{branch}?labpath={folder}/{notebook}"}


def with_arrival(notebook: NotebookNode, kit: str, lessons: str, assignment: str, files: Iterable[str]) -> NotebookNode:
    """The notebook, with a folded cell under its title that does something only where the kit is not installed.

    Args:
        kit: what pip installs it from; "" for no cell.
        files: what the lesson needs beside the notebook, which is fetched where the lessons are on GitHub.
    """
    if not kit:
        return notebook
    lines = ["# Where the course's kit is missing, as in Colab and Binder, this installs it. Elsewhere it does nothing.",
             "import importlib.util", "", 'if importlib.util.find_spec("autograder") is None:',
             f'    %pip install --quiet "{kit}"']
    if found := ON_GITHUB.fullmatch(lessons):
        owner, repository, branch, folder = found.groups()
        lines += ["    import os", "    import urllib.request", "", f"    for name in {sorted(files)!r}:",
                  "        if not os.path.exists(name):",
                  "            urllib.request.urlretrieve(",
                  f'                "https://github.com/{owner}/{repository}/raw/{branch}/{folder}/{assignment}/" + name, name)']
    cell = nbformat.v4.new_code_cell("\n".join(lines), id=CELL, metadata={"tags": ["demo"], **FOLDED})
    titled = bool(notebook.cells) and notebook.cells[0].cell_type == "markdown"
    notebook.cells.insert(int(titled), cell)
    return notebook
