"""Documents become passages: nothing is lost, nothing is too long, nothing stands alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import SAMPLES
from hypothesis import example, given, settings
from hypothesis import strategies as st

from index.embeddings import Encoder
from index.paragraphs import SHORT, Measure, split
from index.readers import read
from index.readers.blocks import Piece, assemble
from index.sentences import sentences
from index.values import Block, Content, Span

LONG = " ".join(f"word{n}" for n in range(SHORT + 5))  # long enough to stand alone


def by_words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def by_letters(texts: Sequence[str]) -> list[int]:
    return [sum(-(-len(word) // 4) for word in text.split()) for text in texts]


def passages(content: Content, limit: int = 60, measure: Measure = by_words) -> list[str]:
    spans = split(content.text, content.blocks, measure, limit)
    return [content.text[span.start : span.end] for span in spans]


def document(*pieces: Piece | str) -> Content:
    return assemble("text", [Piece(p) if isinstance(p, str) else p for p in pieces])


def heading(text: str, level: int = 1) -> Piece:
    return Piece(text, "heading", level)


def check(content: Content, spans: Sequence[Span], measure: Measure, limit: int) -> None:
    """The invariants of every document that was split."""
    end = 0
    for span in spans:
        assert end <= span.start < span.end <= len(content.text)
        assert not content.text[end : span.start].strip(), "text outside the passages"
        piece = content.text[span.start : span.end]
        assert piece == piece.strip()
        one_word = len(piece.split()) == 1
        assert one_word or sum(measure(piece.split())) <= limit, "a passage over the limit"
        end = span.end
    assert not content.text[end:].strip(), "text after the last passage"
    between = {b.start + end for b in content.blocks for _, end in sentences(_text(content, b))}
    for one, other in pairwise(spans):
        if one.end == other.start and one.end not in between:
            word = _word_around(content.text, one.end)
            assert measure([word])[0] > limit, f"{word!r} fits, and was cut"


def _text(content: Content, block: Block) -> str:
    return content.text[block.start : block.end]


def _word_around(text: str, at: int) -> str:
    return text[:at].rpartition(" ")[2].split()[-1] + text[at:].split()[0]


# --- Any document ----------------------------------------------------------------------------

letters = st.characters(exclude_categories=["Cs", "Cc"])
sentence = st.lists(st.text(letters, min_size=1, max_size=12), min_size=1, max_size=30)
prose = st.lists(sentence.map(" ".join), min_size=1, max_size=6).map(". ".join)
anything = st.one_of(prose, prose, st.text(max_size=80), st.text("ab \n\t\u00a0", max_size=200))


def documents_of(
    texts: st.SearchStrategy[str], levels: int, pages: Sequence[int | None], most: int
) -> st.SearchStrategy[Content]:
    """Documents of at most so many pieces: headings of some levels, and others on some pages."""
    kinds = st.sampled_from(["paragraph", "item", "row"])
    pieces = st.one_of(
        st.builds(Piece, texts, st.just("heading"), st.integers(1, levels)),
        st.builds(Piece, texts, kinds, st.just(0), st.sampled_from(pages)),
    )
    listed = st.lists(pieces, max_size=most)
    return listed.map(lambda pieces: assemble("text", [*pieces, Piece("end")]))


documents = documents_of(anything, 6, [None, None, 1, 2], 12)


@given(documents, st.integers(2, 60), st.sampled_from([by_words, by_letters]))
@example(document("one two three\nfour five six seven\n\neight nine"), 3, by_words)
@example(document("one\ttwo\tthree\tfour\tfive\tsix"), 3, by_words)
@example(document("a" * 60 + " b b b"), 16, by_letters)
@example(document("b b b " + "a" * 60), 16, by_letters)
@example(document("a" * 500), 16, by_letters)
def test_nothing_is_lost_and_nothing_is_too_long(
    content: Content, limit: int, measure: Measure
) -> None:
    check(content, split(content.text, content.blocks, measure, limit), measure, limit)


@settings(max_examples=25)
@given(documents, st.sampled_from([8, 40]))
@example(document("汉字" * 100), 8)
@example(document("supercalifragilistic" * 30), 8)
@example(document("https://example.org/" + "a1-b2_c3/" * 60), 8)
@example(document("😀 " * 90), 8)
def test_the_real_tokenizer_loses_nothing_either(
    encoder: Encoder, content: Content, limit: int
) -> None:
    spans = split(content.text, content.blocks, encoder.measure, limit)
    check(content, spans, encoder.measure, limit)
    for span in spans:
        piece = content.text[span.start : span.end]
        # Parts that were cut inside a word may be a token or so longer together than apart.
        assert len(piece) == 1 or encoder.measure([piece])[0] <= 1.25 * limit


@pytest.mark.parametrize("path", sorted(SAMPLES.iterdir()), ids=lambda path: path.name)
@pytest.mark.parametrize("limit", [20, 60, 200])
def test_the_sample_documents(encoder: Encoder, path: Path, limit: int) -> None:
    content = read(path.read_bytes(), path.name)
    spans = split(content.text, content.blocks, encoder.measure, limit, content.language)
    check(content, spans, encoder.measure, limit)
    for span in spans:
        assert encoder.measure([content.text[span.start : span.end]])[0] <= limit
    if limit == 200:
        short = [s for s in spans if encoder.measure([content.text[s.start : s.end]])[0] < SHORT]
        assert len(short) <= 0.1 * len(spans)


# --- What belongs together -------------------------------------------------------------------


def test_paragraphs_stand_apart() -> None:
    assert passages(document(LONG, LONG)) == [LONG, LONG]


def test_a_heading_stays_with_what_it_heads() -> None:
    content = document(heading("Herring"), LONG, heading("Quota", 2), LONG)
    assert passages(content) == [f"Herring\n\n{LONG}", f"Quota\n\n{LONG}"]


def test_headings_above_each_other_stay_together() -> None:
    content = document(heading("Herring"), heading("Quota", 2), heading("Nets", 3), LONG)
    assert passages(content) == [f"Herring\n\nQuota\n\nNets\n\n{LONG}"]


def test_a_heading_at_the_end_is_not_lost() -> None:
    assert passages(document(LONG, heading("The end"))) == [LONG, "The end"]


def test_a_short_line_stays_with_what_it_follows() -> None:
    assert passages(document(LONG, "A note.", LONG)) == [f"{LONG}\n\nA note.", LONG]


def test_a_short_line_at_the_start_stays_with_what_comes() -> None:
    assert passages(document("By our reporter", LONG)) == [f"By our reporter\n\n{LONG}"]


@pytest.mark.parametrize("kind", ["item", "row"])
def test_a_list_stays_with_the_line_before_it(kind: str) -> None:
    lines = [Piece(f"{n} {LONG}", kind) for n in "ab"]
    whole = f"{LONG}\n\na {LONG}\nb {LONG}"
    assert passages(document(LONG, *lines), 100) == [whole]


def test_a_list_that_is_too_long_is_cut_between_its_lines() -> None:
    lines = [Piece(f"{n} {LONG}", "item") for n in "abcd"]
    assert passages(document(*lines), 60) == [
        f"a {LONG}\nb {LONG}",
        f"c {LONG}\nd {LONG}",
    ]


def test_pages_are_not_mixed_and_are_told() -> None:
    content = document(Piece("Short.", page=1), Piece("Also short.", page=2))
    spans = split(content.text, content.blocks, by_words, 60)
    assert [span.page for span in spans] == [1, 2]


def test_a_heading_at_the_foot_of_a_page_goes_with_the_next() -> None:
    content = document(Piece("Results", "heading", 1, 1), Piece(LONG, page=2))
    (span,) = split(content.text, content.blocks, by_words, 60)
    assert (span.start, span.end, span.page) == (0, len(content.text), 2)


def test_a_passage_knows_the_path_of_its_headings() -> None:
    content = document(
        heading("A"), LONG, heading("B", 2), LONG, LONG, heading("C", 2), LONG, heading("D"), LONG
    )
    spans = split(content.text, content.blocks, by_words, 60)
    assert [span.heading for span in spans] == ["A", "A › B", "A › B", "A › C", "D"]


def test_a_heading_over_several_lines_is_named_on_one() -> None:
    content = document(heading("The  long\nname"), LONG)
    assert split(content.text, content.blocks, by_words, 60)[0].heading == "The long name"


# --- Too long --------------------------------------------------------------------------------


def test_a_long_paragraph_is_cut_between_sentences_into_like_parts() -> None:
    sentences = [f"Sentence number {n} has six words." for n in range(12)]
    parts = passages(document(" ".join(sentences)), 40)
    assert parts == [" ".join(sentences[:6]), " ".join(sentences[6:])]


def test_a_long_sentence_is_cut_between_words() -> None:
    listed = [f"w{n}" for n in range(100)]
    parts = passages(document(" ".join(listed)), 30)
    assert [word for part in parts for word in part.split()] == listed
    assert max(by_words(parts)) <= 30
    assert min(by_words(parts)) >= 10


def test_no_document_takes_long() -> None:
    """A line of a million letters is cut in halves, not letter by letter."""
    content = document("a" * 200_000)
    assert "".join(passages(content, 100, by_letters)) == content.text
