"""nbgrader's exchange between accounts of one machine: a teacher and two students, each with rights of their own only."""

import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from conftest import ROOT, open_closed_parents

NAME = "a0_doubling"
PEOPLE = {"teacher": 41001, "ada": 41002, "bob": 41003}
RIGHT = {"double": "def double(x):\n    return 2 * x", "quadruple": "def quadruple(x):\n    return double(double(x))"}
pytestmark = [pytest.mark.corpus, pytest.mark.skipif(
    os.getuid() != 0 or not shutil.which("unshare") or not shutil.which("setpriv"),
    reason="playing several accounts needs root, and unshare and setpriv of util-linux")]


class Machine:
    """Accounts that exist for the commands that are run here, and nowhere else: in mount namespaces of their own."""

    def __init__(self, folder: Path):
        self.folder, self.users = folder, folder / "passwd"
        folder.chmod(0o755)
        lines = [f"{name}:x:{number}:{number}::{folder / name}:/bin/sh\n" for name, number in PEOPLE.items()]
        self.users.write_text(Path("/etc/passwd").read_text() + "".join(lines))
        (folder / "exchange").mkdir()
        (folder / "exchange").chmod(0o777)
        for name in PEOPLE:
            (folder / name).mkdir(mode=0o700)
            (folder / name / "nbgrader_config.py").write_text(self.config())
        self.give("ada", "bob")

    def config(self) -> str:
        return (f"c = get_config()\nc.Exchange.root = {str(self.folder / 'exchange')!r}\nc.CourseDirectory.course_id = 'course'\n")

    def give(self, *names: str) -> None:
        """Make a home, and all that is in it, its owner's."""
        for name in names:
            for path in (self.folder / name, *(self.folder / name).rglob("*")):
                os.chown(path, PEOPLE[name], PEOPLE[name], follow_symlinks=False)

    def run(self, name: str, *command: str, status: int = 0) -> str:
        """What a command says in the home of its user."""
        home = self.folder / name
        script = open_closed_parents([Path(sys.base_prefix), Path(sys.prefix), ROOT, *map(Path, sys.path)])
        user = ["setpriv", f"--reuid={PEOPLE[name]}", f"--regid={PEOPLE[name]}", "--clear-groups", "--bounding-set=-all"]
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", f"{script}\nmount --bind {self.users} /etc/passwd\ncd {home}\nexec \"$@\"", "sh", *user,
             sys.executable, "-m", *command], text=True, capture_output=True, timeout=300,
            env={**os.environ, "HOME": str(home), "TMPDIR": str(home), "LOGNAME": name, "USER": name, "PYTHONDONTWRITEBYTECODE": "1",
                 "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"})
        assert done.returncode == status, done.stdout[-2000:] + done.stderr[-3000:]
        return done.stdout + done.stderr

    def work(self, name: str, **answers: str) -> None:
        path = self.folder / name / NAME / "doubling.ipynb"
        notebook = json.loads(path.read_text())
        for cell in notebook["cells"]:
            cell["source"] = answers.get(cell.get("id"), cell["source"])
        path.write_text(json.dumps(notebook))


@pytest.fixture
def machine(built_tiny, request):
    folder = Path(tempfile.mkdtemp(prefix="exchange-"))  # not pytest's, which others may not enter
    request.addfinalizer(lambda: shutil.rmtree(folder))
    machine = Machine(folder)
    shutil.copytree(built_tiny.root, folder / "teacher", dirs_exist_ok=True)
    settings = (ROOT / "nbgrader_config.py").read_text() + machine.config().replace("c = get_config()\n", "")
    (folder / "teacher" / "nbgrader_config.py").write_text(settings + "c.LateSubmissionPlugin.penalty_method = 'zero'\n")
    machine.give("teacher")
    return machine


def test_from_release_to_feedback_and_a_second_submission_that_is_late(machine):
    def grades():
        machine.run("teacher", "nbgrader", "export", "--to", "grades.csv")
        with open(machine.folder / "teacher" / "grades.csv", newline="") as file:
            return {row["student_id"]: (float(row["raw_score"]), float(row["late_submission_penalty"]), row["status"])
                    for row in csv.DictReader(file)}

    def feedback(student):
        said = machine.run(student, "nbgrader", "fetch_feedback", NAME)
        pages = sorted((machine.folder / student / NAME / "feedback").glob("*/doubling.html"))
        assert all(path.stat().st_uid == PEOPLE[student] for path in pages)
        return [page.read_text() for page in pages], said

    machine.run("teacher", "nbgrader", "generate_assignment", NAME)
    machine.run("teacher", "nbgrader", "release_assignment", NAME)
    for student in ("ada", "bob"):
        machine.run(student, "nbgrader", "fetch_assignment", NAME)
    machine.work("ada", **RIGHT)
    machine.work("bob", double="def double(x):\n    return x * x")
    for student in ("ada", "bob"):
        machine.run(student, "nbgrader", "submit", NAME)
    machine.run("teacher", "nbgrader", "collect", NAME)
    by_hand = machine.folder / "teacher" / "submitted" / "cy" / NAME
    by_hand.mkdir(parents=True)
    shutil.copy(machine.folder / "teacher" / "submitted" / "ada" / NAME / "doubling.ipynb", by_hand)
    machine.give("teacher")
    machine.run("teacher", "autograder", "grade", NAME)
    assert grades() == {"ada": (100, 0, "graded"), "bob": (0, 0, "graded"), "cy": (100, 0, "graded")}
    machine.run("teacher", "nbgrader", "generate_feedback", NAME)
    said = machine.run("teacher", "nbgrader", "release_feedback", NAME)
    assert f"feedback/cy/{NAME}: not released, because the submission did not come through the exchange" in said
    (page,), _ = feedback("ada")
    assert "Score: 100.0 / 100.0" in page and "You square" not in page
    (page,), _ = feedback("bob")
    assert "Score: 0.0 / 100.0" in page and "You square: add the number to itself." in page
    assert not [path for path in (machine.folder / "exchange" / "course" / "feedback").iterdir() if path.suffix != ".html"]

    time.sleep(1.1)  # the exchange tells submissions apart by the second
    machine.run("teacher", "nbgrader", "db", "assignment", "add", NAME, "--duedate", f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")
    time.sleep(1.1)
    machine.work("bob", **RIGHT)
    machine.run("bob", "nbgrader", "submit", NAME)
    said = machine.run("teacher", "nbgrader", "collect", NAME, "--update")
    assert "Updating submission: bob" in said and "No newer submission to collect: ada" in said
    said = machine.run("teacher", "nbgrader", "autograde", NAME)
    assert "bob: 100 of 100" in said and "Skipping existing assignment" in said and "ada: " not in said
    assert grades() == {"ada": (100, 0, "graded"), "bob": (100, 100, "graded"), "cy": (100, 0, "graded")}
    machine.run("teacher", "nbgrader", "generate_feedback", NAME)
    machine.run("teacher", "nbgrader", "release_feedback", NAME)
    pages, said = feedback("bob")
    assert len(pages) == 2 and "You square" in pages[0] and "Score: 0.0 / 100.0" in pages[1]
    assert "Late submission penalty (Score: -100.0)" in pages[1]
    assert "Could not find feedback" not in said
