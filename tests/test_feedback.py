"""Feedback with and without the names of mistakes: the same points, other words, and what came of it at the next hand-in."""

import json
import shutil

import pytest
from conftest import autograder
from test_ci import NAME, RIGHT, answered

from autograder.authoring.course import find_course
from autograder.grading.feedback import Feedback, Kind, hand_ins, mended, read_feedback, remember
from autograder.grading.key import EXAMPLES, load
from autograder.grading.verdict import broken, unreadable

SQUARES = {**RIGHT, "double": "def double(x):\n    return x * x"}
HINT = "You square: add the number to itself."


def test_a_half_is_about_half_and_another_each_time():
    half, students = Feedback("half"), [f"s{number}" for number in range(400)]
    first, second = ({student: half.of(assignment, student) for student in students} for assignment in ("a1", "a2"))
    assert {Kind.NAMED, Kind.PLAIN} == set(first.values())
    assert all(160 < list(found.values()).count(Kind.PLAIN) < 240 for found in (first, second))
    assert 140 < sum(first[student] != second[student] for student in students) < 260
    assert half.of("a1", "s\udcff") in Kind  # a directory's name that is no UTF-8


def test_a_table_names_students_and_what_is_no_feedback_is_said_in_a_line(tmp_path):
    table = tmp_path / "groups.csv"
    for separator in ",;\t":  # as spreadsheets of different countries write it
        table.write_text(f"\ufeffstudent{separator}feedback\nada{separator}plain\nbob{separator} named\n")
        found = read_feedback("groups.csv", tmp_path)
        assert [found.of("a1", student) for student in ("ada", "bob", "cy")] == ["plain", "named", "named"]
    for text, words in (("student,feedback\nada,loud\n", "Received: loud"), ("name,kind\nada,plain\n", "the columns student and feedback"),
                        ("student,feedback\nada\n", "the columns student and feedback")):
        table.write_text(text)
        with pytest.raises(ValueError, match=words):
            read_feedback("groups.csv", tmp_path)
    with pytest.raises(ValueError, match="Received: quiet"):
        read_feedback("quiet", tmp_path)
    (tmp_path / "course.toml").write_text('feedback = "quiet"\n')
    with pytest.raises(ValueError, match="course.toml: expected feedback of named"):
        find_course(tmp_path)


def test_only_what_was_wrong_and_is_handed_in_again_counts(built_tiny, tmp_path):
    def hand_in(student, content, told, **statuses):
        return {"student": student, "content": content, "feedback": told, "questions": statuses}

    found = [hand_in("a", "1", "plain", double="failed", quadruple="missing"), hand_in("b", "1", "named", double="partial", quadruple="failed"),
             hand_in("a", "2", "named", double="passed", quadruple="passed"), hand_in("b", "2", "named", double="passed", quadruple="failed"),
             hand_in("b", "3", "named", double="passed", quadruple="passed"), hand_in("c", "1", "plain", double="failed", quadruple="failed")]
    assert mended(found) == {"named": (1, 3, 2), "plain": (1, 1, 1)}
    key = load(built_tiny.key(NAME))
    remember(tmp_path / "x.jsonl", [broken("a", key, "ours"), unreadable("b", key, "no notebook")])
    assert not (tmp_path / "x.jsonl").exists()  # what could not be graded was no hand-in to learn from


@pytest.mark.xdist_group("grade")  # whose process has a worker
def test_plain_feedback_costs_no_point_and_the_next_hand_in_shows_what_helped(built_tiny, tmp_path, warm):
    course = find_course(shutil.copytree(built_tiny.root, tmp_path / "course"))
    course.hand_ins(NAME).unlink(missing_ok=True)  # those of other tests that have graded in it

    def grade(answers, *options):
        for student, sources in answers.items():
            folder = course.root / "submitted" / student / NAME
            shutil.rmtree(folder, ignore_errors=True)
            answered(shutil.copytree(course.release(NAME), folder), **sources)
        done = autograder("grade", NAME, "--no-gradebook", *options, cwd=course.root)
        assert done.returncode == 0, done.stderr
        return {one["student"]: one for one in json.loads(course.results(NAME).read_text())["submissions"]}

    (course.root / "groups.csv").write_text("student,feedback\nbob,plain\ncy,plain\n")
    assert 'feedback = "' not in (course.root / "course.toml").read_text()
    first = grade({name: SQUARES for name in ("ada", "bob", "cy", "dora")}, "--feedback", "groups.csv")
    assert {one["score"] for one in first.values()} == {50} and {one["questions"][0]["misconception"] for one in first.values()} == {"squares"}
    said = {name: [one["questions"][0]["message"], *(case["message"] for case in one["questions"][0]["cases"])] for name, one in first.items()}
    assert all(HINT in text for text in said["ada"]) and said["ada"] == said["dora"] and said["bob"] == said["cy"]
    assert not any(HINT in text for text in said["bob"]) and "other values" in said["bob"][0]
    assert HINT in (course.reports(NAME) / "ada.html").read_text() and HINT not in (course.reports(NAME) / "bob.html").read_text()
    grade({}, "--feedback", "groups.csv")  # nothing new was handed in
    grade({"ada": RIGHT, "bob": RIGHT, "cy": {**SQUARES, "quadruple": "def quadruple(x):\n    return x * 4"}, "dora": RIGHT})
    assert len(list(hand_ins(course.hand_ins(NAME)))) == 8
    told = json.loads((course.root / f"build/class/{NAME}.json").read_text())["feedback"]
    assert [(row["told"], row["students"], row["wrong"], row["mended"]) for row in told] == [("named", 2, 2, 2), ("plain", 2, 2, 1)]
    assert told[1]["interval"] == pytest.approx([0.095, 0.905], abs=0.001)  # Wilson's of one in two, with z = 1.96
    assert "Mended at the next hand-in" in (course.root / f"build/class/{NAME}.html").read_text()


def test_a_plain_export_has_no_hint_in_it_and_the_same_cases(built_tiny, tmp_path):
    from autograder.delivery.export import _release

    named, plain = (_release(built_tiny, NAME, kind)[EXAMPLES] for kind in Kind)
    (tmp_path / "plain.npz").write_bytes(plain)
    (tmp_path / "named.npz").write_bytes(named)
    keys = [load(tmp_path / name) for name in ("named.npz", "plain.npz")]
    assert HINT in keys[0].questions[0].hints.values() and not any("".join(question.hints.values()) for question in keys[1].questions)
    values = [[value.tolist() for question in key.questions for value in question.cases[0].expected.values()] for key in keys]
    assert values[0] == values[1] == [[2.0, 4.0, 10.0], [12.0]]
