"""Ways around what a question rules out gain nothing, cost nobody else a point, and what looks odd reaches the instructor."""

import contextlib
import json
import os
import sys

import nbformat
import pytest
from conftest import TINY_QUESTIONS, needs_bubblewrap, sandboxed, write_tiny

from autograder.authoring import samples
from autograder.authoring.build import build
from autograder.authoring.lesson import read_lesson, solved_notebook
from autograder.authoring.question import load_questions
from autograder.grading.batch import Job, grade_one
from autograder.grading.cache import Cache
from autograder.grading.key import load
from autograder.sandbox.isolation import obstacle
from autograder.sandbox.meter import written_below
from autograder.sandbox.sandbox import Died, Limits, Spent

NAME = "a0_doubling"
LIMITS = Limits(cell_seconds=20, case_seconds=10, submission_seconds=60)
FORBID = 'forbid=["tf.cumsum", "tf.raw_ops.Cumsum", "keras.activations.*", "scipy.special.softmax"]'
RIGHT = "def double(x):\n    return x + x"
CALL = "(tf.stack([x, x]))[1]"
CUMSUM = "operator.attrgetter('cumsum')(tf)"
RELU = "operator.attrgetter('keras.activations.relu')(tf)"
pytestmark = [needs_bubblewrap, pytest.mark.xdist_group("rules")]  # one process, whose tests share a worker


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """`graded(double, before="", quadruple=None)` -> the verdict, after which a right notebook has got its 100."""
    yield from _graded(tmp_path_factory.mktemp("course"), "bubblewrap")


@pytest.fixture(scope="module")
def graded_behind_landlock(tmp_path_factory):
    yield from _graded(tmp_path_factory.mktemp("course"), "landlock")


def _graded(root, isolation):
    questions = TINY_QUESTIONS.replace("Question(lesson.double)", f"Question(lesson.double, {FORBID})")
    course = write_tiny(root, questions=questions.replace("Question(lesson.quadruple", f"Question(lesson.quadruple, {FORBID}"))
    build(course, NAME)
    folder = course.solution(NAME)
    notebook = solved_notebook(read_lesson(folder), load_questions(folder))
    work = Job(load(course.key(NAME)), course.skeleton(NAME), (), LIMITS, isolation, (course.root,))
    nothing = Cache(None, work.key, (), LIMITS, isolation)

    with sandboxed(work.files, LIMITS, isolation, (course.root,), work.key.forbid) as sandbox:

        def grade(student, double, before="", quadruple=None):
            made = samples.edited(notebook, "double", lambda source: double)
            if quadruple:
                made = samples.edited(made, "quadruple", lambda source: quadruple)
            place = next(number for number, cell in enumerate(made["cells"]) if cell["id"] == "double")
            made["cells"].insert(place, nbformat.v4.new_code_cell("import operator, tensorflow as tf\n" + before))
            handed_in = root / "submitted" / student / NAME
            handed_in.mkdir(parents=True, exist_ok=True)
            (handed_in / "doubling.ipynb").write_text(json.dumps(made))
            return grade_one(student, handed_in, work, sandbox, nothing)

        def grade_and_go_on(*arguments, **options):
            verdict = grade(*arguments, **options)
            after = grade("honest", RIGHT)
            assert (after.score, after.notes, after.error) == (100, (), None)
            return verdict

        yield grade_and_go_on


ATTACKS = {
    "alias_by_eval": ("double = eval('tf.keras.activations.relu')", ""),
    "alias_by_attrgetter": ("double = operator.attrgetter('keras.activations.relu')(tf)", ""),
    "alias_looked_up_by_name": ("double = tf.keras.activations.get('relu')", ""),
    "a_layer_of_the_library": ("double = tf.keras.layers.Activation('relu')", ""),
    "a_partial_of_the_library": ("import functools\ndouble = functools.partial(tf.multiply, 2.0)", ""),
    "a_closure": ("def make(run):\n    return lambda x: run" + CALL + "\ndouble = make(operator.attrgetter('cumsum')(tf))", ""),
    "a_default": ("def double(x, run=operator.attrgetter('cumsum')(tf)):\n    return x + x", ""),
    "another_thread": ("import concurrent.futures as cf\ndef double(x):\n    with cf.ThreadPoolExecutor(1) as pool:\n"
                       "        return pool.submit(operator.attrgetter('cumsum')(tf), tf.stack([x, x])).result()[1]", ""),
    "a_thread_that_ran_before": ("def double(x):\n    return pool.submit(run, tf.stack([x, x])).result()[1]",
                                 "import concurrent.futures as cf\npool = cf.ThreadPoolExecutor(1)\npool.submit(print).result()\n"
                                 "run = lambda x: operator.attrgetter('cumsum')(tf)(x)"),
    "callbacks_cleared": ("def double(x):\n    from tensorflow.python.framework import op_callbacks\n"
                          "    op_callbacks.clear_op_callbacks()\n    return operator.attrgetter('Cumsum')(tf.raw_ops)"
                          "(x=tf.stack([x, x]), axis=0)[1]", ""),
    "below_the_interface": ("def double(x):\n    return run(context.context()._handle, None, 'Cum' + 'sum', [tf.stack([x, x]), tf.constant(0)],"
                            " ('exclusive', False, 'reverse', False, 'T', x.dtype.as_datatype_enum, 'Tidx', 3), 1)[0][1]",
                            "from tensorflow.python.eager import context\nfrom tensorflow.python.pywrap_tfe import TFE_Py_Execute as run"),
    "text_in_a_file_of_the_library": ("exec(compile('def double(x):\\n    return operator.attrgetter(\"cumsum\")(tf)" + CALL + "', "
                                      "tf.__file__, 'exec'))", ""),
    "traced_before": ("def double(x):\n    return g(x)",
                      "g = tf.function(lambda x: operator.attrgetter('cumsum')(tf)" + CALL + ")\n"
                      "print([g(tf.constant(v)) for v in (1, 1.0)])"),
    "the_watch_replaced": ("def double(x):\n    return operator.attrgetter('cumsum')(tf)" + CALL,
                           "import contextlib\nimport autograder.inside.watch as w\n@contextlib.contextmanager\n"
                           "def nothing(*_):\n    yield [], set()\nw.watching = nothing"),
    "the_profiler_removed": ("def double(x):\n    import sys\n    sys.setprofile(None)\n    return operator.attrgetter('cumsum')(tf)" + CALL, ""),
    "the_look_replaced": ("def double(x):\n    from tensorflow.python import pywrap_tfe, _pywrap_tfe\n"
                          "    pywrap_tfe.TFE_Py_FastPathExecute = lambda *a, **k: _pywrap_tfe.TFE_Py_FastPathExecute(*a, **k)\n    return x + x", ""),
    "a_graph_imported": ("def double(x):\n    f = tf.function(lambda x: tf.graph_util.import_graph_def(made, {'x': x}, ['y:0'])[0])\n"
                         "    return f(tf.stack([x, x]))[1]",
                         f"with tf.Graph().as_default() as g:\n    {CUMSUM}(tf.compat.v1.placeholder('float32', [None, None], 'x'), name='y')\n"
                         "made = g.as_graph_def()"),
    "a_saved_function": ("def double(x):\n    return tf.saved_model.load('m').f(tf.stack([x, x]))[1]",
                         f"m = tf.Module()\nm.f = tf.function(lambda x: {CUMSUM}(x), input_signature=[tf.TensorSpec([None, None])])\n"
                         "tf.saved_model.save(m, 'm')"),
    "a_function_added": ("def double(x):\n    from tensorflow.python.eager import context, execute\n    c = context.context()\n"
                         "    c.has_function('mine') or c.add_function_def(made)\n"
                         "    return execute.execute(b'mine', 1, [tf.stack([x, x])], (), c)[0][1]",
                         f"made = tf.function(lambda x: {CUMSUM}(x)).get_concrete_function(tf.TensorSpec([None, None])).function_def\n"
                         "made.signature.name = 'mine'"),
    "run_through_a_partial": ("def double(x):\n    return functools.partial(run, context.context()._handle, None, 'Cum' + 'sum', "
                              "[tf.stack([x, x]), tf.constant(0)], ('exclusive', False, 'reverse', False, 'T', x.dtype.as_datatype_enum, "
                              "'Tidx', 3), 1)()[0][1]", "import functools\nfrom tensorflow.python.eager import context\n"
                              "from tensorflow.python._pywrap_tfe import TFE_Py_Execute as run"),
    "the_gate_looked_through": ("def double(x):\n    found = [pywrap_tfe.TFE_Py_Execute]\n    for thing in found:\n        if len(found) < 3000:\n"
                                "            found += [part for part in gc.get_referents(thing) if type(part).__name__ in "
                                "('tuple', 'cell', 'list', 'dict', 'builtin_function_or_method')]\n    kept = [thing for thing in found"
                                " if getattr(thing, '__name__', '') == 'TFE_Py_Execute' and thing is not pywrap_tfe.TFE_Py_Execute]\n"
                                "    run = (kept + [pywrap_tfe.TFE_Py_Execute])[0]\n    return run(context.context()._handle, None, 'Cum' + 'sum', "
                                "[tf.stack([x, x]), tf.constant(0)], ('exclusive', False, 'reverse', False, 'T', x.dtype.as_datatype_enum, "
                                "'Tidx', 3), 1)[0][1]", "import gc\nfrom tensorflow.python.eager import context\n"
                                "from tensorflow.python import pywrap_tfe"),
    "a_name_given_away": ("def double(x):\n    import math\n    return x + x + 0 * math.kept(x)",
                          f"import math\nmath.kept = {RELU}\ntf.keras.activations.relu = abs"),
    "nobody_listens": ("def double(x):\n    import sys\n    w = sys.modules['autograder.inside.watch']\n    w._hooks()[0].clear()\n"
                       "    w._gates().looks.clear()\n    return operator.attrgetter('cumsum')(tf)" + CALL, ""),
    "called_allowed": ("def double(x):\n    import sys\n    sys.modules['autograder.inside.watch']._watched(('tf.cumsum', 'tf.raw_ops.Cumsum', "
                       "'keras.activations.*', 'scipy.special.softmax')).add('Cumsum')\n"
                       "    return operator.attrgetter('Cumsum')(tf.raw_ops)(x=tf.stack([x, x]), axis=0)[1]", ""),
    "a_wrapper_claimed": (f"def double(x):\n    return x + x + 0 * {RELU}(x)", f"{RELU}.__wrapped__ = abs\nimport colorsys, chunk"),
    "made_anew_by_autograph": ("def double(x):\n    return x + x + 0 * tf.autograph.to_graph(operator.attrgetter('special.softmax')(scipy))"
                               "(x.numpy())", "import scipy.special"),
    "a_hook_silenced_for_a_while": ("def double(x):\n    import sys\n    w = sys.modules['autograder.inside.watch']\n    "
                                    "f = getattr(w, '_say')\n    kept = f.__code__\n    f.__code__ = (lambda: None).__code__\n"
                                    f"    y = {RELU}(x)\n    f.__code__ = kept\n    return x + x + 0 * y", ""),
    "a_dataset_made_before": ("def double(x):\n    box[:] = [tf.stack([x, x])]\n    return next(iter(made))[1]",
                              "box = []\nmade = tf.data.Dataset.from_generator(lambda: iter(box), output_types=tf.float32)"
                              f".map(lambda x: {CUMSUM}(x))"),
    "an_iterator_made_before": ("def double(x):\n    box[:] = [tf.stack([x, x])]\n    return next(made)[1]",
                                "box = []\nmade = iter(tf.data.Dataset.from_generator(lambda: iter(box), output_types=tf.float32)"
                                f".map(lambda x: {CUMSUM}(x)))"),
    "an_operation_put_into_a_graph": ("@tf.function\ndef double(x):\n    g = tf.compat.v1.get_default_graph()\n    return g.create_op("
                                      "'Cum' + 'sum', [g.capture(tf.stack([x, x])), g.capture(tf.constant(0))], [x.dtype]).outputs[0][1]", ""),
    "a_tf_function_traced_in_its_cell": (f"@tf.function\ndef double(x):\n    return {CUMSUM}{CALL}\n"
                                         "for shape in ((), (2,), (3,), (2, 3), (4,)):\n    double(tf.zeros(shape))", ""),
    "called_from_c": ("def double(x):\n    return list(map(operator.attrgetter('cumsum')(tf), [tf.stack([x, x])]))[0][1]", ""),
    "in_a_py_function": (f"def double(x):\n    return x + x + 0 * tf.py_function({RELU}, [x], tf.float32)", ""),
    "a_value_that_is_made_later": ("class Later:\n    def __init__(self, x):\n        self.x = x\n    def __array__(self, *_, **__):\n"
                                   f"        return (self.x + self.x + 0 * {RELU}(self.x)).numpy()\ndef double(x):\n    return Later(x)", ""),
    "an_unbound_method": ("def double(x):\n    return x + x + 0 * kind.call(None, x)",
                          "kind = operator.attrgetter('keras.activations')(tf)\nkind = type('K', (), {'call': lambda s, x: kind_.relu(x)})\n"
                          "kind_ = operator.attrgetter('keras.activations')(tf)"),
    "a_descriptor_of_a_class": (f"class K:\n    y = {RELU}\ndef double(x):\n    return x + x + 0 * K.__dict__['y'](x)", ""),
    "a_finalizer": ("class K:\n    def __del__(self):\n        out.append(run(self.x))\ndef double(x):\n    k = K()\n    k.x = x\n"
                    "    del k\n    return x + x + 0 * out.pop()", f"out = []\nrun = lambda x: {RELU}(x)"),
    "a_generator": (f"def double(x):\n    def parts():\n        yield {RELU}(x)\n    return x + x + 0 * next(parts())", ""),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_way_around_a_rule_gains_nothing(graded, name):
    double, before = ATTACKS[name]
    verdict = graded(name, double, before, "def quadruple(x):\n    return 4 * x")
    first, second = verdict.questions
    others = 0 if name == "the_watch_replaced" else 50  # no rule can be watched any more
    assert (first.score, first.status, second.score) == (0, "failed", others), verdict
    assert "rules out" in first.message or "ready-made" in first.message, first.message


@pytest.mark.skipif(obstacle("landlock") is not None, reason="no landlock here")
@pytest.mark.parametrize("name", ["a_wrapper_claimed", "made_anew_by_autograph", "a_dataset_made_before", "an_operation_put_into_a_graph",
                                  "a_tf_function_traced_in_its_cell", "nobody_listens"])
def test_a_way_around_a_rule_gains_nothing_behind_landlock(graded_behind_landlock, name):
    first, second = graded_behind_landlock(name, *ATTACKS[name], "def quadruple(x):\n    return 4 * x").questions
    assert (first.score, second.score) == (0, 50) and "rules out" in first.message


@pytest.mark.skipif(obstacle("landlock") is not None, reason="no landlock here")
def test_files_written_between_two_looks_are_counted():
    with sandboxed((), Limits(scratch_megabytes=16), "landlock") as sandbox, sandbox.fork(Spent()) as child:
        with pytest.raises(Died, match="more than 16 MB"):
            child.run_cell("for i in range(8):\n    open(str(i), 'wb').write(bytes(12 * 2**20))", "a cell")


def test_a_file_that_is_gone_meanwhile_hides_no_other(tmp_path, monkeypatch):
    class Entry:
        def __init__(self, number):
            self.number, self.path = number, str(tmp_path)

        def is_dir(self, **_):
            return False

        def stat(self, **_):
            if self.number == 0:
                raise FileNotFoundError
            return os.stat_result([0] * 10, {"st_blocks": 2})

    monkeypatch.setattr(os, "scandir", lambda _: contextlib.nullcontext(map(Entry, range(4))))
    assert written_below(str(tmp_path), 10) == (4, 3 * 1024)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="nothing is hooked there")
def test_a_hook_taken_out_and_put_back_is_tampered_with(graded):
    double = f"def double(x):\n    f = {RELU}\n    kept = f.__code__\n    f.__code__ = kept.replace(co_consts=" \
        "(*kept.co_consts[:-1], int))\n    y = f(x)\n    f.__code__ = kept\n    return x + x + 0 * y"
    first, second = graded("put_back", double, "", "def quadruple(x):\n    return 4 * x").questions
    assert (first.score, second.score) == (0, 50) and "relu" in first.message, first.message


@pytest.mark.skipif(sys.version_info < (3, 12), reason="nothing is monitored there")
@pytest.mark.parametrize("off, on", [
    ("kept = m.get_events(5); m.set_events(5, 0)", "m.set_events(5, kept)"),
    ("import functools\n    kept = functools.partial(m.register_callback, 5, m.events.PY_START, None)()",
     "functools.partial(m.register_callback, 5, m.events.PY_START, kept)()"),
])
def test_monitoring_switched_off_and_on_is_tampered_with(graded, off, on):
    double = f"def double(x):\n    m = sys.monitoring\n    {off}\n    y = {RELU}(x)\n    {on}\n    return x + x + 0 * y"
    first, second = graded("off_and_on", double, "import sys", "def quadruple(x):\n    return 4 * x").questions
    assert (first.score, second.score) == (0, 50) and "sys.monitoring" in first.message, first.message


@pytest.mark.parametrize("double, quadruple", [
    ("def double(x):\n    return helper(x)", f"def helper(x):\n    return 2 * x + 0 * {RELU}(x)\ndef quadruple(x):\n    return 4 * x"),
    ("def double(x):\n    return quadruple(x, 2)",
     f"def quadruple(x, times=4):\n    return 4 * x if times == 4 else 2 * x + 0 * {RELU}(x)"),
])
def test_what_an_answer_has_in_the_cell_of_another_is_its_own(graded, double, quadruple):
    assert [question.score for question in graded("elsewhere", double, "", quadruple).questions] == [0, 50]


@pytest.mark.parametrize("double, before, words", [
    ("def double(x):\n    return eval('x + x')", "", "double runs code that it makes from text"),
    ("def double(x):\n    import threading\n    threading.Thread(target=print).start()\n    return x + x", "", "double uses a thread"),
    ("def double(x):\n    import subprocess\n    subprocess.run(['true'])\n    return x + x", "", "double starts another program"),
    ("def double(x):\n    import os\n    if os.fork() == 0:\n        os._exit(0)\n    return x + x", "", "double forks its process"),
    ("def double(x):\n    def f(x):\n        return x + x\n    return type(f)(f.__code__.replace(co_name='g'), f.__globals__)(x)", "", "double runs code that it makes from text"),
    ("def double(x):\n    return tf.constant(s._call_tf_sessionrun(None, {p._as_tf_output(): tf.stack([x, x]).numpy()}, "
     "[y._as_tf_output()], [], None)[0][1])",
     "v1 = operator.attrgetter('compat.v1')(tf)\nwith tf.Graph().as_default():\n    p = v1.placeholder('float32', [None, None])\n"
     f"    y = {CUMSUM}(p)\n    s = v1.__dict__['Sess' + 'ion']()\n    s._extend_graph()", "session"),
    (RIGHT, "import ctypes\nctypes.CDLL(None)", "A cell uses ctypes"),
    (RIGHT, "import autograder.inside.worker", "A cell uses the autograder's own modules"),
    ("def double(x):\n    put.put(x)\n    return got.get()", "import _thread, queue\nput, got = queue.SimpleQueue(), queue.SimpleQueue()\n"
     "def work():\n    while True:\n        got.put(2 * put.get())\n_thread.start_new_thread(work, ())", "double uses a thread"),
])
def test_what_looks_odd_is_said_and_costs_nothing(graded, double, before, words):
    verdict = graded("odd", double, before)
    assert verdict.score == 100 and any(words in note for note in verdict.notes), verdict.notes


@pytest.mark.parametrize("before", [
    "import tensorflow as a\ntry:\n" + "".join(f"    a = a.x{n}\n" for n in range(8)) + "except AttributeError:\n    pass",
    "names = [\n" + "tf.a.b.c.d,\n" * 80_000 + "] if False else []",
])
def test_a_source_too_complex_to_read_costs_a_sentence(graded, before):
    verdict = graded("complex", RIGHT, before)
    assert verdict.score == 100 and verdict.error is None
    assert any(note.startswith("Its source is too") for note in verdict.notes), verdict.notes


def test_a_deep_sum_is_graded(graded):
    deep = "def double(x):\n    if False:\n        getattr(tf, " + " + ".join(["'a'"] * 900) + ")\n    return x + x"
    assert graded("deep", deep).score == 100
    verdict = graded("deeper", deep.replace("'a' + ", "'a' + " * 20))
    assert verdict.score is not None and "ungraded" not in {question.status for question in verdict.questions}


def test_a_rule_broken_in_an_earlier_answer_is_charged_there_alone(graded):
    hidden = "def double(x):\n    return operator.attrgetter('cumsum')(tf)" + CALL
    for double in (hidden, "@tf.function\n" + hidden):
        verdict = graded("earlier", double, "", "def quadruple(x):\n    return double(double(x))")
        assert [question.score for question in verdict.questions] == [0, 50], verdict.questions


@pytest.mark.parametrize("double, before", [
    ("import dataclasses, threading\n@dataclasses.dataclass\nclass K:\n    n: int = 2\n@tf.function\ndef double(x):\n"
     "    for _ in tf.range(1):\n        x = x * K().n\n    return x", ""),
    ("class Twice(tf.keras.layers.Layer):\n    def build(self, shape):\n        self.w = self.add_weight(shape=(), initializer='ones')\n"
     "    def call(self, x):\n        return x + self.w * x\ndef double(x):\n    return Twice()(x)", ""),
    ("def double(x):\n    w = tf.Variable(1.0)\n    data = tf.data.Dataset.from_generator(lambda: iter([1.0, 1.0]), "
     "output_signature=tf.TensorSpec([])).map(lambda v: v + 0).prefetch(1)\n    for v in data:\n        with tf.GradientTape() as tape:\n"
     "            loss = (w - v) ** 2\n        w.assign_sub(0.1 * tape.gradient(loss, w))\n    return x + w * x",
     "for _ in tf.data.Dataset.range(3).map(lambda v: v * 2):\n    pass"),
    ("import functools\ndef mine(f):\n    @functools.wraps(f)\n    def g(*a):\n        return f(*a)\n"
     "    return g\n@mine\ndef double(x):\n    import copy, inspect, pickle\n    assert inspect.getsource(tf.nn.relu6)\n"
     "    assert pickle.loads(pickle.dumps(tf.nn.relu6)) is copy.deepcopy(tf.nn.relu6)\n    return x + x", ""),
    ("import collections, scipy.special, scipy.optimize\ndef double(x):\n    P = collections.namedtuple('P', 'a b')\n"
     "    n = scipy.optimize.brentq(lambda v: v - 2 + 0 * scipy.special.expit(v), 0, 5)\n    return P(x, round(n, 3)).a * round(n, 3)", ""),
    ("def double(x):\n    model = tf.keras.Sequential([Scale()])\n    model.compile('sgd', 'mse')\n"
     "    model.fit(tf.ones((4, 1)), tf.ones((4, 1)), epochs=1, verbose=0)\n    return x + x",
     "class Scale(tf.keras.layers.Layer):\n    def build(self, shape):\n        self.w = self.add_weight(shape=(), initializer='ones')\n"
     "    def call(self, x):\n        return self.w * x\n"),
])
def test_an_honest_answer_is_left_alone(graded, double, before):
    verdict = graded("left_alone", double, before)
    assert (verdict.score, verdict.notes) == (100, ()), verdict
