"""What the notebook's kernel has seen: cells that wait for an answer, and answers that are older than their cells.

A cell that needs an answer which is not written yet says so in one line and counts as done, so that *Run All* goes on. Any
other error stops the run, as ever.
"""

from __future__ import annotations

import ast
import linecache
import os
import re
import sys
import traceback
from pathlib import Path

from autograder.grading.submission import STUB, Unreadable, is_stub, read_notebook

DEFINES = re.compile(r"^(?:async\s+def|def|class)\s+(\w+)|^(\w+)\s*(?::[^=\n]+)?=(?!=)", re.MULTILINE)
IN_GRAPH = re.compile(r"line \d+, in (\w+).*\n\s*" + re.escape(STUB[1]))  # as AutoGraph writes a traceback into a message


class Session:
    """A notebook's kernel, watched from the first `from autograder import check` on."""

    def __init__(self, shell):
        self.shell = shell
        self.before: dict[str, object] = {}  # what the running cell is going to define, as it was
        self.stopped: set[str] = set()  # names whose newest cell did not get as far as defining them
        self.owed: dict[str, str] = {}  # what cells that waited would have made -> the answer that they waited for
        self.waited: BaseException | None = None
        shell.events.register("pre_run_cell", self.starts)
        shell.events.register("post_run_cell", self.ends)
        shell.set_custom_exc((NotImplementedError, NameError), self.raised)

    def starts(self, info) -> None:
        self.source = info.raw_cell or ""
        names = {first or second for first, second in DEFINES.findall(self.source)}
        self.before = {name: self.shell.user_ns.get(name) for name in names}

    def ends(self, result) -> None:
        if self.waited is not None and result.error_in_exec is self.waited:
            result.error_in_exec = None
        self.waited = None
        for name, old in self.before.items():
            if result.success or self.shell.user_ns.get(name) is not old:
                self.stopped.discard(name)
            else:
                self.stopped.add(name)
        self.before = {}

    def raised(self, shell, kind, error, trace, tb_offset=None):
        """Say in one line that a cell waits for an answer; show every other error as the notebook does."""
        answer = waits_for(error) or (isinstance(error, NameError) and self.owed.get(error.name or ""))
        if not answer:
            shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
            return
        self.waited = error
        self.owed |= dict.fromkeys(_assigned(self.source) - set(shell.user_ns), answer)
        print(f"This cell waits for `{answer}`, which is not written yet. Run it again when it is.")

    def stale(self, name: str) -> str:
        """Why what `name` stands for is older than its cell, as advice; "" when it is not, as far as the kernel can know."""
        if name in self.stopped:
            return f"The newest cell that defines `{name}` stopped with an error" + \
                (": what is checked here is the version from before. Mend that cell, run it, and check again."
                 if name in self.shell.user_ns else ". Mend it and run it again.")
        if self._edited(name):
            return f"The saved cell of `{name}` has never been run as it is: what is checked here is an older version. " \
                   "Run that cell, and check again."
        return ""

    def _edited(self, name: str) -> bool:
        """Does the saved notebook hold an answer that this kernel has never run? (What is not saved no kernel can see.)"""
        path = os.environ.get("JPY_SESSION_NAME") or self.shell.user_ns.get("__vsc_ipynb_file__")  # Jupyter's server; VS Code
        if name not in self.shell.user_ns or not path or not Path(path).is_file():
            return False
        try:
            cells, _ = read_notebook(Path(path))
        except (OSError, Unreadable):
            return False
        own = [cell["source"].strip() for cell in cells if cell["grade_id"] == name and not is_stub(cell["source"])]
        ran = {source.strip() for source in self.shell.history_manager.input_hist_raw}
        return len(own) == 1 and own[0] not in ran


def waits_for(error: BaseException) -> str:
    """The answer whose stub raised an error; "" when none did."""
    if not isinstance(error, NotImplementedError):
        return ""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        if linecache.getline(frame.f_code.co_filename, line).strip() == STUB[1]:
            return frame.f_code.co_qualname.split(".")[0]  # of a layer's method, the layer
    found = IN_GRAPH.search(str(error))
    return found[1] if found else ""


def _assigned(source: str) -> set[str]:
    """Every name that a cell stores into, functions and classes included."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except SyntaxError:  # a magic
        return set()
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)} | {
        node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))}


def watch() -> Session | None:
    """Watch the kernel that this runs in; None where there is none."""
    shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    return Session(shell) if shell is not None else None
