"""Lessons: one percent-format `lesson.py` is the source of the notebook that students get and of the reference answers.

Cells are prose, setup (plain code: imports and helpers), demos (`tags=["demo"]`, skipped when grading), questions
(`question="softmax"`, with the answer between `### BEGIN SOLUTION` and `### END SOLUTION`) and written answers
(`[markdown] written="choose_lambda" points=10`, with a model answer between the same markers), which a person grades. In a lesson
without a `questions.py` the questions are exercises: what stands below them says whether they are right, and nothing is graded.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import importlib
import linecache
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace

import nbformat
from nbformat import NotebookNode

from autograder.authoring.blame import DeclarationError, blamed
from autograder.authoring.question import TOTAL, Question
from autograder.grading.submission import STUB

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
TEXT_STUB = ("YOUR ANSWER HERE",)
SCHEMA = 3  # of nbgrader's cell metadata
FOLDED = {"jupyter": {"source_hidden": True}, "cellView": "form"}  # code out of sight: JupyterLab and Notebook 7; Colab


@dataclass(frozen=True)
class Cell:
    """One cell of a lesson; `id` is its name, or depends on its content alone, so that unrelated edits leave it unchanged."""

    kind: str  # "prose", "setup", "demo", "question" or "written"
    source: str
    id: str
    question: str | None = None
    points: int | None = None  # of a written answer; a question has them on its cases


def read_lesson(folder: Path) -> list[Cell]:
    """The cells of `folder/lesson.py`.

    Raises:
        DeclarationError: no lesson there, or a question cell without a solution region or a written one without points.
    """
    import jupytext  # lazy: with Jupyter's server, which it imports, as long as the rest of a command that reads no lesson

    path = Path(folder) / "lesson.py"
    if not path.is_file():
        raise DeclarationError(f"{folder}: expected a lesson.py; found none")
    cells: list[Cell] = []
    seen: dict[str, int] = {}
    for node in jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent").cells:
        question, written = node.metadata.get("question"), node.metadata.get("written")
        if node.cell_type == "markdown":
            kind = "written" if written else "prose"
            if written:
                _solution_regions(node.source, f"{path}: written answer {written}")
                if type(points := node.metadata.get("points")) is not int or points < 1:
                    raise DeclarationError(f"{path}: written answer {written}: points must be a whole number above 0. "
                                           f"Received: {points!r}")
        elif node.cell_type != "code":
            continue  # jupytext's own header
        elif question:
            kind = "question"
            _solution_regions(node.source, f"{path}: question {question}")
        else:
            kind = "demo" if "demo" in node.metadata.get("tags", []) else "setup"
        # Setup cells are counted: corrected after a release, one still takes the place of the copy that students have.
        setups = sum(cell.kind == "setup" for cell in cells) + 1
        name = question or written or (f"setup-{setups}" if kind == "setup" else
                                       f"{kind}-{hashlib.sha256(node.source.encode()).hexdigest()[:8]}")
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1 and kind in ("question", "written"):
            raise DeclarationError(f"{path}: question {name} has two cells; expected one")
        cells.append(Cell(kind, node.source, name if seen[name] == 1 else f"{name}-{seen[name]}", question,
                          node.metadata.get("points") if kind == "written" else None))
    return cells


class Lesson(SimpleNamespace):
    """What a lesson defines, by name."""

    def __getattr__(self, name: str):
        near = difflib.get_close_matches(name, vars(self), 1)
        raise AttributeError(f"the lesson defines no {name}" + (f"; {near[0]}?" if near else ""))


def load_lesson(questions_file: str | Path) -> Lesson:
    """Run the lesson beside `questions_file`, without its demos, and return everything it defines.

    What is returned is a snapshot of the lesson's module: replacing an answer in the module (as
    `autograder.authoring.answers` does to see what a mistake in one answer does to the next) leaves the snapshot as it is.
    """
    path = Path(questions_file).resolve().parent / "lesson.py"
    module = ModuleType(f"lesson_{path.parent.name}")
    module.__name__ += f"_{id(module):x}"  # loaded twice, a lesson is two modules: each answer finds its own by this name
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    with _importable(path.parent):
        for cell in read_lesson(path.parent):
            if cell.kind in ("setup", "question"):
                with blamed(path.parent):
                    run_cell(cell.source, f"<{path.parent.name}:{cell.id}>", vars(module))
    return Lesson(**{name: value for name, value in vars(module).items() if not name.startswith("__")})


def public_modules(folder: Path) -> list[Path]:
    """What else an assignment's folder holds: every `.py` but the lesson and the questions ships with the release."""
    return sorted(path for path in Path(folder).glob("*.py") if path.name not in ("lesson.py", "questions.py"))


@contextlib.contextmanager
def _importable(folder: Path):
    """Let a lesson import the public modules beside it, as its notebook does.

    They are loaded anew, so that two assignments may each have a module of the same name.
    """
    for path in public_modules(folder):
        sys.modules.pop(path.stem, None)
    importlib.invalidate_caches()
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def run_cell(source: str, filename: str, namespace: dict) -> None:
    """Execute a cell with its source registered, so that AutoGraph, inspect and tracebacks can read it."""
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    exec(compile(source, filename, "exec"), namespace)


def strip_solution(source: str, stub: tuple[str, ...] = STUB) -> str:
    """The stub a student gets: each solution region replaced by nbgrader's, at the region's indentation."""
    lines = source.splitlines()
    for begin, end in reversed(_solution_regions(source, "cell")):
        indent = lines[begin][:-len(lines[begin].lstrip())]
        lines[begin:end + 1] = [indent + line for line in stub]
    return "\n".join(lines)


def keep_solution(source: str) -> str:
    """The solved cell without its markers."""
    return "\n".join(line for line in source.splitlines() if line.strip() not in (BEGIN, END))


def student_notebook(cells: list[Cell], questions: list[Question]) -> NotebookNode:
    """What students get: stubs, and a check cell worth the question's points after each."""
    return _notebook(cells, questions, strip_solution)


def solved_notebook(cells: list[Cell], questions: list[Question]) -> NotebookNode:
    """The student notebook with every question answered."""
    return _notebook(cells, questions, keep_solution)


def source_notebook(cells: list[Cell], questions: list[Question]) -> NotebookNode:
    """nbgrader's source version: solutions between their markers, for `nbgrader generate_assignment` to strip."""
    return _notebook(cells, questions, lambda source: source)


def introduction_notebook(cells: list[Cell], solved: bool = False) -> NotebookNode:
    """What students get of a lesson in which nothing is graded: its exercises as stubs, or `solved`, without metadata."""
    nodes = []
    for cell in cells:
        if cell.kind == "prose":
            nodes.append(nbformat.v4.new_markdown_cell(cell.source, id=cell.id))
            continue
        source = cell.source if cell.kind != "question" else keep_solution(cell.source) if solved else strip_solution(cell.source)
        folded = {"tags": ["demo"], **FOLDED} if cell.kind == "demo" else {}
        nodes.append(nbformat.v4.new_code_cell(source, id=cell.id, metadata=folded))
    return _with_kernel(nodes)


def question_order(cells: list[Cell], questions: list[Question], folder: Path) -> list[Question]:
    """The questions in the lesson's order; refuses a lesson and a questions.py that do not fit together.

    Raises:
        DeclarationError: a question without a cell, a cell without a question, or points that do not add up.
    """
    declared = {question.name: question for question in questions}
    asked = [cell.question for cell in cells if cell.question]
    if missing := sorted(set(asked) - set(declared)):
        raise DeclarationError(f"{folder}: lesson.py asks {', '.join(missing)}, which questions.py does not declare")
    if missing := sorted(set(declared) - set(asked)):
        raise DeclarationError(f"{folder}: questions.py declares {', '.join(missing)}, for which lesson.py has no cell")
    total = sum(question.points for question in questions) + sum(written_points(cells).values())
    if total != TOTAL:
        raise DeclarationError(f"{folder}: points must add up to {TOTAL}. Received: {total}")
    return [declared[name] for name in asked]


def written_points(cells: list[Cell]) -> dict[str, int]:
    """The answers that a person grades, and their points."""
    return {cell.id: cell.points for cell in cells if cell.points is not None}


def notebook_name(assignment: str) -> str:
    """`a4_cross_entropy` -> `cross_entropy`."""
    return re.sub(r"^a\d+_", "", assignment)


def _solution_regions(source: str, where: str) -> list[tuple[int, int]]:
    marks = [(i, line.strip()) for i, line in enumerate(source.splitlines()) if line.strip() in (BEGIN, END)]
    if not marks or [mark for _, mark in marks] != [BEGIN, END] * (len(marks) // 2):
        raise DeclarationError(f"{where}: expected pairs of '{BEGIN}' and '{END}'. Received: {[mark for _, mark in marks]}")
    return [(marks[i][0], marks[i + 1][0]) for i in range(0, len(marks), 2)]


def _notebook(cells: list[Cell], questions: list[Question], answer) -> NotebookNode:
    points = {question.name: question.points for question in questions}
    nodes = []
    for cell in cells:
        if cell.kind == "prose":
            nodes.append(nbformat.v4.new_markdown_cell(cell.source, id=cell.id))
        elif cell.kind == "written":
            text = strip_solution(cell.source, TEXT_STUB) if answer is strip_solution else answer(cell.source)
            nodes.append(_graded_cell(text, cell.id, "markdown", grade=True, solution=True, points=cell.points))
        elif cell.kind == "demo":
            nodes.append(nbformat.v4.new_code_cell(cell.source, id=cell.id, metadata={"tags": ["demo"], **FOLDED}))
        elif cell.kind == "setup":
            nodes.append(_graded_cell(cell.source, cell.id, locked=True))
        elif cell.question:
            nodes.append(_graded_cell(answer(cell.source), cell.id, solution=True))
            call = f'check("{cell.question}")  # {points[cell.question]} points'
            nodes.append(_graded_cell(call, f"{cell.id}-check", grade=True, locked=True, points=points[cell.question]))
    return _with_kernel(nodes)


def _with_kernel(nodes: list[NotebookNode]) -> NotebookNode:
    return nbformat.v4.new_notebook(cells=nodes, metadata={
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"}})


def _graded_cell(source: str, id: str, cell_type: str = "code", *, grade=False, solution=False, locked=False,
                 points: int | None = None) -> NotebookNode:
    metadata = {"schema_version": SCHEMA, "grade_id": id, "grade": grade, "solution": solution, "locked": locked,
                "task": False, "cell_type": cell_type}
    if points is not None:
        metadata["points"] = points
    # A solution cell may be deleted by accident as any other: Jupyter greys the button out.
    new_cell = nbformat.v4.new_code_cell if cell_type == "code" else nbformat.v4.new_markdown_cell
    return new_cell(source, id=id, metadata={"nbgrader": metadata, "deletable": False})
