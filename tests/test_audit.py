"""`autograder audit`: an assignment is fair when whole notebooks get what they should."""

import dataclasses
import subprocess
import sys

from autograder.authoring import audit, samples
from autograder.grading.batch import Job, find_submissions, grade_all
from autograder.grading.key import load
from autograder.sandbox.sandbox import Limits

NAME = "a0_doubling"


def audited(course, key, made, folder):
    samples.write_class(made, folder, NAME)
    job = Job(key, course.skeleton(NAME), tuple(course.released_files(NAME)), Limits(), "auto", (course.root,))
    return list(audit.problems(made, grade_all(find_submissions(folder, NAME)[0], job), key))


def test_a_sound_assignment_passes(built_tiny):
    done = subprocess.run([sys.executable, "-m", "autograder", "audit", NAME], cwd=built_tiny.root, capture_output=True, text=True)
    mistakes = len(audit.notebooks(built_tiny, NAME)) - 2
    assert done.returncode == 0, done.stderr
    assert mistakes >= 2 and f"✓ {NAME}: reference 100, blank 0, {mistakes} mistakes lose points and are named" in done.stdout


def test_what_is_unfair_is_said_by_notebook(built_tiny, tmp_path):
    key, made = load(built_tiny.key(NAME)), audit.notebooks(built_tiny, NAME)
    notebooks = {sample.student: sample for sample in made}
    mistake = next(sample for sample in made if sample.question == "double")
    swapped = [dataclasses.replace(notebooks["all-right"], notebook=mistake.notebook),
               dataclasses.replace(notebooks["blank"], notebook=notebooks["all-right"].notebook),
               dataclasses.replace(mistake, notebook=notebooks["all-right"].notebook)]
    right, blank, wrong = audited(built_tiny, key, swapped, tmp_path)
    assert right.startswith("all-right: expected 100 points. Received: 50. double: ")
    assert blank == "blank: expected 0 points. Received: 100, for double, quadruple"
    assert wrong == f"{mistake.student}: expected double to lose points. Received: all 50"


def test_a_mistake_under_another_name_or_none_is_said(built_tiny, tmp_path):
    key, made = load(built_tiny.key(NAME)), audit.notebooks(built_tiny, NAME)
    first, second = [sample for sample in made if sample.question == "double"][:2]
    (line,) = audited(built_tiny, key, [dataclasses.replace(first, notebook=second.notebook)], tmp_path)
    assert line.startswith(f"{first.student}: expected the name {first.misconception}. Received: {second.misconception} (")
