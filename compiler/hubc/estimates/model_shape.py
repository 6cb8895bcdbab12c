"""The sizes of a model, read from its `config.json`; its weights are never looked at."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hubc.estimates.architectures import FAMILIES, Family, Linear, layer_linears
from hubc.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

MAX_CONFIG_BYTES = 1 << 20
_LIMITS = {
    "vocab_size": 1 << 22,
    "hidden_size": 1 << 17,
    "intermediate_size": 1 << 20,
    "num_hidden_layers": 1024,
    "num_attention_heads": 1024,
    "num_key_value_heads": 1024,
    "head_dim": 4096,
    "max_position_embeddings": 1 << 28,
    "num_experts": 4096,
    "num_local_experts": 4096,
    "num_experts_per_tok": 4096,
    "moe_intermediate_size": 1 << 20,
}
"""Sizes above which a config is refused: larger than any model, and far from numbers that are slow to compute with."""


class ShapeError(ValueError):
    """A config from which no estimate can be made; its text says why."""


@dataclass(frozen=True)
class ModelShape:
    """The sizes of a decoder-only model, in numbers of elements."""

    architecture: str
    family: Family
    hidden_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    intermediate_size: int
    vocab_size: int
    max_position_embeddings: int | None
    is_tied: bool
    num_experts: int
    experts_per_token: int
    linears: tuple[Linear, ...]
    """Linear layers of one decoder layer, those of experts among them."""
    is_text_part: bool = False
    """The config describes more than the language model, such as a vision tower, and only the language model is counted."""

    @property
    def query_size(self) -> int:
        """Elements of one token's queries in one layer."""
        return self.num_heads * self.head_dim

    @property
    def kv_size(self) -> int:
        """Elements of one token's keys in one layer; as many for its values."""
        return self.num_kv_heads * self.head_dim

    @property
    def linear_parameters(self) -> int:
        """Weights of the linear layers of all decoder layers, experts among them."""
        return self.num_layers * sum(linear.weights * linear.count for linear in self.linears)

    @property
    def num_parameters(self) -> int:
        """All parameters; tied embeddings count once."""
        biases = sum(linear.outputs * linear.count for linear in self.linears if linear.bias)
        layer = biases + self.family.num_norms * self._norm + self._head_norms
        embeddings = self.vocab_size * self.hidden_size * (1 if self.is_tied else 2)
        return self.linear_parameters + self.num_layers * layer + embeddings + self._norm

    @property
    def active_parameters(self) -> int:
        """Parameters that one token is multiplied with: the output layer, and of the experts those that it is sent to."""
        unread = 0 if self.is_tied else self.vocab_size * self.hidden_size
        idle = self.expert_parameters * (self.num_experts - self.experts_per_token) // max(1, self.num_experts)
        return self.num_parameters - unread - idle

    @property
    def expert_parameters(self) -> int:
        """Weights of all experts of all decoder layers."""
        return self.num_layers * sum(linear.weights * linear.count for linear in self.linears if linear.is_expert)

    @property
    def layer_parameters(self) -> int:
        """Parameters of one decoder layer: what sharded training gathers at once."""
        embeddings = self.vocab_size * self.hidden_size * (1 if self.is_tied else 2)
        return (self.num_parameters - embeddings) // self.num_layers

    def targets(self, modules: Sequence[str] | None) -> tuple[Linear, ...]:
        """Return the linear layers of one decoder layer that get an adapter; None means all that PEFT can adapt.

        Raises ShapeError if the model has none of `modules`.
        """
        adaptable = tuple(linear for linear in self.linears if linear.is_adaptable)
        if modules is None or "all-linear" in modules:
            return adaptable
        names = {module.rpartition(".")[2] for module in modules}
        found = tuple(linear for linear in adaptable if linear.name in names)
        if not found:
            have = ", ".join(linear.name for linear in adaptable)
            raise ShapeError(f"the model has none of the target modules; its layers have {have}")
        return found

    def lora_parameters(self, rank: int, modules: Sequence[str] | None = None) -> int:
        """Return the trainable parameters of adapters of this rank: `rank * (inputs + outputs)` for each linear layer."""
        found = self.targets(modules)
        sizes = (linear.rank_factor * linear.count * (linear.inputs + linear.outputs) for linear in found)
        return rank * self.num_layers * sum(sizes)

    def osft_matrices(self, patterns: Sequence[str] | None = None) -> tuple[Linear, ...]:
        """Return the matrices of one decoder layer that orthogonal fine-tuning changes.

        Patterns that fit no matrix of every layer, such as a layer's number, count for all matrices.
        """
        dense = tuple(linear for linear in self.linears if not linear.is_expert and linear.name != "gate")
        found = (linear for linear in dense if any(linear.name in text or text in linear.name for text in patterns or ()))
        return tuple(found) or dense

    def osft_parameters(self, unfreeze_rank_ratio: float, patterns: Sequence[str] | None = None) -> int:
        """Return the trainable parameters of orthogonal subspace fine-tuning (https://arxiv.org/abs/2504.07097).

        Of each matrix these are the singular vectors and values of the share `unfreeze_rank_ratio` of its directions.
        """
        found = self.osft_matrices(patterns)
        sizes = (int(linear.max_rank * unfreeze_rank_ratio) * (linear.inputs + linear.outputs + 1) for linear in found)
        return self.num_layers * sum(sizes)

    @property
    def _norm(self) -> int:
        return self.hidden_size * (2 if self.family.norm_bias else 1)

    @property
    def _head_norms(self) -> int:
        return 2 * self.head_dim if self.family.head_norms else 0


def read_shape(path: Path) -> ModelShape:
    """Return the shape that a `config.json` describes.

    Raises ShapeError if it cannot be read or describes no model that is known here.
    """
    try:
        if not path.is_file():
            raise ShapeError(f"{printable(str(path))} is not a file")
        with path.open("rb") as file:
            text = file.read(MAX_CONFIG_BYTES + 1)
        if len(text) > MAX_CONFIG_BYTES:
            raise ShapeError(f"{printable(str(path))} is larger than {MAX_CONFIG_BYTES >> 20} MiB")
        config = json.loads(text)
    except OSError as error:
        raise ShapeError(f"cannot read {printable(str(path))}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, ShapeError):
            raise
        raise ShapeError(f"{printable(str(path))} is not JSON") from None
    return parse_shape(config)


def parse_shape(config: Any) -> ModelShape:
    """Return the shape that the data of a `config.json` describes.

    Raises ShapeError if it is of an architecture that is not known here, or if a size is missing or absurd.
    """
    if not isinstance(config, dict):
        raise ShapeError("the model's config is not a mapping")
    text = config.get("text_config")
    inner: dict[str, Any] = config
    if isinstance(text, dict):
        inner = {"tie_word_embeddings": config.get("tie_word_embeddings"), **text}
    name = inner.get("model_type")
    family = FAMILIES.get(name) if isinstance(name, str) else None
    if not isinstance(name, str) or family is None:
        shown = printable(name)[:40] if isinstance(name, str) else "none"
        raise ShapeError(f"sizes of the architecture '{shown}' are not known; known are {', '.join(FAMILIES)}")
    return _shape(name, family, {**family.defaults, **inner}, is_text_part=inner is not config)


def _shape(name: str, family: Family, config: Mapping[str, Any], *, is_text_part: bool) -> ModelShape:
    hidden, heads = _size(config, "hidden_size"), _size(config, "num_attention_heads")
    kv_heads = heads if family.is_fused_neox else _size(config, "num_key_value_heads", heads)
    head_dim = _size(config, "head_dim", family.head_dim or hidden // heads)
    experts = _size(config, family.experts_key) if family.experts_key else 0
    per_token = _size(config, "num_experts_per_tok") if experts else 0
    width = _size(config, family.expert_width_key if experts else "intermediate_size")
    if heads % kv_heads or per_token > experts or not head_dim:
        raise ShapeError("the sizes in the model's config contradict each other")
    if config.get("mlp_only_layers") or config.get("decoder_sparse_step", 1) != 1:
        raise ShapeError("sizes of models that mix dense and sparse layers are not known")
    sizes = {"hidden": hidden, "query": heads * head_dim, "kv": kv_heads * head_dim, "width": width, "experts": experts}
    tied = config.get("tie_word_embeddings")
    return ModelShape(
        architecture=name,
        family=family,
        hidden_size=hidden,
        num_layers=_size(config, "num_hidden_layers"),
        num_heads=heads,
        num_kv_heads=kv_heads,
        head_dim=head_dim,
        intermediate_size=width,
        vocab_size=_size(config, "vocab_size"),
        max_position_embeddings=_size(config, "max_position_embeddings", 0) or None,
        is_tied=tied if isinstance(tied, bool) else family.is_tied,
        num_experts=experts,
        experts_per_token=per_token,
        linears=layer_linears(family, sizes, config),
        is_text_part=is_text_part,
    )


def _size(config: Mapping[str, Any], key: str, default: int | None = None) -> int:
    value = config.get(key)
    if value is None and default is not None:
        return default
    if value is None:
        raise ShapeError(f"the model's config has no '{key}'")
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _LIMITS[key]:
        raise ShapeError(f"'{key}' in the model's config is not a whole number from 1 to {_LIMITS[key]}")
    return value
