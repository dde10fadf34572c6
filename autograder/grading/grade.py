"""How a submission is graded: run its cells, exercise its answers, compare, diagnose, say so.

    submission -> sandbox -> compare -> diagnose -> verdicts

Student code runs in the sandbox alone. This module, which holds the answer key, runs none of it.
"""

from __future__ import annotations

import time

from autograder.grading import rules
from autograder.grading.judge import breaks_a_rule, fact, judge
from autograder.grading.key import CaseKey, Key, QuestionKey
from autograder.grading.submission import Submission
from autograder.grading.verdict import QuestionVerdict, Verdict, by_hand, ungraded
from autograder.inside.protocol import Inspected, Outcome
from autograder.sandbox.sandbox import Child, Died, Sandbox, SandboxError

MAX_DEATHS = 2  # of one question's cases, after which its other cases are lost without being run


def grade(submission: Submission, key: Key, sandbox: Sandbox, known: dict[str, QuestionVerdict] | None = None) -> Verdict:
    """Grade one submission.

    A question that dies costs only itself: its process is replaced, the cells are run again and the next question goes on.

    Args:
        known: verdicts of questions that need not be found again.
    """
    start = time.monotonic()
    with _Run(submission, sandbox) as run:
        verdicts: dict[str, QuestionVerdict] = {}
        try:
            source = run.inspect(key)
            run.run_cells()
            for question in key.questions:
                if known and question.name in known:
                    verdicts[question.name] = known[question.name]
                    continue
                if use := source.found.get(question.name):
                    verdicts[question.name] = breaks_a_rule(question, use.name, use.line)
                    continue
                outcomes = exercise(question, run)
                verdicts[question.name] = judge(question, outcomes, run.cell_errors, verdicts)
            error = None
        except SandboxError as problem:
            error = f"could not be graded: {problem}"
    questions = tuple(verdicts.get(question.name) or ungraded(question) for question in key.questions)
    seconds = round(time.monotonic() - start, 3)
    return Verdict(submission.student, "graded", key.max_score, seconds, error, questions + by_hand(key),
                   submission.notes + tuple(run.notes), sandbox.isolation, run.outputs)


def exercise(question: QuestionKey, run: _Run) -> dict[str, Outcome]:
    """The outcome of every case. An outcome with `"died"` is that of a case whose process did not survive it."""
    outcomes: dict[str, Outcome] = {}
    deaths: list[Died] = []
    for case in question.cases:
        if len(deaths) == MAX_DEATHS:
            message = f"Not run: {MAX_DEATHS} other cases did not end well."
            outcomes[case.name] = Outcome(died=deaths[-1].status, said=message)
            continue
        try:
            outcomes[case.name] = run.exercise(question, case)
            if outcomes[case.name].undefined:  # and so it is in every other case
                return {other.name: outcomes[case.name] for other in question.cases}
        except Died as death:
            deaths.append(death)
            outcomes[case.name] = Outcome(died=death.status, said=str(death))
    return outcomes


class _Run:
    """A submission being run: a child whose cells have been executed, replaced when it dies."""

    def __init__(self, submission: Submission, sandbox: Sandbox):
        self.submission, self.sandbox = submission, sandbox
        self.deadline = time.monotonic() + sandbox.limits.submission_seconds
        self.child: Child | None = None
        self.ready = False  # the cells have been run in it
        self.questions: tuple[str, ...] = ()
        self.deadly: set[int] = set()  # cells that ended the process: not run again
        self.cell_errors: dict[str, Outcome] = {}  # question -> how its own cell went wrong
        self.notes: list[str] = []
        self.outputs: dict[str, list] = {}  # cell -> what it printed and displayed

    def __enter__(self) -> _Run:
        return self

    def __exit__(self, *_):
        self._close()

    def exercise(self, question: QuestionKey, case: CaseKey) -> Outcome:
        self.run_cells()
        try:
            # What the cells printed or drew is over: each case starts from the same seeds, whatever ran before it.
            outcome = self.child.exercise(question.name, case.probe, case.inputs, f"{question.name}/{case.name}", question.forbid,
                                          tuple(name for name in self.questions if name != question.name))
        except Died:
            self._close()
            raise
        for sign in outcome.signs:
            self._note(f"While it runs, {question.name} {rules.ABOUT[sign]}.")
        return outcome

    def inspect(self, key: Key) -> Inspected:
        """What the answers' source uses that is ruled out: read in the first process, before a cell has run in it."""
        self.questions = tuple(question.name for question in key.questions)
        self.child = self.sandbox.fork(self.deadline)
        inspected = rules.inspect(self.submission, key, self.child)
        if self.child.pid is None:  # it did not survive that
            self.child = None
        for note in rules.notes(inspected):
            self._note(note)
        return inspected

    def run_cells(self) -> None:
        """Have a process in which the cells have run; one that ends it is left out the next time."""
        while not self.ready:
            self.child = self.child or self.sandbox.fork(self.deadline)
            self.ready = all(number in self.deadly or self._run_cell(number, cell)
                             for number, cell in enumerate(self.submission.cells))

    def _run_cell(self, number: int, cell) -> bool:
        """Run a cell; False when the process did not survive it."""
        try:
            done = self.child.run_cell(cell.source, cell.id)
        except Died as death:
            self._close()
            self.deadly.add(number)
            self._went_wrong(cell, Outcome(died=death.status, said=str(death)))
            if time.monotonic() > self.deadline:
                self.deadly.update(range(len(self.submission.cells)))
            return False
        self.outputs[cell.id] = done.outputs
        if done.dropped:
            self._note(f"The cell {cell.id} printed {done.dropped:,} characters more than are kept.")
        if failure := done.failure:
            self._went_wrong(cell, Outcome(failure=failure))
            text = f"{failure.error}: {failure.message}" + (f"\n    {failure.line}" if failure.line else "")
            self.outputs[cell.id].append({"output_type": "error", "ename": failure.error, "evalue": failure.message,
                                          "traceback": [text]})
        return True

    def _went_wrong(self, cell, outcome: Outcome) -> None:
        if cell.question:
            self.cell_errors[cell.question] = outcome
        self._note(f"The cell {cell.id}: {fact(outcome, hidden=False)}")

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)

    def _close(self) -> None:
        if self.child is not None:
            self.child.close()
            self.child, self.ready = None, False
