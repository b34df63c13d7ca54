"""Labels of published rows are read into the few words the model shares."""

import pytest

from advisor.accuracy.taxonomy import TASK_CLASSES, Kind, halvings, kind, parameters_from_name, task_class
from advisor.accuracy.treatments import TREATMENTS
from advisor.evidence import load


@pytest.mark.parametrize(
    ("label", "name", "method"),
    [
        ("int4-w4a16-g128-autoround-best", "int4-weights", "autoround"), ("fp8-w8a8-dynamic", "fp8", "dynamic"), ("nvfp4-w4a4-qat", "nvfp4", "qat"),
        ("int4-w4a8int-spinquant", "w4a8", "spinquant"), ("structured-2of4+distill-13Btokens", "2:4", "distil"), ("int4-kv", "kv-4bit", ""),
        ("int4/8-mixed-qat-high-latency", "int4-mixed", "qat"), ("sft-reasoning-distill", "distil-reasoning", "distil"), ("pabee", "early-exit", ""),
        ("unstructured-50+int8-ptq", "prune+int8", ""), ("fp8-kv+fp8-attention", "kv-8bit", ""),
    ],
)  # fmt: skip
def test_a_label_names_its_kind_and_method(label: str, name: str, method: str) -> None:
    found = kind(label)
    assert (name, method) == (found.name, found.method)


@pytest.mark.parametrize(
    ("label", "share"),
    [
        ("unstructured-87.5", 0.875),
        ("structured-filter-24.68-sensitive", 0.2468),
        ("structured-2of4", 0.5),
        ("structured-moe-expert-25-reap", 0.25),
        ("structured-prune+distill+int8-qat", 0.5),
    ],
)
def test_the_share_removed_is_read_from_the_label(label: str, share: float) -> None:
    assert pytest.approx(share) == kind(label).intensity


def test_an_unknown_label_falls_back_to_its_strategy() -> None:
    assert Kind("alchemy") == kind("??", "alchemy")


@pytest.mark.parametrize(
    ("benchmark", "task"),
    [("MMLU 5-shot", "knowledge"), ("GSM8K (CoT)", "maths-code"), ("11 tasks 0-shot avg", "mixed"), ("BFCL V2", "tool-use"), ("MGSM (CoT)", "multilingual"),
     ("128k needle in a haystack", "long-context"), ("lambada_openai", "cloze"), ("MRPC", "language-understanding"), ("Cityscapes", "segmentation"), ("IFEval", "instruction")],
)  # fmt: skip
def test_a_benchmark_names_its_task_class(benchmark: str, task: str) -> None:
    assert task == task_class(benchmark)


def test_every_shipped_record_with_quality_has_a_known_task_class() -> None:
    assert {record.task for record in load() if record.recovery_percent is not None} <= set(TASK_CLASSES)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("opt-1.3b", 1.3e9),
        ("Llama 3.1 405B", 405e9),
        ("opt-125m", 125e6),
        ("Mixtral-8x7B", None),
        ("ResNet50", None),
    ],
)
def test_parameters_are_read_from_names_that_carry_them(name: str, parameters: float | None) -> None:
    assert parameters == parameters_from_name(name)


def test_how_often_a_student_fits_into_its_teacher() -> None:
    assert halvings("DeepSeek R1 (671B) -> Student-Qwen-1.5B") == pytest.approx(8.8052, abs=1e-3)
    assert halvings("Qwen3-8B -> 6B") == pytest.approx(0.4150, abs=1e-3)


def test_every_treatment_is_read_as_a_known_kind() -> None:
    for treatment in TREATMENTS.values():
        if treatment.group not in {"lossless", "routing"}:
            for family in treatment.families:
                for recipe in treatment.recipes_for(family):
                    assert kind(recipe.variant).name != "unknown", (treatment.id, recipe.variant)
