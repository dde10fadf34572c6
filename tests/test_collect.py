"""From cloned repositories to submissions: the right student, the right file, and nothing that a repository could smuggle in."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TINY_LESSON, TINY_QUESTIONS, write_tiny

from autograder.commands.main import main
from autograder.delivery import collect as collecting
from autograder.delivery.collect import collect, read_commit, whose
from autograder.delivery.roster import Roster, RosterError, read_roster
from autograder.grading.batch import find_submissions

NAME = "a0_doubling"
ROSTER = 'identifier,github_username,github_id,name\n"lovelace, ada",AdaL,1,Ada\nturing,turing-machine,2,Alan\nbob,machine,3,Bob\nnobody,,,\n'


def repository(path: Path, content='{"cells": []}', when="2026-11-23T03:00:00+0100", name="doubling.ipynb") -> Path:
    path.mkdir(parents=True)
    (path / name).write_text(content)
    environment = {"PATH": os.environ["PATH"], "GIT_AUTHOR_DATE": "2001-01-01T00:00:00Z", "GIT_COMMITTER_DATE": when, "HOME": str(path)}
    for command in (["init", "--quiet"], ["add", "--all"],
                    ["-c", "user.name=A <x> 1 +0000", "-c", "user.email=a@b", "commit", "--quiet", "--message", "committer X <a> 5 +0000"]):
        subprocess.run(["git", *command], cwd=path, check=True, env=environment)
    return path


@pytest.fixture
def course(tmp_path):
    course = write_tiny(tmp_path / "course")
    return write_tiny(course.root, TINY_LESSON, TINY_QUESTIONS, "a1_halving")


@pytest.fixture
def roster(tmp_path):
    path = tmp_path / "roster.csv"
    path.write_text(ROSTER)
    return read_roster(path)


def test_repositories_become_submissions_that_grade_finds(course, roster, tmp_path):
    clones = tmp_path / "clones"
    ada = repository(clones / "a0-doubling-adal", '{"cells": [1]}')
    repository(clones / "turing-machine")
    repository(clones / "cs1-a1-halving-AdaL", name="halving.ipynb")
    repository(clones / "a0-doubling-stranger")
    (clones / "notes.txt").write_text("not a repository")
    found, absent = collect(clones, course, tmp_path / "submitted", roster)
    assert sorted((item.student, item.assignment, item.problem) for item in found) == [
        ("", "", "its owner is not in the roster"), ("lovelace, ada", NAME, ""), ("lovelace, ada", "a1_halving", ""), ("turing", NAME, "")]
    assert absent == ["bob"]
    place = tmp_path / "submitted/lovelace, ada" / NAME
    assert (place / "doubling.ipynb").read_text() == '{"cells": [1]}'
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ada, capture_output=True, text=True).stdout.strip()
    assert json.loads((place / "collected.json").read_text()) == {
        "repository": "a0-doubling-adal", "note": "", "commit": head, "time": "2026-11-23T02:00:00+00:00"}
    assert (place / "timestamp.txt").read_text() == "2026-11-23 02:00:00 UTC\n"
    handed_in, without = find_submissions(tmp_path / "submitted", NAME)
    assert [student for student, _ in handed_in] == ["lovelace, ada", "turing"] and without == []


def test_collecting_again_takes_the_new_commit_and_never_what_came_another_way(course, tmp_path):
    clone = repository(tmp_path / "clones/ada")
    target = tmp_path / "submitted"
    collect(tmp_path / "clones", course, target)
    (clone / "doubling.ipynb").rename(clone / "Doubling (1).ipynb")
    (clone / "Doubling (1).ipynb").write_text("new")
    found, _ = collect(tmp_path / "clones", course, target, assignments=[NAME])
    assert [path.name for path in (target / "ada" / NAME).glob("*.ipynb")] == ["Doubling (1).ipynb"] and not found[0].problem
    (target / "ada" / NAME / "collected.json").unlink()
    found, _ = collect(tmp_path / "clones", course, target, assignments=[NAME])
    assert "move it away first" in found[0].problem and (target / "ada" / NAME / "Doubling (1).ipynb").read_text() == "new"


@pytest.mark.parametrize("name, student", [
    ("a0-doubling-ada", "ada"), ("a0_doubling-ada-lovelace", "ada-lovelace"), ("doubling-ada", "ada"), ("cs101-a0-doubling-Ada", "Ada"),
    ("ada", "ada"), ("a0-doubling-", "a0-doubling-"), ("undoubling-ada", "undoubling-ada")])
def test_without_a_roster_the_name_tells(course, name, student):
    assert whose(name, course, None) == (student,)


@pytest.mark.parametrize("name, student", [
    ("machine", "bob"), ("a0-doubling-machine", "bob"), ("a0-doubling-turing-machine", "turing"), ("a0-doubling-TURING-MACHINE", "turing"),
    ("adal", "lovelace, ada"), ("a0-doublingadal", None), ("a0-doubling-adal-old", None), ("nobody", None)])
def test_with_a_roster_the_longest_user_name_counts(course, roster, name, student):
    assert whose(name, course, roster) == ((student,) if student else ())


def test_two_repositories_of_one_student_are_left_to_a_person(course, roster, tmp_path):
    repository(tmp_path / "clones/a0-doubling-adal")
    repository(tmp_path / "clones/adal")
    with pytest.raises(RosterError, match="a0-doubling-adal and adal"):
        collect(tmp_path / "clones", course, tmp_path / "submitted", roster)
    assert not (tmp_path / "submitted").exists()


@pytest.mark.parametrize("trick, words", [
    ("link", "it is a link"), ("absolute link", "it is a link"), ("directory", "doubling.ipynb/"), ("fifo", "not a regular file"), ("huge", "more than"),
    ("repository link", "it is a link"), ("none", "name it with --assignment")])
def test_only_a_regular_file_of_sane_size_is_taken(course, tmp_path, monkeypatch, trick, words):
    secret = tmp_path / "secret.ipynb"
    secret.write_text("the answers")
    clone = repository(tmp_path / "clones/ada")
    notebook = clone / "doubling.ipynb"
    notebook.unlink()
    if trick == "link":
        notebook.symlink_to("../../secret.ipynb")
    elif trick == "absolute link":
        notebook.symlink_to(secret)
    elif trick == "directory":
        notebook.mkdir()
    elif trick == "fifo":
        os.mkfifo(notebook)
    elif trick == "huge":
        monkeypatch.setattr(collecting, "MAX_BYTES", 1000)
        notebook.write_text("x" * 1001)
    elif trick == "repository link":
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere/doubling.ipynb").write_text("the answers")
        (tmp_path / "clones/bob").symlink_to(tmp_path / "elsewhere")
    found, _ = collect(tmp_path / "clones", course, tmp_path / "submitted")
    assert any(words in item.problem for item in found)
    assert list((tmp_path / "submitted").rglob("*.ipynb")) == [] if (tmp_path / "submitted").exists() else True


def test_a_repositorys_own_settings_start_no_program(tmp_path):
    clone = repository(tmp_path / "ada")
    mark = tmp_path / "ran"
    with open(clone / ".git/config", "a") as file:
        for section in ("core", "gpg", "log", "pager", "remote \"origin\"", "diff \"x\"", "filter \"x\""):
            file.write(f'[{section}]\n\tfsmonitor = "touch {mark}"\n\tpager = "touch {mark}"\n\tprogram = "touch {mark}"\n\tshowSignature = true\n'
                       f'\tcat = "touch {mark}"\n\tcat-file = "touch {mark}"\n\turl = "ext::touch {mark}"\n\tuploadpack = "touch {mark}"\n'
                       f'\tsmudge = "touch {mark}"\n\ttextconv = "touch {mark}"\n\tpromisor = true\n')
        file.write("[extensions]\n\tpartialClone = origin\n[core]\n\trepositoryformatversion = 1\n")
    (clone / ".git/hooks").mkdir(exist_ok=True)
    for hook in ("post-checkout", "pre-commit", "reference-transaction"):
        (clone / ".git/hooks" / hook).write_text(f"#!/bin/sh\ntouch {mark}\n")
        (clone / ".git/hooks" / hook).chmod(0o755)
    commit = read_commit(clone)
    assert commit and f"{commit.time:%Y-%m-%d %H:%M}" == "2026-11-23 02:00"
    for path in (clone / ".git/objects").rglob("*"):
        if path.is_file():
            path.unlink()  # now it would have to be fetched
    assert read_commit(clone) is None and not mark.exists()


def test_a_folder_that_is_no_clone_has_no_commit(course, tmp_path):
    (tmp_path / "clones/ada").mkdir(parents=True)
    (tmp_path / "clones/ada/doubling.ipynb").write_text("{}")
    repository(tmp_path / "clones/bob")
    (tmp_path / "clones/ada/.git").write_text(f"gitdir: {tmp_path}/clones/bob/.git\n")  # another's history
    found, _ = collect(tmp_path / "clones", course, tmp_path / "submitted")
    assert [bool(item.commit) for item in found] == [False, True]
    assert not (tmp_path / "submitted/ada" / NAME / "timestamp.txt").exists()


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-c", "user.name=A", "-c", "user.email=a@b", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.mark.parametrize("change, note", [
    (lambda clone: None, ""),
    (lambda clone: (clone / "doubling.ipynb").write_bytes(b'{"cells":\r\n []}'), ""),  # as Windows checks it out
    (lambda clone: (clone / "doubling.ipynb").write_text("{}"), "changed after the commit"),
    (lambda clone: git(clone, "rm", "--cached", "--quiet", "doubling.ipynb") or git(clone, "commit", "--message", "x"), "not in the commit"),
    (lambda clone: (clone / ".git").rename(clone.parent.parent / "kept") and (clone / ".git").write_text("gitdir: ../../kept"), "as in a worktree")])
def test_a_notebook_that_is_not_the_commits_is_said(course, tmp_path, change, note):
    clone = repository(tmp_path / "clones/ada", '{"cells":\n []}')
    change(clone)
    (found,), _ = collect(tmp_path / "clones", course, tmp_path / "submitted")
    assert not found.problem and note in found.note and bool(note) == bool(found.note)


def test_a_pointer_of_git_lfs_is_not_taken_and_what_it_stands_for_is(course, tmp_path):
    content = b'{"cells": []}'
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{hashlib.sha256(content).hexdigest()}\nsize {len(content)}\n"
    clone = repository(tmp_path / "clones/ada", pointer)
    (found,), _ = collect(tmp_path / "clones", course, tmp_path / "submitted")
    assert "git lfs pull" in found.problem and not (tmp_path / "submitted").exists()
    (clone / "doubling.ipynb").write_bytes(content)
    (found,), _ = collect(tmp_path / "clones", course, tmp_path / "submitted")
    assert not found.problem and not found.note


def test_a_teams_repository_is_the_submission_of_each_member(course, tmp_path):
    (tmp_path / "roster.csv").write_text("identifier,github_username,group_name\nada,adal,Team Rocket\nbob,,Team Rocket\ncy,cy,\n")
    repository(tmp_path / "clones/a0-doubling-team-rocket")
    found, absent = collect(tmp_path / "clones", course, tmp_path / "submitted", read_roster(tmp_path / "roster.csv"))
    assert [(item.student, item.problem) for item in found] == [("ada", ""), ("bob", "")] and absent == ["cy"]
    assert (tmp_path / "submitted/bob" / NAME / "doubling.ipynb").is_file()
    repository(tmp_path / "clones/a0-doubling-adal")
    with pytest.raises(RosterError, match="ada has a0-doubling-adal and a0-doubling-team-rocket"):
        collect(tmp_path / "clones", course, tmp_path / "submitted", read_roster(tmp_path / "roster.csv"))


def test_the_assignment_is_told_by_the_files_or_else_by_the_repositorys_name(course, tmp_path):
    repository(tmp_path / "clones/a1-halving-ada", name="my work.ipynb")
    (repository(tmp_path / "clones/bob", name="README.md") / "week 1").mkdir()
    (tmp_path / "clones/bob/week 1/doubling.ipynb").write_text("{}")
    found, _ = collect(tmp_path / "clones", course, tmp_path / "submitted")
    assert [(item.student, item.assignment) for item in found] == [("ada", "a1_halving"), ("bob", NAME)]
    assert (tmp_path / "submitted/ada/a1_halving/my work.ipynb").is_file()


def test_a_notebook_one_folder_down_is_taken_and_copies_come_with_it(course, tmp_path):
    clone = repository(tmp_path / "clones/ada", name="halving.ipynb")
    (clone / "week 1").mkdir()
    for name in ("doubling.ipynb", "doubling-Copy1.ipynb", "halving.ipynb", "._doubling.ipynb"):
        (clone / "week 1" / name).write_text(name)
    (clone / "week 1/link-Copy2.ipynb").symlink_to(tmp_path / "roster.csv")
    found, _ = collect(tmp_path / "clones", course, tmp_path / "submitted")
    assert [(item.assignment, item.problem) for item in found] == [(NAME, ""), ("a1_halving", "")] and found[0].note == "the notebook is not in the commit"
    assert sorted(path.name for path in (tmp_path / "submitted/ada" / NAME).glob("*.ipynb")) == ["doubling-Copy1.ipynb", "doubling.ipynb"]
    assert [path.name for path in (tmp_path / "submitted/ada/a1_halving").glob("*.ipynb")] == ["halving.ipynb"]
    shutil.rmtree(clone / "week 1")
    (found,), _ = collect(tmp_path / "clones", course, tmp_path / "again", assignments=[NAME])
    assert found.problem == "expected doubling.ipynb; found halving.ipynb only, which is another assignment's"


def test_a_folder_that_leads_elsewhere_is_not_followed(course, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/doubling.ipynb").write_text("the answers")
    clone = repository(tmp_path / "clones/a0-doubling-ada", name="README.md")
    (clone / "work").symlink_to(tmp_path / "elsewhere")
    monkeypatch.setattr(collecting, "find_notebook", lambda folder, name: (folder / "work/doubling.ipynb", ()))
    (found,), _ = collect(tmp_path / "clones", course, tmp_path / "submitted")
    assert found.problem == "work is a link" and not (tmp_path / "submitted").exists()


@pytest.mark.parametrize("text, words", [
    ("", "expected a header"), ("name,mail\na,b\n", "Received: name, mail"), ("github_username,identifier\na,../../etc\n", "directory"),
    ("github_username,identifier\na,.hidden\n", "directory"), ("github_username,identifier\na,x\nA,y\n", "a is there twice"),
    ("github_username,identifier\na,x\nb,x\n", "x is there twice"), ("github_username,identifier\na,\"x\ty\"\n", "directory")])
def test_a_roster_that_could_mix_up_students_is_refused(tmp_path, text, words):
    (tmp_path / "roster.csv").write_text(text)
    with pytest.raises(RosterError, match=words):
        read_roster(tmp_path / "roster.csv")


def test_a_roster_with_a_byte_order_mark_or_names_alone_is_read(tmp_path):
    (tmp_path / "roster.csv").write_text("\ufeffUsername\r\nAda\r\n", encoding="utf-8")
    assert read_roster(tmp_path / "roster.csv") == Roster({"ada": ("Ada",)})
    (tmp_path / "roster.csv").write_text("identifier;github_username\r\n\"Łuk, Zoë\";zoe\r\n", encoding="utf-8-sig")  # as Excel saves it in Warsaw
    assert read_roster(tmp_path / "roster.csv") == Roster({"zoe": ("Łuk, Zoë",)})
    (tmp_path / "roster.csv").write_bytes("identifier;github_username\r\nZoë;zoe\r\n".encode("cp1252"))
    with pytest.raises(RosterError, match="expected a CSV file in UTF-8"):
        read_roster(tmp_path / "roster.csv")


def test_the_command_lists_what_it_took_and_what_not(course, tmp_path, monkeypatch, capsys):
    repository(tmp_path / "clones/a0-doubling-adal")
    repository(tmp_path / "clones/[red]stranger")
    (tmp_path / "roster.csv").write_text(ROSTER)
    monkeypatch.chdir(course.root)
    monkeypatch.setattr(sys, "argv", ["autograder", "collect", str(tmp_path / "clones"), "--roster", str(tmp_path / "roster.csv"),
                                      "--to", str(tmp_path / "submitted")])
    with pytest.raises(SystemExit) as end:
        main()
    said = capsys.readouterr().out
    assert end.value.code == 1 and "1 submission from 2 repositories" in said
    assert "of 2026-11-23 02:00 UTC" in said and "[red]stranger: not taken: its owner is not in the roster" in said
    assert "turing: nothing there" in said and "bob: nothing there" in said and "nobody: no account in the roster" in said
