"""Answers that are alike: every seeded copy of a made-up class is found, and no two answers that were written apart."""

import ast
import builtins
import importlib
import inspect
import json
import random
import shutil

import pytest
from conftest import ASSIGNMENTS, ROOT, autograder
from test_ci import NAME, RIGHT, answered
from test_report import EVIL, Seen

from autograder.authoring.course import find_course
from autograder.authoring.lesson import read_lesson
from autograder.grading.submission import RunCell, Submission
from autograder.report import similarity
from autograder.report.answers import answers_of, tokens
from autograder.report.similarity import fingerprints, groups_of, similar
from autograder.report.similarity_page import similarity_page

OPERATIONS = "reduce_sum exp log matmul reshape transpose cast square sqrt reduce_mean where concat gather one_hot tile pad einsum".split()
LIBRARIES = {"tf", "np", "keras", "self", "math", "scipy"}


def program(name, rng):
    """An answer of a made-up student: 6 to 15 statements, many of them of the same few forms."""
    names, lines = ["logits", "labels"], []
    for i in range(rng.randrange(6, 16)):
        a, b, v, k = rng.choice(names), rng.choice(names), f"v{i}", rng.randrange(3)
        op = rng.choices(OPERATIONS, [1 / (place + 1) for place in range(len(OPERATIONS))])[0]
        lines.append(rng.choice([
            f"{v} = tf.{op}({a}, axis={k})", f"{v} = {a} * {b} + {k}", f"{v} = {a} / tf.reduce_sum({b}, axis=1, keepdims=True)",
            f"{v} = [{a}[i] for i in range(len({b}))]", f"{v} = tf.cast({a}, tf.float32) - {b}", f"{v} = lambda x: x ** {k} * {a}",
            f"{v} = {a}\n    for i in range({k}):\n        {v} = {v} + tf.{op}({b})", f"{v} = np.{op}({a} - {b}, dtype='float32')",
            f"{v} = {a} if {k} > {b} else tf.{op}({b})", f"assert len({a}) == {k}\n    {v} = tf.{op}([{a}, {b}])"]))
        names.append(v)
    return f"def {name}(logits, labels):\n    \"\"\"What the release says.\"\"\"\n    " + "\n    ".join(lines) + f"\n    return {names[-1]}\n"


class Renamed(ast.NodeTransformer):
    """Other names and other numbers, throughout."""

    def __init__(self):
        self.names = {}

    def visit_Name(self, node):
        node.id = node.id if node.id in LIBRARIES or hasattr(builtins, node.id) else self.names.setdefault(node.id, f"mine_{len(self.names)}")
        return node

    def visit_arg(self, node):
        node.arg = self.names.setdefault(node.arg, f"mine_{len(self.names)}")
        return node

    def visit_Constant(self, node):
        node.value = node.value + 3 if type(node.value) in (int, float) else node.value
        return node


def uses(node, stored=False):
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and (not stored or isinstance(one.ctx, ast.Store))}


def reordered(tree, rng):
    """Neighbouring statements of which neither needs the other change places, often."""
    (body,) = [node.body for node in tree.body]
    for _ in range(3 * len(body)):
        i = rng.randrange(1, len(body) - 1)
        a, b = body[i:i + 2]
        if not isinstance(b, ast.Return) and not (uses(a, True) & uses(b) or uses(b, True) & uses(a)):
            body[i], body[i + 1] = b, a
    return tree


COPIES = {
    "renamed": lambda source, rng: ast.unparse(Renamed().visit(ast.parse(source))),
    "reordered": lambda source, rng: ast.unparse(reordered(ast.parse(source), rng)),
    "commented": lambda source, rng: "\n\n".join(f"{line}  # my own {place}" for place, line in enumerate(source.splitlines())),
    "all of it": lambda source, rng: "\n".join(f"{line} # {place}\n" for place, line in enumerate(
        ast.unparse(Renamed().visit(reordered(ast.parse(source), rng))).splitlines())),
}


def test_every_seeded_copy_among_200_is_found_and_nobody_else():
    rng, questions = random.Random(0), ["softmax", "accuracy", "train_neuron"]
    answers = {f"s{place:03}": {name: program(name, rng) for name in questions} for place in range(176)}
    copied = {}
    for place in range(24):
        how = list(COPIES)[place % len(COPIES)]
        copied[f"{how} {place}"] = source = f"s{place:03}"
        answers[f"{how} {place}"] = {name: COPIES[how](text, rng) for name, text in answers[source].items()}
    pairs = similar(answers, {})
    assert {pair.students for pair in pairs} == {(source, copy) for copy, source in copied.items()}
    assert groups_of(pairs) == []
    strange = similar({**answers, "from 0": answers["s000"], "from 1": answers["s001"]}, {})
    assert sorted(groups_of(strange)) == [["from 0", "renamed 0", "s000"], ["from 1", "reordered 1", "s001"]]


def test_of_one_copied_question_the_lines_that_match_are_known_and_a_rare_wrong_answer_weighs_more():
    rng = random.Random(1)
    answers = {f"s{place:02}": {name: program(name, rng) for name in ("softmax", "accuracy")} for place in range(40)}
    mine = [f"    {name} = tf.{op}(logits, tf.{op}(labels)) - logits[0]" for name, op in zip("abcdef", OPERATIONS[5:])]
    answers["s03"]["softmax"] = "\n".join(["def softmax(logits, labels):", "    return_early = None", *mine, "    return f"])
    answers["s07"]["softmax"] = "\n".join(["import os", "def softmax(p, q):", *(line.replace("logits", "p").replace("labels", "q") for line in mine), "    return f"])
    (pair,) = similar(answers, {})
    (match,) = pair.matches
    assert pair.students == ("s03", "s07") and match.question == "softmax" and match.wrong_alike == 0
    assert set(range(3, 9)) <= match.lines[0] and set(range(3, 9)) <= match.lines[1] and 1 not in match.lines[1]
    (wrong,) = similar(answers, {}, {"softmax": [["s01"], ["s03", "s07", "s09"]]})
    assert wrong.matches[0].wrong_alike == 3 and wrong.weight == pytest.approx(2 * pair.weight, rel=0.2)
    (often,) = similar(answers, {}, {"softmax": [[f"s{place:02}" for place in range(10)]]})
    assert often.matches[0].wrong_alike == 0 and often.weight == pair.weight
    assert similar(answers, {"softmax": [answers["s07"]["softmax"]]}) == []  # given to everybody
    for place in range(10, 25):
        answers[f"s{place}"]["softmax"] = answers["s07"]["softmax"]
    assert similar(answers, {}) == []  # more than a quarter of the class writes it so


def test_layout_comments_docstrings_and_split_cells_change_nothing():
    plain = "def f(x, y):\n    z = tf.exp(x - y, name='a')\n    return z / tf.reduce_sum(z, axis=1)\n"
    dressed = ("# by me\ndef f(x,\n      y):\n    '''Mine.'''\n    'x = 1'\n    z = tf.exp(x-y,   # here\n  name=\"b\")\n\n    return (\n"
               "  z / tf.reduce_sum(z, axis = 0))")
    assert set(fingerprints(plain)) == set(fingerprints(dressed.replace("(\n  z", "z").replace("0))", "0)"))) != set()
    assert not set(fingerprints(plain)) <= set(fingerprints(plain.replace("exp(x - y", "exp(y - y")))  # who is who counts
    cells = [RunCell("a", "h = 1", None, True), RunCell("f", "def f():", "f"), RunCell("b", "rest", None, True), RunCell("g", "def g():", "g")]
    assert answers_of(Submission("s", tuple(cells), ())) == {"f": "h = 1\ndef f():\nrest", "g": "rest\ndef g():"}


@pytest.mark.parametrize("source", [
    "", "(" * 3000, "'''" * 999, "def f(:\n" * 50, "\x00\ud800é = \\\n", "%time f(x)\n!ls\nx?", "    x\n  y\n z", "x = 0777 + 1_ + 0xg\n" * 30, "🙂 = 1\n" * 9, "'" + "\\'" * 25_000, "$\n" * 9])
def test_what_is_no_python_is_read_as_far_as_it_is(source):
    assert isinstance(fingerprints(source + "\nvalue = tf.exp(a) + tf.exp(b)"), dict)
    assert all(1 <= item.line <= source.count("\n") + 2 for item in tokens(source))


def test_after_a_line_that_is_no_python_the_next_ones_count():
    good = "\n".join(f"v{place} = tf.exp(a) + tf.log(b, {place})" for place in range(5))
    assert len(set(fingerprints(good)) & set(fingerprints(f"x = $ 'open\n!pip install x\n{good}"))) >= 3


@pytest.mark.parametrize("assignment", [name if name == "a4_cross_entropy" else pytest.param(name, marks=pytest.mark.corpus) for name in ASSIGNMENTS])
def test_answers_written_apart_are_not_alike(assignment):
    styles = importlib.import_module(f"test_{assignment}").STYLES
    answers = {style: {name: inspect.getsource(getattr(answer, "python_function", answer)) for name, answer in written.items()}
               for style, (written, _) in styles.items()}
    given = {cell.question: [cell.source] for cell in read_lesson(ROOT / "solutions" / assignment) if cell.question}
    assert len(answers) > 2 and similar(answers, given) == []
    assert len(similar({**answers, "copy": next(iter(answers.values()))}, given)) == 1  # there is enough to be found


def test_the_page_is_for_reading_and_what_students_wrote_does_nothing(monkeypatch):
    source = f"def f(x):\n    a = '{EVIL}'\n" + "\n".join(f"    v{place} = tf.op{place}(x, a, axis={place})" for place in range(20))
    answers = {EVIL: {"f": source}, "=b": {"f": source.replace("x", "y")}, "c": {"f": "def f(x):\n    return x"}}
    page = similarity_page("a0", similar(answers, {}), answers)
    seen = Seen(page)
    assert seen.tags.count("script") == 1 and EVIL in seen.text and "evidence, not proof" in seen.text.lower() and seen.links == []
    assert seen.tags.count("mark") >= 40 and not {name for name in seen.attributes if name.startswith("on")}
    assert "No two notebooks are alike" in similarity_page("a0", similar({"c": answers["c"]}, {}), {"c": answers["c"]})
    monkeypatch.setattr(similarity, "ENOUGH", 500)
    assert similar({}, {}) == [] and groups_of([]) == []


def test_from_notebooks_to_the_page(built_tiny, tmp_path):
    course = find_course(shutil.copytree(built_tiny.root, tmp_path / "course"))
    body = "\n".join(f"    part_{op} = tf.{op}(x, 1) * tf.square(x)" for op in OPERATIONS)
    for student, source in {"ada": f"def double(x):\n{body}\n    return part_3", "bob": f"def double(me):\n{body.replace('(x', '(me')}\n    return 1",
                            "cy": RIGHT["double"]}.items():
        answered(shutil.copytree(course.release(NAME), course.root / "submitted" / student / NAME), **{**RIGHT, "double": source})
    (course.root / "submitted/dora" / NAME).mkdir(parents=True)
    done = autograder("similarity", NAME, cwd=course.root)
    assert done.returncode == 0 and "1 pair of 3 notebooks" in done.stdout and "not proof" in done.stdout
    page = course.root / "build/class" / f"{NAME}-similarity.html"
    assert "ada and bob" in Seen(page.read_text()).text and page.stat().st_mode & 0o077 == 0
    assert not list((course.root / "build").glob("results/*"))
    results = {"assignment": NAME, "submissions": [{"student": name, "status": "graded", "questions": [
        {"name": "double", "status": "failed", "misconception": None, "message": "", "cases": [{"name": "c", "passed": False, "outcome": "aa"}]}]}
        for name in ("ada", "bob")]}
    (tmp_path / "results.json").write_text(json.dumps(results))
    assert autograder("similarity", NAME, "--results", tmp_path / "results.json", cwd=course.root).returncode == 0
    assert "Both gave the same wrong values" in page.read_text()
    done = autograder("similarity", NAME, "--submissions", tmp_path / "none", cwd=course.root)
    assert done.returncode == 2 and "found no submission" in done.stderr
