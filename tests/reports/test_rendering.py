"""Pages as text: what stands on them, and what must not."""

import hashlib
import re
from base64 import b64decode, b64encode
from dataclasses import replace
from html.parser import HTMLParser

import made_up_pages
import pytest

from transfer.reports.contents import SECTIONS, Page
from transfer.reports.rendering import render
from transfer.reports.thinning import thin

VOID = {"meta", "link", "img", "input", "br"}


class Reader(HTMLParser):
    """What a parser finds on a page: elements with their attributes, text and tables by section, elements left open."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.texts, self.raw, self.open, self.faults = [], {}, {}, [], []
        self.section = self.tag = ""
        self.rows, self.cell = {}, None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.elements.append((tag, found))
        if tag not in VOID:
            self.open.append(tag)
        self.tag = tag
        if tag == "section":
            self.section = found["id"]
        if tag == "tr":
            self.rows.setdefault(self.section, []).append([])
        if tag in ("td", "th"):
            self.cell = ""

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)
        if tag == "section":
            self.section = ""
        if tag in ("td", "th") and self.cell is not None:
            self.rows[self.section][-1].append(" ".join(self.cell.split()))
            self.cell = None
        self.tag = ""

    def handle_data(self, data):
        if self.open and self.open[-1] in ("script", "style"):
            self.raw[self.open[-1]] = self.raw.get(self.open[-1], "") + data
            return
        self.texts[self.section] = f"{self.texts.get(self.section, '')} {data}"
        if self.cell is not None:
            self.cell += data

    def found(self, tag, **wanted):
        return [each for name, each in self.elements if name == tag and wanted.items() <= each.items()]

    def said(self, section):
        return " ".join(self.texts[section].split())


PAGES = {
    "one": made_up_pages.page,
    "two": made_up_pages.page_of_two,
    "outputs": made_up_pages.page_of_outputs,
    "hostile": made_up_pages.hostile_page,
}


@pytest.fixture(scope="module")
def texts():
    return {name: render(make()) for name, make in PAGES.items()}


@pytest.fixture(scope="module")
def readers(texts):
    return {name: Reader(text) for name, text in texts.items()}


@pytest.fixture(scope="module")
def text(texts):
    return texts["one"]


@pytest.fixture(scope="module")
def one(readers):
    return readers["one"]


@pytest.fixture(scope="module")
def hostile(readers):
    return readers["hostile"]


def test_every_section_stands_on_the_page_in_order(one):
    assert [each["id"] for each in one.found("section")] == list(SECTIONS)


@pytest.mark.parametrize("name", PAGES)
def test_every_link_within_the_page_leads_somewhere_and_ids_are_unique(readers, name):
    ids = [each["id"] for _, each in readers[name].elements if "id" in each]
    links = [each["href"] for each in readers[name].found("a")]
    assert len(ids) == len(set(ids))
    assert {each.removeprefix("#") for each in links} <= set(ids)


@pytest.mark.parametrize("name", PAGES)
def test_every_element_is_closed(readers, name):
    assert (readers[name].open, readers[name].faults) == ([], [])


def test_the_same_page_is_the_same_text(text):
    assert render(made_up_pages.page()) == text


def test_the_verdict_says_how_many_are_right_of_how_many_and_the_best_baseline(one):
    said = one.said("verdict")
    assert "58 %" in said
    assert "right on 58 of 100 test examples" in said
    assert "95 % interval 48 % to 67 %" in said
    assert "best baseline: logistic regression on raw input, 26 %" in said
    assert "only 40 examples of each class" in said


def test_scores_are_those_of_the_result(one):
    rows = [cells for cells in one.rows["scores"] if cells[0] in ("tuned", "majority class")]
    assert rows == [
        ["tuned", "0.580", "0.482 to 0.672", "58/100"],
        ["majority class", "0.200", "0.133 to 0.289", "20/100"],
    ]


def test_the_names_of_ways_of_answering_are_explained_where_they_stand_and_no_others(one):
    meant = one.said("scores")
    assert "majority class: always the most frequent class" in meant
    assert "nearest neighbours" not in meant


def test_the_confusion_is_a_table_of_counts_with_their_sums(one):
    confusion = made_up_pages.output().confusion
    rows = {cells[0]: cells[1:] for cells in one.rows["confusion"] if len(cells) == 7}
    for name, counts in zip(made_up_pages.CLASSES, confusion, strict=True):
        assert rows[name] == [*map(str, counts), str(sum(counts))]


def test_many_classes_are_shown_by_the_pairs_mixed_up_most():
    names = [f"class {k}" for k in range(40)]
    output = made_up_pages.output(names)
    confusion = [list(counts) for counts in output.confusion]
    confusion[7][31] = 99
    run = made_up_pages.contents(outputs=(replace(output, confusion=tuple(map(tuple, confusion))),))
    reader = Reader(render(Page((run,))))
    assert "40 classes are too many for a map" in reader.said("confusion")
    assert reader.rows["confusion"][1][:3] == ["class 7", "class 31", "99"]
    assert len(reader.rows["confusion"]) == 1 + 15


def test_the_receipt_is_a_tree_that_names_every_tensor(one):
    said = one.said("restored")
    for each in made_up_pages.receipt(made_up_pages.mobile_layers())["plan"]["pairs"]:
        assert each["wanted"] in said
    for each in (
        "top/kernel",
        "predictions/bias",
        "by the writer's order",
        "float16 → float32",
        "expected (3, 3), found (5, 5)",
    ):
        assert each in said


def test_the_network_is_drawn_in_blocks_and_listed_layer_by_layer(one):
    layers = made_up_pages.mobile_layers()
    listed = {cells[1]: cells for cells in one.rows["network"][1:]}
    assert list(listed) == [row.name for row in layers]
    assert listed["Conv1"][2:7] == ["Conv2D", "80 x 80 x 32", "864", "11.06 M", "frozen"]
    assert 10 < len([each for each in one.found("details") if each.get("class") == "block"]) <= 32


def test_charts_say_their_values_without_a_script(one):
    said = one.said("learning")
    assert "epoch 1: on what is learnt from 0.470" in said
    assert "epoch 10: on validation examples 1.430" in said
    assert "kept 40 % of the way; validation loss 1.197" in said
    assert "said 0.35, right 0.30, of 12 answers" in one.said("calibration")
    assert "block_0_expand (Conv2D, frozen): 4 M" in one.said("flops")


def test_pictures_carry_their_bytes_and_a_text(one):
    shots = made_up_pages.pictures()
    images = one.found("img")
    photos = [each for each in images if each["alt"]]
    assert b64decode(photos[0]["src"].removeprefix("data:image/jpeg;base64,")) == shots[0].jpeg
    assert photos[0]["alt"] == f"{shots[0].name}, animals"
    overlays = [each for each in images if each.get("class") == "attention"]
    assert b64decode(overlays[0]["src"].removeprefix("data:image/png;base64,")) == shots[0].attention
    assert len(photos) == len(overlays) == 16


def test_how_to_reproduce_tells_command_recipe_digests_and_versions_but_no_lists_of_examples(one, text):
    said = one.said("reproduce")
    assert "transfer finetune mobilenet_v2_imagenet examples/data/clipart --shots 40" in said
    rows = one.rows["reproduce"]
    assert ["all", "seed", "0"] in rows
    assert ["2: tune", "epochs", "10"] in rows
    assert ["data", "f2" * 32] in rows
    assert ["keras", "3.15.1"] in rows
    assert ["together", "7.90"] in rows
    assert "hidden/" not in text


def test_what_is_not_there_says_why_and_what_is_unknown_is_no_error():
    run = made_up_pages.bare(absent={"network": "model.keras <b>is gone</b>.", "wrong": "The run kept no answers."})
    reader = Reader(render(Page((run,))))
    assert reader.said("network") == "Network model.keras <b>is gone</b>."
    assert reader.said("wrong") == "Most surely wrong The run kept no answers."
    assert [each["id"] for each in reader.found("section")] == list(SECTIONS)
    assert "There is no command" not in reader.said("reproduce")


def test_a_section_that_is_not_whole_says_why():
    run = made_up_pages.contents(absent={"scores": "answers.json is damaged."})
    assert Reader(render(Page((run,)))).said("scores").endswith(" answers.json is damaged.")


def test_names_that_would_be_markup_are_text(hostile):
    tags = {name for name, _ in hostile.elements}
    assert len(hostile.found("script")) == len(hostile.found("style")) == 1
    assert not [name for name, each in hostile.elements for key in each if key.startswith("on")]
    assert not [each for each in hostile.found("img") if not each["src"].startswith("data:image/")]
    assert {"iframe", "object", "embed", "form"}.isdisjoint(tags)
    assert "{{ 7 * 7 }}&amp;" in hostile.said("classes")
    assert "<script>window.hit = 1</script>" in hostile.said("network")


def test_what_turns_the_direction_of_text_is_written_out_and_long_names_are_cut(texts):
    text = texts["hostile"]
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200e\u200f]", text)
    assert r"line\nbreak\u202eright to left\u200f" in Reader(text).said("classes")
    assert "x" * 161 not in re.sub("<pre.*?</pre>", "", Reader(text).said("classes"))


def test_a_name_that_is_no_unicode_can_still_be_written():
    run = made_up_pages.contents(classes=("\udcff bytes", "nul\0", "two"))
    text = render(Page((run,)))
    assert "\\udcff bytes" in text
    text.encode("utf-8")


def test_nothing_is_loaded_and_only_the_own_style_and_script_may_run(one, hostile):
    for reader in (one, hostile):
        policy = reader.found("meta")[1]["content"]
        digests = re.findall("sha256-[^']+", policy)
        wanted = [b64encode(hashlib.sha256(reader.raw[tag].encode()).digest()).decode() for tag in ("style", "script")]
        assert [each.removeprefix("sha256-") for each in digests] == wanted
        assert "default-src 'none'" in policy
        assert not [each for _, each in reader.elements if "style" in each]
        sources = [each.get("src") or each.get("href") or "#" for _, each in reader.elements]
        assert all(each.startswith(("data:", "#")) for each in sources)
        assert "url(http" not in reader.raw["style"]


def test_a_page_of_two_runs_compares_them_first(readers):
    reader = readers["two"]
    sections = [each["id"] for each in reader.found("section")]
    assert sections[0] == "comparison"
    assert sections[1:] == [f"run-{place}-{name}" for place in (1, 2) for name in SECTIONS]
    said = reader.said("comparison")
    assert (
        "clipart - probe = +0.020 (-0.030 to +0.070) on the same 100 examples: 4 are right by the first alone" in said
    )
    assert "McNemar, exact p 0.69" in said
    assert "That does not tell the two apart." in said


def test_runs_that_were_tested_on_other_examples_are_not_compared():
    reader = Reader(render(replace(made_up_pages.page_of_two(), comparison=None)))
    assert "these scores do not say which is better" in reader.said("comparison")


def test_several_outputs_have_a_headline_and_a_chart_each(readers):
    reader = readers["outputs"]
    said = reader.said("verdict")
    assert "price 1.250 mean absolute error on 90 test examples" in said
    assert "95 % interval 1.000 to 1.500" in said
    assert "best baseline: mean, 3.500" in said
    assert "tags 0.600 macro F1" in said
    assert "best baseline: mean, 0.100" in said
    assert ["loud", "0.350"] in reader.rows["calibration"]


def test_a_page_with_all_there_is_stays_small(text):
    assert len(text.encode()) < 1_500_000


def test_a_thousand_layers_and_examples_stay_under_the_limit():
    layers = made_up_pages.mobile_layers(blocks=120)
    run = made_up_pages.contents(layers=layers, receipt=made_up_pages.receipt(layers))
    assert len(layers) > 1000
    assert len(render(Page((run,))).encode()) < 6_000_000


def test_a_page_that_would_be_too_large_leaves_out_what_is_large_and_says_so():
    run = made_up_pages.contents()
    shot = replace(run.wrong[0].picture, attention=bytes(2_500_000))
    wrong = (replace(run.wrong[0], picture=shot), replace(run.wrong[1], picture=shot), *run.wrong[2:])
    text = render(Page((replace(run, wrong=wrong),)))
    reader = Reader(text)
    assert len(text.encode()) < 6_000_000
    assert "Where the network looked is left out, to keep the page under 6 MB" in reader.said("wrong")
    assert len([each for each in reader.found("img") if each["alt"]]) == 16
    assert not reader.found("img", **{"class": "attention"})


def test_what_is_large_goes_step_by_step_and_scores_stay():
    whole, *_, unpictured, bare = thin(Page((made_up_pages.contents(),)))
    assert whole.runs[0].absent == {}
    reader = Reader(render(unpictured))
    assert not reader.found("img")
    assert "Pictures are left out" in reader.said("wrong")
    assert "block_3" in reader.said("network")
    text = render(bare)
    reader = Reader(text)
    assert len(text.encode()) < 200_000
    for section in ("network", "flops", "restored"):
        assert "left out, to keep the page under 6 MB" in reader.said(section)
    assert "26/100" in reader.said("scores")
    assert "99 % sure" in reader.said("wrong")


def test_a_page_without_runs_is_refused():
    with pytest.raises(ValueError, match="without runs"):
        render(Page(()))
