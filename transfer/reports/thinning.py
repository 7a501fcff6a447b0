"""Pages of many runs, kept small enough to be sent: what is large and least missed goes first, and the page says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from transfer.reports.contents import Contents, Page, Picture

LIMIT_BYTES = 6_000_000  # of a page; what mails carry, with room for other things
_WHY = "to keep the page under 6 MB; the page of this run alone has more."


def thin(page: Page) -> Iterator[Page]:
    """The page as it is, then with less and less on it: attention, pictures, layers and tensors."""
    yield page
    for step in (_without_attention, _without_pictures, _without_layers):
        page = replace(page, runs=tuple(map(step, page.runs)))
        yield page


def _without_attention(run: Contents) -> Contents:
    held = _with_pictures(run, lambda picture: replace(picture, attention=None))
    return _noting(held, "Where the network looked is left out", *_pictured(run))


def _without_pictures(run: Contents) -> Contents:
    return _noting(_with_pictures(run, lambda _: None), "Pictures are left out", *_pictured(run))


def _without_layers(run: Contents) -> Contents:
    held = replace(run, layers=(), receipt=None)
    sections = ("network", "flops") if run.layers else ()
    held = _noting(held, "Layers are left out", *sections)
    return _noting(held, "The receipt is left out", *(("restored",) if run.receipt else ()))


def _with_pictures(run: Contents, change: Callable[[Picture], Picture | None]) -> Contents:
    wrong = tuple(replace(each, picture=change(each.picture)) if each.picture else each for each in run.wrong)
    suspects = tuple(replace(each, picture=change(each.picture)) if each.picture else each for each in run.suspects)
    return replace(run, wrong=wrong, suspects=suspects)


def _pictured(run: Contents) -> tuple[str, ...]:
    """Sections with pictures."""
    wrong, suspects = (any(each.picture for each in found) for found in (run.wrong, run.suspects))
    return (*(("wrong",) if wrong else ()), *(("suspects",) if suspects else ()))


def _noting(run: Contents, what: str, *sections: str) -> Contents:
    return replace(run, absent={**run.absent, **dict.fromkeys(sections, f"{what}, {_WHY}")})
