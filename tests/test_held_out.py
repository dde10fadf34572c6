"""Wrong answers that no misconception was written after: each loses points, and is called what it is or nothing.

`held_out/ASSIGNMENT.py` holds them, in cells `# %% question: name`: the one misconception whose hint is to be said, of the question or
of a case, or "-" where none is true.
"""

import functools
import re
from pathlib import Path

import pytest
from conftest import ASSIGNMENTS

from autograder.authoring.lesson import load_lesson
from autograder.grading.judge import judge
from autograder.grading.key import load
from autograder.grading.observe import load_observers, tried
from autograder.grading.ran import Ran
from autograder.inside import probes, wire
from autograder.inside.protocol import Outcome, plain, typed

FOLDER = Path(__file__).parent / "held_out"
LEAST = 12  # answers of an assignment


def answers(assignment):
    """(question, name or "-", source) of every cell."""
    text = (FOLDER / f"{assignment}.py").read_text(encoding="utf-8")
    parts = re.split(r"^# %% (\w+): (\S+)\n", text, flags=re.MULTILINE)[1:]
    return list(zip(parts[::3], parts[1::3], parts[2::3]))


def outcome(answer, case, seed, extra, observers):
    """What the grader hears of an answer, through the wire as it would come."""
    try:
        found = tried(answer, case.probe, case.inputs, seed, extra, observers)
    except Exception as error:
        found = Outcome(failure=probes.failure(error))
    return typed(wire.unpack(wire.pack(plain(found))), Outcome)


def judged(question, source, lesson, extra, observers):
    """The verdict on an answer that stands in a solved notebook."""
    names = {**vars(lesson), "__name__": "__main__"}
    exec(compile(source, f"{question.name}.py", "exec"), names)
    outcomes = {case.name: outcome(names[question.name], case, f"{question.name}/{case.name}", extra, observers)
                for case in question.cases}
    return judge(question, outcomes, Ran(), {})


def names_said(question, verdict):
    """Every misconception whose hint is said somewhere."""
    return {name for name, hint in question.hints.items() if any(hint in case.message for case in verdict.cases)}


@pytest.mark.corpus
@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_no_wrong_answer_is_accepted_and_none_called_what_it_is_not(assignment, course):
    folder = course.solution(assignment)
    judge_one = functools.partial(judged, lesson=load_lesson(folder / "questions.py"), extra=probes.own_probes(folder), observers=load_observers(folder))
    questions = {question.name: question for question in load(course.key(assignment)).questions}
    held_out, wrong = answers(assignment), []
    for number, (name, expected, source) in enumerate(held_out):
        verdict = judge_one(questions[name], source)
        said = names_said(questions[name], verdict)
        if verdict.score == verdict.max_score:
            wrong.append(f"{number} {name} is accepted")
        elif said != {expected} - {"-"}:
            wrong.append(f"{number} {name} is called {sorted(said)}, not {expected}")
    assert not wrong, wrong
    assert len(held_out) >= LEAST
