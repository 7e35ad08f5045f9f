"""What scripts add to the pages, what they must not, and names that break what is not careful."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from urllib.parse import quote, urlsplit

import pytest
from browser import DESK, PHONE, one, opened, press, scheme, screen, texts, top
from clients import serving
from conftest import SAMPLES, quiet
from selenium.webdriver import Chrome
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from index.home import Home

QUESTION = "What did it cost to build the Harbour Line?"
COST = "1.24 billion crowns"
UNBROKEN = "Donaudampfschifffahrt" * 15
LONG_NAME = "quay_" + "a" * 240 + ".txt"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, one_model: None) -> Iterator[str]:
    """The address of a service over the samples, with names that are long or from the right."""
    place = tmp_path_factory.mktemp("more")
    (place / "odd").mkdir()
    (place / "odd" / LONG_NAME).write_text(f"The quay {'z' * 400} holds 12 cranes.")
    (place / "odd" / "long.md").write_text(f"# {UNBROKEN}\n\n## {UNBROKEN}\n\nThe quay is old.")
    (place / "odd" / "ميناء.md").write_text("# ميناء\n\nيعمل في ميناء المدينة 1200 عامل.")
    (place / "odd" / ("hollow_" + "b" * 240 + ".pdf")).touch()
    with closing(Home(place / "home")) as home:
        home.indexer.index([SAMPLES, place / "odd"], quiet)
    with serving(place / "home") as address:
        yield address


def waits(browser: Chrome, css: str) -> None:
    """Wait until something that ``css`` names is there."""
    WebDriverWait(browser, 10, 0.05).until(lambda b: texts(b, css))


# Asking


def test_a_suggestion_is_taken_by_keyboard(service: str, browser: Chrome) -> None:
    browser.get(service)
    press(browser, "harbour l")
    waits(browser, "#suggestions:not([hidden]) [role=option]")
    box = one(browser, "#q")
    press(browser, Keys.ARROW_DOWN)
    chosen = one(browser, "#suggestions [aria-selected=true]")
    assert box.get_attribute("aria-activedescendant") == chosen.get_attribute("id")
    text = one(browser, "#suggestions [aria-selected=true] > :first-child").text
    assert "harbour line" in text.lower()
    assert box.get_attribute("value") == text
    press(browser, Keys.ENTER)
    waits(browser, ".result")
    assert one(browser, "#q").get_attribute("value") == text


def test_escape_closes_the_suggestions_and_leaves_what_was_typed(
    service: str, browser: Chrome
) -> None:
    browser.get(service)
    press(browser, "harbour")
    waits(browser, "#suggestions:not([hidden]) [role=option]")
    press(browser, Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ESCAPE)
    box = one(browser, "#q")
    assert box.get_attribute("value") == "harbour"
    assert box.get_attribute("aria-expanded") == "false"
    assert not one(browser, "#suggestions").is_displayed()


def test_a_slash_goes_to_the_question_and_may_be_typed_in_it(service: str, browser: Chrome) -> None:
    browser.get(f"{service}/?q=harbour")
    press(browser, "/")
    box = browser.switch_to.active_element
    assert box.get_attribute("id") == "q"
    press(browser, Keys.END, "/")
    assert box.get_attribute("value") == "harbour/"


# The answer


def test_a_quote_is_copied_with_its_source(service: str, browser: Chrome) -> None:
    granted = {"origin": service, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    browser.execute_cdp_cmd("Browser.grantPermissions", granted)
    browser.get(f"{service}/?q={quote(QUESTION)}")
    plain, markdown = browser.find_elements(By.CSS_SELECTOR, ".copy button")[:2]
    told = []
    for button in (plain, markdown):
        button.click()
        WebDriverWait(browser, 10).until(lambda b: texts(b, "#copied[role=status]") == ["Copied"])
        read = "navigator.clipboard.readText().then(arguments[0], (e) => arguments[0](String(e)))"
        told.append(browser.execute_async_script(read))
    for text in told:
        assert COST in text
        assert "Port Ardal Metro opens the Harbour Line" in text
        assert f"{service}/documents/" in text
    assert ["](" in text for text in told] == [False, True]


def test_the_passage_is_shown_at_the_number(service: str, browser: Chrome) -> None:
    browser.get(f"{service}/?q={quote(QUESTION)}")
    number = one(browser, ".answer a.number")
    browser.execute_script("arguments[0].focus()", number)
    peek = one(browser, "#peek")
    assert peek.is_displayed()
    assert COST in peek.text
    assert number.get_attribute("aria-describedby") == "peek"
    assert one(browser, "#peek mark").is_displayed()
    press(browser, Keys.ESCAPE)
    assert not peek.is_displayed()
    ActionChains(browser).move_to_element(number).perform()
    assert peek.is_displayed()
    assert urlsplit(browser.current_url).path == "/"


# Reading


def test_n_and_p_walk_through_the_words_found(service: str, browser: Chrome) -> None:
    browser.get(f"{service}/?q=harbour")
    one(browser, ".result .under > a").click()
    waits(browser, "mark.hit")
    last = len(texts(browser, "mark.hit"))
    browser.get(browser.current_url.partition("#")[0])  # from the top
    for key, place in (("n", 1), ("n", 2), ("p", 1), ("p", last), ("n", 1)):
        press(browser, key)
        assert urlsplit(browser.current_url).fragment == f"hit-{place}"
        assert texts(browser, ".stepper [role=status]") == [f"{place} of {last}"]
        assert 0 <= top(browser, one(browser, "mark.hit:target")) < DESK[1]


# The collection

DROP = """
    const carried = new DataTransfer();
    carried.items.add(new File([arguments[1]], arguments[0], {type: "text/plain"}));
    const told = (name) => document.querySelector("h1").dispatchEvent(
        new DragEvent(name, {dataTransfer: carried, bubbles: true, cancelable: true}));
    told("dragover");
    const shown = document.querySelector("form.upload").classList.contains("over");
    told("drop");
    return shown;
"""


def test_a_file_is_dropped_on_the_page(service: str, browser: Chrome) -> None:
    browser.get(f"{service}/documents")
    name, text = "swans <b>&.txt", "Mute swans nest on the Mill Pond, 31 pairs this year."
    assert browser.execute_script(DROP, name, text)  # the place to drop it is shown
    WebDriverWait(browser, 10).until(lambda b: texts(b, "#outcomes a") == [name])
    WebDriverWait(browser, 10).until(lambda b: "swans" in "".join(texts(b, "tbody tr")[:1]))
    browser.get(f"{service}/?q=How+many+pairs+of+mute+swans+nest%3F")
    assert "31" in one(browser, ".answer blockquote").text


def test_a_job_is_stopped(service: str, browser: Chrome) -> None:
    browser.get(f"{service}/jobs")
    one(browser, "#jobs form button").click()
    # Found and clicked at once: the part of the page is written anew each second.
    script = """
        const stop = document.querySelector("#jobs form[action*='/cancel'] button");
        stop?.click();
        return Boolean(stop);
    """
    WebDriverWait(browser, 10, 0.05).until(lambda b: b.execute_script(script))
    WebDriverWait(browser, 30).until(lambda b: "stopped" in texts(b, "#jobs td.ended"))
    WebDriverWait(browser, 10).until(
        lambda b: "Read all folders again" in texts(b, "#jobs form button")
    )


# Every page


@pytest.mark.parametrize(
    "path",
    ["/?q=quay", "/?q=quay+cranes+hold", f"/?q={'x' * 400}", "/?q=ميناء", "/documents", "/jobs"],
)
def test_long_names_stay_on_a_phone(service: str, browser: Chrome, path: str) -> None:
    screen(browser, PHONE)
    browser.get(service + path)
    browser.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    width = browser.execute_script("return document.documentElement.scrollWidth")
    assert width <= PHONE[0]


def test_a_title_from_the_right_stands_over_its_facts(service: str, browser: Chrome) -> None:
    browser.get(f"{service}/?q={quote('ميناء')}")
    script = """
        const range = document.createRange();
        range.selectNodeContents(document.querySelector(arguments[0]));
        return range.getBoundingClientRect().left;
    """
    title, facts = (
        browser.execute_script(script, f".result {css}") for css in ("h3 a", ".facts > *")
    )
    assert abs(title - facts) < 3
    assert one(browser, ".result .excerpt").value_of_css_property("direction") == "rtl"


def test_a_printed_page_says_what_was_asked(service: str, browser: Chrome) -> None:
    browser.get(f"{service}/?q={quote(QUESTION)}&type=markdown")
    scheme(browser, "dark")
    features = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": features})
    try:
        assert one(browser, ".question").text == f"{QUESTION} · Type: Markdown"
        assert not one(browser, "form").is_displayed()
        ink = one(browser, ".answer blockquote").value_of_css_property("color")
        assert ink == "rgba(0, 0, 0, 1)"
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_browsing_by_clicks_without_scripts(service: str) -> None:
    with opened(scripts=False) as browser:
        screen(browser, PHONE)
        browser.get(f"{service}/?q=harbour")
        one(browser, ".facets a[href*='type=markdown']").click()
        WebDriverWait(browser, 10).until(lambda b: "type=markdown" in b.current_url)
        one(browser, ".paging a[rel=next]").click()
        WebDriverWait(browser, 10).until(lambda b: "page=2" in b.current_url)
        narrowed = browser.current_url
        assert "type=markdown" in narrowed
        title = one(browser, ".result h3 a")
        name = title.text
        title.click()
        WebDriverWait(browser, 10).until(lambda b: "/documents/" in b.current_url)
        assert one(browser, ".document h1").text == name
        browser.back()
        assert browser.current_url == narrowed
        one(browser, ".chosen a").click()
        WebDriverWait(browser, 10).until(lambda b: "type=" not in b.current_url)
