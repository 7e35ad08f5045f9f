"""Documents in several languages side by side: each is searched as its own is."""

from __future__ import annotations

import pytest
from conftest import commit, drafted

from index.store import Store
from search.engine import Engine
from search.fusion import FOREIGN, SEMANTIC, convex
from search.results import Found


def uris(found: Found) -> list[str]:
    return [result.passage.document.uri for result in found.results]


MIXED = {
    "en": ("en", "The houses by the harbour were built for the dockers."),
    "de": ("de", "Die Häuser am Hafen wurden für die Hafenarbeiter gebaut."),
    "zh": ("zh", "孩子们在花园里玩耍，老师在北京大学教书。"),
    "ja": ("ja", "東京の港は新しい橋で結ばれています。"),
    "ar": ("ar", "بنيت المنازل القريبة من الميناء للعمال في العام الماضي."),
    "hi": ("hi", "बंदरगाह के पास के मकान मजदूरों के लिए बनाए गए थे।"),
    "fi": ("fi", "Laivat lähtevät satamasta joka aamu."),
}


@pytest.fixture
def mixed(store: Store, engine: Engine) -> Engine:
    """A collection in seven languages."""
    commit(store, *(drafted(uri, text, language=lang) for uri, (lang, text) in MIXED.items()))
    return engine


@pytest.mark.parametrize(
    ("query", "uri"),
    [
        ("house", "en"),
        ("Haus", "de"),
        ("gebaute", "de"),
        ("花园", "zh"),
        ("北京大学", "zh"),
        ('"花园里玩耍"', "zh"),
        ("東京の橋", "ja"),
        ("منازل", "ar"),
        ("मकान", "hi"),
        ("lähteä lähtevät", "fi"),
        ('"am Hafen wurden"', "de"),
    ],
)
def test_words_are_found_in_the_language_of_their_document(
    mixed: Engine, query: str, uri: str
) -> None:
    found = mixed.search(query, mode="keyword")
    assert uris(found)[0] == uri
    assert not found.notes
    for matched in found.results[0].why.terms:
        assert matched.word in query


def test_a_word_is_excluded_in_every_language(mixed: Engine) -> None:
    assert "de" not in uris(mixed.search("Hafen -Haus", mode="keyword"))


def test_what_the_model_has_not_learnt_is_found_by_words(
    mixed: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = "Wo wurden die Häuser am Hafen gebaut?"
    weights = []
    monkeypatch.setattr(
        "search.engine.convex", lambda b, c, w: weights.append(w) or convex(b, c, w)
    )
    mixed.search(question)
    monkeypatch.setattr(mixed.encoder, "speaks", lambda language: language == "en", raising=False)
    mixed.search(question)
    assert weights == [SEMANTIC, FOREIGN]
