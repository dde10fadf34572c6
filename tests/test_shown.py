"""How a verdict is shown: every message once, what is right folded away, and the way back to the lesson."""

import datetime
import re

import pytest
from conftest import autograder, write_tiny

from autograder.authoring.course import find_course
from autograder.grading.key import Key
from autograder.grading.verdict import CaseVerdict, QuestionVerdict, Status, Verdict
from autograder.report.html import question_card, student_page
from autograder.report.outline import Outline, outline
from autograder.report.shown import TONES, told
from autograder.student.ci import Push, report

HINT, FACT = "You square: add the number to itself.", "Its shape is (3,); expected (4,)."
CELLS = [{"cell_type": "markdown", "id": "a", "source": "# Doubling\n\n```python\n# no heading\n```"},
         {"cell_type": "markdown", "id": "b", "source": "## 1. Twice <b>& more"}, {"cell_type": "code", "id": "double", "source": "# nor this"},
         {"cell_type": "markdown", "id": "c", "grade_id": "why", "source": "### And why?\n\nYour answer"}]
DAY = datetime.date(2026, 3, 1)


def case(name, message, visible=False):
    return CaseVerdict(name, f"The case {name}.", visible, not message, 10, message)


def verdict(*questions):
    return Verdict("ada", "graded", 100, 0.5, None, questions)


WRONG = QuestionVerdict("double", Status.PARTIAL, 10, 50, f"1 of 5 cases right. {HINT}", "squares", (
    case("one", HINT, True), case("two", f"{HINT} {FACT}"), case("three", ""), case("four", "It raised ValueError."), case("five", f"{HINT} {FACT}")))
RIGHT = QuestionVerdict("quadruple", Status.PASSED, 50, 50, "All cases are right.", None, (case("six", ""),))


def test_cases_of_one_message_stand_together_and_say_only_what_is_new():
    assert [([case.name for case in cases], message) for cases, message in told(WRONG)] == [
        (["one"], ""), (["two", "five"], FACT), (["three"], ""), (["four"], "It raised ValueError.")]


@pytest.mark.parametrize("shown", [question_card(WRONG), student_page(verdict(WRONG, RIGHT), Outline("a0", "Doubling"), DAY)])
def test_every_message_is_there_once(shown):
    assert [shown.count(text) for text in (HINT, FACT, "It raised ValueError.")] == [1, 1, 1]
    assert all(shown.count(f"The case {case.name}.") == 1 for case in WRONG.cases)


def test_a_page_has_title_day_and_sections_and_folds_what_is_right():
    lesson = outline("a0_doubling", CELLS, "https://example.org/a0/doubling.ipynb")
    assert (lesson.title, lesson.sections["double"], lesson.sections["why"]) == ("Doubling", "1. Twice <b>& more", "And why?")
    page = student_page(verdict(WRONG, RIGHT), lesson, DAY)
    assert "<h1>Doubling</h1>" in page and "as of 1 March 2026" in page
    assert 'href="https://example.org/a0/doubling.ipynb#1.-Twice-%3Cb%3E%26-more">1. Twice &lt;b&gt;&amp; more</a>' in page
    folded = re.search(r"<details><summary>(.*?)</details>", page, re.DOTALL)[1]
    assert page.count("<details>") == 1 and "quadruple" in folded and "The case six." in folded
    assert "<a " not in student_page(verdict(WRONG), outline("a0", CELLS), DAY) and outline("a0", []).title == "a0"


def luminance(colour):
    parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    return sum(w * (x / 12.92 if x <= 0.03928 else ((x + 0.055) / 1.055) ** 2.4) for w, x in zip((0.2126, 0.7152, 0.0722), parts))


def contrast(one, other):
    """As WCAG 2 has it."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_text_can_be_told_from_its_ground_on_light_and_dark():
    page = student_page(verdict(WRONG), Outline("a0", "Doubling"), DAY)
    for block in re.findall(r":root \{(.*?)\}", page):
        names = dict(re.findall(r"--(\w+):(#\w+)", block))
        names["paper"] = names["paper"] if len(names["paper"]) == 7 else "#ffffff"
        for ink in ("ink", "soft", "good", "part", "bad", "blue"):
            assert min(contrast(names[ink], names[ground]) for ground in ("paper", "ground")) >= 4.5, (ink, block)
    assert all(contrast("#ffffff", tone) >= 4.5 for tone in TONES.values())


@pytest.mark.parametrize("environment, address", [
    ({"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "o/r", "GITHUB_SHA": "abc"},
     "https://github.com/o/r/blob/abc/my%20work/doubling.ipynb#1.-Twice"),
    ({"CI_PROJECT_URL": "https://gitlab.com/o/r", "CI_COMMIT_SHA": "abc"}, "https://gitlab.com/o/r/-/blob/abc/my%20work/doubling.ipynb#1.-Twice"),
    ({"GITHUB_ACTIONS": "true"}, None), ({}, None)])
def test_a_push_links_to_the_notebook_that_was_pushed(tmp_path, monkeypatch, environment, address):
    (tmp_path / "my work").mkdir()
    notebook = tmp_path / "my work" / "doubling.ipynb"
    notebook.write_text('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": ['
                        '{"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# Doubling\\n## 1. Twice"},'
                        '{"cell_type": "code", "id": "double", "metadata": {}, "source": "", "outputs": [], "execution_count": null}]}')
    monkeypatch.chdir(tmp_path)
    report(Push(notebook, verdict(WRONG), Key("a0", "doubling", "", (), {}), 100), tmp_path / "reports", environment)
    page = (tmp_path / "reports" / "report.html").read_text()
    assert "<h1>Doubling</h1>" in page and (f'href="{address}"' in page if address else "<a " not in page)


def test_where_lessons_can_be_read_is_a_web_address(tmp_path):
    course = write_tiny(tmp_path)
    (course.root / "course.toml").write_text('lessons = "https://example.org/lessons/"\n')
    assert find_course(course.root).address("a0_doubling") == "https://example.org/lessons/a0_doubling/doubling.ipynb"
    (course.root / "course.toml").write_text('lessons = "javascript:alert(1)"\n')
    done = autograder("grade", "a0_doubling", cwd=course.root)
    assert done.returncode == 2 and "expected a web address" in done.stderr
