"""Settings: what a person may choose for a home, in its ``khazri.toml``."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from index.embeddings import DEFAULT_MODEL
from index.errors import KhazriError


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


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a home, each with its default."""

    model: str = _text(DEFAULT_MODEL)  # a sentence-transformers model: a folder, or on the hub
    fusion: Literal["convex", "reciprocal"] = _text("convex", "reciprocal")
    semantic_weight: float = _number(0.8, 0, 1)  # of the semantic leg in the convex fusion
    reader: str = _text("default")  # "none", or a question-answering model: a folder, on the hub
    read: int = _number(5, 1, 50)  # passages that the reader reads for a question
    threshold: float = _number(0.6, 0, 1)  # at least this likely, and an answer is given
    host: str = _text("127.0.0.1")
    port: int = _number(8000, 0, 65535)
    watch_interval: float = _number(60.0, 1)  # seconds between looks where no event comes
    watch_settle: float = _number(2.0, 0)  # seconds that a file must rest before it is read
    deletion_share: float = _number(0.5, 0, 1)  # of a source, that may be gone at once


def load(path: Path) -> Settings:
    """Read a settings file; where there is none, everything is as by default.

    Raises ``KhazriError``, which names the setting at fault and what is expected.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Settings()
    except OSError as error:
        raise KhazriError(f"{path} can't be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise KhazriError(f"{path} is not TOML: {error}.") from error
    return parse(values, str(path))


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
        chosen[name] = float(value) if isinstance(default, float) else value
    return Settings(**chosen)


def _fits(value: Any, default: Any, rule: Mapping[str, Any]) -> bool:
    if "choices" in rule:
        return value in rule["choices"]
    if isinstance(default, str):
        return isinstance(value, str) and bool(value.strip())
    kinds = int if isinstance(default, int) else (int, float)
    if not isinstance(value, kinds) or isinstance(value, bool):
        return False
    return bool(rule["least"] <= value and (rule["most"] is None or value <= rule["most"]))
