"""What authors get wrong: each mistake is refused in a sentence that says where it stands and what to do."""

import json
import re

import pytest
from conftest import ROOT, TINY_LESSON, TINY_QUESTIONS, write_tiny

from autograder.authoring import samples
from autograder.authoring.blame import DeclarationError
from autograder.authoring.build import build

NAME = "a0_doubling"
QUESTIONS, LESSON = "questions.py", "lesson.py"
IMPORT, PROBES = "from autograder import Question", "from autograder import Question, probes"
QUESTION, CASE, HIDDEN = "Question(lesson.double)", "@double.case(points=10, visible=True)", "rng.normal(size=4)"

# what is written instead of what, where; the file and what its line says, when one is named; the words of the sentence
MISTAKES = {
    "a bracket that is not closed": (QUESTIONS, {QUESTION: "Question(lesson.double"}, "double = Question", "SyntaxError: '(' was never"),
    "tabs and spaces": (QUESTIONS, {"    return x * x": "\tif x:\n        return x"}, "return x", "TabError"),
    "an answer that is no Python": (LESSON, {"return 2 * x": "return 2 * * x"}, "return 2 *", "SyntaxError: invalid syntax"),
    "a missing package in a lesson": (LESSON, {"import numpy as np": "import numpyy as np"}, "import numpyy", "No module named 'numpyy'"),
    "a missing package": (QUESTIONS, {"import tensorflow": "import tensorfloww"}, "import tensorfloww", "No module named 'tensorfloww'"),
    "an answer that the lesson lacks": (QUESTIONS, {QUESTION: "Question(lesson.doubel)"}, "doubel", "the lesson defines no doubel; double?"),
    "no answer at all": (QUESTIONS, {QUESTION: "Question(3)"}, "Question(3)", "expected Question(lesson.NAME)"),
    "a case without brackets": (QUESTIONS, {CASE: "@double.case"}, "@double.case", "a case names its points: @double.case(points=4)"),
    "points without their name": (QUESTIONS, {CASE: "@double.case(10)"}, "@double.case(10)", "a case names its points"),
    "no points": (QUESTIONS, {"points=40": "points=0"}, "def random_numbers", "a whole number above 0. Received: 0"),
    "half points": (QUESTIONS, {"points=40": "points=39.5"}, "def random_numbers", "a whole number above 0. Received: 39.5"),
    "points that do not add up": (QUESTIONS, {"points=40": "points=30"}, None, "points must add up to 100. Received: 90"),
    "a visibility that is a word": (QUESTIONS, {"visible=True": "visible='yes'"}, "def small_numbers", "visible must be True or False"),
    "a probe that is not called": (QUESTIONS, {IMPORT: PROBES, QUESTION: "Question(lesson.double, probe=probes.call)"}, "Question(lesson",
                                   "a probe is called"),
    "a probe's name": (QUESTIONS, {QUESTION: "Question(lesson.double, probe='call')"}, "Question(lesson", "probe=probes.call()"),
    "an option that a probe lacks": (QUESTIONS, {IMPORT: PROBES, QUESTION: "Question(lesson.double, probe=probes.call(inputs='list'))"},
                                     "Question(lesson", "call has the options inputs_as, returns, times. Received: inputs"),
    "an option that questions lack": (QUESTIONS, {QUESTION: "Question(lesson.double, forbids=())"}, "Question(lesson", "'forbids'"),
    "a tolerance that is text": (QUESTIONS, {QUESTION: "Question(lesson.double, rtol='1e-4')"}, "Question(lesson", "a tolerance must be a number"),
    "a rule that is no tuple": (QUESTIONS, {QUESTION: "Question(lesson.double, forbid=('tf.abs'))"}, "Question(lesson",
                                "forbid must be a tuple of names"),
    "a rule that names nothing": (QUESTIONS, {QUESTION: "Question(lesson.double, forbid=('tf.abss',))"}, None,
                                  "forbid names tf.abss, and there is no such thing"),
    "an operation that is none": (QUESTIONS, {QUESTION: "Question(lesson.double, forbid=('tf.raw_ops.Abss*',))"}, None,
                                  "forbid names tf.raw_ops.Abss*, and there is no such thing"),
    "a reference that breaks the rule": (QUESTIONS, {QUESTION: "Question(lesson.double, forbid=('tf.raw_ops.Mul',))"}, None,
                                         "the reference uses tf.raw_ops.Mul, which the question rules out"),
    "questions it uses, as one name": (QUESTIONS, {'uses=("double",)': 'uses=("double")'}, "uses=", "uses must be a tuple of names"),
    "a question it uses that is none": (QUESTIONS, {'uses=("double",)': 'uses=("dubble",)'}, None, "uses dubble, which is no earlier question"),
    "a case that takes nothing": (QUESTIONS, {"def random_numbers(rng)": "def random_numbers()"}, "def random_numbers",
                                  "a case is a function of rng: def random_numbers(rng)"),
    "a case that raises": (QUESTIONS, {HIDDEN: "rng.norml(size=4)"}, "rng.norml", "has no attribute 'norml'"),
    "a case that forgets to return": (QUESTIONS, {"return rng.normal(size=4),": "rng.normal(size=4)"}, None, "Received: NoneType"),
    "a case without a comma": (QUESTIONS, {"return rng.normal(size=4),": "return rng.normal(size=4)"}, None, "expected a tuple of arguments"),
    "arguments that cannot be sent": (QUESTIONS, {HIDDEN: "object()"}, None, "expected numbers, text and arrays"),
    "arguments that are too many": (QUESTIONS, {HIDDEN: "rng.normal(size=4), 3"}, None, "the reference raised TypeError: double() takes 1"),
    "random numbers of another kind": (QUESTIONS, {IMPORT: f"import numpy as np\n{IMPORT}", HIDDEN: "np.random.normal(size=4)"}, None,
                                       "take every random number from rng"),
    "a hidden case that is not hidden": (QUESTIONS, {HIDDEN: "[1.5, 2.5, 3.5]"}, None, "the same in every course is not hidden"),
    "axes of one size": (QUESTIONS, {HIDDEN: "rng.normal(size=(3, 3))"}, None, "argument 1 has two axes of one size"),
    "no docstring": (QUESTIONS, {'    """Random numbers."""\n': ""}, "def random_numbers", "needs a docstring"),
    "the question's own name": (QUESTIONS, {"def squares(x)": "def double(x)"}, "def double", "needs a name of its own"),
    "a reference that raises": (LESSON, {"return 2 * x": "raise ValueError('no such thing')"}, "raise ValueError",
                                "double.small_numbers: the reference raised ValueError: no such thing"),
    "a reference that is not finite": (LESSON, {"return 2 * x": "return x / 0."}, None, "must be finite numbers"),
    "a mistake that only raises": (QUESTIONS, {"    return x * x": "    return x * y"}, "return x * y",
                                   "nobody would be told of the misconception squares"),
    "a mistake that is none": (QUESTIONS, {"    return x * x": "    return x + x"}, None, "no case tells the misconception squares from"),
    "one mistake with two names": (QUESTIONS, {"    return 3 * x": "    return x * x"}, None,
                                  "double: no case tells the misconceptions squares and triples from one another"),
    "variants of nothing": (QUESTIONS, {"@double.misconception\ndef triples": "@double.misconception(variants=[{'k': 2}])\ndef triples"},
                            "def triples", "variants are keyword arguments of it"),
    "a question without a cell": (LESSON, {'# %% question="quadruple"': "# %%"}, None, "declares quadruple, for which lesson.py has no cell"),
    "an answer without its markers": (LESSON, {"    ### BEGIN SOLUTION\n    return 2": "    return 2"}, None, "question double: expected pairs of"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_of_an_author_is_a_sentence_with_its_place(tmp_path, mistake):
    where, changes, line, words = MISTAKES[mistake]
    texts = {LESSON: TINY_LESSON, QUESTIONS: TINY_QUESTIONS}
    for old, new in changes.items():
        assert old in texts[where]
        texts[where] = texts[where].replace(old, new, 1)
    course = write_tiny(tmp_path, texts[LESSON], texts[QUESTIONS])
    with pytest.raises(DeclarationError) as error:
        build(course, NAME)
    said = str(error.value)
    assert words in said and "\n" not in said and len(said) < 400
    if line is None:
        assert ".py, line" not in said
        return
    place, _, rest = said.partition(".py, line ")
    number = int(rest.split(":")[0])
    written = (course.solution(NAME) / f"{place.rpartition('/')[2]}.py").read_text().splitlines()
    assert place.endswith(where.removesuffix(".py")) and said.count(".py, line ") == 1
    # A decorator's mistake stands, for Python, in the line of the decorator or of the function.
    assert any(line in text for text in written[number - 1:number + 1])


def test_an_assignment_may_have_one_question(tmp_path):
    lesson = TINY_LESSON.split('# %% question="quadruple"')[0]
    questions = TINY_QUESTIONS.split("quadruple =")[0].replace("points=40", "points=80").replace("points=10", "points=20")
    course = write_tiny(tmp_path, lesson, questions)
    assert len(build(course, NAME).questions) == 1
    made = {sample.student: sample for sample in samples.sample_class(course, NAME)}
    assert "double" not in {cell["id"] for cell in json.loads(made["last-answer-missing"].notebook)["cells"]}


def test_the_guides_question_can_be_built(tmp_path):
    guide = (ROOT / "docs" / "author.md").read_text()
    question, case, *ways = (block for block in re.findall(r"```python\n(.*?)```", guide, re.S) if "softmax" in block)
    lesson = TINY_LESSON.split('# %% question="double"')[0] + SOFTMAX
    assert len(ways) == 2  # to write the mistake
    for mistake in ways:
        questions = "import tensorflow as tf\nfrom autograder import Question, load_lesson, probes\nlesson = load_lesson(__file__)\n" \
            f"{question}\n{CASES}\n{case}\n{mistake}"
        made = build(write_tiny(tmp_path, lesson, questions), NAME).questions[0]
        assert [case.probe.name for case in made.cases] == ["call", "call", "gradients"] and "every example has its own" in str(made.hints)


SOFTMAX = '''
# %% question="softmax"
def softmax(z):
    """Of every row."""
    ### BEGIN SOLUTION
    e = tf.exp(z - tf.reduce_max(z, axis=-1, keepdims=True))
    return e / tf.reduce_sum(e, axis=-1, keepdims=True)
    ### END SOLUTION
'''
CASES = '''
@softmax.case(points=20, visible=True)
def two_rows(rng):
    """Two rows."""
    return [[0.0, 1.0, 2.0], [3.0, 3.0, 4.0]],


@softmax.case(points=76)
def more_rows(rng):
    """More rows."""
    return rng.normal(size=(4, 3)),
'''
