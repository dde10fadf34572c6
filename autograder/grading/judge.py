"""Points, status and message of a question, from what its cases gave. Pure: no process, no file, no clock."""

from __future__ import annotations

from autograder.grading import compare, diagnose, said, slips
from autograder.grading.key import CaseKey, QuestionKey
from autograder.grading.ran import Ran
from autograder.grading.verdict import CaseVerdict, QuestionVerdict, Status, no_points
from autograder.inside.protocol import Outcome
from autograder.inside.watch import LIBRARY, OPERATIONS, TAMPERING
from autograder.sandbox.sandbox import End

NEVER_READY = "Either a loop does not end, or it computes far more than is asked for."
RULED_OUT = ", which this question rules out. Build it from simpler operations."


def judge(question: QuestionKey, outcomes: dict[str, Outcome], ran: Ran, earlier: dict[str, QuestionVerdict],
          lines: frozenset[str] = frozenset(), cause: str = "") -> QuestionVerdict:
    """Points, status and message of a question from what its cases gave.

    Args:
        ran: what the submission's cells did before.
        lines: of the submission, that a hidden case's message may quote.
        cause: what another cell did that explains a visible case, if anything.
    """
    if all(outcome.undefined for outcome in outcomes.values()):
        return _never_defined(question, ran)
    if all((stub := said.stub(outcome)) and stub.function not in question.uses for outcome in outcomes.values()):
        return no_points(question, Status.MISSING, f"{question.name} is not written yet: it still raises NotImplementedError.")

    for case in sorted(question.cases, key=lambda case: not case.visible):  # a visible one may say more
        for use in outcomes[case.name].uses:
            return breaks_a_rule(question, *said.used(use, question, case.visible, lines))

    failures = [failure for case in question.cases if case.visible and (failure := outcomes[case.name].failure)]
    known = said.Known(lines, frozenset((failure.error, failure.message) for failure in failures),
                       frozenset({question.name, *question.uses}))
    wrong = {case.name: problem for case in question.cases if (problem := _wrong(question, case, outcomes[case.name], known))}
    inherited = {case.name: source for case in question.cases
                 if case.name in wrong and (source := _inherits(case, outcomes[case.name], question, earlier))}
    # Values that are right on top of an earlier mistake win; where that mistake stops everything there are none to judge.
    forgiven = {name for name in inherited if outcomes[name].observation is not None}
    lost = set(wrong) - forgiven
    own = {name: outcome for name, outcome in outcomes.items() if name not in inherited}
    name = diagnose.misconception(question, own, lost & set(own))
    cases = tuple(
        CaseVerdict(case.name, case.description, case.visible, case.name not in lost, case.points, _case_message(
            case, outcomes, wrong.get(case.name), inherited.get(case.name), question, name, lost),
            diagnose.fingerprint(outcomes[case.name]) if case.name in lost else "")
        for case in question.cases)
    score = sum(case.points for case in cases if case.passed)
    message = _question_message(question, cases, name, inherited)
    if lost - set(inherited) and (advice := cause or mend_first(question, earlier)):
        message = f"{message} {advice}"
    return QuestionVerdict(question.name, _status(score, question, outcomes), score, question.max_score, message, name, cases)


def mend_first(question: QuestionKey, earlier: dict[str, QuestionVerdict]) -> str:
    """Advice when a question builds on answers that are wrong themselves; "" when it does not."""
    excused = (Status.PASSED, Status.MISSING, Status.UNGRADED)
    wrong = [f"`{name}`" for name in question.uses if name in earlier and earlier[name].status not in excused]
    return f"Your {_and(wrong)} {'is' if len(wrong) == 1 else 'are'} not right yet: if you build on that here, mend it first." \
        if wrong else ""


def _wrong(question: QuestionKey, case: CaseKey, outcome: Outcome, known: said.Known) -> str | None:
    """What is wrong with an outcome, as a fact; None when it is right."""
    if outcome.several:
        return said.several(outcome.several, outcome.first is not None and
                            compare.difference(case.expected, outcome.first, case.rtol, case.atol) is None)
    if outcome.observation is not None:
        return compare.difference(case.expected, outcome.observation, case.rtol, case.atol, case.visible)
    return said.fact(outcome) if case.visible else said.hidden_fact(outcome, question, case, known)


def _inherits(case: CaseKey, outcome: Outcome, question: QuestionKey, earlier: dict[str, QuestionVerdict]) -> str | None:
    """The earlier question whose named mistake alone explains this outcome: a right answer on top of it gives the same."""
    for name in question.uses:
        mistake = earlier[name].misconception if name in earlier else None
        expected = case.follow_through.get(f"{name}.{mistake}") if mistake else None
        if expected and diagnose.same_outcome(outcome, expected, case):
            return name
    return None


def _status(score: int, question: QuestionKey, outcomes: dict[str, Outcome]) -> Status:
    if score == question.max_score:
        return Status.PASSED
    if score:
        return Status.PARTIAL
    if any(outcome.died == Status.TIMEOUT for outcome in outcomes.values()):
        return Status.TIMEOUT
    gave = any(outcome.observation is not None or outcome.several for outcome in outcomes.values())
    return Status.FAILED if gave else Status.CRASHED


def _never_defined(question: QuestionKey, ran: Ran) -> QuestionVerdict:
    error = ran.error(question.name)
    if error is None:
        return no_points(question, Status.MISSING, ran.not_defined(question.name))
    status = Status.TIMEOUT if error.died == Status.TIMEOUT else Status.CRASHED
    cause = ran.cause([error.failure])
    return no_points(question, status, f"Its cell did not get as far as defining {question.name}. {said.fact(error)}"
                                       f"{' ' * bool(cause)}{cause}")


# ---------------------------------------------------------------------------------------------------- messages


def _and(names) -> str:
    return " and ".join(sorted(set(names)))


def _case_message(case: CaseKey, outcomes: dict[str, Outcome], fact: str | None, inherited: str | None, question: QuestionKey,
                  misconception: str | None, lost: set[str]) -> str:
    outcome = outcomes[case.name]
    if fact is None:
        return ""
    if inherited:
        return f"Right on top of your {inherited}, whose mistake is not counted twice." if outcome.observation is not None else \
            f"{fact} Your {inherited} leads to it: mend that first."
    if outcome.several:
        return fact
    if misconception and diagnose.agrees(misconception, case, outcome):
        advice = question.hints[misconception]
    elif name := diagnose.lead(question, case, outcomes, lost):
        advice = question.hints[name]
    else:
        advice = slips.slip(case, outcomes, question.cases) or (NEVER_READY if outcome.brief == End.SLOW.value else "")
    if outcome.observation is None:
        return f"{fact} {advice}".rstrip()
    # What explains it comes first. Of several results the fact says which one is meant.
    return " ".join(filter(None, (advice, "" if advice and len(case.expected) == 1 and compare.says_little(fact) else fact)))


def _question_message(question: QuestionKey, cases: tuple[CaseVerdict, ...], misconception: str | None, inherited: dict) -> str:
    lost = [case for case in cases if not case.passed]
    if not lost:
        return ("All cases are right." if any(not case.visible for case in cases) else "All visible cases are right.") + \
            (f" The mistake in your {_and(inherited.values())} is not counted again here." if inherited else "")
    won = f"{len(cases) - len(lost)} of {len(cases)} case{'s' * (len(cases) != 1)} right."
    if misconception and question.hints[misconception]:  # in words: see `feedback.plain`
        return f"{won} {question.hints[misconception]}"
    first = lost[0]
    if len({case.message for case in cases}) == 1:  # nothing is special about any case
        return f"{won} {first.message}"
    return f"{won} {first.description.rstrip('.:')}: {first.message[:1].lower()}{first.message[1:]}"


def breaks_a_rule(question: QuestionKey, name: str, line: str | None) -> QuestionVerdict:
    """The verdict on an answer that uses what its question rules out, or that is none of the student's own."""
    if name.startswith(TAMPERING):
        which = f" (`{name.removeprefix(TAMPERING)}`)" if name != TAMPERING else ""
        return no_points(question, Status.FAILED, f"It changes what watches for things that this question rules out{which}. "
                                                  "Write it without that.")
    if name.startswith(LIBRARY):
        which = f"`{name.removeprefix(LIBRARY)}`, which" if name != LIBRARY else "something that"
        return no_points(question, Status.FAILED, f"It is {which} a library has ready-made. "
                                                  "Write a function or a class of your own.")
    what = f"the TensorFlow operation `{name.removeprefix(OPERATIONS)}`" if name.startswith(OPERATIONS) else f"`{name}`"
    where = f" at `{line}`" if line else ""
    return no_points(question, Status.FAILED, f"It uses {what}{where}{RULED_OUT}")
