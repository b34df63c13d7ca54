"""Which chips compute in which number formats."""

import pytest

from advisor.catalog import RULES, Catalog, half_precision, supports
from advisor.errors import UnknownName

CHIPS = Catalog.load().accelerators


@pytest.mark.parametrize(
    ("dtype", "yes", "no"),
    [
        (
            "bf16",
            "a10 a100-sxm-80 h100-sxm mi300x tpu-v5e xeon-sapphire-rapids epyc-genoa",
            "t4 v100-sxm-16 xeon-ice-lake",
        ),
        (
            "fp8",
            "l4 l40s rtx-4090 h100-sxm h100-nvl h200-sxm b200 mi300x gaudi3",
            "a100-sxm-80 a10g t4 xeon-ice-lake",
        ),
        ("fp4", "b200 b300 gb200 rtx-5090 rtx-pro-6000-server mi355x", "h100-sxm h200-sxm l40s mi300x"),
        ("nvfp4", "b200 rtx-5090", "h100-sxm"),
        ("mxfp4", "b200 mi355x", "mi300x h200-sxm"),
        ("int8", "t4 a10 h100-sxm xeon-ice-lake epyc-genoa ampere-one", "v100-sxm-16 gaudi3"),
        ("w4a16", "t4 a10g h100-sxm mi300x xeon-sapphire-rapids", "v100-sxm-32 xeon-ice-lake"),
        ("w4a8", "h100-sxm b200 ampere-one graviton3", "l40s a100-sxm-80 mi300x epyc-genoa"),
        ("2:4", "a100-sxm-40 a10g h100-sxm l4 mi300x", "t4 v100-sxm-16 mi250x tpu-v5e xeon-ice-lake"),
        ("int4", "t4 a100-sxm-80 l4", "h100-sxm b200 mi300x"),
        ("kv-fp8", "h100-sxm l4 mi300x", "a100-sxm-80 t4"),
        ("kv-int8", "v100-sxm-16 a100-sxm-80", "xeon-ice-lake"),
    ],
)
def test_formats_are_there_from_the_generation_that_brought_them(dtype, yes, no):
    assert [name for name in yes.split() if not supports(CHIPS[name], dtype)] == []
    assert [name for name in no.split() if supports(CHIPS[name], dtype)] == []


def test_a_format_that_a_chip_computes_in_always_has_a_peak():
    for chip in CHIPS.values():
        for dtype in ("fp32", "fp16", "bf16", "fp8", "fp4", "int8", "int4"):
            if supports(chip, dtype):
                assert dtype in chip.peak_flops, (chip.id, dtype)


def test_a_peak_is_never_given_for_a_format_that_the_rules_deny():
    for chip in CHIPS.values():
        assert [dtype for dtype in chip.peak_flops if not supports(chip, dtype)] == [], chip.id


def test_every_nvidia_chip_with_sparse_units_is_ampere_or_later():
    for chip in CHIPS.values():
        if chip.compute_capability is not None:
            assert chip.sparsity_2_4 == (chip.compute_capability >= RULES["2:4"].compute_capability), chip.id


def test_every_rule_has_a_source():
    assert [name for name, rule in RULES.items() if not rule.source] == []


def test_sixteen_bit_weights_are_computed_in_the_best_type_that_the_chip_has():
    assert {name: half_precision(CHIPS[name]) for name in ("h100-sxm", "t4", "xeon-skylake")} == {
        "h100-sxm": "bf16",
        "t4": "fp16",
        "xeon-skylake": "fp32",
    }


def test_an_unknown_format_is_refused_with_the_nearest():
    with pytest.raises(UnknownName, match="no number format 'fp08' is known; did you mean 'fp8'"):
        supports(CHIPS["h100-sxm"], "fp08")
