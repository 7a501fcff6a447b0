"""Charts of a run for a notebook."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import made_up_pages
import pytest

import transfer
from transfer.labellings import Labelling, Output
from transfer.output_scores import Measure, OutputScore, WayScores
from transfer.results import Run


class Balance(HTMLParser):
    """Elements of a text, and those that are left open or asked from elsewhere."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        assert tag not in ("script", "img", "link", "iframe")
        assert not {name for name, _ in attrs} & {"src", "href", "onload", "onclick"}
        self.tags.append(tag)
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, _):
        self.tags.append(tag)


def epoch(number, loss, stage="tune"):
    return {"stage": stage, "number": number, "loss": loss, "validation_loss": loss + 0.1, "validation_accuracy": 0.5}


def test_a_run_draws_its_scores_and_its_losses():
    run = Run(made_up_pages.result(), None, history=tuple(epoch(k, 1 / k) for k in (1, 2, 3)))
    found = transfer.plot(run)
    html = found._repr_html_()
    reading = Balance(html)
    assert reading.open == []
    assert found.curves == 1
    assert reading.tags.count("svg") >= len(run.result.scores) + 3  # and the scale, losses, accuracies
    assert "58 of 100" in html
    assert "0.580 (0.482 to 0.672)" in html
    assert "3 epochs; loss 1.000 in the first, 0.333 in the last; validation loss 0.433 in the last" in html
    assert html == transfer.plot(run).html


def test_colours_are_those_of_the_text_around_it_and_no_style_reaches_beyond_the_plot():
    html = transfer.plot(Run(made_up_pages.result(), None)).html
    style = html[html.index("<style>") + 7 : html.index("</style>")]
    assert not re.search(r"#[0-9a-f]{3,8}\b|rgb|var\(", style)
    for rule in re.findall(r"^([^{]+)\{", style, re.M):
        assert all(each.strip().startswith(".transfer-plot") for each in rule.split(",")), rule


@pytest.mark.parametrize("hostile", made_up_pages.HOSTILE)
def test_hostile_names_are_text(hostile):
    history = (epoch(1, 0.5, hostile), {"stage": hostile, "what": hostile})
    html = transfer.plot(Run(made_up_pages.result(), None, history=history)).html
    assert Balance(html).open == []
    assert "<script" not in html


def test_of_several_outputs_each_has_its_chart():
    outputs = (Output("kind", classes=("a", "b")), Output("loud", "sigmoid", ("yes",)))
    measures = (Measure("accuracy", 0.5, 0.4, 0.6, 20),)
    scores = tuple(OutputScore(each.name, each.kind, 20, measures) for each in outputs)
    ways = tuple(WayScores(name, scores) for name in ("tuned", "majority class"))
    result = made_up_pages.result((), labelling=Labelling(outputs), outputs=ways)
    html = transfer.plot(Run(result, None)).html
    assert Balance(html).open == []
    assert html.count("<figure") == 2
