"""The reader: a small model that points at the answer in a passage, and says how sure it is.

Extractive reading after Devlin et al., "BERT" (2019), section 4.3: each token of the passage is
scored as the start and the end of the answer, and the first token of all as "no answer here".
The default is the embedded MiniLM with what ``tools/train_reader.py`` taught it, kept in
``reader.safetensors`` as differences from the installed weights.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from index.compute import compute, share
from index.embeddings import Encoder, half, precision, prepared
from index.errors import KhazriError
from index.values import Passage, embedding_text

DEFAULT_READER = "default"
ADAPTER = Path(__file__).parent / "reader.safetensors"
QUESTION = 48  # tokens that are read of a question
LONGEST = 320  # tokens of a question and a passage: what fits the default encoder is read whole
SPAN = 40  # tokens of an answer
ABOVE = 100  # characters of a title, and of a heading, that are read with a passage
UNREAD = -50.0  # log-odds of a passage in which there is nothing to read
STEP = 16  # tokens: of every other length PyTorch would keep code and memory of its own
EXIT = 4  # layers, after which the default guesses the log-odds that all of them would give
WORTH = -4.0  # where it guesses less, it reads no further; it costs no first place
HOPELESS = -10.0  # log-odds of a passage that was given up there
BATCH = 5  # passages at a time: measured quickest for those that are read by default

Logits = npt.NDArray[np.float32]


class Said(NamedTuple):
    """What a model says of a pair: how well each token starts and ends the answer, ``(tokens,)``.

    ``verdict`` as in a ``Reading``.
    """

    starts: Logits
    ends: Logits
    verdict: float | None = None


Scores = Callable[[Any, int], Sequence[Said | None]]  # None for pairs not worth reading on


@dataclass(frozen=True, slots=True)
class Reading:
    """Where a passage answers a question best: offsets into its document.

    ``score`` is the log-odds of the span against "no answer here": above 0 it sooner answers.
    ``verdict`` is the log-odds that the passage answers just what is asked, and not nearly that,
    by another look at what stands in the network; None where the model has learnt no such look.
    """

    passage: Passage
    start: int
    end: int
    score: float
    verdict: float | None = None

    @property
    def text(self) -> str:
        """The answer, word for word."""
        return self.passage.text[self.start - self.passage.start : self.end - self.passage.start]


class Reader:
    """A question-answering model. It is loaded at first use, once, from any thread."""

    def __init__(self, name: str = DEFAULT_READER, fold: int | None = None) -> None:
        """``name``: the trained default, a folder, or a model of the hub (may download it).

        With a ``fold`` the verdict of the default was not fitted on the articles of that one: for
        figures of these articles.
        """
        self.name = name
        self.fold = fold
        self._lock = threading.Lock()

    def reads(self, language: str | None) -> bool:
        """Whether it was made for a language; the default has learnt English alone."""
        return self.name != DEFAULT_READER or (language or "en").lower().startswith("en")

    def load(self) -> None:
        """Load the model now rather than at the first question."""
        _ = self._network

    @cached_property
    def _network(self) -> tuple[Any, Scores]:
        """The tokenizer, and the model."""
        with self._lock:
            return _default(self.fold) if self.name == DEFAULT_READER else _named(self.name)

    def read(self, question: str, passages: Sequence[Passage]) -> tuple[Reading, ...]:
        """What each passage answers, in the order given.

        The first passes through all of the network whatever it holds; the default gives up others
        that look hopeless on the way. The whole of such a passage stands for its answer, with the
        score ``HOPELESS``.
        """
        # Those of about the same length together; the longest first, which leaves the threads that
        # share a batch ready at about the same time.
        order = sorted(range(len(passages)), key=lambda i: -len(passages[i].text))
        found: dict[int, Reading] = {}
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            first = batch.index(0) if 0 in batch else -1
            read = self._read(question, [passages[i] for i in batch], first)
            found |= zip(batch, read, strict=True)
        return tuple(found[i] for i in range(len(passages)))

    def _read(self, question: str, passages: Sequence[Passage], first: int) -> Iterable[Reading]:
        tokenizer, scores = self._network
        texts = [context(p.document.title, p.heading, p.text) for p in passages]
        leads = [len(text) - len(p.text) for text, p in zip(texts, passages, strict=True)]

        with self._lock:  # a tokenizer keeps how it pads: it must not be used by two threads
            pairs, offsets, own = encoded(tokenizer, [question] * len(texts), texts, leads)
        for row, (passage, said) in enumerate(zip(passages, scores(pairs, first), strict=True)):
            if said is None or not own[row].any():  # signs that the model has no tokens for
                score = UNREAD if said else HOPELESS
                yield Reading(passage, passage.start, passage.end, score)
                continue
            begin, last, score = best_span(said.starts, said.ends, own[row])
            shift = passage.start - leads[row]
            at, to = int(offsets[row, begin, 0]), int(offsets[row, last, 1])
            yield Reading(passage, at + shift, to + shift, score, said.verdict)


def context(title: str, heading: str, text: str) -> str:
    """A passage as it is read: below the start of what it stands under."""
    return embedding_text(title[:ABOVE], heading[:ABOVE], text)


def encoded(
    tokenizer: Any,
    questions: Sequence[str],
    texts: Sequence[str],
    leads: Sequence[int],
) -> tuple[Any, npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Questions, each with a text, as a model takes them.

    Also the place of each token in its text, ``(pairs, tokens, 2)``, and which tokens are of the
    passage itself, ``(pairs, tokens)``: those of its text from the character ``leads`` on.
    """
    import torch

    short = {question: _shortened(tokenizer, question) for question in set(questions)}
    pairs = tokenizer(
        [short[question] for question in questions],
        list(texts),
        truncation="only_second",
        max_length=LONGEST,
        padding=True,
        pad_to_multiple_of=STEP,
        return_offsets_mapping=True,
    )
    offsets = np.array(pairs.pop("offset_mapping"), np.int64)
    second = np.array([[i == 1 for i in pairs.sequence_ids(row)] for row in range(len(texts))])
    # Lists become arrays here: the library would take longer over that than over the tokens.
    tensors = {name: torch.from_numpy(np.array(rows)) for name, rows in pairs.items()}
    return tensors, offsets, second & (offsets[:, :, 0] >= np.array(leads)[:, None])


def _shortened(tokenizer: Any, question: str) -> str:
    """A question of at most ``QUESTION`` tokens."""
    asked = tokenizer(
        question,
        add_special_tokens=False,
        truncation=True,
        max_length=QUESTION,
        return_offsets_mapping=True,
    )
    last = asked["offset_mapping"][-1:]
    return question[: last[0][1]] if last else question


def best_span(starts: Logits, ends: Logits, own: npt.NDArray[np.bool_]) -> tuple[int, int, float]:
    """The best span within the tokens that are the passage's ``own``: first, last, and score.

    All three have shape ``(tokens,)``; at least one token is its own.
    """
    places = np.flatnonzero(own)
    sums = starts[places][:, None] + ends[places][None, :]
    allowed = np.triu(np.ones_like(sums, bool)) & ~np.triu(np.ones_like(sums, bool), SPAN)
    first, last = divmod(int(np.where(allowed, sums, -np.inf).argmax()), len(places))
    score = float(sums[first, last] - starts[0] - ends[0]) / 2
    return int(places[first]), int(places[last]), score


def _default(fold: int | None) -> tuple[Any, Scores]:
    """The installed MiniLM, and what it was taught beyond."""
    from transformers import AutoConfig, BertForQuestionAnswering

    from search.adapter import installed, unpack

    encoder = Encoder()
    model: Any = BertForQuestionAnswering(AutoConfig.from_pretrained(encoder.path))
    taught = unpack(installed(Path(encoder.path)), encoder.identity, ADAPTER)
    model.load_state_dict(taught, strict=False)
    # Each row was fitted without a fold of the articles; their mean stands for a fit on all.
    rows = taught["verdict.weight"], taught["verdict.bias"]
    verdict = tuple(row.mean(0) if fold is None else row[fold] for row in rows)
    guess = taught["exit.weight"], taught["exit.bias"]
    quick = _quick(model, guess, verdict) if half() else _stock(model, verdict)
    return _tokenizer(encoder.path), quick


def _quick(model: Any, guess: Sequence[Any], verdict: Sequence[Any]) -> Scores:
    """Each passage by itself, in two parts, between which the score is guessed.

    An early exit as in Soldaini and Moschitti, "The Cascade Transformer" (2020).
    """
    import torch

    from index.bert import Bert

    network, pointing = Bert(model.bert), model.qa_outputs

    def told(whole: bool, ids: Any, mask: Any, kinds: Any) -> Said | None:
        with torch.inference_mode():
            midway, there = network.up_to(EXIT, ids, mask, kinds)
            if not whole and _line(pooled(midway, there, kinds), guess) < WORTH:
                return None
            last = network.onward(EXIT, midway, there)
            points = pointing(last)[0].numpy()
            looks = torch.cat([asked(midway, there, kinds), asked(last, there, kinds)])
            return Said(points[:, 0], points[:, 1], _line(looks, verdict))

    def scores(pairs: Any, first: int) -> Sequence[Said | None]:
        names = ("input_ids", "attention_mask", "token_type_ids")
        each = zip(*(pairs[name].split(1) for name in names), strict=True)
        return share([partial(told, i == first, *pair) for i, pair in enumerate(each)])

    return scores


def _line(looks: Any, fitted: Sequence[Any]) -> float:
    """What a linear fit makes of what it looks at."""
    weight, bias = fitted
    return float(looks @ weight + bias)


def pooled(values: Any, there: Any, kinds: Any) -> Any:
    """What the exit looks at: what the tokens of one pair hold, put together.

    ``values`` have shape ``(1, tokens, width)``, ``there`` and ``kinds`` ``(1, tokens)`` or more;
    what comes back has four times the width.
    """
    import torch

    passage = values[there & (kinds[:, : there.size(1)] == 1)]
    return torch.cat([asked(values, there, kinds), passage.mean(0), passage.amax(0)])


def asked(values: Any, there: Any, kinds: Any) -> Any:
    """What the verdict looks at after ``EXIT`` layers, and again after all: twice the width.

    The first token, and the mean of the question's: what of it was found, and what was not.
    """
    import torch

    question = values[there & (kinds[:, : there.size(1)] == 0)]
    return torch.cat([values[0, 0], question.mean(0)])


def _stock(model: Any, verdict: Sequence[Any] = ()) -> Scores:
    """The library's way, for any model and processor."""
    import torch

    model = prepared(model)

    def told(pairs: Any) -> Sequence[Said]:
        with torch.inference_mode(), precision():
            said = model(**pairs, output_hidden_states=bool(verdict))
        starts, ends = said.start_logits.float().numpy(), said.end_logits.float().numpy()
        if not verdict:
            return [Said(start, end) for start, end in zip(starts, ends, strict=True)]
        layers = [said.hidden_states[layer].float() for layer in (EXIT, -1)]
        there, kinds = pairs["attention_mask"].bool(), pairs["token_type_ids"]
        rows = [slice(row, row + 1) for row in range(len(starts))]
        looks = [torch.cat([asked(v[row], there[row], kinds[row]) for v in layers]) for row in rows]
        verdicts = [_line(look, verdict) for look in looks]
        return [Said(*said) for said in zip(starts, ends, verdicts, strict=True)]

    return lambda pairs, first: compute(partial(told, pairs))


def _named(name: str) -> tuple[Any, Scores]:
    from transformers import AutoModelForQuestionAnswering
    from transformers.utils import logging

    if Path(name).exists():
        os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing is looked up on a hub
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        model, loaded = AutoModelForQuestionAnswering.from_pretrained(
            name, output_loading_info=True
        )
        if loaded["missing_keys"]:
            raise ValueError("it was not made to answer questions")
        return _tokenizer(name), _stock(model)
    except (OSError, ValueError) as error:
        raise KhazriError(
            f"The reader {name} could not be loaded: {error}. Set reader to a folder or the name"
            ' of a question-answering model, to "default", or to "none".'
        ) from error


def _tokenizer(path: str) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(path)
