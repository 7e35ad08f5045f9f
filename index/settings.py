"""Settings: what a person may choose for a home.

What a command is given with ``--set`` goes before the environment (``KHAZRI_PORT``), and that
before the home's ``khazri.toml``. docs/running.md tells them all.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from index.embeddings import DEFAULT_MODEL
from index.errors import KhazriError

PREFIX = "KHAZRI_"  # of the environment's variables


def _text(default: str, *others: str) -> Any:
    """A text; where ``others`` are given, the default or one of them."""
    if not others:
        return field(default=default, metadata={"expected": "text"})
    choices = (default, *others)
    expected = " or ".join(f'"{choice}"' for choice in choices)
    return field(default=default, metadata={"expected": expected, "choices": choices})


def _number(default: float, least: float, most: float | None = None) -> Any:
    """A number of the type of ``default``, from ``least`` on, and up to ``most`` where given."""
    kind = "a whole number" if isinstance(default, int) else "a number"
    bounds = f"of at least {least:g}" if most is None else f"from {least:g} to {most:g}"
    return field(
        default=default,
        metadata={"expected": f"{kind} {bounds}", "least": least, "most": most},
    )


def _list() -> Any:
    """A list of texts, empty by default."""
    return field(default=(), metadata={"expected": "a list of texts"})


def _switch() -> Any:
    """Off by default."""
    return field(default=False, metadata={"expected": "true or false"})


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a home, each with its default."""

    model: str = _text(DEFAULT_MODEL)  # a sentence-transformers model: a folder, or on the hub
    fusion: Literal["convex", "reciprocal"] = _text("convex", "reciprocal")
    semantic_weight: float = _number(0.8, 0, 1)  # of the semantic leg in the convex fusion
    reader: str = _text("default")  # "none", or a question-answering model: a folder, on the hub
    read: int = _number(5, 1, 50)  # passages that the reader reads at a time
    threshold: float = _number(0.6, 0, 1)  # at least this likely, and an answer is given
    cache: int = _number(500, 0, 100_000)  # replies that are kept while nothing changes
    host: str = _text("127.0.0.1")
    port: int = _number(8000, 0, 65535)
    names: tuple[str, ...] = _list()  # by which others reach the service, as behind a proxy
    proxies: int = _number(0, 0, 10)  # in front, whose X-Forwarded headers are believed
    auth: Literal["auto", "keys", "none"] = _text("auto", "keys", "none")
    cors_origins: tuple[str, ...] = _list()  # whose pages may ask, with a key
    rate: int = _number(1200, 0)  # requests a minute for each key or address; 0: no limit
    max_upload: int = _number(64, 1, 2048)  # megabytes in one request
    max_files: int = _number(1000, 1, 100_000)  # in one request
    max_jobs: int = _number(20, 1, 10_000)  # that may wait
    max_requests: int = _number(64, 1, 1000)  # in hand at once; more are sent away
    request_seconds: float = _number(30.0, 0.1)  # that one request may take
    log_format: Literal["text", "json"] = _text("text", "json")
    log_questions: bool = _switch()
    watch_interval: float = _number(60.0, 1)  # seconds between looks where no event comes
    watch_settle: float = _number(2.0, 0)  # seconds that a file must rest before it is read
    deletion_share: float = _number(0.5, 0, 1)  # of a source, that may be gone at once


def load(
    path: Path, environment: Mapping[str, str] | None = None, given: Sequence[str] = ()
) -> Settings:
    """The settings of a file, of the environment, and those ``given`` as ``name=value``.

    The later go before the earlier; what none of them names is as by default. Raises
    ``KhazriError``, which names the setting at fault and what is expected.
    """
    values = _file(path)
    parse(values, str(path))
    names = [one.name for one in fields(Settings)]
    variables = {f"{PREFIX}{name.upper()}": name for name in names}
    told = {v: text for v, text in (environment or {}).items() if v in variables}
    for variable, text in told.items():
        values |= _one(variables[variable], text, variable)
    for one in given:
        name, equals, text = (part.strip() for part in one.partition("="))
        if not equals:
            raise KhazriError(f"--set {one}: write a name and a value, such as port=8001.")
        values |= _one(name, text, "--set")
    return parse(values, str(path))


def _file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise KhazriError(f"{path} can't be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise KhazriError(f"{path} is not TOML: {error}.") from error


def _one(name: str, text: str, origin: str) -> dict[str, Any]:
    """One setting whose value came as text: as TOML has it, or plain."""
    value = typed(name, text)
    parse({name: value}, origin)
    return {name: value}


def typed(name: str, text: str) -> Any:
    """The value of a setting that came as text; lists may be written with commas alone."""
    try:
        ((_, value),) = tomllib.loads(f"value = {text}").items()
    except ValueError:
        value = text
    default = next((one.default for one in fields(Settings) if one.name == name), None)
    if isinstance(default, str) and not isinstance(value, str):
        return text  # a host or a model may look like a number
    if default == () and isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def parse(values: Mapping[str, Any], origin: str) -> Settings:
    """Settings from plain values, which came from ``origin``. Raises ``KhazriError``."""
    known = {one.name: one for one in fields(Settings)}
    chosen: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            near = get_close_matches(name, known, 1, cutoff=0)[0]
            raise KhazriError(f"{origin}: there is no setting '{name}'. Did you mean '{near}'?")
        default, rule = known[name].default, known[name].metadata
        if not _fits(value, default, rule):
            shown = json.dumps(value, ensure_ascii=False, default=str)
            raise KhazriError(f"{origin}: '{name}' must be {rule['expected']}, not {shown}.")
        # The type is that of the default: whole numbers pass for others, and lists for tuples.
        kind: Callable[[Any], Any] = type(default)
        chosen[name] = kind(value)
    return Settings(**chosen)


def _fits(value: Any, default: Any, rule: Mapping[str, Any]) -> bool:
    if "choices" in rule:
        return value in rule["choices"]
    if isinstance(default, str):
        return isinstance(value, str) and bool(value.strip())
    if isinstance(default, tuple):
        texts = isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value)
        return texts and all(one.strip() for one in value)
    if isinstance(default, bool):
        return isinstance(value, bool)
    kinds = int if isinstance(default, int) else (int, float)
    if not isinstance(value, kinds) or isinstance(value, bool):
        return False
    return bool(rule["least"] <= value and (rule["most"] is None or value <= rule["most"]))
