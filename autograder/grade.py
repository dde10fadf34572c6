"""How a submission is graded: run its cells, exercise its answers, compare, diagnose, say so.

    submission -> sandbox -> compare -> diagnose -> verdicts

Student code runs in the sandbox alone. This module, which holds the answer key, runs none of it.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field

from autograder import diagnose, rules
from autograder.compare import difference
from autograder.key import CaseKey, Key, Outcome, QuestionKey
from autograder.sandbox import Child, Died, Sandbox, SandboxError
from autograder.submission import Submission
from autograder.watch import OPERATIONS

PASSED, PARTIAL, FAILED, MISSING, CRASHED, TIMEOUT, UNGRADED, MANUAL = (
    "passed", "partial", "failed", "missing", "crashed", "timeout", "ungraded", "manual")
MAX_DEATHS = 2  # of one question's cases, after which its other cases are lost without being run
RULED_OUT = ", which this question rules out. Build it from simpler operations."


@dataclass(frozen=True)
class CaseVerdict:
    """One case, won or lost whole. `message` states the fact, then the advice; it holds no hidden value."""

    name: str
    description: str
    visible: bool
    passed: bool
    points: int
    message: str


@dataclass(frozen=True)
class QuestionVerdict:
    """What a question earned, and why. `score` is None when we could not grade it, and when a person will."""

    name: str
    status: str
    score: int | None
    max_score: int
    message: str
    misconception: str | None
    cases: tuple[CaseVerdict, ...]


@dataclass(frozen=True)
class Verdict:
    """What a submission earned.

    Attributes:
        status: "graded" or "unreadable".
        seconds: of grading.
        error: one line when something went wrong.
        notes: oddities of the notebook, a line each.
        isolation: of the sandbox that ran it; "" when none did.
        outputs: what its cells printed and displayed, as nbformat outputs by cell.
    """

    student: str
    status: str
    max_score: int
    seconds: float
    error: str | None
    questions: tuple[QuestionVerdict, ...]
    notes: tuple[str, ...] = ()
    isolation: str = ""
    outputs: dict[str, list] = field(default_factory=dict)

    @property
    def score(self) -> int | None:
        """The sum of what was graded here, or None when something could not be; a person's points come on top."""
        scores = [question.score for question in self.questions if question.status != MANUAL]
        return None if None in scores else sum(scores)


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
            run.run_cells()
            for question in key.questions:
                if known and question.name in known:
                    verdicts[question.name] = known[question.name]
                    continue
                if found := forbidden_in_source(question, submission, key):
                    verdicts[question.name] = breaks_a_rule(question, *found)
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


def unreadable(student: str, key: Key, error: str) -> Verdict:
    """The verdict on a submission that is no notebook: no points, and one line that says why."""
    questions = tuple(_lost(question, MISSING, f"The notebook could not be read: {error}") for question in key.questions)
    return Verdict(student, "unreadable", key.max_score, 0.0, error, questions + by_hand(key))


def broken(student: str, key: Key, error: str) -> Verdict:
    """The verdict when grading itself failed: not zero points, but no score."""
    return Verdict(student, "graded", key.max_score, 0.0, error,
                   tuple(ungraded(question) for question in key.questions) + by_hand(key))


def ungraded(question: QuestionKey) -> QuestionVerdict:
    return QuestionVerdict(question.name, UNGRADED, None, question.max_score,
                           "This question could not be graded. That is not your fault: tell your instructor.", None, ())


def by_hand(key: Key) -> tuple[QuestionVerdict, ...]:
    """The written answers, whose points a person gives."""
    return tuple(QuestionVerdict(name, MANUAL, None, points, "A person reads and grades this answer.", None, ())
                 for name, points in key.written.items())


# ---------------------------------------------------------------------------------------------------- rules


def forbidden_in_source(question: QuestionKey, submission: Submission, key: Key) -> tuple[str, str] | None:
    """The first thing an answer's source uses that its question rules out, and the line."""
    return rules.violation(question.name, [cell.source for cell in submission.cells], question.forbid,
                           tuple(other.name for other in key.questions if other is not question))


def breaks_a_rule(question: QuestionKey, name: str, line: str) -> QuestionVerdict:
    """The verdict on an answer that uses what its question rules out."""
    what = f"the TensorFlow operation `{name.removeprefix(OPERATIONS)}`" if name.startswith(OPERATIONS) else f"`{name}`"
    where = f" at `{line}`" if line else ""
    return _lost(question, FAILED, f"It uses {what}{where}{RULED_OUT}")


# ---------------------------------------------------------------------------------------------------- exercise


def exercise(question: QuestionKey, run: _Run) -> dict[str, Outcome]:
    """The outcome of every case. An outcome with `"died"` is that of a case whose process did not survive it."""
    outcomes: dict[str, Outcome] = {}
    deaths: list[Died] = []
    for case in question.cases:
        if len(deaths) == MAX_DEATHS:
            message = f"Not run: {MAX_DEATHS} other cases did not end well."
            outcomes[case.name] = {"error": "", "died": deaths[-1].status, "message": message}
            continue
        try:
            outcomes[case.name] = run.observe(question, case)
            if outcomes[case.name].get("undefined"):  # and so it is in every other case
                return {other.name: outcomes[case.name] for other in question.cases}
        except Died as death:
            deaths.append(death)
            outcomes[case.name] = {"error": "", "died": death.status, "message": str(death)}
    return outcomes


class _Run:
    """A submission being run: a child whose cells have been executed, replaced when it dies."""

    def __init__(self, submission: Submission, sandbox: Sandbox):
        self.submission, self.sandbox = submission, sandbox
        self.deadline = time.monotonic() + sandbox.limits.submission_seconds
        self.child: Child | None = None
        self.deadly: set[int] = set()  # cells that ended the process: not run again
        self.cell_errors: dict[str, Outcome] = {}  # question -> how its own cell went wrong
        self.notes: list[str] = []
        self.outputs: dict[str, list] = {}  # cell -> what it printed and displayed

    def __enter__(self) -> _Run:
        return self

    def __exit__(self, *_):
        self._close()

    def observe(self, question: QuestionKey, case: CaseKey) -> Outcome:
        self.run_cells()
        try:
            # What the cells printed or drew is over: each case starts from the same seeds, whatever ran before it.
            probe = {"name": case.probe.name, "options": case.probe.options}
            return self.child.observe(question.name, probe, case.inputs, f"{question.name}/{case.name}", question.forbid)
        except Died:
            self._close()
            raise

    def run_cells(self) -> None:
        """Have a process in which the cells have run; one that ends it is left out the next time."""
        while self.child is None:
            self.child = self.sandbox.fork(self.deadline)
            for number, cell in enumerate(self.submission.cells):
                if number not in self.deadly and not self._run_cell(number, cell):
                    break

    def _run_cell(self, number: int, cell) -> bool:
        """Run a cell; False when the process did not survive it."""
        try:
            reply = self.child.run_cell(cell.source, cell.id)
        except Died as death:
            self._close()
            self.deadly.add(number)
            self._went_wrong(cell, {"error": "", "died": death.status, "message": str(death)})
            if time.monotonic() > self.deadline:
                self.deadly.update(range(len(self.submission.cells)))
            return False
        self.outputs[cell.id] = reply["outputs"]
        if reply["dropped"]:
            self._note(f"The cell {cell.id} printed {reply['dropped']:,} characters more than are kept.")
        if "error" in reply:
            self._went_wrong(cell, reply)
            text = f"{reply['error']}: {reply['message']}"
            self.outputs[cell.id].append({"output_type": "error", "ename": reply["error"], "evalue": reply["message"],
                                          "traceback": [text + (f"\n    {reply['line']}" if reply["line"] else "")]})
        return True

    def _went_wrong(self, cell, outcome: Outcome) -> None:
        if cell.question:
            self.cell_errors[cell.question] = outcome
        self._note(f"The cell {cell.id}: {_fact(outcome, hidden=False)}")

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)

    def _close(self) -> None:
        if self.child is not None:
            self.child.close()
            self.child = None


# ---------------------------------------------------------------------------------------------------- judge


def judge(question: QuestionKey, outcomes: dict[str, Outcome], cell_errors: dict[str, Outcome],
          earlier: dict[str, QuestionVerdict]) -> QuestionVerdict:
    """Points, status and message of a question from what its cases gave."""
    if all(outcome.get("undefined") for outcome in outcomes.values()):
        return _never_defined(question, cell_errors.get(question.name))
    if all(_is_stub(outcome) and outcome.get("function") not in question.uses for outcome in outcomes.values()):
        return _lost(question, MISSING, f"{question.name} is not written yet: it still raises NotImplementedError.")

    for outcome in outcomes.values():
        for used in outcome.get("forbidden", ()):
            return breaks_a_rule(question, used["name"], used["line"])

    wrong = {case.name: fact for case in question.cases if (fact := _wrong(case, outcomes[case.name]))}
    inherited = {case.name: source for case in question.cases
                 if case.name in wrong and (source := _inherits(case, outcomes[case.name], question, earlier))}
    # Values that are right on top of an earlier mistake win; where that mistake stops everything there are none to judge.
    forgiven = {name for name in inherited if "observation" in outcomes[name]}
    lost = set(wrong) - forgiven
    own = {name: outcome for name, outcome in outcomes.items() if name not in inherited}
    name = diagnose.misconception(question, own, lost & set(own))
    cases = tuple(
        CaseVerdict(case.name, case.description, case.visible, case.name not in lost, case.points, _case_message(
            case, outcomes[case.name], wrong.get(case.name), inherited.get(case.name), question, name))
        for case in question.cases)
    score = sum(case.points for case in cases if case.passed)
    message = _question_message(question, cases, name, inherited)
    if lost - set(inherited) and (advice := mend_first(question, earlier)):
        message = f"{message} {advice}"
    return QuestionVerdict(question.name, _status(score, question, outcomes), score, question.max_score, message, name, cases)


def mend_first(question: QuestionKey, earlier: dict[str, QuestionVerdict]) -> str:
    """Advice when a question builds on answers that are wrong themselves; "" when it does not."""
    wrong = [f"`{name}`" for name in question.uses if name in earlier and earlier[name].status not in (PASSED, MISSING, UNGRADED)]
    return f"Your {_and(wrong)} {'is' if len(wrong) == 1 else 'are'} not right yet: if you build on that here, mend it first." \
        if wrong else ""


def _wrong(case: CaseKey, outcome: Outcome) -> str | None:
    """What is wrong with an outcome, as a fact; None when it is right."""
    if "observation" in outcome:
        return difference(case.expected, outcome["observation"], case.rtol, case.atol)
    return _fact(outcome, hidden=not case.visible)


def _inherits(case: CaseKey, outcome: Outcome, question: QuestionKey, earlier: dict[str, QuestionVerdict]) -> str | None:
    """The earlier question whose named mistake alone explains this outcome: a right answer on top of it gives the same."""
    for name in question.uses:
        mistake = earlier[name].misconception if name in earlier else None
        expected = case.follow_through.get(f"{name}.{mistake}") if mistake else None
        if expected and diagnose.same_outcome(outcome, expected, case):
            return name
    return None


def _status(score: int, question: QuestionKey, outcomes: dict[str, Outcome]) -> str:
    if score == question.max_score:
        return PASSED
    if score:
        return PARTIAL
    if any(outcome.get("died") == TIMEOUT for outcome in outcomes.values()):
        return TIMEOUT
    return FAILED if any("observation" in outcome for outcome in outcomes.values()) else CRASHED


def _never_defined(question: QuestionKey, cell_error: Outcome | None) -> QuestionVerdict:
    if cell_error is None:
        return _lost(question, MISSING, f"{question.name} is not written yet.")
    status = TIMEOUT if cell_error.get("died") == TIMEOUT else CRASHED
    return _lost(question, status, f"Its cell did not get as far as defining {question.name}. {_fact(cell_error, hidden=False)}")


def _lost(question: QuestionKey, status: str, message: str) -> QuestionVerdict:
    cases = tuple(CaseVerdict(case.name, case.description, case.visible, False, case.points, message) for case in question.cases)
    return QuestionVerdict(question.name, status, 0, question.max_score, message, None, cases)


# ---------------------------------------------------------------------------------------------------- messages


def _fact(outcome: Outcome, hidden: bool) -> str:
    """What happened instead of an answer."""
    if outcome.get("died"):
        return outcome["message"]
    message = outcome.get("message", "")
    if hidden:  # an exception's message may quote the inputs
        message = re.sub(r"[-+]?\d[\d.e+_-]*", "…", message)
    if outcome.get("answer_error"):
        return "It " + message
    if outcome.get("undefined"):
        return "It is not defined."
    if _is_stub(outcome):
        return f"It reached {outcome.get('function') or 'a function'}, which is not written yet."
    return f"It raised {outcome.get('error', 'an exception')}{': ' if message else ''}{message.rstrip('.')}{_at(outcome)}."


def _and(names) -> str:
    return " and ".join(sorted(set(names)))


def _is_stub(outcome: Outcome) -> bool:
    return outcome.get("error") == "NotImplementedError" and not outcome.get("message")


def _at(outcome: Outcome) -> str:
    return f" at `{outcome['line']}`" if outcome.get("line") else ""


def _case_message(case: CaseKey, outcome: Outcome, fact: str | None, inherited: str | None, question: QuestionKey,
                  misconception: str | None) -> str:
    if fact is None:
        return ""
    if inherited:
        return f"Right on top of your {inherited}, whose mistake is not counted twice." if "observation" in outcome else \
            f"{fact} Your {inherited} leads to it: mend that first."
    if misconception in {name for name, _ in diagnose.matches(case, outcome)}:
        return f"{fact} {question.hints[misconception]}"
    if lead := diagnose.only_match(case, outcome):
        return f"{fact} {question.hints[lead]}"
    if advice := diagnose.slip(case, outcome):
        return f"{fact} {advice}"
    if outcome.get("died") == TIMEOUT:
        return f"{fact} Is there a loop that never ends?"
    return fact


def _question_message(question: QuestionKey, cases: tuple[CaseVerdict, ...], misconception: str | None, inherited: dict) -> str:
    lost = [case for case in cases if not case.passed]
    if not lost:
        return "All cases are right." + \
            (f" The mistake in your {_and(inherited.values())} is not counted again here." if inherited else "")
    won = f"{len(cases) - len(lost)} of {len(cases)} case{'s' * (len(cases) != 1)} right."
    if misconception:
        return f"{won} {question.hints[misconception]}"
    first = lost[0]
    if len({case.message for case in cases}) == 1:  # nothing is special about any case
        return f"{won} {first.message}"
    return f"{won} {first.description.rstrip('.:')}: {first.message[:1].lower()}{first.message[1:]}"
