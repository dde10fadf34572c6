"""Grades into a grade book's own files: the right cells and no others, nobody invented, no formula smuggled in."""

import csv
import io
import json
import sys
import unicodedata

import pytest

from autograder.commands.main import main
from autograder.report.csv import cell, grade_table
from autograder.report.lms import LmsError, canvas, moodle, table
from autograder.report.standing import Standing, counted

NAME = "a4_cross_entropy"


def results(**scores) -> dict:
    return {"assignment": NAME, "key": "", "isolation": "process", "submissions": [
        {"student": student, "status": "graded", "score": score, "max_score": 100, "seconds": 1.0, "error": None, "notes": [], "questions": [
            {"name": "softmax", "status": "partial", "score": score, "max_score": 100, "message": "", "misconception": None, "cases": []}]}
        for student, score in scores.items()]}


def rows(text: str, separator=",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=separator))


CANVAS = (
    'Student,ID,SIS User ID,SIS Login ID,Section,Other (11),"Cross-Entropy, part ""one"" (12)",a4_cross_entropy (4711),Final Score\n'
    ",,,,,,,Manual Posting,\n"
    "    Points Possible,,,,,10,10,100,(read only)\n"
    '"Lovelace, Ada",101,s1,ada@uni.edu,A,3,,,50\n'
    '"Turing, Alan",102,s2,alan,A,,,12,\n'
    '"=cmd()|x",103,s3,eve,"B, C",,,EX,\n'
    '"Hopper, Grace",104,s4,grace,A,,,,\n'
    '"Student, Test",105,,x1,A,,,,\n')


def test_canvas_gets_grades_in_its_own_rows_and_nothing_else_changes():
    filled = canvas(CANVAS, results(s1=92, alan=0, eve=70, grace=None, mallory=100))
    before, after = rows(CANVAS), rows(filled.text)
    assert [(i, j, old, new) for i, (one, other) in enumerate(zip(before, after)) for j, (old, new) in enumerate(zip(one, other))
            if old != new] == [(3, 7, "", "92"), (4, 7, "12", "0")]
    assert len(before) == len(after) and filled.column == "a4_cross_entropy (4711)"
    assert filled.filled == ("s1", "alan") and filled.changed == ("alan",) and filled.closed == ("eve",)
    assert filled.without_row == ("mallory",) and filled.without_score == ("grace",) and filled.without_result == ("Student, Test, 105",)


def test_canvas_in_another_locale_keeps_its_separator_mark_and_line_ends():
    text = "\ufeff" + CANVAS.replace('"Lovelace, Ada"', "Lovelace").replace('"Cross-Entropy, part ""one"" (12)"', "x (12)").replace(
        '"B, C"', "B").replace('"Turing, Alan"', "T").replace('"Hopper, Grace"', "H").replace('"Student, Test"', "S").replace(",", ";").replace(
        "\n", "\r\n").replace(";100;", ';"100,00";')
    filled = canvas(text, results(s1=92)).text
    assert filled.startswith("\ufeffStudent;ID;") and filled.count("\r\n") == 8 and rows(filled, ";")[3][7] == "92"


@pytest.mark.parametrize("column", ["4711", "a4_cross_entropy", "a4_cross_entropy (4711)", None])
def test_the_assignments_column_is_found(column):
    assert canvas(CANVAS, results(s1=1), column).column == "a4_cross_entropy (4711)"
    assert canvas(CANVAS.replace("a4_cross_entropy (", "Cross Entropy ("), results(s1=1)).column == "Cross Entropy (4711)"


@pytest.mark.parametrize("change, words", [
    (("a4_cross_entropy (4711)", "Week 4 (4711)"), "Week 4"), (("Other (11)", "a4 cross entropy (11)"), "found 2"),
    (("a4_cross_entropy (4711)", "a4_cross_entropy"), "found 0"), (("    Points Possible", "Points"), "Points Possible"),
    ((",10,10,100,", ",10,10,(schreibgeschützt),"), "Canvas says"), ((",100,", ",50,"), "--scale"), (("Student,ID", "Name,No"), "exported from Canvas"), ((",100,", ",(read only),"), "says .read only. of"),
    (('"Lovelace, Ada"', '"Lovelace, Ada'), "cannot be read"), ((CANVAS, ""), "empty")])
def test_what_canvas_would_turn_into_something_new_is_refused(change, words):
    with pytest.raises(LmsError, match=words):
        canvas(CANVAS.replace(*change), results(s1=1))


def test_points_are_converted_only_when_asked():
    assert rows(canvas(CANVAS, results(s1=92, alan=100), "12", scale=True).text)[3][6] == "9.2"
    assert rows(canvas(CANVAS, results(s1=92, alan=100), "12", scale=True).text)[4][6] == "10"


def test_line_ends_inside_cells_break_no_row():
    odd = CANVAS.replace('"Hopper, Grace"', '"Hopper\rGrace\nB"')
    assert rows(canvas(odd, results(s1=1)).text)[6] == rows(odd)[6] and rows(odd)[6][0] == "Hopper\rGrace\nB"


def test_nobody_gets_anothers_grade():
    twice = CANVAS + '"Doe, Jo",201,dup,jo1,A,,,,\n"Doe, Jo",202,dup,jo2,A,,,,\n'
    filled = canvas(twice, results(dup=50, jo1=60, ada=70, **{"Lovelace, Ada": 80}))
    assert filled.without_row == ("dup", "ada", "Lovelace, Ada") and filled.filled == ("jo1",)
    same = canvas(CANVAS, results(s1=50, **{"ada@uni.edu": 60}))
    assert same.filled == ("s1",) and same.without_row == ("ada@uni.edu",)
    assert canvas(CANVAS, results(S1=1)).filled == ("S1",)  # case is no difference


MOODLE = ('Identifier,"Full name","Email address",Status,Grade,"Maximum Grade","Grade can be changed","Last modified (submission)",'
          '"Last modified (grade)","Feedback comments"\n'
          '"Participant 17","Ada Lovelace",ada@uni.edu,"Submitted for grading",,100.00,Yes,"Monday, 23 November 2026, 3:00 AM",-,"<p>so, so</p>"\n'
          '"Participant 18","Alan Turing",alan@uni.edu,"No submission",55.00,100.00,No,-,"Monday, 23 November 2026, 4:00 AM",\n'
          '"Participant 19","Grace Hopper",grace@uni.edu,"No submission",,100.00,Yes,-,-,\n')


def test_moodle_gets_grades_and_keeps_what_it_checks_them_by():
    filled = moodle(MOODLE, results(**{"Participant 17": 92, "alan@uni.edu": 80, "Eve": 3}))
    before, after = rows(MOODLE), rows(filled.text)
    assert after[1] == [*before[1][:4], "92", *before[1][5:]] and after[2:] == before[2:] and after[0] == before[0]
    assert filled.commented == ("Participant 17",)  # a person's "so, so" is worth more than ours
    assert filled.closed == ("alan@uni.edu",) and filled.without_row == ("Eve",)
    assert filled.without_result == ("Participant 19, Grace Hopper",)


GERMAN = ('\ufeffID,"Vollständiger Name",E-Mail-Adresse,Status,Bewertung,Bestwertung,"Bewertung kann geändert werden","Zuletzt geändert (Abgabe)",'
          '"Zuletzt geändert (Bewertung)","Feedback als Kommentar"\n'
          '"Teilnehmer/in17","Zoë Lovelace",ada@uni.edu,"Zur Bewertung abgegeben",,"100,00",Ja,"Montag, 23. November 2026, 03:00",-,\n'
          '"Teilnehmer/in18","Alan Turing",alan@uni.edu,"Keine Abgabe","55,00","100,00",Nein,-,-,\n')


def test_moodles_guards_hold_in_any_language_or_it_says_which_option_they_need():
    with pytest.raises(LmsError, match="--column and --identity"):
        moodle(GERMAN, results(x=1))
    with pytest.raises(LmsError, match="Received: Ja, Nein. Name its word for yes with --unlocked WORD"):
        moodle(GERMAN, results(**{"17": 92}), "Bewertung", identity="ID")
    said = {"column": "Bewertung", "identity": "ID", "unlocked": "ja", "comments": "Feedback als Kommentar"}
    filled = moodle(GERMAN, results(**{"17": 92, "18": 80}), **said)
    assert rows(filled.text)[1][4] == "92" and filled.closed == ("18",) and rows(filled.text)[2] == rows(GERMAN)[2]
    assert filled.text.startswith("\ufeffID,") and filled.comments == "Feedback als Kommentar"
    with pytest.raises(LmsError, match="--scale"):
        moodle(GERMAN.replace("100,00", "10,00"), results(**{"17": 92}), **said)
    assert rows(moodle(GERMAN.replace("100,00", "10,00"), results(**{"17": 92}), scale=True, **said).text)[1][4] == "9,2"


@pytest.mark.parametrize("worksheet, options", [(MOODLE, {}), (GERMAN, {"column": "Bewertung", "identity": "ID", "unlocked": "Ja"})])
def test_moodles_scales_and_a_column_that_is_gone_stop_it(worksheet, options):
    for maximum in ('"Poor,Fair,Good"', '""'):
        with pytest.raises(LmsError, match="A scale, or a column taken away"):
            moodle(worksheet.replace('"100,00"', maximum).replace("100.00", maximum), results(**{"17": 92}), **options)
    part = "\n".join(line.split(",Status")[0] for line in worksheet.splitlines())
    with pytest.raises(LmsError, match="expected a Moodle worksheet"):
        moodle(part, results(**{"17": 92}), **options)


def test_moodles_state_of_marking_is_no_lock():
    marked = "\n".join(",".join([*line[:6], ("Workflow" if not i else "Released"), *line[6:]])
                       for i, line in enumerate(line.split(",", 8) for line in MOODLE.replace("Monday, ", "Monday ").splitlines()))
    assert moodle(marked, results(**{"17": 92, "18": 1})).closed == ("18",)


def test_hints_become_comments_that_are_text_and_replace_only_their_own():
    made = results(**{"19": 16})
    made["submissions"][0]["questions"][0]["message"] = "Your columns sum to 1.<script>alert(1)</script>\n=1+1"
    first = moodle(MOODLE, made)
    assert rows(first.text)[3][9] == ("<p><em>Automatic feedback</em></p><p><strong>softmax</strong> 16 of 100: "
                                      "Your columns sum to 1.&lt;script&gt;alert(1)&lt;/script&gt; =1+1</p>")
    made["submissions"][0] |= {"error": "not <JSON>", "questions": []}
    again = moodle(first.text, made)
    assert rows(again.text)[3][9] == "<p><em>Automatic feedback</em></p><p>not &lt;JSON&gt;</p>" and not again.commented


def test_comments_say_what_came_of_an_answer_since_it_was_graded():
    made = results(**{"17": 90, "18": 90, "19": 90})
    for submission in made["submissions"]:
        submission["questions"] = [{"name": name, "status": kind, "score": points, "max_score": most, "message": said}
                                   for name, kind, points, most, said in (("softmax", "partial", 60, 90, "Too few."),
                                                                          ("why", "manual", None, 10, "A person reads this."))]
    ours = {"softmax": 60.0, "why": None}
    shown = counted(made, {"17": Standing({"softmax": 95.0, "why": 8.0}, ours, (), (), 2.5),
                           "18": Standing(ours, ours, ("why",), ()),
                           "19": Standing({"softmax": 60.0, "why": 0.0}, ours | {"why": 0.0}, (), ())})
    first, second, third = (row[9] for row in rows(moodle(MOODLE.replace(",No,", ",Yes,").replace("<p>so, so</p>", ""), shown).text)[1:4])
    assert first == ("<p><em>Automatic feedback</em></p><p><strong>softmax</strong> 95 of 90: Too few. A person has given these points."
                     "</p><p><strong>why</strong> 8 of 10: A person has graded this answer.</p><p>Less for being late: 2.5</p>")
    assert second.endswith("60 of 90: Too few.</p><p><strong>why</strong>: A person reads this.</p>")
    assert third.endswith("<strong>why</strong> 0 of 10: Nothing is written here.</p>")


def test_a_name_is_the_same_however_its_accents_are_written():
    decomposed = unicodedata.normalize("NFD", "zoë")
    assert decomposed != "zoë"
    assert canvas(CANVAS.replace("alan,A", "zoë,A"), results(**{decomposed: 5})).filled == (decomposed,)
    assert canvas(CANVAS.replace("alan,A", f"{decomposed},A"), results(zoë=5)).filled == ("zoë",)


BRIGHTSPACE = ('OrgDefinedId,Username,Last Name,First Name,Softmax Points Grade <Numeric MaxPoints:100 Weight:10>,End-of-Line Indicator\n'
               '#1001,#ada,Lovelace,Ada,,#\n#1002,#turing,Turing,Alan,12,#\n')
BLACKBOARD = ('"Last Name"\t"First Name"\t"Username"\t"Student ID"\t"Availability"\t"Softmax [Total Pts: 100 Score] |12345"\n'
              '"Lovelace"\t"Ada"\t"ada"\t"1001"\t"Yes"\t"Needs Grading"\n')
SAKAI = 'Student ID,Name,Softmax [100],* Softmax [100]\nada,"Lovelace, Ada",,\nturing,"Turing, Alan",12,\n'


@pytest.mark.parametrize("exported, column, identity, row", [
    (BRIGHTSPACE, "Softmax Points Grade <Numeric MaxPoints:100 Weight:10>", "Username", ["#1001", "#ada", "Lovelace", "Ada", "92", "#"]),
    (BLACKBOARD, "Softmax [Total Pts: 100 Score] |12345", "username", ["Lovelace", "Ada", "ada", "1001", "Yes", "92"]),
    (SAKAI, "Softmax [100]", "Student ID", ["ada", "Lovelace, Ada", "92", ""])])
def test_any_table_is_filled_by_the_names_of_two_columns(exported, column, identity, row):
    filled = table(exported, results(ada=92, eve=1), column, identity)
    separator = "\t" if "\t" in exported else ","
    after, before = rows(filled.text, separator), rows(exported, separator)
    assert after[1] == row and after[0] == before[0] and after[2:] == before[2:]
    assert filled.without_row == ("eve",) and filled.maximum
    with pytest.raises(LmsError, match="--scale"):
        table(exported.replace("100", "50"), results(ada=92), column.replace("100", "50"), identity)


def test_a_table_of_ones_own_needs_its_columns_and_may_say_its_maximum():
    own = "name,softmax\nada,\n"
    assert not table(own, results(ada=92), "softmax", "name").maximum
    assert rows(table(own, results(ada=92), "softmax", "name", maximum="10", scale=True).text)[1][1] == "9.2"
    for column, identity, option in (("points", "name", "--column"), ("softmax", "login", "--identity")):
        with pytest.raises(LmsError, match=f"expected one column \\w+ \\({option}\\); found 0. Received: name, softmax"):
            table(own, results(ada=92), column, identity)


def test_moodle_would_skip_a_grade_above_its_maximum():
    small = MOODLE.replace("100.00", "10.00")
    with pytest.raises(LmsError, match="to have 100 points; it has 10.00"):
        moodle(small, results(**{"Participant 17": 92}))
    assert rows(moodle(small, results(**{"Participant 17": 92}), scale=True).text)[1][4] == "9.2"
    comma = MOODLE.replace("100.00", '"10,00"')
    assert rows(moodle(comma, results(**{"Participant 17": 92}), scale=True).text)[1][4] == "9,2"


@pytest.mark.parametrize("name", ["=HYPERLINK(\"x\")", "+1", "-1", "@sum", "\tx", "\r=x", "  =x"])
def test_no_cell_is_a_formula(name):
    table = rows(grade_table(counted(results(**{name: 5}), {})))
    assert len(table) == 2 and table[1][0] == f"'{name}" and cell("ada") == "ada" and cell("a=b") == "a=b"


def test_the_table_quotes_names_and_leaves_unknown_points_empty():
    made = results(**{'Lovelace, "Ada"\nx': 92, "b": None})
    made["submissions"].append({**made["submissions"][0], "student": "late", "status": "unreadable", "score": 0, "questions": [], "error": "not JSON, sorry"})
    table = rows(grade_table(counted(made, {})))
    assert table[0] == ["student", "assignment", "status", "score", "max_score", "softmax", "error"]
    assert table[1] == ['Lovelace, "Ada"\nx', NAME, "graded", "92", "100", "92", ""] and table[2][3] == table[2][5] == ""
    assert table[3] == ["late", NAME, "unreadable", "0", "100", "", "not JSON, sorry"]


def test_the_commands_write_files_and_list_who_was_left_out(tmp_path, monkeypatch, capsys):
    (tmp_path / "results.json").write_text(json.dumps(results(s1=92, mallory=3)))
    (tmp_path / "canvas.csv").write_text(CANVAS)
    (tmp_path / "latin.csv").write_bytes(MOODLE.replace("Ada", "Zoë").encode("latin-1"))

    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["autograder", "export", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code, *capsys.readouterr()

    status, said, _ = run("canvas", "results.json", "--template", "canvas.csv", "--to", "out.csv")
    assert status == 0 and "1 grade in the column a4_cross_entropy (4711)" in said
    assert "1 graded here, without a row of their own there: mallory" in said and "4 without a result" in said
    assert rows((tmp_path / "out.csv").read_text())[3][7] == "92"
    for arguments, words in ((("moodle", "results.json", "--template", "latin.csv", "--to", "o"), "expected UTF-8"),
                             (("csv", "canvas.csv", "--to", "o"), "expected results"), (("canvas", "results.json", "--template", "x", "--to", "o"), "No such file")):
        status, _, complaint = run(*arguments)
        assert status == 2 and words in complaint and len(complaint.strip().splitlines()) == 1
    (tmp_path / "blackboard.xls").write_bytes(BLACKBOARD.encode("utf-16"))
    status, said, _ = run("table", "results.json", "--template", "blackboard.xls", "--to", "filled.xls", "--identity", "Student ID",
                          "--column", "Softmax [Total Pts: 100 Score] |12345")
    assert status == 0 and "0 grades in the column Softmax [Total Pts: 100 Score] |12345" in said
    assert (tmp_path / "filled.xls").read_bytes().decode("utf-16").startswith("Last Name\tFirst Name")
    assert run("csv", "results.json", "--to", "table.csv")[0] == 0 and run("junit", "results.json", "--to", "j.xml")[0] == 0
    assert (tmp_path / "table.csv").read_bytes().startswith(b"\xef\xbb\xbfstudent,")
    before = (tmp_path / "results.json").read_bytes()
    status, _, complaint = run("csv", "results.json", "--to", "./results.json")
    assert status == 2 and "another file for --to than the results" in complaint and (tmp_path / "results.json").read_bytes() == before
    (tmp_path / "results.json").write_text(json.dumps(results(s1=103, alan=100)))
    assert "\n1 above the maximum: Moodle" in run("canvas", "results.json", "--template", "canvas.csv", "--to", "out.csv")[1]
