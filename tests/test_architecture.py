"""Imports point down, in no circle, and the untrusted side reaches nothing that knows an answer."""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "autograder"

# From the top down: a module may import those on lower levels and its own, never higher ones.
LEVELS = [
    {"__main__"},
    {"cli"},
    {"deliver"},
    {"ci", "export", "gradescope", "audit", "nbgrader.gradebook"},
    {"nbgrader"},
    {"nbgrader.autograde"},
    {"samples", "check", "batch", "leaks", "wheel", "collect", "report.html", "report.json", "report.terminal", "report.lms",
     "report.classroom", "report.classroom50", "report.gradescope", "report.summary", "nbgrader.export"},
    {"cache"},
    {"build", "grade"},
    {"course", "sandbox", "diagnose", "submission"},
    {"compare", "lesson", "key", "isolation"},
    {"question", "worker", "rules"},
    {"watch"},
    {"probes", "wire", "confine", "data", "plots", "", "report", "report.escape", "report.csv", "report.junit",
     "nbgrader.release"},
]
SECRET = {"question", "key", "lesson", "build", "grade", "course", "samples", "cli",
          "leaks", "export"}


def imports(package: Path) -> dict[str, set[str]]:
    """Every module's imports within the package, those inside functions too; "" is the package itself."""
    modules = {}
    for path in package.rglob("*.py"):
        name = ".".join(path.relative_to(package).with_suffix("").parts)
        modules["" if name == "__init__" else name.removesuffix(".__init__")] = ast.parse(path.read_text())
    graph = {name: set() for name in modules}
    for name, tree in modules.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{name}: relative import"
                names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
            else:
                continue
            found = {target.removeprefix("autograder").lstrip(".") for target in names
                     if target == "autograder" or target.startswith("autograder.")}
            graph[name] |= {target for target in found if target in modules and target != name and target}
    return graph


def reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    found, todo = set(), [start]
    while todo:
        for target in graph[todo.pop()] - found:
            found.add(target)
            todo.append(target)
    return found


def problems(package: Path) -> list[str]:
    graph = imports(package)
    level = {name: i for i, names in enumerate(LEVELS) for name in names}
    found = [f"{name} is on no level" for name in graph if name not in level]
    found += [f"{name} is in an import cycle" for name in graph if name in reachable(graph, name)]
    found += [f"{name} imports {target}, which is above it" for name in graph for target in graph[name]
              if level.get(target, 0) < level.get(name, 0)]
    found += [f"worker reaches {name}" for name in reachable(graph, "worker") & SECRET]
    return found


def test_imports_point_down_without_cycles_and_the_worker_reaches_no_secret():
    assert problems(PACKAGE) == []


@pytest.mark.parametrize("module, line, complaint", [
    ("compare", "from autograder import diagnose", "compare is in an import cycle"),
    ("probes", "def f():\n    import autograder.key", "worker reaches key"),
    ("worker", "from autograder.question import Question", "worker reaches question"),
    ("wire", "from autograder.grade import grade", "wire imports grade, which is above it"),
])
def test_the_rules_notice_a_forbidden_import(tmp_path, module, line, complaint):
    copy = shutil.copytree(PACKAGE, tmp_path / "autograder")
    path = copy / f"{module}.py"
    path.write_text(path.read_text() + f"\n{line}\n")
    assert complaint in problems(copy)


def test_a_started_worker_has_loaded_no_module_that_knows_an_answer():
    code = "import autograder.worker, sys, json; print(json.dumps([m for m in sys.modules if m.startswith('autograder')]))"
    loaded = json.loads(subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, check=True).stdout)
    assert set(loaded) == {"autograder", "autograder.worker", "autograder.probes", "autograder.wire", "autograder.confine",
                           "autograder.watch"}


def test_what_notebooks_import_loads_nothing_slow():
    """Every submission starts with these lines, in a process that has loaded TensorFlow and matplotlib and nothing else."""
    code = ("import keras, matplotlib.pyplot, autograder.worker, sys\nbefore = set(sys.modules)\nfrom autograder import check, data, plots\n"
            "print({name.split('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names))")
    loaded = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, check=True, text=True).stdout
    assert ast.literal_eval(loaded) <= {"autograder", "cycler", "matplotlib", "mpl_toolkits", "numpy"}


def test_public_names_are_functions_however_their_modules_are_imported():
    code = ("import autograder.grade, autograder.check\nimport autograder\n"
            "assert callable(autograder.check) and callable(autograder.grade), (autograder.check, autograder.grade)\n"
            "from autograder import check, grade, Question, load_lesson, probes\nassert callable(check)")
    subprocess.run([sys.executable, "-I", "-c", code], check=True)
