"""Imports point down, room by room, in no circle; what runs beside student code is one room, and no answer can be reached from it."""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "autograder"

# From the top down: a room imports those below it, and those beside it in the order written. "" is what lies in no room.
ROOMS = ["commands", "delivery", "nbgrader", "student", "report", "authoring", "grading", "sandbox", "inside", ""]


def imports(package: Path) -> dict[str, set[str]]:
    """Every module's imports within the package, those inside functions too."""
    names = {".".join(path.relative_to(package).with_suffix("").parts): path for path in package.rglob("*.py")}
    graph = {}
    for name, path in names.items():
        targets = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                targets |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{name}: relative import"
                targets |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        graph[name] = {target.removeprefix("autograder.") for target in targets} & set(names) - {name}
    return graph


def room(module: str) -> int:
    return ROOMS.index(module.split(".")[0] if "." in module else "")


def problems(package: Path) -> list[str]:
    graph = imports(package)
    found = [f"{name} imports {target}, which is above it" for name in graph if name != "__main__" for target in graph[name]
             if room(target) < room(name)]
    for start in graph:
        reached, todo = set(), [start]
        while todo:
            new = graph[todo.pop()] - reached
            reached |= new
            todo += new
        found += [f"{start} is in an import cycle"] if start in reached else []
    return found


def test_imports_point_down_without_cycles():
    assert problems(PACKAGE) == []


@pytest.mark.parametrize("module, line, complaint", [
    ("grading/compare", "from autograder.grading import diagnose", "grading.compare is in an import cycle"),
    ("inside/probes", "def f():\n    import autograder.grading.key", "inside.probes imports grading.key, which is above it"),
    ("inside/wire", "from autograder.grading.grade import grade", "inside.wire imports grading.grade, which is above it"),
    ("files", "from autograder.inside import wire", ""),
])
def test_the_rules_notice_a_forbidden_import(tmp_path, module, line, complaint):
    copy = shutil.copytree(PACKAGE, tmp_path / "autograder")
    path = copy / f"{module}.py"
    path.write_text(path.read_text() + f"\n{line}\n")
    assert complaint in problems(copy) if complaint else problems(copy)


def test_a_started_worker_has_loaded_no_module_that_knows_an_answer():
    code = ("import autograder.inside.parent, sys, json\n"
            "print(json.dumps([m for m in sys.modules if m.startswith('autograder')]))")
    loaded = json.loads(subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, check=True).stdout)
    assert {".".join(name.split(".")[:2]) for name in loaded} == {"autograder", "autograder.inside"}


def test_what_notebooks_import_loads_nothing_slow():
    """Every submission starts with these lines, in a process that has loaded TensorFlow and matplotlib and nothing else."""
    code = ("import keras, matplotlib.pyplot, autograder.inside.parent, sys\nbefore = set(sys.modules)\n"
            "from autograder import check, data, plots\n"
            "print({name.split('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names))")
    loaded = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, check=True, text=True).stdout
    assert ast.literal_eval(loaded) <= {"autograder", "cycler", "matplotlib", "mpl_toolkits", "numpy", "psutil"}


def test_public_names_are_functions_however_their_modules_are_imported():
    code = ("import autograder.grading.grade, autograder.student.check\nimport autograder\n"
            "assert callable(autograder.check) and callable(autograder.grade), (autograder.check, autograder.grade)\n"
            "from autograder import check, grade, Question, load_lesson, probes\nassert callable(check)")
    subprocess.run([sys.executable, "-I", "-c", code], check=True)
