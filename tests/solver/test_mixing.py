"""Mixes of carriers: the rows as text, and the optimum against trying everything."""

import importlib.util
import re
import sys
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest
from mixes import a_mix, cheapest_by_trying, random_mix

import advisor.solver.mixing
from advisor.solver import Bucket, Carrier, ProgramError, Status, cheapest_mix
from advisor.solver.mixing import formulate_mix
from advisor.solver.mixing_rows import MixKind


@pytest.fixture(scope="module")
def published():
    """The benchmark against the published formulation, loaded as a module."""
    path = Path(__file__).parents[1] / "benchmarks" / "mixing.py"
    spec = importlib.util.spec_from_file_location("mixing_benchmark", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_published_example_costs_less_with_continuous_routing(published):
    example = published.published_example()
    assert published.in_slices(example, published.PUBLISHED_SLICES).cost == pytest.approx(6.70)
    assert published.continuous(example).cost == pytest.approx(4.68)  # one A10G and one A100


@pytest.mark.parametrize("slices", [1, 4])
def test_continuous_routing_is_never_dearer_than_slices(published, slices):
    for seed in range(20):
        instance = published.random_instance(seed, buckets=2 + seed % 4, gpus=2 + seed % 3)
        ours, theirs = published.continuous(instance), published.in_slices(instance, slices)
        assert ours.proven
        assert theirs.proven
        assert ours.cost <= theirs.cost + 1e-6, seed


def test_a_mix_reads_as_its_golden_text(golden):
    golden("mixing", str(formulate_mix(a_mix())))


def test_every_kind_of_row_is_in_the_golden_text_and_in_the_docstring():
    written = re.findall(r"^  (M\d+)\[", str(formulate_mix(a_mix())), flags=re.MULTILINE)
    stated = re.findall(r"^\| (M\d+) ", advisor.solver.mixing.__doc__ or "", flags=re.MULTILINE)
    assert [kind.value for kind in MixKind] == sorted(set(written)) == stated


@pytest.mark.parametrize("block", range(6))
def test_no_number_of_instances_is_cheaper_than_the_mix(block):
    for seed in range(block * 20, block * 20 + 20):
        mixing = random_mix(seed)
        found = cheapest_mix(mixing).mix
        cost = inf if found is None else found.cost_usd_per_month
        assert cost == pytest.approx(cheapest_by_trying(mixing), rel=1e-6), seed


def test_random_mixes_are_of_every_kind():
    mixes = [random_mix(seed) for seed in range(120)]
    answers = [cheapest_mix(mixing).mix for mixing in mixes]
    assert 10 < sum(found is None for found in answers) < 60
    assert sum(found is not None and len(found.instances) > 1 for found in answers) > 20


def test_shares_add_up_and_instances_carry_them():
    mixing = a_mix()
    mix = cheapest_mix(mixing).mix
    assert mix is not None
    for step in range(2):
        for bucket in mixing.buckets:
            shares = [row[step] for (name, _), row in mix.shares.items() if name == bucket.name]
            assert sum(shares) == pytest.approx(1.0)
        for carrier in mixing.carriers:
            load = sum(
                carrier.load[bucket][step] * row[step]
                for (bucket, name), row in mix.shares.items()
                if name == carrier.name
            )
            assert load <= mix.instances.get(carrier.name, (0, 0))[step] + 1e-6
    assert mix.loss_ratio <= 0.005 + 1e-9


def test_steady_routing_never_costs_less_than_free_routing():
    for seed in range(40):
        mixing = random_mix(seed)
        free, steady = (cheapest_mix(replace(mixing, steady=steady)).mix for steady in (False, True))
        if steady is not None:
            assert free is not None
            assert free.cost_usd_per_month <= steady.cost_usd_per_month + 1e-6


def test_a_bucket_that_nobody_serves_is_infeasible():
    carriers = (Carrier("large", "b", {"short": (0.9, 0.4)}),)
    assert cheapest_mix(a_mix(carriers=carriers)).report.status is Status.INFEASIBLE


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"carriers": (Carrier("x", "nowhere", {}),)}, "one of the pools"),
        ({"carriers": (Carrier("x", "a", {"huge": (1.0, 1.0)}),)}, "one of the buckets"),
        ({"carriers": (Carrier("x", "a", {"short": (1.0,)}),)}, "each of the 2 periods"),
        ({"buckets": (Bucket("short", (-1.0, 1.0)),)}, "at least 0"),
        ({"carriers": ()}, "one carrier"),
    ],
)
def test_a_mix_that_does_not_fit_together_is_refused_in_words(changes, words):
    with pytest.raises(ProgramError, match=words):
        a_mix(**changes)
