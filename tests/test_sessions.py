"""Sessions: signing in on a page, what the cookie is worth and for how long, signing out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from browser import DESK, PHONE, one, scheme, screen, texts, violations
from clients import client_of, serving, small_home
from conftest import CheapEncoder
from flask.testing import FlaskClient
from itsdangerous import TimestampSigner
from selenium.webdriver import Chrome
from selenium.webdriver.common.keys import Keys as Key
from selenium.webdriver.support.ui import WebDriverWait

from index.embeddings import Encoder
from index.home import Home
from web.keys import Keys

OWN = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def home(tmp_path: Path, cheap: CheapEncoder) -> Iterator[Home]:
    with small_home(tmp_path, cheap, "auth=keys", "reader=none") as home:
        yield home


@pytest.fixture
def key(home: Home) -> str:
    """A key for writing."""
    return Keys(home.path).add("writer", "write")


@pytest.fixture
def visitor(home: Home) -> FlaskClient:
    """A browser without a session."""
    return client_of(home)


@pytest.fixture
def client(visitor: FlaskClient, key: str) -> FlaskClient:
    """A browser that has signed in."""
    assert visitor.post("/sign-in", data={"key": key}).status_code == 303
    return visitor


def stays_out(client: FlaskClient) -> None:
    """Nothing is shown to this browser, and nothing taken from it."""
    assert client.get("/documents").headers["Location"].startswith("/sign-in")
    assert client.get("/api/v1/documents").status_code == 401
    assert client.post("/jobs", headers=OWN).headers["Location"] == "/sign-in"


# In


def test_another_service_over_the_same_home_knows_the_session(
    home: Home, client: FlaskClient
) -> None:
    session = client.get_cookie("khazri")
    assert session is not None
    with closing(Home(home.path, given=home.given)) as again:
        other = client_of(again)
        stays_out(other)
        other.set_cookie("khazri", session.value)
        assert other.get("/documents").status_code == 200


def test_a_key_begins_a_session_that_goes_on_to_where_one_wanted(
    visitor: FlaskClient, key: str
) -> None:
    stays_out(visitor)
    asked = visitor.get("/documents/1?q=otters&quote=47 otters")
    assert asked.status_code == 303
    entrance = asked.headers["Location"]
    page = visitor.get(entrance)
    assert page.status_code == 200
    assert "Sign out" not in page.text
    entered = visitor.post(entrance, data={"key": f" {key}\n"})
    assert entered.headers["Location"] == "/documents/1?q=otters&quote=47%20otters"
    shown = visitor.get(entered.headers["Location"])
    assert shown.status_code == 200
    assert "Sign out" in shown.text
    assert visitor.post("/jobs", headers=OWN).headers["Location"] == "/jobs"


def test_a_wrong_key_is_refused_in_words(visitor: FlaskClient, home: Home, key: str) -> None:
    Keys(home.path).revoke("writer")
    for wrong in (key, "", "khazri_", "x" * 10_000, "\x00é🦦"):
        reply = visitor.post("/sign-in", data={"key": wrong})
        assert reply.status_code == 403
        assert "not known, or was revoked" in reply.text
        assert "Set-Cookie" not in reply.headers
        assert not wrong or wrong not in reply.text
    assert visitor.post("/sign-in").status_code == 403
    stays_out(visitor)


def test_whoever_guesses_is_slowed_down(tmp_path: Path, cheap: CheapEncoder) -> None:
    with small_home(tmp_path, cheap, "auth=keys", "rate=5") as home:
        client = client_of(home)
        tries = [client.post("/sign-in", data={"key": "khazri_1"}).status_code for _ in range(6)]
    assert tries == [403] * 5 + [429]


@pytest.mark.parametrize(
    "elsewhere",
    [
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "\t//evil.example",
        "https://evil.example",
        "https:evil.example",
        "javascript:alert(1)",
        "evil.example",
        "/documents\r\nSet-Cookie: a=b",
        "",
    ],
)
def test_signing_in_leads_to_no_other_site(visitor: FlaskClient, key: str, elsewhere: str) -> None:
    reply = visitor.post(f"/sign-in?next={quote(elsewhere)}", data={"key": key})
    assert reply.headers["Location"] == "/"
    path = visitor.get("//evil.example/", headers={"Cookie": ""})  # asked for as a path
    assert urlsplit(path.headers.get("Location", "/")).netloc in ("", "localhost")


def test_what_was_in_a_session_before_is_gone(visitor: FlaskClient, key: str) -> None:
    with visitor.session_transaction() as session:
        session["key"] = "000000000000"
        session["planted"] = True
    visitor.post("/sign-in", data={"key": key})
    with visitor.session_transaction() as session:
        assert set(session) == {"key", "_permanent"}
        assert key not in str(dict(session))


# The cookie


def cookie_of(client: FlaskClient, key: str, **request: Any) -> tuple[str, set[str]]:
    """The name of the cookie that signing in sets, and its attributes."""
    reply = client.post("/sign-in", data={"key": key}, **request)
    (cookie,) = reply.headers.getlist("Set-Cookie")
    name, *attributes = cookie.split("; ")
    return name.partition("=")[0], {each for each in attributes if not each.startswith("Expires")}


def test_the_cookie_is_for_this_service_alone(visitor: FlaskClient, key: str) -> None:
    shared = {"HttpOnly", "Path=/", "SameSite=Lax"}
    assert cookie_of(visitor, key) == ("khazri", shared)
    safe = {"base_url": "https://localhost"}
    assert cookie_of(visitor, key, **safe) == ("__Host-khazri", {*shared, "Secure"})
    assert visitor.get("/documents", **safe).status_code == 200


def test_a_proxy_that_speaks_tls_makes_it_secure(tmp_path: Path, cheap: CheapEncoder) -> None:
    with small_home(tmp_path, cheap, "proxies=1", "names=khazri.example") as home:
        key, client = Keys(home.path).add("one", "read"), client_of(home)
        told = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "khazri.example"}
        own = {**told, "Origin": "https://khazri.example"}
        name, attributes = cookie_of(client, key, headers=own)
    assert name == "__Host-khazri"
    assert "Secure" in attributes


def test_a_session_ends_after_half_a_day(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Set-Cookie" not in client.get("/documents").headers  # it is not made longer by use
    began = time.time()
    for hours, status in ((11.9, 200), (12.1, 303)):
        later = int(began + hours * 3600)
        monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _, later=later: later)
        assert client.get("/documents").status_code == status


def test_a_cookie_that_was_made_up_is_worth_nothing(
    client: FlaskClient, home: Home, tmp_path: Path, cheap: CheapEncoder
) -> None:
    cookie = client.get_cookie("khazri")
    assert cookie
    good = cookie.value
    payload, stamp, signature = good.rsplit(".", 2)
    with small_home(tmp_path / "other", cheap, "auth=keys") as other:
        key = Keys(other.path).add("writer", "write")
        elsewhere = client_of(other)
        elsewhere.post("/sign-in", data={"key": key})
        foreign = elsewhere.get_cookie("khazri")
    assert foreign
    for forged in (
        "",
        "x",
        "..",
        foreign.value,
        f"{payload}.{stamp}.{signature[::-1]}",
        f"{payload}.{stamp}.",
        f"{payload[:-2]}AA.{stamp}.{signature}",
        f"{payload}.AAAAAA.{signature}",
        "é" * 100,
    ):
        client.set_cookie("khazri", forged)
        stays_out(client)
    client.set_cookie("khazri", good)
    assert client.get("/documents").status_code == 200


def test_a_session_ends_with_its_key(client: FlaskClient, home: Home) -> None:
    assert client.get("/documents").status_code == 200
    keys = Keys(home.path)
    keys.revoke("writer")
    stays_out(client)
    keys.add("writer", "write")  # another one, whatever its name
    stays_out(client)


def test_without_the_file_every_session_has_ended(client: FlaskClient, home: Home) -> None:
    keys = Keys(home.path)
    keys.path.unlink()
    stays_out(client)
    keys.add("writer", "write")
    stays_out(client)


# Out


def test_signing_out_ends_it(client: FlaskClient) -> None:
    assert client.post("/sign-out", headers={"Origin": "https://evil.example"}).status_code == 403
    assert client.get("/documents").status_code == 200
    reply = client.post("/sign-out", headers=OWN)
    assert reply.headers["Location"] == "/sign-in"
    assert reply.headers["Clear-Site-Data"] == '"cache"'
    assert client.get_cookie("khazri") is None
    stays_out(client)


# In a browser


@pytest.fixture(scope="module")
def guarded(
    tmp_path_factory: pytest.TempPathFactory, encoder: Encoder
) -> Iterator[tuple[str, str]]:
    """The address of a real service that asks for keys, and one for writing."""
    place = tmp_path_factory.mktemp("sessions")
    with small_home(place, encoder) as home:
        key = Keys(home.path).add("writer", "write")
    (place / "home" / "khazri.toml").write_text('auth = "keys"\n')
    with serving(place / "home") as address:
        yield address, key


@pytest.fixture(scope="module")
def service(guarded: tuple[str, str]) -> str:
    return guarded[0]


def test_sign_in_ask_and_sign_out(guarded: tuple[str, str], browser: Chrome) -> None:
    service, key = guarded
    browser.get(f"{service}/documents/1?start=34&end=69&quote=47+otters#cited")
    browser.switch_to.active_element.send_keys(key, Key.ENTER)
    assert one(browser, "h1:not(:empty)")
    WebDriverWait(browser, 10).until(lambda b: urlsplit(b.current_url).path == "/documents/1")
    assert urlsplit(browser.current_url).fragment == "cited"  # the place that the link named
    browser.get(f"{service}/?q=How+many+otters+did+the+wardens+count%3F")
    assert "47" in "".join(texts(browser, ".answer blockquote mark"))
    browser.get(f"{service}/jobs")
    one(browser, ".bar form button").click()
    assert one(browser, "#key")
    browser.get(f"{service}/documents")
    assert one(browser, "#key")
    said = [entry["message"] for entry in browser.get_log("browser")]
    assert [each for each in said if "Clear-Site-Data" not in each] == []  # which it tells of


def test_everybody_can_sign_in(guarded: tuple[str, str], browser: Chrome) -> None:
    service, key = guarded
    browser.get(f"{service}/sign-in")
    for step in ("the page", "signed in"):
        for size, colours in ((DESK, "light"), (DESK, "dark"), (PHONE, "light")):
            screen(browser, size)
            scheme(browser, colours)
            assert violations(browser) == [], (step, colours)
            width = browser.execute_script("return document.documentElement.scrollWidth")
            assert width <= size[0]
        if step == "the page":
            one(browser, "#key").send_keys(key, Key.ENTER)
            assert one(browser, ".bar form")
