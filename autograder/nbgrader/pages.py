"""Students' Markdown and names in the instructor's browser: read as they were written, running and fetching nothing.

A graded notebook is opened in Jupyter, in formgrader (in the same origin as the server's API, with its cookie) and in
feedback pages, by renderers that disagree on what is code and what is HTML. So nothing is parsed here: wherever a renderer
could see a tag, a picture, a link that runs or leads into the server, or a macro of MathJax that makes one, a space stands
in its way: `< script>`. Pictures count because a browser asks for them by itself, with the instructor's cookie: formgrader
runs the `nbgrader_config.py` of any folder that `formgrader?path=` names, and a submission may hold one.
"""

from __future__ import annotations

import functools
import html
import re
import sys
from typing import Any
from urllib.parse import urlsplit

import bleach
import jinja2
from markupsafe import escape
from nbconvert.exporters import HTMLExporter
from nbconvert.filters import markdown2html_mistune
from tornado import web

# Neither the letters nor the colon may be spelled otherwise: a browser skips line ends in a URL, and Markdown backslashes.
_GAP = r"[\s\\]*"
_SCHEME = re.compile("|".join([*(_GAP.join(word) + rf"(?={_GAP}:)" for word in ("javascript", "vbscript", "livescript")),
                               *(_GAP.join(word) + rf"(?={_GAP}:\S)" for word in (
                                   "data", "blob", "filesystem", "about", "file", "view-source"))]), re.IGNORECASE)
_MACRO = re.compile(r"\\(?=(?:href|unicode|style|class|cssId|html\w*|data|mmlToken|require|texttip|includegraphics|bbox)"
                    r"(?![A-Za-z]))")
_SAFE = r"(?!\s*<?(?:https?://[^\s/\\]|mailto:|#))"  # where a link may lead: out of the server, or down the page
_LINK = re.compile(rf"\](?=\({_SAFE}|:{_SAFE}\s*\S)", re.IGNORECASE)
_IMAGE = re.compile(r"!(?=\[)")
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_ENTITY = re.compile(r"&(?=\\*#|[A-Za-z0-9\\]{1,40};)")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_PICTURE = re.compile(r"(?<=[`~])(\s*\{?)(?=mermaid)", re.IGNORECASE)  # nbconvert and JupyterLab run a program on it

TAGS = {"a", "abbr", "b", "blockquote", "br", "code", "dd", "del", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6",
        "hr", "i", "kbd", "li", "ol", "p", "pre", "s", "span", "strong", "sub", "sup", "table", "tbody", "td", "tfoot",
        "th", "thead", "tr", "tt", "u", "ul", "var"}
# No ids: formgrader finds the boxes for points by theirs, and a heading could take their place.
ATTRIBUTES = {"*": ["class", "title"], "ol": ["start"], "td": ["align"], "th": ["align"],
              "a": lambda tag, name, value: name == "href" and bool(re.match(r"https?://[^/\\]|mailto:|#", value))}


def harmless(source: str) -> str:
    """A student's Markdown, of which nothing runs wherever it is rendered; prose, code, tables and formulas read as before."""
    text = _CONTROL.sub("", source.replace("\r\n", "\n").replace("\r", "\n"))
    text = _ENTITY.sub("& ", html.unescape(text))  # an entity is what it stands for; what it then spells is no other
    text = _SCHEME.sub(r"\g<0> ", text)
    text = _LINK.sub("] ", _IMAGE.sub("! ", text))
    text = _TAG.sub("< ", text)
    text = _MACRO.sub(r"\\ ", text)
    return _PICTURE.sub(r"\1text ", text)


def markdown2html(source: str) -> str:
    """nbconvert's filter of this name, for cells and for graders' comments: tags and links of a white list are left."""
    return bleach.clean(markdown2html_mistune(source), tags=TAGS, attributes=ATTRIBUTES, protocols={"http", "https", "mailto"})


class Page(HTMLExporter):
    """formgrader's page of a graded notebook; its template puts a student's name into HTML as it is."""

    def from_filename(self, filename, resources=None, **kw):
        return super().from_filename(filename, {name: escape(value) if isinstance(value, str) else value
                                                for name, value in (resources or {}).items()}, **kw)


def guard() -> None:
    """In a Jupyter server that loads formgrader: names are escaped, and only JupyterLab opens another folder as a course."""
    formgrader: Any = sys.modules.get("nbgrader.server_extensions.formgrader.formgrader")
    if formgrader is None or formgrader.HTMLExporter is Page:
        return
    formgrader.HTMLExporter = Page
    formgrader.Environment = functools.partial(jinja2.Environment, autoescape=True)
    handler = formgrader.handlers.FormgraderHandler
    handler.get = _from_jupyterlab(handler.get)


def _from_jupyterlab(get):
    @functools.wraps(get)
    def wrapper(self):
        # JupyterLab shows formgrader in a frame, where links of formgrader's pages are followed, too; pictures are no frames.
        headers = self.request.headers
        linked = urlsplit(headers.get("Referer", "")).path.startswith(f"{self.base_url}/formgrader/")
        if self.get_argument("path", "") and (headers.get("Sec-Fetch-Dest") != "iframe" or linked or not self.check_referer()):
            raise web.HTTPError(403, "expected JupyterLab to open this course; got a link. Start it from JupyterLab's menu.")
        return get(self)
    return wrapper
