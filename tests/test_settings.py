"""Settings: read from a home's khazri.toml, checked, and used."""

from __future__ import annotations

from dataclasses import Field, asdict, fields
from pathlib import Path

import pytest

from index.errors import KhazriError
from index.home import Home
from index.settings import Settings, load, parse
from search.answers import READ
from search.confidence import THRESHOLD
from search.fusion import SEMANTIC
from search.reader import DEFAULT_READER


def test_without_a_file_everything_is_as_by_default(tmp_path: Path) -> None:
    assert load(tmp_path / "khazri.toml") == Settings()
    assert Settings().semantic_weight == SEMANTIC
    assert Settings().read == READ
    assert Settings().threshold == THRESHOLD
    assert Settings().reader == DEFAULT_READER


def test_what_is_given_is_taken_and_the_rest_stays(tmp_path: Path) -> None:
    path = tmp_path / "khazri.toml"
    path.write_text('port = 8001\nhost = "::1"\nwatch_interval = 5\n')
    chosen = load(path)
    assert (chosen.port, chosen.host, chosen.watch_interval) == (8001, "::1", 5.0)
    assert isinstance(chosen.watch_interval, float)
    assert chosen.watch_settle == Settings().watch_settle


def test_every_default_is_itself_allowed() -> None:
    assert parse(asdict(Settings()), "here") == Settings()


@pytest.mark.parametrize(
    ("wrong", "near"),
    [("prot", "port"), ("Port", "port"), ("watch-settle", "watch_settle"), ("modle", "model")],
)
def test_an_unknown_setting_is_refused_with_the_nearest_name(wrong: str, near: str) -> None:
    with pytest.raises(KhazriError, match=f"here: there is no setting '{wrong}'.*'{near}'"):
        parse({wrong: 1}, "here")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"port": "80"}, "'port' must be a whole number from 0 to 65535, not \"80\""),
        ({"port": 80.0}, "'port' must be a whole number"),
        ({"port": True}, "'port' must be a whole number"),
        ({"port": 65536}, "from 0 to 65535"),
        ({"host": 1}, "'host' must be text, not 1"),
        ({"model": " "}, "'model' must be text"),
        ({"fusion": "sum"}, '\'fusion\' must be "convex" or "reciprocal", not "sum"'),
        ({"deletion_share": 50}, "'deletion_share' must be a number from 0 to 1, not 50"),
        ({"semantic_weight": float("nan")}, "'semantic_weight' must be a number"),
        ({"watch_interval": 0}, "'watch_interval' must be a number of at least 1"),
        ({"watch_settle": [2]}, "'watch_settle' must be a number of at least 0"),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_expected(
    values: dict[str, object], expected: str
) -> None:
    with pytest.raises(KhazriError) as raised:
        parse(values, "here")
    assert expected in str(raised.value)


@pytest.mark.parametrize("text", [b"port = ", b"= 1", b"port = 1\nport = 2", b"\xff"])
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "khazri.toml"
    path.write_bytes(text)
    with pytest.raises(KhazriError, match="is not TOML"):
        load(path)


def test_a_home_is_opened_with_its_settings(tmp_path: Path) -> None:
    (tmp_path / "khazri.toml").write_text('deletion_share = 0.25\nmodel = "/models/mine"\n')
    home = Home(tmp_path)
    assert (home.indexer.share, home.encoder.name) == (0.25, "/models/mine")
    home.close()
    home = Home(tmp_path, "/models/other")
    assert home.encoder.name == "/models/other"
    home.close()


def test_a_home_with_wrong_settings_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "khazri.toml").write_text("prot = 8001\n")
    with pytest.raises(KhazriError, match=r"khazri\.toml: there is no setting 'prot'"):
        Home(tmp_path)
    assert {one.name for one in tmp_path.iterdir()} == {"khazri.toml"}


def test_what_is_given_goes_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    path = tmp_path / "khazri.toml"
    path.write_text('port = 8001\nhost = "::1"\nread = 3\n')
    environment = {"KHAZRI_PORT": "8002", "KHAZRI_HOST": "0.0.0.0", "KHAZRI_DATA": "elsewhere"}
    chosen = load(path, environment, ["port=8003"])
    assert (chosen.port, chosen.host, chosen.read) == (8003, "0.0.0.0", 3)


@pytest.mark.parametrize("one", fields(Settings), ids=lambda one: one.name)
def test_each_setting_can_come_as_text(tmp_path: Path, one: Field[object]) -> None:
    texts = one.default if isinstance(one.default, tuple) else (one.default,)
    text = ",".join(str(value).lower() if value is False else str(value) for value in texts)
    variable = f"KHAZRI_{one.name.upper()}"
    assert load(tmp_path / "none", {variable: text}) == Settings()
    assert load(tmp_path / "none", given=[f"{one.name}={text}"]) == Settings()


def test_a_list_comes_with_commas_or_as_toml_has_it(tmp_path: Path) -> None:
    for text in ("a.example, b.example", '["a.example", "b.example"]'):
        assert load(tmp_path / "none", {"KHAZRI_NAMES": text}).names == ("a.example", "b.example")


@pytest.mark.parametrize(
    ("environment", "given", "said"),
    [
        ({"KHAZRI_PORT": "high"}, [], "KHAZRI_PORT: 'port' must be a whole number"),
        ({}, ["port=high"], "--set: 'port' must be a whole number"),
        ({}, ["prot=1"], "--set: there is no setting 'prot'. Did you mean 'port'"),
        ({}, ["port"], "--set port: write a name and a value"),
        ({"KHAZRI_LOG_QUESTIONS": "maybe"}, [], "'log_questions' must be true or false"),
    ],
)
def test_what_is_wrong_says_where_it_came_from(
    tmp_path: Path, environment: dict[str, str], given: list[str], said: str
) -> None:
    with pytest.raises(KhazriError, match=said):
        load(tmp_path / "none", environment, given)
