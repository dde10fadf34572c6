"""For students and their repositories: `check`, `ci`."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated

import typer

from autograder.commands.screen import err, out
from autograder.report.terminal import verdict_table
from autograder.sandbox.warm import SandboxError
from autograder.student.check import check_notebook
from autograder.student.ci import ci as check_push


def check(notebook: Annotated[Path, typer.Argument(help="The notebook you are working on.")]):
    """Try a notebook's answers on the visible cases; needs neither key nor course."""
    with err.status("Running the notebook …"):
        verdict, visible = check_notebook(notebook)
    out.print(verdict_table(verdict, f"{notebook.name}: {verdict.score} of the {visible.max_score} points of visible cases"))
    if verdict.error:
        raise SandboxError(verdict.error)


def ci(notebook: Annotated[Path, typer.Argument(help="The notebook that was pushed.")],
       to: Annotated[Path, typer.Option(help="Folder for the reports.")] = Path("autograding"),
       release: Annotated[Path | None, typer.Option(help="Folder of the examples and data to use (the notebook's).")] = None,
       classroom50: Annotated[Path | None, typer.Option(help="Where Classroom 50 wants its result.")] = None):
    """Check a pushed notebook and report it to GitHub: what a student repository's workflow runs."""
    if not check_push(notebook, to, release, classroom50, say=functools.partial(print, flush=True)):
        raise typer.Exit(1)
