"""Debian's Chromium as tests drive it, and what they ask of a page that it shows."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

AXE = Path(__file__).parent / "axe/node_modules/axe-core/axe.min.js"
DESK, PHONE = (1280, 900), (390, 844)
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--hide-scrollbars",
    "--window-size=1280,900",
)


@contextmanager
def opened(scripts: bool = True) -> Iterator[webdriver.Chrome]:
    """A browser with a profile of its own. Without one the test is skipped, or fails in CI."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        missing("KHAZRI_BROWSER", "chromium and chromedriver (apt install chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium or ""
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    if not scripts:
        setting = "profile.managed_default_content_settings.javascript"
        options.add_experimental_option("prefs", {setting: 2})
    browser = webdriver.Chrome(options=options, service=Service(driver))
    browser.implicitly_wait(10)
    yield browser
    browser.quit()


def missing(variable: str, what: str) -> None:
    """Skip the test for want of ``what``, or fail where the environment requires it."""
    if os.environ.get(variable) == "required":
        pytest.fail(f"{variable}=required, but there is no {what}")
    pytest.skip(f"needs {what}")


def screen(browser: webdriver.Chrome, size: tuple[int, int]) -> None:
    """Make the page as wide and high as a screen of that size shows it."""
    metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1}
    metrics["mobile"] = size[0] < 600
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def scheme(browser: webdriver.Chrome, name: str) -> None:
    """Choose ``light`` or ``dark``, as the system would."""
    features = [{"name": "prefers-color-scheme", "value": name}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def press(browser: webdriver.Chrome, *keys: str) -> None:
    """Press keys, whatever has the focus; a key before ``Keys.NULL`` is held."""
    ActionChains(browser).send_keys(*keys).perform()


def tab_to(browser: webdriver.Chrome, css: str) -> WebElement:
    """Press Tab until what has the focus is ``css``; fail when it never has."""
    for _ in range(60):
        press(browser, Keys.TAB)
        if browser.execute_script("return document.activeElement.matches(arguments[0])", css):
            return browser.switch_to.active_element
    raise AssertionError(f"No Tab leads to {css}")


def one(browser: webdriver.Chrome, css: str) -> WebElement:
    """The first element that ``css`` names, waited for."""
    return browser.find_element(By.CSS_SELECTOR, css)


def texts(browser: webdriver.Chrome, css: str) -> list[str]:
    """The texts of all that ``css`` names now, seen or not."""
    script = "return [...document.querySelectorAll(arguments[0])].map(n => n.textContent.trim())"
    found: list[str] = browser.execute_script(script, css)
    return found


def top(browser: webdriver.Chrome, element: WebElement) -> float:
    """How far below the upper edge of the screen an element begins."""
    script = "return arguments[0].getBoundingClientRect().top"
    return float(browser.execute_script(script, element))


def violations(browser: webdriver.Chrome) -> list[str]:
    """What axe-core finds wrong with the page, one line for each rule and element."""
    if not AXE.exists():
        missing("KHAZRI_AXE", "axe-core (npm ci --prefix tests/axe)")
    browser.execute_script(AXE.read_text())
    script = "axe.run().then(r => arguments[0](r.violations), e => arguments[0](String(e)))"
    found: Any = browser.execute_async_script(script)
    assert isinstance(found, list), found
    return [
        f"{rule['id']}: {node['html'][:200]} – {node['failureSummary'][-300:]}"
        for rule in found
        for node in rule["nodes"]
    ]
