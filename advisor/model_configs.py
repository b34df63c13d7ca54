"""Hugging Face `config.json` files, of transformers 4 and 5, read into model shapes; parameters follow by formula."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advisor.documents import read_document
from advisor.errors import InputError
from advisor.models import DTYPE_ALIASES, ModelSpec
from advisor.units import format_count
from advisor.weight_files import INDEX, StoredWeights, stored_weights

_ENCODERS = {
    "albert", "bert", "camembert", "deberta", "deberta-v2", "distilbert", "electra", "ernie", "modernbert", "mpnet",
    "nomic_bert", "roberta", "xlm-roberta",
}  # fmt: skip
_CONVOLUTIONAL = {
    "convnext",
    "convnextv2",
    "efficientnet",
    "mobilenet_v1",
    "mobilenet_v2",
    "regnet",
    "resnet",
}
_TWO_MATRICES = {
    "bloom",
    "falcon",
    "gpt2",
    "gpt_bigcode",
    "gpt_neox",
    "gptj",
    "mpt",
    "opt",
    "phi",
    "starcoder2",
}
_TIED = {"bloom", "cohere", "cohere2", "falcon", "gemma", "gemma2", "gemma3", "gemma3_text", "gpt2", "opt"}


def read_config(path: Path) -> ModelSpec:
    """Return the model that a `config.json`, the folder holding one, or the index of weights beside it describes.

    Where weights or their index lie beside it, they say how many parameters there are and in which number format;
    quantised weights are packed, and stay with what the shape and the configuration say.

    Raises:
        InputError: The file is missing or not JSON, or describes a network that is not modelled.
    """
    file = (
        path.parent / "config.json" if path.name == INDEX else path / "config.json" if path.is_dir() else path
    )
    document = read_document(file)
    name = file.parent.name if file.name == "config.json" else file.stem
    model = model_from_config(document.data, name=name or "custom", source=document.source)
    if file.name != "config.json" or _is_quantized(document.data):
        return model
    stored = stored_weights(file.parent, expected=model.parameters)
    return model if stored is None else _with_weights(model, stored)


def _is_quantized(config: Mapping[str, Any]) -> bool:
    nested = config.get("text_config")
    inner = nested.get("quantization_config") if isinstance(nested, Mapping) else None
    return bool(config.get("quantization_config") or inner)


def _with_weights(model: ModelSpec, stored: StoredWeights) -> ModelSpec:
    """Return the model with the parameters that are stored; what the formula missed is used for every token."""
    active = model.active_parameters + stored.parameters - model.parameters
    if stored.parameters < model.expert_parameters or active <= 0:
        raise InputError(
            f"{stored.source} holds {format_count(stored.parameters)} parameters, and the configuration beside it describes "
            f"{format_count(model.parameters)}; they do not belong together"
        )
    same_size = not stored.is_exact and {stored.dtype, model.weight_dtype} <= {"fp16", "bf16"}
    return model.model_copy(
        update={
            "parameters": stored.parameters,
            "active_parameters": active,
            "weight_dtype": model.weight_dtype if same_size else stored.dtype,
            "estimated": False,
            "source": f"config.json and {stored.source}",
        }
    )


def model_from_config(config: Mapping[str, Any], *, name: str, source: str = "config.json") -> ModelSpec:
    """Return the model that a Hugging Face configuration describes.

    Args:
        config: The file's content; a multimodal model's text part is read.
        name: What to call it where the configuration does not say.
        source: What messages call the file.

    Raises:
        InputError: A size is missing or not a number, or the network is convolutional or an encoder-decoder.
    """
    nested = config.get("text_config")
    flat = {**config, **nested} if isinstance(nested, Mapping) else dict(config)
    shape = _Shape(flat, source)
    family = _family(flat, source)
    routed = shape.routed_parameters()
    total = shape.encoder_parameters() if family == "encoder" else shape.decoder_parameters()
    used = routed * shape.per_token / shape.experts if shape.experts else 0.0
    return ModelSpec(
        name=str(flat.get("_name_or_path") or name),
        family=family,
        parameters=total,
        active_parameters=total - routed + used,
        layers=shape.layers,
        hidden_size=shape.width,
        intermediate_size=shape.inner,
        attention_heads=shape.heads,
        kv_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        kv_latent_dim=shape.latent,
        full_attention_layers=_full_attention(flat),
        vocab_size=shape.vocabulary,
        experts=shape.experts,
        experts_per_token=shape.per_token,
        expert_parameters=routed,
        weight_dtype=_dtype({**config, **flat}, family),
        estimated=True,
        source=f"{source}; parameters estimated by formula",
    )


@dataclass(frozen=True, slots=True)
class _Shape:
    config: Mapping[str, Any]
    source: str

    @property
    def kind(self) -> str:
        return str(self.config.get("model_type", ""))

    @property
    def layers(self) -> int:
        return self.size("num_hidden_layers", "n_layer", "n_layers", "num_layers")

    @property
    def width(self) -> int:
        return self.size("hidden_size", "n_embd", "d_model", "dim")

    @property
    def heads(self) -> int:
        return self.size("num_attention_heads", "n_head", "n_heads")

    @property
    def kv_heads(self) -> int:
        if self.config.get("multi_query"):
            return 1
        return self.size("num_key_value_heads", "num_kv_heads", default=self.heads)

    @property
    def head_dim(self) -> int:
        return self.size("head_dim", "v_head_dim", default=self.width // self.heads)

    @property
    def inner(self) -> int:
        dense = ("intermediate_size_mlp",) if self.kind.startswith("llama4") else ()
        return self.size(
            *dense, "intermediate_size", "n_inner", "ffn_dim", "hidden_dim", default=4 * self.width
        )

    @property
    def vocabulary(self) -> int:
        return self.size("vocab_size")

    @property
    def experts(self) -> int:
        return self.size("n_routed_experts", "num_local_experts", "num_experts", default=0)

    @property
    def per_token(self) -> int:
        return (
            self.size("num_experts_per_tok", "num_experts_per_token", "moe_topk", default=1)
            if self.experts
            else 0
        )

    @property
    def latent(self) -> int | None:
        rank = self.size("kv_lora_rank", default=0)
        return rank + self.size("qk_rope_head_dim", default=0) if rank else None

    @property
    def expert_layers(self) -> int:
        """Layers that route; the others are dense."""
        if not self.experts:
            return 0
        dense_first = self.size("first_k_dense_replace", default=0)
        step = self.size("decoder_sparse_step", "interleave_moe_layer_step", default=1)
        listed = self.config.get("mlp_only_layers")
        dense_listed = len(listed) if isinstance(listed, Sequence) else 0
        return max(0, self.layers - dense_first - dense_listed) // max(1, step)

    @property
    def matrices(self) -> int:
        """Matrices of a feed-forward part: three where it is gated."""
        return 2 if self.kind in _TWO_MATRICES else 3

    @property
    def expert_inner(self) -> int:
        return self.size("moe_intermediate_size", "intermediate_size", default=self.inner)

    def routed_parameters(self) -> float:
        """Return the weights inside routed experts."""
        return float(self.expert_layers * self.experts * self.matrices * self.width * self.expert_inner)

    def decoder_parameters(self) -> float:
        """Return all weights: embeddings, attention, feed-forward parts, routers and norms."""
        dense_layers = self.layers - self.expert_layers
        feed_forward = dense_layers * self.matrices * self.width * self.inner
        shared = self.expert_layers * self.width * (3 * self.shared_inner() + self.experts)
        tied = self.config.get("tie_word_embeddings", self.kind in _TIED)
        embeddings = (1 if tied else 2) * self.vocabulary * self.width
        norms = (2 * self.layers + 1) * self.width
        return float(
            embeddings
            + self.layers * self.attention_parameters()
            + feed_forward
            + shared
            + self.routed_parameters()
            + norms
        )

    def shared_inner(self) -> int:
        """Return the inner width of the experts that every token uses."""
        if self.kind.startswith("llama4"):
            return self.expert_inner
        stated = self.size("shared_expert_intermediate_size", default=0)
        return stated or self.size("n_shared_experts", "num_shared_experts", default=0) * self.expert_inner

    def attention_parameters(self) -> int:
        """Return the weights of one layer's attention: plain, grouped or latent."""
        if not self.latent:
            return 2 * self.width * self.head_dim * (self.heads + self.kv_heads)
        rope, plain = (
            self.size("qk_rope_head_dim", default=0),
            self.size("qk_nope_head_dim", default=self.head_dim),
        )
        value, rank = self.size("v_head_dim", default=self.head_dim), self.size("kv_lora_rank")
        query_rank = self.size("q_lora_rank", default=0)
        to_heads = self.heads * (plain + rope)
        queries = query_rank * (self.width + to_heads) if query_rank else self.width * to_heads
        return (
            queries
            + self.width * self.latent
            + rank * self.heads * (plain + value)
            + self.heads * value * self.width
        )

    def encoder_parameters(self) -> float:
        """Return all weights: embeddings of words, positions and types, and the layers with their biases."""
        width, inner = self.width, self.inner
        matrices = 3 if self.kind in {"modernbert", "nomic_bert"} else 2
        layer = 4 * width * width + matrices * width * inner + 9 * width + inner
        positions = 0 if matrices == 3 else self.size("max_position_embeddings", default=512)
        kinds = self.size("type_vocab_size", default=0)
        stored = 1 if self.kind == "albert" else self.layers
        narrow = self.size("embedding_size", default=width)
        embeddings = (self.vocabulary + positions + kinds) * narrow + (
            narrow * width if narrow != width else 0
        )
        return float(embeddings + stored * layer + width * width + 3 * width)

    def size(self, *keys: str, default: int | None = None) -> int:
        """Return the first of the keys that is set, as a whole number of 0 or more."""
        for key in keys:
            value = self.config.get(key)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise InputError(f"{self.source}: {key}: got {value!r}; expected a whole number")
            return value
        if default is None:
            raise InputError(
                f"{self.source}: {keys[0]} is missing; is this the config.json of a transformer?"
            )
        return default


def _family(config: Mapping[str, Any], source: str) -> str:
    kind = str(config.get("model_type", ""))
    if kind in _CONVOLUTIONAL:
        raise InputError(
            f"{source}: the configuration of a '{kind}' does not say what it computes; give the model inline, "
            "with family: cnn, parameters and macs_per_item"
        )
    if config.get("is_encoder_decoder"):
        raise InputError(
            f"{source}: '{kind}' is an encoder-decoder, which is not modelled; only one of both can be"
        )
    return "encoder" if kind in _ENCODERS else "decoder"


def _full_attention(config: Mapping[str, Any]) -> int | None:
    kinds = config.get("layer_types")
    if not isinstance(kinds, Sequence) or isinstance(kinds, str):
        return None
    full = sum(kind == "full_attention" for kind in kinds)
    return full if 0 < full < len(kinds) else None


def _dtype(config: Mapping[str, Any], family: str) -> str:
    quantized = config.get("quantization_config")
    if isinstance(quantized, Mapping):
        found = _quantized_dtype(quantized)
        if found:
            return found
    stated = str(config.get("dtype") or config.get("torch_dtype") or "").removeprefix("torch.")
    return DTYPE_ALIASES.get(stated, "bf16" if family == "decoder" else "fp32")


def _quantized_dtype(quantized: Mapping[str, Any]) -> str | None:
    """Return the weights' number format as GPTQ, AWQ, bitsandbytes, compressed-tensors and ModelOpt write it."""
    method = f"{quantized.get('quant_method', '')} {quantized.get('quant_algo', '')}".lower()
    if "fp4" in method:
        return "fp4"
    if "fp8" in method:
        return "fp8"
    loaded = 4 if quantized.get("load_in_4bit") else 8 if quantized.get("load_in_8bit") else 0
    weights = _weight_group(quantized)
    bits = weights.get("num_bits") or quantized.get("bits") or loaded
    kind = str(weights.get("type", "int"))
    return {("4", "int"): "int4", ("8", "int"): "int8", ("8", "float"): "fp8", ("4", "float"): "fp4"}.get(
        (str(bits), kind)
    )


def _weight_group(quantized: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return how compressed-tensors describes the weights of its first group."""
    groups = quantized.get("config_groups")
    group = next(iter(groups.values()), None) if isinstance(groups, Mapping) else None
    weights = group.get("weights") if isinstance(group, Mapping) else None
    return weights if isinstance(weights, Mapping) else {}
