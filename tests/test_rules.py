"""What an answer may not use: found in its source and when it runs, and nothing else is."""

import numpy as np
import pytest
import tensorflow as tf

from autograder.grading.judge import judge
from autograder.grading.key import CaseKey, QuestionKey
from autograder.grading.ran import Ran
from autograder.inside import watch
from autograder.inside.probes import call, exercise, gradients
from autograder.inside.protocol import Inspect
from autograder.inside.rules import canonical, inspect
from autograder.student.check import _outcomes

FORBID = ("tf.nn.softmax", "keras.layers.*", "keras.ops.softmax", "tf.GradientTape", "scipy.special.softmax", "tf.raw_ops.*Softmax*")
SETUP = "import tensorflow as tf\nimport numpy as np\nimport keras"
X = np.float32([[1, 2, 3]])


def violation(question, sources, forbid, others=()):
    use = inspect(Inspect(sources, {question: forbid, **{other: () for other in others}})).found.get(question)
    return use and (use.name, use.line)


@pytest.mark.parametrize("source, name", [
    ("def f(x):\n    return tf.nn.softmax(x)", "tf.nn.softmax"),
    ("from tensorflow.nn import softmax as s\ndef f(x):\n    return s(x)", "tf.nn.softmax"),
    ("from tensorflow import nn\ndef f(x):\n    return nn.softmax(x)", "tf.nn.softmax"),
    ("import tensorflow\ndef f(x):\n    return tensorflow.nn.softmax(x)", "tf.nn.softmax"),
    ("import tensorflow.compat.v2 as t\ndef f(x):\n    return t.nn.softmax(x)", "tf.nn.softmax"),
    ("import scipy.special\ndef f(x):\n    return scipy.special.softmax(x)", "scipy.special.softmax"),
    ("from scipy import special as sp\ndef g(x):\n    return sp.softmax(x)\ndef f(x):\n    return g(x)", "scipy.special.softmax"),
    ("def f(x):\n    return getattr(tf.nn, 'soft' + 'max')(x)", "tf.nn.softmax"),
    ("def f(x):\n    return tf.nn.__dict__['softmax'](x)", "tf.nn.softmax"),
    ("def f(x):\n    return vars(tf.nn)['softmax'](x)", "tf.nn.softmax"),
    ("import importlib\ndef f(x):\n    return importlib.import_module('tensorflow.nn').softmax(x)", "tf.nn.softmax"),
    ("nn = tf.nn\nh = nn.softmax\ndef f(x):\n    return h(x)", "tf.nn.softmax"),
    ("f = tf.nn.softmax", "tf.nn.softmax"),
    ("def f(x):\n    from tensorflow.nn import softmax\n    return softmax(x)", "tf.nn.softmax"),
    ("class f(keras.layers.Layer):\n    def __init__(self):\n        self.d = tf.keras.layers.Dense(3)", "keras.layers.Dense"),
    ("class f(keras.layers.Dense):\n    pass", "keras.layers.Dense"),
    ("if True:\n    def f(x):\n        with tf.GradientTape():\n            return x", "tf.GradientTape"),
    ("%matplotlib inline\ndef f(x):\n    return tf.raw_ops.Softmax(logits=x)", "tf.raw_ops.Softmax"),
])
def test_a_forbidden_name_is_found_however_it_is_spelt(source, name):
    found, line = violation("f", [SETUP, source], FORBID)
    assert found == name and line in source and line


@pytest.mark.parametrize("source", [
    "def f(x):\n    e = tf.exp(x - tf.reduce_max(x))\n    return e / tf.reduce_sum(e)",
    "def f(x):\n    return x\nassert np.allclose(f(1.0), tf.nn.softmax([1.0]))",  # comparing with the built-in is good practice
    "def compare():\n    return tf.nn.softmax([1.0])\ndef f(x):\n    return x",
    "def f(x):\n    '''Like tf.nn.softmax, but mine.'''\n    return x  # tf.nn.softmax",
    "class f(keras.layers.Layer):\n    def call(self, x):\n        return x",
    "def softmax(x):\n    return x\ndef f(x):\n    return softmax(x)",
    "def f(x):\n    return (",
    "",
])
def test_an_honest_source_is_left_alone(source):
    assert violation("f", [SETUP, source], FORBID) is None


def test_another_questions_answer_has_rules_of_its_own():
    sources = [SETUP, "def g(x):\n    return tf.nn.softmax(x)", "def f(x):\n    return g(x)"]
    assert violation("f", sources, FORBID, others=("g",)) is None
    assert violation("f", sources, FORBID) is not None


def test_names_are_written_as_patterns_spell_them():
    assert [canonical(path) for path in ("tensorflow.keras.layers.Dense", "tensorflow.compat.v1.nn.relu", "numpy.gradient")] == [
        "keras.layers.Dense", "tf.nn.relu", "numpy.gradient"]


# ---------------------------------------------------------------------------------------------------- at run time


def as_notebook(source):
    """Functions as a notebook defines them: the watch tells the answer's own code by its file."""
    import linecache

    space = {"__name__": "__main__", "tf": tf, "np": np}
    name = f"<ipython-input-{abs(hash(source))}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    exec(compile(source, name, "exec"), space)
    return space["f"]


def seen(source, forbid=FORBID, probe=None):
    answer = as_notebook(source)
    with watch.watching(list(forbid), answer) as (used, _):
        exercise(answer, probe or call(), [X], "seed")
    return [use.name for use in used], [use.line for use in used]


@pytest.mark.parametrize("source, name", [
    ("def f(x):\n    return tf.raw_ops.Softmax(logits=x)", "tf.raw_ops.Softmax"),
    ("def f(x):\n    return getattr(tf.nn, ''.join(['soft', 'max']))(x)", "tf.raw_ops.Softmax"),
    ("@tf.function\ndef f(x):\n    return getattr(tf.nn, ''.join(['log_soft', 'max']))(x)", "tf.raw_ops.LogSoftmax"),
    ("g = tf.function(getattr(tf.nn, ''.join(['soft', 'max'])))\ng(tf.ones((1, 3)))\ndef f(x):\n    return g(x)", "tf.raw_ops.Softmax"),
    ("import keras\nd = getattr(keras.ops, ''.join(['soft', 'max']))\ndef f(x):\n    return d(x)", "keras.ops.softmax"),
    ("import keras\nd = getattr(keras.layers, 'Den' + 'se'[:2])\ndef f(x):\n    return d(3)(x)", "keras.layers.Dense"),
    ("T = getattr(tf, ''.join(['Gradient', 'Tape']))\ndef f(x):\n    with T():\n        return x * 2", "tf.GradientTape"),
    ("def f(x):\n    from tensorflow.python import pywrap_tfe\n    pywrap_tfe.TFE_Py_Execute = print\n    return x", "watch:TFE_Py_Execute"),
    ("f = eval('tf.nn.softmax')", "tf.nn.softmax"),
    ("f = tf.nn.tanh", "library:tensorflow.python.ops.gen_math_ops.tanh"),
    ("import functools\nf = functools.partial(tf.nn.softmax, axis=-1)", "tf.nn.softmax"),
    ("class A:\n    def __init__(self):\n        self.run = tf.nn.softmax\n    def f(self, x):\n        return x\nf = A().f", "tf.nn.softmax"),
    ("h = {'run': [tf.nn.softmax]}\ndef f(x):\n    return x if h else x", "tf.nn.softmax"),
    ("def f(x):\n    return tf.while_loop(lambda i, y: i < 1, lambda i, y: (i + 1, getattr(tf.nn, 'soft' + ''.join('max'))(y)), "
     "[0, x])[1]", "tf.raw_ops.Softmax"),
    ("def f(x):\n    return tf.numpy_function(lambda v: getattr(tf.nn, 'soft' + ''.join('max'))(v).numpy(), [x], tf.float32)",
     "tf.raw_ops.Softmax"),
])
def test_what_runs_is_noticed_under_any_name(source, name):
    names, lines = seen(source)
    assert name in names, names


def test_the_line_that_led_to_it_is_given():
    _, lines = seen("def f(x):\n    y = x + 1\n    return tf.raw_ops.Softmax(logits=y)")
    assert lines == ["return tf.raw_ops.Softmax(logits=y)"]


@pytest.mark.parametrize("probe", [call(), gradients(arguments=["x"])])
def test_an_honest_answer_is_not_suspected_and_the_probes_own_tape_is_not_the_answers(probe):
    source = "def f(x):\n    e = tf.exp(x - tf.reduce_max(x, axis=1, keepdims=True))\n    return e / tf.reduce_sum(e, axis=1, keepdims=True)"
    assert seen(source, probe=probe) == ([], [])
    assert seen(f"@tf.function\n{source}", probe=probe) == ([], [])


def test_watching_changes_no_value_and_leaves_nothing_behind():
    import sys

    source = "def f(x):\n    return tf.cumsum(tf.exp(x), axis=1)"
    watched = None
    with watch.watching(list(FORBID)):
        watched = exercise(as_notebook(source), call(), [X], "seed")["output"]
    assert np.array_equal(watched, exercise(as_notebook(source), call(), [X], "seed")["output"])
    assert sys.getprofile() is None and watch._gates().looks == watch._hooks()[0] == []
    with watch.watching(list(FORBID)) as (used, _):
        pass
    tf.nn.softmax(X)
    assert used == []


def test_a_helper_of_the_same_name_in_another_cell_is_not_this_answers():
    sources = [SETUP, "def helper(x):\n    return x\ndef f(x):\n    return helper(x)", "def helper(x):\n    return tf.nn.softmax(x)\ng = helper"]
    assert violation("f", sources, FORBID, others=("g",)) is None


def test_what_happens_in_another_answer_is_that_answers():
    other = as_notebook("def f(x):\n    return getattr(tf.nn, ''.join(['soft', 'max']))(x)")
    answer = lambda x: other(x) * 1.0  # noqa: E731
    for others, expected in (((), True), ((other,), False)):
        with watch.watching(FORBID, answer, others) as (used, _):
            exercise(answer, call(), [X], "seed")
        assert bool(used) is expected, used


def test_signs_are_those_of_the_answer_not_of_the_libraries_it_calls():
    answer = as_notebook("def f(x):\n    return eval('x + 1')")
    honest = as_notebook("import keras\n@tf.function\ndef f(x):\n    if tf.reduce_sum(x) > 0:\n        x = x + 1\n    return x")
    for function, expected in ((answer, {"exec"}), (honest, set())):
        with watch.watching(FORBID, function) as (_, signs):
            exercise(function, call(), [X], "seed")
        assert signs - {"thread"} == expected  # pytest's processes have threads of their own


def test_a_seal_tells_which_function_was_changed(monkeypatch):
    changed = watch.seal(watch)
    assert changed() is None
    monkeypatch.setattr(watch, "bound", lambda *_: None)
    assert changed() == "bound"


@pytest.mark.parametrize("source, sign", [
    ("eval('1')", "exec"), ("import ctypes", "ctypes"), ("from autograder.inside import watch", "autograder"),
    ("tf.compat.v1.Session()", "v1 session"), ("import os\nos.fork()", "fork"),
    ("from autograder import check, data, plots", None), ("model.compile('adam')", None),
])
def test_a_source_gives_signs(source, sign):
    assert inspect(Inspect([SETUP, source], {"f": FORBID})).signs == ((sign,) if sign else ())


@pytest.mark.parametrize("source", [
    "import tensorflow as a\n" + "".join(f"a = a.x{number}\n" for number in range(8)),
    "x = [" + "tf.a.b.c.d, " * 100_000 + "]",
    "x = tf" + ".a" * 900,
    "x = getattr(tf, " + " + ".join(["'a'"] * 900) + ")",
    "x = " + "getattr(" * 90 + "tf" + ", 'a')" * 90,
    "x = " + "-" * 100_000 + "1",
    "def f(x):\n    return x\n" + "".join(f"def f{n}():\n    return f{(7 * n) % 997}, f{(11 * n) % 997}\n" for n in range(997)) * 3,
])
def test_reading_any_source_comes_to_an_end(source):
    import time

    start = time.process_time()
    found = inspect(Inspect([SETUP, source, "def f(x):\n    return x"], {"f": FORBID}))
    assert found.found == {} and time.process_time() - start < 5


@pytest.mark.parametrize("source, words", [
    ("f = tf.nn.softmax", "It uses `tf.nn.softmax`, which this question rules out."),
    ("f = tf.keras.layers.Activation('softmax')", "rules out"),
    ("f = tf.nn.tanh", "which a library has ready-made"),
])
def test_check_in_the_notebook_says_what_grading_says(source, words):
    case = CaseKey("one", "One row", 2, True, call(), [X], {"output": np.float32(tf.nn.softmax(X))}, {}, {}, 1e-4, 1e-5)
    question = QuestionKey("f", 2, {}, (), FORBID, (case,))
    verdict = judge(question, _outcomes(question, {"f": as_notebook(source)}, ["f"]), Ran(), {})
    assert verdict.score == 0 and words in verdict.message, verdict.message
