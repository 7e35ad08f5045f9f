"""Results with the reasons for their place."""

from __future__ import annotations

from collections.abc import Mapping

from index.keyword import asked
from index.snapshot import Snapshot
from search.quotes import most_shared
from search.ranked import Ranked
from search.reader import UNREAD
from search.results import Matched, Result, Why


def explain(snapshot: Snapshot, text: str, ranked: Ranked, offset: int, limit: int) -> list[Result]:
    """One page of results, each with the reasons for its place."""
    ids = ranked.ids[offset : offset + limit]
    scores = dict(zip(ids, ranked.scores[offset : offset + limit], strict=True))
    found_by = asked(text, snapshot.languages)
    spoken = {word.term: text[word.start : word.end] for word in reversed(found_by)}
    kept = tuple(dict.fromkeys(word.term for word in found_by))
    weights = dict(zip(ids, snapshot.keyword_weights(kept, ids), strict=True))
    read = {r.passage.id: r.score for r in ranked.readings if r.score > UNREAD}
    found = []
    for passage in snapshot.fetch(ids):
        held = {t: float(w) for t, w in zip(kept, weights[passage.id], strict=True) if w > 0}
        why = Why(
            ranked.keyword.rank(passage.id),
            ranked.semantic.rank(passage.id),
            _matched(spoken, held),
            most_shared(passage, held) if held else None,
            read.get(passage.id),
        )
        found.append(Result(passage, scores[passage.id], why))
    return found


def _matched(spoken: Mapping[str, str], held: Mapping[str, float]) -> tuple[Matched, ...]:
    """The words that a passage holds; one that several languages stem otherwise counts once."""
    weights: dict[str, float] = {}
    for term, weight in held.items():
        word = spoken[term]
        weights[word] = max(weight, weights.get(word, 0.0))
    return tuple(Matched(word, weight) for word, weight in weights.items())
