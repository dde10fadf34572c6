"""`autograder demo`: a newcomer's first screen is whole, true, and says what comes next."""

import io
import json
import re

import pytest
import typer
from rich.console import Console
from rich.progress import Progress

from autograder.authoring import samples
from autograder.commands import demo, instructor
from autograder.commands.main import app
from autograder.grading.key import load
from autograder.grading.verdict import unreadable
from autograder.report.terminal import class_table
from autograder.sandbox.sandbox import Limits


@pytest.fixture(scope="module")
def shown(built_tiny):
    """The lines of a demo of the tiny course, with its one assignment chosen by itself."""
    with pytest.MonkeyPatch.context() as patch:
        console = Console(record=True, width=80, file=io.StringIO())
        patch.chdir(built_tiny.root)
        patch.setattr(demo, "out", console)
        patch.setattr(instructor, "out", console)
        patch.setattr(demo, "LIMITS", Limits(cell_seconds=2, case_seconds=20, submission_seconds=60))
        demo.demo(None, everything=False, jobs=1, mistakes=1)
        return console.export_text().splitlines()


def test_every_kind_of_notebook_gets_what_it_earned(shown):
    rows = {line.split()[0]: line.split()[1:] for line in shown[2:10]}
    assert rows.pop("all-right") == ["100", "50", "50"]
    assert rows.pop("half-finished") == ["50", "50", "·"]
    assert rows.pop("not-json")[0] == "unread."
    assert rows.pop("wrong-1")[:5] == ["50", "0", "50", "1:", "squares"]
    assert rows.pop("wrong-2")[:5] == ["50", "50", "0", "2:", "doubles_once"]
    assert rows.pop("endless-cell")[1] == "∞"
    assert rows.pop("syntax-error")[1] == "✗"
    assert rows.pop("wants-the-key")[1] in ("✗", "0") and not rows  # a plain process finds the key, which is no answer


def test_what_it_says_to_open_is_there_and_what_it_says_to_try_exists(shown, built_tiny):
    page, overview = (built_tiny.root / path for path in re.findall(r"build/\S+", "\n".join(shown)))
    assert "You square: add the number to itself." in overview.read_text()
    assert "You square: add the number to itself." in page.read_text() and page.stem in {line.split()[0] for line in shown if line}
    assert json.loads(overview.with_suffix(".json").read_text())["submissions"] == 8
    tries = re.findall(r"autograder (\w+) *(\S*)", "\n".join(shown[-3:]))
    assert [name for name, _ in tries] == ["check", "doctor", "demo"]
    assert {name for name, _ in tries} <= set(typer.main.get_command(app).commands)
    assert (built_tiny.root / tries[0][1]).is_file() and tries[2][1] == "--all"


def test_everything_fits_a_screen(built):
    """80 x 24 with a line for the next prompt: the table of the course's own demo, and what is said below it."""
    course = built(demo.FIRST)
    key = load(course.key(demo.FIRST))
    made = samples.demo_class(course, demo.FIRST)
    console = Console(record=True, width=80, file=io.StringIO())
    console.print(class_table([unreadable(sample.student, key, "it is long " * 20) for sample in made], key, 80))
    lines = console.export_text().splitlines()
    assert len(lines) + 5 < 24 and max(map(len, lines)) <= 80
    for sample in made:
        assert any(line.startswith(f"{sample.student} ") for line in lines)
    for question in key.questions:
        assert any(f" {question.name} /{question.max_score}" in line for line in lines)


def test_the_bar_names_who_is_being_graded(built_tiny):
    key = load(built_tiny.key("a0_doubling"))
    with Progress(disable=True) as progress:
        done, begin = instructor.bar_of_class(progress, 3)
        said = lambda: progress.tasks[0].description  # noqa: E731
        begin("ada")
        begin("[red]\x1b[2J")
        assert said() == "starting the sandbox for ada, [red]?[2J"
        done(unreadable("ada", key, "no notebook"))
        begin("cy")
        assert said() == "grading [red]?[2J, cy" and progress.tasks[0].completed == 1
