"""Evaluation: the file of judgements, the figures, the comparison, the tuning, the command."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from clients import small_home
from conftest import CheapEncoder

import khazri
from index.errors import KhazriError
from index.settings import Settings
from index.values import Document, Passage
from search import results
from search.comparison import FEWEST, changed, compare
from search.engine import Engine
from search.evaluation import evaluate, failures, figures
from search.judgements import Judgement, names
from search.results import Answer, Citation, Found, Why
from search.tuning import Tuning, Untuned, tune
from web.commands import asking

# Asking, over an engine that says what it is told to ------------------------------------------


def passage(document: int, id: int, text: str = "") -> Passage:
    held = Document(
        document, "s", f"/docs/{document}.md", f"Title {document}", "text", None, None, (), ""
    )
    return Passage(id, held, 0, len(text), text, "", None)


@dataclass
class Scripted:
    """Stands in for an engine: for each question a ranking, and how sure the answer is.

    ``otherwise`` is the ranking where the semantic weight is above 0.
    """

    ranking: dict[str, Sequence[Passage]]
    sure: dict[str, float] = field(default_factory=dict)
    otherwise: dict[str, Sequence[Passage]] = field(default_factory=dict)
    fusion: str = "convex"
    weight: float = 0.8
    threshold: float = 0.5

    def search(self, question: str, *, filter: str, limit: int, read: bool = False) -> Found:
        ranked = (self.otherwise if self.weight else {}).get(question, self.ranking[question])
        told = tuple(results.Result(one, 0.0, Why(None, None, ())) for one in ranked[:limit])
        return Found(question, "hybrid", "relevance", 9, limit, 0, told, (), 1, 0.0)

    def answer(self, question: str, *, filter: str) -> Answer:
        sure = self.sure.get(question, 0.9)
        cited = [
            Citation(1, one, one.start, one.end, one.text) for one in self.ranking[question][:1]
        ]
        if sure < self.threshold:
            cited = []
        return Answer(question, bool(cited), "", tuple(cited), (), "", sure, (), 1, 0.0)


def test_a_document_has_four_names() -> None:
    document = passage(7, 1).document
    assert all(names(name, document) for name in ("/docs/7.md", "7.md", "Title 7", "7"))
    assert not any(names(name, document) for name in ("docs", "Title", "77", ""))


def test_a_document_counts_at_its_best_passage() -> None:
    ranked = [passage(1, 1), passage(1, 2), passage(2, 3), passage(2, 4), passage(3, 5)]
    wanted = Judgement("q", ("2.md", "Title 3"))
    (outcome,) = evaluate(Scripted({"q": ranked}), [wanted])
    assert outcome.hits == (False, True, True)
    ideal = 1 + 1 / math.log2(3)
    assert outcome.ndcg == pytest.approx((1 / math.log2(3) + 1 / math.log2(4)) / ideal)


def test_passages_are_right_that_hold_the_text_or_else_the_answer() -> None:
    ranked = [passage(1, 1, "one"), passage(1, 2, "Two  birds"), passage(2, 3, "two birds")]
    engine = Scripted({"q": ranked})
    for judged in (Judgement("q", passage="two birds"), Judgement("q", answers=("2", "birds"))):
        (outcome,) = evaluate(engine, [judged])
        assert outcome.hits == (False, True, False)


def test_the_figures_are_those_of_the_questions_that_they_are_about() -> None:
    ranking = {
        "right": [passage(1, 1, "47 otters")],
        "beside": [passage(1, 1, "47 otters"), passage(2, 2, "a bridge")],
        "silent": [passage(1, 1, "47 otters")],
        "trap": [passage(1, 1, "47 otters")],
        "far": [passage(2, 2, "a bridge")],
    }
    sure = {"right": 0.95, "beside": 0.75, "silent": 0.25, "trap": 0.85, "far": 0.05}
    outcomes = evaluate(
        Scripted(ranking, sure),
        [
            Judgement("right", answers=("47",)),
            Judgement("beside", ("2.md",), answers=("bridge",)),
            Judgement("silent", ("1",)),
            Judgement("trap", found=False),
            Judgement("far", found=False),
        ],
    )
    told = figures(outcomes)
    assert told.pop("calibration error") == pytest.approx(
        (0.05 + 0.25 + 0.75 + 0.85 + 0.05) / 5  # each alone in its bin
    )
    assert told == {
        "nDCG@10": pytest.approx((1 + 1 / math.log2(3) + 1) / 3),
        "success@1": pytest.approx(2 / 3),
        "success@5": 1,
        "answer in quote": 1 / 2,
        "answered": pytest.approx(2 / 3),
        "refused": 1 / 2,
        "AUC": pytest.approx(4 / 6),
    }
    assert [(one.judgement.question, one.fault) for one in failures(outcomes)] == [
        ("trap", "answered, and nothing should be found"),
        ("beside", "something else is quoted"),
        ("silent", "not answered"),
    ]


def test_a_figure_without_a_question_is_none() -> None:
    outcomes = evaluate(Scripted({"q": []}, {"q": 0.1}), [Judgement("q", found=False)])
    told = figures(outcomes)
    assert told["refused"] == 1
    assert {name for name, value in told.items() if math.isnan(value)} == {
        "nDCG@10",
        "success@1",
        "success@5",
        "answer in quote",
        "answered",
        "AUC",
    }
    assert not any(one.real for one in compare(outcomes, outcomes).values())


# Comparing -----------------------------------------------------------------------------------


def many(count: int) -> list[Judgement]:
    return [Judgement(f"q{n}", ("1.md",)) for n in range(count)]


def ranked(judged: Sequence[Judgement], *documents: int) -> dict[str, Sequence[Passage]]:
    return {one.question: [passage(n, n, "text") for n in documents] for one in judged}


def test_identical_settings_differ_by_noise_alone() -> None:
    judged = many(20) + [Judgement(f"none{n}", found=False) for n in range(5)]
    chances = {one.question: n / 25 for n, one in enumerate(judged)}
    outcomes = evaluate(Scripted(ranked(judged, 2, 1), chances), judged)
    for one in compare(outcomes, outcomes).values():
        assert not one.real
        assert (one.value, one.low, one.high) == (0, 0, 0) or one.questions == 0


def test_what_is_better_for_every_question_is_more_than_noise() -> None:
    judged = many(FEWEST)
    first = evaluate(Scripted(ranked(judged, 2, 1)), judged)
    second = evaluate(Scripted(ranked(judged, 1, 2)), judged)
    told = compare(first, second)["nDCG@10"]
    assert told.real
    assert told.value == pytest.approx(1 - 1 / math.log2(3))
    assert not compare(first[1:], second[1:])["nDCG@10"].real  # too few to say so


def test_a_single_better_question_is_noise() -> None:
    judged = many(20)
    rankings = ranked(judged, 2, 1)
    first = evaluate(Scripted(rankings), judged)
    second = evaluate(Scripted(rankings | ranked(judged[:1], 1, 2)), judged)
    told = compare(first, second)["success@1"]
    assert told.value == pytest.approx(1 / 20)
    assert not told.real


def test_settings_of_search_are_changed_and_no_others() -> None:
    base = Settings(port=9000)
    other = changed(base, ["semantic_weight=0.5", "fusion = 'reciprocal'", "reader=none", "read=3"])
    assert other == replace(base, semantic_weight=0.5, fusion="reciprocal", reader="none", read=3)
    for wrong, said in (
        ("port=80", "'port=80' changes no setting of search"),
        ("semantic_weight", "'semantic_weight' must be a number"),
        ("semantic_weight=2", "'semantic_weight' must be a number from 0 to 1, not 2"),
        ("fusion=sum", "'fusion' must be"),
        ("read=5\nport=80", "'read' must be"),
    ):
        with pytest.raises(KhazriError) as raised:
            changed(base, [wrong])
        assert said in str(raised.value), wrong


# Tuning --------------------------------------------------------------------------------------


def tuned(engine: Scripted, judged: Sequence[Judgement]) -> dict[str, Tuning | Untuned]:
    told = tune(engine, evaluate(engine, judged), Settings(fusion=engine.fusion))
    return {one.setting: one for one in told}


def test_a_weight_that_is_clearly_better_is_proposed() -> None:
    judged = many(15)
    engine = Scripted(ranked(judged, 1, 2), otherwise=ranked(judged, 2, 1))
    told = tuned(engine, judged)["semantic_weight"]
    assert told.better
    assert told.lines == ("semantic_weight = 0",)
    assert (told.before, told.after) == (pytest.approx(1 / math.log2(3)), 1)
    assert (engine.fusion, engine.weight) == ("convex", 0.8)  # left as it was
    engine.fusion = "reciprocal"
    told = tuned(engine, judged)["semantic_weight"]
    assert told.lines == ('fusion = "convex"', "semantic_weight = 0")


def test_nothing_is_proposed_where_nothing_differs() -> None:
    judged = many(15) + [Judgement(f"none{n}", found=False) for n in range(6)]
    sure = {one.question: 0.9 if one.found else 0.1 for one in judged}
    for told in tuned(Scripted(ranked(judged, 2, 1), sure), judged).values():
        assert (told.better, told.proposed, told.gain.value) == (False, None, 0)


def test_nothing_is_proposed_for_what_one_question_gains() -> None:
    judged = many(15)
    engine = Scripted(ranked(judged, 2, 1), otherwise=ranked(judged[1:], 2, 1))
    engine.ranking |= ranked(judged[:1], 1, 2)
    engine.otherwise |= ranked(judged[:1], 2, 1)
    told = tuned(engine, judged)["semantic_weight"]
    assert told.proposed == 0
    assert not told.better


def test_a_threshold_is_set_between_what_should_and_should_not_be_answered() -> None:
    judged = many(20) + [Judgement(f"none{n}", found=False) for n in range(20)]
    sure = {one.question: 0.3 if one.found else 0.1 for one in judged}
    told = tuned(Scripted(ranked(judged, 1), sure), judged)["threshold"]
    assert told.better
    assert 0.1 < told.proposed <= 0.3
    assert (told.before, told.after) == (0.5, 1)
    assert told.lines == (f"threshold = {told.proposed:g}",)


def test_too_few_questions_are_told_of() -> None:
    judged = many(9)
    engine = Scripted(ranked(judged, 1))
    with pytest.raises(KhazriError, match="at least 10 questions; the file holds 9"):
        tuned(engine, judged)
    judged = [*many(9), Judgement("none", found=False)]
    told = tuned(Scripted(ranked(judged, 1)), judged)
    assert told["semantic_weight"].reason.endswith("something to be found; there are 9")
    assert told["threshold"].reason.endswith("there are 9 and 1")


# The command ---------------------------------------------------------------------------------

OTTERS = "How many otters did the wardens count in the Reed Lake?"


@pytest.fixture
def evaluated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run ``khazri eval`` over three small documents and a file of these lines."""
    cheap = CheapEncoder()
    with small_home(tmp_path, cheap):
        pass

    def engine_over(home: object, settings: Settings | None = None) -> Engine:
        chosen = settings or home.settings
        return Engine(
            home.store,
            cheap,
            chosen.fusion,
            chosen.semantic_weight,
            threshold=chosen.threshold,
        )

    monkeypatch.setattr(asking, "engine_over", engine_over)

    def running(lines: Sequence[object], *arguments: str) -> Result:
        path = tmp_path / "asked.jsonl"
        path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        command = ["--home", str(tmp_path / "home"), "eval", str(path), *arguments]
        told = CliRunner().invoke(khazri.main, command)
        assert told.exception is None or isinstance(told.exception, SystemExit), told.exception
        return told

    return running


LINES = [
    {"question": OTTERS, "document": "otters", "answer": ["47", "forty-seven"]},
    {"question": "Who sang in the granary?", "answer": "The town choir"},
    {"question": "What does a zebra weigh on Mars?", "found": False},
]


def test_the_command_prints_figures_and_failures(evaluated: Callable[..., Result]) -> None:
    told = evaluated(LINES)
    assert told.exit_code == 0, told.output
    assert "3 questions: 2 to be found, 1 not" in told.stdout
    rows = dict(line.rsplit(maxsplit=1) for line in told.stdout.splitlines()[2:10])
    assert rows["nDCG@10"] == "1.000"
    assert rows["refused"] == "1.000"
    refusing = evaluated(LINES[:2], "--against", "threshold=1").stdout
    assert "too few questions to tell (2)" in refusing
    assert "AUC                         –          –          –" in refusing
    (row,) = [line for line in refusing.splitlines() if line.startswith("answered")]
    assert row.split()[2] == "0.000"


def test_the_command_prints_one_json_object(evaluated: Callable[..., Result]) -> None:
    told = json.loads(evaluated(LINES, "--json", "--against", "semantic_weight=0").stdout)
    assert told["questions"] == 3
    assert told["figures"]["refused"] == {"value": 1.0, "questions": 1}
    assert told["against"]["nDCG@10"] is not None
    assert told["differences"]["nDCG@10"]["more_than_noise"] is False
    alone = json.loads(evaluated(LINES[2:], "--json").stdout)
    assert alone["figures"]["AUC"] == {"value": None, "questions": 1}
    assert alone["against"] is None


def test_a_failure_is_told_of_with_its_line(evaluated: Callable[..., Result]) -> None:
    wrong = {"question": OTTERS, "answer": "a thousand zebras"}
    told = evaluated([wrong, LINES[2]])
    assert f"line 1: {OTTERS}" in told.stdout
    assert "expected  “a thousand zebras”" in told.stdout
    assert "Failures" not in evaluated([wrong], "--failures", "0").stdout
    (failure,) = json.loads(evaluated([wrong], "--json").stdout)["failures"]
    assert (failure["line"], failure["expected"]) == (1, "“a thousand zebras”")


def test_the_command_tunes(evaluated: Callable[..., Result]) -> None:
    told = evaluated(LINES[:1] * 10 + LINES[2:] * 5, "--tune")
    assert told.exit_code == 0, told.output
    assert "The present setting stands." in told.stdout
    only = json.loads(evaluated(LINES[:1] * 10, "--tune", "--json").stdout)
    assert [sorted(one) for one in only["tuning"]][1] == ["reason", "setting"]
    few = evaluated(LINES, "--tune")
    assert few.exit_code == 1
    assert "at least 10 questions; the file holds 3" in few.stderr


def test_what_is_wrong_is_a_sentence(evaluated: Callable[..., Result]) -> None:
    told = evaluated([*LINES, {"question": "Who?"}])
    assert told.exit_code == 1
    assert "asked.jsonl, line 4: it does not say what should be found" in told.stderr
    told = evaluated(LINES, "--against", "semantic_weight=2")
    assert told.exit_code == 1
    assert "--against: 'semantic_weight' must be a number from 0 to 1" in told.stderr
    assert told.stdout == ""
