"""Students' Markdown in the instructor's browser: read as it was written, and running nothing.

A graded notebook is opened in Jupyter, in formgrader (in the same origin as the server's API, with its cookie) and in
feedback pages, by renderers that disagree on what is code and what is HTML. So nothing is parsed here: wherever a renderer
could see a tag, a link that runs, or a macro of MathJax that makes either, a space stands in its way: `< script>`.
"""

from __future__ import annotations

import html
import re

import bleach
from nbconvert.filters import markdown2html_mistune

# Neither the letters nor the colon may be spelled otherwise: a browser skips line ends in a URL, and Markdown backslashes.
_GAP = r"[\s\\]*"
_SCHEME = re.compile("|".join([*(_GAP.join(word) + rf"(?={_GAP}:)" for word in ("javascript", "vbscript", "livescript")),
                               *(_GAP.join(word) + rf"(?={_GAP}:\S)" for word in (
                                   "data", "blob", "filesystem", "about", "file", "view-source"))]), re.IGNORECASE)
_MACRO = re.compile(r"\\(?=(?:href|unicode|style|class|cssId|html\w*|data|mmlToken|require|texttip|includegraphics|bbox)"
                    r"(?![A-Za-z]))")
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_ENTITY = re.compile(r"&(?=\\*#|[A-Za-z0-9\\]{1,40};)")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_PICTURE = re.compile(r"(?<=[`~])(\s*\{?)(?=mermaid)", re.IGNORECASE)  # nbconvert and JupyterLab run a program on it

TAGS = {"a", "abbr", "b", "blockquote", "br", "code", "dd", "del", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6",
        "hr", "i", "img", "kbd", "li", "ol", "p", "pre", "s", "span", "strong", "sub", "sup", "table", "tbody", "td", "tfoot",
        "th", "thead", "tr", "tt", "u", "ul", "var"}
ATTRIBUTES = {"*": ["class", "title"], "a": ["href", "id"], "img": ["src", "alt", "width", "height"], "ol": ["start"],
              "td": ["align"], "th": ["align"], **{f"h{level}": ["id"] for level in range(1, 7)}}


def harmless(source: str) -> str:
    """A student's Markdown, of which nothing runs wherever it is rendered; prose, code, tables and formulas read as before."""
    text = _CONTROL.sub("", source.replace("\r\n", "\n").replace("\r", "\n"))
    text = _ENTITY.sub("& ", html.unescape(text))  # an entity is what it stands for; what it then spells is no other
    text = _SCHEME.sub(r"\g<0> ", text)
    text = _TAG.sub("< ", text)
    text = _MACRO.sub(r"\\ ", text)
    return _PICTURE.sub(r"\1text ", text)


def markdown2html(source: str) -> str:
    """nbconvert's filter of this name, for cells and for graders' comments: tags and links of a white list are left."""
    return bleach.clean(markdown2html_mistune(source), tags=TAGS, attributes=ATTRIBUTES, protocols={"http", "https", "mailto"})
