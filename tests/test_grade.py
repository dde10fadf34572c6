"""Grading, on a tiny course: points, statuses, mishaps, messages."""

import ast
import json
import os
import subprocess
import sys
import time
import venv
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from conftest import PROCESS, ROOT, TINY_QUESTIONS, needs_bubblewrap, sandboxed, write_tiny

from autograder.authoring import samples
from autograder.authoring.build import build
from autograder.authoring.lesson import read_lesson, solved_notebook, student_notebook
from autograder.authoring.question import load_questions
from autograder.grading.batch import Job, find_submissions, grade_all
from autograder.grading.grade import grade
from autograder.grading.judge import judge
from autograder.grading.key import load
from autograder.grading.ran import Ran
from autograder.grading.submission import merge
from autograder.grading.verdict import QuestionVerdict
from autograder.inside.protocol import Failure, Outcome
from autograder.report.json import results
from autograder.sandbox.sandbox import Limits, Sandbox
from autograder.sandbox.warm import SandboxError, WarmParent

pytestmark = pytest.mark.xdist_group("grade")  # one process, whose tests share workers
NAME = "a0_doubling"
LIMITS = Limits(cell_seconds=5, case_seconds=4, submission_seconds=60)


@pytest.fixture(scope="module")
def key(built_tiny):
    return load(built_tiny.key(NAME))


@pytest.fixture(scope="module", params=[pytest.param("bubblewrap", marks=needs_bubblewrap), PROCESS])
def sandbox(built_tiny, request):
    with sandboxed(built_tiny.released_files(NAME), LIMITS, request.param, (built_tiny.root,)) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def run(built_tiny, key, sandbox):
    """Grade the solved tiny notebook with some cells replaced: `run(double="…", quadruple="…", added=["…"])`."""
    folder = built_tiny.solution(NAME)
    cells, questions = read_lesson(folder), load_questions(folder)
    skeleton = student_notebook(cells, questions)

    def run(added=(), limits=None, **answers):
        notebook = solved_notebook(cells, questions)
        for name, source in answers.items():
            notebook = samples.edited(notebook, name, lambda _, source=source: source)
        plain = [{"cell_type": cell.cell_type, "source": cell.source, "id": cell.id, "grade_id": None, "tags": []}
                 for cell in notebook.cells]
        plain += [{"cell_type": "code", "source": source, "id": None, "grade_id": None, "tags": []} for source in added]
        sandbox.limits = limits or LIMITS
        verdict = grade(merge(plain, skeleton, "ada"), key, sandbox)
        return verdict, {question.name: question for question in verdict.questions}

    return run


def test_a_right_notebook_gets_everything(run):
    verdict, questions = run()
    assert verdict.score == 100 and {question.status for question in questions.values()} == {"passed"}


@pytest.mark.parametrize("answer", [
    "def double(x):\n    return np.asarray(x) * 2",
    "def double(x):\n    return [float(value) * 2 for value in x]",
    "def double(x):\n    return (2 * value for value in x)",
    "def double(x):\n    return tf.cast(2 * tf.cast(x, tf.float64), tf.float32)",
    "def double(x):\n    return 2 * tf.cast(x, tf.float64)",
    "@tf.function\ndef double(x):\n    if tf.reduce_sum(x) > 0:\n        return x + x\n    return 2 * x",
    "double = lambda values: values + values",
    "class Double:\n    def __call__(self, x):\n        return 2 * x\ndouble = Double()",
])
def test_right_answers_written_differently_get_everything(run, answer):
    assert run(double=answer)[0].score == 100


def test_a_misconception_is_named_and_its_hint_given(run):
    _, questions = run(double="def double(x):\n    return x ** 2")
    assert questions["double"].misconception == "squares"
    assert questions["double"].status == "failed" and questions["double"].score == 0
    assert "You square" in questions["double"].message


def test_two_mistakes_at_once_are_hinted_at_case_by_case(run):
    _, questions = run(double="def double(x):\n    return x * x if len(x) == 3 else 3 * x",
                       quadruple="def quadruple(x):\n    return 4 * x")
    visible, hidden = questions["double"].cases
    assert questions["double"].misconception is None
    assert "You triple" in hidden.message and "You square" not in visible.message  # 1, 4 and 25 could be much else


def test_an_earlier_named_mistake_is_not_paid_for_twice(run):
    _, questions = run(double="def double(x):\n    return 3 * x")
    assert questions["double"].score == 0
    assert questions["quadruple"].score == 50 and questions["quadruple"].misconception is None
    assert "double" in questions["quadruple"].message


def test_a_mistake_on_top_of_an_earlier_one_is_paid_for(run):
    _, questions = run(double="def double(x):\n    return 3 * x", quadruple="def quadruple(x):\n    return double(x)")
    assert questions["quadruple"].score == 0


def test_one_case_right_and_one_wrong_is_partial(run):
    _, questions = run(double="def double(x):\n    return 2 * x if len(x) == 3 else x")
    assert (questions["double"].status, questions["double"].score) == ("partial", 10)


@pytest.mark.parametrize("answer, words", [
    ("def double(x):\n    return None", "None"),
    ("def double(x):\n    return 'twice'", "a string"),
    ("def double(x):\n    return x * float('nan')", "NaN"),
    ("def double(x):\n    return x / 0", "infinite"),
    ("def double(x):\n    return (2 * x)[None]", "only their shape is not"),
    ("def double(x):\n    return -2 * x", "sign is reversed"),
    ("def double(x):\n    return 14 * x", "constant factor"),
    ("def double(x):\n    return 2 * x + 1", "off by one constant"),
    ("def double(x):\n    return {'x': x}", "a dictionary"),
    ("def double(x):\n    return double", "a function"),
    ("def double(x):\n    return tf.ragged.constant([[1.0], [1.0, 2.0]])", "ragged"),
    ("def double(x):\n    return np.array([None, 1], dtype=object)", "Python objects"),
    ("def double(x):\n    return np.broadcast_to(np.float32(0), (10**5, 10**5))", "too large"),
    ("def double(x):\n    return np.asarray(2 * x) + 1j", "complex"),
])
def test_odd_outputs_lose_with_one_sentence(run, answer, words):
    _, questions = run(double=answer, quadruple="def quadruple(x):\n    return 4 * x")
    assert questions["double"].status == "failed" and questions["double"].score == 0
    assert words in questions["double"].message, questions["double"].message
    assert "\n" not in questions["double"].message
    assert questions["quadruple"].score == 50


def test_an_object_that_equals_everything_wins_nothing(run):
    liar = ("class Liar(np.ndarray):\n    def __eq__(self, other):\n        return np.ones(np.shape(other), bool)\n"
            "    __ne__ = __array_ufunc__ = lambda self, *a, **k: True\n"
            "def double(x):\n    return np.zeros(len(x)).view(Liar)")
    assert run(double=liar)[1]["double"].score == 0


@pytest.mark.parametrize("answer, status, words", [
    ("def double(x):\n    return undefined_name * x", "crashed", "NameError"),
    ("def double(x):\n    raise ValueError('no')", "crashed", "ValueError: no at `raise ValueError('no')`"),
    ("def double(x):\n    raise SystemExit", "crashed", "SystemExit"),
    ("def double(x)\n    return x", "crashed", "SyntaxError"),
    ("import no_such_module\ndef double(x):\n    return 2 * x", "crashed", "no_such_module"),
    ("def double(x):\n    import os; os._exit(3)", "crashed", "exit status 3"),
    ("def double(x):\n    import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "crashed", "SIGKILL"),
    ("def double(x):\n    return double(x)", "crashed", "RecursionError"),
    ("def double(x):\n    while True: pass", "timeout", "more than 4 s of processor time"),
    ("while True: pass", "timeout", "more than 5 s of processor time"),
    ("import os; os._exit(0)", "crashed", "exit status 0"),
    ("def double(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()", "missing", "not written yet"),
    ("", "missing", "not written yet"),
    ("double = None", "missing", "not written yet"),
    ("def double(x):\n    y = 2 * x\n    raise NotImplementedError()", "missing", "NotImplementedError"),
    ("def double(x):\n    raise NotImplementedError('later')", "crashed", "later"),
])
def test_a_question_that_dies_costs_only_itself(run, answer, status, words):
    _, questions = run(double=answer, quadruple="def quadruple(x):\n    return 4 * x")
    assert (questions["double"].status, questions["double"].score) == (status, 0)
    assert words in questions["double"].message, questions["double"].message
    assert questions["quadruple"].score == 50, questions["quadruple"].message


def test_calling_a_stub_says_so(run):
    _, questions = run(double="def double(x):\n    raise NotImplementedError()", quadruple="def quadruple(x):\n    return 2 * double(x)")
    assert (questions["double"].status, questions["quadruple"].status) == ("missing", "crashed")
    assert "It reached double, which is not written yet." in questions["quadruple"].cases[0].message


def test_floods_are_cut_and_do_no_harm(run):
    verdict, questions = run(double="import sys, os\ndef double(x):\n    print('x' * 10**7)\n    os.write(1, b'y' * 10**6)\n"
                                    "    print('z' * 10**6, file=sys.stderr)\n    return 2 * x")
    assert verdict.score == 100


def test_added_cells_run_where_they_stand_and_their_errors_are_notes(run):
    verdict, questions = run(added=["helper = 3", "1 / 0", "def double(x):\n    return 2 * x"])
    assert verdict.score == 100
    assert any("ZeroDivisionError" in note for note in verdict.notes)


def test_the_submission_limit_ends_what_the_others_do_not(run):
    start = time.monotonic()
    verdict, questions = run(limits=Limits(cell_seconds=100, case_seconds=100, submission_seconds=4),
                             double="import time\ndef double(x):\n    time.sleep(60)\n    return 2 * x")
    assert time.monotonic() - start < 40
    assert questions["double"].status == "timeout" and "whole submission" in questions["double"].message


def test_messages_of_hidden_cases_quote_no_number_that_an_exception_carries(run):
    _, questions = run(double="def double(x):\n    raise ValueError(f'inputs {x.numpy().tolist()}')")
    for case in questions["double"].cases:
        if not case.visible:
            assert "inputs" in case.message and not any(character.isdigit() for character in case.message.split("at `")[0])


def test_nothing_survives_a_submission(run):
    code = ("import subprocess, os\nsubprocess.Popen(['sleep', '4321'], start_new_session=True)\n"
            "if os.fork() == 0:\n    os.setsid()\n    import time; time.sleep(4321)\n"
            "def double(x):\n    return 2 * x")
    assert run(double=code)[0].score == 100
    left = [process.pid for process in psutil.process_iter(["cmdline"]) if "4321" in (process.info["cmdline"] or [])]
    assert left == []


def test_each_submission_starts_clean(run):
    run(double="open('left.txt', 'w').write('x')\nnp.left_behind = 1\ndef double(x):\n    return 2 * x")
    verdict, _ = run(double="import os\nassert not os.path.exists('left.txt') and not hasattr(np, 'left_behind')\n"
                            "def double(x):\n    return 2 * x")
    assert verdict.score == 100 and verdict.notes == ()


def test_the_environment_holds_no_secret(run, monkeypatch):
    code = ("import os\nassert not [name for name in os.environ if 'SECRET' in name or 'TOKEN' in name], list(os.environ)\n"
            "assert sorted(os.listdir()) == ['examples.npz'], os.listdir()\ndef double(x):\n    return 2 * x")
    monkeypatch.setenv("AUTOGRADER_SECRET", "hush")
    with_fresh_worker, _ = run(double=code)
    assert with_fresh_worker.score == 100, with_fresh_worker.notes


@pytest.mark.parametrize("which", [lambda sandbox: sandbox.parent.process.pid, lambda sandbox: sandbox.start().meter.worker])
def test_what_is_killed_from_outside_is_replaced(run, sandbox, which):
    sandbox.start()
    os.kill(which(sandbox), 9)
    time.sleep(0.5)
    assert run()[0].score == 100


def test_a_sandbox_that_cannot_start_gives_no_zero(key, built_tiny, monkeypatch, run):
    class Broken(Sandbox):
        def fork(self, spent):
            raise SandboxError("no worker")

    folder = built_tiny.solution(NAME)
    skeleton = student_notebook(read_lesson(folder), load_questions(folder))
    verdict = grade(merge([], skeleton, "ada"), key, Broken(WarmParent()))
    assert verdict.score is None and {question.status for question in verdict.questions} == {"ungraded"}
    assert "no worker" in verdict.error


@needs_bubblewrap
def test_a_python_installed_below_tmp_is_there_in_every_submission(tmp_path):
    if not tmp_path.resolve().is_relative_to("/tmp"):
        pytest.skip("pytest's directories are not below /tmp here")
    venv.create(tmp_path / "venv", symlinks=True)
    packages = next((tmp_path / "venv" / "lib").glob("python*")) / "site-packages"
    (packages / "ours.pth").write_text("\n".join([str(ROOT), *(path for path in sys.path if path.endswith("site-packages"))]))
    (packages / "imported_late.py").write_text("here = True\n")
    script = ("from autograder.sandbox.sandbox import Sandbox, Spent\nfrom autograder.sandbox.warm import WarmParent\n"
              "with WarmParent(isolation='bubblewrap') as parent, Sandbox(parent) as sandbox, sandbox.fork(Spent()) as child:\n"
              "    done = child.run_cell('import imported_late, os\\nprint(imported_late.here, os.listdir(\"/tmp\"))\\n"
              "imported_late.__file__ and open(imported_late.__file__, \"w\")', 'x')\n"
              "    print((done.outputs[0]['text'], done.failure.error))\n")
    done = subprocess.run([tmp_path / "venv" / "bin" / "python", "-c", script], capture_output=True, text=True, timeout=120, cwd=tmp_path)
    text, error = ast.literal_eval(done.stdout)
    word, _, listed = text.partition(" ")
    python = {path.resolve().relative_to("/tmp").parts[0] for path in (tmp_path, ROOT, Path(sys.prefix)) if path.resolve().is_relative_to("/tmp")}
    assert word == "True" and set(ast.literal_eval(listed)) <= python, (text, done.stderr)
    assert error in ("OSError", "PermissionError")  # read-only, as everywhere


@pytest.mark.corpus
def test_a_batch_grades_everyone_in_order_whatever_the_jobs(built_tiny, key, tmp_path):
    made = samples.sample_class(built_tiny, NAME)
    samples.write_class(made, tmp_path, NAME)
    (tmp_path / "absent").mkdir()
    handed_in, absent = find_submissions(tmp_path, NAME)
    assert absent == ["absent"] and len(handed_in) == len(made)
    limits = replace(LIMITS, cell_seconds=3, case_seconds=2)  # some of them never end
    job = Job(key, built_tiny.skeleton(NAME), tuple(built_tiny.released_files(NAME)), limits)
    outcomes = []
    for jobs, order in ((1, handed_in), (2, handed_in[::-1])):
        data = results(sorted(grade_all(order, job, jobs), key=lambda verdict: verdict.student), key)
        outcomes.append([{**submission, "seconds": 0} for submission in data["submissions"]])
    assert outcomes[0] == outcomes[1]
    scores = {submission["student"]: submission["score"] for submission in outcomes[0]}
    assert scores["all-right"] == scores["duplicated-cells"] == scores["prints-in-its-cell"] == 100
    assert scores["blank"] == scores["not-json"] == scores["no-notebook"] == scores["empty-file"] == 0
    status = {submission["student"]: submission["status"] for submission in outcomes[0]}
    assert {name for name in status if status[name] == "unreadable"} == {"not-json", "not-a-notebook", "empty-file", "no-notebook"}
    assert all("\n" not in submission["error"] for submission in outcomes[0] if submission["error"])


def test_the_json_follows_its_contract(run, key, sandbox):
    verdict, _ = run(double="def double(x):\n    return x * x")
    data = json.loads(json.dumps(results([verdict], key)))
    assert data["assignment"] == NAME and data["key"].startswith("sha256:") and data["isolation"] == sandbox.isolation
    submission = data["submissions"][0]
    assert {"student", "status", "score", "max_score", "seconds", "error", "questions"} <= set(submission)
    for question in submission["questions"]:
        assert set(question) == {"name", "status", "score", "max_score", "message", "misconception", "closure", "cases"}
        assert question["score"] == sum(case["points"] for case in question["cases"] if case["passed"])
        for case in question["cases"]:
            assert set(case) == {"name", "visible", "passed", "points", "message", "outcome"}
            assert bool(case["outcome"]) != case["passed"]
    assert submission["score"] == sum(question["score"] for question in submission["questions"])


def test_an_earlier_mistake_that_stops_everything_is_no_mistake_of_the_next_question(built_tiny):
    question = load(built_tiny.key(NAME)).questions[1]
    case = question.cases[0]
    case.follow_through["double.squares"] = Outcome(failure=Failure("ValueError"))
    earlier = {"double": QuestionVerdict("double", "failed", 0, 50, "", "squares", ())}
    outcomes = {item.name: Outcome(item.expected) for item in question.cases} | {case.name: Outcome(failure=Failure("ValueError"))}
    verdict = judge(question, outcomes, Ran(), earlier)
    assert verdict.misconception is None and verdict.score == 40
    assert "Your double leads to it: mend that first." in verdict.cases[0].message


HEAVY = """
%matplotlib inline
import keras, matplotlib.pyplot as plt, sys, time
from concurrent.futures import ThreadPoolExecutor
!ls
%timeit -n 2 -r 2 sum(range(100))
files = !ls
model = keras.Sequential([keras.layers.Input((8,)), keras.layers.Dense(16, activation="relu"), keras.layers.Dense(1)])
model.compile(keras.optimizers.Adam(0.01), "mse")
data = np.random.default_rng(0).normal(size=(256, 8)).astype("float32")
history = model.fit(data, data.sum(axis=1), epochs=3, batch_size=32, verbose=1)
for i in range(200):
    sys.stderr.write(f"\\r{i}/200")
plt.plot(history.history["loss"])
plt.title("loss")
plt.show()
with ThreadPoolExecutor(4) as pool:
    squares = list(pool.map(lambda n: n * n, range(10)))
print(len(files), squares[-1], history.history["loss"][-1] < history.history["loss"][0])
"""


def test_an_honest_heavy_notebook_grades_and_what_it_showed_is_kept(run):
    verdict, _ = run(limits=Limits(cell_seconds=60, case_seconds=20, submission_seconds=120), added=[HEAVY])
    assert verdict.score == 100 and verdict.notes == (), verdict.notes
    outputs = next(outputs for name, outputs in verdict.outputs.items() if name.startswith("added"))
    text = "".join(output.get("text", "") for output in outputs)
    assert "examples.npz" in text and "per loop" in text and "1 81 True" in text and "Epoch 3/3" in text
    assert any("image/png" in output.get("data", {}) for output in outputs)


@pytest.mark.parametrize("answer, words", [
    ("def double(x):\n    data = bytearray(b'x') * (300 * 2**20)\n    return 2 * x", ("MemoryError", "memory")),
    ("def double(x):\n    open('big', 'wb').write(b'x' * (80 * 2**20))\n    return 2 * x", ("OSError", "more than 40 MB", "No space")),
    ("def double(x):\n    return np.ones((3000, 3000))", ("too large",)),
])
def test_a_limit_costs_the_question_that_meets_it_and_says_so(run, answer, words):
    limits = Limits(cell_seconds=20, case_seconds=20, submission_seconds=120, memory_megabytes=200, scratch_megabytes=40)
    _, questions = run(limits=limits, double=answer, quadruple="def quadruple(x):\n    return 4 * x")
    assert questions["double"].score == 0 and any(word in questions["double"].message for word in words), questions["double"].message
    assert questions["quadruple"].score == 50


def test_what_is_ruled_out_costs_the_question_and_names_the_call_and_the_line(tmp_path):
    questions = TINY_QUESTIONS.replace("Question(lesson.double)", 'Question(lesson.double, forbid=["tf.cumsum", "tf.raw_ops.Cumsum"])')
    course = write_tiny(tmp_path, questions=questions)
    build(course, NAME)
    folder = course.solution(NAME)
    solved = solved_notebook(read_lesson(folder), load_questions(folder))
    work = Job(load(course.key(NAME)), course.skeleton(NAME), (), LIMITS, "auto", (course.root,))
    hidden = "    adder = getattr(tf, ''.join(['cum', 'sum']))\n    return adder(tf.stack([x, x]))[1]"
    made = [samples.Sample(name, json.dumps(samples.edited(solved, "double", lambda _, body=body: f"def double(x):\n{body}")))
            for name, body in (("plain", "    return tf.cumsum(tf.stack([x, x]))[1]"), ("secret", hidden), ("right", "    return x + x"))]
    samples.write_class(made, tmp_path / "submitted", NAME)
    plain, right, secret = grade_all(find_submissions(tmp_path / "submitted", NAME)[0], work)
    assert (plain.score, right.score, secret.score) == (50, 100, 50)
    assert "`tf.cumsum` at `return tf.cumsum(tf.stack([x, x]))[1]`" in plain.questions[0].message
    assert "`tf.cumsum` at `return adder(tf.stack([x, x]))[1]`" in secret.questions[0].message
    assert {question.status for question in (plain.questions[0], secret.questions[0])} == {"failed"}
