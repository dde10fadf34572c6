"""Answers that are alike beyond what a class has in common: evidence for a person to judge, never proof and never a grade.

Answers are compared as tokens: comments, layout and strings that stand alone are left out, names that a student chooses and
literals are all the same; attributes and keyword arguments, which belong to libraries, stay. Runs of `GRAM` tokens are
fingerprinted by winnowing (S. Schleimer, D. Wilkerson and A. Aiken, 2003). What the release or the reference holds, and what more
than a quarter of the class has, is subtracted: it is how one writes this answer, not whose it is.
"""

from __future__ import annotations

import builtins
import functools
import keyword
import token
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse

from autograder.report.answers import tokens

GRAM = 9  # tokens of one fingerprint
WINDOW = 4  # grams of which one is kept: what is alike in GRAM + WINDOW - 1 tokens is always noticed
COMMON = 0.25  # share of the class from which on a fragment is nobody's own
LIKE = 0.7  # of the shorter answer's own fingerprints, by rarity, that two share for one question to be evidence
ENOUGH = 15  # shared fingerprints: with fewer, two answers are alike because they are short
LIKE_AMONG_ALL = 0.3  # the same of whole notebooks, in which more agrees by chance of one question and less of all
ENOUGH_AMONG_ALL = 30
FEW = 4  # shared fingerprints, with fewer of which an answer is not shown
WRONG_ALIKE = 2.0  # how much more a shared wrong answer weighs that has no name and that few others gave
RARE = 0.1  # share of the class that may have given it
BETWEEN_STATEMENTS = {token.NEWLINE, token.INDENT, token.DEDENT}
NAME = "$"  # is in no token of Python
KEPT = {*keyword.kwlist, *dir(builtins)}


@dataclass(frozen=True)
class Match:
    """What two students' answers to one question have in common.

    Attributes:
        share: of the shorter one's own fingerprints, that the other has too.
        shared: how many fingerprints that is.
        wrong_alike: how many in the class gave the same wrong answer without a name; 0 when these two did not, or many did.
        lines: of the first's and of the second's answer, from 1 on, that match.
    """

    question: str
    share: float
    shared: int
    wrong_alike: int
    lines: tuple[frozenset[int], frozenset[int]]


@dataclass(frozen=True)
class Pair:
    """Two students whose answers to some questions are alike.

    Attributes:
        weight: orders pairs: the rarity of all that they share, in bits; a shared wrong answer without a name weighs more.
        share: of the own fingerprints of both notebooks.
    """

    students: tuple[str, str]
    weight: float
    share: float
    matches: tuple[Match, ...]


def similar(answers: Mapping[str, Mapping[str, str]], given: Mapping[str, Iterable[str]],
            wrong: Mapping[str, Sequence[Sequence[str]]] | None = None) -> list[Pair]:
    """Pairs of students with answers that are alike, those with the most evidence first.

    Args:
        answers: source by student and question.
        given: by question, what every student had or may write: the release's cells, the reference's.
        wrong: by question, groups of students who gave the same wrong answer, one without a name.
    """
    students = list(answers)
    weight, own = np.zeros((2, len(students), len(students)))
    matches: dict[tuple[int, int], list[Match]] = {}
    for question in dict.fromkeys(name for own in answers.values() for name in own):
        prints = [fingerprints(answers[student].get(question, "")) for student in students]
        known = {mark for source in given.get(question, ()) for mark in fingerprints(source, every=True)}
        groups = _rare_groups(wrong.get(question, ()) if wrong else (), students)
        rarity, shared, common = _compared(prints, known)
        least = np.minimum.outer(rarity.diagonal(), rarity.diagonal())
        share = rarity / np.maximum(1e-9, least)
        weight += rarity
        own += least
        first, second = np.nonzero(np.triu((share >= LIKE_AMONG_ALL) & (shared >= FEW), 1))
        for a, b in zip(first.tolist(), second.tolist()):
            alike = len(groups[students[a]]) if students[b] in groups.get(students[a], ()) else 0
            both = (prints[a].keys() & prints[b].keys()) - known - common
            mine, theirs = (frozenset(line for mark in both for line in prints[who][mark]) for who in (a, b))
            matches.setdefault((a, b), []).append(Match(question, float(share[a, b]), int(shared[a, b]), alike, (mine, theirs)))
            weight[a, b] += rarity[a, b] * (WRONG_ALIKE - 1) * bool(alike)
    share = weight / np.maximum(1e-9, own)
    pairs = [Pair((students[a], students[b]), float(weight[a, b]), float(share[a, b]), tuple(found))
             for (a, b), found in matches.items() if _is_evidence(float(share[a, b]), found)]
    return sorted(pairs, key=lambda pair: (-pair.weight, pair.students))


def _is_evidence(share: float, found: Sequence[Match]) -> bool:
    """Is one question alike almost throughout, or the whole notebook more than two written apart are?"""
    return any(match.share >= LIKE and match.shared >= ENOUGH for match in found) or \
        share >= LIKE_AMONG_ALL and sum(match.shared for match in found) >= ENOUGH_AMONG_ALL


def groups_of(pairs: Sequence[Pair]) -> list[list[str]]:
    """Students who are linked by pairs, three or more, the largest group first."""
    names = sorted({student for pair in pairs for student in pair.students})
    at = {name: place for place, name in enumerate(names)}
    ends = np.array([[at[student] for student in pair.students] for pair in pairs], int).reshape(-1, 2).T
    graph = scipy.sparse.coo_array((np.ones(len(pairs)), (ends[0], ends[1])), (len(names), len(names)))
    _, label = scipy.sparse.csgraph.connected_components(graph, directed=False)
    found = [[name for name, one in zip(names, label) if one == group] for group in range(label.max(initial=-1) + 1)]
    return sorted((group for group in found if len(group) > 2), key=lambda group: (-len(group), group))


@functools.lru_cache(maxsize=20_000)
def fingerprints(source: str, every: bool = False) -> dict[int, frozenset[int]]:
    """A source's fingerprints, each with the lines that it spans.

    Args:
        every: of all grams, for what is subtracted, instead of one in each window.
    """
    words, lines = _words(source)
    if len(words) < GRAM:
        return {}
    grams = _grams(words)
    grams ^= grams >> np.uint64(29)  # so that which one is the smallest says nothing about its last token
    grams *= np.uint64(0xBF58476D1CE4E5B9)
    kept = range(len(grams))
    if not every and len(grams) > WINDOW:
        windows = np.lib.stride_tricks.sliding_window_view(grams, WINDOW)
        kept = np.unique(np.arange(len(windows)) + WINDOW - 1 - windows[:, ::-1].argmin(axis=1)).tolist()  # the last smallest
    found: dict[int, frozenset[int]] = {}
    for place in kept:
        mark = int(grams[place])
        found[mark] = found.get(mark, frozenset()) | frozenset(lines[place:place + GRAM])
    return found


def _grams(words: Sequence[str]) -> np.ndarray:
    """A number for each run of GRAM tokens, uint64: the same where only names differ, each for another throughout the run.

    A name stands for how far back it was used last, if that is in the run (B. S. Baker, 1996: parameterized pattern matching).
    """
    ids = np.array([0 if word.startswith(NAME) else zlib.crc32(word.encode("utf-8", "replace")) for word in words], np.uint64)
    last: dict[str, int] = {}
    back = np.zeros(len(words), np.uint64)
    for place, word in enumerate(words):
        if word.startswith(NAME):
            back[place] = min(place - last.get(word, -GRAM), GRAM)
            last[word] = place
    window = np.lib.stride_tricks.sliding_window_view
    far = window(back, GRAM)
    near = np.where(far <= np.arange(GRAM, dtype=np.uint64), far, 0)  # of what lies before the run nothing is known
    factors = np.array([pow(1_000_003, i + 1, 2**64) for i in range(GRAM)], np.uint64)
    return ((window(ids, GRAM) + near) * factors).sum(axis=1, dtype=np.uint64)


def _words(source: str) -> tuple[list[str], list[int]]:
    """Tokens without what a copy changes at no cost, and the line of each; those that a student names begin with NAME."""
    words: list[str] = []
    lines: list[int] = []
    depth, alone = 0, True  # inside brackets; whether a statement begins here
    items = [item for item in tokens(source) if item.kind not in (token.COMMENT, token.NL)]
    for place, item in enumerate(items):
        following = items[place + 1].text if place + 1 < len(items) else ""
        if item.kind in BETWEEN_STATEMENTS:
            alone = True
            continue
        if item.kind == token.STRING and alone:  # a docstring, or code that is commented out
            continue
        depth += (item.text in ("(", "[", "{")) - (item.text in (")", "]", "}"))
        if item.kind == token.NAME and item.text not in KEPT:
            attribute = bool(words) and words[-1] == "."
            words.append(item.text if attribute or depth > 0 and following == "=" else NAME + item.text)
        elif item.kind in (token.NUMBER, token.STRING):
            words.append("literal")
        else:
            words.append(item.text)
        lines.append(item.line)
        alone = False
    return words, lines


def _compared(prints: Sequence[Mapping[int, object]], known: set[int]) -> tuple[np.ndarray, np.ndarray, set[int]]:
    """What all pairs of answers to a question have in common, beyond what is subtracted.

    Returns:
        The rarity of it in bits, float, and the number of fingerprints, int, both (students, students); on the diagonal what
        each has of its own. And the fingerprints that too many have to be anybody's own.
    """
    marks = {mark: place for place, mark in enumerate(dict.fromkeys(mark for one in prints for mark in one if mark not in known))}
    who = [(row, marks[mark]) for row, one in enumerate(prints) for mark in one if mark in marks]
    rows, columns = np.array(who, int).reshape(-1, 2).T
    has = scipy.sparse.csr_array((np.ones(len(who), np.int32), (rows, columns)), (len(prints), len(marks)))
    holders = np.asarray(has.sum(axis=0)).ravel()
    handed_in = max(1, sum(bool(one) for one in prints))
    own = holders <= max(2, COMMON * handed_in)
    has = has[:, own]
    bits = np.log2(handed_in / holders[own] + 1)  # a class of two has something to say, too
    return (has * bits[None, :] @ has.T).toarray(), (has @ has.T).toarray(), {
        mark for mark, place in marks.items() if not own[place]}


def _rare_groups(groups: Iterable[Sequence[str]], students: Sequence[str]) -> dict[str, Sequence[str]]:
    """By student, the group of those who gave the same wrong answer, where it is small enough to tell something."""
    return {student: group for group in groups if 2 <= len(group) <= max(2, RARE * len(students)) for student in group}
