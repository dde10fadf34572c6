"""What students call: `check("softmax")` or `check()` in the notebook, `autograder check NOTEBOOK` outside it.

Only the visible cases of `examples.npz` are used, so neither a key nor the course is needed. Inputs and expected values are
shown here, and nowhere else.
"""

from __future__ import annotations

import contextlib
import dataclasses
import html
import inspect
import os
import random
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from autograder import data
from autograder.grading import diagnose
from autograder.grading.grade import grade as grade_submission
from autograder.grading.judge import judge, mend_first
from autograder.grading.key import EXAMPLES, Key, KeyFileError, QuestionKey, load
from autograder.grading.observe import load_observers, observed, tried, without_observers
from autograder.grading.ran import Ran
from autograder.grading.said import ALONE
from autograder.grading.submission import RunCell, Submission, Unreadable, answered, is_stub, read_notebook
from autograder.grading.verdict import QuestionVerdict, Status, Verdict
from autograder.grading.versions import installed, notice
from autograder.inside import probes, watch
from autograder.inside.protocol import Outcome, Use
from autograder.report.shown import TONES, sign, unsaid
from autograder.sandbox.sandbox import Limits, Sandbox
from autograder.sandbox.warm import WarmParent
from autograder.student import values
from autograder.student.session import watch as watch_kernel

DEFAULT_LIMITS = Limits()
CHECK_CALL = re.compile(r"\s*check\(\s*(['\"]\w+['\"])?\s*\)\s*(#.*)?$")


class CheckFailed(AssertionError):
    """What `nbgrader validate` reports; the message is the check's."""


SESSION = watch_kernel()  # from now on: a cell that waits for an answer does not stop the others


def check(name: str | None = None) -> None:
    """Try your answer on the visible cases of a question, and show what is right and what is not.

    Args:
        name: the question's name, such as `"softmax"`; without one, all questions are shown with their points so far.
    """
    namespace = sys._getframe(1).f_globals  # the notebook's names
    try:
        key = _examples(Path.cwd())
        if name is None:
            _show_all(key, namespace)
            return
        total, visible = _find(key, name).max_score, visible_part(key)
        question = _find(visible, name)
    except (KeyFileError, LookupError) as error:
        print(f"check: {error}")
        return
    outcomes = _outcomes(question, namespace, key.beneath(question))
    earlier: dict[str, QuestionVerdict] = {}
    verdict = _judged(question, outcomes, earlier, namespace)
    if verdict.status not in (Status.PASSED, Status.MISSING):  # perhaps what it builds on is to blame
        earlier = _verdicts(visible, visible.beneath(question), namespace)
        verdict = _judged(question, outcomes, earlier, namespace)
    stale = SESSION.stale(name) if SESSION else ""
    if os.environ.get("NBGRADER_EXECUTION") == "validate" and verdict.status != Status.PASSED:
        raise CheckFailed(verdict.message)  # `nbgrader validate` takes errors, and nothing else, for failures
    advice = [mend_first(question, earlier) if verdict.status != Status.PASSED else _other_type(question, outcomes),
              _from_a_file(name, namespace.get(name))]
    if verdict.status not in (Status.PASSED, Status.MISSING):  # the versions may be to blame
        advice.append(notice(key.versions, installed()))
    tried = _Try(question, verdict, outcomes, total, _parameters(namespace.get(name)), stale, " ".join(filter(None, advice)))
    _show(_text(tried), _html(tried))


def _judged(question: QuestionKey, outcomes: dict[str, Outcome], earlier: dict[str, QuestionVerdict],
            namespace: dict) -> QuestionVerdict:
    verdict = judge(question, outcomes, Ran(), earlier)
    if namespace.get(question.name) is None:  # nothing that a kernel knows tells why
        return dataclasses.replace(verdict, message=f"{question.name} is not defined yet: run its cell first. After a restart of "
                                                    "the kernel, run all cells from the top.")
    return verdict


def check_notebook(path: Path, limits: Limits = DEFAULT_LIMITS, release: Path | None = None) -> tuple[Verdict, Key]:
    """Run a notebook in a process of its own and grade its visible cases.

    Args:
        release: a folder with the examples and data to use in place of those beside the notebook.
    Raises:
        Unreadable: the file is no notebook.
        KeyFileError: there is no `examples.npz`.
    """
    path, folder = Path(path), release or Path(path).parent
    if not path.is_file():
        raise Unreadable(f"expected a notebook; {path} does not exist")
    key = visible_part(_examples(folder))
    read, notes = read_notebook(path)
    names = [question.name for question in key.questions]
    written = {cell["grade_id"] or cell["id"] for cell in read if not is_stub(cell["source"])}
    elsewhere = [name for name in names if name not in written]  # if anywhere
    cells = []
    for number, cell in enumerate(read):
        if cell["cell_type"] != "code" or "demo" in cell["tags"] or CHECK_CALL.match(cell["source"]):
            continue
        name = cell["grade_id"] or cell["id"] or f"cell-{number + 1}"
        question = None if is_stub(cell["source"]) else name if name in names else answered(cell["source"], elsewhere)
        cells.append(RunCell(name, cell["source"], question))
    # The student's own code on the student's own machine.
    with WarmParent(without_observers(_released(folder, read)), "process", forbid=key.forbid) as parent, \
            Sandbox(parent, limits) as sandbox:
        submission = Submission(path.stem, tuple(cells), notes)
        verdict = grade_submission(submission, key, sandbox, observers=load_observers(folder))
    if differ := notice(key.versions, installed()):
        verdict = dataclasses.replace(verdict, notes=(*verdict.notes, differ))
    return verdict, key


def _released(folder: Path, cells: list[dict]) -> list[Path]:
    """The files beside a notebook that grading has, too. What needs others of the student's own fails here as it does there.

    A module is the assignment's when the code that was handed out names it; of a notebook in which that cannot be told any more,
    as some editors save it, every module is taken for one.
    """
    text = "\n".join(cell["source"] for cell in cells if (cell["grade_id"] or cell["id"] or "").startswith("setup-"))
    modules = {file.stem: file for file in folder.glob("*.py") if file.is_file()}
    named = {"probes"} if text else set(modules)
    while new := set(re.findall(r"\w+", text)) & set(modules) - named:
        named |= new
        text = "\n".join(modules[name].read_text(encoding="utf-8", errors="replace") for name in new)
    others = [folder / name for name in (EXAMPLES, *data.FILES.values())]
    return [file for file in others if file.is_file()] + [modules[name] for name in sorted(named & set(modules))]


def _examples(folder: Path) -> Key:
    if not (folder / EXAMPLES).is_file():
        raise KeyFileError(f"expected {EXAMPLES} beside the notebook, as it came with the assignment; found none in {folder}. "
                           "Put the notebook back into the assignment's folder, or copy that file to it; if a cell has changed "
                           "the directory, restart the kernel.")
    return load(folder / EXAMPLES)


def visible_part(key: Key) -> Key:
    """The key with each question worth what its visible cases are worth."""
    return dataclasses.replace(key, written={}, questions=tuple(
        dataclasses.replace(question, cases=(cases := tuple(case for case in question.cases if case.visible)),
                            max_score=sum(case.points for case in cases)) for question in key.questions))


def _find(key: Key, name: str) -> QuestionKey:
    for question in key.questions:
        if question.name == name:
            return question
    raise LookupError(f"expected one of {', '.join(question.name for question in key.questions)}. Received: {name!r}")


def _outcomes(question: QuestionKey, namespace: dict, beneath: tuple[str, ...]) -> dict[str, Outcome]:
    """What the answer to a question does on its cases; `beneath` are the questions that it builds on."""
    answer = namespace.get(question.name)
    extra, observers = probes.own_probes(Path.cwd()), load_observers(Path.cwd())
    others = [namespace[name] for name in beneath if name in namespace]
    states = random.getstate(), np.random.get_state()
    outcomes: dict[str, Outcome] = {}
    try:
        for case in question.cases:
            if answer is None:
                outcomes[case.name] = Outcome(undefined=True)
                continue
            used: list[Use] = []
            seed = f"{question.name}/{case.name}"
            try:
                with watch.watching(question.forbid, answer, others) as (used, _):
                    seen = probes.exercise(answer, case.probe, case.inputs, seed, extra)
                outcomes[case.name] = observed(Outcome(seen, uses=tuple(used)), case.probe, case.inputs, observers)
            except Exception as error:
                outcomes[case.name] = Outcome(failure=probes.failure(error), uses=tuple(used))
            if diagnose.may_be_several(case, outcomes[case.name]):
                counts: list[int] = []
                with contextlib.suppress(Exception):
                    again = tried(probes.first_of(answer, counts), case.probe, case.inputs, seed, extra, observers)
                    outcomes[case.name] = dataclasses.replace(
                        outcomes[case.name], several=max(counts, default=0), first=again.observation)
    finally:  # the notebook's own random numbers go on as if nothing had happened
        random.setstate(states[0])
        np.random.set_state(states[1])
    return outcomes


def _verdicts(key: Key, names: Iterable[str], namespace: dict) -> dict[str, QuestionVerdict]:
    """Verdicts on answers by their names, those that others build on first."""
    verdicts: dict[str, QuestionVerdict] = {}
    for name in names:
        question = _find(key, name)
        verdicts[name] = _judged(question, _outcomes(question, namespace, key.beneath(question)), verdicts, namespace)
    return verdicts


# ---------------------------------------------------------------------------------------------------- display


@dataclasses.dataclass(frozen=True)
class _Try:
    """What is shown: `total` points of all cases, the answer's own `names` for its inputs, `advice` on the whole of it.

    `stale` says why the answer that was tried is not the one that the notebook shows; "" when it is.
    """

    question: QuestionKey
    verdict: QuestionVerdict
    outcomes: dict[str, Outcome]
    total: int
    names: list[str]
    stale: str
    advice: str

    def cases(self):
        """(its verdict, what it has to say that others have not, its inputs, its pairs when it was lost) of each case, for an
        answer that is written."""
        if self.verdict.status == Status.MISSING:
            return
        said = ""
        for case, judged in zip(self.question.cases, self.verdict.cases):
            message, said = unsaid(judged.message, said), f"{said} {judged.message}"
            if judged.message and not message and self.outcomes[case.name].failure is not None:
                message = "The same error as above."
            shown = ([], []) if judged.passed else (values.inputs(case, self.names),
                                                    values.pairs(case, self.outcomes[case.name].observation))
            yield judged, message, *shown


def _show(text: str, page: str) -> None:
    """Show HTML wherever a notebook takes it, and text everywhere else; a terminal's IPython chooses the text by itself."""
    shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    if shell is None:
        print(text)
        return
    from IPython.display import display  # lazy: only a notebook has it loaded

    display({"text/plain": text, "text/html": page}, raw=True)


def _show_all(key: Key, namespace: dict) -> None:
    """All questions with their points so far."""
    visible = visible_part(key)
    verdicts = _verdicts(visible, [question.name for question in visible.questions], namespace)
    stale = {name: SESSION.stale(name) if SESSION else "" for name in verdicts}
    points = sum(verdict.score or 0 for verdict in verdicts.values())
    title = f"{points} of the {visible.max_score} points of visible cases so far; " \
            f"hidden cases hold {sum(question.max_score for question in key.questions) - visible.max_score} more"
    title += f", and {sum(key.written.values())} are for answers that a person reads." if key.written else "."
    rows = [(_mark(verdict, stale[name]), name, f"{verdict.score}/{verdict.max_score}",
             stale[name] or ("" if verdict.status == Status.PASSED else verdict.message)) for name, verdict in verdicts.items()]
    width = max(len(name) for name in verdicts)
    lines = [f"{mark} {name:{width}} {points:>5}  {message}".rstrip() for (mark, _), name, points, message in rows]
    _show("\n".join([title, *lines]),
          f"<div style='{BOX};border-left-color:{TONES['quiet']}'><b>{title}</b>"
          f"<div style='overflow-x:auto'><table style='margin:.3em 0;font-size:inherit;{values.PLAIN}'>"
          f"{''.join(_row(*row) for row in rows)}</table></div></div>")


def _row(mark: tuple[str, str], name: str, points: str, message: str) -> str:
    style = "style='text-align:left;vertical-align:top;padding:.15em .8em .15em 0'"
    cells = (_badge(*mark), f"<code style='{values.PLAIN}'>{name}</code>", points, _code(message))
    return "<tr style='background:none'>" + "".join(f"<td {style}>{content}</td>" for content in cells) + "</tr>"


def _mark(verdict: QuestionVerdict, stale: str) -> tuple[str, str]:
    """A mark and its tone."""
    return ("!", "part") if stale else sign(verdict.status)


def _summary(verdict: QuestionVerdict, total: int) -> str:
    if verdict.status == Status.MISSING:
        return verdict.message
    won = sum(case.passed for case in verdict.cases)
    hidden = total - verdict.max_score
    return f"{won} of {len(verdict.cases)} visible case{'s' * (len(verdict.cases) != 1)} right, {verdict.score} of " \
        f"{verdict.max_score} points; {hidden} more for hidden cases."


def _text(tried: _Try) -> str:
    lines = [f"{_mark(tried.verdict, tried.stale)[0]} {tried.question.name}: {_summary(tried.verdict, tried.total)}"]
    lines += [f"  {advice}" for advice in (tried.stale, tried.advice) if advice]
    for judged, message, given, seen in tried.cases():
        lines.append(f"  {'✓' if judged.passed else '✗'} {judged.description}")
        lines += [f"    {line}" for line in (*filter(None, [message]), *values.as_text(given, seen))]
    return "\n".join(lines)


# Text has the front end's own colour, on light and dark; what is coloured carries white. A line that begins with a badge goes on
# below its words, where its explanation and its values stand, too.
LINE = f"margin:.35em 0 0;padding-left:{values.INDENT};text-indent:-{values.INDENT}"
BOX = "border-left:4px solid;padding:.3em .9em;margin:.3em 0;line-height:1.45"


def _badge(mark: str, tone: str) -> str:
    return f"<b style='display:inline-block;width:1.5em;margin-right:.4em;text-align:center;text-indent:0;" \
           f"background:{TONES[tone]};color:#fff;border-radius:.3em'>{mark}</b>"


def _html(tried: _Try) -> str:
    mark, tone = _mark(tried.verdict, tried.stale)
    rows = [f"<div style='margin:.35em 0 0 {values.INDENT}'>{_code(advice)}</div>"
            for advice in (tried.stale, tried.advice) if advice]
    for judged, message, given, seen in tried.cases():
        badge = _badge("✓", "good") if judged.passed else _badge("✗", "bad")
        rows.append(f"<div style='{LINE}'>{badge}{_code(judged.description)}</div>")
        rows.append(f"<div style='margin:.15em 0 .15em {values.INDENT}'>{_code(message)}</div>" if message else "")
        rows.append(values.as_html(given, seen))
    name = tried.question.name
    summary = _summary(tried.verdict, tried.total).removeprefix(f"{name} ")  # which may begin with the name
    return (f"<div style='{BOX};border-left-color:{TONES[tone]}'><div style='{LINE};margin:0'>{_badge(mark, tone)}"
            f"<b>{html.escape(name)}</b> {html.escape(summary)}</div>{''.join(rows)}</div>")


def _code(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))


def _parameters(answer) -> list[str]:
    """The names under which a student's function takes what it is given."""
    try:
        parameters = inspect.signature(answer).parameters.values()
    except (TypeError, ValueError):
        return []
    return [parameter.name for parameter in parameters
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)]


def _from_a_file(name: str, answer) -> str:
    """A warning about an answer that works here alone: it comes from a module beside the notebook."""
    module = sys.modules.get(getattr(answer, "__module__", None) or "")
    file = Path(getattr(module, "__file__", None) or "/")
    if module is sys.modules["__main__"] or file.parent.resolve() != Path.cwd().resolve():
        return ""
    return f"`{name}` comes from {file.name}, which grading does not have. {ALONE}"


def _other_type(question: QuestionKey, outcomes: dict[str, Outcome]) -> str:
    """A warning about right values of a type that answers built on them may not take; it costs no points."""
    for case in question.cases:
        right, got = case.expected.get("output"), (outcomes[case.name].observation or {}).get("output")
        if not isinstance(right, np.ndarray) or not isinstance(got, np.ndarray):
            continue
        kinds = right.dtype.kind + got.dtype.kind
        if kinds in ("fb", "fi", "fu", "ib", "if") or right.dtype == np.float32 and got.dtype == np.float64 and got.ndim:
            return f"It returned {got.dtype} where {right.dtype} is asked for: what builds on it may stumble over that."
    return ""
