"""What became of an assignment's mutants, for its author's terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from autograder.authoring.mutation import ENDED, EQUIVALENT, KILLED, NAMED, RAISED, SURVIVED, TWO, UNNAMED, Fate, Tally, stub


def line(assignment: str, tally: Tally) -> Text:
    """An assignment's figures."""
    fates = tally.fates
    good = tally.killed >= KILLED and tally.named >= NAMED
    text = f"{assignment}: {sum(fates.values())} mutants, {fates.get(EQUIVALENT, 0)} equivalent; of {tally.wrong} wrong ones " \
        f"{tally.killed:.1%} lose points ({fates.get(SURVIVED, 0)} do not, {tally.listed} of them listed), " \
        f"{fates.get(RAISED, 0) + fates.get(ENDED, 0)} by an exception, too late or with their process; of the others " \
        f"{tally.named:.0%} are named, " \
        f"{tally.by_misconceptions:.0%} by a misconception"
    return Text.assemble(("✓ " if good else "✗ ", "green" if good else "red"), text)


def details(found: list[Fate], reasons: dict[tuple[str, str], str], whole: bool) -> Iterator[Text]:
    """Every mutant that an author should look at.

    Args:
        reasons: of survivors that the author has listed.
        whole: all mutants were tried: those without a name are told, too, and what is listed and does not survive is listed for
            nothing.
    """
    survivors = {(fate.question, fate.mutant.change) for fate in found if fate.fate == SURVIVED}
    for fate in found:
        where = f"  {fate.question}, line {fate.mutant.line}: {fate.mutant.change}"
        if fate.fate == SURVIVED and (fate.question, fate.mutant.change) not in reasons:
            yield Text(f"{where}\n    survives: a case is missing ({fate.told} tell it)", "red")
        elif fate.fate == ENDED:
            yield Text(f"{where}\n    ends the process that it runs in, as a student's would", "yellow")
        elif fate.fate == UNNAMED and whole:
            yield Text(f"{where}\n    has no name:\n" + "\n".join(f"      {line}" for line in stub(fate).splitlines()))
        elif fate.fate == TWO:
            yield Text(f"{where}\n    could be called {' or '.join(fate.names)}", "yellow")
    for question, change in reasons if whole else ():
        if (question, change) not in survivors:
            yield Text(f"  {question}: {change}\n    is listed as a survivor and is none: take it off the list", "yellow")
