"""What Canvas and Moodle hand out becomes submissions: the right student, one file, and nothing that an archive could smuggle in."""

import json
import shutil
import stat
import zipfile
from pathlib import Path

import pytest
from conftest import TINY_LESSON, TINY_QUESTIONS, autograder, write_tiny

from autograder.authoring.course import CourseError
from autograder.delivery import download as downloading
from autograder.delivery.download import Download, is_download
from autograder.delivery.roster import Roster, read_roster

NAME = "a0_doubling"
CANVAS = {"lovelaceada_LATE_101_5001_doubling-2.ipynb": "ada", "turingalan_102_5002_doubling.ipynb": "alan",
          "turingalan_102_5003_notes.pdf": "%PDF", "latefred_104_text.html": "<p>see mail</p>", "__MACOSX/._x": "", ".DS_Store": "", "hopper_103_5004_doubling.ipynb": "grace", "hopper_103_5005_doubling (1).ipynb": "old"}
MOODLE = {"Ada Lovelace_17_assignsubmission_file/doubling.ipynb": "ada", "Zoë Turing_18_assignsubmission_file_/doubling.ipynb": "zoë",
          "Grace_van_Hopper_19_assignsubmission_file/essay.txt": "no", "Grace_van_Hopper_19_assignsubmission_onlinetext/onlinetext.html": "<p>",
          "Eve_20_assignsubmission_onlinetext/onlinetext.html": "<p>"}
MOODLE_FLAT = {"Ada Lovelace_17_assignsubmission_file_doubling.ipynb": "ada", "Zoë Turing_18_assignsubmission_file_doubling.ipynb": "zoë",
               "Grace_van_Hopper_19_assignsubmission_file_essay.txt": "no", "Eve_20_assignsubmission_onlinetext_onlinetext.html": "<p>"}


@pytest.fixture
def course(tmp_path):
    return write_tiny(write_tiny(tmp_path / "course").root, TINY_LESSON, TINY_QUESTIONS, "a1_halving")


def packed(path: Path, files: dict[str, str | bytes], **of) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def collected(path, course, target, roster=None, assignment=None):
    with Download(path) as download:
        return download.collect(course, target, roster, assignment)


def taken(target: Path) -> dict[str, str]:
    return {str(path.relative_to(target)): path.read_text() for path in sorted(target.rglob("*.ipynb"))}


def test_canvas_names_the_student_by_number_and_says_who_was_late(course, tmp_path):
    found, _ = collected(packed(tmp_path / "submissions.zip", CANVAS), course, tmp_path / "submitted")
    assert taken(tmp_path / "submitted") == {f"101/{NAME}/doubling.ipynb": "ada", f"102/{NAME}/doubling.ipynb": "alan",
                                             f"103/{NAME}/doubling.ipynb": "grace", f"103/{NAME}/doubling (1).ipynb": "old"}
    assert [(item.student, item.note) for item in found] == [("101", "late, says Canvas"), ("102", ""), ("103", ""), ("104", "")]
    assert [bool(item.problem) for item in found] == [False, False, False, True] and "Found: text.html" in found[3].problem
    assert json.loads((tmp_path / f"submitted/101/{NAME}/collected.json").read_text()) == {
        "download": "submissions.zip", "as": "lovelaceada_LATE_101", "late": True, "note": ""}


@pytest.mark.parametrize("files", [MOODLE, MOODLE_FLAT], ids=["folders", "flat"])
@pytest.mark.parametrize("unpacked", [False, True])
def test_moodle_names_the_student_by_participant(course, tmp_path, files, unpacked):
    path = packed(tmp_path / "CS1-Doubling-123.zip", files)
    if unpacked:  # Safari unpacks what it downloads
        shutil.unpack_archive(path, tmp_path / "CS1-Doubling-123")
        path = tmp_path / "CS1-Doubling-123"
        assert is_download(path)
    found, _ = collected(path, course, tmp_path / "submitted")
    assert taken(tmp_path / "submitted") == {f"17/{NAME}/doubling.ipynb": "ada", f"18/{NAME}/doubling.ipynb": "zoë"}
    assert [bool(item.problem) for item in found] == [False, False, True, True] and "Found: onlinetext.html" in found[3].problem


def test_the_roster_gives_names_and_tells_who_is_missing(course, tmp_path):
    (tmp_path / "roster.csv").write_text("identifier,canvas_id,moodle_id\nada,101,Participant 17\nzoe,105,18\nalan,102,\n")
    roster = read_roster(tmp_path / "roster.csv", "Canvas")
    found, absent = collected(packed(tmp_path / "c.zip", CANVAS), course, tmp_path / "canvas", roster)
    assert sorted(taken(tmp_path / "canvas")) == [f"ada/{NAME}/doubling.ipynb", f"alan/{NAME}/doubling.ipynb"] and absent == ["zoe"]
    assert [item.problem for item in found[:3]] == ["", "", "Canvas's number 103 is not in the roster"]
    roster = read_roster(tmp_path / "roster.csv", "Moodle")
    assert roster == Roster({"17": ("ada",), "18": ("zoe",)}, ("alan",))
    collected(packed(tmp_path / "m.zip", MOODLE), course, tmp_path / "moodle", roster)
    assert sorted(taken(tmp_path / "moodle")) == [f"ada/{NAME}/doubling.ipynb", f"zoe/{NAME}/doubling.ipynb"]


def test_which_assignment_it_is_must_be_clear(course, tmp_path):
    renamed = packed(tmp_path / "renamed.zip", {"ada_1_2_mine.ipynb": "ada"})
    with pytest.raises(CourseError, match="found none. Name it with --assignment"):
        collected(renamed, course, tmp_path / "submitted")
    found, _ = collected(renamed, course, tmp_path / "submitted", assignment=NAME)
    assert not found[0].problem and taken(tmp_path / "submitted") == {f"1/{NAME}/mine.ipynb": "ada"}
    both = packed(tmp_path / "both.zip", {"ada_1_2_doubling.ipynb": "ada", "bob_2_3_halving.ipynb": "bob"})
    with pytest.raises(CourseError, match="found a0_doubling, a1_halving"):
        collected(both, course, tmp_path / "submitted")


def hostile(tmp_path: Path) -> Path:
    """Seven students, one of whom handed in a notebook; the others' files are tricks."""
    path = packed(tmp_path / "submissions.zip", {
        "good_1_10_doubling.ipynb": "good",
        "Up_2_assignsubmission_file/../../../../outside.ipynb": "up",
        "x/../../abs_3_11_doubling.ipynb": "not even a student's",
        "far_4_12_..\\..\\outside.ipynb": "backslashes",
        "huge_5_13_doubling.ipynb": "x" * 5000})
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("link_6_14_doubling.ipynb")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("secret_7_15_doubling.ipynb", "locked")
        archive.writestr("torn_8_16_doubling.ipynb", "torn apart")
    data = bytearray(path.read_bytes())
    data[data.index(b"torn apart")] ^= 1  # the checksum fails
    at = data.index(b"PK\x01\x02", data.rindex(b"secret_7_15") - 60)
    data[at + 8] |= 1  # marked as encrypted
    path.write_bytes(data)
    return path


def test_an_archives_tricks_cost_their_owner_only_and_are_a_line_each(course, tmp_path, monkeypatch):
    monkeypatch.setattr(downloading, "MAX_BYTES", 2000)
    found, _ = collected(hostile(tmp_path / "in"), course, tmp_path / "deep/er/submitted")
    assert taken(tmp_path / "deep/er/submitted") == {f"1/{NAME}/doubling.ipynb": "good"}
    said = {item.source.split("_")[0]: item.problem for item in found}
    assert "2 with names that tell no student: Up_2" in said.pop("submissions.zip")
    assert set(said) == {"good", "far", "huge", "link", "secret", "torn"} and not said.pop("good")
    for who, words in (("far", "no path below a folder"), ("huge", "more than"), ("link", "not a regular file"), ("secret", "encrypted"), ("torn", "CRC")):
        assert words in said[who] and "Found: none" in said[who] and "\n" not in said[who]
    assert [path.name for path in tmp_path.rglob("outside.ipynb")] == [] and len(list(tmp_path.rglob("*.ipynb"))) == 1


@pytest.mark.parametrize("files", [{"Up_2_assignsubmission_file/../../../outside.ipynb": "up"}, {"Up_2_assignsubmission_file//etc/outside.ipynb": "up"},
                                   {"Up_2_assignsubmission_file/a/b/c/d/e.ipynb": "deep"}, {"Up_2_assignsubmission_file/a\nb.ipynb": "two lines"}])
def test_a_name_that_leads_elsewhere_is_not_unpacked(course, tmp_path, files):
    (found,), _ = collected(packed(tmp_path / "in/m.zip", files), course, tmp_path / "a/b/submitted", assignment=NAME)
    assert "no path below a folder" in found.problem and "\n" not in found.problem and list(tmp_path.rglob("*.ipynb")) == []


def test_more_files_than_anybody_needs_are_left_out(course, tmp_path):
    files = {f"ada_1_{number}_{number}.txt": "x" for number in range(200)} | {"bob_2_1_doubling.ipynb": "bob"}
    found, _ = collected(packed(tmp_path / "c.zip", files), course, tmp_path / "submitted")
    assert "150 more files" in found[0].problem and not found[1].problem


def test_a_students_files_are_unpacked_up_to_a_size_in_all(course, tmp_path, monkeypatch):
    monkeypatch.setattr(downloading, "MAX_BYTES", 2000)
    monkeypatch.setattr(downloading, "MOST_BYTES", 3000)
    files = {f"ada_1_{number}_bomb-{number}.txt": "x" * 9000 for number in range(3)} | {"ada_1_9_doubling.ipynb": "ada", "bob_2_1_doubling.ipynb": "bob"}
    (ada, bob), _ = collected(packed(tmp_path / "c.zip", files), course, tmp_path / "submitted")
    assert ada.problem.count("it has more than") == 2 and "the files before it" in ada.problem and not bob.problem


@pytest.mark.parametrize("content, words", [(b"", "it cannot be read"), (b"PK\x03\x04 and no more", "it cannot be read"), (b"<html>Log in", "it cannot be read"),
                                            ({"notes.txt": "x", "b/c.ipynb": "y"}, "Received: b/c.ipynb, notes.txt")])
def test_what_is_no_download_is_one_line(course, tmp_path, content, words):
    path = tmp_path / "submissions.zip"
    packed(path, content) if isinstance(content, dict) else path.write_bytes(content)
    with pytest.raises(CourseError, match=words) as caught:
        Download(path)
    assert "\n" not in str(caught.value)


def test_the_command_takes_a_download_as_it_takes_clones(course, tmp_path):
    packed(course.root / "submissions.zip", CANVAS)
    (course.root / "roster.csv").write_text("identifier,canvas_id\nada,101\nalan,102\neve,\nzoe,105\nfred,104\n")
    done = autograder("collect", "submissions.zip", "--roster", "roster.csv", cwd=course.root)
    assert done.returncode == 1 and "lovelaceada_LATE_101 -> submitted/ada/a0_doubling" in done.stdout
    for line in ("lovelaceada_LATE_101: late, says Canvas", "hopper_103: not taken: Canvas's number 103 is not in the roster", "zoe: nothing there",
                 "eve: no account in the roster", "2 submissions from 4 students"):
        assert line in done.stdout.splitlines()
    done = autograder("collect", "submissions.zip", "--assignment", NAME, "--assignment", "a1_halving", cwd=course.root)
    assert done.returncode == 2 and "expected one assignment" in done.stderr
    assert autograder("collect", "nothing.zip", cwd=course.root).returncode == 2
