"""What a report may say of a hidden case: one of few fixed texts, whatever came out of its process."""

import dataclasses
import datetime
import io
import json
import random
import re

import numpy as np
import pytest
from conftest import needs_bubblewrap, sandboxed
from rich.console import Console

from autograder.authoring import samples
from autograder.authoring.lesson import read_lesson, solved_notebook, student_notebook
from autograder.authoring.question import load_questions
from autograder.grading import diagnose, said, slips
from autograder.grading.grade import ended, grade
from autograder.grading.judge import NEVER_READY, RULED_OUT, judge
from autograder.grading.key import CaseKey, load
from autograder.grading.ran import Ran
from autograder.grading.submission import RunCell, Submission, merge
from autograder.inside import probes
from autograder.inside.protocol import Failure, Outcome, Use
from autograder.nbgrader.notebook import graded_notebook
from autograder.report import classroom, classroom50, gradescope, html, junit, summary, terminal
from autograder.report import json as as_json
from autograder.report.csv import grade_table
from autograder.report.outline import Outline
from autograder.report.standing import counted
from autograder.sandbox.sandbox import Died, End, Limits

NAME = "a0_doubling"
LINES = frozenset({"return 2 * x", "raise ValueError(s)"})


@pytest.fixture(scope="module")
def key(built_tiny):
    return load(built_tiny.key(NAME))


@pytest.fixture
def double(key):
    return key.questions[0]


def hidden_case(question):
    return next(case for case in question.cases if not case.visible)


def judged(question, outcome, shown=None, lines=LINES):
    """The verdict on the hidden case when its process gave `outcome` and the visible one `shown`."""
    hidden = hidden_case(question)
    outcomes = {case.name: outcome if case is hidden else shown or Outcome(case.expected) for case in question.cases}
    verdict = judge(question, outcomes, Ran(), {}, lines)
    return next(case for case in verdict.cases if case.name == hidden.name), verdict


def raised(*arguments, **names):
    return Outcome(failure=Failure(*arguments, **names))


@pytest.mark.parametrize("outcome, text", [
    (raised("ValueError", "4e00 [1, 2]"), "It raised ValueError."),
    (raised("ValueError", "x", "raise ValueError(s)"), "It raised ValueError at `raise ValueError(s)`."),
    (raised("ValueError", "x", "1/0 # 4e00"), "It raised ValueError."),
    (raised("E4e00", "x"), "It raised an exception of another kind."),
    (raised("NotImplementedError", "", function="double"), "It reached double, which is not written yet."),
    (raised("NotImplementedError", "", function="f4e00"), "It reached a function, which is not written yet."),
    (raised("AnswerError", "says 4e00.", sentence="says 4e00."), said.BROKEN),
    (ended(Died(End.EXITED, "Python ended while it ran (exit status 201).")), "Python ended while it ran."),
    (ended(Died(End.SIGNALLED, "Python ended while it ran (killed by SIGUSR1).")), "A signal ended Python while it ran."),
    (ended(Died(End.UNREADABLE, "The reply could not be read: 4e00.")), "Its process did not survive this case."),
    (Outcome(undefined=True), "It is not defined."),
    (Outcome({"output": "4e00"}), "It returned something that is no array; expected an array of shape (4,)."),
    (Outcome({"output": np.zeros((0, 51234))}), "It returned an array of 2 axes; expected an array of shape (4,)."),
    (Outcome({"output": np.zeros((2, 4))}, several=2, first={"output": np.zeros(4)}), "It returned 2 values; one is expected."),
    (Outcome({"4e00": np.zeros(4)}), "Expected output; nothing was received for output."),
])
def test_a_hidden_case_says_the_kind_and_nothing_of_the_students_choice(double, outcome, text):
    case, verdict = judged(double, outcome)
    assert case.message == text
    assert text[3:] in verdict.message


def test_a_message_is_said_when_a_visible_case_raised_the_very_same(double):
    same, other = raised("ShapeError", "no such axis", "return 2 * x"), raised("ShapeError", "no such axis 4e00")
    assert judged(double, same, shown=same)[0].message == "It raised ShapeError: no such axis at `return 2 * x`."
    assert judged(double, other, shown=same)[0].message == "It raised an exception of another kind."


def test_what_breaks_the_contract_is_said_with_what_the_case_itself_names(double):
    sentence = "has a weight {path} of shape {shape}; expected {count} axes."
    question = dataclasses.replace(double, sentences=(sentence,), cases=tuple(
        dataclasses.replace(case, inputs={"weights": {"query/kernel": np.zeros((3, 4))}}) for case in double.cases))

    def message(**fields):
        return judged(question, raised("AnswerError", "4e00", sentence=sentence, fields=fields))[0].message

    assert message(path="query/kernel", shape=[3, 4], count=2) == "It has a weight query/kernel of shape (3, 4); expected 2 axes."
    for fields in ({"path": "4e00", "shape": [3, 4], "count": 2}, {"path": "query", "shape": [3, 5], "count": 2},
                   {"path": "query", "shape": [3, 4], "count": 10}, {"path": "query", "shape": [3, 4]},
                   {"path": "query", "shape": [3, 4], "count": True}, {"path": {}, "shape": [], "count": 1.5}):
        assert message(**fields) == said.BROKEN


def test_a_rule_is_named_in_the_questions_own_words(double):
    question = dataclasses.replace(double, forbid=("tf.nn.*", "keras.ops.softmax"))
    for use, words in ((Use("keras.ops.softmax", "return 2 * x"), "`keras.ops.softmax` at `return 2 * x`"),
                       (Use("tf.nn.h4e00", "x = 1 # 4e00"), "`tf.nn.*`"), (Use("4e00"), "`something`")):
        assert judged(question, Outcome(failure=Failure("ValueError"), uses=(use,)))[1].message == f"It uses {words}{RULED_OUT}"


def test_a_named_mistake_keeps_its_hint_which_stands_for_what_says_less(double):
    shown, case = (next(case for case in double.cases if case.visible == visible).misconceptions["squares"][0] for visible in (True, False))
    message = judged(double, case, shown)[0].message
    assert message == double.hints["squares"]


def test_a_lead_needs_values_that_do_not_coincide(double):
    values, wrong = np.array([0.3, -1.2, 0.7, 2.5]), np.array([0.9, -3.6, 2.1, 7.5])
    shown, case = double.cases[0], hidden_case(double)

    def lead(right, given, known, **changes):
        there = dataclasses.replace(case, expected={"output": right}, misconceptions=case.misconceptions | {
            "triples": [Outcome({"output": known})]}, **changes)
        question = dataclasses.replace(double, cases=(shown, there))
        return diagnose.lead(question, there, {shown.name: Outcome(shown_seen), there.name: Outcome({"output": given})}, {shown.name, there.name} - won)

    shown_seen, won = {"output": np.zeros(3)}, set()  # neither right nor a known mistake
    assert lead(values, wrong, wrong) == "triples"
    assert lead(values, wrong, wrong, rtol=0.1) is None
    assert lead(values[:3], wrong[:3], wrong[:3]) is None and lead(values, wrong + 1, wrong) is None
    assert lead(np.zeros(6), np.ones(6), np.ones(6)) is None
    assert lead(values, np.where(values > 0.5, wrong, values), np.where(values > 0.5, wrong, values)) is None  # two wrong entries
    shown_seen, won = shown.expected, {shown.name}
    assert lead(values, wrong, wrong) is None  # who triples does not win the visible case


def test_what_has_no_gradient_has_a_gradient_of_zero(double):
    case = hidden_case(double)
    sentence = "has no gradient with respect to {name}: it does not depend on it."
    lacks = raised("AnswerError", "", sentence=sentence, fields={"name": "bias"})
    zero, other = (Outcome({"output": np.ones(2), "gradient of bias": np.full(2, value)}) for value in (0.0, 1.0))
    assert diagnose.same_outcome(lacks, zero, case) and diagnose.same_outcome(zero, lacks, case)
    assert not diagnose.same_outcome(lacks, other, case)
    assert not diagnose.same_outcome(raised("ValueError", fields={"name": "bias"}), zero, case)


def slip(right, got, **of):
    """What is advised where `got` came instead of `right`; of several numbers each is a case of its own."""
    names = right if isinstance(right, dict) else {"output": right}
    case = CaseKey("a", "A case.", 1, False, probes.call(), (), {name: np.array(value) for name, value in names.items()}, {}, {}, 1e-4, 1e-5)
    given = got if isinstance(got, dict) else {"output": got}
    outcome = Outcome({name: value if isinstance(value, str) else np.array(value) for name, value in given.items()})
    found = slips.slip(case, {"a": outcome})
    return next((name for name, advice in slips.SLIPS.items() if advice == found), None)


RANDOM = np.random.default_rng(5).normal(size=(4, 5, 3)) + np.linspace(-2, 2, 60).reshape(4, 5, 3)


@pytest.mark.parametrize("name, change", [
    ("sign", np.negative), ("factor", lambda x: 3 * x), ("offset", lambda x: x + 3), ("complement", lambda x: 1 - x),
    ("line", lambda x: 3 * x + 2), ("reciprocal", lambda x: 1 / x), ("square", np.square), ("exponential", np.exp),
    ("sign of some", np.abs), ("cut off", lambda x: np.maximum(x, 0)), ("whole numbers", np.trunc), ("one value", np.zeros_like),
    ("summands of the last axis", lambda x: x + np.arange(3)), ("factors of the last axis", lambda x: x * [2, 3, 4]),
    ("summands of other axes", lambda x: x - x.mean(-1, keepdims=True)), ("factors of other axes", lambda x: x / x.sum(-1, keepdims=True)),
    ("places", lambda x: x[:, ::-1]), ("places", lambda x: x.transpose(1, 0, 2)), ("places", lambda x: np.roll(x, 1, 0)),
    ("missing", lambda x: x[:, :-1]), ("surplus", lambda x: np.concatenate([x[:1], x])), ("shape", lambda x: x.reshape(20, 3)),
    ("reduced", lambda x: x.sum(1)), ("unreduced", lambda x: np.stack([x, 2 * x], -1) / 1.5),
    ("first", lambda x: np.where(np.arange(5)[:, None] == 0, x + np.sin(x), x)),
    ("last", lambda x: np.where(np.arange(4)[:, None, None] == 3, x + np.sin(x), x)),
    ("after the first", lambda x: np.where(np.arange(5)[:, None] > 0, x + np.sin(x), x)),
    ("border", lambda x: x + np.sin(x) * np.pad(np.zeros((2, 3)), 1, constant_values=1)[..., None]),
    ("not a number", lambda x: np.where(x > 0, x, np.nan)), ("infinite", lambda x: np.where(x > 0, x, np.inf)),
    (None, lambda x: np.sin(x)), (None, lambda x: x + np.sin(x)), (None, lambda x: x[::-1].cumsum(0)),
])
def test_a_slip_is_what_was_made(name, change):
    assert slip(RANDOM, change(RANDOM)) == name


def test_a_slip_is_no_coincidence():
    assert slip([1.0, 2.0], "None") == "no array" and slip([1.0, 2.0], "a list with None") is None
    assert slip(1.5, -1.5) == "sign" and slip(1, -1) is None  # what some return for "none"
    assert slip([1.0, 2.0, 5.0], [3.0, 6.0, 15.0]) == "factor" and slip([1.0, 2.0], [3.0, 6.0]) is None
    assert slip([0, 1, 1], [1, 0, 0]) == "complement" and slip([0, 0, 0], [1, 1, 1]) is None
    assert slip([0.0, 1.0, 1.0, 1.0], [1.0, 1.0, 0.0, 1.0]) is None  # bits in another order are other bits, too
    assert slip([1.0, 1.0, 1.0, 0.0], [1.0, 1.0, 1.0, 1.0]) is None  # nor is the last row of a truth table an end
    assert slip({"h": RANDOM[0], "c": RANDOM[1]}, {"h": RANDOM[1], "c": RANDOM[0]}) == "exchanged"
    assert slip({"output": RANDOM, "gradient of x": RANDOM}, {"output": RANDOM, "gradient of x": 0 * RANDOM}) == "no slope"


def test_values_that_are_wrong_on_one_side_of_zero_are_said_to_be():
    x = np.linspace(-3, 2, 10)
    case = CaseKey("a", "A case.", 1, False, probes.call(), (x,), {"output": np.tanh(x)}, {}, {}, 1e-4, 1e-5)
    for sign, name in ((1, "not negative"), (-1, "not positive")):
        outcome = Outcome({"output": np.where(x * sign > 0, np.tanh(x) + np.sin(3 * x), np.tanh(x))})
        assert slips.slip(case, {"a": outcome}) == slips.SLIPS[name]


def test_whatever_comes_has_a_slip_or_none():
    chance = np.random.default_rng(0)
    shape = lambda: chance.integers(0, 5, chance.integers(5))  # noqa: E731
    for _ in range(3000):
        expected = chance.normal(size=shape())
        came = chance.choice([0.0, 0.5, 1.0, 3.0, np.nan, np.inf, -1e300], shape() if chance.integers(2) else expected.shape)
        with np.errstate(all="ignore"):
            came = came.astype(chance.choice(["f8", "f2", "i4", "?", "c8"]))
        assert slip(expected, came) in {None, *slips.SLIPS}


def test_single_numbers_are_off_by_the_same_in_every_case_or_by_nothing_that_is_said():
    rights = [1.5, 2.25, -3.0, 7.0]
    cases = tuple(CaseKey(str(right), "A case.", 1, False, probes.call(), (), {"output": np.array(right)}, {}, {}, 1e-4, 1e-5)
                  for right in rights)
    advice = lambda change: slips.slip(  # noqa: E731
        cases[0], {case.name: Outcome({"output": np.array(change(float(case.name)))}) for case in cases}, cases)
    assert advice(lambda x: x / 2) == slips.SLIPS["factor"] and advice(lambda x: x * x) == slips.SLIPS["square"]
    assert advice(lambda x: x / 2 if x > 0 else x) is None and advice(lambda x: x) is None


def test_one_case_refutes_a_name(double):
    case, verdict = judged(double, hidden_case(double).misconceptions["squares"][0])  # with the visible case right
    assert verdict.misconception is None
    assert case.message == "It returned an array of shape (4,) with the right shape but other values in every entry."


def test_quotable_lines_are_those_of_the_cells_and_none_of_too_many():
    few = Submission("ada", (RunCell("a", "x = 1\n\n    y = 2\n" + "z" * 500),), ())
    assert said.quotable(few) == {"x = 1", "y = 2", "z" * 120}
    many = Submission("ada", (RunCell("a", "\n".join(f"x = {i}" for i in range(said.MOST_LINES + 1))),), ())
    assert said.quotable(many) == frozenset()


def possible(question, case, known):
    """Every text that a report can hold on a hidden case, as the parts of `bits` have it."""
    advice = ["", *slips.SLIPS.values(), *question.hints.values(), NEVER_READY]
    facts = set(said.facts(question, case, known))
    return {"", *advice} | {text.strip() for fact in facts for more in advice for text in (f"{fact} {more}", f"{more} {fact}")}


def test_whatever_comes_out_is_one_of_the_texts_and_these_are_counted(key):
    chance = random.Random(0)
    text = lambda: chance.choice(["", "None", "4e00" * chance.randint(1, 9), "return 2 * x", "ValueError", "double"])  # noqa: E731
    shape = lambda: [chance.randint(0, 5) for _ in range(chance.randint(0, 6))]  # noqa: E731
    shown = raised("OddError", "4e00", "return 2 * x")

    def outcome(case):
        known = [other for variants in case.misconceptions.values() for other in variants]
        return chance.choice([
            lambda: Outcome({chance.choice(["output", text()]): chance.choice([text(), np.zeros(shape()), case.expected["output"] * 3])}),
            lambda: raised(chance.choice(["ValueError", "OddError", text()]), text(), text(), text()),
            lambda: raised("AnswerError", text(), sentence=text(), fields={text(): text()}),
            lambda: ended(Died(chance.choice(list(End)), f"It ended so and so (exit status {chance.randint(0, 255)}).")),
            lambda: Outcome(undefined=True), lambda: chance.choice(known), lambda: Outcome(case.expected)])()

    for question in key.questions:
        case = hidden_case(question)
        known = said.Known(LINES, frozenset({("OddError", "4e00")}), frozenset({question.name, *question.uses}))
        texts = possible(question, case, known)
        seen = {judged(question, outcome(case), shown)[0].message for _ in range(2000)}
        assert seen <= texts and len(seen) > 20, seen - texts
        # Two lines here, 4,096 there: nothing else makes more texts.
        without_lines = {fact for fact in said.facts(question, case, known) if not any(f"`{line}`" in fact for line in LINES)}
        assert len(without_lines) < 2 ** said.bits(question, case) < 2**20


def test_capacity_grows_with_what_a_case_can_say_and_is_told_by_case(key, double):
    told = said.capacity(key)
    assert set(told["cases"]) == {"double/random_numbers", "quadruple/more_numbers"}
    assert all(12 < value < 20 for value in told["cases"].values()) and told["seconds"] < 4
    case = hidden_case(double)
    richer = dataclasses.replace(double, forbid=("a", "b", "c"), sentences=(*double.sentences, "lacks its {part}."))
    assert said.bits(double, case) < said.bits(richer, case)
    # A sentence that could say too much says nothing.
    silent = dataclasses.replace(double, sentences=())
    assert said.bits(silent, case) == said.bits(dataclasses.replace(double, sentences=("{a}{b}{c}{d}{e}{f}",)), case)


def test_time_is_told_by_powers_of_two():
    assert [said.coarse(seconds) for seconds in (0, 0.3, 0.9, 1.1, 3.1, 100, 10**6)] == [0.25, 0.25, 1, 1, 4, 128, 1024]


# ---------------------------------------------------------------------------------------------------- in every report

HEX = "x.numpy().tobytes().hex()"
LEAKS = {
    "letters of another alphabet in a message":
        "def double(x):\n    n = int.from_bytes(x.numpy().tobytes(), 'little'); s = ''\n"
        "    while n: s += chr(0x4e00 + n % 8192); n //= 8192\n    raise ValueError(s)",
    "a line that was never written":
        f"def double(x):\n    import linecache\n    h = {HEX}\n"
        "    linecache.cache['<ipython-input-leak'] = (1, None, ['1/0 # ' + h + chr(10)], '<ipython-input-leak')\n"
        "    exec(compile('1/0', '<ipython-input-leak', 'exec'))",
    "a shape":
        "def double(x):\n    return np.zeros((0, int.from_bytes(x.numpy().tobytes()[:7], 'little')))",
    "words":
        f"def double(x):\n    import autograder.inside.probes as p\n    p.array = lambda value, depth=0: {HEX}[:120]\n    return x",
    "the name of an exception": f"def double(x):\n    raise type('E' + {HEX}, (Exception,), {{}})",
    "the name of a function": f"def double(x):\n    f = lambda: 1 / 0\n    exec('def f' + {HEX} + '(): raise NotImplementedError', g := {{}})\n"
                              f"    g['f' + {HEX}]()",
    "names of what was observed": f"def double(x):\n    import autograder.inside.probes as p\n"
                                  f"    p._named = lambda value, returns: {{{HEX}: np.zeros(2)}}\n    return x",
    "a sentence": f"def double(x):\n    from autograder.inside.probes import AnswerError\n    raise AnswerError({HEX})",
    "a visible case that comes later":
        f"kept = []\ndef double(x):\n    kept.append({HEX})\n    return 2 * x\n",
    "an exit status": "def double(x):\n    import os; os._exit(x.numpy().tobytes()[0] | 1)",
}
TELLS_LATER = "def quadruple(x):\n    raise ValueError('so far: ' + ' '.join(kept))"


def everything(verdict, key, notebook):
    """All that is made of a verdict, in one text."""
    data = as_json.results([verdict], key)
    console = Console(record=True, width=400, file=io.StringIO())
    console.print(terminal.class_table([verdict], key, 400), terminal.verdict_table(verdict, "x"))
    environment = dict.fromkeys(classroom50.GIVEN.values(), "x")
    parts = [json.dumps(data, ensure_ascii=False), junit.junit(data), console.export_text(), html.student_page(verdict, Outline(NAME, NAME), datetime.date(2026, 11, 28)),
             summary.job_summary(verdict, 100, "x"), grade_table(counted(data, {})), json.dumps(gradescope.gradescope(verdict, "x"), ensure_ascii=False),
             json.dumps(classroom.question_results(verdict), ensure_ascii=False),
             json.dumps(classroom50.result(verdict, environment, datetime.datetime.now(datetime.UTC)), ensure_ascii=False),
             *(html.question_card(question) for question in verdict.questions)]
    cells = [{"cell_type": cell.cell_type, "source": cell.source, "id": cell.id, "grade_id": None, "tags": []}
             for cell in notebook.cells]
    return "\n".join([*parts, json.dumps(graded_notebook(cells, notebook, verdict), ensure_ascii=False)])


@pytest.mark.parametrize("isolation", [pytest.param("bubblewrap", marks=needs_bubblewrap), "process"])
def test_no_report_holds_a_bit_pattern_of_hidden_inputs(built_tiny, key, isolation):
    folder = built_tiny.solution(NAME)
    cells, questions = read_lesson(folder), load_questions(folder)
    skeleton = student_notebook(cells, questions)
    visible = {case.inputs[0].tobytes() if isinstance(case.inputs[0], np.ndarray) else np.asarray(case.inputs[0], np.float32).tobytes()
               for question in key.questions for case in question.cases if case.visible}
    secrets = {np.asarray(hidden_case(question).inputs[0], np.float32).tobytes() for question in key.questions} - visible
    with sandboxed(built_tiny.released_files(NAME), Limits(submission_seconds=60), isolation, (built_tiny.root,)) as sandbox:
        for what, source in LEAKS.items():
            notebook = samples.edited(solved_notebook(cells, questions), "double", lambda _, source=source: source)
            if "kept" in source:
                notebook = samples.edited(notebook, "quadruple", lambda _: TELLS_LATER)
            plain = [{"cell_type": cell.cell_type, "source": cell.source, "id": cell.id, "grade_id": None, "tags": []}
                     for cell in notebook.cells]
            verdict = grade(merge(plain, skeleton, "ada"), key, sandbox)
            text = everything(verdict, key, notebook)
            for secret in secrets:
                for begin in range(0, len(secret) - 3, 4):
                    number = secret[begin:begin + 4]
                    assert number.hex() not in text, (what, verdict)
                    assert str(int.from_bytes(secret[:7], "little")) not in text, (what, verdict)
            hidden = [case.message for question in verdict.questions for case in question.cases if not case.visible]
            assert not any(re.search(r"[^\x00-\x7f…½]|[0-9a-f]{8}", message) for message in hidden), (what, hidden)
            assert "exit status" not in "".join(hidden), what
