"""Pages as text: what stands on them, and what must not."""

from html.parser import HTMLParser

import made_up_pages
import pytest

from transfer.reports.contents import SECTIONS, Page
from transfer.reports.rendering import render


class Reader(HTMLParser):
    """What a parser finds on a page: elements with their attributes, text by section."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.texts, self.section, self.depths = [], {}, "", []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.elements.append((tag, found))
        if tag == "section":
            self.section = found["id"]

    def handle_endtag(self, tag):
        if tag == "section":
            self.section = ""

    def handle_data(self, data):
        self.texts[self.section] = self.texts.get(self.section, "") + data


@pytest.fixture(scope="module")
def one():
    return Reader(render(made_up_pages.page()))


def test_every_section_stands_on_the_page_in_order(one):
    assert [found["id"] for tag, found in one.elements if tag == "section"] == list(SECTIONS)


def test_a_page_without_runs_is_refused():
    with pytest.raises(ValueError, match="without runs"):
        render(Page(()))
