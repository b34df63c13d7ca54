"""Fills the templates: an HTML page under a strict Content-Security-Policy, and Markdown."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from advisor.report.charts import swatch
from advisor.report.view import View

_URL_SIGNS = "%/:?#[]@!$&'()*+,;=~-._"
_NUMBER_AND_UNIT = re.compile(
    r"(?<=\d) (?=(?:ms|µs|s|min|h|GiB|kWh|MWh|kg|t|days?|months?|×)(?:\b|\s))|(?<=×) "
)
_MARKDOWN_SIGNS = re.compile(r"([\\`*_\[\]<>#|~$])")


def html_page(view: View) -> str:
    """Return the report as one HTML page that loads nothing."""
    environment = _html()
    style, script = _source("report.css"), _source("report.js")
    template = environment.get_template("report.html.jinja")
    return template.render(
        view=view,
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        policy=f"default-src 'none'; style-src '{digest(style)}'; script-src '{digest(script)}'; base-uri 'none'; form-action 'none'",
    )


def markdown_page(view: View, more: str = "") -> str:
    """Return the report as Markdown, with chapters already written that explain the plan."""
    more = Markup(more)  # noqa: S704 - Markdown, and escaped
    return _markdown().get_template("report.md.jinja").render(view=view, more=more)


def digest(text: str) -> str:
    """Return the hash by which a Content-Security-Policy knows an inline style or script.

    Example:
        >>> digest("")
        'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='
    """
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def markdown_text(text: object) -> object:
    r"""Return text from outside as Markdown that shows it as it is; on one line, as a table needs.

    Example:
        >>> markdown_text("a|b <script> [x](y)\n*z*")
        'a\\|b \\<script\\> \\[x\\](y) \\*z\\*'
    """
    if not isinstance(text, str) or isinstance(text, Markup):
        return text
    return _MARKDOWN_SIGNS.sub(r"\\\1", " ".join(text.split()))


def linked(title: str, url: str) -> Markup:
    r"""Return a Markdown link, or the title alone where there is no address.

    Example:
        >>> print(linked("A [b]", "https://example.org/x (1)>"), linked("A", ""))
        [A \[b\]](<https://example.org/x%20(1)%3E>) A
    """
    text = markdown_text(title)
    return Markup(f"[{text}](<{quote(url, safe=_URL_SIGNS)}>)" if url else str(text))  # noqa: S704 - Markdown, and escaped


def unbroken(text: object) -> object:
    """Return text in which no line breaks between a number and its unit; marked-up text stays as it is.

    Example:
        >>> unbroken("23.2 ms of 100 ms on 2 × g4dn.xlarge, 3 limits").replace("\u00a0", "_")
        '23.2_ms of 100_ms on 2_×_g4dn.xlarge, 3 limits'
    """
    if not isinstance(text, str) or isinstance(text, Markup):
        return text
    return _NUMBER_AND_UNIT.sub("\u00a0", text)


def fenced(text: str) -> Markup:
    """Return text as a fenced block whose fence is longer than any in the text."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return Markup(f"{fence}\n{text}\n{fence}")  # noqa: S704 - Markdown, and fenced


def _source(name: str) -> str:
    environment = _html()
    assert environment.loader is not None  # noqa: S101 - given below
    return environment.loader.get_source(environment, name)[0]


@cache
def _html() -> Environment:
    environment = Environment(
        loader=PackageLoader("advisor.templates", ""),
        autoescape=True,
        finalize=unbroken,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["swatch"] = swatch
    environment.filters["data"] = Markup  # JSON whose signs cannot end the element, see `limits.py`
    return environment


@cache
def _markdown() -> Environment:
    environment = Environment(
        loader=PackageLoader("advisor.templates", ""),
        autoescape=False,  # noqa: S701 - Markdown: everything is escaped by `finalize`
        undefined=StrictUndefined,
        finalize=markdown_text,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["fenced"] = fenced
    environment.filters["linked"] = linked
    return environment
