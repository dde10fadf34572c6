"""Students' Markdown as nbgrader's pages and a real browser get it: nothing of it runs, and it still reads."""

import contextlib
import datetime
import json
import logging
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import warnings
from html.parser import HTMLParser
from types import SimpleNamespace
from urllib.error import HTTPError
from urllib.parse import quote

import nbformat
import pytest
from conftest import ROOT
from nbconvert.exporters import HTMLExporter
from nbgrader.apps import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from autograder.authoring.course import find_course
from autograder.grading.key import load
from autograder.grading.verdict import unreadable
from autograder.nbgrader.autograde import install
from autograder.nbgrader.gradebook import api, record
from autograder.nbgrader.pages import harmless, markdown2html
from autograder.nbgrader.timestamps import timestamp, timestamp_note
from autograder.report.html import student_page
from autograder.report.outline import Outline

RUNS = "document.body.appendChild(document.createElement('hr')).id='ran'"
HOSTILE = [
    f"<script>{RUNS}</script>", f'<img src=x onerror="{RUNS}">', f'<svg onload="{RUNS}"></svg>', f"<svg/onload={RUNS}>",
    f'<iframe srcdoc="<script>parent.{RUNS}</script>"></iframe>', "[a](javascript:alert(1))", "[a](JaVa&#115;cript:alert(1))",
    "[a](java&amp;#115;cript&colon;alert(1))", "[a]\n\n[a]: javascript\\:alert(1)", "<javascript:alert(1)>", "[a](data:text/html,x)",
    "[a](<java\nscript:alert(1)>)", "![a](vbscript:x)", r"$\href{javascript:alert(1)}{x}$", "<form action=/x><button>b</button></form>",
    "<style>body { display: none }</style>", "<base href=//evil>", f"```mermaid\nclick a \"javascript:{RUNS}\"\n```",
    "<scr\0ipt>1</script>", f"<!--><img src=x onerror={RUNS}>-->", "&lt;script&gt;1&lt;/script&gt;", f"`</code><img src=x onerror={RUNS}>`",
    "![](/formgrader?path=/x)", "![][a]\n\n[a]: http://localhost/logout", "&#33;[](x)", "[a](/formgrader?path=/x)", "[a]( <//x>)", "[a](x)",
    "[a]\n\n[a]:\n/x", "[a]\n\n> [a\n> ]: x", "[a](http:/x)", "[a](http:\\\\x)", "[a](https:x)"]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


class Found(HTMLParser):
    """What of a page could run."""

    def __init__(self, page):
        super().__init__()
        self.bad, self.text = [], ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        if tag in ("script", "iframe", "svg", "form", "style", "base", "object", "embed", "button", "img"):
            self.bad.append(tag)
        self.bad += [f"{name}={value}" for name, value in attributes if name.startswith("on") or name in ("style", "srcdoc") or (
            name == "href" and not re.match(r"https?://[^/\\]|mailto:|#", value))]

    def handle_data(self, data):
        self.text += data


def page(source, filters=True):
    config = Config()
    if filters:
        config.HTMLExporter.filters = {"markdown2html": "autograder.nbgrader.pages.markdown2html"}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(source)])
    return HTMLExporter(config=config, template_name="basic").from_notebook_node(notebook)[0]


@pytest.mark.parametrize("source", HOSTILE)
def test_nothing_survives_either_wall_alone(source):
    assert Found(page(harmless(source), filters=False)).bad == []
    assert Found(markdown2html(source)).bad == []


def test_the_walls_are_needed():
    assert sum(bool(Found(page(source, filters=False)).bad) for source in HOSTILE) >= 8


def test_ordinary_markdown_reads_as_before():
    source = ("# Why\n\nIt is **twice** [as](https://example.org) much: $2 \\cdot 2 < 5$\n\n- one\n- two\n\n```python\nif a < 3:\n    b = {1: 2}\n```\n\n"
              "| a | b |\n|---|---|\n| 1 | 2 |\n")
    assert harmless(source) == source
    shown = page(source)
    assert all(tag in shown for tag in ("<h1", "<strong>", 'href="https://example.org"', "<li>", "<table>", "<pre>", "&lt; 5$"))
    assert "&amp;lt;" not in shown


def in_chromium(tmp_path, body):
    (tmp_path / "page.html").write_text(f"<!doctype html><meta charset=utf-8><body>{body}</body>")
    return dom(tmp_path, (tmp_path / "page.html").as_uri())


def dom(tmp_path, url):
    """The page at `url` after its scripts have run."""
    return subprocess.run([CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
                           "--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}",
                           "--virtual-time-budget=5000", "--dump-dom", url], capture_output=True, text=True, timeout=120).stdout


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_in_a_browser_nothing_runs(tmp_path):
    from nbconvert.filters import markdown2html_mistune as plain

    everything = [source for source in HOSTILE if "style>" not in source]
    assert 'id="ran"' in in_chromium(tmp_path, "".join(map(plain, everything)))  # it would
    for shown in (lambda source: plain(harmless(source)), markdown2html):
        dom = in_chromium(tmp_path, "".join(map(shown, everything)))
        assert 'id="ran"' not in dom and "onerror=" in dom


# ---------------------------------------------------------------------------------------------------- a logged-in Jupyter server


NAME = "a0_doubling"
EXTRA = (f"{RUNS};fetch(base_url+'/api/grades?submission_id='+submission_id).then(r=>r.json()).then(all=>all.forEach(grade=>fetch(base_url+"
         "'/api/grade/'+grade.id,{method:'PUT',headers:{'X-XSRFToken':getCookie('_xsrf')},body:JSON.stringify({extra_credit:50})})))")
STUDENT = f'''Eve "-{RUNS.replace("'ran'", '`ran`')}-" <img src=x onerror="{RUNS}">'''


@pytest.fixture(params=[pytest.param("nbgrader", marks=pytest.mark.corpus), "ours"])
def graded(request, built_tiny, tmp_path):
    """A course with one graded submission, as nbgrader alone would keep and show it, and as it is kept and shown here."""
    course = find_course(shutil.copytree(built_tiny.root, tmp_path / "course"))
    place, planted = course.root / "submitted" / STUDENT / NAME, course.root / "planted"
    place.mkdir(parents=True)
    (place / "nbgrader_config.py").write_text(f"open({str(planted)!r}, 'w')\n")
    text = f'<img src=x onerror="{EXTRA}">\n\n![](/formgrader?path={quote(str(place))})'
    notebook = json.loads(course.notebook(NAME).read_text())
    notebook["cells"].append({"cell_type": "markdown", "id": "mine", "metadata": {}, "source": text})
    (place / "doubling.ipynb").write_text(json.dumps(notebook))
    shutil.copy(ROOT / "nbgrader_config.py", course.root)
    record(course, NAME, course.root / "submitted", [unreadable(STUDENT, load(course.key(NAME)), "not run")], logging.getLogger("test"))
    if request.param == "nbgrader":
        (course.root / "nbgrader_config.py").write_text(f"c = get_config()\nc.CourseDirectory.root = {str(course.root)!r}\n")
        path = course.root / "autograded" / STUDENT / NAME / "doubling.ipynb"
        kept = nbformat.read(path, 4)
        kept.cells[-1].source = text
        nbformat.write(kept, path)
    return SimpleNamespace(course=course, safe=request.param == "ours", planted=planted, place=place)


@contextlib.contextmanager
def jupyter(course):
    """The address of a Jupyter server with formgrader, whose token is `secret`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with open(course.root / "server.log", "w") as log:
        server = subprocess.Popen([sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}",
                                   "--IdentityProvider.token=secret", f"--ServerApp.root_dir={course.root}",
                                   "--ServerApp.jpserver_extensions={'nbgrader.server_extensions.formgrader': True}"],
                                  cwd=course.root, stdout=log, stderr=log)
    try:
        address, end = f"http://127.0.0.1:{port}", time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{address}/api")
                break
            assert server.poll() is None and time.monotonic() < end, (course.root / "server.log").read_text()
            time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait(30)


def rows(course):
    with warnings.catch_warnings(action="ignore"), api(course).gradebook as gradebook:
        notebook = gradebook.find_submission_notebook("doubling", NAME, STUDENT)
        return notebook.id, [grade.extra_credit for grade in notebook.grades]


@pytest.mark.long
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_formgrader_in_a_browser_runs_nothing_of_a_students(graded, tmp_path):
    student, there = quote(STUDENT), rows(graded.course)[0]
    with jupyter(graded.course) as address:
        shown = {page: dom(tmp_path, f"{address}/login?token=secret&next=/formgrader/{quote(page)}") for page in (
            f"submissions/{there}/", "manage_students/", f"manage_students/{student}", f"manage_students/{student}/{NAME}",
            f"manage_submissions/{NAME}", f"gradebook/{NAME}/doubling")}
    ran = {page for page, found in shown.items() if 'id="ran"' in found}
    assert ran == (set() if graded.safe else {f"submissions/{there}/", f"manage_students/{student}", f"manage_students/{student}/{NAME}",
                                              f"manage_submissions/{NAME}"})  # the last shows the folder that the picture chose
    assert not graded.safe or all("Eve" in found for page, found in shown.items() if "manage" in page)
    assert rows(graded.course)[1] == ([None, None] if graded.safe else [50.0, 50.0])
    assert graded.planted.exists() != graded.safe


@pytest.mark.long
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_feedback_in_a_browser_runs_nothing_of_a_students(graded, tmp_path):
    subprocess.run([sys.executable, "-m", "nbgrader", "generate_feedback", NAME], cwd=graded.course.root, check=True, capture_output=True)
    shown = dom(tmp_path, (graded.course.root / "feedback" / STUDENT / NAME / "doubling.html").as_uri())
    assert "onerror" in shown and ('id="ran"' in shown) != graded.safe


@pytest.mark.long
@pytest.mark.corpus
def test_only_jupyterlab_opens_another_folder_as_a_course(graded):
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())

    def status(address, **headers):
        request = urllib.request.Request(f"{address}/formgrader?path={quote(str(graded.place))}",
                                         headers={name.replace("_", "-"): value for name, value in headers.items()})
        try:
            return browser.open(request).status
        except HTTPError as error:
            return error.code

    with jupyter(graded.course) as address:
        browser.open(f"{address}/login?token=secret&next=/formgrader/manage_students")
        if graded.safe:
            page = f"{address}/formgrader/submissions/1/"
            for headers in ({}, {"Sec_Fetch_Dest": "image", "Referer": page}, {"Sec_Fetch_Dest": "document"},
                            {"Sec_Fetch_Dest": "iframe", "Referer": page}, {"Sec_Fetch_Dest": "iframe", "Referer": "http://evil.example/"}):
                assert status(address, **headers) == 403 and not graded.planted.exists()
        assert status(address, Sec_Fetch_Dest="iframe", Referer=f"{address}/lab/tree/x") != 403 and graded.planted.exists()


def test_our_own_page_forbids_scripts():
    verdict = SimpleNamespace(student="<script>x</script>", status="unreadable", score=0, max_score=1, questions=(), notes=(), error="no")
    shown = student_page(verdict, Outline("a0", "a0"), datetime.date(2026, 11, 28))
    assert "default-src 'none'" in shown and Found(shown.replace("<style>", "").replace("</style>", "")).bad == []


@pytest.mark.parametrize("kind", ["fifo", "link", "large", "words", "binary", "directory", "absent"])
def test_a_time_that_is_none_does_no_harm(tmp_path, kind):
    place = tmp_path / "timestamp.txt"
    if kind == "fifo":
        os.mkfifo(place)
    elif kind == "link":
        place.symlink_to("/dev/zero")
    elif kind == "directory":
        place.mkdir()
    elif kind != "absent":
        place.write_bytes({"large": b"2026-01-01 " * 1000, "words": b"not a date", "binary": b"\xff\0"}[kind])
    install()
    assert timestamp(tmp_path) == "" and bool(timestamp_note(tmp_path)) == (kind != "absent")
    assert CourseDirectory().get_existing_timestamp(str(tmp_path)) is None
    formgrader = SimpleNamespace(coursedir=SimpleNamespace(submitted_directory="submitted", format_path=lambda *_: str(tmp_path)))
    assert NbGraderAPI.get_submitted_timestamp(formgrader, NAME, STUDENT) is None
