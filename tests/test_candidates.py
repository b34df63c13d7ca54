"""Composition: all compatible combinations, nothing else, and the reason for what is left out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from advisor.candidates import Candidates, compose
from advisor.catalog import Catalog
from advisor.errors import InputError, StrategyError, UnknownName
from advisor.requirements import Requirements
from advisor.strategy import Requires
from tests.builders import AStrategy, a_workload, an_option

T4 = Catalog.load().instance("g4dn.xlarge", "aws", "us-east-1")
L4 = Catalog.load().instance("g6.xlarge", "aws", "us-east-1")
FASTER = AStrategy("faster", (an_option("a", throughput_ratio=1.2), an_option("b", throughput_ratio=1.5)))
SMALLER = AStrategy("smaller", (an_option("c", compute_ratio=0.8),))
CHEAPER = AStrategy("cheaper", (an_option("d", purchase="spot"), an_option("e", scaling="reactive")))


def composed(*strategies: AStrategy, **requirements: object) -> Candidates:
    return compose(a_workload(), Requirements.load(requirements), strategies, [T4])


def names(candidates: Candidates) -> set[tuple[str, ...]]:
    found = set()
    for block in candidates.blocks:
        for number, policy in enumerate(block.policies):
            for engine in block.engines[block.engines_under(number)]:
                chosen = [
                    *zip(block.engine_axes, engine, strict=True),
                    *zip(block.policy_axes, policy, strict=True),
                ]
                pairs = sorted((axis.strategy, axis.options[i].id) for axis, i in chosen)
                found.add(tuple(option for _, option in pairs))
    return found


def test_every_combination_occurs_once() -> None:
    candidates = composed(FASTER, SMALLER, CHEAPER)
    assert 3 * 2 * 3 == candidates.count == len(names(candidates))


def test_each_machine_has_a_block_of_its_own() -> None:
    candidates = compose(a_workload(), Requirements(), [FASTER], [L4, T4])
    assert ["g4dn.xlarge", "g6.xlarge"] == [block.instance_type.name for block in candidates.blocks]


def test_the_order_of_strategies_and_machines_is_irrelevant() -> None:
    one = compose(a_workload(), Requirements(), [FASTER, CHEAPER, SMALLER], [T4, L4])
    other = compose(a_workload(), Requirements(), [SMALLER, FASTER, CHEAPER], [L4, T4])
    assert [block.engine_axes for block in one.blocks] == [block.engine_axes for block in other.blocks]
    assert names(one) == names(other)


def test_options_that_conflict_never_meet() -> None:
    picky = AStrategy("picky", (replace(an_option("x", compute_ratio=0.5), conflicts=("faster=b*",)),))
    assert ("b", "x") not in names(composed(FASTER, picky))
    assert ("a", "x") in names(composed(FASTER, picky))


def test_a_conflict_with_a_policy_is_kept_too() -> None:
    picky = AStrategy("picky", (replace(an_option("x", compute_ratio=0.5), conflicts=("cheaper=d",)),))
    found = names(composed(CHEAPER, picky))
    assert ("d", "x") not in found
    assert {("e", "x"), ("d", "none")} <= found
    assert len(found) == composed(CHEAPER, picky).count


def test_a_strategy_that_changes_the_engine_and_the_policy_breaks_the_contract() -> None:
    with pytest.raises(StrategyError, match="two strategies"):
        composed(AStrategy("mixed", (an_option("x", scaling="reactive"), an_option("y", compute_ratio=0.5))))


def test_only_keeps_what_is_named_and_none() -> None:
    assert {("none", "none"), ("b", "none")} == names(composed(FASTER, SMALLER, only=["faster=b"]))


def test_without_leaves_out_by_pattern() -> None:
    assert {("none", "none"), ("none", "c")} == names(composed(FASTER, SMALLER, without=["faster"]))


def test_an_unknown_strategy_in_a_pattern_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownName, match="did you mean 'faster'"):
        composed(FASTER, without=["fastr"])


def test_what_a_machine_cannot_do_is_left_out_with_the_reason() -> None:
    needs = replace(an_option("x", compute_ratio=0.5), requires=Requires(dtypes=("fp8",)))
    candidates = composed(AStrategy("picky", (needs,)))
    assert {("none",)} == names(candidates)
    assert ["needs a chip that computes in fp8"] == [exclusion.reason for exclusion in candidates.exclusions]


def test_no_machine_at_all_is_an_input_error() -> None:
    with pytest.raises(InputError, match="no instance type"):
        compose(a_workload(), Requirements(), [FASTER], [])


def test_a_strategy_without_a_neutral_option_breaks_the_contract() -> None:
    class Broken(AStrategy):
        def options(self, workload: object, instance_type: object) -> list[object]:  # type: ignore[override]
            return [an_option("x")]

    with pytest.raises(StrategyError, match="neutral option"):
        composed(Broken("broken"))


def test_an_option_named_twice_breaks_the_contract() -> None:
    with pytest.raises(StrategyError, match="its own name"):
        composed(AStrategy("twice", (an_option("x"), an_option("x"))))
