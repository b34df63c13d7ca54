"""Every installed strategy keeps the contract, on every family and machine."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest

from advisor.accuracy import TREATMENTS
from advisor.catalog import Catalog, InstanceType
from advisor.evidence import evidence
from advisor.examples import EXAMPLES, example
from advisor.registry import installed_strategies
from advisor.strategy import NONE, RATIOS, Option, Strategy

STRATEGIES = {strategy.name: strategy for strategy in installed_strategies()}
MACHINES = {machine.id: machine for machine in Catalog.load().instances}
SAMPLE = sorted(MACHINES)[::6]


def offered(strategy: Strategy) -> Iterator[tuple[str, InstanceType, Option]]:
    for name in EXAMPLES:
        for machine in SAMPLE:
            for option in strategy.options(example(name), MACHINES[machine]):
                yield name, MACHINES[machine], option


def test_the_six_strategies_of_the_promise_are_installed() -> None:
    wanted = {"pruning", "quantization", "adaptive_inference", "batching", "autoscaling", "accelerators"}
    assert wanted <= set(STRATEGIES)


@pytest.mark.parametrize("name", STRATEGIES)
class TestEveryStrategy:
    def test_offers_the_neutral_option_first_and_each_name_once(self, name: str) -> None:
        for workload in EXAMPLES:
            for machine in SAMPLE:
                names = [
                    option.id for option in STRATEGIES[name].options(example(workload), MACHINES[machine])
                ]
                assert names[0] == NONE
                assert len(set(names)) == len(names)

    def test_changes_nothing_with_the_neutral_option(self, name: str) -> None:
        for _, _, option in offered(STRATEGIES[name]):
            if option.id == NONE:
                assert option.deltas.is_policy
                assert (0.0, 0.0, ()) == (
                    option.deltas.gpu_hours,
                    option.deltas.engineer_hours,
                    option.deltas.treatments,
                )

    def test_backs_every_other_option_with_a_source(self, name: str) -> None:
        for _, _, option in offered(STRATEGIES[name]):
            assert option.id == NONE or option.evidence or option.sources, option.id

    def test_cites_only_records_that_are_shipped(self, name: str) -> None:
        for _, _, option in offered(STRATEGIES[name]):
            assert len(option.evidence) == len(evidence(*option.evidence))

    def test_names_only_treatments_that_the_accuracy_model_knows(self, name: str) -> None:
        for _, _, option in offered(STRATEGIES[name]):
            assert set(option.deltas.treatments) <= set(TREATMENTS), option.id

    def test_keeps_ratios_within_what_anybody_has_published(self, name: str) -> None:
        for _, _, option in offered(STRATEGIES[name]):
            for ratio in RATIOS:
                assert 0.05 <= getattr(option.deltas, ratio) <= 4.0, (option.id, ratio)

    def test_is_pure(self, name: str) -> None:
        workload, machine = example(EXAMPLES[0]), MACHINES[SAMPLE[0]]
        assert STRATEGIES[name].options(workload, machine) == STRATEGIES[name].options(workload, machine)

    def test_gives_options_that_can_be_pickled(self, name: str) -> None:
        options = list(STRATEGIES[name].options(example(EXAMPLES[0]), MACHINES[SAMPLE[0]]))
        assert options == pickle.loads(pickle.dumps(options))  # noqa: S301 - our own bytes


@pytest.mark.parametrize(
    ("strategy", "option", "machine", "reason"),
    [
        ("quantization", "fp8", "aws/us-east-1/p4d.24xlarge", "needs compute capability 8.9 or more"),
        ("quantization", "nvfp4", "aws/us-east-1/p5.48xlarge", "needs compute capability 10.0 or more"),
        ("pruning", "2:4", "aws/us-east-1/p5.48xlarge", "is not run by vllm"),
    ],
)
def test_an_option_the_machine_or_runtime_cannot_do_is_refused_with_the_rule(
    strategy: str, option: str, machine: str, reason: str
) -> None:
    workload = example("large-llm")
    found = next(o for o in STRATEGIES[strategy].options(workload, MACHINES[machine]) if o.id == option)
    refusal = found.requires.refusal(
        family="decoder", runtime=workload.serving.runtime, instance_type=MACHINES[machine]
    )
    assert refusal is not None
    assert reason in refusal
