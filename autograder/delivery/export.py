"""What leaves the course as a folder: a student repository, a bundle for Classroom 50, an autograder for Gradescope.

Whatever students can read is searched for hidden things first (`leaks`); a folder that would leak is not written.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import tarfile
import zipfile
from pathlib import Path

import jinja2

from autograder.authoring.course import Course, CourseError
from autograder.authoring.lesson import notebook_name
from autograder.delivery import leaks
from autograder.delivery.wheel import constraints, student_wheel
from autograder.files import Scratch, atomic
from autograder.grading.feedback import Kind, plain
from autograder.grading.key import EXAMPLES, load, save
from autograder.report.classroom import encoded, not_run
from autograder.student.check import visible_part

PYTHON = "3.12"  # newer ones have no TensorFlow
WORKFLOWS = {"github": ".github/workflows/classroom.yml", "gitlab": ".gitlab-ci.yml"}
OURS = b"# Checks the notebook at every push"  # how they begin
CONSTRAINTS = "constraints.txt"
EXECUTABLE = {"setup.sh", "run_autograder"}
SLUG = re.compile(r"[a-z0-9][a-z0-9-]{1,38}")  # what Classroom 50 accepts as an assignment's name
LARGEST_BUNDLE = 10 * 2**20  # bytes; Classroom 50 fetches no more


class ExportError(CourseError):
    """The assignment does not fit what it should be exported to; the message is one line."""


def export_repository(course: Course, assignment: str, folder: Path, ci: str = "github", feedback: str = Kind.NAMED) -> list[str]:
    """Write a student repository: notebook, examples, data, checks, and what runs them at each push.

    Args:
        folder: new, or the repository to bring up to date; files that are not ours stay in it.
        ci: "github"; "gitlab"; or "classroom50", whose own workflow takes the place of ours.
        feedback: whether checks tell mistakes by their names, one of `feedback.Kind`.
    Returns:
        The names of the files.
    Raises:
        leaks.LeakError: something hidden would be in it, or is in it or its history.
    """
    whole, wheel = load(course.release(assignment) / EXAMPLES), student_wheel(_wheels(course))
    release = _release(course, assignment, feedback)
    questions = [question.name for question in whole.questions]
    if len({name.upper() for name in questions}) < len(questions):
        raise ExportError("expected question names that differ in more than case, as the reporter needs. "
                          f"Received: {', '.join(questions)}")
    sources = course.data_file("README.md")
    licensed = sources.is_file() and any(course.data_file(name).is_file() for name in release)
    notebook, workflow = course.notebook(assignment).name, WORKFLOWS.get(ci, "")
    fill = _templates("repository", assignment=assignment, notebook=notebook, questions=questions, wheel=wheel.name,
                      python=PYTHON, ci=ci, workflow=workflow,
                      title=notebook_name(assignment).replace("_", " ").capitalize(), not_run=encoded(not_run()),
                      visible=visible_part(whole).max_score, total=whole.max_score,
                      data=sorted(set(release) - {notebook, EXAMPLES}), sources=licensed)
    files = release | {
        wheel.name: wheel.read_bytes(),
        "README.md": fill("README.md"),
        "requirements.txt": fill("requirements.txt"),
        CONSTRAINTS: constraints().encode(),
        ".gitignore": fill("gitignore"),
        ".devcontainer/devcontainer.json": fill("devcontainer.json")}
    if workflow:
        files[workflow] = fill(Path(workflow).name.removeprefix("."))
    if licensed:
        files["DATA.md"] = sources.read_bytes()  # the licences of data sets ask for it
    written = _publish(files, folder, leaks.secrets(course, assignment))
    for other in set(WORKFLOWS.values()) - {workflow}:
        if (path := folder / other).is_file() and path.read_bytes().startswith(OURS):
            path.unlink()  # of an earlier export: everything would be checked twice
    return written


def export_classroom50(course: Course, assignment: str, folder: Path, slug: str | None = None,
                       feedback: str = Kind.NAMED) -> list[str]:
    """Write a bundle for Classroom 50: a folder for its repository, the same as an archive, and the runtime to set.

    Args:
        slug: the assignment's name there, by default its id with hyphens.
        feedback: as in `export_repository`.
    Raises:
        leaks.LeakError: something hidden would be in it; everyone can read a published bundle.
    """
    slug = slug or assignment.lower().replace("_", "-")
    if not SLUG.fullmatch(slug):
        raise ExportError("expected a name of 2 to 39 small letters, digits and hyphens, as Classroom 50 needs. "
                          f"Received: {slug}. Choose one with --slug")
    wheel, release = student_wheel(_wheels(course)), _release(course, assignment, feedback)
    notebook = course.notebook(assignment).name
    del release[notebook]  # only the student's own counts
    fill = _templates("classroom50", assignment=assignment, notebook=notebook, wheel=wheel.name, python=PYTHON)
    inside = {"autograder.py": fill("autograder.py"), wheel.name: wheel.read_bytes(), CONSTRAINTS: constraints().encode()}
    inside |= {f"release/{name}": content for name, content in release.items()}
    archive = _tar(slug, inside)
    if len(archive) > LARGEST_BUNDLE:
        raise ExportError(f"expected a bundle of at most {LARGEST_BUNDLE // 2**20} MB; it has {len(archive) / 2**20:.1f} MB")
    files = {f"{slug}/{name}": content for name, content in inside.items()}
    files |= {f"{slug}.tar.gz": archive, "runtime.json": json.dumps({"python": PYTHON}).encode() + b"\n"}
    return _publish(files, folder, leaks.secrets(course, assignment))


def export_gradescope(course: Course, assignment: str, folder: Path) -> Path:
    """Write an autograder for Gradescope, with the hidden key, as a zip that only its owner can read.

    Returns:
        The zip's path.
    """
    wheel, key = student_wheel(_wheels(course)), course.key(assignment)
    load(key)  # a damaged one is noticed here rather than by the first student
    fill = _templates("gradescope", assignment=assignment)
    release = course.release(assignment).relative_to(course.root).as_posix()
    files = {"setup.sh": fill("setup.sh"), "run_autograder": fill("run_autograder"), wheel.name: wheel.read_bytes(),
             CONSTRAINTS: constraints().encode(), "course/course.toml": (course.root / "course.toml").read_bytes(),
             f"course/{key.relative_to(course.root).as_posix()}": key.read_bytes()}
    files |= {f"course/{release}/{name}": content for name, content in _release(course, assignment).items()}
    path = folder / f"{assignment}.zip"
    with atomic(path, mode=0o600) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            item = zipfile.ZipInfo(name)  # of no date: the same bytes whenever it is made
            item.compress_type, item.external_attr = zipfile.ZIP_DEFLATED, (0o755 if name in EXECUTABLE else 0o644) << 16
            archive.writestr(item, content)
    return path


def _wheels(course: Course) -> Path:
    return course.root / "build" / "wheel"


def _release(course: Course, assignment: str, feedback: str = Kind.NAMED) -> dict[str, bytes]:
    course.skeleton(assignment)  # says what to do when nothing is built
    paths = [course.notebook(assignment), *course.released_files(assignment)]
    files = {path.name: path.read_bytes() for path in paths}
    if feedback == Kind.PLAIN:
        with Scratch() as folder:
            save(plain(load(course.release(assignment) / EXAMPLES)), whole := Path(folder, EXAMPLES), private=False)
            files[EXAMPLES] = whole.read_bytes()
    return files


def _templates(kind: str, **values):
    """Fills in the files of `templates/KIND`; `<< name >>`, because workflows have braces of their own."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("autograder.delivery", f"templates/{kind}"), undefined=jinja2.StrictUndefined,
        trim_blocks=True, keep_trailing_newline=True, variable_start_string="<<", variable_end_string=">>",
        block_start_string="<%", block_end_string="%>", comment_start_string="<#", comment_end_string="#>")
    return lambda name: environment.get_template(f"{name}.jinja").render(values).encode()


def _publish(files: dict[str, bytes], folder: Path, secrets: leaks.Secrets) -> list[str]:
    """Write files that students will read, all or none."""
    found = [f"{name}: {what}" for name, content in files.items() for what in leaks.find_in(name, content, secrets)]
    if folder.exists():
        found += leaks.find(folder, secrets)
    if found:
        more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
        raise leaks.LeakError(f"nothing was written to {folder}, because students would get {'; '.join(found[:5])}{more}")
    for name, content in files.items():
        with atomic(folder / name, mode=0o755 if name in EXECUTABLE else 0o644) as file:
            file.write(content)
        if name.endswith(".whl"):
            for earlier in set((folder / name).parent.glob("autograder-*.whl")) - {folder / name}:
                earlier.unlink()  # of an earlier export
    return sorted(files)


def _tar(top: str, files: dict[str, bytes]) -> bytes:
    """A compressed archive of a directory `top`, the same bytes for the same files."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files.items():
            item = tarfile.TarInfo(f"{top}/{name}")
            item.size, item.mode = len(content), 0o644
            archive.addfile(item, io.BytesIO(content))
    return gzip.compress(data.getvalue(), mtime=0)
