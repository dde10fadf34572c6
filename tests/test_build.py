"""What `autograder build` writes, refuses, and keeps to itself."""

import ctypes
import os
import shutil
import stat
import subprocess
import sys

import keras
import nbformat
import numpy as np
import pytest
from conftest import ASSIGNMENTS, ROOT, TINY_LESSON, TINY_QUESTIONS, write_tiny

from autograder import data
from autograder.authoring import answers
from autograder.authoring import build as building
from autograder.authoring.blame import DeclarationError
from autograder.authoring.build import build, unchanged
from autograder.authoring.lesson import BEGIN, END, load_lesson, read_lesson, strip_solution
from autograder.authoring.question import load_questions
from autograder.commands.author import build_all
from autograder.grading import cache
from autograder.grading import key as keys
from autograder.grading.key import KeyFileError, load, same
from autograder.inside import probes
from autograder.student.check import check_notebook

NAME = "a0_doubling"


def files(root, *folders):
    return {path: path.read_bytes() for folder in folders for path in sorted((root / folder).rglob("*")) if path.is_file()}


def test_building_again_changes_no_byte(tiny):
    build(tiny, NAME)
    before = files(tiny.root, "assignments", "build")
    times = {path: path.stat().st_mtime_ns for path in before}
    build(tiny, NAME)
    assert files(tiny.root, "assignments", "build") == before
    assert len(before) == 10 and times.keys() == before.keys()


def test_a_change_of_anything_that_is_read_or_written_is_noticed(tmp_path, monkeypatch):
    loader, file = next(iter(data.FILES.items()))
    course = write_tiny(tmp_path / "course", lesson=TINY_LESSON + f'\n# %% tags=["demo"]\ndata.{loader}()\n')
    course.data_file(file).parent.mkdir()
    course.data_file(file).write_bytes(b"numbers")
    (course.solution(NAME) / "layers.py").write_text("TWO = 2\n")
    kit = tmp_path / "kit"
    shutil.copytree(cache.PACKAGE, kit, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(cache, "PACKAGE", kit)
    assert not unchanged(course, NAME)
    build(course, NAME)
    assert unchanged(course, NAME)
    read = [*course.solution(NAME).glob("*.py"), course.data_file(file), course.root / keys.SECRET_FILE, kit / "files.py",
            kit / "inside" / "probes.py", kit / "authoring" / "build.py", kit / "grading" / "compare.py"]
    written = [path for folder in (course.release(NAME), course.root / "build") for path in folder.rglob("*") if path.is_file()
               and course.answers(NAME) not in path.parents]  # of which a build makes what it needs again
    assert len(read) == 9 and len(written) == 10
    for path in read + written:
        before = path.read_bytes()
        for after in (before + b"#", before[:-9], None):
            path.unlink() if after is None else path.write_bytes(after)
            assert not unchanged(course, NAME), (path, after)
        path.write_bytes(before)
        assert unchanged(course, NAME), path
    own, released = course.solution(NAME) / "probes.py", course.release(NAME)
    own.write_text("")
    assert not unchanged(course, NAME)
    build(course, NAME)
    (released / "notes.py").write_text("# which no build has put there")
    assert (released / own.name).is_file()
    own.unlink()
    build(course, NAME)
    assert {path.name for path in released.glob("*.py")} == {"layers.py", "notes.py"} and unchanged(course, NAME)


def test_only_assignments_that_have_changed_are_built_unless_asked_for(tmp_path, monkeypatch):
    course, computed = write_tiny(tmp_path), []
    write_tiny(tmp_path, name="a1_doubling")
    monkeypatch.setattr(building, "FEW", 0)  # so that `run` is asked for whatever is computed

    def run(function, tasks):
        computed.append((function.folder.name, sum(len(names) for _, _, names in tasks)))
        return map(function, tasks)

    build_all(course, [NAME, "a1_doubling"], run)
    assert sorted(computed) == [(NAME, 18), ("a1_doubling", 18)]
    build_all(course, [NAME, "a1_doubling"], run)
    assert len(computed) == 2
    course.notebook(NAME).unlink()
    build_all(course, [NAME, "a1_doubling"], run)
    assert len(computed) == 2 and course.notebook(NAME).is_file()
    build_all(course, ["a1_doubling"], run, fresh=True)
    assert computed[2:] == [("a1_doubling", 18)]


def test_what_ends_its_process_gives_none_and_costs_no_other_task_its_result(monkeypatch):
    monkeypatch.setattr(building, "ready", os.getpid)  # nothing here needs TensorFlow
    with building.processes(2) as run:
        assert list(run(ctypes.string_at, [b"first", 1, b"second", 1, b"third"])) == [b"first", None, b"second", None, b"third"]
        assert list(run(ctypes.string_at, [b"later"])) == [b"later"]


def test_what_is_no_longer_wanted_is_not_computed(tmp_path, monkeypatch):
    monkeypatch.setattr(building, "ready", os.getpid)
    with building.processes(1) as run:
        results = run(subprocess.call, [["sh", "-c", f"sleep 0.1; touch {tmp_path}/{number}"] for number in range(20)])
        next(results)
        results.close()
        assert list(run(ctypes.string_at, [b"next"])) == [b"next"]
    assert 1 <= len(list(tmp_path.iterdir())) < 10  # a process has a few in its hands already


def test_a_case_whose_answers_end_their_process_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(building, "FEW", 0)

    def run(work, tasks):
        return [None if task[:2] == ("double", "random_numbers") else work(task) for task in tasks]

    with pytest.raises(DeclarationError, match="double.random_numbers: the reference or a mistake ended the process that computed it"):
        build(write_tiny(tmp_path), NAME, run)


# What an author changes -> the answers of the tiny course that are computed again, by question and what is found.
EDITS = {
    "nothing": ({}, {}, set()),
    "words, points and tolerances": ({"Double it.": "Double them."}, {
        "once too often": "too often", "Random numbers.": "Numbers.", "points=10, visible": "points=9, visible",
        "points=40)\ndef more": "points=41)\ndef more", "Question(lesson.double)": "Question(lesson.double, rtol=1e-3)"}, set()),
    "comments and demos": ({"the-secret": "my-secret", 'print("demo", double(1))': "double(2)"}, {"return 3 * x": "return 3 * x  # !"}, set()),
    "a mistake": ({}, {"return 3 * x": "return 5 * x"}, {("double", "triples 0"), ("quadruple", "on double.triples")}),
    "a mistake that uses the reference": ({}, {"return lesson.double(x)": "return lesson.double(x) + 0"}, {("quadruple", "doubles_once 0")}),
    "the second answer": ({"double(double(x))": "2 * double(x)"}, {}, {
        ("quadruple", name) for name in ("the reference", "axes", "on double.squares", "on double.triples")}),
    "the first answer": ({"2 * x  #": "x + x  #"}, {}, {("double", "the reference"), ("double", "axes")} | {
        ("quadruple", name) for name in ("the reference", "axes", "doubles_once 0", "on double.squares", "on double.triples")}),
    "inputs of a case": ({}, {"rng.normal(size=7)": "rng.normal(size=8)"}, {("quadruple", name) for name in (
        "the reference", "axes", "doubles_once 0", "on double.squares", "on double.triples")}),
    "what a setup cell does": ({"from autograder import check": "from autograder import check\nnp.seterr(all='ignore')"}, {}, "all"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_computes_what_depends_on_it_and_the_key_is_as_if_all_had_been(tmp_path, monkeypatch, edit):
    lesson, questions, expected = EDITS[edit]
    course, found = write_tiny(tmp_path), set()
    build(course, NAME)
    declared = {question.name: question for question in load_questions(course.solution(NAME))}
    everything = {(asked.question.name, name) for asked in answers.ask(course, NAME, declared) for name in asked.digests}
    texts = [TINY_LESSON, TINY_QUESTIONS]
    for number, changes in enumerate((lesson, questions)):
        for old, new in changes.items():
            assert texts[number].count(old) >= 1, old
            texts[number] = texts[number].replace(old, new, 1)
    write_tiny(tmp_path, *texts)
    monkeypatch.setattr(building, "FEW", 0)

    def run(function, tasks):
        found.update((question, name) for question, _, names in tasks for name in names)
        return map(function, tasks)

    kept = build(course, NAME, run)
    written = course.key(NAME).read_bytes()
    assert found == (everything if expected == "all" else expected)
    assert build(course, NAME, fresh=True).digest == kept.digest and course.key(NAME).read_bytes() == written


def test_what_is_observed_keeps_its_order_in_the_answers_that_are_kept(tmp_path):
    course = write_tiny(tmp_path, TINY_LESSON, TINY_QUESTIONS.replace("points=40)\ndef random", 'points=40, probe=probes.gradients())\ndef random')
                        .replace("import tensorflow as tf\n", "import tensorflow as tf\nfrom autograder.inside import probes\n"))
    first = build(course, NAME)
    assert [list(case.expected) for case in first.questions[0].cases if case.probe.name == "gradients"] == [["output", "gradient of x"]]
    assert build(course, NAME).digest == first.digest and not any(asked.missing for asked in answers.ask(
        course, NAME, {question.name: question for question in load_questions(course.solution(NAME))}))


LAYER_LESSON = '''
# %%
import keras

# %% question="Scaled"
class Scaled(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        ### BEGIN SOLUTION
        super().__init__(**kwargs)
        self.units, self.inner, self.scale = units, keras.layers.Dense(units), None

    def call(self, x):
        if self.scale is None:
            self.scale = self.add_weight(shape=(self.units,), name="scale")
        return self.scale * self.inner(x)

    def get_config(self):
        return {**super().get_config(), "units": self.units}
        ### END SOLUTION
'''

LAYER_QUESTIONS = '''
import numpy as np
from autograder import Question, load_lesson, probes

lesson = load_lesson(__file__)
Scaled = Question(lesson.Scaled)


def case(batch, rng):
    return {"config": {"units": 2}, "call": [rng.normal(size=(batch, 3))],
            "weights": {"inner/kernel": np.arange(6.0).reshape(3, 2), "inner/bias": np.ones(2), "scale": np.array([2.0, 3.0])}}


@Scaled.case(points=20, visible=True)
def called(rng):
    """Called."""
    return case(4, rng)


@Scaled.case(points=20, probe=probes.layer_in_model())
def in_a_model(rng):
    """In a model."""
    return case(5, rng)


@Scaled.case(points=60, probe=probes.layer_config())
def copied(rng):
    """Copied."""
    return case(6, rng)


@Scaled.misconception
class doubles(lesson.Scaled):
    """You double."""

    def call(self, x):
        return 2 * super().call(x)
'''


def test_layers_that_keras_would_try_first_give_in_the_key_what_they_give_in_a_notebook(tmp_path):
    course = write_tiny(tmp_path, LAYER_LESSON, LAYER_QUESTIONS)
    keras_builds = keras.layers.Layer._maybe_build
    key = build(course, NAME)
    assert keras.layers.Layer._maybe_build is keras_builds
    (question,) = load_questions(course.solution(NAME))
    assert question.misconceptions[0].answer.__name__ == "doubles"
    for case in key.questions[0].cases:
        rows = (case.inputs["call"][0] @ np.arange(6.0).reshape(3, 2) + 1) * [2, 3]  # scale * (x · kernel + bias)
        (wrong,) = case.misconceptions["doubles"]
        again = probes.exercise(question.answer, case.probe, case.inputs, "x")["output"]
        for found, factor in ((case.expected["output"], 1), (wrong.observation["output"], 2), (again, 1)):
            np.testing.assert_allclose(found, factor * rows, rtol=1e-5, atol=1e-5)


def test_the_hidden_key_and_the_secret_are_for_their_owner_alone(tiny):
    build(tiny, NAME)
    for path in (tiny.key(NAME), tiny.root / keys.SECRET_FILE):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tiny.release(NAME) / "examples.npz").stat().st_mode) == 0o644


def test_another_secret_makes_other_hidden_inputs_and_the_same_examples(tiny, monkeypatch):
    monkeypatch.setenv("AUTOGRADER_SECRET", "one")
    first = build(tiny, NAME)
    examples = (tiny.release(NAME) / "examples.npz").read_bytes()
    monkeypatch.setenv("AUTOGRADER_SECRET", "two")
    second = build(tiny, NAME)
    hidden = [next(case for case in key.questions[0].cases if not case.visible) for key in (first, second)]
    assert not np.allclose(hidden[0].inputs[0], hidden[1].inputs[0])
    assert (tiny.release(NAME) / "examples.npz").read_bytes() == examples
    assert first.digest != second.digest


def test_last_bit_noise_does_not_rewrite_committed_examples(tiny):
    key = build(tiny, NAME).examples()
    case = key.questions[0].cases[0]
    case.expected["output"] = case.expected["output"] * np.float32(1 + 2e-7)
    assert keys.same(load(tiny.release(NAME) / "examples.npz"), key)
    case.expected["output"] = case.expected["output"] * np.float32(1.01)
    assert not keys.same(load(tiny.release(NAME) / "examples.npz"), key)


def test_the_notebook_has_stubs_points_and_valid_nbgrader_metadata(tiny):
    build(tiny, NAME)
    notebook = nbformat.read(tiny.notebook(NAME), as_version=4)
    nbformat.validate(notebook)
    cells = {cell.id: cell for cell in notebook.cells}
    assert cells["double"].source.endswith("    # YOUR CODE HERE\n    raise NotImplementedError()")
    assert '"""Twice x.' in cells["double"].source
    assert cells["double-check"].source == 'check("double")  # 50 points'
    assert cells["double"].metadata.nbgrader == {
        "schema_version": 3, "grade_id": "double", "grade": False, "solution": True, "locked": False, "task": False,
        "cell_type": "code"}
    assert cells["double-check"].metadata.nbgrader == {
        "schema_version": 3, "grade_id": "double-check", "grade": True, "solution": False, "locked": True, "task": False,
        "cell_type": "code", "points": 50}
    demo = [cell for cell in notebook.cells if "demo" in cell.metadata.get("tags", [])]
    assert len(demo) == 1 and "nbgrader" not in demo[0].metadata
    assert demo[0].metadata["jupyter"] == {"source_hidden": True} and demo[0].metadata["cellView"] == "form"  # its code is folded
    assert len(cells) == len(notebook.cells)


def test_modules_beside_the_lesson_are_imported_by_it_and_shipped(tmp_path):
    lesson = TINY_LESSON.replace("import tensorflow as tf", "import tensorflow as tf\nfrom layers import two")
    lesson = lesson.replace("2 * x", "two(x) * x")
    loaded = []
    for place, number in (("a", 2), ("b", 2.0)):  # another course's layers.py is another module
        course = write_tiny(tmp_path / place, lesson=lesson)
        (course.solution(NAME) / "layers.py").write_text(f"def two(x):\n    return {number}\n")
        before = list(sys.path)
        key = build(course, NAME)
        assert sys.path == before
        loaded.append(repr(load_lesson(course.solution(NAME) / "questions.py").two(None)))
        assert np.array_equal(key.questions[0].cases[0].expected["output"], [2, 4, 10])
        for folder in (course.release(NAME), course.nbgrader_source(NAME)):
            assert sorted(path.name for path in folder.iterdir()) == ["doubling.ipynb", "examples.npz", "layers.py"]
        path = course.notebook(NAME)
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.id == "double":
                cell.source = "def double(x):\n    return two(x) * x"
        nbformat.write(notebook, path)
        verdict, _ = check_notebook(path)
        assert [question.status for question in verdict.questions] == ["passed", "missing"] and verdict.notes == ()
    assert loaded == ["2", "2.0"]


def test_an_edit_elsewhere_leaves_the_other_cells_ids(tmp_path):
    before = [cell.id for cell in read_lesson(write_tiny(tmp_path / "a").solution(NAME))]
    edited = TINY_LESSON.replace("# # Doubling", "# # Doubling, again\n\n# %% [markdown]\n# A new cell.")
    after = [cell.id for cell in read_lesson(write_tiny(tmp_path / "b", lesson=edited).solution(NAME))]
    assert len(after) == len(before) + 1 and set(before[1:]) <= set(after)


def test_each_region_is_stubbed_at_its_own_depth():
    source = f"class A:\n    def f(self):\n        {BEGIN}\n        return 1\n        {END}\n\n    x = 2\n    {BEGIN}\n    y = 3\n    {END}"
    assert strip_solution(source) == ("class A:\n    def f(self):\n        # YOUR CODE HERE\n        raise NotImplementedError()\n\n"
                                      "    x = 2\n    # YOUR CODE HERE\n    raise NotImplementedError()")


@pytest.mark.parametrize("old, new, words", [
    ("    ### END SOLUTION\n\n# %% tags", "\n# %% tags", "expected pairs of"),
    ('question="quadruple"', 'question="double"', "two cells"),
    ('# %% question="quadruple"', "# %%", "for which lesson.py has no cell"),
])
def test_a_lesson_that_does_not_fit_is_refused(tmp_path, old, new, words):
    assert old in TINY_LESSON
    with pytest.raises(DeclarationError, match=words):
        build(write_tiny(tmp_path, lesson=TINY_LESSON.replace(old, new)), NAME)


@pytest.mark.parametrize("old, new, words", [
    ("points=40)\ndef random", "points=41)\ndef random", "add up to 100. Received: 101"),
    ("points=40)\ndef random", "points=4.5)\ndef random", "whole number"),
    ("points=10, visible=True)\ndef small", "points=10)\ndef small", "no visible case"),
    ("points=40)\ndef random", "points=40, visible=True)\ndef random", "20 points at most"),
    ("    return x * x", "    return 2 * x", "no case tells the misconception squares"),
    ("    return 3 * x", "    return x * x", "no case tells the misconceptions squares and triples from one another"),
    ('    """Random numbers."""\n', "", "needs a docstring"),
    ("def triples", "def squares", "declared twice"),
    ('uses=("double",)', 'uses=("treble",)', "no earlier question"),
    ("rng.normal(size=4),", "rng.normal(size=4)", "expected a tuple"),
    ("rng.normal(size=4),", "[float('nan'), rng.normal()],", "must be finite"),
    ("rng.normal(size=4),", "None, rng.normal(),", "the reference raised"),
])
def test_questions_that_could_not_be_graded_fairly_are_refused(tmp_path, old, new, words):
    assert old in TINY_QUESTIONS
    course = write_tiny(tmp_path, questions=TINY_QUESTIONS.replace(old, new))
    with pytest.raises(DeclarationError, match=words):
        build(course, NAME)
    assert not course.key(NAME).exists() and not course.release(NAME).exists()


@pytest.mark.parametrize("damage", [b"", b"no zip", None])
def test_a_missing_or_damaged_key_is_one_clear_line(tmp_path, damage, built_tiny):
    path = tmp_path / "key.npz"
    if damage is not None:
        path.write_bytes(damage)
    with pytest.raises(KeyFileError, match="autograder build") as caught:
        load(path)
    assert "\n" not in str(caught.value)
    whole = built_tiny.key(NAME).read_bytes()
    for cut in range(0, len(whole), max(1, len(whole) // 40)):
        path.write_bytes(whole[:cut])
        with pytest.raises(KeyFileError):
            load(path)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), keys.atomic(path) as file:
        file.write(b"new")
        raise ZeroDivisionError
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["file"]


def hidden_words(folder) -> dict[str, str]:
    """Lines that must not be in a release: solutions, and the code of cases and misconceptions."""
    import inspect

    words = {}
    for cell in read_lesson(folder):
        if cell.question:
            inside = False
            for line in cell.source.splitlines():
                inside = (inside or line.strip() == BEGIN) and line.strip() != END
                if inside and len(line.strip()) > 24:
                    words[line.strip()] = f"solution of {cell.question}"
    for question in load_questions(folder):
        for case in question.cases:
            if not case.visible:
                words[f'"{case.name}"'] = f"hidden case of {question.name}"
        for item in question.misconceptions:
            for line in inspect.getsource(item.answer).splitlines():
                if "return" in line and len(line.strip()) > 30:
                    words[line.strip()] = f"misconception {item.name}"
    # A line that a stub, setup or demo cell shows anyway is no secret.
    public = "\n".join(strip_solution(cell.source) if cell.question else cell.source for cell in read_lesson(folder))
    return {word: what for word, what in words.items() if word not in public}


def leaks(release, words) -> list[str]:
    found = []
    for path in release.rglob("*"):
        if path.suffix == ".npz":
            with np.load(path) as file:
                text = " ".join(file[name].tobytes().decode("latin-1") for name in file.files)
        else:
            text = path.read_text(encoding="utf-8") if path.is_file() else ""
        text = text.replace('\\"', '"')
        found += [f"{path.name}: {what}" for word, what in words.items() if word in text]
    return found


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_the_release_holds_no_solution_no_hidden_case_and_no_misconceptions_code(course, assignment):
    words = hidden_words(course.solution(assignment))
    assert len(words) > 30
    assert leaks(course.release(assignment), words) == []


def test_the_leak_scan_finds_what_is_planted(tmp_path):
    words = hidden_words(ROOT / "solutions" / ASSIGNMENTS[0])
    for word in list(words)[::7]:
        (tmp_path / "notebook.ipynb").write_text(f"… {word} …")
        assert leaks(tmp_path, words)


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_the_committed_release_is_what_the_lesson_builds(course, assignment):
    built, committed = course.release(assignment), ROOT / "assignments" / assignment
    names = sorted(path.name for path in built.iterdir())
    assert names == sorted(path.name for path in committed.iterdir() if not path.name.startswith("."))
    assert same(load(built / "examples.npz"), load(committed / "examples.npz"))  # up to the last bits of another processor
    assert [name for name in names if name != "examples.npz" and (built / name).read_bytes() != (committed / name).read_bytes()] == []


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_nbgraders_source_holds_the_solutions_and_student_files_only(course, assignment):
    folder = course.nbgrader_source(assignment)
    notebook = nbformat.read(folder / course.notebook(assignment).name, as_version=4)
    written = sum(cell.kind == "written" for cell in read_lesson(course.solution(assignment)))
    assert sum(BEGIN in cell.source for cell in notebook.cells) == len(load_questions(course.solution(assignment))) + written
    released = {path.name for path in course.release(assignment).iterdir()}
    assert {path.name for path in folder.iterdir()} == released
