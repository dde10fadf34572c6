"""Students' Markdown as nbgrader's pages and a real browser get it: nothing of it runs, and it still reads."""

import os
import shutil
import subprocess
from html.parser import HTMLParser
from types import SimpleNamespace

import nbformat
import pytest
from nbconvert.exporters import HTMLExporter
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from autograder.nbgrader.autograde import install, timestamp, timestamp_note
from autograder.nbgrader.pages import harmless, markdown2html
from autograder.report.html import student_page

RUNS = "document.body.appendChild(document.createElement('hr')).id='ran'"
HOSTILE = [
    f"<script>{RUNS}</script>", f'<img src=x onerror="{RUNS}">', f'<svg onload="{RUNS}"></svg>', f"<svg/onload={RUNS}>",
    f'<iframe srcdoc="<script>parent.{RUNS}</script>"></iframe>', "[a](javascript:alert(1))", "[a](JaVa&#115;cript:alert(1))",
    "[a](java&amp;#115;cript&colon;alert(1))", "[a]\n\n[a]: javascript\\:alert(1)", "<javascript:alert(1)>", "[a](data:text/html,x)",
    "[a](<java\nscript:alert(1)>)", "![a](vbscript:x)", r"$\href{javascript:alert(1)}{x}$", "<form action=/x><button>b</button></form>",
    "<style>body { display: none }</style>", "<base href=//evil>", f"```mermaid\nclick a \"javascript:{RUNS}\"\n```",
    "<scr\0ipt>1</script>", f"<!--><img src=x onerror={RUNS}>-->", "&lt;script&gt;1&lt;/script&gt;", f"`</code><img src=x onerror={RUNS}>`"]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


class Found(HTMLParser):
    """What of a page could run."""

    def __init__(self, page):
        super().__init__()
        self.bad, self.text = [], ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        if tag in ("script", "iframe", "svg", "form", "style", "base", "object", "embed", "button"):
            self.bad.append(tag)
        self.bad += [f"{name}={value}" for name, value in attributes if name.startswith("on") or name in ("style", "srcdoc") or (
            name in ("href", "src") and "".join((value or "").split()).lower().startswith(("javascript:", "data:", "vbscript:")))]

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
    return subprocess.run([CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
                           "--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}",
                           "--virtual-time-budget=3000", "--dump-dom", (tmp_path / "page.html").as_uri()],
                          capture_output=True, text=True, timeout=120).stdout


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_in_a_browser_nothing_runs(tmp_path):
    from nbconvert.filters import markdown2html_mistune as plain

    everything = [source for source in HOSTILE if "style>" not in source]
    assert 'id="ran"' in in_chromium(tmp_path, "".join(map(plain, everything)))  # it would
    for shown in (lambda source: plain(harmless(source)), markdown2html):
        dom = in_chromium(tmp_path, "".join(map(shown, everything)))
        assert 'id="ran"' not in dom and "onerror=" in dom


def test_our_own_page_forbids_scripts():
    verdict = SimpleNamespace(student="<script>x</script>", status="unreadable", score=0, max_score=1, questions=(), notes=(), error="no")
    shown = student_page(verdict, "a0")
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
