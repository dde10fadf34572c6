"""The commands that README and docs show exist, run one after the other, and leave nothing that git would notice."""

import json
import re
import shlex
import shutil
import subprocess
import tomllib
import zipfile

import pytest
import typer
from conftest import ROOT, autograder
from test_ci import NAME, RIGHT, answered
from test_export import cached, wheels  # noqa: F401

import autograder as autograder_package
from autograder.authoring.course import find_course
from autograder.commands import instructor
from autograder.commands.main import app
from autograder.grading.key import load
from autograder.grading.verdict import unreadable
from autograder.grading.versions import installed
from autograder.report.changes import changes
from autograder.report.json import results

STUDENTS = ("check", "ci")  # other tests run them; each starts a worker of its own
FASTER = {"grade": ["--no-gradebook"]}  # what nbgrader makes of a class is tested with it
PAGES = {name: (ROOT / name).read_text() for name in ("README.md", "docs/instructor.md", "docs/classroom.md")}


def shown(page: str) -> list[list[str]]:
    """The command lines of a page's examples, in order, without what `&&` joins and comments say."""
    blocks = re.findall(r"```console\n(.*?)```", PAGES[page], re.DOTALL)
    lines = [line.strip()[2:] for block in blocks for line in block.splitlines() if line.strip().startswith("$ ")]
    return [shlex.split(part, comments=True) for line in lines for part in line.split(" && ")]


def mentioned(page: str, program: str) -> list[list[str]]:
    """What a page's text says of a program between backticks, where it is one command and no more than its beginning."""
    text = re.sub(r"```.*?```", "", PAGES[page], flags=re.DOTALL)
    return [found.split() for found in re.findall(rf"`{program} ([a-z][^`|…]*)`", text)]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_is_shown_exists_with_its_options(page):
    from nbgrader.apps.nbgraderapp import NbGraderApp

    command = typer.main.get_command(app)
    for line in shown(page):
        program, words = line[0].rsplit("/", 1)[-1], line[1:]
        if program == "autograder":
            found = command
            while hasattr(found, "commands"):
                assert words[0] in found.commands, line
                found, words = found.commands[words[0]], words[1:]
            found.make_context(line[1], words)  # complains of an option that is not there, or an argument too many or too few
        elif program == "nbgrader":
            assert words[0] in NbGraderApp.subcommands and words[0] not in ("formgrade", "assign"), line
        elif program == "make":
            target = next(word for word in words if "=" not in word)
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), line
    for words in mentioned(page, "autograder"):
        found = command.commands[words[0]]
        assert not hasattr(found, "commands") or len(words) < 2 or words[1] in found.commands, words
    for words in mentioned(page, "nbgrader"):
        assert words[0].rstrip(",") in NbGraderApp.subcommands, words


def test_the_version_is_told_and_a_gradebook_without_nbgrader_is_refused_before_grading(built_tiny, monkeypatch):
    assert autograder("--version", cwd=built_tiny.root) == (0, f"autograder {autograder_package.__version__}\n", "")
    monkeypatch.setattr(instructor, "find_spec", lambda name: None)
    done = autograder("grade", NAME, cwd=built_tiny.root)
    assert done.returncode == 2 and "pip install '.[instructor]'" in done.stderr and len(done.stderr.strip().splitlines()) == 1


@pytest.fixture
def term(built_tiny, tmp_path):
    """A clone of a course as git has it, with what students and other systems handed in."""
    root = shutil.copytree(built_tiny.root, tmp_path / "course")
    for name in (".gitignore", "nbgrader_config.py"):
        shutil.copy(ROOT / name, root)
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "Start")
    notebook = answered(shutil.copytree(built_tiny.release(NAME), tmp_path / "release"), **RIGHT)
    (root / "submitted/s1000" / NAME).mkdir(parents=True)
    shutil.copy(notebook, root / "submitted/s1000" / NAME)
    for student in ("adal", "turing"):
        (root / "clones" / f"a0-doubling-{student}").mkdir(parents=True)
        shutil.copy(notebook, root / "clones" / f"a0-doubling-{student}")
    (root / "roster.csv").write_text("identifier,github_username,canvas_id\ns1001,AdaL,101\ns1002,turing,102\n")
    with zipfile.ZipFile(root / "submissions.zip", "w") as archive:
        archive.write(notebook, "ada_101_5001_doubling.ipynb")
        archive.write(notebook, "alan_102_5002_doubling.ipynb")
    (root / "gradebook.csv").write_text("Student,ID,SIS User ID,Section,Doubling (4711)\n    Points Possible,,,,100\nAda,101,s1001,A,\nAlan,102,s1002,A,\n")
    (root / "sakai.csv").write_text("Student ID,Name,Softmax [100]\ns1001,Ada,\ns1002,Alan,\n")
    return find_course(root)


def git(folder, *arguments) -> str:
    return subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=folder, check=True, capture_output=True,
                          text=True).stdout


def test_the_commands_for_a_class_run_one_after_the_other_and_git_status_is_clean(term, warm):
    done = []
    for line in (*shown("README.md"), *shown("docs/classroom.md")):
        if line[0].endswith("autograder") and line[1] not in STUDENTS and line not in done:
            done.append(line)
            words = [word.replace("a4_cross_entropy", NAME).replace("cross_entropy", "doubling") for word in line[1:]]
            result = autograder(*words, *FASTER.get(line[1], ()), cwd=term.root)
            assert result.returncode == 0, (line, result)
    assert {line[1] for line in done} == {"grade", "export", "collect"}
    assert {line[2] for line in done if line[1] == "export"} == {"classroom", "gitlab", "classroom50", "gradescope", "canvas", "table", "csv"}
    assert (term.root / "filled.csv").read_text().splitlines()[1:] == ["s1001,Ada,100", "s1002,Alan,100"]
    assert autograder("grade", NAME, "--no-gradebook", "--json", "grades.json", cwd=term.root).returncode == 0
    for folder in ("autograded", "feedback", "downloaded/a0_doubling/archive", "release", "exchange/course/inbound"):  # nbgrader's own
        (term.root / folder).mkdir(parents=True, exist_ok=True)
        (term.root / folder / "file").write_text("")
    assert git(term.root, "status", "--porcelain") == ""
    assert git(ROOT, "ls-files", "--cached", "--ignored", "--exclude-standard") == ""  # and nothing of ours is left out


def test_the_container_gets_what_installing_needs_and_no_answers():
    steps = [line.split(maxsplit=1) for line in (ROOT / "Dockerfile").read_text().splitlines() if line and line[0] not in "# "]
    copied = [name for step, rest in steps if step == "COPY" for name in rest.split()[:-1]]
    allowed = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in allowed and {f"!{name}" for name in copied} == {line for line in allowed if line.startswith("!")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needs = {"pyproject.toml", "autograder", "requirements.lock", project["project"]["readme"], *project["project"]["license-files"],
             *project["tool"]["setuptools"]["dynamic"]["dependencies"]["file"]}
    assert needs == set(copied) and all((ROOT / name).exists() for name in copied)
    installs = [rest for step, rest in steps if step == "RUN" and "pip install" in rest]
    assert ["--require-hashes --requirement requirements.lock" in installs[0], "--editable ." in installs[1]] == [True, True]
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
    assert (ROOT / ".devcontainer" / container["build"]["dockerfile"]).resolve() == ROOT / "Dockerfile"
    assert ["WORKDIR", container["workspaceFolder"]] in steps and ["USER", container["remoteUser"]] in steps


def test_the_results_as_data_have_the_fields_that_are_shown():
    key = load(ROOT / "assignments" / "a4_cross_entropy" / "examples.npz")
    real = results([unreadable("bob", key, "no notebook")], key)
    better = json.loads(json.dumps(real))
    better["submissions"][0]["score"] = better["submissions"][0]["questions"][0]["score"] = 50
    real |= {"changes": changes(real, better), "versions": {"key": installed(), "grader": installed()}}
    block = re.search(r"### The results, as data\n.*?```json\n(.*?)```", PAGES["docs/instructor.md"], re.DOTALL)[1]
    shown = json.loads(re.sub(r", …(?=[\]}])", "", block))

    def fields(one, other, place):
        if isinstance(one, dict) and place not in ("questions", "grader"):
            assert list(one) == list(other), place
            for name in one:
                fields(one[name], other[name], name)
        elif isinstance(one, list) and one:
            fields(one[0], other[0], f"{place} one")

    fields(shown, real, "results")
