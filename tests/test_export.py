"""Exports of a plan, read by the validators of the tools that they are for."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import hcl2
import jsonschema
import kubernetes_validate
import pytest
import yaml
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.grpc import model_config_pb2

from advisor import Catalog, Recommendation, Requirements, recommend
from advisor.cli.exporting import ExportTarget
from advisor.errors import InputError, UnknownName
from advisor.export import TARGETS, NotInPlan, export, joined
from advisor.export.facts import Facts
from advisor.export.writing import Noted, commented, slugs, to_yaml
from advisor.recommendation import Choice
from advisor.registry import installed_strategies
from advisor.stored import LIMIT_BYTES, load_plan, served
from tests.builders import a_workload, an_llm

KUBERNETES = "1.37"
# Names that the tools' own code has, looked up in November 2026: the wheels of vLLM 0.33.0 (vllm/engine/arg_utils.py,
# vllm/config/speculative.py and cache.py), SGLang 0.5.23 (sglang/srt/arg_groups/fields) and llm-compressor 0.14.0.1 (its
# Recipe reads each recipe: tests/integration/test_export_tools.py), and llmapi/llm_args.py of NVIDIA/TensorRT-LLM 1.2.
VLLM_FLAGS = {
    "--tensor-parallel-size",
    "--max-num-seqs",
    "--enable-prefix-caching",
    "--kv-cache-dtype",
    "--speculative-config",
}
SGLANG_FLAGS = {
    "--tp-size",
    "--max-running-requests",
    "--kv-cache-dtype",
    "--speculative-algorithm",
    "--speculative-draft-model-path",
    "--speculative-num-steps",
    "--speculative-eagle-topk",
    "--speculative-num-draft-tokens",
}
VLLM_SPECULATION = {"method", "model", "num_speculative_tokens", "prompt_lookup_max", "prompt_lookup_min"}
TRTLLM_KEYS = {"tensor_parallel_size", "max_batch_size", "kv_cache_config", "speculative_config"}
TRTLLM_SPECULATION = {
    "NGram": {"decoding_type", "max_draft_len", "max_matching_ngram_size"},
    "Eagle3": {"decoding_type", "max_draft_len", "speculative_model"},
}
SCHEMES = {"FP8_DYNAMIC", "W8A8", "W4A16", "W4AFP8", "NVFP4"}
DAY = [2.0] * 8 + [40.0] * 8 + [10.0] * 8


def planned(workload: Any, *only: str, **requirements: Any) -> Recommendation:
    """A plan that may use only these options, with the last one's strategy forced by its price."""
    return recommend(
        workload, Requirements(max_accuracy_loss="5%", only=only or ("quantization",), **requirements)
    )


def with_choice(plan: Recommendation, **options: str) -> Recommendation:
    """The plan with other options of the built-in strategies in it, as those declare them."""
    ((service, workload),) = served(plan)
    machine = Catalog.load().instance(service.instance_type, service.provider, service.region)
    offered = {
        strategy.name: {option.id: option for option in strategy.options(workload, machine)}
        for strategy in installed_strategies()
    }

    def chosen(choice: Choice) -> Choice:
        option = offered[choice.strategy].get(options.get(choice.strategy, ""))
        if option is None:
            return choice
        return Choice(
            strategy=choice.strategy,
            option=option.id,
            title=option.title,
            changed=True,
            artefacts=dict(option.artefacts),
        )

    return with_service(plan, choices=tuple(map(chosen, service.choices)))


def with_service(plan: Recommendation, **fields: Any) -> Recommendation:
    """The plan of one service with other fields in it."""
    assert plan.plan is not None
    (service,) = plan.plan.services
    services = (service.model_copy(update=fields),)
    return plan.model_copy(update={"plan": plan.plan.model_copy(update={"services": services})})


@cache
def chat() -> Recommendation:
    return recommend("large-llm", Requirements(max_accuracy_loss="1%"))


def sequences(plan: Recommendation) -> str:
    """The most sequences in flight, from the option that the plan chose."""
    (batching,) = [c for c in served(load_plan(plan))[0][0].choices if c.strategy == "batching"]
    return batching.option.removeprefix("continuous-").partition("+")[0]


@cache
def images() -> Recommendation:
    return recommend("small-cnn", Requirements(max_accuracy_loss="1%"))


def text(plan: Recommendation, target: str) -> str:
    return joined(export(plan, target))


def document(plan: Recommendation, target: str) -> Any:
    return yaml.safe_load(text(plan, target))


class TestEngines:
    def test_the_vllm_script_starts_vllm_with_the_documented_flags_of_the_plan(self, tmp_path: Path) -> None:
        arguments = started(text(chat(), "vllm"), "vllm", tmp_path, "--port", "1")
        assert ["serve", "the model"] == arguments[:2]
        assert {word for word in arguments if word.startswith("--")} <= VLLM_FLAGS | {"--port"}
        assert sequences(chat()) == arguments[arguments.index("--max-num-seqs") + 1]
        replica = served(load_plan(chat()))[0][0].accelerators_per_replica
        assert str(replica) == arguments[arguments.index("--tensor-parallel-size") + 1]

    def test_further_arguments_come_last_and_so_win(self, tmp_path: Path) -> None:
        assert ["--port", "1"] == started(text(chat(), "vllm"), "vllm", tmp_path, "--port", "1")[-2:]

    def test_each_flag_has_its_reason(self) -> None:
        lines = [line for line in text(chat(), "vllm").splitlines() if line.startswith("set -- ")]
        assert all("  # " in line for line in lines)
        limit = sequences(chat())
        reason = re.compile(rf"{limit} sequences in flight: TPOT p99 [0-9.]+ ms of 80 ms")
        assert any(f"--max-num-seqs {limit}" in line and reason.search(line) for line in lines)

    def test_names_versions_and_what_the_plan_was_made_from(self) -> None:
        assert "vLLM 0.33" in text(chat(), "vllm")
        for target in ("vllm", "deployment", "terraform", "llm-compressor"):
            head = text(chat(), target)
            assert chat().provenance.catalog_version in head
            assert chat().provenance.workload_digest[:12] in head

    def test_says_what_is_left_to_fill_in(self) -> None:
        assert "Fill in <draft head> before you start it." in text(chat(), "vllm")

    def test_a_change_to_the_model_that_gives_nothing_to_paste_is_named(self) -> None:
        plan = with_choice(images(), quantization="int8")
        assert "# Not in this file, to be done first: INT8 after training" in text(plan, "deployment")
        assert "Not in this file" not in text(chat(), "deployment")

    @pytest.mark.parametrize("way", ["speculative-ngram", "speculative-eagle"])
    def test_sglang_gets_flags_of_its_own(self, tmp_path: Path, way: str) -> None:
        plan = planned(an_llm(serving={**SERVING, "runtime": "sglang"}, requests=REPEATING))
        plan = with_choice(
            plan, adaptive_inference=way, quantization="fp8+kv-fp8", batching="continuous-64+prefix-cache"
        )
        arguments = started(text(plan, "sglang"), "python3", tmp_path)
        assert ["-m", "sglang.launch_server", "--model-path", "the model"] == arguments[:4]
        assert {word for word in arguments[4:] if word.startswith("--")} <= SGLANG_FLAGS
        assert "64" == arguments[arguments.index("--max-running-requests") + 1]

    def test_tensorrt_llm_gets_its_options_file(self) -> None:
        plan = planned(an_llm(serving={**SERVING, "runtime": "trtllm"}, requests=REPEATING))
        plan = with_choice(
            plan,
            adaptive_inference="speculative-ngram",
            quantization="fp8+kv-fp8",
            batching="continuous-64+prefix-cache",
        )
        options = document(plan, "trtllm")
        assert set(options) <= TRTLLM_KEYS
        assert 64 == options["max_batch_size"]
        assert {"dtype": "fp8", "enable_block_reuse": True} == options["kv_cache_config"]
        speculation = options["speculative_config"]
        assert TRTLLM_SPECULATION["NGram"] == set(speculation)
        assert "NGram" == speculation["decoding_type"]
        speculation = document(with_choice(plan, adaptive_inference="speculative-eagle"), "trtllm")[
            "speculative_config"
        ]
        assert TRTLLM_SPECULATION[speculation["decoding_type"]] == set(speculation)

    @pytest.mark.parametrize("way", ["speculative-ngram", "speculative-eagle"])
    def test_the_speculation_of_vllm_is_json_with_keys_it_knows(self, tmp_path: Path, way: str) -> None:
        plan = with_choice(planned(an_llm(serving=SERVING, requests=REPEATING)), adaptive_inference=way)
        arguments = started(text(plan, "vllm"), "vllm", tmp_path)
        found = json.loads(arguments[arguments.index("--speculative-config") + 1])
        assert found["method"] in {"ngram", "eagle3"}
        assert set(found) <= VLLM_SPECULATION

    def test_an_engine_that_the_plan_was_not_evaluated_for_is_refused_with_the_right_one(self) -> None:
        with pytest.raises(NotInPlan, match=r"served by vllm.*--to vllm"):
            export(chat(), "sglang")
        with pytest.raises(NotInPlan, match="--to triton"):
            export(images(), "vllm")

    @pytest.mark.parametrize(
        ("option", "scheme", "modifiers"),
        [
            ("quantization=fp8+kv-fp8", "FP8_DYNAMIC", ["QuantizationModifier"]),
            ("quantization=int8", "W8A8", ["SmoothQuantModifier", "GPTQModifier"]),
            ("quantization=int4-weights", "W4A16", ["GPTQModifier"]),
        ],
    )
    def test_the_recipe_has_the_scheme_of_the_plan(
        self, option: str, scheme: str, modifiers: list[str]
    ) -> None:
        plan = with_choice(planned(an_llm()), quantization=option.partition("=")[2])
        recipe = document(plan, "llm-compressor")["quant_stage"]["quant_modifiers"]
        assert modifiers == list(recipe)
        assert scheme in SCHEMES
        assert {"targets": ["Linear"], "ignore": ["lm_head"], "scheme": scheme} == recipe[modifiers[-1]]

    def test_there_is_no_recipe_where_nothing_is_quantized(self) -> None:
        with pytest.raises(NotInPlan, match="keeps the weights in bf16"):
            export(planned(an_llm(), "batching"), "llm-compressor")


REPEATING = {"input_tokens": 800, "output_tokens": 200, "prefix_share": "30%"}
SERVING = {
    "instance_type": "p5.48xlarge",
    "provider": "aws",
    "region": "us-east-1",
    "instances": 1,
    "accelerators_per_replica": 1,
    "precision": "bf16",
}


def started(script: str, program: str, folder: Path, *more: str) -> list[str]:
    """Run a script with a stand-in for the engine, which says what it was given."""
    bin_folder = folder / "bin"
    bin_folder.mkdir(exist_ok=True)
    stand_in = bin_folder / program
    stand_in.write_text('#!/bin/sh\nfor one in "$@"; do printf "%s\\0" "$one"; done\n')
    stand_in.chmod(0o755)
    (folder / "serve.sh").write_text(script)
    environment = {"PATH": f"{bin_folder}:{os.environ['PATH']}", "MODEL": "the model"}
    done = subprocess.run(
        ["sh", folder / "serve.sh", *more], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split("\0")[:-1]


class TestTriton:
    def test_config_pbtxt_is_read_by_tritons_own_protobuf(self) -> None:
        config = text_format.Parse(text(images(), "triton"), model_config_pb2.ModelConfig())
        assert "image-classification" == config.name
        assert 64 == config.max_batch_size
        assert 0 == config.dynamic_batching.max_queue_delay_microseconds
        assert [(model_config_pb2.ModelInstanceGroup.KIND_GPU, 1)] == [
            (g.kind, g.count) for g in config.instance_group
        ]

    def test_the_wait_is_in_microseconds(self) -> None:
        plan = with_choice(images(), batching="dynamic-32:5ms")
        config = text_format.Parse(text(plan, "triton"), model_config_pb2.ModelConfig())
        assert (32, 5000) == (config.max_batch_size, config.dynamic_batching.max_queue_delay_microseconds)

    def test_a_batch_of_one_has_no_dynamic_batching(self) -> None:
        plan = with_choice(images(), batching="dynamic-1:0ms")
        config = text_format.Parse(text(plan, "triton"), model_config_pb2.ModelConfig())
        assert not config.HasField("dynamic_batching")

    def test_a_language_model_is_refused_with_where_to_go(self) -> None:
        with pytest.raises(NotInPlan, match="vllm batches its sequences itself; see '--to vllm'"):
            export(chat(), "triton")


class TestKubernetes:
    @pytest.mark.parametrize("name", ["chat", "images"])
    def test_a_deployment_is_valid_for_kubernetes(self, name: str) -> None:
        kubernetes_validate.validate(document(PLANS[name](), "deployment"), KUBERNETES, strict=True)

    def test_a_deployment_on_a_cpu_gives_each_replica_a_machine(self) -> None:
        plan = recommend(
            a_workload(
                model="resnet18", serving=CPU, traffic={"requests_per_s": 5}, limits={"latency_p99": "2s"}
            ),
            Requirements(only=("autoscaling",)),
        )
        found = document(plan, "deployment")
        kubernetes_validate.validate(found, KUBERNETES, strict=True)
        pod = found["spec"]["template"]["spec"]
        assert "resources" not in pod["containers"][0]
        assert "podAntiAffinity" in pod["affinity"]
        assert "KIND_CPU" in text(plan, "triton")

    def test_an_autoscaler_is_valid_for_kubernetes_and_keeps_the_plans_bounds(self) -> None:
        found = document(chat(), "hpa")
        kubernetes_validate.validate(found, KUBERNETES, strict=True)
        counts = served(load_plan(chat()))[0][0].replicas_by_period
        assert min(counts) < max(counts)
        assert (min(counts), max(counts)) == (found["spec"]["minReplicas"], found["spec"]["maxReplicas"])

    def test_the_validator_would_find_a_typing_error(self) -> None:
        broken = document(chat(), "hpa")
        broken["spec"]["maxReplicaz"] = broken["spec"].pop("maxReplicas")
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(broken, KUBERNETES, strict=True)

    def test_an_autoscaler_at_that_target_holds_the_plans_replicas_in_every_hour(self) -> None:
        for plan in (
            chat(),
            recommend(an_llm(traffic={"requests_per_s": DAY}), Requirements(only=("autoscaling=reactive",))),
        ):
            facts = facts_of(plan)
            for rate, count in zip(facts.rates, facts.plan.replicas_by_period, strict=True):
                held = max(facts.replicas_least, math.ceil(rate / facts.target_requests_per_s))
                assert count <= held

    def test_the_target_is_never_above_what_a_replica_carries(self) -> None:
        facts = facts_of(chat())
        counts = facts.plan.replicas_by_period
        rate, most = min((r, n) for r, n in zip(facts.rates, counts, strict=True) if n > min(counts))
        assert 0.999 * rate / (most - 1) == pytest.approx(facts.target_requests_per_s)
        assert facts.target_requests_per_s <= (facts.plan.capacity_requests_per_s or 0.0)

    def test_static_replicas_need_no_autoscaler(self) -> None:
        for target in ("hpa", "keda"):
            with pytest.raises(NotInPlan, match="2 replicas at all hours"):
                export(images(), target)

    def test_a_schedule_is_sent_to_keda(self) -> None:
        with pytest.raises(NotInPlan, match="--to keda"):
            export(with_service(chat(), scaling="scheduled"), "hpa")


PLANS = {"chat": chat, "images": images}
CPU = {"instance_type": "m5.xlarge", "provider": "aws", "region": "us-east-1", "precision": "fp32", "runtime": "onnxruntime", "max_batch": 8}  # fmt: skip
NAME = {"type": "string", "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63}


def an_object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


def texts(*names: str) -> dict[str, Any]:
    return {name: {"type": "string"} for name in names}


def a_resource(version: str, kind: str, spec: Mapping[str, Any], **metadata: Any) -> dict[str, Any]:
    return an_object(
        ["apiVersion", "kind", "metadata", "spec"],
        apiVersion={"const": version},
        kind={"const": kind},
        metadata=an_object(["name"], name=NAME, **metadata),
        spec=spec,
    )


TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
COUNT = {"type": "integer", "minimum": 0}
SCALED_OBJECT = a_resource(
    "keda.sh/v1alpha1",
    "ScaledObject",
    an_object(
        ["scaleTargetRef", "triggers"],
        scaleTargetRef=an_object(["name"], name=NAME),
        minReplicaCount=COUNT,
        maxReplicaCount=COUNT,
        cooldownPeriod=COUNT,
        triggers={
            "type": "array",
            "minItems": 1,
            "items": {
                "oneOf": [
                    an_object(["type", "metadata"], type={"const": "prometheus"}, metadata=an_object(["serverAddress", "query", "threshold"], **texts("serverAddress", "query", "threshold"))),
                    an_object(["type", "metadata"], type={"const": "cron"}, metadata=an_object(["timezone", "start", "end", "desiredReplicas"], **texts("timezone", "start", "end", "desiredReplicas"))),
                ]
            },
        },
    ),
)  # fmt: skip
METRIC = an_object(
    ["type", "external"],
    type={"const": "External"},
    external=an_object(
        ["metric", "target"],
        metric=an_object(["backend", "serverAddress", "query"], backend={"const": "prometheus"}, serverAddress={"type": "string"}, query={"type": "string"}),
        target=an_object(["type", "value"], type={"enum": ["Value", "AverageValue", "Utilization"]}, value={"type": "string"}),
    ),
)  # fmt: skip
INFERENCE_SERVICE = a_resource(
    "serving.kserve.io/v1beta1",
    "InferenceService",
    an_object(
        ["predictor"],
        predictor=an_object(
            ["model"],
            minReplicas=COUNT,
            maxReplicas=COUNT,
            nodeSelector=TEXTS,
            autoScaling=an_object(["metrics"], metrics={"type": "array", "items": METRIC}),
            batcher=an_object([], maxBatchSize=COUNT, maxLatency=COUNT, timeout=COUNT),
            model=an_object(
                ["modelFormat"],
                modelFormat=an_object(["name"], name={"type": "string"}, version={"type": "string"}),
                storageUri={"type": "string"},
                args={"type": "array", "items": {"type": "string"}},
                resources=an_object([], limits=TEXTS, requests=TEXTS),
            ),
        ),
    ),
    annotations=an_object([], **{
        "serving.kserve.io/deploymentMode": {"enum": ["Standard", "Knative"]},
        "serving.kserve.io/autoscalerClass": {"enum": ["hpa", "keda", "external", "none"]},
    }),
)  # fmt: skip
NODE_POOL = a_resource(
    "karpenter.sh/v1",
    "NodePool",
    an_object(
        ["template", "disruption"],
        template=an_object(
            ["spec"],
            spec=an_object(
                ["nodeClassRef", "requirements"],
                nodeClassRef=an_object(["group", "kind", "name"], group={"type": "string"}, kind={"type": "string"}, name=NAME),
                requirements={"type": "array", "items": an_object(["key", "operator"], key={"type": "string"}, operator={"enum": ["In", "NotIn", "Exists"]}, values={"type": "array", "minItems": 1, "items": {"type": "string"}})},
                expireAfter={"type": "string"},
            ),
        ),
        disruption=an_object(["consolidateAfter"], consolidationPolicy={"enum": ["WhenEmpty", "WhenEmptyOrUnderutilized"]}, consolidateAfter={"type": "string", "pattern": "^([0-9]+(s|m|h))+$|^Never$"}),
        limits=TEXTS,
    ),
)  # fmt: skip


class TestCustomResources:
    @pytest.mark.parametrize("scaling", ["reactive", "scheduled", "scale-to-zero"])
    def test_a_scaled_object_keeps_to_kedas_fields(self, scaling: str) -> None:
        found = document(with_service(chat(), scaling=scaling), "keda")
        jsonschema.validate(found, SCALED_OBJECT)
        assert ("cron" if scaling == "scheduled" else "prometheus") == found["spec"]["triggers"][0]["type"]
        least = min(served(load_plan(chat()))[0][0].replicas_by_period)
        assert (0 if scaling == "scale-to-zero" else least) == found["spec"]["minReplicaCount"]

    def test_the_schedule_has_the_plans_replicas_in_every_hour(self) -> None:
        plan = with_service(chat(), scaling="scheduled")
        spec = document(plan, "keda")["spec"]
        counts = [spec["minReplicaCount"]] * 24
        for trigger in (one["metadata"] for one in spec["triggers"]):
            first, end = int(trigger["start"].split()[1]), int(trigger["end"].split()[1])
            for hour in range(first, end or 24):
                counts[hour] = max(counts[hour], int(trigger["desiredReplicas"]))
        assert plan.plan is not None
        assert plan.plan.services[0].replicas_by_period == tuple(counts)

    def test_a_load_curve_has_no_hours_to_schedule(self) -> None:
        curve = recommend("medium-transformer", Requirements(max_accuracy_loss="1%"))
        with pytest.raises(NotInPlan, match="24 or 168 hourly rates"):
            export(with_service(curve, scaling="scheduled"), "keda")

    @pytest.mark.parametrize("name", ["chat", "images"])
    def test_an_inference_service_keeps_to_kserves_fields(self, name: str) -> None:
        jsonschema.validate(document(PLANS[name](), "kserve"), INFERENCE_SERVICE)

    @pytest.mark.parametrize(
        ("scaling", "scaler"),
        [("static", "none"), ("reactive", "keda"), ("scale-to-zero", "keda"), ("scheduled", "external")],
    )
    def test_kserve_leaves_replicas_alone_that_somebody_else_scales(self, scaling: str, scaler: str) -> None:
        # With `none`, KServe itself sets the replicas to minReplicas.
        plan = images() if scaling == "static" else with_service(chat(), scaling=scaling)
        found = document(plan, "kserve")
        assert scaler == found["metadata"]["annotations"]["serving.kserve.io/autoscalerClass"]
        predictor = found["spec"]["predictor"]
        assert ("autoScaling" in predictor) == (scaler == "keda")
        if scaling == "static":
            assert predictor["minReplicas"] == predictor["maxReplicas"]

    def test_the_flags_in_manifests_are_those_of_the_script(self) -> None:
        arguments = document(chat(), "kserve")["spec"]["predictor"]["model"]["args"]
        assert {one.partition("=")[0] for one in arguments} <= VLLM_FLAGS
        container = document(chat(), "deployment")["spec"]["template"]["spec"]["containers"][0]
        assert arguments == container["args"][1:]

    def test_a_node_pool_keeps_to_karpenters_fields_and_holds_the_peak(self) -> None:
        found = document(chat(), "karpenter")
        jsonschema.validate(found, NODE_POOL)
        assert {"nvidia.com/gpu": "16"} == found["spec"]["limits"]  # two machines of eight

    def test_a_provider_without_karpenter_is_refused(self) -> None:
        plan = with_service(chat(), provider="runpod", region="global")
        with pytest.raises(NotInPlan, match=r"no provider for runpod.*terraform"):
            export(plan, "karpenter")


class TestTerraform:
    def test_variables_are_read_as_hcl(self) -> None:
        found = hcl2.loads(text(chat(), "terraform"))
        assert "p5.48xlarge" == found["instance_type"].strip('"')
        assert (1, 2, 1) == (found["min_size"], found["max_size"], found["reserved_instances"])

    @pytest.mark.skipif(
        shutil.which("terraform") is None, reason="terraform is not installed; python-hcl2 reads it too"
    )
    def test_terraform_itself_finds_nothing_to_format(self, tmp_path: Path) -> None:
        path = tmp_path / "plan.tfvars"
        environment = {**os.environ, "TF_CLI_CONFIG_FILE": os.devnull}
        for plan in (chat(), images()):
            path.write_text(text(plan, "terraform"))
            done = subprocess.run(
                ["terraform", "fmt", "-check", path],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert (0, "") == (done.returncode, done.stderr)


def facts_of(plan: Recommendation) -> Facts:
    ((service, workload),) = served(load_plan(plan))
    return Facts(service, workload, None, "x", plan.provenance)


class TestFleets:
    def test_each_service_has_a_document_of_its_own(self) -> None:
        fleet = recommend(
            [a_workload(name="a b"), a_workload(name="a-b")], Requirements(only=("autoscaling",))
        )
        documents = export(fleet, "deployment")
        assert [("a b", "a-b-deployment.yaml"), ("a-b", "a-b-2-deployment.yaml")] == [
            (d.service, d.path) for d in documents
        ]
        assert ["a-b", "a-b-2"] == [d["metadata"]["name"] for d in yaml.safe_load_all(joined(documents))]

    def test_services_that_a_target_has_nothing_for_are_left_out(self) -> None:
        fleet = recommend([a_workload(), an_llm()], Requirements(only=("autoscaling",)))
        assert ["assistant"] == [one.service for one in export(fleet, "vllm")]

    def test_several_scripts_do_not_fit_in_one_file(self) -> None:
        fleet = recommend([an_llm(name="a"), an_llm(name="b")], Requirements(only=("autoscaling",)))
        with pytest.raises(NotInPlan, match="give a folder"):
            joined(export(fleet, "vllm"))


HOSTILE = 'x"; touch hacked; $(touch hacked) `touch hacked` ${touch} \n!!python/object: &a *a\n}}# \x07'


class TestHostileNames:
    def test_a_name_cannot_leave_its_line(self, tmp_path: Path) -> None:
        plan = planned(an_llm(name=HOSTILE[:100]), "quantization")
        script = text(plan, "vllm")
        started(script, "vllm", tmp_path)
        assert not (tmp_path / "hacked").exists()
        assert not Path("hacked").exists()
        kubernetes_validate.validate(document(plan, "deployment"), KUBERNETES, strict=True)
        hcl2.loads(text(plan, "terraform"))

    def test_protobuf_text_holds_a_hostile_name(self) -> None:
        plan = planned(a_workload(name=HOSTILE[:100]), "batching")
        config = text_format.Parse(text(plan, "triton"), model_config_pb2.ModelConfig())
        assert config.name.startswith("x-touch")

    @given(st.lists(st.text(max_size=80), min_size=1, max_size=6))
    def test_slugs_are_dns_labels_and_distinct(self, names: list[str]) -> None:
        found = slugs(names)
        assert len(set(found)) == len(names)
        for one in found:
            jsonschema.validate(one, NAME)

    @given(
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.text()
            | st.floats(allow_nan=False, allow_infinity=False),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
            max_leaves=12,
        ),
        st.text(),
    )
    def test_yaml_comes_back_as_it_was_but_for_control_characters(self, value: Any, why: str) -> None:
        noted = {"head": Noted(value, why), "list": [Noted(value, why), value]}
        assert yaml.safe_load(to_yaml(noted)) == {
            "head": cleaned(value),
            "list": [cleaned(value), cleaned(value)],
        }

    @given(st.text())
    def test_a_comment_is_only_a_comment(self, why: str) -> None:
        assert yaml.safe_load(commented([why])) is None


def cleaned(value: Any) -> Any:
    """What is left of a value without control characters, which no document needs."""
    from advisor.export.writing import _CONTROL, one_line

    if isinstance(value, str):
        return one_line(value) if _CONTROL.search(value) else value
    if isinstance(value, list):
        return [cleaned(one) for one in value]
    if isinstance(value, dict):
        return {cleaned(key): cleaned(one) for key, one in value.items()}
    return value


class TestStoredPlans:
    def test_a_plan_read_back_exports_the_same(self, tmp_path: Path) -> None:
        for name in ("plan.json", "plan.yaml"):
            path = tmp_path / name
            dumped = chat().model_dump(mode="json")
            path.write_text(chat().model_dump_json() if name.endswith("json") else yaml.safe_dump(dumped))
            assert text(chat(), "deployment") == joined(export(path, "deployment"))

    def test_an_unknown_target_is_named_with_its_neighbours(self) -> None:
        with pytest.raises(UnknownName, match="did you mean 'karpenter'"):
            export(chat(), "karpanter")

    def test_the_flag_knows_every_target(self) -> None:
        assert list(TARGETS) == [one.value for one in ExportTarget]

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "not JSON"),
            (b"{", "not JSON"),
            (b"[" * 100_000, "not JSON"),
            (b"\xff\xfe", "UTF-8"),
            (b"[]", "no recommendation"),
            (b'{"model": "resnet50"}', "no recommendation"),
            (b'{"provenance": 1, "schema_version": "0.1"}', "schema version '0.1'"),
            (b'{"provenance": 1, "schema_version": "1.0"}', "write it again"),
        ],
    )
    def test_a_file_that_is_no_plan_is_refused_in_words(
        self, tmp_path: Path, content: bytes, message: str
    ) -> None:
        path = tmp_path / "plan.json"
        path.write_bytes(content)
        with pytest.raises(InputError, match=message):
            load_plan(path)

    def test_a_huge_file_is_not_read(self, tmp_path: Path) -> None:
        path = tmp_path / "plan.json"
        with path.open("wb") as file:
            file.truncate(LIMIT_BYTES + 1)
        with pytest.raises(InputError, match="larger than 32 MB"):
            load_plan(path)

    def test_a_result_without_a_plan_or_inputs_is_refused(self) -> None:
        nothing = recommend(
            "small-cnn", Requirements(max_accuracy_loss="1%", latency={"latency_p99": "0.1ms"})
        )
        with pytest.raises(InputError, match="holds no plan"):
            load_plan(nothing)
        with pytest.raises(InputError, match="inputs"):
            load_plan(chat().model_copy(update={"inputs": None}))


class TestCommand:
    def test_writes_a_file_or_a_folder_and_refuses_to_overwrite(self, tmp_path: Path) -> None:
        (tmp_path / "plan.json").write_text(images().model_dump_json())
        run = [sys.executable, "-m", "advisor", "export", "plan.json", "--to", "triton"]

        def done(*more: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run([*run, *more], cwd=tmp_path, capture_output=True, text=True, check=False)

        assert 0 == done("-o", "config.pbtxt").returncode
        again = done("-o", "config.pbtxt")
        assert (2, True) == (again.returncode, "--force" in again.stderr)
        assert 0 == done("-o", "models/").returncode
        written = tmp_path / "models" / "image-classification" / "config.pbtxt"
        assert (tmp_path / "config.pbtxt").read_text() == written.read_text() == done().stdout

    def test_a_target_that_does_not_apply_ends_with_2_and_words(self, tmp_path: Path) -> None:
        (tmp_path / "plan.json").write_text(images().model_dump_json())
        done = subprocess.run(
            [sys.executable, "-m", "advisor", "export", "plan.json", "--to", "hpa"], cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (2, "") == (done.returncode, done.stdout)
        assert "static scaling" in done.stderr


WRITER = """
import sys
from advisor.report import write_text
number = 0
while True:
    number += 1
    write_text(f"{number % 10}" * 300_000, sys.argv[1], force=True)
    if number == 1:
        print("writing", flush=True)
"""


class TestKilledWrites:
    def test_a_kill_in_the_middle_leaves_the_old_file_or_the_new_one(self, tmp_path: Path) -> None:
        path = tmp_path / "plan.json"
        for attempt in range(12):
            writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
            assert writer.stdout is not None
            assert b"writing\n" == writer.stdout.readline()
            time.sleep(0.0007 * attempt)
            writer.kill()
            writer.communicate()
            found = path.read_text()
            assert 300_000 == len(found)
            assert 1 == len(set(found))
