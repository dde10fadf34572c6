"""A class of notebooks as students hand them in: right work loses no points, and what is odd is said in a sentence."""

import io
import json
import zipfile

import nbformat
import pytest
from conftest import warm_job

from autograder.authoring.lesson import read_lesson, solved_notebook, student_notebook
from autograder.authoring.question import load_questions
from autograder.grading import batch
from autograder.grading.key import load
from autograder.sandbox.sandbox import Limits

pytestmark = pytest.mark.xdist_group("grade")  # one process, whose tests share workers
NAME = "a0_doubling"
FILE = "doubling.ipynb"
DOUBLE, QUADRUPLE = "def double(x):\n    return x + x", "def quadruple(x):\n    return double(double(x))"
LIMITS = Limits(cell_seconds=10, case_seconds=5, submission_seconds=60)


class Notebooks:
    """The tiny course's notebooks, to be changed: `made(double=…, quadruple=…, before=[…], after=[…])`."""

    def __init__(self, course):
        folder = course.solution(NAME)
        cells, questions = read_lesson(folder), load_questions(folder)
        self.blank = json.loads(nbformat.writes(student_notebook(cells, questions)))
        self.solved = json.loads(nbformat.writes(solved_notebook(cells, questions)))

    def made(self, double=DOUBLE, quadruple=QUADRUPLE, before=(), after=(), between=()):
        notebook = json.loads(json.dumps(self.blank))
        cells = []
        for cell in notebook["cells"]:
            cells.append(cell)
            if cell["id"] in ("double", "quadruple") and (source := {"double": double, "quadruple": quadruple}[cell["id"]]) is not None:
                cell["source"] = source
            if cell["id"] == "double-check":
                cells += map(code, between)
        notebook["cells"] = [*map(code, before), *cells, *map(code, after)]
        return notebook


def code(source):
    return {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None}


def cell(notebook, name):
    return next(item for item in notebook["cells"] if item.get("id") == name)


def colab(notebook):
    """As Colab saves it: no ids, its own metadata."""
    for number, item in enumerate(notebook["cells"]):
        item["metadata"] = {**item["metadata"], "id": f"aB{number}", "colab": {"base_uri": "https://localhost:8080/"}}
        item.pop("id", None)
    notebook.update(nbformat_minor=0, metadata={"colab": {"provenance": []}, "kernelspec": {"name": "ir", "display_name": "R"}})


def bare(notebook):
    """As editors save it that keep nothing but sources, in the order of the notebook."""
    for item in notebook["cells"]:
        item["metadata"] = {}
        item.pop("id", None)


def format_3(notebook):
    bare(notebook)
    cells = [{**item, "input": item["source"], "language": "julia", "collapsed": False} if item["cell_type"] == "code" else item
             for item in notebook.pop("cells")]
    notebook.update(nbformat=3, nbformat_minor=0, worksheets=[{"metadata": {}, "cells": cells}])


def twice(notebook):
    for item in notebook["cells"]:
        item["id"] = "same"


def moved(notebook):
    notebook["cells"].reverse()


def split(notebook):
    first = cell(notebook, "double")
    first["source"] = "scale = 2"
    notebook["cells"].insert(notebook["cells"].index(first) + 1, {**first, "id": "second", "source": "def double(x):\n    return scale * x"})


def one_cell(notebook):
    """Both answers in one cell of the student's own; the cells for them are gone."""
    notebook["cells"] = [item for item in notebook["cells"] if item.get("id") not in ("double", "quadruple")] + [code(f"{DOUBLE}\n\n{QUADRUPLE}")]


def changed(change, **answers):
    def make(notebooks):
        notebook = notebooks.made(**answers)
        change(notebook)
        return {FILE: notebook}
    return make


def answers(**answers):
    return lambda notebooks: {FILE: notebooks.made(**answers)}


def named(*names):
    return lambda notebooks: {name: notebooks.made() for name in names}


def packed(notebooks):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a0_doubling/doubling.ipynb", json.dumps(notebooks.made()))
    return {"homework.zip": file.getvalue()}


# Right work, however it is handed in: everything, with this note or none.
RIGHT = {
    "as-it-should-be": (answers(), None),
    "colab": (changed(colab), None), "bare": (changed(bare), None), "format-3": (changed(format_3), None),
    "same-ids": (changed(twice), None), "moved": (changed(moved), None), "split": (changed(split), "is there 2 times"),
    "one-cell": (changed(one_cell), None),
    "markdown": (changed(lambda notebook: cell(notebook, "double").update(cell_type="markdown")), None),
    "renamed": (named("doubling (1).ipynb"), "The notebook is doubling (1).ipynb"), "zip": (packed, "The notebook is homework.zip"),
    "copy": (named(FILE, "doubling-Copy1.ipynb"), "Beside it lies what was not graded: doubling-Copy1.ipynb."),
    "utf-16": (lambda notebooks: {FILE: json.dumps(notebooks.made()).encode("utf-16")}, "read as UTF-16"),
    "lambda": (answers(double="double = lambda x: x + x"), None),
    "more-parameters": (answers(double="def double(x, factor=2.0, *, verbose=False, **more):\n    return x * factor"), None),
    "partial": (answers(double="import functools\n\ndef times(factor, x):\n    return factor * x\ndouble = functools.partial(times, 2.0)"), None),
    "in-another-cell": (answers(double=None, between=[DOUBLE]), None), "async": (answers(before=["import asyncio\nawait asyncio.sleep(0)"]), None),
    "magics": (answers(double="%matplotlib widget\n%load_ext no_such_extension\n%tensorflow_version 2.x\n%config InlineBackend.figure_format = 'retina'\n"
                              "!ls\n" + DOUBLE), None),
    "time": (answers(double="%%time\n" + DOUBLE), None), "capture": (answers(double="%%capture shown\n" + DOUBLE), None),
    "help": (answers(double=DOUBLE + "\ndouble?"), None),
    "main": (answers(double="if __name__ == '__main__':\n    def double(x):\n        return x + x"), None),
    "result-under-its-name": (answers(after=["double = double(tf.constant([1.0]))"]),
                              "uses the name double for something else; what its answer cell defined was graded."),
    "result-before-it-is-used": (answers(between=["double = 3"]), "uses the name double"),
    "names-of-python": (answers(double="def double(x):\n    return tf.constant([2.0 * float(y) for y in list(x)])", after=["list = [1]\nfloat = 1", "tf = 3"]), None),
    "helper-reused": (answers(before=["def factor():\n    return 2.0"], double="def double(x):\n    return factor() * x",
                              between=["factor = 4.0"], quadruple="def quadruple(x):\n    return factor * x"), None),
    "deleted": (answers(after=["del double, tf"]), "deletes double; what was there before it was graded."),
    "reset": (answers(after=["%reset -f"]), "deletes double, quadruple;"), "reset-first": (answers(before=["%reset -f"]), None),
    "import-that-fails-and-is-not-needed": (answers(before=["from google.colab import drive\ndrive.mount('/content/drive')"]),
                                            "No module named 'google.colab'"),
}


@pytest.fixture(scope="module")
def verdicts(built_tiny, tmp_path_factory):
    """Every row's verdict."""
    notebooks, folder = Notebooks(built_tiny), tmp_path_factory.mktemp("submitted")
    for student, (make, *_) in (RIGHT | WRONG | {"tuple": (answers(double=TUPLE),)}).items():
        for name, content in make(notebooks).items():
            path = folder / student / NAME / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    job = batch.Job(load(built_tiny.key(NAME)), built_tiny.skeleton(NAME), tuple(built_tiny.released_files(NAME)), LIMITS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch.Job, "warm", warm_job)
        return {verdict.student: verdict for verdict in batch.grade_all(batch.find_submissions(folder, NAME)[0], job)}


@pytest.mark.parametrize("student", RIGHT)
def test_right_work_gets_everything(verdicts, student):
    verdict, note = verdicts[student], RIGHT[student][1]
    assert (verdict.score, verdict.error) == (100, None), [question.message for question in verdict.questions]
    assert len(verdict.notes) == (note is not None) and all(note in line for line in verdict.notes), verdict.notes


COLAB = "from google.colab import files\nFACTOR = 2.0"
TUPLE = "def double(x):\n    return x + x, [x]"
# What is not right, and what is said of both questions.
WRONG = {
    "other-name": (answers(double="def my_double(x):\n    return x + x"), "double is not defined: its cell defines `my_double` instead."),
    "timeit": (answers(double="%%timeit -n 1 -r 1\n" + DOUBLE), "begins with `%%timeit`, which keeps nothing of what it runs. Delete that line."),
    "writefile": (answers(double="%%writefile double.py\n" + DOUBLE), "`%%writefile`, which writes its lines to a file and runs none of them."),
    "bash": (answers(double="%%bash\n" + "true"), "`%%bash`, which does not run it as code of this notebook."),
    "file-beside": (answers(double="from doubling_helper import double"), "with the course's files and packages: do without it, or"),
    "half-precision": (answers(before=["import keras\nkeras.config.set_dtype_policy('mixed_float16')"],
                               double="import keras\n\ndef double(x):\n    return keras.layers.Dense(1)(x[:, None])[:, 0]"),
                       "leaves Keras with another precision than float32"),
    "raises": (answers(before=["import numpy as np\nnp.seterr(all='raise')"], double="def double(x):\n    return np.zeros(1) / np.zeros(1)"),
               "leaves NumPy raising an exception"),
    "comments": (answers(double="# def double(x):\n\n#     return x + x"), "every line of its cell is a comment."),
    "quoted": (answers(double=f"'''\n{DOUBLE}\n'''"), "double is not written yet: its cell runs and does not define it."),
    "syntax": (answers(double=DOUBLE + "\nreturn return"), "did not get as far as defining"),
    "import-that-fails": (answers(before=[COLAB], double="def double(x):\n    return FACTOR * x"),
                          "did not get as far as defining `FACTOR`. It raised ModuleNotFoundError: No module named 'google.colab' at"),
    "no-eager": (answers(before=["import tensorflow as tf\ntf.compat.v1.disable_eager_execution()"]), "leaves eager execution switched off"),
}


@pytest.mark.parametrize("student", WRONG)
def test_what_is_odd_is_said_as_it_is_also_where_others_build_on_it(verdicts, student):
    for question in verdicts[student].questions:
        assert question.score == 0 and WRONG[student][1] in question.message, question.message


def test_several_values_in_place_of_one_are_called_that(verdicts):
    double, quadruple = verdicts["tuple"].questions
    assert {case.message for case in double.cases} == {"It returned 2 values; one is expected. The first is right: return that alone."}
    assert (double.score, double.status) == (0, "failed") and "Your `double` is not right yet" in quadruple.message
