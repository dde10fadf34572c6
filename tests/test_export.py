"""What leaves the course: complete, runnable, and without anything hidden."""

import fcntl
import importlib.metadata
import io
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import nbformat
import numpy as np
import pytest
import yaml
from conftest import ASSIGNMENTS, ROOT, TINY_LESSON, TINY_QUESTIONS, autograder, write_tiny
from packaging.requirements import Requirement
from packaging.version import Version
from test_ci import NAME, RIGHT, RUNNER, Reported, answered, breaks, obeyed

from autograder.authoring.build import build
from autograder.authoring.course import CourseError, find_course
from autograder.commands import delivery
from autograder.delivery import export, gradescope, leaks, wheel
from autograder.grading.key import load
from autograder.grading.verdict import broken
from autograder.grading.versions import TENSORFLOW, release

WHEEL = f"autograder-{wheel.version_of(wheel._sources())}-py3-none-any.whl"


@pytest.fixture(scope="session")
def wheels(tmp_path_factory) -> Path:
    """A cache with the student wheel in it, built by whichever test process comes first."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    with open(shared / "wheel.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wheel.student_wheel(shared / "wheel")
    return shared / "wheel"


@pytest.fixture(autouse=True)
def cached(wheels, monkeypatch):
    monkeypatch.setattr(export, "_wheels", lambda course: wheels)


@pytest.fixture(scope="session")
def own_tiny(built_tiny, tmp_path_factory):
    """A copy of the tiny course that these tests may spoil for themselves."""
    def copy():
        root = tmp_path_factory.mktemp("spoilt")
        return find_course(shutil.copytree(built_tiny.root, root / "course", dirs_exist_ok=True))

    return copy


@pytest.fixture
def template(built_tiny, tmp_path):
    export.export_repository(built_tiny, NAME, tmp_path / "template")
    return tmp_path / "template"


def workflow(template) -> dict:
    return yaml.safe_load((template / ".github/workflows/classroom.yml").read_text())


# ---------------------------------------------------------------------------------------------------- the template


def test_the_template_is_complete(template):
    files = sorted(str(path.relative_to(template)) for path in template.rglob("*") if path.is_file())
    assert files == [".devcontainer/devcontainer.json", ".github/workflows/classroom.yml", ".gitignore", "README.md", WHEEL,
                     "constraints.txt", "doubling.ipynb", "examples.npz", "requirements.txt"]
    assert json.loads((template / ".devcontainer/devcontainer.json").read_text())["image"] == "python:3.12"
    text = "\n".join(path.read_text() for path in template.rglob("*") if path.suffix not in (".whl", ".npz") and path.is_file())
    assert "<<" not in text and "<%" not in text and "20 of the assignment's 100 points" in text
    assert "://" not in text and str(ROOT) not in text and str(Path.home()) + "/" not in text and "/tmp" not in text


def test_the_workflow_is_githubs_and_hands_every_question_to_the_reporter(template, built_tiny):
    flow = workflow(template)
    # YAML 1.1 reads `on` as true. Branches only: a tag is a push, too.
    assert flow["name"] == "Autograding Tests" and flow[True] == {"push": {"branches": ["**"]}, "repository_dispatch": None}
    assert flow["concurrency"]["cancel-in-progress"] is True and "github.ref" in flow["concurrency"]["group"]
    assert "!github.event.repository.is_template" in flow["jobs"]["run-autograding-tests"]["if"]
    assert flow["permissions"] == {"checks": "write", "actions": "read", "contents": "read"}
    assert list(flow["jobs"]) == ["run-autograding-tests"]
    steps = flow["jobs"]["run-autograding-tests"]["steps"]
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step["uses"]) for step in steps if "uses" in step)
    reporter, check = steps[-1], next(step for step in steps if step.get("id"))
    questions = [question.name for question in load(built_tiny.key(NAME)).questions]
    assert reporter["with"]["runners"].split(",") == questions
    assert reporter["env"] == {f"{name.upper()}_RESULTS": f"${{{{ steps.{check['id']}.outputs.{name} || env.NOT_RUN }}}}"
                               for name in questions}
    shown = Reported({name: flow["env"]["NOT_RUN"] for name in reporter["env"]}, reporter["with"]["runners"])
    assert shown.failed and shown.notice is None
    assert all(step.get("if") == "${{ !cancelled() }}" for step in steps[steps.index(check) + 1:])
    # What students write gets into no step by text: only outputs, which reach the environment, are filled in.
    assert not any("${{" in step["run"] for step in steps if "run" in step)


def test_gitlabs_pipeline_runs_the_same_steps_and_shows_the_same_cases(built_tiny, template, tmp_path):
    files = export.export_repository(built_tiny, NAME, tmp_path / "gitlab", "gitlab")
    assert set(files) == set(export.export_repository(built_tiny, NAME, template)) - {".github/workflows/classroom.yml"} | {".gitlab-ci.yml"}
    pipeline = yaml.safe_load((tmp_path / "gitlab/.gitlab-ci.yml").read_text())
    steps = workflow(template)["jobs"]["run-autograding-tests"]["steps"]
    assert pipeline["check"]["script"] == [step["run"] for step in steps if "run" in step]
    (kept,) = (step["with"]["path"] for step in steps if "upload-artifact" in step.get("uses", ""))
    artifacts = pipeline["check"]["artifacts"]
    assert artifacts["paths"] == [kept] and artifacts["when"] == "always" and artifacts["reports"] == {"junit": f"{kept}junit.xml"}
    assert pipeline["workflow"]["rules"] == [{"if": "$AUTOGRADER_TEMPLATE", "when": "never"}, {"if": "$CI_COMMIT_BRANCH"}]
    assert pipeline["check"]["interruptible"] is True
    ignored = (tmp_path / "gitlab/.gitignore").read_text().splitlines()
    assert kept in ignored and pipeline["check"]["cache"]["paths"][0].split("/")[0] + "/" in ignored
    assert "GitHub" not in (tmp_path / "gitlab/README.md").read_text() and "Actions" not in (tmp_path / "gitlab/README.md").read_text()


def test_a_repository_for_classroom_50_has_no_workflow_beside_that_of_classroom_50(built_tiny, template):
    (template / ".github/workflows/lint.yml").write_text("name: the teacher's own\n")
    files = export.export_repository(built_tiny, NAME, template, "classroom50")
    assert not [name for name in files if "workflow" in name or "gitlab" in name]
    assert [path.name for path in (template / ".github/workflows").iterdir()] == ["lint.yml"]
    text = (template / "README.md").read_text()
    assert "Classroom 50" in text and "classroom.yml" not in text and "\n\n\n" not in text


def test_a_clone_passes_its_own_steps(built_tiny, template, tmp_path):
    """Each `run` step of the workflow, in a clone. TensorFlow and the like are not installed anew: they are borrowed."""
    answered(template, **RIGHT)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "Start"]):
        subprocess.run([*git, *command], cwd=template, check=True)
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(template), str(clone)], check=True)
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    packages = next(venv.glob("lib/python*/site-packages"))
    (packages / "borrowed.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")) + "\n")
    steps = [step["run"] for step in workflow(clone)["jobs"]["run-autograding-tests"]["steps"] if "run" in step]
    install, check = steps
    assert install.endswith("--requirement requirements.txt")
    environment = {"PATH": f"{venv / 'bin'}:{os.environ['PATH']}", "HOME": str(tmp_path), "GITHUB_ACTIONS": "true",
                   "GITHUB_OUTPUT": str(tmp_path / "output"), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
    pip = [sys.executable, "-m", "pip", "--python", str(venv / "bin/python")]
    arguments = install.removeprefix("python -m pip ").split()
    subprocess.run([*pip, *arguments, "--no-deps", "--no-index"], cwd=clone, check=True, env=environment)
    where = subprocess.run([venv / "bin/python", "-I", "-c", "import autograder; print(autograder.__file__)"], text=True,
                           capture_output=True, check=True).stdout.strip()
    assert where.startswith(str(packages))  # the wheel's own, not this checkout's
    done = subprocess.run(["bash", "-e", "-c", check], cwd=clone, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "20 of 20 points" in done.stdout and obeyed(done.stdout) == []
    outputs = dict(line.split("=", 1) for line in (tmp_path / "output").read_text().splitlines())
    shown = Reported({f"{name.upper()}_RESULTS": value for name, value in outputs.items()}, ",".join(outputs))
    assert shown.notice == shown.total == (20, 20) and not shown.failed
    assert subprocess.run(["git", "status", "--porcelain"], cwd=clone, capture_output=True, text=True).stdout == ""
    assert leaks.find(clone, leaks.secrets(built_tiny, NAME)) == []


def test_exporting_again_updates_a_repository_and_leaves_the_rest(built_tiny, template):
    (template / "notes.md").write_text("mine")
    (template / "README.md").write_text("old")
    before = (template / WHEEL).read_bytes()
    export.export_repository(built_tiny, NAME, template)
    assert (template / "notes.md").read_text() == "mine" and (template / "README.md").read_text() != "old"
    assert (template / WHEEL).read_bytes() == before
    (template / WHEEL).rename(template / "autograder-0.2.0+earlier-py3-none-any.whl")
    export.export_repository(built_tiny, NAME, template)
    assert [path.name for path in template.glob("*.whl")] == [WHEEL]


def test_other_content_is_another_version_and_pip_would_install_it(tmp_path, monkeypatch):
    before = wheel.version_of(wheel._sources())
    shutil.copytree(ROOT / "autograder", tmp_path / "autograder")
    for name in ("pyproject.toml", "requirements.txt", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    monkeypatch.setattr(wheel, "ROOT", tmp_path)
    assert wheel.version_of(wheel._sources()) == before and Version(before).local
    with open(tmp_path / "autograder/report/junit.py", "a") as file:
        file.write("# mended\n")
    assert Version(wheel.version_of(wheel._sources())) != Version(before)
    (tmp_path / "autograder/nbgrader/pages.py").write_text("")  # students get none of it
    assert wheel.version_of(wheel._sources()) != before


def test_what_students_install_is_what_the_examples_were_computed_with(template):
    pins = [Requirement(line) for line in (template / "constraints.txt").read_text().splitlines()]
    here = {pin.name: str(pin.specifier) for pin in pins if pin.marker is None or pin.marker.evaluate()}
    for name in ("keras", "numpy", "ipython"):
        assert here[name] == f"=={importlib.metadata.version(name)}"
    assert {str(pin.specifier) for pin in pins if pin.name.startswith("tensorflow")} == {f"=={release(*TENSORFLOW)}"}  # on every platform
    assert not {"pytest", "ruff", "nbgrader", "psycopg"} & set(here)


def test_names_that_the_reporter_cannot_tell_apart_are_refused(tmp_path):
    swap = lambda text: text.replace("quadruple", "DOUBLE")  # noqa: E731
    course = write_tiny(tmp_path, swap(TINY_LESSON), swap(TINY_QUESTIONS))
    build(course, NAME)
    with pytest.raises(export.ExportError, match="double, DOUBLE"):
        export.export_repository(course, NAME, tmp_path / "template")


def test_the_wheel_is_the_package_alone_with_what_students_need(wheels):
    with zipfile.ZipFile(next(wheels.glob(f"*/{WHEEL}"))) as archive:
        names = archive.namelist()
        metadata = archive.read(next(name for name in names if name.endswith("METADATA"))).decode()
    assert {name.split("/")[0] for name in names} == {"autograder", f"{WHEEL.removesuffix('-py3-none-any.whl')}.dist-info"}
    for name in ("autograder/student/check.py", "autograder/inside/worker.py", "autograder/report/student.html.jinja",
                 "autograder/delivery/templates/repository/classroom.yml.jinja"):
        assert name in names
    assert not any(name.startswith("autograder/nbgrader/") for name in names)
    needs = re.findall(r"^Requires-Dist: ([\w-]+)(?!.*extra ==)", metadata, re.MULTILINE)
    assert {"tensorflow-cpu", "keras", "numpy", "ipykernel"} <= set(needs) and not {"nbgrader", "pytest", "ruff", "scipy"} & set(needs)


# ---------------------------------------------------------------------------------------------------- leaks


@pytest.mark.parametrize("assignment", [  # a lesson with files of its own beside it, and the smallest; the others with the corpora
    pytest.param(name, marks=[] if name in ("a9_transformer", "a1_neurons") else pytest.mark.corpus) for name in ASSIGNMENTS])
def test_the_real_assignments_give_nothing_away(course, assignment, tmp_path):
    export.export_repository(course, assignment, tmp_path / "template")
    export.export_classroom50(course, assignment, tmp_path / "bundle")
    secrets = leaks.secrets(course, assignment)
    assert len(secrets.texts) > 200 and len(secrets.arrays) > 10
    assert leaks.find(tmp_path, secrets) == []


SOLUTION = "    return 2 * x  # the-secret-of-doubling"
HIDDEN = '@quadruple.case(points=40)\ndef more_numbers(rng):\n    """More numbers."""\n    return rng.normal(size=7),'
MISCONCEPTION = '@double.misconception\ndef squares(x):\n    """You square: add the number to itself."""\n    return x * x'
PLANTED = {"solution": SOLUTION, "hidden case": HIDDEN, "misconception": MISCONCEPTION}


def test_what_students_may_know_is_no_secret(built_tiny):
    texts = leaks.secrets(built_tiny, NAME).texts
    assert {what.rsplit(" ", 1)[0] for what in texts.values()} >= {"solution of", "hidden case", "misconception", "the course's"}
    for shown in ("Numbers you can double by hand.", "You square: add the number to itself.", "small_numbers", "return [1.0, 2.0, 5.0]"):
        assert not any(shown == text or shown in text and "def" not in text and '"""' not in text for text in texts)


@pytest.mark.parametrize("what", PLANTED)
@pytest.mark.parametrize("where", ["notebook", "output", "data", "archive", "wheel", "public module"])
def test_what_is_planted_is_found_and_nothing_is_written(own_tiny, tmp_path, monkeypatch, where, what):
    course, text = own_tiny(), PLANTED[what]
    release = course.release(NAME)
    if where == "notebook":
        answered(release, added=[("help", f"# look:\n{text}")])
    elif where == "output":
        path = release / "doubling.ipynb"
        notebook = nbformat.read(path, as_version=4)
        cell = next(cell for cell in notebook.cells if cell.cell_type == "code")
        cell.outputs = [nbformat.v4.new_output("stream", text=text)]
        nbformat.write(notebook, path)
    elif where == "data":
        np.savez_compressed(release / "data.npz", note=np.frombuffer(text.encode(), np.uint8))
    elif where == "archive":
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("inner.txt", text)
        with tarfile.open(release / "data.tar.gz", "w:gz") as outer:
            item = tarfile.TarInfo("inner.zip")
            item.size = len(packed.getvalue())
            outer.addfile(item, io.BytesIO(packed.getvalue()))
    elif where == "public module":
        (release / "tools.py").write_text(f"class Tools:\n    '''\n{text}\n    '''\n")
    else:
        spoilt = Path(shutil.copy(next(export._wheels(course).glob(f"*/{WHEEL}")), tmp_path / WHEEL))
        with zipfile.ZipFile(spoilt, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("autograder/extra.py", text)
        monkeypatch.setattr(export, "student_wheel", lambda cache: spoilt)
    with pytest.raises(leaks.LeakError, match=what) as caught:
        export.export_repository(course, NAME, tmp_path / "template")
    assert not (tmp_path / "template").exists() and "\n" not in str(caught.value)
    if where != "notebook" and where != "output":  # a bundle takes the notebook from the student
        with pytest.raises(leaks.LeakError, match=what):
            export.export_classroom50(course, NAME, tmp_path / "bundle")


def test_the_key_itself_and_its_numbers_are_found(own_tiny, tmp_path):
    course = own_tiny()
    secrets = leaks.secrets(course, NAME)
    key = load(course.key(NAME))
    hidden = next(case for case in key.questions[1].cases if not case.visible)
    for number, content in enumerate((course.key(NAME).read_bytes(), hidden.expected["output"].tobytes(), b"x" + hidden.inputs[0].tobytes(),
                                      (course.root / ".autograder_secret").read_bytes())):
        (tmp_path / "file.bin").write_bytes(content)
        assert leaks.find(tmp_path, secrets), number
    (tmp_path / "file.bin").write_bytes((course.release(NAME) / "examples.npz").read_bytes())
    assert leaks.find(tmp_path, secrets) == []


@pytest.mark.parametrize("trace", ["deleted", "amended", "message", "branch", "packed"])
def test_a_repository_is_searched_with_its_history(built_tiny, template, trace):
    def git(*arguments):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=template, check=True, capture_output=True)

    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--message", "Start")
    export.export_repository(built_tiny, NAME, template)  # nothing there yet
    if trace == "message":
        git("commit", "--allow-empty", "--message", f"Start\n\n{SOLUTION}")
    else:
        if trace == "branch":
            git("checkout", "--quiet", "-b", "draft")
        (template / "draft.py").write_text(HIDDEN)
        git("add", "--all")
        git("commit", "--message", "Draft")
        if trace in ("deleted", "packed"):
            git("rm", "draft.py")
            git("commit", "--message", "Remove the draft")
        elif trace == "amended":
            git("rm", "draft.py")
            git("commit", "--amend", "--message", "Nothing to see", "--allow-empty")
        else:
            git("checkout", "--quiet", "-")
        if trace == "packed":
            git("gc", "--quiet")
    assert not (template / "draft.py").exists()
    with pytest.raises(leaks.LeakError, match="git (blob|commit)"):
        export.export_repository(built_tiny, NAME, template)


def test_a_link_in_a_template_is_refused(built_tiny, template):
    (template / "solution.py").symlink_to(built_tiny.solution(NAME) / "lesson.py")
    with pytest.raises(leaks.LeakError, match="solution.py: a link"):
        export.export_repository(built_tiny, NAME, template)


# ---------------------------------------------------------------------------------------------------- Classroom 50


def test_the_bundle_is_laid_out_as_the_runner_unpacks_it(built_tiny, tmp_path):
    export.export_classroom50(built_tiny, NAME, tmp_path / "bundle")
    with tarfile.open(tmp_path / "bundle/a0-doubling.tar.gz") as archive:
        assert sorted(archive.getnames()) == [f"a0-doubling/{name}" for name in (WHEEL, "autograder.py", "constraints.txt", "release/examples.npz")]
        archive.extractall(tmp_path / "unpacked", filter="data")
    for path in (tmp_path / "unpacked").rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "bundle" / path.relative_to(tmp_path / "unpacked")).read_bytes()
    assert json.loads((tmp_path / "bundle/runtime.json").read_text()) == {"python": "3.12"}
    compile((tmp_path / "unpacked/a0-doubling/autograder.py").read_text(), "autograder.py", "exec")
    with pytest.raises(export.ExportError, match="--slug"):
        export.export_classroom50(built_tiny, NAME, tmp_path / "other", slug="a0_doubling")


def test_the_bundles_autograder_leaves_a_valid_result(built_tiny, tmp_path):
    """As the runner starts it, in a checkout full of tricks. Its installation of TensorFlow is replaced by one that is there."""
    export.export_classroom50(built_tiny, NAME, tmp_path / "bundle")
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    release = shutil.copytree(built_tiny.release(NAME), tmp_path / "release")
    shutil.move(answered(release, double="print('::notice::forged')\ndef double(x):\n    return 3 * x", quadruple=RIGHT["quadruple"]), checkout)
    (checkout / "result.json").write_text('{"score": 100}')
    for name in ("autograder.py", "numpy.py", "json.py", "pip.py"):
        (checkout / name).write_text("raise SystemExit('taken from the checkout')")
    script = tmp_path / "bundle/a0-doubling/autograder.py"
    text = script.read_text()
    assert text.count('"pip", "install", "--quiet"') == 1
    script.write_text(text.replace('"pip", "install", "--quiet"', '"pip", "install", "--dry-run", "--no-deps", "--no-index", "--quiet"'))
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **RUNNER}
    done = subprocess.run([sys.executable, str(script)], cwd=checkout, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((checkout / "result.json").read_text())
    assert breaks(result) == [] and (result["score"], result["max-score"]) == (10, 20) and obeyed(done.stdout) == []
    assert result["tests"][0]["message"].startswith("0 of 1 case right. You triple")
    assert sorted(path.name for path in checkout.iterdir()) == ["autograder.py", "doubling.ipynb", "json.py", "numpy.py", "pip.py", "result.json"]


# ---------------------------------------------------------------------------------------------------- Gradescope


def unpack(course, root: Path) -> Path:
    """Gradescope's folder after its image was built, with this Python in the place of the one setup.sh makes."""
    path = export.export_gradescope(course, NAME, root.parent / "zips")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with zipfile.ZipFile(path) as archive:
        for item in archive.infolist():
            target = Path(archive.extract(item, root / "source"))
            target.chmod(item.external_attr >> 16)
    (root / "venv/bin").mkdir(parents=True)
    (root / "venv/bin/python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (root / "venv/bin/python").chmod(0o755)
    return root


def test_gradescope_gets_hidden_cases_after_publishing_and_student_code_no_key(built_tiny, tmp_path):
    root = unpack(built_tiny, tmp_path / "autograder")
    assert os.access(root / "source/setup.sh", os.X_OK) and os.access(root / "source/run_autograder", os.X_OK)
    subprocess.run(["bash", "-n", str(root / "source/setup.sh")], check=True)
    names = [str(path.relative_to(root / "source")) for path in (root / "source").rglob("*") if path.is_file()]
    assert not any("lesson" in name or "questions" in name for name in names)
    (root / "submission").mkdir()
    release = shutil.copytree(built_tiny.release(NAME), tmp_path / "release")
    search = f"import os\nassert not [name for _, _, names in os.walk({str(root)!r}) for name in names if name == '{NAME}.npz']"
    shutil.move(answered(release, double=f"{search}\ndef double(x):\n    print('<b>')\n    return 2 * x if len(x) == 3 else 0 * x",
                         quadruple=RIGHT["quadruple"]), root / "submission")
    (root / "submission_metadata.json").write_text('{"users": [{"email": "ada@example.org", "name": "Ada"}]}')
    done = subprocess.run([str(root / "source/run_autograder"), str(root)], capture_output=True, text=True, cwd=root)
    assert done.returncode == 0 and "ada@example.org: 60 of 100 points" in done.stdout, done.stdout + done.stderr
    results = json.loads((root / "results/results.json").read_text())
    assert set(results) <= {"score", "execution_time", "output", "output_format", "test_output_format", "test_name_format", "visibility",
                            "stdout_visibility", "extra_data", "tests", "leaderboard"}
    assert results["stdout_visibility"] == "hidden" and f"isolation: {results['extra_data']['isolation']}" in results["output"]
    if results["extra_data"]["isolation"] == "process":
        assert "Grade again on your own machine" in done.stdout
    assert [(test["visibility"], test["score"], test["max_score"], test["status"]) for test in results["tests"]] == [
        ("visible", 10, 10, "passed"), ("after_published", 0, 40, "failed"), ("visible", 10, 10, "passed"),
        ("after_published", 40, 40, "passed")]
    for test in results["tests"]:
        assert set(test) <= {"score", "max_score", "status", "name", "name_format", "number", "output", "output_format", "tags",
                             "visibility", "extra_data"}
        assert test["output_format"] == "text" and (test["visibility"] == "visible" or not re.search(r"\d\.\d{3}", test["output"]))
    assert stat.S_IMODE((root / f"source/course/build/keys/{NAME}.npz").stat().st_mode) == 0o600


def test_gradescope_gets_a_zero_for_a_broken_notebook_and_no_result_for_a_broken_grader(built_tiny, tmp_path, monkeypatch):
    root = unpack(built_tiny, tmp_path / "autograder")
    (root / "submission").mkdir()
    (root / "submission/doubling.ipynb").write_text("{")
    assert gradescope.grade_container(root).startswith("student: 0 of 100")
    results = json.loads((root / "results/results.json").read_text())
    assert sum(test["score"] for test in results["tests"]) == 0 and "not valid JSON" in results["output"]
    (root / "results/results.json").unlink()
    monkeypatch.setattr(gradescope, "grade_all", lambda found, job: [broken("ada", job.key, "no worker")])
    with pytest.raises(CourseError, match="no worker"):
        gradescope.grade_container(root)
    assert not (root / "results/results.json").exists() and (root / f"source/course/build/keys/{NAME}.npz").is_file()


def test_every_command_has_help_and_says_what_it_did(built_tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(built_tiny.root)
    delivery.classroom(NAME, tmp_path / "template")
    delivery.gitlab(NAME, tmp_path / "gitlab")
    delivery.classroom50(NAME, tmp_path / "bundle", None)
    delivery.gradescope(NAME, tmp_path / "zips")
    said = capsys.readouterr().out
    assert "9 files, nothing hidden" in said and "runtime.json" in said and "hidden key" in said
    listed = autograder("export", "--help", cwd=tmp_path).stdout
    for command in ("classroom", "gitlab", "classroom50", "gradescope", "canvas", "moodle", "table", "csv", "junit"):
        assert re.search(rf"\b{command}\b", listed)
