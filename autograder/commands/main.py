"""The command line. Exit status: 0 done, 1 something could not be graded, 2 wrong usage; `__main__` adds those of signals."""

from __future__ import annotations

import os
import sys

# Before anything imports TensorFlow: its start-up messages are no news to anyone.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # the same rounding in build and sandbox
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
# Answers are small: handing their operations to other threads takes longer than running them. Several processes share the work.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
# nbformat's validator looks for these optional modules, which take most of a second to import, to check addresses and durations:
# notebooks have none.
for _unused in ("rfc3986_validator", "rfc3987", "rfc3987_syntax", "isoduration"):
    sys.modules.setdefault(_unused, None)  # type: ignore[arg-type]

from typing import Annotated

import typer

import autograder
from autograder.authoring.blame import DeclarationError
from autograder.authoring.course import CourseError
from autograder.commands import author, delivery, demo, insight, instructor, student
from autograder.commands.screen import fail
from autograder.grading.key import KeyFileError
from autograder.grading.submission import Unreadable
from autograder.sandbox.isolation import IsolationError
from autograder.sandbox.warm import SandboxError

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode="rich", pretty_exceptions_enable=False)
for command in (author.author, author.build, student.check, instructor.grade, insight.report, insight.similarity, author.audit,
                instructor.doctor, demo.demo, student.ci, delivery.collect):
    app.command()(command)
app.add_typer(delivery.export, name="export")


def _version(asked: bool) -> None:
    if asked:
        print("autograder", autograder.__version__)
        raise typer.Exit()


@app.callback()
def options(_: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True,
                                            help="Show which release this is.")] = False):
    """Build, check and grade the assignments of a Keras/TensorFlow course."""


app.command(name="gradescope", hidden=True)(delivery.gradescope_run)


def main() -> None:
    """Run the command line; errors are one line on stderr."""
    try:
        app()
    except (CourseError, DeclarationError, IsolationError, KeyFileError, Unreadable) as error:
        fail(error, 2)
    except (SandboxError, OSError) as error:
        fail(error, 1)
