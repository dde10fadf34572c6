"""What lessons say of their own pictures, against what their cells print: as they ship, and from other random starts."""

import contextlib
import io
import re
import sys

import numpy as np
import pytest
from conftest import ASSIGNMENTS, ROOT

from autograder.authoring.lesson import keep_solution, notebook_name, read_lesson, run_cell

NUMBER = re.compile(r"(?<![\w.,^])[−-]?\d{1,3}(?:,\d{3})+(?![\d.])|(?<![\w.,^])[−-]?\d+\.\d+|(?<![\w.,^])\d+(?= %| in 100\b)")
FORMULA = re.compile(r"\$\$.*?\$\$|\$[^$]*\$|`[^`]*`|\[[^\]]*\]\([^)]*\)", re.DOTALL)
ANY = re.compile(r"[−-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
# Numbers in prose that no cell prints, because they follow on paper from what stands beside them.
ON_PAPER = {
    "a2_gradient_descent": {"2.175"},  # whose square is printed
    "a3_backpropagation": {"1,220", "5,000"},  # two runs for each of 610; 0.9 / 0.00016, "more than"
    "a6_convolution": {"11,520"},
    "a7_recurrence": {"3.7"},  # 1 + e
    "a9_transformer": {"3,000", "14,000"},  # "more than"; nine tenths of the text
}


def executed(assignment, monkeypatch, shift=0, chosen=lambda source: True):
    """Run a solved lesson; yield (prose, what the demo cells right before it printed, their sources).

    Args:
        shift: added to every seed of a lesson's generators.
        chosen: which demo cells to run.
    """
    import keras
    import matplotlib.pyplot as plt

    folder = ROOT / "solutions" / assignment
    monkeypatch.chdir(ROOT / "assignments" / assignment)
    monkeypatch.syspath_prepend(folder)
    sys.modules.pop("layers", None)
    if shift:
        generator, seeded = np.random.default_rng, keras.utils.set_random_seed
        monkeypatch.setattr(np.random, "default_rng", lambda seed=None: generator(seed if seed is None else seed + 1000 * shift))
        monkeypatch.setattr(keras.utils, "set_random_seed", lambda seed: seeded(seed + 1000 * shift))
    namespace, printed, sources = {"__name__": "__main__"}, "", ""
    for number, cell in enumerate(read_lesson(folder)):
        if cell.kind == "prose":
            if printed:
                yield re.split(r"^#+ |^> \*\*Going|^\*\*Going", cell.source, maxsplit=1, flags=re.MULTILINE)[0], printed, sources
            printed = sources = ""
        elif cell.kind in ("setup", "question") or cell.kind == "demo" and chosen(cell.source):
            with contextlib.redirect_stdout(io.StringIO()) as said:
                run_cell(keep_solution(cell.source), f"<{assignment}:{number}>", namespace)
            plt.close("all")
            if cell.kind == "demo":
                printed, sources = printed + said.getvalue(), sources + cell.source


def value(text):
    return float(text.replace("−", "-").replace(",", ""))


def unsupported(prose, printed, sources):
    """The numbers of a piece of prose that neither what was printed nor the cells themselves hold, to the digits given."""
    there = [value(text) for text in ANY.findall(printed.replace(",", ""))] + [value(text) for text in ANY.findall(sources)]
    for found in NUMBER.finditer(FORMULA.sub(" ", prose)):
        text = found[0]
        digits = len(text.partition(".")[2])
        wanted = value(text)
        close = 0.5001 * 10.0**-digits
        if not any(abs(abs(number) - abs(wanted)) <= close or abs(100 * abs(number) - abs(wanted)) <= 0.5 for number in there):
            yield text


@pytest.mark.corpus
@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_every_measured_number_in_prose_is_one_that_its_cells_print(assignment, monkeypatch):
    wrong, everything = [], ""
    for prose, printed, sources in executed(assignment, monkeypatch):
        everything += printed
        wrong += [(text, " ".join(prose.split())[:80]) for text in unsupported(prose, printed, sources)
                  if text not in ON_PAPER.get(assignment, ())]
    assert not wrong
    if assignment in CLAIMS:
        CLAIMS[assignment][0](everything)


def numbers(printed, line):
    """All numbers of the printed lines that begin with `line`, a list for each line."""
    lines = [text.strip()[len(line):] for text in printed.splitlines() if text.strip().startswith(line)]
    assert lines, f"no line begins with {line!r}"
    return [[value(text) for text in re.findall(r"[−-]?\d+(?:\.\d+)?", text)] for text in lines]


def backpropagation(printed):
    first = numbers(printed, "epoch  0:")[0]
    assert 20 < first[3] / first[0] < 300  # "some eighty times shorter"
    assert numbers(printed, "epoch 10:")[0][-1] < 0.2 and numbers(printed, "epoch 60:")[0][-1] > 0.6
    tanh, relu, disguised, sigmoid = (numbers(printed, f"{name:26} right after 5 epochs")[0] for name in (
        "tanh", "ReLU", "tanh as a sigmoid network", "sigmoid"))
    worst, middle, best = 4, 5, 6  # after 40 epochs
    assert sigmoid[best] < 0.15 and tanh[worst] >= 0.97 and relu[middle] >= 0.95 and disguised[worst] >= 0.9


def recurrence(printed):
    rnn, forgets, keeps = (numbers(printed, name)[0] for name in ("plain RNN", "LSTM, forget bias 1", "LSTM, forget bias 5"))
    assert min(rnn[:2]) >= 95 and min(forgets[:2]) >= 95 and min(keeps[:4]) >= 95  # lag 10; every lag with bias 5,
    assert keeps[4] >= 60 and keeps[5] >= 95  # over 40 not always from every start
    assert forgets[2] <= 60 and max(forgets[4:]) <= 25
    assert rnn[4] <= 60  # "a gamble": from one start at least it forgets, and from how many depends on roundings


def transformer(printed):
    rnn, lstm, block = (numbers(printed, f"{name:12s} best validation loss")[0] for name in ("RNN", "LSTM", "transformer"))
    perplexity, epoch, trained = 1, 2, -1
    assert lstm[perplexity] < block[perplexity] < rnn[perplexity] and rnn[epoch] < min(block[epoch], lstm[epoch])
    assert rnn[trained] < block[trained] < lstm[trained]
    finds, guesses = (numbers(printed, f"{name:22s}")[0][-2:] for name in ("one transformer block", "LSTM"))
    assert finds[0] >= 0.9 and guesses[1] <= 0.5
    in_shape = {name: int(share) for name, share in re.findall(r"^(.*?) +(?:perplexity.*, +)?\d+ ± *\d+ characters .* (\d+)% of", printed,
                                                               re.MULTILINE)}
    assert in_shape["transformer"] >= 60 and in_shape["transformer"] >= 15 + max(in_shape["RNN"], in_shape["LSTM"])
    on_breaks = {name: float(share) for name, share in re.findall(r"block, head (\d, \d):.*on line breaks (\S+)", printed)}
    keeps_time = max(on_breaks, key=on_breaks.get)
    assert on_breaks[keeps_time] > 3 * numbers(printed, "equal shares would put")[0][0]
    without = {head: in_shape[f"without head {head}"] for head in "1234"}
    assert min(without, key=without.get) == keeps_time[-1] and without[keeps_time[-1]] < in_shape["all heads"] - 20


# What prose claims in words, and the demo cells that it takes: it has to hold from other random starts than those that ship.
CLAIMS = {
    "a3_backpropagation": (backpropagation, ("def random_network", "def tanh_in_disguise", "def learn_by_hand")),
    "a7_recurrence": (recurrence, ("class PlainRNN",)),
    "a9_transformer": (transformer, ("data.sonnets()", "LENGTH", "= race(", "transformer", "NAMES")),
}


@pytest.mark.corpus
@pytest.mark.parametrize("shift", (1, 2))  # the test above has the third
@pytest.mark.parametrize("assignment", CLAIMS)
def test_what_prose_claims_holds_from_every_start(assignment, shift, monkeypatch):
    claims, needed = CLAIMS[assignment]
    chosen = executed(assignment, monkeypatch, shift, lambda source: any(words in source for words in needed))
    claims("".join(printed for _, printed, _ in chosen))


HOURS = {"two": "2", "two and a half": "2½", "three": "3", "three and a half": "3½"}


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_the_way_in_names_every_lesson_with_its_hours(assignment):
    notebook = f"{assignment}/{notebook_name(assignment)}.ipynb"
    assert (ROOT / "assignments" / notebook).is_file()
    hours = re.search(r"(?:need|Plan) about ([a-z ]+) hours", (ROOT / "solutions" / assignment / "lesson.py").read_text())[1]
    number = re.match(r"a(\d+)", assignment)[1]
    assert re.search(rf"^\| {number} \| \[[^]]*\]\({notebook}\) \| {HOURS[hours]} \|", (ROOT / "assignments/README.md").read_text(),
                     re.MULTILINE)


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_every_lesson_has_the_same_form(assignment):
    cells = read_lesson(ROOT / "solutions" / assignment)
    prose = "\n\n".join(cell.source for cell in cells if cell.kind == "prose")
    assert "By the end you will be able to\n" in prose and prose.count("**How to work.**") == 1 and "points together" in prose
    sections = [int(number) for number in re.findall(r"^## (\d+)\. ", prose, re.MULTILINE)]
    assert sections == list(range(1, len(sections) + 1)) and len(sections) >= 5
    assert all(line.startswith("> ") for line in prose.splitlines() if "**Going further.**" in line)
    end = prose[prose.index("\n## What to take along\n"):]
    assert 3 <= len(re.findall("^- ", end, re.MULTILINE)) <= 5
    questions = end[end.index("**To think about.**"):]
    assert re.findall(r"^(\d)\. ", questions, re.MULTILINE) == ["1", "2"] and re.search(r"\n\n[A-Z][^\n]+(\n[^\n]+)*$", questions)  # an outlook
    before = [cells[i - 1].source for i, cell in enumerate(cells) if "from autograder import moving" in cell.source
              or "\nmoving." in cell.source]
    assert before and all("What do you expect" in " ".join(source.split()) for source in before)
