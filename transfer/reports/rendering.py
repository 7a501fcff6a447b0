"""A page from what was gathered: one HTML file that holds all it shows and asks nothing of the network."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from transfer.reports.comparing_pages import compare_page
from transfer.reports.contents import Page
from transfer.reports.run_parts import part_sections
from transfer.reports.shown_text import shown
from transfer.reports.thinning import LIMIT_BYTES, thin
from transfer.reports.verdicts import find_headlines


def render(page: Page) -> str:
    """Draw a page.

    What it shows of names, files and notes is text, whatever they hold. The page's own policy lets nothing be loaded,
    and only the style and the script run that it was written with. Of many runs less is shown, so that it stays small.

    Args:
        page: one run, or several that are compared.

    Returns:
        HTML, in which every character can be written as UTF-8; the same page gives the same text.

    Raises:
        ValueError: if there is no run.
    """
    if not page.runs:
        raise ValueError("a page without runs: give it one, at least")
    text = ""
    for each in thin(page):
        text = _draw(each)
        if len(text.encode()) <= LIMIT_BYTES:
            break
    return text


def _draw(page: Page) -> str:
    several = len(page.runs) > 1
    runs = [
        {
            "id": f"run-{place}",
            "name": shown(run.name),
            "parts": part_sections(run, f"run-{place}-" if several else ""),
            "headlines": find_headlines(run.result),
        }
        for place, run in enumerate(page.runs, 1)
    ]
    style, script = template_text("page.css"), template_text("page.js")
    title = page.title or (f"{len(page.runs)} runs" if several else page.runs[0].name)
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            title=shown(title),
            runs=runs,
            several=several,
            comparison=compare_page(page),
            style=Markup(style),
            script=Markup(script),
            policy=(
                f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
                "base-uri 'none'; form-action 'none'"
            ),
        )
    )


def render_template(name: str, **values: object) -> str:
    """Fill in one of the templates: text is escaped, markup is not."""
    return _environment().get_template(name).render(**values)


@cache
def template_text(name: str) -> str:
    """What lies among the templates under a name."""
    return (files("transfer.reports") / "templates" / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    return Environment(
        loader=FunctionLoader(template_text),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _digest(text: str) -> str:
    """As a Content-Security-Policy names what may run."""
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
