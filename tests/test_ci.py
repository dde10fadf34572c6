"""What a student's repository reports at a push: right for every client that reads it, and not to be forged by printing."""

import base64
import datetime
import itertools
import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import markdown_it
import nbformat
import pytest

from autograder.grading.key import EXAMPLES, load
from autograder.grading.verdict import CaseVerdict, QuestionVerdict, Verdict, broken, unreadable
from autograder.report import classroom, classroom50
from autograder.report.escape import log_line, markdown, one_line, workflow_command
from autograder.report.json import results
from autograder.report.junit import junit
from autograder.report.summary import job_summary
from autograder.sandbox.sandbox import Limits
from autograder.student import ci

NAME = "a0_doubling"
RIGHT = {"double": "def double(x):\n    return 2 * x", "quadruple": "def quadruple(x):\n    return 4 * x"}


@pytest.fixture
def release(built_tiny, tmp_path):
    return shutil.copytree(built_tiny.release(NAME), tmp_path / "release")


def answered(release, added=(), **answers) -> Path:
    """The released notebook with answers, and cells added in front as (id, source)."""
    path = release / "doubling.ipynb"
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.source = answers.get(cell.id, cell.source)
    data = json.loads(nbformat.writes(notebook))
    data["cells"] = [{"cell_type": "code", "id": name, "metadata": {}, "execution_count": None, "outputs": [], "source": source}
                     for name, source in added] + data["cells"]
    path.write_text(json.dumps(data, indent=1))
    return path


def run_ci(notebook, tmp_path, *arguments, **variables):
    """`autograder ci` as a workflow's step runs it; returns the process and the files it told GitHub with."""
    files = {name: tmp_path / name.lower() for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV", "GITHUB_PATH")}
    for path in files.values():
        path.write_text("")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GITHUB_ACTIONS": "true", **variables}
    done = subprocess.run([sys.executable, "-m", "autograder", "ci", notebook.name, *arguments], cwd=notebook.parent, text=True,
                          capture_output=True, env=environment | {name: str(path) for name, path in files.items()})
    return done, {name: path.read_text() for name, path in files.items()}


def verdict_of(*questions) -> Verdict:
    """A verdict on questions given as lists of (points, passed)."""
    made = []
    for number, cases in enumerate(questions):
        shown = tuple(CaseVerdict(f"c{i}", f"Case {i}.", True, passed, points, "" if passed else "Wrong.")
                      for i, (points, passed) in enumerate(cases))
        score, total = sum(points for points, passed in cases if passed), sum(points for points, _ in cases)
        status = "passed" if score == total else "partial" if score else "failed"
        made.append(QuestionVerdict(f"question_{number}", status, score, total, "Said.", None, shown))
    return Verdict("ada", "graded", sum(question.max_score for question in made), 0.5, None, tuple(made))


# ---------------------------------------------------------------------------------------------------- GitHub Classroom


class Reported:
    """What the reporter action does with results, in JavaScript's arithmetic: a model of its version 1."""

    def __init__(self, environment: dict[str, str], runners: str):
        names = runners.split(",")
        read = [json.loads(base64.b64decode(environment[f"{name.upper()}_RESULTS"])) for name in names]
        self.log, self.passed, self.count = [], 0, 0
        for result in read:
            for test in result["tests"]:  # KeyError stands for its crash
                self.count += 1
                self.passed += test["status"] == "pass"
                self.log.append(f"Error: {test['message'] or test['name']}" if test["status"] == "error" else
                                f"{'✅' if test['status'] == 'pass' else '❌'} {test['name']}")
                if test.get("test_code"):
                    self.log += ["Test code:", test["test_code"]]
        self.table = [(name, self._share(result), result.get("max_score") or 0) for name, result in zip(names, read)]
        self.total = sum(score for _, score, _ in self.table), sum(maximum for *_, maximum in self.table)
        counted = [result for result in read if result.get("max_score")]
        self.notice = (sum(test.get("score", math.nan) for result in counted for test in result["tests"]),
                       sum(result["max_score"] for result in counted)) if counted else None
        self.failed = any(result["status"] in ("fail", "error") for result in read)

    @staticmethod
    def _share(result) -> float:
        tests = result["tests"]
        return sum(test["status"] == "pass" for test in tests) / len(tests) * (result.get("max_score") or 0) if tests else math.nan


def reported(outcomes: dict[str, dict]) -> Reported:
    return Reported({f"{name.upper()}_RESULTS": classroom.encoded(result) for name, result in outcomes.items()}, ",".join(outcomes))


def test_the_model_of_the_reporter_shows_its_known_traps():
    test = {"name": "a", "status": "pass", "score": 1, "message": "", "test_code": ""}
    lost = test | {"status": "fail", "score": 0}
    whole = {"version": 1, "status": "pass", "max_score": 3, "tests": [test]}
    unequal = reported({"q": whole | {"tests": [test | {"score": 2}, lost]}})
    assert unequal.notice[0] == 2 and unequal.table[0][1] == 1.5
    assert math.isnan(reported({"q": whole | {"tests": [{key: test[key] for key in test if key != "score"}]}}).notice[0])
    assert math.isnan(reported({"q": whole | {"tests": []}}).table[0][1])
    assert reported({"q": whole | {"tests": [test | {"score": 0.1}, test | {"score": 0.2}]}}).notice[0] != 0.3
    with pytest.raises(KeyError):
        reported({"q": {"version": 1, "status": "pass", "max_score": 3}})
    with pytest.raises(TypeError):
        reported({"q": whole | {"tests": [test | {"score": "1"}]}})


POINTS = [(1,), (3,), (2, 2), (2, 2, 1), (4, 6), (3, 5, 7), (1, 1, 1, 1), (20,), (7, 13), (2, 4, 6, 8)]


@pytest.mark.parametrize("points", POINTS, ids=str)
def test_the_reporters_notice_and_table_agree_whatever_was_won(points):
    for won in itertools.product((True, False), repeat=len(points)):
        verdict = verdict_of(list(zip(points, won)), [(2, True)])
        shown = reported(classroom.question_results(verdict))
        assert shown.notice == shown.total == (verdict.score, verdict.max_score)
        assert [score for _, score, _ in shown.table] == [question.score for question in verdict.questions]
        assert all(type(number) is int for number in shown.notice) and str(shown.total[0]) in (str(verdict.score), f"{verdict.score}.0")
        assert shown.failed == (verdict.score < verdict.max_score)


def test_results_keep_to_the_contracts_keys_and_types():
    for result in classroom.question_results(verdict_of([(2, True), (4, False)], [(1, True)])).values():
        assert list(result) == ["version", "status", "max_score", "tests"] and result["version"] == 1
        assert result["status"] in ("pass", "fail", "error") and type(result["max_score"]) is int and result["tests"]
        for test in result["tests"]:
            assert list(test) == ["name", "status", "score", "message", "test_code", "filename", "line_no", "execution_time"]
            assert test["status"] in ("pass", "fail") and type(test["score"]) is int and test["test_code"] == ""


def test_a_check_that_failed_or_never_ran_is_an_error_and_no_zero(built_tiny):
    key = load(built_tiny.release(NAME) / EXAMPLES)
    outcomes = classroom.question_results(broken("ada", key, "no worker"))
    shown = reported(outcomes)
    assert {result["status"] for result in outcomes.values()} == {"error"} and shown.failed
    assert shown.notice == (0, 100) and all("not your fault" in line for line in shown.log)
    shown = reported({"double": classroom.not_run(), "quadruple": classroom.not_run()})
    assert shown.notice is None and shown.total == (0, 0) and shown.failed
    assert shown.log == ["Error: The check did not run. The step before this one says why."] * 2


def test_an_unreadable_notebook_is_all_failed_tests(built_tiny):
    shown = reported(classroom.question_results(unreadable("ada", load(built_tiny.release(NAME) / EXAMPLES), "expected a notebook")))
    assert shown.notice == shown.total == (0, 100) and shown.failed


def test_results_fit_into_the_environment_however_long_the_messages_are():
    cases = tuple(CaseVerdict(f"c{i}", "😀" * 5000, True, False, 1 + i % 2, "😀" * 100_000) for i in range(13))
    question = QuestionVerdict("long", "failed", 0, sum(case.points for case in cases), "😀" * 100_000, None, cases)
    verdict = Verdict("ada", "graded", question.max_score, 1, None, (question,), ("😀" * 10_000,) * 500)
    assert sum(len(classroom.encoded(result)) for result in classroom.question_results(verdict).values()) < 100_000
    assert len(job_summary(verdict, 100, "process").encode()) < 2**20
    assert all(len(line) < 1000 for line in ci.log_lines(ci.Push(Path("n.ipynb"), verdict, None, 100)))


# ---------------------------------------------------------------------------------------------------- Classroom 50

TEXT, COUNT = {"type": "string", "minLength": 1}, {"type": "integer", "minimum": 0}
RESULT_V1 = {
    "type": "object", "additionalProperties": False,
    "required": ["schema", "classroom", "assignment", "assignment_type", "owner", "submission", "commit", "release", "review",
                 "datetime", "score", "max-score", "tests"],
    "properties": {
        "schema": {"const": "classroom50/result/v1"}, "classroom": TEXT, "assignment": TEXT, "commit": TEXT, "release": TEXT,
        "review": TEXT, "owner": TEXT, "assignment_type": {"enum": ["individual", "group"]},
        "submission": {"type": "string", "pattern": "^submit/"},
        "datetime": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}, "score": COUNT, "max-score": COUNT,
        "tests": {"type": "array", "maxItems": 100, "items": {
            "type": "object", "required": ["test-name", "passed", "score", "max-score"],
            "properties": {"test-name": TEXT, "passed": {"type": "boolean"}, "score": COUNT, "max-score": COUNT,
                           "message": {"type": "string"}}, "additionalProperties": False}}}}
RUNNER = {"CLASSROOM": "cs1", "ASSIGNMENT": "a0-doubling", "SUBMISSION_TAG": "submit/2026-11-23T03-00-00Z-abc1234",
          "COMMIT_URL": "https://example.org/commit/1", "RELEASE_URL": "https://example.org/release/1"}


def breaks(result: dict) -> list[str]:
    """Which of Classroom 50's rules a result breaks, once its runner has added what it adds itself."""
    stamped = result | {"owner": "ada", "assignment_type": "individual"}
    found = [error.message for error in jsonschema.Draft202012Validator(RESULT_V1).iter_errors(stamped)]
    # JSON Schema takes 2.0 for an integer and cannot compare fields; the collector can.
    numbers = [result["score"], result["max-score"], *(test[key] for test in result["tests"] for key in ("score", "max-score"))]
    found += [f"{number!r} is no integer" for number in numbers if type(number) is not int]
    found += ["more points than there are" for part in (result, *result["tests"]) if part["score"] > part["max-score"]]
    return found


def test_classroom_50_accepts_the_result():
    now = datetime.datetime(2026, 11, 23, 4, 0, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))
    for won in itertools.product((True, False), repeat=3):
        verdict = verdict_of([(2, won[0]), (3, won[1])], [(1, won[2])])
        result = classroom50.result(verdict, RUNNER, now)
        assert breaks(result) == []
        assert (result["score"], result["max-score"]) == (verdict.score, 6) and result["datetime"] == "2026-11-23T03:00:00Z"
        assert [test["passed"] for test in result["tests"]] == [won[0] and won[1], won[2]]
    assert result["review"] == RUNNER["COMMIT_URL"]
    assert classroom50.result(verdict, RUNNER | {"REVIEW_URL": "https://r"}, now)["review"] == "https://r"
    with pytest.raises(KeyError):
        classroom50.result(verdict, {}, now)


def test_the_schema_notices_what_classroom_50_refuses():
    result = classroom50.result(verdict_of([(2, True)]), RUNNER, datetime.datetime.now(datetime.UTC))
    for change in ({"score": 2.5}, {"score": 2.0}, {"extra": 1}, {"submission": "main"}, {"datetime": "today"}, {"score": 3},
                   {"tests": result["tests"] * 101}):
        assert breaks(result | change), change


def test_no_result_is_made_up_when_nothing_could_be_graded(built_tiny):
    with pytest.raises(ValueError, match="no worker"):
        classroom50.result(broken("ada", load(built_tiny.release(NAME) / EXAMPLES), "no worker"), RUNNER,
                           datetime.datetime.now(datetime.UTC))


# ---------------------------------------------------------------------------------------------------- forging

COMMAND = re.compile(r"\s*::([A-Za-z][\w-]*)(?: [^\n]*?)?::")


def obeyed(log: str) -> list[str]:
    """The commands that a GitHub runner would obey in a log: `::name …::` at a line's start, `##[name]` anywhere."""
    commands, token = [], None
    for line in log.splitlines():
        if token is not None:
            token = None if line.strip() == f"::{token}::" else token
        elif line.strip().startswith("::stop-commands::"):
            token = line.strip().removeprefix("::stop-commands::")
        elif found := COMMAND.match(line):
            commands.append(found[1])
        elif "##[" in line:
            commands.append(line)
    assert token is None, "the log ends with commands stopped"
    return commands


def test_the_model_of_the_runner_sees_commands():
    assert obeyed("::notice::a\n x ::error::b\n  ::error file=a,line=1::c\nx ##[debug]d") == ["notice", "error", "x ##[debug]d"]
    assert obeyed("::stop-commands::T\n::notice::a\n##[error]b\n::T::\n::notice::c") == ["notice"]


FORGERY = "::notice title=Autograding complete::Points 100/100"
FORGING = f'''
import os, sys
evil = "{FORGERY}\\n::set-output name=double::forged\\n##[error]forged\\n\\x1b[2J\\x1b[1;1H\\r{FORGERY}\\n"
print(evil)
print(evil, file=sys.stderr)
print(evil, file=sys.__stdout__)
for descriptor in (1, 2):
    os.write(descriptor, evil.encode())
os.system("echo '{FORGERY}'")
# What no printing reaches: the grader's own log and files, as far as this account may write to them.
parent = os.getppid()
while parent > 1:
    try:
        variables = dict(entry.split(b"=", 1) for entry in open(f"/proc/{{parent}}/environ", "rb").read().split(b"\\0") if b"=" in entry)
        for name in (b"GITHUB_OUTPUT", b"GITHUB_STEP_SUMMARY", b"GITHUB_ENV", b"GITHUB_PATH"):
            if name in variables:
                open(variables[name], "a").write("double=forged\\n# Points 100/100\\n")
        if b"GITHUB_OUTPUT" in variables:
            with open(f"/proc/{{parent}}/fd/1", "w") as log:
                log.write(evil)
        parent = int(open(f"/proc/{{parent}}/stat").read().rsplit(")", 1)[1].split()[1])
    except OSError:
        break
'''
EVIL = ("| ::error::x\n::notice::Points 100/100\r\n##[error]y <img src=x onerror=alert(1)> <script>z</script> **bold** [link](https://e.org) "
        "![i](https://e.org/i.png) | cell | `code` $x$ @teacher https://e.org www.e.org :tada: \x1b[31m\u202e# Points 100/100")


def test_printing_forges_no_command_no_points_and_no_summary(release, tmp_path):
    notebook = answered(
        release, added=[(f"x\n{FORGERY}\n# {EVIL}", "1 / 0"), ("printing", FORGING)],
        double=f"def double(x):\n    print({FORGERY!r})\n    exec({FORGING!r})\n    return 3 * x",
        quadruple=f"def quadruple(x):\n    raise ValueError({EVIL!r})")
    done, told = run_ci(notebook, tmp_path)
    assert done.returncode == 0, done.stderr
    assert obeyed(done.stdout) == ["error", "error"] and obeyed(done.stderr) == []
    for line in done.stdout.splitlines():
        if line.startswith("::error"):
            assert re.match(r"::error file=doubling\.ipynb,line=\d+,title=(double|quadruple)%3A 0 of 10 points::", line)
    ours = re.split(r"::[0-9a-f]{32}::\n", done.stdout)[-1]  # what was written into the log behind our back is before this
    assert len(ours.splitlines()) > 4 and not any(character in ours for character in "\x1b\r\u202e")
    outputs = dict(line.split("=", 1) for line in told["GITHUB_OUTPUT"].splitlines())
    assert list(outputs) == ["double", "quadruple"]
    shown = Reported({f"{name.upper()}_RESULTS": value for name, value in outputs.items()}, "double,quadruple")
    assert shown.notice == shown.total == (0, 20) and obeyed("\n".join(shown.log)) == []
    assert told["GITHUB_ENV"] == told["GITHUB_PATH"] == ""
    assert told["GITHUB_STEP_SUMMARY"].startswith("## Visible cases: 0 of 20 points\n") and "# Points" not in told["GITHUB_STEP_SUMMARY"]
    assert sorted(path.name for path in (release / "autograding").iterdir()) == [
        "classroom.json", "junit.xml", "report.html", "results.json", "summary.md"]


def rendered(text: str) -> ElementTree.Element:
    """Markdown as GitHub renders it: CommonMark with tables, raw HTML let through."""
    html = markdown_it.MarkdownIt("commonmark").enable("table").render(text)
    return ElementTree.fromstring(f"<body>{html}</body>")


def test_what_a_student_chose_is_plain_text_in_the_summary():
    cases = (CaseVerdict("c", EVIL, True, False, 2, EVIL),)
    question = QuestionVerdict("double", "failed", 0, 2, EVIL, None, cases)
    page = rendered(job_summary(Verdict("ada", "graded", 2, 1, EVIL, (question,), (EVIL, f"- {EVIL}", "`")), 100, "process"))
    tags = {element.tag for element in page.iter()}
    assert tags <= {"body", "h2", "p", "strong", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "code", "details", "summary"}
    assert all(len(row) == 4 for row in page.findall(".//table")[0].iter("tr"))
    assert all(len(row) == 5 for row in page.findall(".//table")[1].iter("tr"))
    message = "".join(page.findall(".//table")[0].findall(".//td")[3].itertext())
    assert "<script>z</script> **bold** [link](https://e.org)" in message and "| cell | code $x$ @teacher" in message
    raw = markdown(EVIL)  # GitHub also makes links, mentions, formulas and emoji of text
    assert not any(mark in raw for mark in ("https://", "www.", "@", ":tada:", "$", "|"))


@pytest.mark.parametrize("text", [EVIL, "::notice::a", "  ::add-mask::x", "a\n::notice::b", "##[group]x", "\r::error::", "", "::"])
def test_a_log_line_is_one_line_and_no_command(text):
    line = log_line(text)
    assert len(line.splitlines()) <= 1 and obeyed(line) == [] and obeyed(f"✗ {line}") == []
    assert len(one_line("x" * 5000)) == 400


def test_commands_escape_what_would_end_them():
    line = workflow_command("error", "100% of a, b: c\n::notice::d", title="a,b:c%\n", line=3)
    assert line == "::error title=a%2Cb%3Ac%25,line=3::100%25 of a, b: c ::notice::d"
    assert obeyed(line) == ["error"]


# ---------------------------------------------------------------------------------------------------- broken notebooks


def in_process(notebook, tmp_path, release=None):
    said = []
    files = {name: tmp_path / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    for path in files.values():
        path.write_text("")
    environment = {name: str(path) for name, path in files.items()} | {"GITHUB_ACTIONS": "true"}
    checked = ci.ci(notebook, tmp_path / "reports", release, environment=environment, say=said.append)
    return checked, said, dict(line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text().splitlines())


@pytest.mark.parametrize("damage", ["not json", "empty", "missing", "link", "directory", "no cells", "odd cells"])
def test_a_broken_notebook_still_gives_a_valid_result(release, tmp_path, damage):
    notebook = release / "doubling.ipynb"
    notebook.unlink()
    if damage == "link":
        notebook.symlink_to("/etc/passwd")
    elif damage == "directory":
        notebook.mkdir()
    elif damage != "missing":
        notebook.write_text({"not json": '{"cells": [', "empty": "", "no cells": '{"grades": [100]}',
                             "odd cells": '{"cells": [1, null, {"cell_type": 3, "source": {"a": 1}}]}'}[damage])
    checked, said, outputs = in_process(notebook, tmp_path)
    shown = Reported({f"{name.upper()}_RESULTS": value for name, value in outputs.items()}, ",".join(outputs))
    assert checked and list(outputs) == ["double", "quadruple"] and shown.notice == shown.total == (0, 20) and shown.failed
    assert set(obeyed("\n".join(said))) <= {"error", "notice"} and "root:" not in "\n".join(said)
    for name in ("results.json", "classroom.json"):
        json.loads((tmp_path / "reports" / name).read_text())
    suite = ElementTree.parse(tmp_path / "reports" / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "2")


@pytest.mark.parametrize("damage", [None, b"", b"no zip"])
def test_without_examples_nothing_is_checked_and_that_is_said(release, tmp_path, damage):
    path = release / EXAMPLES
    path.unlink() if damage is None else path.write_bytes(damage)
    checked, said, outputs = in_process(release / "doubling.ipynb", tmp_path)
    assert not checked and outputs == {} and obeyed("\n".join(said)) == ["error"] and "expected examples.npz" in said[-1]
    assert ElementTree.parse(tmp_path / "reports" / "junit.xml").getroot().get("errors") == "1"
    assert "could not be checked" in (tmp_path / "reports" / "summary.md").read_text()


def test_a_grader_that_fails_is_an_error_and_the_step_fails(release, tmp_path, monkeypatch):
    monkeypatch.setattr(ci, "check_notebook", lambda *_: (_ for _ in ()).throw(RuntimeError("our fault")))
    checked, said, outputs = in_process(release / "doubling.ipynb", tmp_path)
    assert not checked and {json.loads(base64.b64decode(value))["status"] for value in outputs.values()} == {"error"}
    assert "our fault" in said[2]


def test_endless_and_dying_code_gives_results_in_time(release):
    notebook = answered(release, added=[("dies", "import os; os._exit(1)")], double="def double(x):\n    while True: pass",
                        quadruple=RIGHT["quadruple"])
    push = ci.check_push(notebook, limits=Limits(cell_seconds=3, case_seconds=2, submission_seconds=60))
    assert [(question.status, question.score) for question in push.verdict.questions] == [("timeout", 0), ("passed", 10)]


def test_only_the_notebook_is_taken_from_the_checkout_when_a_release_is_named(release, built_tiny, tmp_path):
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    notebook = Path(shutil.move(answered(release, **RIGHT, added=[("q", "import quiet")]), checkout / "doubling.ipynb"))
    (checkout / "examples.npz").write_bytes(b"easier examples")
    (checkout / "quiet.py").write_text("print('not shipped')")
    push = ci.check_push(notebook, release=built_tiny.release(NAME))
    assert push.verdict.score == 20 and push.total == 100
    assert any("quiet" in note for note in push.verdict.notes)  # not even importable


# ---------------------------------------------------------------------------------------------------- where, and JUnit


@pytest.mark.parametrize("style", ["jupyter", "ascii", "one line"])
def test_annotations_point_at_the_line_where_the_cell_begins(release, style):
    notebook = answered(release, double="\n# naïve: \"quoted\"\ndef double(x):\n    return x * x")
    data = json.loads(notebook.read_text())
    notebook.write_text(json.dumps(data, ensure_ascii=style != "jupyter", indent=None if style == "one line" else 1))
    lines = ci.cell_lines(notebook, {"double", "quadruple"})
    text = notebook.read_text().splitlines()
    if style == "one line":
        assert set(lines.values()) == {1}
    else:
        assert "quoted" in text[lines["double"] - 1] and "def quadruple" in text[lines["quadruple"] - 1]
    assert ci.cell_lines(release / "nothing.ipynb", {"double"}) == {}


def test_an_unreadable_notebook_is_one_annotation(built_tiny):
    key = load(built_tiny.release(NAME) / EXAMPLES)
    (line,) = ci.github_annotations(ci.Push(Path("n.ipynb"), unreadable("ada", key, "expected a notebook; the file is empty."), key, 100))
    assert line == "::error file=n.ipynb,title=not checked::expected a notebook; the file is empty."


def test_at_most_ten_annotations_of_a_kind():
    push = ci.Push(Path("n.ipynb"), verdict_of(*[[(1, False)]] * 14, *[[(1, True), (1, False)]] * 12, [(1, True)]), None, 100)
    made = [line.split(" ")[0] for line in ci.github_annotations(push)]
    assert made == ["::error"] * 10 + ["::warning"] * 10


def test_junit_counts_add_up_and_hold_no_illegal_character(built_tiny):
    key = load(built_tiny.release(NAME) / EXAMPLES)
    cases = (CaseVerdict("a", "A.", True, True, 1, ""), CaseVerdict("b", "B.", True, False, 1, "x \x00\x1b\ud800 <&\"' ]]>"))
    verdict = Verdict("<ada> & \x07", "graded", 2, 1.25, None, (QuestionVerdict("q", "partial", 1, 2, "One.", None, cases),
                      QuestionVerdict("essay", "manual", None, 5, "By hand.", None, ())))
    root = ElementTree.fromstring(junit(results([verdict, broken("bob", key, "no")], key)).encode())
    assert {name: root.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "5", "failures": "1", "errors": "2", "skipped": "1"}
    suite = root[0]
    assert suite.get("name") == "<ada> & ?" and suite.get("tests") == "3" and suite.get("time") == "1.250"
    assert suite.find(".//failure").get("message").endswith("<&\"' ]]>")
