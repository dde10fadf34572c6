"""The README's example is complete and does what the README says."""

import re

from conftest import ROOT, autograder, write_tiny

from autograder.authoring.build import build
from autograder.authoring.lesson import BEGIN, END
from autograder.student.check import check_notebook

README = (ROOT / "README.md").read_text()


def test_the_authors_example_builds_in_under_30_lines_and_names_its_mistake(tmp_path):
    lesson, questions = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in (lesson + questions).splitlines() if line.strip()]) < 30
    course = write_tiny(tmp_path, lesson, questions, "a0_softplus")
    key = build(course, "a0_softplus")
    assert key.max_score == 100 and list(key.questions[0].hints) == ["overflows"]
    text = course.notebook("a0_softplus").read_text()
    assert "log1p" not in text and BEGIN not in text and END not in text
    solved = text.replace('raise NotImplementedError()', 'return tf.math.log(1 + tf.exp(z))')
    assert solved != text
    course.notebook("a0_softplus").write_text(solved)
    verdict, _ = check_notebook(course.notebook("a0_softplus"))
    assert verdict.questions[0].status == "passed"  # only the hidden case is far from zero


def test_the_readme_names_every_room_and_command():
    for path in (ROOT / "autograder").iterdir():
        if not path.name.startswith("__"):
            assert f"`{path.name}" in README, path.name
    commands = autograder("--help", cwd=ROOT).stdout
    for command in ("build", "check", "grade", "demo", "export", "collect", "report", "similarity"):
        assert re.search(rf"\b{command}\b", commands) and re.search(rf"(autograder|make) {command}\b", README)
    for target in ("demo", "test", "build"):
        assert f"make {target}" in README and re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
