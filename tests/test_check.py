"""What a student sees: `check(...)` in a real kernel, and `autograder check` outside."""

import contextlib
import dataclasses
import io
import json
import re
import shutil
import subprocess
import sys
import time
from types import SimpleNamespace

import nbclient
import nbformat
import pytest
from conftest import ROOT, autograder

from autograder.grading.key import KeyFileError, load, save
from autograder.grading.submission import Unreadable
from autograder.student.check import check_notebook
from autograder.student.session import Session

NAME = "a0_doubling"


@pytest.fixture
def release(built_tiny, tmp_path):
    return shutil.copytree(built_tiny.release(NAME), tmp_path / "release")


def answered(release, **answers):
    path = release / "doubling.ipynb"
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.source = answers.get(cell.id, cell.source)
    nbformat.write(notebook, path)
    return path


def test_check_in_a_kernel_shows_points_hints_and_values(release):
    path = answered(release, double="def double(x):\n    print('debugging')\n    return x ** 2")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell("check('no_such_question')"))
    notebook.cells.append(nbformat.v4.new_code_cell(
        "import time\nstart = time.perf_counter()\ncheck('double')\nelapsed = time.perf_counter() - start"))
    notebook.cells.append(nbformat.v4.new_code_cell("elapsed"))
    later = {name: nbformat.v4.new_code_cell(source) for name, source in {
        "waits": "made = 1\nfrom_it = quadruple(made)", "needs that": "print(from_it)", "display": "6 * 7",
        "right": "def double(x):\n    return 2 * x", "broken": "def double(x):\n    return 2 * x +", "stale": "check('double')",
        "all": "check()", "again": "def double(x, base=0):\n    return 2 * x", "fresh": "check('double')"}.items()}
    later["broken"].metadata["tags"] = ["raises-exception"]
    notebook.cells += later.values()
    notebook.cells = [cell for cell in notebook.cells if "demo" not in cell.metadata.get("tags", [])]
    nbclient.NotebookClient(notebook, resources={"metadata": {"path": str(release)}}, kernel_name="python3").execute()
    cells = {cell.id: cell for cell in notebook.cells}
    shown = [output.data for output in cells["double-check"].outputs if output.output_type == "display_data"][0]
    assert "You square" in shown["text/plain"] and "0 of 10 points; 40 more for hidden cases" in shown["text/plain"]
    assert re.search(r"output: +expected +received\n +\[ 2\.\*,  4\. , 10\.\*\] +\[ 1\.\*,  4\. , 25\.\*\]", shown["text/plain"])
    assert "You square" in shown["text/html"] and "<script" not in shown["text/html"]
    missing = [output.data for output in cells["quadruple-check"].outputs if output.output_type == "display_data"][0]
    assert "quadruple is not written yet" in missing["text/plain"]
    assert "<b>quadruple</b> is not written yet" in missing["text/html"]  # the name once
    printed = [cell.outputs[0].text for cell in notebook.cells if cell.source == "check('no_such_question')"]
    assert "expected one of double, quadruple. Received: 'no_such_question'" in printed[0]
    seconds = [cell.outputs[0].data["text/plain"] for cell in notebook.cells if cell.source == "elapsed"]
    assert float(seconds[0]) < 1  # imports are done

    # An answer that is not written yet stops no run, neither where it is called nor where what it would have made is needed.
    for name in ("waits", "needs that"):
        assert later[name].outputs[0].text == "This cell waits for `quadruple`, which is not written yet. Run it again when it is.\n"
    assert later["display"].outputs[0].data["text/plain"] == "42"  # all else is shown as ever
    assert later["broken"].outputs[0].ename == "SyntaxError"
    # The function that ran before is still there, and right; it is not what the notebook shows.
    stale, fresh, everything = (later[name].outputs[0].data for name in ("stale", "fresh", "all"))
    assert "! double: 1 of 1" in stale["text/plain"] and "The newest cell that defines `double` stopped" in stale["text/plain"]
    assert "<code>double</code> stopped" in stale["text/html"]
    assert "✓ double: 1 of 1" in fresh["text/plain"] and "stopped" not in fresh["text/plain"]
    assert "10 of the 20 points of visible cases so far; hidden cases hold 80 more." in everything["text/plain"]
    assert re.search(r"! double +10/10  The newest cell", everything["text/plain"])
    assert re.search(r"· quadruple +0/10  quadruple is not written yet", everything["text/plain"])
    assert "quadruple" in everything["text/html"]


def test_check_restores_the_notebooks_random_numbers(release):
    code = ("import random, numpy as np\nfrom autograder import check\ndef double(x):\n    return 2 * x\nrandom.seed(1)\nnp.random.seed(1)\n"
            "a = random.random(), np.random.rand()\nrandom.seed(1)\nnp.random.seed(1)\ncheck('double')\n"
            "assert (random.random(), np.random.rand()) == a")
    result = subprocess.run([sys.executable, "-c", code], cwd=release, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "✓ double: 1 of 1 visible case right" in result.stdout


def test_inputs_have_the_names_of_the_students_parameters_and_small_values_their_digits():
    text = shown("a4_cross_entropy", "def cross_entropy(mine, theirs, base=2):\n    return 0.000123456\ndef softmax(z):\n    return z\n"
                 "check('cross_entropy')\ncheck('softmax')")
    lines = [line.strip() for line in text.splitlines()]
    assert any(re.fullmatch(r"input mine: +\[.*", line) for line in lines)
    assert any(re.fullmatch(r"input theirs: +\[.*", line) for line in lines)
    assert any(re.fullmatch(r"[\d.]+ +0\.0001235", line) for line in lines)
    assert any(re.fullmatch(r"input: +\[.*", line) for line in lines)  # one needs no name


def shown(assignment, code):
    """What `check` prints in an assignment's folder."""
    said = io.StringIO()
    with contextlib.chdir(ROOT / "assignments" / assignment), contextlib.redirect_stdout(said):
        exec(f"import numpy as np, tensorflow as tf\nfrom autograder import check\n{code}", {"__name__": "__main__"})
    return said.getvalue()


NEURONS = """
def perceptron(x, w, b):
    return tf.cast(tf.linalg.matvec(x, w) + b > 0, tf.float32)
def nand(x):
    return perceptron(x, tf.constant([-2.0, -2.0]), 3.0)
def pair(a, b):
    return nand(tf.stack([a, b], axis=1))
def xor(x):
    a, b = x[:, 0], x[:, 1]
    return pair(pair(a, pair(a, b)), pair(b, pair(a, b)))
"""


def test_a_mistake_with_a_name_is_not_counted_again_in_the_notebook_either():
    text = shown("a1_neurons", NEURONS.replace("-2.0, -2.0]), 3.0", "2.0, 2.0]), -3.0") + "check('nand')\ncheck('xor')")
    assert "Your gate is AND" in text and "✓ xor: 2 of 2 visible cases right" in text
    assert "Right on top of your nand, whose mistake is not counted twice." in text


def test_a_mistake_without_a_name_is_to_be_mended_first():
    text = shown("a1_neurons", NEURONS.replace("3.0)", "3.0) / 3") + "check('xor')")
    assert "✗ xor" in text and "Your `nand` is not right yet: if you build on that here, mend it first." in text


LAYER = """
import keras
class MultiHeadAttention(keras.layers.Layer):
    def __init__(self, d_model, num_heads, **kwargs):
        super().__init__(**kwargs)
        if d_model % num_heads:
            raise ValueError
        self.query_dense, self.key_dense, self.value_dense, self.output_dense = (keras.layers.Dense(d_model) for _ in range(4))
    def call(self, query, value, key=None, mask=None, return_attention=False):
        self.query_dense(query), self.key_dense(value), self.value_dense(value), self.output_dense(query)
        return tf.zeros((2, 3)) @ tf.zeros((2, 3))
"""


def test_what_raises_in_every_case_is_said_once_and_named_for_nothing():
    text = shown("a8_attention", LAYER + "check('MultiHeadAttention')")
    assert "1 of 3 visible cases right" in text and text.count("It raised InvalidArgumentError: a matrix [2,3] cannot be") == 1
    assert text.count("    The same error as above.\n") == 1
    assert "differ in length" not in text  # of several mistakes that raise an InvalidArgumentError here


@pytest.mark.parametrize("change, note", [
    (("tf.cast(tf.linalg.matvec(x, w) + b > 0, tf.float32)", "tf.linalg.matvec(x, w) + b > 0"), "returned bool where float32 is asked for"),
    (("> 0, tf.float32", "> 0, tf.float64"), "returned float64 where float32 is asked for"),
    (("> 0, tf.float32", "> 0, tf.float32"), None)])
def test_right_values_of_another_type_get_a_warning_and_all_points(change, note):
    text = shown("a1_neurons", NEURONS.replace(*change) + "check('perceptron')")
    assert "✓ perceptron: 2 of 2 visible cases right, 3 of 3 points" in text
    assert note in text if note else "asked for" not in text


def test_check_without_examples_says_what_to_do(tmp_path):
    result = subprocess.run([sys.executable, "-c", "from autograder import check\ncheck('double')"], cwd=tmp_path,
                            capture_output=True, text=True)
    assert result.returncode == 0 and "expected examples.npz beside the notebook" in result.stdout
    assert "Put the notebook back into the assignment's folder" in result.stdout


def test_an_answer_that_no_cell_has_defined_yet_is_not_called_unwritten():
    text = shown("a4_cross_entropy", "check('softmax')\ncheck()")
    assert "· softmax: softmax is not defined yet: run its cell first. After a restart of the kernel, run all cells" in text
    assert "0 of the 18 points of visible cases so far" in text


def test_a_saved_answer_that_was_never_run_is_noticed(tmp_path, monkeypatch):
    ran = "def double(x):\n    return 2 * x"
    cell = nbformat.v4.new_code_cell(ran, metadata={"nbgrader": {"grade_id": "double"}})
    path = tmp_path / "n.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    shell = SimpleNamespace(events=SimpleNamespace(register=lambda *_: None), set_custom_exc=lambda *_: None, user_ns={"double": 1},
                            history_manager=SimpleNamespace(input_hist_raw=["", ran + "\n"]))
    session = Session(shell)
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    assert session.stale("double") == ""
    cell.source = ran.replace("2", "3")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    assert "has never been run as it is" in session.stale("double")
    path.write_text("{")
    assert session.stale("double") == ""


def test_an_answer_from_a_file_beside_the_notebook_works_nowhere_else_and_that_is_said(release, monkeypatch):
    (release / "mine.py").write_text("def double(x):\n    return x + x\n")
    monkeypatch.chdir(release)
    monkeypatch.syspath_prepend(release)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec("from autograder import check\nfrom mine import double\ncheck('double')", {"__name__": "__main__"})
    assert "✓ double" in said.getvalue() and "`double` comes from mine.py, which grading does not have. The notebook runs alone" in said.getvalue()


def test_a_notebook_is_checked_outside_without_course_or_key(release):
    path = answered(release, double="def double(x):\n    return 2 * x", quadruple="from mine import quadruple")
    (release / "mine.py").write_text("def quadruple(x):\n    return 4 * x\n")
    examples = load(release / "examples.npz")
    save(dataclasses.replace(examples, versions=examples.versions | {"numpy": "1.0.0"}), release / "examples.npz", private=False)
    verdict, key = check_notebook(path)
    assert len(verdict.notes) == 2 and "the expected values were computed with NumPy 1.0.0" in verdict.notes[1]
    status = {question.name: (question.status, question.score, question.max_score) for question in verdict.questions}
    assert status == {"double": ("passed", 10, 10), "quadruple": ("crashed", 0, 10)} and key.max_score == 20
    assert "No module named 'mine'" in verdict.questions[1].message and "The notebook runs alone" in verdict.questions[1].message


def test_bad_notebooks_are_one_line(release, tmp_path):
    with pytest.raises(Unreadable, match="does not exist"):
        check_notebook(release / "nothing.ipynb")
    (release / "examples.npz").unlink()
    with pytest.raises(KeyFileError):
        check_notebook(release / "doubling.ipynb")


def test_the_command_prints_a_table_and_its_errors_are_one_line(release):
    def run(*arguments):
        return subprocess.run([sys.executable, "-m", "autograder", *arguments], cwd=release, capture_output=True, text=True,
                              env={"PATH": "/usr/bin:/bin", "COLUMNS": "160", "HOME": str(release)})

    answered(release, double="def double(x):\n    return x * x")
    done = run("check", "doubling.ipynb")
    assert done.returncode == 0 and "You square" in done.stdout and "missing" not in done.stderr
    for arguments, words in ((("check", "nothing.ipynb"), "does not exist"), (("grade", NAME), "course.toml")):
        done = run(*arguments)
        assert done.returncode == 2 and words in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert run("check").returncode == 2
    assert run("grade", NAME, "--jobs", "0").returncode == 2


def test_the_grade_command_writes_json_and_pages_and_knows_its_exit_status(built_tiny, tmp_path, warm):
    from autograder.authoring import samples

    made = [sample for sample in samples.sample_class(built_tiny, NAME) if sample.student in ("all-right", "blank", "not-json")]
    samples.write_class(made, tmp_path / "in", NAME)
    samples.write_class([samples.Sample("ev<b>il & co", made[0].notebook)], tmp_path / "in", NAME)
    start = time.time()
    done = autograder("grade", NAME, "--submissions", tmp_path / "in", "--jobs", "1", "--json", tmp_path / "out.json",
                      "--reports", tmp_path / "pages", cwd=built_tiny.root)
    assert done.returncode == 0, done.stderr
    data = json.loads((tmp_path / "out.json").read_text())
    assert [submission["student"] for submission in data["submissions"]] == ["all-right", "blank", "ev<b>il & co", "not-json"]
    assert [submission["score"] for submission in data["submissions"]] == [100, 0, 100, 0]
    page = (tmp_path / "pages" / "ev<b>il & co.html").read_text()
    assert "ev&lt;b&gt;il" in page and "ev<b>il" not in page
    assert "out.json" in done.stdout and time.time() - start < 120
    empty = autograder("grade", NAME, "--submissions", tmp_path / "pages", cwd=built_tiny.root)
    assert empty.returncode == 2 and "found no submission" in empty.stderr
