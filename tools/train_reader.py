"""Train the reader that ships in ``search/reader.safetensors``; one command, fixed seeds.

    python tools/train_reader.py --data DIR   # DIR holds squad-v1.1-dev, squadshifts-reddit, …

It starts from the MiniLM weights that are installed with the embedded model. A run that was
stopped goes on from its last checkpoint in ``build/reader``. See docs/reader.md for its figures.
"""

from __future__ import annotations

import argparse
import math
import pickle
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from reader_examples import HOMES, Example, Text, training
from torch import Tensor
from transformers import AutoConfig, AutoTokenizer, BertForQuestionAnswering

from index.embeddings import Encoder
from search.adapter import installed, pack
from search.reader import ADAPTER, context, encoded

SEED = 1
RATE = 2e-4
WARM = 0.05  # of all steps
BATCH = 32  # pairs
MARGIN = 0.5  # weight of telling a question's passages apart, beside pointing at spans
UNTITLED = 0.25  # of the pairs are read without their title, as many documents have none
PASSES = {"reddit": 2, "amazon": 2, "squad": 3, "deceiving": 3}
MISLED = {
    "reddit": 0.25,
    "amazon": 0.25,
    "squad": 1.0,
    "deceiving": 1.0,
}  # read with another passage


@dataclass(frozen=True)
class Target:
    """A question with a text to read, whose passage begins at the character ``lead``.

    ``answer`` is where the answer stands in the text, None where it does not.
    """

    number: int
    question: str
    text: str
    lead: int
    answer: tuple[int, int] | None


def groups(found: dict[str, list[Example]], chance: random.Random) -> Iterator[list[Target]]:
    """Each question once a pass: its passage, and one that misleads."""
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
        if example.misleading and (not group or chance.random() < MISLED[name]):
            nearest = example.misleading[: 3 if example.passage is None else None]
            other = nearest[int(len(nearest) * chance.random() ** 2)]
            group.append(target(number, example.question, other, None, chance))
        yield group


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
    """Of pointing at the spans, and of preferring the passage that holds the answer."""
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
    cross = torch.nn.functional.cross_entropy
    pointing = (cross(starts, wanted[:, 0]) + cross(ends, wanted[:, 1])) / 2
    holds = starts[:, 1:].logsumexp(1) - starts[:, 0] + ends[:, 1:].logsumexp(1) - ends[:, 0]
    first = [
        i
        for i in range(len(targets) - 1)
        if targets[i].number == targets[i + 1].number and targets[i].answer
    ]
    if not first:
        return pointing
    at = torch.tensor(first)
    return pointing + MARGIN * torch.nn.functional.softplus((holds[at + 1] - holds[at]) / 2).mean()


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
    torch.manual_seed(SEED)
    config = AutoConfig.from_pretrained(path)
    config._attn_implementation = "eager"  # 1.7 times as fast in training as the fused one
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.0
    model = BertForQuestionAnswering(config)
    model.load_state_dict(installed(Path(path)), strict=False)
    return model.train()


def train(found: dict[str, list[Example]], encoder: Encoder, folder: Path) -> dict[str, Tensor]:
    """The trained weights."""
    model = untrained(encoder.path)
    # The words' own vectors stay as installed, and need not ship.
    model.bert.embeddings.word_embeddings.weight.requires_grad_(False)
    learned = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learned, RATE, weight_decay=0.01, fused=True)
    tokenizer = AutoTokenizer.from_pretrained(encoder.path)
    pairs = sum(
        len(e) * PASSES[n] * (1 + (MISLED[n] if n != "deceiving" else 0)) for n, e in found.items()
    )
    steps = math.ceil(pairs / BATCH * 1.01)
    done, checkpoint = 0, folder / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        done = state["step"]
    print(f"{pairs:,.0f} pairs in about {steps:,} steps, {done} of them done", flush=True)
    chance = random.Random(SEED)
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
    HOMES.mkdir(parents=True, exist_ok=True)
    encoder = Encoder()
    cache = HOMES / "examples.pickle"
    if not cache.exists():
        found = dict(training(options.data, encoder))
        cache.write_bytes(pickle.dumps(found))
    found = pickle.loads(cache.read_bytes())
    print({name: len(examples) for name, examples in found.items()}, flush=True)
    trained = train(found, encoder, HOMES)
    pack(installed(Path(encoder.path)), trained, encoder.identity, ADAPTER)


if __name__ == "__main__":
    main()
