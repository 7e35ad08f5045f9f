"""Where sentences begin and end."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from index import sentences as module
from index.sentences import sentences


def parts(text: str, language: str | None = None) -> list[str]:
    return [text[start:end] for start, end in sentences(text, language)]


def test_sentences_are_told_apart() -> None:
    assert parts("The line opened. It cost 1.24 billion crowns! Why?") == [
        "The line opened.",
        "It cost 1.24 billion crowns!",
        "Why?",
    ]


def test_an_abbreviation_ends_no_sentence() -> None:
    assert parts("Dr. Torrin runs the service. He is not amused.") == [
        "Dr. Torrin runs the service.",
        "He is not amused.",
    ]


@pytest.mark.parametrize("language", ["de", "en-GB", "az", "zz", "x-klingon", None])
def test_any_language_gives_sentences(language: str | None) -> None:
    text = "Eins zwei drei. Vier fünf sechs."
    assert "".join(parts(text, language)).replace(" ", "") == text.replace(" ", "")


@given(st.text(st.characters(exclude_categories=["Cs"])))
@example("Fine 😀 day. Another 𝒜 one.\n\n  Last…")
@example(" \n\t ")
@example("e\u0301. É! \u2028 x")
@example("A\u3000.汉’.-B?")
@example("Monsieur A\u00a0.\u00a0B est là. Oui.")
def test_outside_the_sentences_is_white_space(text: str) -> None:
    end = 0
    for start, stop in sentences(text):
        assert end <= start < stop <= len(text)
        assert not text[end:start].strip()
        assert text[start:stop] == text[start:stop].strip()
        end = stop
    assert not text[end:].strip()


class PanicException(BaseException):
    """As Rust's panics come to Python."""


def test_a_panic_costs_the_boundaries_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def panic(language: str, text: str) -> None:
        raise PanicException("end byte index 3 is not a char boundary")

    monkeypatch.setattr(module.sentencex, "get_sentence_boundaries", panic)
    assert parts("One. Two.\n\nThree.") == ["One. Two.", "Three."]
