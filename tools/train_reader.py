"""Train the reader that ships in ``search/reader.safetensors``; one command, fixed seeds.

    python tools/train_reader.py --data DIR   # DIR holds squad-v1.1-dev, squadshifts-reddit, …

It starts from the MiniLM weights that are installed with the embedded model. A run that was
stopped goes on from its last checkpoint in ``build/reader``. ``tools/fit_exit.py`` must follow,
``tools/fit_verdict.py`` and ``tools/fit_confidence.py``. See docs/reader.md for its figures.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
import training_speed
from reader_examples import HOMES, Example, Text, training
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import AutoConfig, AutoTokenizer, BertForQuestionAnswering

from index.embeddings import Encoder
from index.sentences import sentences
from search.adapter import installed, pack
from search.reader import ADAPTER, context, encoded

SEEDS = (1, 2)  # of runs, whose mean is better than each (Wortsman et al., 2022)
RATE = 2e-4
WARM = 0.05  # of all steps
BATCH = 32  # pairs
RANKING = 1.0  # weight of putting a question's own passage first, beside pointing at spans
UNTITLED = 0.25  # of the pairs are read without their title, as many documents have none
PASSES = {"reddit": 2, "amazon": 2, "squad": 3, "deceiving": 3}
OTHERS = {"reddit": 0.25, "amazon": 0.25, "squad": 3, "deceiving": 1}  # read with each, on average
RIVAL = 0.4  # of the others hold the answer's words too, where there are such
CUT = 0.1  # of the others are the passage itself without the sentence that answers


@dataclass(frozen=True)
class Target:
    """A question with a text to read, whose passage begins at the character ``lead``.

    ``answer`` is where the answer stands in the text, None where it does not. A ``rival`` may hold
    an answer, of which nothing is known but that another passage is to be put before it.
    """

    number: int
    question: str
    text: str
    lead: int
    answer: tuple[int, int] | None
    rival: bool = False


def groups(found: dict[str, list[Example]], chance: random.Random) -> Iterator[list[Target]]:
    """Each question once a pass: its passage, and others that search ranks high."""
    order = [
        ((turn + chance.random()) / PASSES[name], name, example)
        for name, examples in found.items()
        for example in examples
        for turn in range(PASSES[name])
    ]
    order.sort(key=lambda one: one[0])
    for number, (_, name, example) in enumerate(order):
        group = []
        if example.passage:
            answer = chance.choice(example.answers)
            group.append(target(number, example.question, example.passage, answer, chance))
        others = int(OTHERS[name] + chance.random())
        for passage, rival in drawn(example, others, chance):
            other = target(number, example.question, passage, None, chance)
            group.append(replace(other, rival=rival))
        yield group


def drawn(example: Example, count: int, chance: random.Random) -> Iterator[tuple[Text, bool]]:
    """Other passages for a question, better ones sooner; and whether each is a rival."""
    misleading, rivals = list(example.misleading), list(example.rivals)
    if example.passage is None:
        misleading = misleading[:1]  # the paragraph that the question was written to deceive of
    for _ in range(count):
        whole = example.passage
        if whole and chance.random() < CUT and (left := without(whole, example.answers)):
            yield left, False
        elif rivals and chance.random() < RIVAL:
            yield rivals.pop(int(len(rivals) * chance.random() ** 2)), True
        elif misleading:
            yield misleading.pop(int(len(misleading) * chance.random() ** 2)), False


def without(passage: Text, answers: Sequence[tuple[int, int]]) -> Text | None:
    """The passage without the sentence of the answers; None if others hold one, or none is left."""
    text = passage.text
    kept = " ".join(
        text[start:end]
        for start, end in sentences(text)
        if not any(start < to and at < end for at, to in answers)
    )
    if not kept.strip() or any(text[at:to].lower() in kept.lower() for at, to in answers):
        return None
    return replace(passage, text=kept)


def target(
    number: int,
    question: str,
    passage: Text,
    answer: tuple[int, int] | None,
    chance: random.Random,
) -> Target:
    """What is read, now and then without its title, or without the question's mark."""
    title = "" if chance.random() < UNTITLED else passage.title
    asked = question.rstrip("? ") if chance.random() < 0.2 else question
    text = context(title, passage.heading, passage.text)
    lead = len(text) - len(passage.text)
    place = (answer[0] + lead, answer[1] + lead) if answer else None
    return Target(number, asked, text, lead, place)


def batches(groups: Iterator[list[Target]], chance: random.Random) -> Iterator[list[Target]]:
    """Batches of pairs of about the same length; the pairs of a question stay together."""
    while taken := list(islice(groups, 16 * BATCH)):
        taken.sort(key=lambda group: max((len(t.question + t.text) for t in group), default=0))
        whole: list[list[Target]] = []
        current: list[Target] = []
        for group in taken:
            current += group
            if len(current) >= BATCH:
                whole.append(current)
                current = []
        chance.shuffle(whole)
        yield from whole
        if current:
            yield current


def loss(model: BertForQuestionAnswering, tokenizer: Any, targets: Sequence[Target]) -> Tensor:
    """Of pointing at the spans, and of putting a question's own passage first."""
    pairs, offsets, own = encoded(
        tokenizer,
        [t.question for t in targets],
        [t.text for t in targets],
        [t.lead for t in targets],
    )
    wanted = torch.tensor([tokens(*row) for row in zip(targets, offsets, own, strict=True)])
    out = model(**pairs)
    allowed = torch.from_numpy(own)
    allowed[:, 0] = True  # the first token stands for "no answer here"
    starts, ends = (
        scores.float().masked_fill(~allowed, -torch.inf)
        for scores in (out.start_logits, out.end_logits)
    )
    cross = partial(cross_entropy, reduction="none")
    known = torch.tensor([not t.rival for t in targets])
    pointing = (cross(starts, wanted[:, 0]) + cross(ends, wanted[:, 1]))[known].mean() / 2
    holds = starts[:, 1:].logsumexp(1) - starts[:, 0] + ends[:, 1:].logsumexp(1) - ends[:, 0]
    ranking = [
        scores.logsumexp(0) - scores[0]
        for scores, first in together(holds / 2, targets)
        if first.answer
    ]
    return pointing + RANKING * torch.stack(ranking).mean() if ranking else pointing


def together(scores: Tensor, targets: Sequence[Target]) -> Iterator[tuple[Tensor, Target]]:
    """The scores of each question with more passages than one, and the first of its targets."""
    numbers = [t.number for t in targets]
    for number in dict.fromkeys(numbers):
        start, count = numbers.index(number), numbers.count(number)
        if count > 1:
            yield scores[start : start + count], targets[start]


def tokens(target: Target, offsets: np.ndarray, own: np.ndarray) -> tuple[int, int]:
    """The tokens that the answer starts and ends with; the first token where it is not read."""
    if target.answer is None:
        return 0, 0
    start, end = target.answer
    inside = np.flatnonzero(own & (offsets[:, 1] > start) & (offsets[:, 0] < end))
    if not len(inside) or offsets[inside[-1], 1] < end:
        return 0, 0
    return int(inside[0]), int(inside[-1])


def rate(step: int, steps: int) -> float:
    """Linear warm-up and decay, as a part of the full rate."""
    return min(step / (WARM * steps), (steps - step) / ((1 - WARM) * steps))


def untrained(path: str) -> BertForQuestionAnswering:
    """The installed model, with a layer that knows nothing yet."""
    torch.manual_seed(SEEDS[0])  # all runs start alike
    config = AutoConfig.from_pretrained(path)
    config._attn_implementation = training_speed.NAME
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.0
    model = BertForQuestionAnswering(config)
    model.load_state_dict(installed(Path(path)), strict=False)
    return model.train()


def train(
    found: dict[str, list[Example]], encoder: Encoder, folder: Path, seed: int
) -> dict[str, Tensor]:
    """The weights after one run."""
    model = untrained(encoder.path)
    # The words' own vectors stay as installed, and need not ship.
    model.bert.embeddings.word_embeddings.weight.requires_grad_(False)
    learned = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learned, RATE, weight_decay=0.01, fused=True)
    tokenizer = AutoTokenizer.from_pretrained(encoder.path)
    pairs = sum(
        len(examples) * PASSES[name] * ((name != "deceiving") + OTHERS[name])
        for name, examples in found.items()
    )
    steps = math.ceil(pairs / BATCH * 1.01)
    done, checkpoint = 0, folder / f"checkpoint-{seed}.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        done = state["step"]
    print(f"{pairs:,.0f} pairs in about {steps:,} steps, {done} of them done", flush=True)
    chance = random.Random(seed)
    started, read, total = time.time(), 0, 0.0
    for step, targets in enumerate(batches(groups(found, chance), chance), 1):
        if step <= done:
            continue
        for group in optimizer.param_groups:
            group["lr"] = RATE * max(rate(step, steps), 0.0)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            value = loss(model, tokenizer, targets)
        value.backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        read += len(targets)
        total += value.item()
        if step % 50 == 0:
            speed = read / (time.time() - started)
            left = (steps - step) * BATCH / speed / 60
            print(f"{step} loss {total / 50:.3f} {speed:.1f} pairs/s {left:.0f} min", flush=True)
            total = 0.0
        if step % 250 == 0:
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
            torch.save(state, checkpoint.with_suffix(".new"))
            checkpoint.with_suffix(".new").replace(checkpoint)
    return model.state_dict()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    training_speed.keep_memory()
    encoder = Encoder()
    found = training(options.data, encoder)
    print({name: len(examples) for name, examples in found.items()}, flush=True)
    torch.set_num_threads(os.cpu_count() or 1)  # the encoder has set it to one
    runs = [train(found, encoder, HOMES, seed) for seed in SEEDS]
    mean = {name: sum(run[name].float() for run in runs) / len(runs) for name in runs[0]}
    pack(installed(Path(encoder.path)), mean, encoder.identity, ADAPTER)


if __name__ == "__main__":
    main()
