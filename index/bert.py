"""BERT's forward pass for processors with bfloat16, with little beside the matrix products.

Devlin et al., "BERT" (2019). The library's own pass spends half of its time beside the products
for one question. Here the matrices are packed once as oneDNN wants them, the activation is part of
the product, texts get the lengths that attention is quick with, and sums and norms stay in single
precision. Its vectors have a cosine of 0.9999 with those of the library.
"""

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import layer_norm, pad, scaled_dot_product_attention

THREADS = torch.get_num_threads()


class Linear(NamedTuple):
    """A linear layer, its matrix packed."""

    weight: Tensor
    bias: Tensor


class Norm(NamedTuple):
    """A layer norm in single precision."""

    weight: Tensor
    bias: Tensor


class Layer(NamedTuple):
    """One of the equal layers: attention between the tokens of a text, then each by itself."""

    asked: Linear  # query, key and value side by side
    attended: Linear
    first: Norm
    wide: Linear
    narrow: Linear
    second: Norm


class Embeddings(NamedTuple):
    """The vectors of words, places and kinds, which are added up for each token."""

    words: Tensor
    places: Tensor
    kinds: Tensor
    norm: Norm


class Bert:
    """The network of a ``transformers.BertModel``, for reading only."""

    def __init__(self, model: Any) -> None:
        tables = model.embeddings
        embeddings = Embeddings(
            tables.word_embeddings.weight.detach(),
            tables.position_embeddings.weight.detach(),
            tables.token_type_embeddings.weight.detach(),
            _norm(tables.LayerNorm),
        )
        layers = [_layer(layer) for layer in model.encoder.layer]
        config = model.config
        self._known = embeddings, layers, config.num_attention_heads, config.layer_norm_eps

    def up_to(self, layer: int, ids: Tensor, mask: Tensor, kinds: Tensor) -> tuple[Tensor, Tensor]:
        """What the first layers give for each token, up to one of them, and which are there.

        ``ids``, ``mask`` (which tokens are there, and not the padding after them) and ``kinds``
        (0, or 1 for the second text of a pair) have shape ``(texts, tokens)``. What comes back has
        shape ``(texts, longest, width)`` and ``(texts, longest)``, for ``onward`` to go on with.
        """
        torch.set_num_threads(1)  # of this thread, which works alone: see index/compute.py
        embeddings, layers, heads, epsilon = self._known
        values, there = begun(ids, mask, kinds, embeddings, epsilon)
        return passed(values, there, layers[:layer], heads, epsilon), there

    def onward(self, layer: int, values: Tensor, there: Tensor) -> Tensor:
        """What the last layer gives, from what ``layer`` gave: shape ``(texts, longest, width)``.

        Padding gives anything.
        """
        torch.set_num_threads(1)
        _, layers, heads, epsilon = self._known
        found: Tensor = passed(values, there, layers[layer:], heads, epsilon)
        return found

    def means(self, texts: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        """The mean of that over the tokens of each text: shape ``(texts, width)``."""
        lengths = [len(text) for text in texts]
        ids = np.zeros((len(texts), max(lengths)), np.int64)
        for row, text in zip(ids, texts, strict=True):
            row[: len(text)] = text
        mask = np.arange(ids.shape[1]) < np.array(lengths)[:, None]
        torch.set_num_threads(1)
        found: Tensor = means(torch.from_numpy(ids), torch.from_numpy(mask), *self._known)
        return found.numpy()


def _means(
    ids: Tensor,
    mask: Tensor,
    embeddings: Embeddings,
    layers: list[Layer],
    heads: int,
    epsilon: float,
) -> Tensor:
    values, there = _begun(ids, mask, None, embeddings, epsilon)
    values = _passed(values, there, layers, heads, epsilon) * there.unsqueeze(2)
    return values.sum(1) / there.sum(1, keepdim=True)


def _begun(
    ids: Tensor, mask: Tensor, kinds: Tensor | None, embeddings: Embeddings, epsilon: float
) -> tuple[Tensor, Tensor]:
    more = rounded(int(mask.sum(1).max())) - ids.size(1)  # or fewer
    there = pad(mask.to(torch.bool), (0, more))
    values = embeddings.words[pad(ids, (0, more))] + embeddings.places[: there.size(1)]
    if kinds is None:
        values = values + embeddings.kinds[0]
    else:
        values = values + embeddings.kinds[pad(kinds, (0, more))]
    return normed(values, embeddings.norm, epsilon), there


def _passed(
    values: Tensor, there: Tensor, layers: list[Layer], heads: int, epsilon: float
) -> Tensor:
    texts, longest, width = values.shape
    unmasked: Tensor | None = None
    if not bool(there.all()):
        unmasked = torch.zeros(there.shape, dtype=torch.bfloat16).masked_fill(~there, float("-inf"))
        unmasked = unmasked.view(texts, 1, 1, longest)
    values = values.view(-1, width)
    for layer in layers:
        asked = times(values, layer.asked, "none")
        split = asked.view(texts, longest, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
        found = scaled_dot_product_attention(split[0], split[1], split[2], unmasked)
        found = found.transpose(1, 2).reshape(-1, width)
        values = normed(added(times(found, layer.attended, "none"), values), layer.first, epsilon)
        wide = times(values, layer.wide, "gelu")
        values = normed(added(times(wide, layer.narrow, "none"), values), layer.second, epsilon)
    return values.view(texts, longest, width)


def rounded(tokens: int) -> int:
    """So many or a few more: attention to any but a multiple of 16 takes twice as long."""
    return (tokens + 15) // 16 * 16


def times(values: Tensor, layer: Linear, after: str) -> Tensor:
    """``values`` of shape ``(tokens, input width)`` through a linear layer and an activation."""
    product: Tensor = torch.ops.mkldnn._linear_pointwise(
        values.to(torch.bfloat16), layer.weight, layer.bias, after, [], "none"
    )
    return product


def added(product: Tensor, values: Tensor) -> Tensor:
    """The sum of both. Without a copy in single precision first, many rows take twice as long."""
    return product.to(torch.float32).add_(values)


def normed(values: Tensor, norm: Norm, epsilon: float) -> Tensor:
    """``values`` through a layer norm."""
    return layer_norm(values, [values.size(-1)], norm.weight, norm.bias, epsilon)


def _compiled(function: Any) -> Any:
    """``function`` without Python's lock, which it would give away and want back at each step.

    So other threads don't wait for it, nor it for them: beside a busy thread a question took
    five times as long. Where torch can't compile any more, the function stays as it is.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # what is to come needs a compiler
        try:
            return torch.jit.script(function)
        except (AttributeError, RuntimeError):
            return function


begun, passed, means = _compiled(_begun), _compiled(_passed), _compiled(_means)


def _layer(layer: Any) -> Layer:
    attention = layer.attention
    return Layer(
        _linear(attention.self.query, attention.self.key, attention.self.value),
        _linear(attention.output.dense),
        _norm(attention.output.LayerNorm),
        _linear(layer.intermediate.dense),
        _linear(layer.output.dense),
        _norm(layer.output.LayerNorm),
    )


def _linear(*layers: Any) -> Linear:
    """Several ``layers`` with the same input give one product, side by side."""
    weight = torch.cat([layer.weight.detach() for layer in layers]).bfloat16()
    bias = torch.cat([layer.bias.detach() for layer in layers]).bfloat16()
    return Linear(torch.ops.mkldnn._reorder_linear_weight(weight.contiguous()), bias)


def _norm(layer: Any) -> Norm:
    return Norm(layer.weight.detach().float(), layer.bias.detach().float())
