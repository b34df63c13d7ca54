"""Losses of several treatments together: they add, unless a rule with evidence says otherwise."""

import itertools

import numpy as np
import pytest

from advisor.accuracy import TREATMENTS, Interactions, LossDistribution, combine, from_quantiles, lossless
from advisor.accuracy.interactions import FORMS, parse
from advisor.errors import InputError
from advisor.evidence import evidence

RULES = Interactions.load()


def exactly(ratio: float) -> LossDistribution:
    return from_quantiles([0, 1], [ratio, ratio])


def between(low: float, high: float) -> LossDistribution:
    return from_quantiles([0, 1], [low, high])


def test_losses_of_independent_treatments_add() -> None:
    together = combine({"distill-6layer": exactly(0.02), "int8-w8a8": exactly(0.01)}, family="encoder")
    assert pytest.approx(0.03) == together.expected_ratio


def test_lossless_treatments_change_nothing() -> None:
    alone = between(0.0, 0.04)
    together = combine(
        {"fp8-w8a8": alone, "speculative-eagle": lossless("speculative-eagle")}, family="decoder"
    )
    assert np.array_equal(np.sort(alone.samples), together.samples)
    assert together.unknown_pairs == ()


def test_quantizing_a_pruned_vision_model_costs_21_to_40_percent_more_than_the_sum() -> None:
    together = combine({"unstructured-50": exactly(0.0124), "int8-w8a8": exactly(0.0228)}, family="cnn")
    assert pytest.approx(1.21 * 0.0352, rel=1e-3) == together.samples[0]
    assert pytest.approx(1.40 * 0.0352, rel=1e-3) == together.samples[-1]


def test_the_measured_pruned_and_quantized_mobilenet_lies_in_the_predicted_range() -> None:
    prune, joint = (evidence(name)[0].relative_loss or 0.0 for name in ("PR-0111", "PR-0112"))
    quantize = 1.62 / 70.99  # points lost to quantization alone, same table, baseline of PR-0111
    together = combine({"unstructured-50": exactly(prune), "int8-w8a8": exactly(quantize)}, family="cnn")
    assert together.samples[0] <= joint <= together.samples[-1]


def test_training_with_quantization_repairs_the_smaller_loss() -> None:
    together = combine({"unstructured-50": exactly(0.02), "int8-w8a8-qat": exactly(0.01)}, family="cnn")
    assert pytest.approx(0.02, abs=1e-4) == together.samples[0]
    assert pytest.approx(0.028, abs=1e-4) == together.samples[-1]


def test_a_pair_nobody_measured_is_listed_and_wider_than_the_sum() -> None:
    parts = {"early-exit": exactly(0.01), "int8-w8a8": exactly(0.01)}
    together = combine(parts, family="encoder")
    assert together.unknown_pairs == (("early-exit", "int8-w8a8"),)
    assert together.expected_ratio > 0.02
    assert together.p90_ratio > together.p10_ratio


def test_the_order_of_treatments_does_not_matter_to_the_last_bit() -> None:
    parts = {
        "2:4-finetuned": between(0.0, 0.05),
        "kv-fp8": between(0.0, 0.01),
        "fp8-w8a8": between(0.0, 0.02),
    }
    results = [combine(dict(order), family="decoder") for order in itertools.permutations(parts.items())]
    assert all(np.array_equal(results[0].samples, other.samples) and results[0] == other for other in results)


def test_two_number_formats_for_the_same_weights_are_refused() -> None:
    with pytest.raises(InputError, match="cannot be combined: Weights have one number format"):
        combine({"fp8-w8a8": exactly(0.01), "int4-w4a16": exactly(0.02)}, family="decoder")


def test_together_is_never_better_than_the_worse_half_of_the_expected_sum() -> None:
    for first, second in itertools.combinations(sorted(TREATMENTS), 2):
        rule = RULES.between(first, second)
        if rule is None or rule.form != "exclude":
            assert combine({first: exactly(0.01), second: exactly(0.03)}).expected_ratio >= 0.03 - 1e-12, (
                first,
                second,
            )


def test_more_loss_in_a_part_never_means_less_loss_together() -> None:
    less = combine({"fp8-w8a8": between(0.0, 0.01), "kv-fp8": between(0.0, 0.02)}, family="decoder")
    more = combine({"fp8-w8a8": between(0.0, 0.03), "kv-fp8": between(0.0, 0.02)}, family="decoder")
    assert (more.samples >= less.samples - 1e-15).all()


def test_shares_of_the_expected_loss_sum_to_one() -> None:
    together = combine({"fp8-w8a8": exactly(0.01), "kv-fp8": exactly(0.03)}, family="decoder")
    assert pytest.approx({"fp8-w8a8": 0.25, "kv-fp8": 0.75}) == together.weights


def test_nothing_combined_is_lossless() -> None:
    assert combine({}).expected_ratio == 0.0


def test_speculation_on_int4_weights_keeps_81_percent_of_the_product_of_speedups() -> None:
    assert RULES.speed_factor(["speculative-eagle", "int4-w4a16"], family="decoder") == 0.81
    assert RULES.speed_factor(["speculative-eagle", "fp8-w8a8"], family="decoder") == 1.0


def test_every_rule_cites_known_evidence_or_holds_by_construction() -> None:
    for rule in RULES.rules:
        evidence(*rule.evidence)
        assert rule.form in FORMS
        assert rule.note, rule.id
        assert rule.evidence or rule.grade == "S", rule.id


def test_every_rule_names_known_treatments_or_groups() -> None:
    known = set(TREATMENTS) | {treatment.group for treatment in TREATMENTS.values()} | {"*"}
    assert {name for rule in RULES.rules for name in rule.between} <= known


def test_a_rule_with_an_unknown_form_is_refused() -> None:
    with pytest.raises(InputError, match="form is 'magic'; expected one of sum"):
        parse(
            {
                "rules": [{"id": "x", "between": ["a", "b"], "loss": {"form": "magic"}}],
                "unknown": {"low": 1, "high": 2},
                "correlation": {"value": 0},
            }
        )
