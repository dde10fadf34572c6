"""From verdicts to rows of the gradebook and graded notebooks, for a class of any size, at whatever moment a run is ended.

Some students at a time: their rows are committed, then their graded notebooks are written, which hold a digest of all that
they come from. So what has the digest is recorded whole, and the next run goes on with the others.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import nbformat
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde, NbGraderException
from nbgrader.preprocessors import AssignLatePenalties
from nbgrader.utils import find_all_files, parse_utc
from sqlalchemy.exc import OperationalError
from traitlets.utils.importstring import import_item

from autograder.authoring.lesson import notebook_name
from autograder.files import atomic
from autograder.grading.cache import digest
from autograder.grading.submission import TIMESTAMP, Unreadable, find_notebook, printable, read_cells
from autograder.grading.verdict import Status, Verdict
from autograder.nbgrader.exchange import SECRET, secret
from autograder.nbgrader.notebook import answers, graded_notebook
from autograder.nbgrader.rows import Rows, Wanted
from autograder.nbgrader.timestamps import timestamp, timestamp_note

STUDENTS, BYTES = 50, 2**26  # whose rows are committed at once, unless their notebooks are larger than this


@dataclasses.dataclass(frozen=True)
class Entry:
    """What is written of a student; `notebook` is None where the graded notebook is there already.

    `beside` are what the exchange has put beside the submission, and are to go with it: when it was handed in, a secret.
    """

    folder: Path
    beside: dict[str, str]
    rows: Wanted
    notebook: bytes | None


class Recorder:
    """Writes an assignment's verdicts, as nbgrader is set up to.

    Args:
        converter: nbgrader's, for its settings: where things are, permissions, penalties, hooks.
        skeleton: the released notebook.
        anew: write graded notebooks that are there already, too.
    Raises:
        MissingEntry: the assignment is not in the gradebook.
    """

    def __init__(self, converter: Autograde, gradebook: Gradebook, skeleton: nbformat.NotebookNode, anew: bool):
        self._converter, self._skeleton, self._anew = converter, skeleton, anew
        self._assignment = converter.coursedir.assignment_id
        self._name = notebook_name(self._assignment)
        self._skeleton_digest = digest(skeleton)
        self._handed_out = answers(graded_notebook([], skeleton, Verdict("", "graded", 0, 0.0, None, ())))
        self._penalties = AssignLatePenalties(parent=converter)
        self._penalties.init_plugin()
        self._rows = Rows(gradebook, self._assignment, self._name, self._penalty)
        steps = [import_item(step) if isinstance(step, str) else step for step in converter.autograde_preprocessors]
        self._steps = [step(parent=converter) if isinstance(step, type) else step for step in steps]
        source = converter.coursedir.format_path(converter.coursedir.source_directory, ".", self._assignment)
        self._files = {Path(file).relative_to(source): Path(file).read_bytes()
                       for file in find_all_files(source, [*converter.coursedir.ignore, "*.ipynb"])}

    def record(self, found: Iterable[tuple[Verdict, Path]], done: Callable[[], None] = lambda: None) -> int:
        """Write verdicts on the submissions in these directories.

        Args:
            done: called for each submission that is written.
        Returns:
            Of how many something was not there before.
        Raises:
            NbGraderException: the database cannot be written, or some of them could not be recorded; the others are.
        """
        new: set[str] = set()
        failed: dict[str, str] = {}
        for entries in self._entries(found, failed):
            new |= self._commit(entries, failed)
            for entry in entries:
                student = entry.rows.student
                if entry.notebook is not None and student not in failed:
                    try:
                        self._write_files(entry)
                        new.add(student)
                    except OSError as error:
                        failed[student] = _reason(error)
                    self._hook(self._converter.run_post_convert_hook, entry.folder)
                done()
        if failed:
            some = "; ".join(f"{printable(student)}: {reason}" for student, reason in list(failed.items())[:5])
            raise NbGraderException(f"{len(failed)} submission{'s' * (len(failed) > 1)} could not be recorded, all others are: "
                                    + some + ("; …" if len(failed) > 5 else ""))
        return len(new)

    def _entries(self, found: Iterable[tuple[Verdict, Path]], failed: dict[str, str]) -> Iterator[list[Entry]]:
        """What is to be written, for as many students as one commit takes."""
        entries: list[Entry] = []
        for verdict, folder in found:
            try:
                entries.append(self._entry(verdict, folder))
            except Exception as error:  # costs nobody else anything
                failed[verdict.student] = _reason(error)
            if len(entries) == STUDENTS or sum(len(entry.notebook or b"") for entry in entries) > BYTES:
                yield entries
                entries = []
        yield entries

    def _entry(self, verdict: Verdict, folder: Path) -> Entry:
        student, handed_in = verdict.student, timestamp(folder)
        if not handed_in and (note := timestamp_note(folder)):
            self._converter.log.warning("%s: %s", printable(student), note)
        cells = student_cells(folder, self._name)
        automatic = {f"{question.name}-check": question for question in verdict.questions if question.status != Status.MANUAL}
        ungraded = {name for name, question in automatic.items() if question.status == Status.UNGRADED}
        failed = bool(automatic) and ungraded == set(automatic)
        recorded, before = self._there(student)
        beside = {name: text for name, text in ((TIMESTAMP, handed_in), (SECRET, secret(folder))) if text}
        wanted, now, notebook = self._digest(cells, verdict, beside), before, None
        if self._anew or recorded != wanted:
            self._hook(self._converter.run_pre_convert_hook, folder)
            made = graded_notebook(cells, self._skeleton, verdict)
            made.metadata["autograder"] = {"recorded": wanted, "status": verdict.status}
            now = answers(made)
            # Else it only says that we failed: of the same answers, or of what formgrader would then take for graded.
            if not failed or before and now != before:
                notebook = self._finished(made, student)
        blank = {name for name, source in now.items() if source == self._handed_out.get(name)}
        scores = {question.name: 0.0 if question.name in blank else None for question in verdict.questions
                  if question.status == Status.MANUAL}
        scores |= {name: None if question.score is None else float(question.score) for name, question in automatic.items()}
        answer = lambda name: name.removesuffix("-check")  # noqa: E731
        rows = Wanted(student, parse_utc(handed_in) if handed_in else None, scores, ungraded, failed, blank,
                      lambda name: before.get(answer(name)) == now.get(answer(name), ""))
        return Entry(folder, beside, rows, notebook)

    def _finished(self, notebook: nbformat.NotebookNode, student: str) -> bytes:
        """The graded notebook as it is written: with nbgrader's checksums, and after the course's own preprocessors."""
        for cell in notebook.cells:
            if "nbgrader" in cell.metadata:
                cell.metadata.nbgrader["checksum"] = self._rows.checksums.get(cell.metadata.nbgrader.grade_id)
        ids = {"student": student, "assignment": self._assignment, "notebook": self._name}
        resources = {"unique_key": self._name, "nbgrader": {**ids, "db_url": self._converter.coursedir.db_url}}
        for step in self._steps:
            notebook, resources = step(notebook, resources)
        return nbformat.v4.writes(notebook).encode()

    def _commit(self, entries: list[Entry], failed: dict[str, str]) -> set[str]:
        """Write the rows. What is wrong with one student's (a name that is too long) costs nobody else anything."""
        if not self._converter.create_student:
            known = self._rows.known([entry.rows.student for entry in entries])
            absent = {entry.rows.student for entry in entries} - known
            failed |= dict.fromkeys(absent, "the gradebook has no such student")
            entries = [entry for entry in entries if entry.rows.student in known]
        try:
            return self._rows.write([entry.rows for entry in entries])
        except OperationalError:  # the database is locked, full or gone
            raise
        except Exception as error:
            if len(entries) > 1:
                return set().union(*(self._commit([entry], failed) for entry in entries))
            failed[entries[0].rows.student] = _reason(error)
            return set()

    def _write_files(self, entry: Entry) -> None:
        """A student's directory: what the release ships, when it was handed in, and last of all the graded notebook."""
        converter, student = self._converter, entry.rows.student
        target, notebook = Path(converter._format_dest(self._assignment, student)), Path(f"{self._name}.ipynb")
        # By the time nbgrader sees whether a submission is newer.
        files = self._files | {Path(name): text.encode() for name, text in entry.beside.items()}
        for path in sorted(target.rglob("*"), reverse=True):  # of an older release, or of a run that was ended
            if path.is_symlink() or not path.is_dir():
                if path.relative_to(target) not in {notebook, *files}:
                    path.unlink()
            elif not any(path.iterdir()):
                path.rmdir()
        target.mkdir(parents=True, exist_ok=True)
        mode = int(str(converter.permissions), 8)
        for name, content in files.items():
            with atomic(target / name, mode) as file:
                file.write(content)
        converter.set_permissions(self._assignment, student)
        with atomic(target / notebook, mode) as file:
            file.write(entry.notebook)

    def _there(self, student: str) -> tuple[str | None, dict[str, str]]:
        """The digest and the answers of the graded notebook that is there."""
        path = Path(self._converter._format_dest(self._assignment, student), f"{self._name}.ipynb")
        try:
            notebook = json.loads(path.read_bytes())
            return notebook["metadata"]["autograder"]["recorded"], answers(notebook)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None, {}

    def _digest(self, cells: list[dict], verdict: Verdict, beside: dict[str, str]) -> str:
        """Of all that a submission's graded notebook comes from."""
        shown = [(name, digest(outputs)) for name, outputs in verdict.outputs.items()]
        recorded = dataclasses.replace(verdict, seconds=0.0, outputs={}, versions={})
        return digest(cells, self._skeleton_digest, dataclasses.asdict(recorded), shown, beside)

    def _penalty(self, student: str, points: float, late: float) -> float | None:
        """What nbgrader's plugin takes off, within the bounds that nbgrader sets it."""
        if not self._penalties.enabled:
            return None
        penalty = self._penalties.plugin_inst.late_submission_penalty(student, points, late)
        self._converter.log.info("%s is %s seconds late; penalty: %s", printable(student), late, penalty)
        return None if penalty is None else min(max(0.0, float(penalty)), points)

    def _hook(self, run: Callable[[], None], folder: Path) -> None:
        self._converter.notebooks = [str(folder / f"{self._name}.ipynb")]
        run()


def student_cells(folder: Path, notebook: str) -> list[dict]:
    """The cells of a submission, none when it cannot be read: the verdict says why."""
    try:
        return read_cells(find_notebook(folder, notebook)[0])
    except Unreadable:
        return []


def _reason(error: Exception) -> str:
    return printable(f"{type(error).__name__}: {error}".splitlines()[0])[:200]
