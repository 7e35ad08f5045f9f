"""The real service in a process of its own: over the wire, and through a real browser."""

from __future__ import annotations

import json
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import pytest
from clients import serving
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver

from index.errors import KhazriError
from index.home import Home
from khazri import engine_over
from web.app import create_app, serve

REQUIRED = os.environ.get("KHAZRI_BROWSER") == "required"
QUESTION = "What did it cost to build the Harbour Line?"


@pytest.fixture(scope="module")
def service(sample_home: Home) -> Iterator[str]:
    """The address of a service over the sample documents."""
    with serving(sample_home.path) as address:
        yield address


def test_the_service_is_alive(service: str) -> None:
    with urllib.request.urlopen(f"{service}/healthz") as reply:
        assert json.load(reply)["status"] == "ok"
        assert "Server" not in reply.headers


def test_a_question_of_ten_thousand_words(service: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as failed:
        urllib.request.urlopen(f"{service}/api/v1/answer?q={quote('harbour ' * 10_000)}")
    with failed.value as reply:
        assert reply.status == 414
        assert "too long" in json.load(reply)["detail"]


def test_a_port_in_use_is_named(sample_home: Home, service: str) -> None:
    port = urlsplit(service).port
    assert port
    app = create_app(sample_home, engine_over(sample_home))
    with pytest.raises(KhazriError, match=rf"Port {port} of 127\.0\.0\.1 is in use"):
        serve(app, "127.0.0.1", port)


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
def browser(request: pytest.FixtureRequest) -> Iterator[WebDriver]:
    """Debian's Chromium, with scripts and without."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        missing = "chromium and chromedriver (Debian: apt install chromium chromium-driver)"
        if REQUIRED:
            pytest.fail(f"KHAZRI_BROWSER=required, but there is no {missing}")
        pytest.skip(f"needs {missing}")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=390,844"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    if not request.param:
        setting = "profile.managed_default_content_settings.javascript"
        options.add_experimental_option("prefs", {setting: 2})
    opened = webdriver.Chrome(options=options, service=Service(driver))
    opened.implicitly_wait(10)
    yield opened
    opened.quit()


def test_ask_read_and_follow_the_citation(service: str, browser: WebDriver) -> None:
    browser.get(service)
    box = browser.switch_to.active_element
    assert box.get_attribute("name") == "q"
    box.send_keys(QUESTION, Keys.ENTER)

    answer = browser.find_element(By.CSS_SELECTOR, ".answer blockquote")
    assert "1.24 billion crowns" in answer.text
    answer.find_element(By.CSS_SELECTOR, "a.number").click()

    cited = browser.find_element(By.ID, "cited")
    assert "1.24 billion crowns" in cited.text
    assert urlsplit(browser.current_url).fragment == "cited"
    top = browser.execute_script("return arguments[0].getBoundingClientRect().top", cited)
    assert 0 < top < 844  # on the screen
    paper = browser.find_element(By.TAG_NAME, "body").value_of_css_property("background-color")
    assert cited.value_of_css_property("background-color") != paper  # highlighted

    browser.back()
    assert browser.find_element(By.ID, "q").get_attribute("value") == QUESTION
    assert browser.get_log("browser") == []  # nothing refused, nothing missing
