"""Models by name, from a Hugging Face configuration, or from fields."""

import json
import pickle
import sys
from pathlib import Path

import pytest

from advisor.errors import InputError, UnknownName
from advisor.inputs import Input
from advisor.model_configs import model_from_config
from advisor.models import Model, ModelSpec, builtin_models, complete, find_model, named_model

LLAMA_8B = {
    "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256, "torch_dtype": "bfloat16",
    "tie_word_embeddings": False,
}  # fmt: skip
MIXTRAL = {
    "model_type": "mixtral", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 32000, "num_local_experts": 8,
    "num_experts_per_tok": 2, "dtype": "bfloat16", "head_dim": None,
}  # fmt: skip
DEEPSEEK_V3 = {
    "model_type": "deepseek_v3", "hidden_size": 7168, "intermediate_size": 18432, "moe_intermediate_size": 2048,
    "num_hidden_layers": 61, "num_attention_heads": 128, "num_key_value_heads": 128, "vocab_size": 129280,
    "n_routed_experts": 256, "n_shared_experts": 1, "num_experts_per_tok": 8, "first_k_dense_replace": 3,
    "kv_lora_rank": 512, "q_lora_rank": 1536, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
    "quantization_config": {"quant_method": "fp8"}, "torch_dtype": "bfloat16", "tie_word_embeddings": False,
}  # fmt: skip
BERT_BASE = {
    "model_type": "bert", "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12,
    "num_attention_heads": 12, "vocab_size": 30522, "max_position_embeddings": 512, "type_vocab_size": 2,
}  # fmt: skip
GPT2 = {
    "model_type": "gpt2",
    "n_embd": 768,
    "n_layer": 12,
    "n_head": 12,
    "vocab_size": 50257,
    "n_inner": None,
}
QWEN3_30B = {
    "model_type": "qwen3_moe", "hidden_size": 2048, "intermediate_size": 6144, "moe_intermediate_size": 768,
    "num_hidden_layers": 48, "num_attention_heads": 32, "num_key_value_heads": 4, "head_dim": 128, "vocab_size": 151936,
    "num_experts": 128, "num_experts_per_tok": 8, "decoder_sparse_step": 1, "mlp_only_layers": [], "dtype": "bfloat16",
}  # fmt: skip


class TestConfigs:
    """Published sizes: the model cards on Hugging Face."""

    @pytest.mark.parametrize(
        ("config", "total", "active"),
        [
            (LLAMA_8B, 8_030_261_248, 8_030_261_248),
            (MIXTRAL, 46.70e9, 12.88e9),
            (DEEPSEEK_V3, 671.0e9, 37.55e9),
            (QWEN3_30B, 30.53e9, 3.35e9),
            (BERT_BASE, 109_482_240, 109_482_240),
            (GPT2, 124.4e6, 124.4e6),
        ],
        ids=["llama-3.1-8b", "mixtral-8x7b", "deepseek-v3", "qwen3-30b-a3b", "bert-base", "gpt2"],
    )
    def test_the_parameters_that_follow_from_the_shape_are_those_published(self, config, total, active):
        model = model_from_config(config, name="x")
        assert model.parameters == pytest.approx(total, rel=0.01)
        assert model.active_parameters == pytest.approx(active, rel=0.01)
        assert model.estimated
        assert "estimated" in model.source

    def test_a_grouped_cache_holds_keys_and_values_of_the_kv_heads(self):
        assert model_from_config(LLAMA_8B, name="x").kv_elements_per_token == 2 * 32 * 8 * 128

    def test_latent_attention_caches_the_latent_and_the_rotary_part(self):
        model = model_from_config(DEEPSEEK_V3, name="x")
        assert model.kv_latent_dim == 576
        assert model.kv_elements_per_token == 61 * 576

    def test_only_layers_with_full_attention_grow_the_cache(self):
        layer_types = ["full_attention" if number % 4 == 3 else "linear_attention" for number in range(32)]
        assert model_from_config(LLAMA_8B | {"layer_types": layer_types}, name="x").full_attention_layers == 8

    def test_the_text_part_of_a_multimodal_model_is_read(self):
        nested = {"model_type": "llava", "text_config": LLAMA_8B, "vision_config": {"hidden_size": 1024}}
        assert model_from_config(nested, name="x").layers == 32

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({}, "bf16"),
            ({"torch_dtype": "float16"}, "fp16"),
            ({"torch_dtype": None, "dtype": "float32"}, "fp32"),
            ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "int4"),
            ({"quantization_config": {"quant_method": "awq", "bits": 4}}, "int4"),
            ({"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}}, "int8"),
            ({"quantization_config": {"quant_method": "mxfp4"}}, "fp4"),
            ({"quantization_config": {"quant_method": "modelopt", "quant_algo": "NVFP4"}}, "fp4"),
            (
                {
                    "quantization_config": {
                        "quant_method": "compressed-tensors",
                        "config_groups": {"group_0": {"weights": {"num_bits": 8, "type": "float"}}},
                    }
                },
                "fp8",
            ),
            ({"quantization_config": {"quant_method": "unheard-of"}}, "bf16"),
        ],
    )
    def test_the_number_format_is_read_in_every_dialect(self, changes, expected):
        assert expected == model_from_config(LLAMA_8B | changes, name="x").weight_dtype

    def test_an_encoder_is_told_by_its_type(self):
        model = model_from_config(BERT_BASE, name="x")
        assert (model.family, model.weight_dtype, model.kv_elements_per_token) == ("encoder", "fp32", 0.0)

    @pytest.mark.parametrize(
        ("config", "message"),
        [
            ({"model_type": "resnet"}, "macs_per_item"),
            ({"model_type": "t5", "is_encoder_decoder": True}, "encoder-decoder"),
            (
                {"architectures": ["X"]},
                "hidden_size is missing; is this the config.json of a transformer",
            ),
            (LLAMA_8B | {"hidden_size": "wide"}, "hidden_size: got 'wide'; expected a whole number"),
            (LLAMA_8B | {"num_hidden_layers": -1}, "expected a whole number"),
        ],
    )
    def test_what_is_not_modelled_is_refused_with_a_reason(self, config, message):
        with pytest.raises(InputError, match=message):
            model_from_config(config, name="x")


class Holder(Input):
    model: Model


class TestNames:
    def test_a_built_in_name_is_found_whatever_its_case_and_by_its_identifier(self):
        expected = find_model("Llama-3.1-8B")
        assert expected == find_model("llama-3.1-8b")
        assert expected == find_model("meta-llama/Llama-3.1-8B-Instruct")
        assert expected == find_model("llama-3.1-8b-instruct")

    def test_an_unknown_name_is_answered_with_the_nearest(self):
        with pytest.raises(UnknownName, match=r"did you mean 'Llama-3.1-8B'"):
            find_model("lama-3.1-8b")

    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("timm:resnet50", "pip install timm"),
            ("transformers:bert", "pip install transformers"),
            ("net.onnx", r"pip install 'inference-advisor\[onnx\]'"),
        ],
    )
    def test_what_needs_a_package_that_is_missing_says_so(
        self, monkeypatch: pytest.MonkeyPatch, name: str, hint: str
    ):
        for package in ("timm", "transformers", "onnx"):
            monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(InputError, match=hint):
            named_model(name)

    @pytest.mark.parametrize("model", builtin_models(), ids=lambda model: model.name)
    def test_every_built_in_model_is_complete_and_sourced(self, model: ModelSpec):
        assert complete(model) is model
        assert model.source not in {"", "given by the user"}
        assert model.active_parameters <= model.parameters

    @pytest.mark.parametrize(
        ("name", "config"),
        [("llama-3.1-8b", LLAMA_8B), ("mixtral-8x7b", MIXTRAL), ("deepseek-v3", DEEPSEEK_V3)],
    )
    def test_the_table_agrees_with_the_configuration(self, name: str, config: dict[str, object]):
        known, computed = find_model(name), model_from_config(config, name=name)
        assert known.kv_elements_per_token == computed.kv_elements_per_token
        assert known.parameters == pytest.approx(computed.parameters, rel=0.02)
        assert known.active_parameters == pytest.approx(computed.active_parameters, rel=0.05)


class TestFields:
    def test_what_follows_from_other_fields_need_not_be_given(self):
        model = ModelSpec(family="LLM", parameters="8B", layers=32, hidden_size=4096, attention_heads=32)
        assert (
            model.family, model.active_parameters, model.kv_heads, model.head_dim, model.intermediate_size, model.weight_dtype,
        ) == ("decoder", 8e9, 32, 128, 16384, "bf16")  # fmt: skip

    def test_a_decoder_computes_two_operations_for_each_active_weight(self):
        assert find_model("llama-3.1-8b").flops_per_item == 16.06e9

    def test_an_encoder_computes_its_matrices_and_attention(self):
        bert = model_from_config(BERT_BASE, name="x")
        by_hand = 12 * (2 * (4 * 768**2 + 2 * 768 * 3072) * 128 + 4 * 768 * 128**2)
        assert by_hand == bert.flops(size=128)

    def test_an_image_of_twice_the_side_costs_four_times(self):
        net = ModelSpec(
            family="cnn",
            parameters="25M",
            macs_per_item="4.1e9",
            activations_per_item=11e6,
            reference_item="224 px",
        )
        assert net.flops(size=448) == 4 * 8.2e9
        assert net.activations(size=448) == 4 * 11e6

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"parameters": -1}, "parameters: got -1; expected a count of 0 or more"),
            ({"parameters": 0}, "expected more than 0"),
            ({"active_parameters": "9B"}, "active_parameters is 9B, more than the 8B parameters in total"),
            ({"layerz": 2}, "layerz: this key is unknown; did you mean 'layers'?"),
            ({"experts_per_token": 2}, "more than the 0 experts"),
            ({"weight_dtype": "bf61"}, "did you mean 'bf16'"),
            ({"family": "rnn"}, "did you mean 'cnn'? (known: cnn, encoder, decoder)"),
            ({"family": "transformer"}, "got 'transformer'; expected one of cnn, encoder, decoder"),
        ],
    )
    def test_fields_that_cannot_be_are_refused(self, changes, message):
        with pytest.raises(InputError) as caught:
            ModelSpec(**({"family": "decoder", "parameters": "8B"} | changes))
        assert message in str(caught.value)

    def test_one_wrong_field_is_one_problem(self):
        with pytest.raises(InputError) as caught:
            ModelSpec(family="decoder", parameters="many")
        assert "\n" not in str(caught.value)

    def test_a_field_of_a_document_takes_a_name_a_path_or_fields(self, tmp_path: Path):
        folder = tmp_path / "my-model"
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(LLAMA_8B))
        by_path = Holder(model=str(folder / "config.json")).model
        assert by_path == Holder(model=str(folder)).model == Holder(model={"config": str(folder)}).model
        assert by_path.name == "my-model"
        assert Holder(model="llama-3.1-8b").model == find_model("llama-3.1-8b")

    def test_fields_beside_a_name_change_the_model_of_that_name(self):
        model = Holder(model={"name": "llama-3.1-8b", "weight_dtype": "fp8"}).model
        assert (model.layers, model.weight_dtype) == (32, "fp8")

    def test_a_network_too_bare_to_be_served_says_what_it_lacks(self):
        with pytest.raises(InputError, match="the cnn 'x' lacks macs_per_item"):
            Holder(model={"name": "x", "family": "cnn", "parameters": "8B"})

    def test_a_model_survives_json_and_pickle(self):
        model = model_from_config(MIXTRAL, name="x")
        assert model == ModelSpec.model_validate_json(model.model_dump_json())
        assert model == pickle.loads(pickle.dumps(model))  # noqa: S301 - our own bytes
