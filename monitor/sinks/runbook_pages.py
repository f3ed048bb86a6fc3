"""The runbooks as pages: at each alert's link, with the thresholds that are in force in this run.

No page has a script or a style of its own, so that a strict content security policy holds for all of them.
"""

from __future__ import annotations

import html
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from markdown_it import MarkdownIt
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from monitor.runbooks import SERVED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.renderer import RendererHTML
    from markdown_it.token import Token
    from markdown_it.utils import OptionsDict
    from starlette.requests import Request

    from monitor.runbooks import Library, Page

PREFIX: Final = "/runbooks/"
_STYLE: Final = "style.css"


def runbook_routes(library: Library) -> list[Route]:
    """The pages of a run, of the catalogue that is in force: the list, one an alert, and their style."""
    navigation = _navigation(library)

    def index(_: Request) -> Response:
        return HTMLResponse(_html(library.index(SERVED), navigation))

    def style(_: Request) -> Response:
        return Response(_style(), media_type="text/css")

    def page(request: Request) -> Response:
        alert = request.path_params["alert"]
        if alert in library.alerts:
            return HTMLResponse(_html(library.page(alert, SERVED), navigation))
        return HTMLResponse(_html(_missing(library), navigation), status_code=HTTPStatus.NOT_FOUND)

    return [Route(PREFIX, index), Route(PREFIX + _STYLE, style), Route(PREFIX + "{alert}", page)]


def _missing(library: Library) -> Page:
    """Says that there is none of that name, and which there are; what was asked for is not repeated."""
    every = library.index(SERVED)
    return type(every)("No such runbook", ("There is no runbook of that name. These are there:", *every.parts[1:]))


def _navigation(library: Library) -> str:
    """To the list, and to the boards that on-call staff come from."""
    there = {"All runbooks": PREFIX, **library.boards}
    items = "".join(f'<li><a href="{html.escape(to)}">{html.escape(name)}</a></li>' for name, to in there.items())
    return f'<nav aria-label="Runbooks"><ul>{items}</ul></nav>'


def _html(page: Page, navigation: str) -> str:
    title = html.escape(page.title)
    return (
        "<!doctype html>\n"
        f'<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="stylesheet" href="{PREFIX}{_STYLE}"></head>\n'
        f"<body>{navigation}\n<main>\n{_markdown().render(page.markdown)}</main></body></html>\n"
    )


@cache
def _style() -> str:
    return (files("monitor.runbooks") / _STYLE).read_text(encoding="utf-8")


@cache
def _markdown() -> MarkdownIt:
    """Markdown without HTML of its own; a table scrolls by itself, so that the page does not on a phone."""
    made = MarkdownIt("commonmark", {"html": False}).enable("table")
    made.add_render_rule("table_open", _table_open)
    made.add_render_rule("table_close", _table_close)
    return made


def _table_open(_: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: Any) -> str:  # noqa: ANN401, ARG001
    return '<div class="scroll" tabindex="0" role="region" aria-label="Table"><table>\n'


def _table_close(_: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: Any) -> str:  # noqa: ANN401, ARG001
    return "</table></div>\n"
