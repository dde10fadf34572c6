"""Every assignment from outside: whole notebooks through the whole grader."""

import datetime
import importlib
import inspect
import json
import re
from dataclasses import dataclass, replace

import nbformat
import numpy as np
import pytest
from conftest import ASSIGNMENTS, sandboxed

from autograder.authoring import audit, samples
from autograder.authoring.lesson import question_order, read_lesson, solved_notebook
from autograder.authoring.question import load_questions
from autograder.grading.batch import Job, find_submissions, grade_one
from autograder.grading.cache import Cache
from autograder.grading.grade import grade
from autograder.grading.key import load
from autograder.grading.submission import find_notebook, read_submission
from autograder.report.html import student_page
from autograder.report.json import results
from autograder.report.outline import Outline
from autograder.sandbox.isolation import choose
from autograder.sandbox.sandbox import Limits

LIMITS = Limits(cell_seconds=30, case_seconds=30, submission_seconds=300)
SLOW = ("endless-cell", "endless-answer")  # tests/test_grade.py has them, with shorter limits
WITH_MISHAPS = ASSIGNMENTS[:1] + ["a4_cross_entropy"]  # what goes wrong around answers is much the same everywhere


@pytest.fixture
def graded(course, assignment, tmp_path):
    """`graded(samples, untouched)` -> the JSON's submissions by student, with a page each.

    `untouched` names, by student, questions whose verdict is that of the first student, who has everything right. To be called by
    their names their mistakes may be made with what a question rules out, which is not looked for: that takes long.
    """

    def grade_class(made, untouched=None):
        samples.write_class(made, tmp_path, assignment)
        key, verdicts = load(course.key(assignment)), []
        job = Job(key, course.skeleton(assignment), tuple(course.released_files(assignment)), LIMITS, "auto", (course.root,))
        lenient = replace(key, questions=tuple(replace(question, forbid=()) for question in key.questions))
        nothing = Cache(None, key, job.files, LIMITS, choose("auto"))
        with sandboxed(job.inside, LIMITS, nothing.isolation, job.hidden, job.key.forbid) as sandbox:
            for student, folder in find_submissions(tmp_path, assignment)[0]:
                if student in (untouched or {}):
                    path, notes = find_notebook(folder, key.notebook)
                    right = {question.name: question for question in verdicts[0].questions if question.name in untouched[student]}
                    verdicts.append(grade(read_submission(path, job.skeleton, student, notes), lenient, sandbox, right, job.observers))
                else:
                    verdicts.append(grade_one(student, folder, job, sandbox, nothing))
        data = json.loads(json.dumps(results(verdicts, key)))["submissions"]
        pages = {verdict.student: student_page(verdict, Outline(assignment, assignment), datetime.date(2026, 11, 28)) for verdict in verdicts}
        return {submission["student"]: {**submission, "page": pages[submission["student"]]} for submission in data}

    return grade_class


def solved(course, assignment):
    folder = course.solution(assignment)
    return solved_notebook(read_lesson(folder), load_questions(folder))


@dataclass(frozen=True)
class Mistaken:
    """A notebook with one mistake in each of several questions, each the question's `number`th."""

    sample: samples.Sample
    number: int
    mistakes: dict[str, str]  # question -> misconception
    untouched: set[str]  # names of the questions that need not be run


def mistaken_classes(course, assignment) -> list[Mistaken]:
    """Every misconception in few notebooks: one mistake a question, in questions that do not build on one another.

    What builds on an answer is run with two of its mistakes; `autograder build` has compared it on top of each.
    """
    folder = course.solution(assignment)
    questions = question_order(read_lesson(folder), load_questions(folder), folder)
    names = [question.name for question in questions]
    imports = samples.imports_of(folder / "questions.py")
    layer, needs = {}, {}
    for question in questions:
        code = "".join(inspect.getsource(item.answer) for item in question.misconceptions) + inspect.getsource(question.answer)
        own = {name for name in names if name != question.name and (name in question.uses or re.search(rf"\b{name}\(", code))}
        needs[question.name] = own.union(*(needs.get(name, ()) for name in own))
        layer[question.name] = 1 + max((layer.get(name, 0) for name in own), default=0)
    made = []
    for level in sorted(set(layer.values())):
        members = [question for question in questions if layer[question.name] == level]
        for number in range(max(len(question.misconceptions) for question in members)):
            notebook, mistakes = solved(course, assignment), {}
            for question in members:
                if number < len(question.misconceptions):
                    item = question.misconceptions[number]
                    mistakes[question.name] = item.name
                    source = samples.misconception_source(question, item, imports)
                    notebook = samples.edited(notebook, question.name, lambda answer, source=source: f"{answer}\n\n\n{source}")
            untouched = {name for name in names if name not in mistakes and (number > 1 or not needs[name] & set(mistakes))}
            made.append(Mistaken(samples.Sample(f"mistakes-{level}-{number:02}", json.dumps(notebook)), number, mistakes, untouched))
    assert sum(len(it.mistakes) for it in made) == sum(len(question.misconceptions) for question in questions)
    return made


def everyone_gets_what_they_earned(mistakes, submissions, key):
    hints = {question.name: question.hints for question in key.questions}
    for student, wrong in mistakes.items():
        questions = {question["name"]: question for question in submissions[student]["questions"]}
        assert {name: questions[name]["misconception"] for name in wrong} == wrong, student
        for name, mistake in wrong.items():
            assert questions[name]["score"] < questions[name]["max_score"], (student, name)
            assert hints[name][mistake] in questions[name]["message"]
        others = {name for name, question in questions.items() if question["misconception"]} - set(wrong)
        assert not others, (student, others)
    automatic = sum(question.max_score for question in key.questions)
    assert automatic + sum(key.written.values()) == 100
    by_name = {name: submission["score"] for name, submission in submissions.items()}
    assert by_name["all-right"] == automatic
    assert all(question["status"] in ("missing", "manual") and not question["score"] for question in submissions["blank"]["questions"])
    if "not-json" not in submissions:
        return
    assert by_name["duplicated-cells"] == by_name["prints-in-its-cell"] == automatic
    first = key.questions[0]
    for name in ("syntax-error", "raises-at-import", "ends-python", "kills-itself", "prints-a-megabyte", "returns-none", "wants-the-key"):
        lost = [question["name"] for question in submissions[name]["questions"] if (question["score"] or 0) < question["max_score"]]
        assert first.name in lost and by_name[name] >= automatic - first.max_score - sum(
            question.max_score for question in key.questions if first.name in question.uses), name
    for name in ("not-json", "not-a-notebook", "empty-file", "no-notebook"):
        assert submissions[name]["status"] == "unreadable" and "\n" not in submissions[name]["error"]
    half = {question["name"]: question["status"] for question in submissions["half-finished"]["questions"]}
    assert set(half.values()) - {"manual"} == {"passed", "missing"}


def numbers(value):
    """Every number of a case's hidden inputs or expected values that is telling: not a small whole number."""
    arrays = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
    found = set()
    for item in arrays:
        if isinstance(item, (dict, list)):
            found |= numbers(item)
        elif isinstance(item, (float, np.ndarray)) and not isinstance(item, bool):
            found |= {f"{abs(x):.4g}" for x in np.ravel(np.asarray(item, float)) if x != round(x)}
    return {text for text in found if len(text.replace(".", "").strip("0")) >= 4}  # four digits are no coincidence


def feedback_tells_nothing(submissions, key):
    hidden = set()
    for question in key.questions:
        for case in question.cases:
            if not case.visible:
                hidden |= numbers(case.inputs) | numbers(case.expected)
    assert len(hidden) > 100
    for submission in submissions.values():
        text = json.dumps(submission["questions"]) + re.sub(r"<style>.*?</style>|style=\".*?\"", "", submission["page"], flags=re.S)
        shown = {f"{abs(float(number)):.4g}" for number in re.findall(r"\d+\.\d+(?:e-?\d+)?", text)}
        assert not shown & hidden, (submission["student"], shown & hidden)


@pytest.mark.long
@pytest.mark.parametrize("assignment", WITH_MISHAPS[::-1])  # the later ones take longer
def test_a_whole_class_gets_what_it_earned_and_learns_no_hidden_value(course, assignment, graded):
    """With a mistake of each question; what builds on them is run, too."""
    made = [sample for sample in samples.sample_class(course, assignment) if sample.misconception is None and sample.student not in SLOW]
    class_gets_what_it_earned(course, assignment, graded, made, [it for it in mistaken_classes(course, assignment) if it.number < 1])


@pytest.mark.corpus
@pytest.mark.parametrize("assignment", ASSIGNMENTS[::-1])
def test_every_mistake_costs_points_and_is_named(course, assignment, graded):
    """`autograder build` has told all mistakes apart; here each goes through the whole grader."""
    made = [sample for sample in samples.sample_class(course, assignment) if sample.student in ("all-right", "blank")]
    class_gets_what_it_earned(course, assignment, graded, made, mistaken_classes(course, assignment))


def class_gets_what_it_earned(course, assignment, graded, made, mistaken):
    submissions = graded([*made, *(it.sample for it in mistaken)], {it.sample.student: it.untouched for it in mistaken})
    key = load(course.key(assignment))
    everyone_gets_what_they_earned({it.sample.student: it.mistakes for it in mistaken}, submissions, key)
    feedback_tells_nothing(submissions, key)


@pytest.mark.corpus
@pytest.mark.parametrize("assignment", ASSIGNMENTS[:1])
def test_a_yes_or_no_question_is_answered_as_one(course, assignment, graded):
    around = samples.edited(solved(course, assignment), "xor", lambda _: "def xor(x):\n    return tf.abs(x[:, 0] - x[:, 1])")
    (submission,) = graded([samples.Sample("around", json.dumps(around))]).values()
    (verdict,) = [question for question in submission["questions"] if question["name"] == "xor"]
    assert verdict["misconception"] == "goes_round_the_gates"
    shown = next(case["message"] for case in verdict["cases"] if case["name"] == "broken_gates")
    assert shown.endswith("Is every answer 0 with `nand` stuck at 0? No; it should be yes.")


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_no_hidden_case_can_be_won_unseen(course, assignment):
    assert audit.forged(course, assignment, load(course.key(assignment))) == []


def rewritten(course, assignment, answers, helpers=()):
    """The solved notebook with other answers, functions and classes from the tests, and helper cells of the student's own."""
    notebook = solved(course, assignment)
    for name, answer in answers.items():
        answer = getattr(answer, "python_function", answer)  # of a tf.function
        source = f"{inspect.getsource(answer)}\n\n{name} = {answer.__name__}"
        notebook = samples.edited(notebook, name, lambda _, source=source: source)
    first = next(i for i, cell in enumerate(notebook.cells) if cell.id in answers)
    for source in ("import keras\nimport math\nimport scipy.special", *(helper if isinstance(helper, str) else inspect.getsource(helper)
                                                                      for helper in helpers)):
        notebook.cells.insert(first, nbformat.v4.new_code_cell(source))
        first += 1
    return json.dumps(notebook)


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_correct_answers_written_differently_get_everything(course, assignment, graded):
    """`STYLES` of an assignment's own tests: {style: ({question: answer}, helpers)}; a helper is a function, a class, or source."""
    styles = importlib.import_module(f"test_{assignment}").STYLES
    made = [samples.Sample(style, rewritten(course, assignment, *parts)) for style, parts in styles.items()]
    assert len(made) >= 2
    key = load(course.key(assignment))
    automatic = sum(question.max_score for question in key.questions)
    scores = {name: (submission["score"], submission["notes"]) for name, submission in graded(made).items()}
    assert scores == {style: (automatic, []) for style in styles}
