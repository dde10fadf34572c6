"""How a submission is graded: run its cells, exercise its answers, compare, diagnose, say so.

    submission -> sandbox -> compare -> diagnose -> verdicts

Student code runs in the sandbox alone. This module, which holds the answer key, runs none of it.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections import defaultdict
from dataclasses import replace
from types import ModuleType

import numpy as np

from autograder.grading import diagnose, rules, said
from autograder.grading.judge import breaks_a_rule, judge
from autograder.grading.key import CaseKey, Key, QuestionKey
from autograder.grading.observe import observed
from autograder.grading.ran import Ran
from autograder.grading.sharing import Shared, Sharing, holds_for_all
from autograder.grading.submission import Submission
from autograder.grading.verdict import QuestionVerdict, Status, Verdict, by_hand, ungraded
from autograder.grading.versions import installed
from autograder.inside.protocol import Closure, Inspected, Outcome
from autograder.sandbox.sandbox import Child, Died, End, Room, Sandbox, Spent
from autograder.sandbox.warm import SandboxError

AGAIN = "It went wrong when it was run again, after a case that ended its process."
MAX_KEPT = 2**20  # bytes of the arrays that a case gives, beyond what is expected
MOST_ADDITIONAL = 100  # of them
MAX_DEATHS = 2  # of one question's cases, after which its other cases are lost without being run


def grade(submission: Submission, key: Key, sandbox: Sandbox, known: dict[str, QuestionVerdict] | None = None,
          observers: ModuleType | None = None, sharing: Sharing | None = None) -> Verdict:
    """Grade one submission.

    A question that dies costs only itself: its process is replaced, the cells are run again and the next question goes on.

    Args:
        known: verdicts of questions that need not be found again.
        observers: the trusted half of the assignment's own probes.
        sharing: what other submissions' answers came to.
    """
    start, incidents, error = time.monotonic(), sandbox.incidents, None
    lines = said.quotable(submission)
    verdicts = dict(known or {})
    outcomes: dict[str, dict[str, Outcome]] = {}
    closures: dict[str, Closure] = {}
    causes: dict[str, str] = {}
    seconds: defaultdict[str, float] = defaultdict(float)
    with _Run(submission, sandbox, observers) as run:
        try:
            source = run.inspect(key, sharing is not None)
            closures = source.closures
            shared = _share(closures, key, run, verdicts, sharing) if sharing else {}
            for question in key.questions:
                if question.name in verdicts:
                    continue
                if use := source.found.get(question.name):
                    verdicts[question.name] = breaks_a_rule(question, use.name, use.line)
                elif question.name in shared:
                    verdicts[question.name] = shared[question.name].verdict
                else:
                    outcomes[question.name] = {}
            if shared and not outcomes:  # its own cells only define
                shown = next(iter(shared.values())).outputs
                run.outputs = {cell.id: shown.get(cell.id, []) for cell in submission.cells}
            else:
                run.run_cells()
            # A process that has seen a hidden case is not listened to any more: all that may speak freely comes first.
            for visible in (True, False):
                for question in key.questions:
                    if question.name in outcomes:
                        begun = time.monotonic()
                        exercise(question, visible, run, outcomes[question.name])
                        seconds[question.name] += time.monotonic() - begun
                if visible:
                    causes = {name: run.ran.cause(item.failure for item in seen.values()) for name, seen in outcomes.items()}
        except SandboxError as problem:
            error = f"could not be graded: {problem}"
    for question in key.questions:
        if len(outcomes.get(question.name, ())) == len(question.cases):
            earlier = {name: verdicts[name] for name in question.uses if name in verdicts}
            verdicts[question.name] = judge(question, outcomes[question.name], run.ran, earlier, lines,
                                            causes.get(question.name, ""))
            if sharing and question.name in closures:
                sharing.took(closures[question.name].digest, seconds[question.name])
    questions = tuple(verdicts.get(question.name) or ungraded(question) for question in key.questions)
    questions = tuple(replace(question, closure=closures[question.name].digest) if question.name in closures else question
                      for question in questions)
    died = any(outcome.died for seen in outcomes.values() for outcome in seen.values())
    return Verdict(submission.student, "graded", key.max_score, said.coarse(time.monotonic() - start), error,
                   questions + by_hand(key), submission.notes + tuple(run.notes), sandbox.isolation, run.outputs,
                   sandbox.incidents == incidents, installed(), died)


def _share(closures: dict[str, Closure], key: Key, run: _Run, known: dict[str, QuestionVerdict],
           sharing: Sharing) -> dict[str, Shared]:
    """The verdicts of a submission's answers that others have, too, by question."""
    found: dict[str, Shared] = {}
    for question in key.questions:
        closure = closures.get(question.name)
        if closure is None or question.name in known:
            continue
        if sharing.claim(closure.digest):
            run.close()  # one process at a time, or their memory could not be told apart
            beneath = {name: found[name].verdict for name in key.beneath(question) if name in found}
            if shared := _alone(question, closure, run, key, beneath):
                sharing.keep(closure.digest, shared)
        if shared := sharing.find(closure.digest):
            found[question.name] = shared
    return found


def _alone(question: QuestionKey, closure: Closure, run: _Run, key: Key, beneath: dict[str, QuestionVerdict]) -> Shared | None:
    """What comes of an answer where nothing but its closure runs; None where that need not be what comes of it elsewhere.

    Args:
        beneath: verdicts that are shared themselves, of questions that it builds on.
    """
    cells = tuple(run.submission.cells[number] for number in closure.cells)
    submission = replace(run.submission, cells=cells, notes=())
    asked = (question.name, *key.beneath(question))
    others = {other.name: ungraded(other) for other in key.questions if other.name not in asked}
    verdict = grade(submission, key, run.sandbox, others | beneath, run.observers)
    found = next(item for item in verdict.questions if item.name == question.name)
    sound = not (verdict.error or verdict.notes or verdict.died) and verdict.certain
    if not sound or not holds_for_all(found, said.quotable(submission)):
        return None
    return Shared(found, {cell.id: verdict.outputs.get(cell.id, []) for cell in cells if not (cell.question or cell.added)})


def exercise(question: QuestionKey, visible: bool, run: _Run, outcomes: dict[str, Outcome]) -> None:
    """Put the outcome of every visible, or of every hidden, case into `outcomes`.

    An outcome with `died` is that of a case whose process did not survive it, or that was not run after too many of them.
    """
    for case in question.cases:
        if case.visible != visible or case.name in outcomes:
            continue
        deaths = [outcome.died for outcome in outcomes.values() if outcome.died]
        if len(deaths) >= MAX_DEATHS:
            outcomes[case.name] = Outcome(died=deaths[-1], said=f"Not run: {MAX_DEATHS} other cases did not end well.",
                                          brief=End.NOT_RUN.value)
            continue
        try:
            outcomes[case.name] = outcome = run.exercise(question, case)
            if diagnose.may_be_several(case, outcome):
                with contextlib.suppress(Died):
                    if (again := run.exercise(question, case, first=True)).several:
                        outcomes[case.name] = replace(outcome, several=again.several, first=again.observation)
            if outcomes[case.name].undefined:  # and so it is in every other case
                outcomes.update({other.name: outcomes[case.name] for other in question.cases if other.name not in outcomes})
        except Died as death:
            outcomes[case.name] = ended(death)


def ended(death: Died) -> Outcome:
    """The outcome of a case, or of a cell, whose process did not survive it."""
    return Outcome(died=death.status, said=str(death), brief=death.end.value)


def kept(outcome: Outcome, case: CaseKey) -> Outcome:
    """The outcome with what may matter of its arrays: of what is far larger than all that is expected, only the shapes.

    Outcomes of all cases wait for judgement together, and an answer may give back megabytes to each. Copied, because an array
    that was received keeps the whole reply in memory.
    """
    if outcome.observation is None:
        return outcome
    # Whatever its dtype, an entry has at most 16 bytes: an observation of the right form is kept whole.
    room = MAX_KEPT + 16 * sum(value.size for value in case.expected.values() if not isinstance(value, str))
    seen = {}
    for name, value in itertools.islice(outcome.observation.items(), len(case.expected) + MOST_ADDITIONAL):
        if not isinstance(value, str):
            room -= value.nbytes
            value = value.copy() if room >= 0 else np.broadcast_to(np.zeros((), value.dtype), value.shape)
        seen[name] = value
    return replace(outcome, observation=seen)


class _Run:
    """A submission being run: a child whose cells have been executed, replaced when it dies."""

    def __init__(self, submission: Submission, sandbox: Sandbox, observers: ModuleType | None):
        self.submission, self.sandbox, self.observers = submission, sandbox, observers
        self.spent = Spent()
        self.child: Child | None = None
        self.ready = False  # the cells have been run in it
        self.beneath: dict[str, tuple[str, ...]] = {}  # question -> those that it builds on
        self.signs: dict[str, set[str]] = {}  # of each question's answer, so far
        self.deadly: set[int] = set()  # cells that ended the process: not run again
        self.ran = Ran()
        self.notes: list[str] = []
        self.outputs: dict[str, list] = {}  # cell -> what it printed and displayed
        self.deaf = False  # once a hidden case has run, no word is taken from cells that are run again

    def __enter__(self) -> _Run:
        return self

    def __exit__(self, *_):
        self.close()

    def exercise(self, question: QuestionKey, case: CaseKey, first: bool = False) -> Outcome:
        self.run_cells()
        self.deaf = self.deaf or not case.visible
        try:
            # What the cells printed or drew is over: each case starts from the same seeds, whatever ran before it.
            outcome = self._alive().exercise(question.name, case.probe, case.inputs, f"{question.name}/{case.name}",
                                             question.forbid, self.beneath[question.name], first)
        except Died:
            self.close()
            raise
        for sign in outcome.signs if case.visible else ():
            self._note(f"While it runs, {question.name} {rules.ABOUT[sign]}.")
        if not case.visible and not set(outcome.signs) <= self.signs.get(question.name, set()):
            self._note(rules.HIDDEN_SIGN.format(question.name))  # which of them a student could choose
        self.signs.setdefault(question.name, set()).update(outcome.signs)
        return kept(observed(outcome, case.probe, case.inputs, self.observers), case)

    def inspect(self, key: Key, closures: bool = False) -> Inspected:
        """What the answers' source uses that is ruled out, and what it reaches: read in the first process, before a cell has run
        in it."""
        self.beneath = {question.name: key.beneath(question) for question in key.questions}
        self.ran = Ran(frozenset(self.beneath))
        self.child = self.sandbox.fork(self.spent)
        inspected = rules.inspect(self.submission, key, self.child, closures)
        if self.child.pid is None:  # it did not survive that
            self.child = None
        for note in rules.notes(inspected):
            self._note(note)
        return inspected

    def run_cells(self) -> None:
        """Have a process in which the cells have run; one that ends it is left out the next time."""
        while not self.ready:
            self._alive()
            self.ready = all(number in self.deadly or self._run_cell(number, cell)
                             for number, cell in enumerate(self.submission.cells))
        if self.child is not None and not self.deaf:
            self._say_dropped(self.child.room)

    def _alive(self) -> Child:
        """The child; a new one where there is none."""
        self.child = self.child or self.sandbox.fork(self.spent)
        return self.child

    def _run_cell(self, number: int, cell) -> bool:
        """Run a cell; False when the process did not survive it."""
        try:
            done = self._alive().run_cell(cell.source, cell.id, cell.question)
        except Died as death:
            self.close()
            self.deadly.add(number)
            if not self.deaf:  # what is kept is what one process showed, however many there were
                for later in self.submission.cells[number:]:
                    self.outputs.pop(later.id, None)
            self._went_wrong(cell, ended(death))
            if death.end is End.LATE:
                self.deadly.update(range(len(self.submission.cells)))
            return False
        if self.deaf:
            if done.failure:
                self._went_wrong(cell, Outcome(failure=done.failure))
            return True
        self.outputs[cell.id] = done.outputs
        for note in self.ran.done(cell, done):
            self._note(note)
        if done.dropped:
            self._note(f"The cell {cell.id} printed {done.dropped:,} characters more than are kept.")
        if failure := done.failure:
            self._went_wrong(cell, Outcome(failure=failure))
            text = f"{failure.error}: {failure.message}" + (f"\n    {failure.line}" if failure.line else "")
            self.outputs[cell.id].append({"output_type": "error", "ename": failure.error, "evalue": failure.message,
                                          "traceback": [text]})
        return True

    def _say_dropped(self, room: Room) -> None:
        if room.dropped_pictures:
            self._note(f"The notebook draws {room.dropped_pictures:,} pictures more than are kept.")
        if room.dropped_characters:
            self._note(f"The notebook prints {room.dropped_characters:,} characters more than are kept.")

    def _went_wrong(self, cell, outcome: Outcome) -> None:
        if self.deaf:
            if cell.question:
                self.ran.went_wrong(cell, Outcome(died=Status.CRASHED, said=AGAIN))
            return
        self.ran.went_wrong(cell, outcome)
        self._note(f"The cell {cell.id}: {said.fact(outcome)}")

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)

    def close(self) -> None:
        """End the process; what runs next runs in another."""
        if self.child is not None:
            self.child.close()
            self.child, self.ready = None, False
