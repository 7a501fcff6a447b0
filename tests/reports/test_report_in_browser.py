"""Pages as a browser shows them: nothing wrong on the console, nothing asked of the network, usable and readable."""

import json
import shutil
from base64 import b64decode

import made_up_pages
import pytest

from transfer.reports.contents import SECTIONS
from transfer.reports.rendering import render

CHROMIUM, DRIVER = (shutil.which(each) for each in ("chromium", "chromedriver"))
SELENIUM = pytest.importorskip("selenium.webdriver", reason="needs selenium: pip install -e '.[dev]'")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs Chromium and its driver: apt-get install chromium chromium-driver"
)
QUIET = (
    *("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking"),
    *("disable-component-update", "disable-sync", "disable-dev-shm-usage", "hide-scrollbars"),
)
PAGES = {"one": made_up_pages.page, "two": made_up_pages.page_of_two, "hostile": made_up_pages.hostile_page}
# Brightness contrast of text and what is behind it, WCAG 2.1; the least of the texts seen, with its text.
LEAST_CONTRAST = """
const rgba = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
const light = ([r, g, b]) => {
  const [x, y, z] = [r, g, b].map((c) => ((c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const behind = (node) => {
  let [found, left] = [[0, 0, 0], 1];
  for (let each = node; each && left > 0.001; each = each.parentElement) {
    const [r, g, b, a = 1] = rgba(getComputedStyle(each).backgroundColor);
    if (!a) continue;
    found = found.map((c, k) => c + left * a * [r, g, b][k]);
    left *= 1 - a;
  }
  return found.map((c) => c + left * 255);
};
let least = [99, ""];
for (const node of document.querySelectorAll("main *, header *, nav *, footer")) {
  const own = Array.from(node.childNodes).some((each) => each.nodeType === 3 && each.data.trim());
  if (!own || !node.getClientRects().length || node.closest(".unseen, title")) continue;
  const style = getComputedStyle(node);
  const [over, under] = [light(rgba(node.closest("svg") ? style.fill : style.color)), light(behind(node))];
  const contrast = (Math.max(over, under) + 0.05) / (Math.min(over, under) + 0.05);
  const where = `${node.tagName}.${node.getAttribute("class")}: ${node.textContent.slice(0, 40)}`;
  if (contrast < least[0]) least = [contrast, where];
}
return least;
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = SELENIUM.ChromeOptions()
    options.binary_location = CHROMIUM
    for each in (*QUIET, f"user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(f"--{each}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    from selenium.webdriver.chrome.service import Service

    driver = SELENIUM.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    for name, make in PAGES.items():
        (folder / f"{name}.html").write_text(render(make()), encoding="utf-8")
    return {name: (folder / f"{name}.html").as_uri() for name in PAGES}


def show(browser, place, *, width=1440, scheme="light", media=""):
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get("about:blank")
    browser.get(place)


def one(browser, selector):
    return browser.find_element("css selector", selector)


def cells(browser, selector):
    """Texts of the first cells of the rows that are shown, whether what they stand in is open or not."""
    script = (
        "return Array.from(document.querySelectorAll(arguments[0] + ' tbody tr'))"
        ".filter((row) => !row.hidden).map((row) => row.cells[0].querySelector('bdi').textContent)"
    )
    return browser.execute_script(script, selector)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [360, 1440])
def test_nothing_is_wrong_on_the_console_nothing_is_asked_for_and_nothing_is_cut_off(browser, places, name, width):
    for each in ("browser", "performance"):
        browser.get_log(each)  # what other pages left
    show(browser, places[name], width=width)
    for opened in (False, True):
        browser.execute_script("document.querySelectorAll('details').forEach((e) => (e.open = arguments[0]))", opened)
        wide = browser.execute_script("return document.documentElement.scrollWidth")
        assert wide <= width
    assert browser.get_log("browser") == []
    sent = [json.loads(each["message"])["message"] for each in browser.get_log("performance")]
    asked = [each["params"]["request"]["url"] for each in sent if each["method"] == "Network.requestWillBeSent"]
    assert {each for each in asked if not each.startswith("data:")} <= {places[name], "about:blank"}
    assert browser.execute_script("return window.hit") is None


def test_every_section_is_shown_with_its_numbers(browser, places):
    show(browser, places["one"])
    for name in SECTIONS:
        assert one(browser, f"#{name} h2").is_displayed()
    told = {
        "verdict": ["58 %", "right on 58 of 100"],
        "scores": ["0.580 (0.482 to 0.672)", "26/100"],
        "restored": ["outputs verified"],
        "network": ["frozen: 130 layers", "block_16"],
        "data": ["200 examples to learn from, 100 held out", "animals/broken.png"],
        "confusion": ["14", "transportation"],
        "classes": ["0.300 to 0.800"],
        "calibration": ["Expected calibration error: 0.123"],
        "wrong": ["99 % sure"],
        "suspects": ["label has 0.2 %"],
        "flops": ["296.7 M FLOP"],
        "saturation": ["61 % of units at an end"],
        "drift": ["from 'block_12_BN' on are far"],
        "leaderboard": ["their network", "2,264,389"],
        "reproduce": ["--shots 40 -o runs/clipart"],
    }
    for name, texts in told.items():
        said = " ".join(one(browser, f"#{name}").text.split())
        for each in texts:
            assert each in said


def test_a_table_is_sorted_by_click_and_by_keyboard_and_says_so(browser, places):
    show(browser, places["one"])
    table = "#scores table.data"
    before = cells(browser, table)
    heading = one(browser, f"{table} th:nth-child(2)")
    button = heading.find_element("css selector", "button")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert cells(browser, table)[0] == "stratified guess"
    button.send_keys("\ue007")
    assert heading.get_attribute("aria-sort") == "descending"
    assert cells(browser, table)[:2] == ["tuned", "probe"]
    one(browser, f"{table} th:nth-child(1) button").send_keys(" ")
    assert heading.get_attribute("aria-sort") == "none"
    assert cells(browser, table) == sorted(before)


def test_numbers_are_sorted_as_numbers_and_what_has_none_comes_last(browser, places):
    show(browser, places["one"])
    one(browser, "#network > details > summary").click()
    button = one(browser, ".layer-table th:nth-child(6) button")
    for _ in range(2):
        button.send_keys("\ue007")
    script = (
        "return Array.from(document.querySelectorAll('.layer-table tbody tr')).map((row) => row.cells[5].textContent)"
    )
    found = browser.execute_script(script)
    assert [found[0], found[-1]] == ["11.06 M", "0"]
    button = one(browser, "#leaderboard th:nth-child(1) button")
    for _ in range(2):
        button.send_keys("\ue007")
        assert cells(browser, "#leaderboard table")[-1] == "-"


def test_a_filter_leaves_the_rows_that_hold_every_word(browser, places):
    show(browser, places["one"])
    one(browser, "#network > details > summary").click()
    field = one(browser, "#network input.filter")
    field.send_keys("block_3 depthwise")
    rows = "document.querySelectorAll('.layer-table tbody tr:not([hidden])')"
    found = browser.execute_script(f"return Array.from({rows}).map((each) => each.cells[1].textContent)")
    assert found == ["block_3_depthwise", "block_3_depthwise_BN", "block_3_depthwise_relu"]
    assert "3 of 151" in one(browser, "#network .filtering").text


def test_a_block_of_the_drawing_leads_to_its_layers_and_opens_them(browser, places):
    show(browser, places["one"])
    block = "block-4"
    assert one(browser, f"#{block}").get_attribute("open") is None
    browser.execute_script("location.hash = arguments[0]", block)
    browser.execute_async_script("setTimeout(arguments[0], 50)")
    assert one(browser, f"#{block}").get_attribute("open") == "true"
    assert one(browser, f"#{block} svg.layers").is_displayed()


def test_values_of_charts_are_told_to_fingers(browser, places):
    show(browser, places["one"], width=360)
    browser.execute_async_script(
        "document.querySelector('#calibration g.hover').scrollIntoView({block: 'center'});"
        "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done))"
    )
    script = (
        "const dot = document.querySelector('#calibration g.hover');"
        "const where = {pointerType: 'touch', bubbles: true, clientX: 350, clientY: 90};"
        "dot.dispatchEvent(new PointerEvent('pointerdown', where));"
    )
    browser.execute_script(script)
    told = one(browser, "#told")
    assert told.text == "said 0.35, right 0.30, of 12 answers"
    assert told.rect["x"] + told.rect["width"] <= 360
    browser.execute_script("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape'}))")
    assert not told.is_displayed()


def test_attention_is_laid_over_the_pictures_by_a_switch(browser, places):
    show(browser, places["one"])
    overlay = one(browser, "#wrong img.attention")
    assert not overlay.is_displayed()
    one(browser, "label[for=wrong-attention]").click()
    assert overlay.is_displayed()
    assert browser.execute_script(
        "return Array.from(document.images).every((each) => each.complete && each.naturalWidth > 0)"
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(browser, places, scheme):
    show(browser, places["one"], scheme=scheme)
    browser.execute_script("document.querySelectorAll('details').forEach((e) => (e.open = true))")
    brightness = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (int(brightness[4:].split(",")[0]) < 60) == (scheme == "dark")
    contrast, where = browser.execute_script(LEAST_CONTRAST)
    assert contrast >= 4.5, where


def test_paper_shows_what_is_folded_and_cuts_no_picture(browser, places):
    show(browser, places["one"], media="print")
    assert not one(browser, "nav").is_displayed()
    assert browser.execute_script("return getComputedStyle(document.querySelector('.card')).breakInside") == "avoid"
    assert browser.execute_script("return getComputedStyle(document.querySelector('svg.chart')).breakInside") == "avoid"
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert one(browser, "#network .layer-table").is_displayed()
    browser.execute_script("dispatchEvent(new Event('afterprint'))")
    printed = b64decode(browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"])
    assert printed.startswith(b"%PDF")
    assert len(printed) > 100_000


def test_a_run_among_several_opens(browser, places):
    show(browser, places["two"])
    assert not one(browser, "#run-2-scores").is_displayed()
    one(browser, "#run-2 > summary").click()
    assert one(browser, "#run-2-scores").is_displayed()
    assert "That does not tell the two apart." in one(browser, "#comparison").text
