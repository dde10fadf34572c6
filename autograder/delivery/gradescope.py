"""Grades one submission inside Gradescope's container: `run_autograder` calls this, with the hidden key.

Student code runs in the sandbox, as strong as the container allows. While it does, the key's file is not there.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from autograder.authoring.course import CourseError, find_course
from autograder.files import atomic
from autograder.grading.batch import Job, grade_all
from autograder.grading.key import load
from autograder.grading.versions import notice
from autograder.report.gradescope import gradescope
from autograder.report.json import results
from autograder.sandbox.isolation import weaker

MOST_SECONDS = 240  # of running, and of standing still: Gradescope ends a run after ten minutes unless told otherwise


def grade_container(root: Path) -> str:
    """Grade `root/submission` and write `root/results/results.json`.

    Returns:
        What happened, for the instructor's eyes.
    Raises:
        CourseError: the autograder is not complete, or grading failed: no results, and no points lost.
    """
    course = find_course(root / "source" / "course")
    keys = sorted((course.root / "build" / "keys").glob("*.npz"))
    if len(keys) != 1:
        raise CourseError(f"expected one answer key in the autograder; found {len(keys)}. Export it again and upload the zip.")
    key, content = load(keys[0]), keys[0].read_bytes()
    limits = dataclasses.replace(course.limits, submission_seconds=min(course.limits.submission_seconds, MOST_SECONDS))
    job = Job(key, course.skeleton(key.assignment), tuple(course.released_files(key.assignment)), limits,
              hidden=(root / "source", root / "results"))
    # The container is this submission's own, so what student code cannot find it cannot read. Put back for a second run.
    keys[0].unlink()
    try:
        verdicts = grade_all([(_student(root), root / "submission")], job)
    finally:
        with atomic(keys[0], mode=0o600) as file:
            file.write(content)
    if not verdicts:  # the run was ended from outside, and has no results
        raise KeyboardInterrupt
    verdict, = verdicts
    isolation = results([verdict], key)["isolation"]
    try:
        shown = gradescope(verdict, isolation)
    except ValueError as error:
        raise CourseError(f"this submission could not be graded: {error}. Run the autograder again.") from None
    with atomic(root / "results" / "results.json") as file:
        file.write(json.dumps(shown, indent=1).encode() + b"\n")
    lacks = weaker(isolation)
    return " ".join(filter(None, [
        f"{verdict.student}: {verdict.score} of {verdict.max_score} points in about {verdict.seconds:.0f} s,",
        f"{lacks} Grade again on your own machine before the points count." if lacks else f"isolation: {isolation}",
        notice(key.versions, verdict.versions) if verdict.versions else ""]))


def _student(root: Path) -> str:
    """Whose submission it is, as far as Gradescope says."""
    try:
        users = json.loads((root / "submission_metadata.json").read_text(encoding="utf-8"))["users"]
        return ", ".join(str(user.get("email") or user.get("name")) for user in users) or "student"
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "student"
