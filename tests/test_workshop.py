"""What helps an author to see that a question is tight: `author`, variations, mutants, separation."""

import dataclasses
import re
import urllib.request

import numpy as np
import pytest
from conftest import TINY_LESSON, TINY_QUESTIONS, autograder, write_tiny

from autograder.authoring import answers, mutation, samples, separation
from autograder.authoring.blame import DeclarationError
from autograder.authoring.build import build
from autograder.authoring.mutate import mutants, spread
from autograder.authoring.preview import preview
from autograder.authoring.question import load_questions
from autograder.authoring.rewritten import source_of
from autograder.commands import author
from autograder.grading.key import load

NAME = "a0_doubling"
VARIED = TINY_QUESTIONS.replace('''@double.misconception
def triples(x):
    """You triple: once too often."""
    return 3 * x
''', '''@double.variation({"return 2 * x": "return 3 * x"})
def triples():
    """You triple: once too often."""
''')


# ---------------------------------------------------------------------------------------------------- author


def test_every_save_is_built_and_shown_and_no_mistake_ends_it(tiny, monkeypatch):
    questions = tiny.solution(NAME) / "questions.py"

    def saves(folder):
        assert folder == tiny.solution(NAME)
        yield
        for old, new in (("return 3 * x", "return 5 * x"), ("return 5 * x", "return 2 * x"), ("return 2 * x", "return (2 * x")):
            questions.write_text(questions.read_text().replace(old, new))
            yield

    monkeypatch.setattr(author, "changes", saves)
    done = autograder("author", NAME, cwd=tiny.root)
    first, changed, weak = re.split(r"^(?:written|not written): .*$", done.stderr + done.stdout, flags=re.M)[:3]
    assert done.returncode == 0
    assert "double         50      2         2" in first and "mistake" in first
    assert re.search(r"^triples +● +● ", changed, re.M) and re.search(r"^squares +● +● ", changed, re.M)
    assert re.search(r"^triples +· +· +0", weak, re.M) and "no case tells the misconception triples from the reference" in weak
    assert "4 of 18 answers computed" in done.stdout
    assert "solutions/a0_doubling/questions.py, line " in done.stdout and "SyntaxError: '(' was never closed" in done.stdout
    assert tiny.notebook(NAME).is_file()


def test_what_the_reference_gives_is_said_before_any_mistake_is_tried(tiny, monkeypatch):
    lesson = tiny.solution(NAME) / "lesson.py"

    def saves(folder):
        yield
        for old, new in (("return 2 * x", "return x + x"), ("return x + x", "return x + y")):
            lesson.write_text(lesson.read_text().replace(old, new))
            yield

    monkeypatch.setattr(author, "changes", saves)
    outcome, tried = answers.Exercise.outcome, []
    monkeypatch.setattr(answers.Exercise, "outcome", lambda self, answer: tried.append(answer.__name__) or outcome(self, answer))
    done = autograder("author", NAME, cwd=tiny.root)
    first, changed = re.split(r"^written: .*$", done.stdout, flags=re.M)[:2]
    assert "the reference gives an answer" not in first
    assert changed.strip().startswith("the reference gives an answer in 4 cases that changed, ")  # quadruple's build on double
    assert done.stdout.count("raised NameError: name 'y' is not defined") == 1
    assert len(tried) == 10 + 6  # of mistakes at first, and of those that depend on the reference; none after the NameError


def test_what_is_saved_is_noticed(tmp_path):
    saved = author.changes(tmp_path)
    next(saved)
    (tmp_path / "lesson.py").write_text("1")
    (tmp_path / "notes.txt").write_text("1")
    next(saved)


def test_the_preview_is_the_released_notebook_and_knows_when_it_changes(tiny):
    def get(path):
        with urllib.request.urlopen(address + path) as reply:
            return reply.read().decode()

    with preview(tiny.notebook(NAME)) as address:
        assert "not been built" in get("") and get("version") == ""
        build(tiny, NAME)
        page = get("")
        assert "Doubling" in page and "the-secret-of-doubling" not in page and f'"{get("version")}"' in page
        with pytest.raises(urllib.error.HTTPError, match="404"):
            get("../solutions")


# ---------------------------------------------------------------------------------------------------- variations


def test_a_variation_is_the_reference_with_other_text(tmp_path):
    course = write_tiny(tmp_path, questions=VARIED)
    key = build(course, NAME)
    (case, _) = key.questions[0].cases
    assert np.array_equal(case.misconceptions["triples"][0].observation["output"], [3, 6, 15])
    assert key.questions[0].hints["triples"] == "You triple: once too often."
    (sample,) = [sample for sample in samples.sample_class(course, NAME) if sample.misconception == "triples"]
    assert "return 3 * x  # the-secret-of-doubling" in sample.notebook
    course.solution(NAME).joinpath("lesson.py").write_text(
        course.solution(NAME).joinpath("lesson.py").read_text().replace("def double(x):", "def double(x):\n    x = 1 * x"))
    (question, _) = load_questions(course.solution(NAME))
    assert question.misconceptions[1].answer(2) == 6


@pytest.mark.parametrize("changes, words", [
    ('{"3 * x": "2 * x"}', "the reference must contain '3 * x' once; it does 0 times: copy it from the lesson"),
    ('{"x": "y"}', "the reference must contain 'x' once; it does 4 times: write more of what stands around it"),
    ('{"return 2 * x": "return (2 * x"}', "with the new text the reference raises SyntaxError: '(' was never closed"),
    ('{"return 2 * x": "return 2 * x"}', "a variation replaces text by other text"),
    ("", "a variation says which text of the reference it changes"),
])
def test_a_variation_that_is_none_is_refused_in_a_sentence(tmp_path, changes, words):
    course = write_tiny(tmp_path, questions=VARIED.replace('{"return 2 * x": "return 3 * x"}', changes))
    with pytest.raises(DeclarationError) as caught:
        build(course, NAME)
    assert words in str(caught.value) and re.match(r"solutions/a0_doubling/questions.py, line \d+: double", str(caught.value))


# ---------------------------------------------------------------------------------------------------- mutants

CELL = '''
def f(x, training=False):
    """Its mean, -1 to 1."""
    n = 3
    ### BEGIN SOLUTION
    total = tf.reduce_sum(x[1:], axis=-1, keepdims=True) / 4
    if total < 0 and not training:
        return total - 1.5
    return tf.where(x > 0, x, total)
    ### END SOLUTION
'''


def test_mutants_change_one_thing_of_the_solution_each():
    found = mutants(CELL)
    changes = {mutant.change for mutant in found}
    assert changes >= {
        f"{old} → {old.replace(was, now)}" for old, was, now in [
            *(("total = tf.reduce_sum(x[1:], axis=-1, keepdims=True) / 4", *change) for change in (
                ("-1", "0"), ("True", "False"), ("1:", ":"), ("1:", "2:"), ("reduce_sum", "reduce_mean"), (", keepdims=True", ""),
                (" / 4", ""), (" / ", " * "), ("4", "5"))),
            *(("if total < 0 and not training:", *change) for change in (
                ("not ", ""), ("<", "<="), ("<", ">"), ("and", "or"))),
            *(("return total - 1.5", *change) for change in ((" - 1.5", ""), ("1.5", "3.0"), ("total - 1.5", "1.5 - total"))),
            ("return tf.where(x > 0, x, total)", "x, total", "total, x")]}
    assert len({mutant.source for mutant in found}) == len(found) and {mutant.line for mutant in found} == {6, 7, 8, 9}
    axis = next(mutant for mutant in found if mutant.now == "axis=0")
    assert CELL.replace(*axis.text) == CELL.replace("axis=-1", "axis=0")
    assert spread(found, 5) == spread(found, 5) and len(spread(found, 5)) == 5


def test_mutants_are_judged_as_answers_of_students(tmp_path, monkeypatch):
    monkeypatch.setattr(mutation, "SECONDS", 0.5)
    lesson = TINY_LESSON.replace("return 2 * x  # the-secret-of-doubling", """total, times = tf.zeros_like(x), 0
    while times < 2:
        times += 1
        total += tf.minimum(x, 900.0)
    total += tf.sin(total) - tf.sin(total)
    return total""")
    course = write_tiny(tmp_path, lesson)
    key = build(course, NAME)
    ended = "total += tf.minimum(x, 900.0) → total -= tf.minimum(x, 900.0)"

    def run(chunk, tasks):
        for name, made in tasks:
            yield None if ended in [mutant.change for mutant in made] else chunk((name, made))

    found = [fate for fate in mutation.fates(course, NAME, key, run=run) if fate.question == "double"]
    assert [fate.mutant.change for fate in found if fate.fate == "ends its process"] == [ended]
    assert sorted(fate.mutant.change for fate in found) == sorted(mutant.change for mutant in mutants(source_of(load_questions(
        course.solution(NAME))[0].answer)))
    fates = {fate.mutant.change: fate for fate in found}
    loop = "while times < 2: → while times "
    assert (fates[f"{loop}< 3:"].fate, fates[f"{loop}< 3:"].names) == ("named", ("triples",))
    assert fates[f"{loop}> 2:"].fate == "a general slip"
    assert fates["total += tf.sin(total) - tf.sin(total) → total += tf.sin(total)"].fate == "unnamed"
    assert mutation.stub(fates[f"{loop}> 2:"]).startswith("@double.variation({'while times < 2:': 'while times > 2:'})")
    assert fates["times += 1 → pass"].fate == "raises"  # it does not end
    where = "total += tf.minimum(x, 900.0)"
    survivor = fates[f"{where} → {where.replace('900.0', '1800.0')}"]
    assert (survivor.fate, survivor.told) == ("survived", "inputs 1000 times as large, in small_numbers")
    assert fates["return total → return tf.stop_gradient(total)"].fate == "equivalent"  # for what is asked here

    listed = course.solution(NAME) / mutation.LISTED
    listed.write_text(f'[[survivor]]\nquestion = "double"\nchange = "{survivor.mutant.change}"\nreason = "No cell has such numbers."\n')
    counts = mutation.tally(found, mutation.listed(listed.parent))
    survived = sum(fate.fate == "survived" for fate in found)
    assert counts.listed == 1 and survived and counts.killed == 1 - survived / counts.wrong
    values = [fate.fate for fate in found if fate.fate in ("named", "a general slip", "unnamed")]
    assert counts.named == pytest.approx(1 - values.count("unnamed") / len(values))
    assert counts.by_misconceptions == values.count("named") / len(values)
    listed.write_text("[[survivor]]\nquestion = 3\n")
    with pytest.raises(DeclarationError, match="expected .*survivor.* tables with question, change and reason. Received: KeyError"):
        mutation.listed(listed.parent)


# ---------------------------------------------------------------------------------------------------- separation


def test_mistakes_are_seen_by_case_and_measured_in_tolerances(built_tiny):
    (double, _) = load(built_tiny.key(NAME)).questions
    squares, triples = separation.mistakes(double)
    assert triples.seen == {"small_numbers": "told", "random_numbers": "told"} and triples.told_by == ("small_numbers",)
    assert triples.shown and not separation.mistakes(dataclasses.replace(double, cases=double.cases[1:]))[1].shown
    # 15 beside 10 is 5 away; a tolerance is 1e-5 + 1e-4 · 10 there, and relatively larger nowhere.
    assert triples.away == pytest.approx(max(x / (1e-5 + 2e-4 * x) for x in [5, *np.abs(double.cases[1].inputs[0])]), rel=1e-4)
    assert separation.nearest(separation.mistakes(double)) == min((squares, triples), key=lambda mistake: mistake.away)
