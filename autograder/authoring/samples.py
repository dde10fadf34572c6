"""A class to try the grader on: for an assignment, notebooks with every answer and every mishap that we know.

Used by `autograder demo` and by the tests, which know what each notebook should get.
"""

from __future__ import annotations

import ast
import collections
import dataclasses
import inspect
import json
import textwrap
from pathlib import Path

import nbformat

from autograder.authoring.course import Course
from autograder.authoring.lesson import (
    keep_solution,
    notebook_name,
    question_order,
    read_lesson,
    solved_notebook,
    student_notebook,
)
from autograder.authoring.question import Misconception, Question, load_questions
from autograder.files import atomic


@dataclasses.dataclass(frozen=True)
class Sample:
    """One made-up student.

    Attributes:
        notebook: the text of the file, or None when it is not handed in.
        question, misconception: what the notebook gets wrong, when it is one known mistake.
    """

    student: str
    notebook: str | None
    question: str | None = None
    misconception: str | None = None


# What the class of `autograder demo` holds beside mistakes: with one of each of six questions it fits a screen of 24 lines.
DEMO = ("all-right", "half-finished", "syntax-error", "endless-cell", "not-json", "wants-the-key")


def sample_class(course: Course, assignment: str, mistakes: int | None = None) -> list[Sample]:
    """Full marks, misconceptions, and every mishap.

    Args:
        mistakes: how many misconceptions of each question; all by default.
    """
    folder = course.solution(assignment)
    cells = read_lesson(folder)
    questions = question_order(cells, load_questions(folder), folder)
    solved, blank = solved_notebook(cells, questions), student_notebook(cells, questions)
    imports = imports_of(folder / "questions.py")
    samples = [Sample("all-right", _text(solved)), Sample("blank", _text(blank))]
    for question in questions:
        for item in question.misconceptions[:mistakes]:
            source = misconception_source(question, item, imports)
            notebook = edited(solved, question.name, lambda answer, source=source: f"{answer}\n\n\n{source}")
            samples.append(Sample(f"{question.name}--{item.name}", _text(notebook), question.name, item.name))
    return samples + [Sample(name, text) for name, text in _mishaps(solved, blank, questions, course.key(assignment)).items()]


def demo_class(course: Course, assignment: str, mistakes: int = 1) -> list[Sample]:
    """One notebook of each kind, and `mistakes` of each question, whose students are called after the question's number."""
    asked = [cell.question for cell in read_lesson(course.solution(assignment)) if cell.question]
    made: list[Sample] = []
    seen: dict[str, int] = collections.Counter()
    for sample in sample_class(course, assignment, mistakes):
        if sample.question is not None:
            seen[sample.question] += 1
            name = f"wrong-{asked.index(sample.question) + 1}" + (f"-{seen[sample.question]}" if mistakes > 1 else "")
            made.append(dataclasses.replace(sample, student=name))
        elif sample.student in DEMO:
            made.append(sample)
    return made


def write_class(samples: list[Sample], folder: Path, assignment: str) -> None:
    """Write samples as `folder/STUDENT/assignment/NAME.ipynb`."""
    for sample in samples:
        place = folder / sample.student / assignment
        place.mkdir(parents=True, exist_ok=True)
        if sample.notebook is not None:
            with atomic(place / f"{notebook_name(assignment)}.ipynb") as file:
                file.write(sample.notebook.encode())


def misconception_source(question: Question, item: Misconception, imports: str) -> str:
    """Code that, put after a right answer, replaces it with the misconception."""
    if item.source is not None:
        return keep_solution(item.source)
    source = textwrap.dedent(inspect.getsource(item.answer))
    node = ast.parse(source).body[0]
    decorators = getattr(node, "decorator_list", [])
    first = decorators[1] if len(decorators) > 1 else node  # without the decorator that declares it
    body = "\n".join(source.splitlines()[first.lineno - 1:])
    # In a function, so that `lesson` stays what it was here when other cells do the same.
    inner = textwrap.indent(f"lesson = SimpleNamespace(**globals())\n\n{body}\n\nreturn {item.name}", "    ")
    return f"from types import SimpleNamespace\n{imports}\n\n\ndef mistaken():\n{inner}\n\n\n{question.name} = mistaken()"


def edited(notebook: nbformat.NotebookNode, cell_id: str, change) -> nbformat.NotebookNode:
    """A copy with one cell's source changed by `change(source)`."""
    copy = nbformat.from_dict(json.loads(json.dumps(notebook)))
    for cell in copy.cells:
        if cell.id == cell_id:
            cell.source = change(cell.source)
    return copy


def _mishaps(solved, blank, questions: list[Question], key: Path) -> dict[str, str | None]:
    first, last, half = questions[0].name, questions[-1].name, [question.name for question in questions[len(questions) // 2:]]
    stubs = {cell.id: cell.source for cell in blank.cells}
    half_finished = solved
    for name in half:
        half_finished = edited(half_finished, name, lambda _, name=name: stubs[name])
    before = lambda line: _text(edited(solved, first, lambda source: f"{line}\n{source}"))  # noqa: E731
    inside = lambda line: _text(edited(solved, first, lambda _, line=line: f"def {first}(*arguments):\n    {line}"))  # noqa: E731
    doubled = edited(solved, first, lambda source: source)
    doubled.cells += [cell for cell in doubled.cells if cell.id in (first, f"{first}-check")]
    return {
        "half-finished": _text(half_finished),
        "syntax-error": _text(edited(solved, first, lambda source: source + "\nreturn return")),
        "raises-at-import": before("import a_package_that_does_not_exist"),
        "endless-cell": before("while True: pass"),
        "endless-answer": inside("while True: pass"),
        "prints-a-megabyte": inside("print('x' * 10**6)"),
        "prints-in-its-cell": before("print('y' * 10**6)"),
        "ends-python": before("import os; os._exit(7)"),
        "kills-itself": inside("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"),
        "returns-none": inside("return None"),
        "wants-the-key": inside(f"return open({str(key)!r}, 'rb').read()"),
        "not-json": '{"cells": [',
        "not-a-notebook": '{"grades": [100]}',
        "empty-file": "",
        "no-notebook": None,
        "duplicated-cells": _text(doubled),
        "last-answer-missing": _text(_without(solved, last)),
    }


def _without(notebook, cell_id: str):
    copy = edited(notebook, cell_id, lambda source: source)
    copy.cells = [cell for cell in copy.cells if cell.id != cell_id]
    return copy


def imports_of(questions_file: Path) -> str:
    tree = ast.parse(questions_file.read_text(encoding="utf-8"))
    lines = [ast.unparse(node) for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))
             and not (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("autograder", "__future__"))]
    return "\n".join(lines)


def _text(notebook) -> str:
    # Not nbformat.writes: it repairs duplicated cell ids, which are to be seen here.
    return json.dumps(notebook, indent=1, ensure_ascii=False)
