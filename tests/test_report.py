"""The class in view: figures on made-up classes whose truth is known, words on few, and pages that names and text cannot harm."""

import ast
import csv
import io
import json
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest
from conftest import autograder, write_tiny
from test_ci import NAME, RIGHT, answered

from autograder.authoring.course import find_course
from autograder.commands import insight
from autograder.grading.key import load
from autograder.report import items
from autograder.report.answers import stub
from autograder.report.csv import class_csv
from autograder.report.overview import anonymous, overview
from autograder.report.overview_page import class_page

EVIL = '<script>document.body.id="ran"</script>' + "w" * 90
DIFFICULTY, SLOPE = np.array([-1.5, -0.5, 0.0, 0.5, 1.5, 0.0]), np.array([2.0, 1.5, 3.0, 0.7, 1.5, 0.0])


def made_up(students, seed=0):
    """Points of a class by the two-parameter logistic model, bool (students, 6): the last item has nothing to do with strength."""
    rng = np.random.default_rng(seed)
    strength = rng.normal(size=(students, 1))
    return (rng.uniform(size=(students, 6)) < 1 / (1 + np.exp(-SLOPE * (strength - DIFFICULTY)))).astype(float)


def test_difficulty_and_discrimination_of_a_made_up_class_are_recovered():
    truth = made_up(200_000, 1)
    share, rest = truth.mean(axis=0), truth.sum(axis=1, keepdims=True) - truth
    correlation = np.array([np.corrcoef(truth[:, i], rest[:, i])[0, 1] for i in range(6)])
    covered = 0
    for seed in range(10):
        won = made_up(300, seed + 2)
        np.testing.assert_allclose(items.facility(won, np.ones(6)), share, atol=4 * np.sqrt(0.25 / 300))
        found, low, high = items.discrimination(won, won.sum(axis=1))
        np.testing.assert_allclose(found, correlation, atol=0.25)
        assert np.all(low <= found) and np.all(found <= high) and low[2] > 0.2 and low[5] < 0.1
        covered += np.sum((low <= correlation) & (correlation <= high))
    assert covered >= 0.88 * 60  # of 95 in 100


def test_alpha_is_the_reliability_of_parallel_items_and_nobody_differs_in_a_class_of_one_kind():
    rng = np.random.default_rng(0)
    won = rng.normal(size=(20_000, 1)) + rng.normal(size=(20_000, 5))  # each is half signal: Spearman and Brown give 5/6
    assert abs(items.alpha(won) - 5 / 6) < 0.01
    assert np.isnan(items.alpha(np.ones((50, 5)))) and np.isnan(items.alpha(won[:29]))
    found, low, high = items.discrimination(np.ones((50, 3)), np.full(50, 3.0))
    assert np.isnan([found, low, high]).all()


def test_lines_of_fifths_rise_where_an_item_tells_strong_from_weak():
    won = made_up(1000)
    lines = items.quintiles(won, np.ones(6), won.sum(axis=1))
    assert np.all(np.diff(lines[2]) > 0) and lines[2, -1] - lines[2, 0] > 0.6 and np.ptp(lines[5]) < 0.15


def test_mistakes_that_go_together_are_found_and_chance_is_not():
    rng = np.random.default_rng(0)
    made = rng.uniform(size=(200, 20)) < 0.15
    assert len(items.together(made, range(20))) <= 1
    made[:, 3] = made[:, 7] ^ (rng.uniform(size=200) < 0.05)
    assert items.together(made, range(20))[0][:2] == (3, 7)
    assert (3, 7) not in [pair[:2] for pair in items.together(made, [0 if i in (3, 7) else i for i in range(20)])]
    assert items.together(made[:29], range(20)) == []


# ---------------------------------------------------------------------------------------------------- results as `grade` writes them


def question(name, kind, cases=(("small_numbers", 10), ("random_numbers", 40))):
    """A question's result; `kind` is right, missing, the name of a mistake, or what an unnamed answer gave."""
    passed, named = kind == "right", kind in ("squares", "triples", "doubles_once")
    return {"name": name, "status": "passed" if passed else "missing" if kind == "missing" else "failed", "score": 50 * passed, "max_score": 50,
            "message": "" if passed else f"0 of 2 cases right. {EVIL}", "misconception": kind if named else None,
            "cases": [{"name": case, "visible": points == 10, "passed": passed, "points": points, "message": "" if passed else EVIL,
                       "outcome": "" if passed or kind == "missing" else kind} for case, points in cases]}


def results(kinds, key, names=None):
    """Results of a class of the tiny course; `kinds` are pairs of how each student's two questions went."""
    found = []
    for place, (first, second) in enumerate(kinds):
        questions = [question("double", first), question("quadruple", second, (("one_number", 10), ("more_numbers", 40)))]
        found.append({"student": names[place] if names else f"student-{place:03}", "status": "graded", "max_score": 100, "seconds": 0.25,
                      "score": sum(one["score"] for one in questions), "error": None, "notes": [], "questions": questions})
    return {"assignment": NAME, "key": key.digest, "isolation": "none", "submissions": found, "changes": []}


@pytest.fixture(scope="module")
def key(built_tiny):
    return load(built_tiny.key(NAME))


def test_named_mistakes_have_counts_means_and_students_and_the_others_go_together_by_what_they_gave(key):
    kinds = [("right", "right")] * 3 + [("squares", "right")] * 2 + [("triples", "missing")] + [("aaaa", "right")] * 2 + [("bbbb", "missing")]
    view = overview(results(kinds, key), key)
    double, quadruple = view["questions"]
    assert [(item["name"], item["count"], item["mean_total"], item["students"]) for item in double["mistakes"]] == [
        ("squares", 2, 50.0, ["student-003", "student-004"]), ("triples", 1, 0.0, ["student-005"])]
    assert double["mistakes"][0]["hint"] == "You square: add the number to itself." and double["mistakes"][0]["share"] == 0.222
    assert [(item["count"], item["example"], item["cases"]) for item in double["unnamed"]] == [
        (2, "student-006", ["small_numbers", "random_numbers"]), (1, "student-008", ["small_numbers", "random_numbers"])]
    assert (double["facility"], quadruple["facility"], quadruple["not_attempted"], quadruple["unnamed"]) == (0.333, 0.778, 0.222, [])
    assert view["scores"]["mean"] == pytest.approx(500 / 9, abs=0.01) and sum(item["students"] for item in view["scores"]["bins"]) == 9
    assert view["scores"]["bins"][-1] == {"from": 100, "to": 100, "students": 3}


def test_nothing_is_concluded_from_few_and_what_is_odd_is_said_of_many(key):
    backwards = [("right", "missing")] * 12 + [("aaaa", "right")] * 17
    view = overview(results(backwards, key), key)
    assert view["alpha"] is None and all(one["remarks"] == [] and one["discrimination"] is None for one in view["questions"])
    double, quadruple = overview(results(backwards + [("aaaa", "right")] * 31, key), key)["questions"]
    assert [line.split(":")[0].split(".")[0] for line in double["remarks"]] == [
        "Hard", "Who does well elsewhere loses points here", "Cases that who does well elsewhere loses"]
    easy = overview(results([("right", "right")] * 40 + [("right", "missing")] * 20, key), key)["questions"]
    assert easy[0]["remarks"] == ["Nearly everybody has it: it says little about who understands more."]
    assert easy[1]["remarks"] == ["33% did not attempt it: too long, too late in the notebook, or unclear?"]


def test_an_empty_class_and_submissions_that_nobody_could_grade_have_a_page(key):
    data = results([("right", "right")] * 2, key)
    data["submissions"][0].update(status="unreadable", score=0, error="expected a notebook; the file is empty")
    data["submissions"][1].update(score=None, error="could not be graded")
    for found in (data, results([], key)):
        view = overview(found, key)
        assert view["counted"] == 0 and view["scores"]["mean"] is None
        assert "What these figures mean" in class_page(view, str)
    assert [one["student"] for one in overview(data, key)["look"]] == ["student-001", "student-000"]


class Seen(HTMLParser):
    """A page's tags, attributes and text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.text, self.links = [], set(), "", []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attributes}
        self.links += [value for name, value in attributes if name in ("href", "src") and not value.startswith("#")]

    def handle_data(self, data):
        self.text += data


def test_names_and_messages_harm_neither_page_nor_table(key):
    names = [EVIL, '=HYPERLINK("x")', "../../etc", "a\u202eb", "é %s {{ 7 * 7 }}"]
    data = results([("aaaa", "squares"), ("bbbb", "right"), ("cccc", "right"), ("squares", "right"), ("right", "right")], key, names)
    data["submissions"][2]["notes"] = [f"=1+1 {EVIL}"]
    view = overview(data, key)
    page = class_page(view, insight.student_pages(insight.Path("build/reports/a0"), insight.Path("build/class/a0.html")))
    seen = Seen(page)
    assert seen.tags.count("script") == 1 and not {name for name in seen.attributes if name.startswith("on")}
    assert EVIL in seen.text and "49" not in re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL).split("{{ 7")[1][:20] and "a?b" in seen.text
    assert "://" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", page) and "default-src 'none'" in page
    assert seen.links and all(re.fullmatch(r"\.\./reports/a0/[^<>\"]*\.html", link) for link in seen.links)
    rows = list(csv.reader(io.StringIO(class_csv(view))))
    assert len({len(row) for row in rows}) == 1 and not any(field.startswith(("=", "+", "@")) for row in rows for field in row)
    assert ["mistakes", "double", "squares"] in [row[:3] for row in rows]


def test_the_anonymous_report_has_no_name_no_text_of_students_and_no_hidden_case(key, built_tiny, tmp_path, monkeypatch):
    names = [f"Zoë-{place:02}" for place in range(40)]
    data = results([("aaaa", "squares"), ("squares", "missing")] * 20, key, names)
    assert any("random_numbers" in line for line in overview(results([("right", "missing"), ("aaaa", "right")] * 20, key), key)["questions"][0]["remarks"])
    assert all(one["remarks"] == [] for one in anonymous(overview(data, key))["questions"])
    page = class_page(view := anonymous(overview(data, key)), str, anonymous=True)
    for text in (page, json.dumps(view, ensure_ascii=False), class_csv(view)):
        assert "Zoë" not in text and "wwww" not in text and "hidden case 1" in text and "Random numbers" not in text and "random_numbers" not in text
    assert "You square" in page and "20" in page
    few = anonymous(overview(results([("aaaa", "squares")] * 4 + [("squares", "right")] * 5 + [("triples", "right")] * 4, key), key))["questions"][0]
    assert [(item["count"], item["mean_total"]) for item in few["mistakes"] + few["unnamed"]] == [(5, 50.0), (4, None), (4, None)]
    (tmp_path / "results.json").write_text(json.dumps(data))
    command = ("report", NAME, "--results", tmp_path / "results.json", "--anonymous", "--to", tmp_path / "shown.html")
    assert autograder(*command, cwd=built_tiny.root).returncode == 0 and (tmp_path / "shown.csv").is_file()
    (tmp_path / "shown.html").unlink()
    for place in ("results.html", "shown.txt"):  # the first would replace the results
        done = autograder(*command[:-1], tmp_path / place, cwd=built_tiny.root)
        assert done.returncode == 2 and "expected a file ending in .html" in done.stderr
    secret = "return 2 * x  # the-secret-of-doubling"
    data["submissions"][0]["questions"][0]["misconception"] = secret
    (tmp_path / "results.json").write_text(json.dumps(data))
    done = autograder(*command, cwd=built_tiny.root)
    assert done.returncode == 2 and "solution of double" in done.stderr and not (tmp_path / "shown.html").exists()


@pytest.mark.parametrize("content, words", [
    (None, "Run `autograder grade"), ("[]", "this is something else"), ("{", "this is something else"),
    ('{"assignment": "a1", "submissions": []}', "Received: those of a1"),
    (f'{{"assignment": "{NAME}", "submissions": [{{"questions": [{{"cases": [{{}}]}}]}}]}}', "an earlier release")])
def test_what_are_no_results_is_said_in_a_line(built_tiny, tmp_path, content, words):
    if content:
        (tmp_path / "results.json").write_text(content)
    done = autograder("report", NAME, "--results", tmp_path / "results.json", cwd=built_tiny.root)
    assert done.returncode == 2 and words in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_without_scipy_grading_goes_on_and_the_others_say_what_to_install(key, built_tiny, tmp_path, monkeypatch, capsys):
    (tmp_path / "results.json").write_text(json.dumps(results([("right", "right")], key)))
    monkeypatch.setattr(insight, "find_spec", lambda name: None)
    for command in (("report", NAME, "--results", tmp_path / "results.json"), ("report", "--all"), ("similarity", NAME)):
        done = autograder(*command, cwd=built_tiny.root)
        assert done.returncode == 2 and "pip install '.[instructor]'" in done.stderr and len(done.stderr.strip().splitlines()) == 1
    place = find_course(built_tiny.root), key, tmp_path / "results.json", tmp_path, tmp_path, tmp_path / "class.html"
    assert insight.class_report_of(*place) is None and "no class report: expected SciPy" in capsys.readouterr().err
    assert not (tmp_path / "class.html").exists()


# ---------------------------------------------------------------------------------------------------- the course so far


def test_the_course_so_far_has_what_travels_and_a_page_for_every_student(key, tmp_path):
    course = write_tiny(tmp_path)
    write_tiny(tmp_path, name="a1_doubling")
    rng = np.random.default_rng(0)
    slow = rng.uniform(size=60) < 0.3
    first = results([("squares" if one else "right", rng.choice(["right", "doubles_once"])) for one in slow], key)
    second = results([(rng.choice(["right", "triples"]), "doubles_once" if one else "right") for one in slow], key)
    second["submissions"][5].update(status="unreadable", score=0)
    second["submissions"] = second["submissions"][:50]  # the others never came back
    folder = course.root / "build" / "results"
    folder.mkdir(parents=True)
    for name, data in ((NAME, first), ("a1_doubling", second)):
        (folder / f"{name}.json").write_text(json.dumps({**data, "assignment": name}))
    done = autograder("report", "--all", cwd=course.root)
    assert done.returncode == 0, done.stderr
    view = json.loads((course.root / "build/class/course.json").read_text())
    (pair,) = view["travelling"]
    assert (pair["first"], pair["second"], pair["students"]) == ([NAME, "double", "squares"], ["a1_doubling", "quadruple", "doubles_once"], 49)
    assert pair["both"] == pair["of_first"] == pair["of_second"] == slow[:50].sum() - slow[5] > 2 * pair["by_chance"]
    assert [(one["submissions"], one["counted"]) for one in view["assignments"]] == [(60, 60), (50, 49)]
    assert [row["status"] for row in view["students"][5]["assignments"]] == ["", "unreadable"]
    assert [row["status"] for row in view["students"][59]["assignments"]] == ["", "not handed in"]
    page = course.root / "build/class/course.html"
    links = Seen(page.read_text()).links
    assert len(links) == 60 and all((page.parent / link).is_file() for link in links)
    student = Seen((page.parent / "students/student-005.html").read_text())
    assert "unreadable" in student.text and len(student.links) == 2
    assert autograder("report", cwd=course.root).returncode == autograder("report", NAME, "--all", cwd=course.root).returncode == 2


# ---------------------------------------------------------------------------------------------------- from notebooks


@pytest.mark.xdist_group("grade")  # whose process has a worker
def test_grading_writes_the_report_with_a_stub_of_what_several_got_wrong_alike(built_tiny, tmp_path, warm):
    course = find_course(shutil.copytree(built_tiny.root, tmp_path / "course"))
    wrong = {"ada": "def double(x):\n    '''Twice x.'''\n    return x + 7", "bob": "def double(y):\n    seven = 7  # as Ada has\n    return y + seven",
             "cy": "def double(x):\n    return x + 8", "dora": RIGHT["double"], "eve": "def double(x):\n    return x.nothing"}
    for student, source in wrong.items():
        folder = shutil.copytree(course.release(NAME), course.root / "submitted" / student / NAME)
        answered(folder, **{**RIGHT, "double": source})
    done = autograder("grade", NAME, "--no-gradebook", cwd=course.root)
    assert done.returncode == 0 and f"the class in view: build/class/{NAME}.html" in done.stdout
    view = json.loads((course.root / f"build/class/{NAME}.json").read_text())
    first, second, third = view["questions"][0]["unnamed"]
    assert (first["students"], second["students"], third["students"]) == (["ada", "bob"], ["cy"], ["eve"])
    assert first["stub"] and second["stub"] and not third["stub"]  # what only raises is no misconception
    node, = ast.parse(first["stub"]).body
    assert ast.unparse(node.decorator_list[0]) == "double.misconception" and node.name == "double_unnamed_1"
    assert ast.get_docstring(node).startswith("Say what is wrong") and ast.unparse(node.body[1:]) == "return x + 7"
    page = course.root / f"build/class/{NAME}.html"
    links = Seen(page.read_text()).links
    assert links and all((page.parent / link).resolve().is_file() for link in links)
    written = page.stat().st_mtime_ns
    assert autograder("grade", NAME, "--no-gradebook", cwd=course.root).stdout.count("the class in view") == 1
    assert page.stat().st_mtime_ns == written  # of the same, it would be the same
    answered(course.root / "submitted" / "ada" / NAME, double="def double(x):\n    # Eight.\n    return x + 8")
    autograder("grade", NAME, "--no-gradebook", cwd=course.root)
    assert [group["students"] for group in json.loads(page.with_suffix(".json").read_text())["questions"][0]["unnamed"]] == [["ada", "cy"], ["bob"], ["eve"]]
    page.with_suffix(".csv").unlink()
    autograder("grade", NAME, "--no-gradebook", cwd=course.root)
    assert page.with_suffix(".csv").is_file()
    assert page.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("source, words", [
    ("@tf.function\ndef f(x, *, a=lambda y: {1: 2}[y],\n      b=3) -> int:\n    \"\"\"Old.\n\n    Args: x.\n    \"\"\"\n    return f(x)\n\nprint(f(1))",
     ["def f_1(x, *, a=lambda y: {1: 2}[y],\n      b=3) -> int:\n    \"\"\"Say", "return f(x)"]),
    ("class f(keras.Layer):\n    def call(self, x):\n        return x", ["class f_1(keras.Layer):", "def call(self, x):"]),
    ("def f(x): return x", ["def f_1(x):"]), ("def f(x", ["def f_1(x"]), ("f = lambda x: x", []),
    ("def f('" + "\\'" * 25_000, [])])
def test_a_stub_is_the_answer_with_a_hint_to_be_written(source, words):
    made = stub(source, "f", "f_1")
    assert all(word in made for word in words) and bool(made) == bool(words) and "Old" not in made and "print" not in made


def test_results_are_read_as_they_were_written_or_by_whomever(tmp_path):
    from autograder.report.json import read, write

    case = {"name": "c", "visible": True, "passed": True, "points": 1, "message": "ü … {\n  }", "outcome": ""}
    submissions = [{"student": name, "questions": [{"name": "q", "cases": [dict(case), case | {"points": points}]}]}
                   for name, points in (("ada", 1), ("bob", 2))]
    for data in ({"key": "k", "versions": {"key": {"a": "1"}}, "submissions": submissions, "changes": [{"questions": {"q": [1, 2]}}]},
                 {"submissions": submissions[:1]}, {"submissions": []}, {"submissions": [[]]}, [], {"key": {"submissions": [{}]}}):
        path = tmp_path / "results.json"
        with open(path, "wb") as file:
            write(data, file)
        assert path.read_text() == json.dumps(data, indent=1, ensure_ascii=False) + "\n" and read(path) == data
        path.write_text(json.dumps(data))
        assert read(path) == data
        for cut in range(0, len(text := json.dumps(data, indent=1)) - 1, 7):
            path.write_text(text[:cut])
            with pytest.raises(ValueError):
                read(path)
