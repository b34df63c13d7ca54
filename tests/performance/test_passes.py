"""The one-pass model: formulas by hand, monotonicity, and its error on the measurements."""

import dataclasses
import importlib.util
import json
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.performance.architectures import (
    CLASSES,
    architecture_class,
    architecture_family,
    default_layers,
    operators_per_layer,
)
from advisor.performance.pass_coefficients import PassCoefficients, PassTable, coefficients
from advisor.performance.passes import (
    PassEngine,
    batch_s,
    cpu_peak_flops,
    encoder_activations,
    encoder_macs,
    fixed_s,
    interval_factor,
    item_s,
    throughput_items_per_s,
)

ROOT = Path(__file__).resolve().parents[2]
MEASUREMENTS = ROOT.parent / "shared" / "measurements"
CALIBRATION = ROOT / "tests" / "benchmarks" / "calibration"

FIT = PassCoefficients(
    fixed_s=0.001,
    launch_s_per_layer=2e-5,
    compute_efficiency=0.5,
    intensity_exponent=1.0,
    activation_passes=4.0,
    architecture_ratio=1.5,
    log_sigma=0.2,
)


def an_engine(**changes):
    """Return ResNet-50-like numbers on a chip of 100 TFLOP/s and 1 TB/s."""
    engine = PassEngine(
        parameters=25e6,
        flops_per_item=8e9,
        activations_per_item=1e7,
        layers=50,
        weight_bytes_per_param=2.0,
        activation_bytes=2.0,
        peak_flops=1e14,
        memory_bandwidth_bytes_per_s=1e12,
        coefficients=FIT,
    )
    return dataclasses.replace(engine, **changes)


def an_engine_of(name, accelerator, precision="fp16", runtime="pytorch", **changes):
    """Return ResNet-50's sizes under the embedded coefficients."""
    fit = coefficients("cnn", accelerator, precision, runtime, model=name)
    return an_engine(flops_per_item=8.22e9, activations_per_item=1.111e7, coefficients=fit, **changes)


def test_fixed_part_is_host_time_launches_and_one_read_of_the_weights():
    assert pytest.approx(0.001 + 50 * 2e-5 + 50e6 / 0.8e12) == fixed_s(an_engine())


def test_an_item_takes_its_arithmetic_and_its_memory_traffic():
    compute = 8e9 / (0.5 * 1e14) * (8e9 / (400 * 1e7)) ** 1.0  # 0.16 ms, twice the reference intensity
    memory = 4 * 1e7 * 2 / 1e12  # 0.08 ms
    assert pytest.approx(1.5 * (compute + memory)) == item_s(an_engine())
    assert pytest.approx(0.0006) == item_s(an_engine())


def test_a_batch_is_linear_in_its_items():
    assert pytest.approx(0.0020625 + 32 * 0.0006) == batch_s(an_engine(), batch=32)
    assert pytest.approx(32 / (0.0020625 + 32 * 0.0006)) == throughput_items_per_s(an_engine(), batch=32)


def test_interval_is_symmetric_on_the_logarithm_and_holds_80_percent():
    assert pytest.approx(np.exp(0.2 * 1.2815515655)) == interval_factor(FIT)
    assert pytest.approx(1.0) == interval_factor(FIT) * interval_factor(FIT, quantile=0.1)
    assert pytest.approx(1.0) == interval_factor(FIT, quantile=0.5)


@pytest.mark.parametrize("quantile", [0.0, 1.0, -0.1])
def test_a_quantile_outside_0_and_1_is_refused(quantile):
    with pytest.raises(ValueError, match="quantile must lie between 0 and 1"):
        interval_factor(FIT, quantile=quantile)


def test_encoder_counts_weights_and_attention():
    assert (
        encoder_macs(parameters=85e6, layers=12, hidden_size=768, tokens=128)
        == 85e6 * 128 + 2 * 12 * 768 * 128**2
    )
    assert encoder_activations(layers=12, hidden_size=768, attention_heads=12, tokens=197) == 12 * 197 * (
        7680 + 12 * 197
    )


def test_two_vcpus_are_one_core():
    assert pytest.approx(2 * 64 * 2.5e9) == cpu_peak_flops(vcpus=4, operations_per_cycle=64, clock_hz=2.5e9)


@given(
    batch=st.floats(1, 4096),
    more=st.floats(1.001, 10),
    field=st.sampled_from(["flops_per_item", "activations_per_item", "parameters", "layers"]),
)
def test_more_work_never_takes_less_time(batch, more, field):
    engine = an_engine(coefficients=dataclasses.replace(FIT, intensity_exponent=0.0))
    larger = dataclasses.replace(engine, **{field: getattr(engine, field) * more})
    assert batch_s(larger, batch=batch) >= batch_s(engine, batch=batch)


@given(
    batch=st.floats(1, 4096),
    more=st.floats(1.001, 10),
    field=st.sampled_from(["peak_flops", "memory_bandwidth_bytes_per_s"]),
)
def test_a_faster_chip_never_takes_longer(batch, more, field):
    engine = an_engine()
    faster = dataclasses.replace(engine, **{field: getattr(engine, field) * more})
    assert batch_s(faster, batch=batch) <= batch_s(engine, batch=batch)


@given(batch=st.floats(1, 1024), more=st.floats(1.01, 10))
def test_larger_batches_take_longer_and_serve_more(batch, more):
    engine = an_engine()
    assert batch_s(engine, batch=batch * more) > batch_s(engine, batch=batch)
    assert throughput_items_per_s(engine, batch=batch * more) > throughput_items_per_s(engine, batch=batch)


@pytest.mark.parametrize(
    ("name", "architecture", "family"),
    [
        ("resnet50", "resnet", "resnet"),
        ("microsoft/resnet-50", "resnet", "resnet"),
        ("tf_mobilenetv3_large_100", "depthwise", "mobilenetv3"),
        ("timm/efficientnet_b0.ra_in1k", "depthwise", "efficientnet"),
        ("vit_base_patch16_224", "vit", "vit"),
        ("swin_tiny_patch4_window7_224", "window", "swin"),
        ("convnext_tiny", "modern", "convnext"),
        ("regnety_008", "grouped", "regnety"),
        ("BAAI/bge-m3", "encoder", "bge"),
        ("FacebookAI/xlm-roberta-large", "encoder", "xlm"),
        ("my_own_network", "resnet", "my"),
    ],
)
def test_a_name_tells_class_and_family(name, architecture, family):
    assert (architecture, family) == (architecture_class(name), architecture_family(name))


@pytest.mark.parametrize("architecture", CLASSES)
def test_every_class_has_defaults_and_coefficients_of_every_runtime(architecture):
    assert default_layers(architecture) >= 1
    assert operators_per_layer(architecture) in {1.0, 6.0}
    for kind, chip in (("gpu", "rtx-4090"), ("cpu", "i9-10940x")):
        for runtime in PassTable.load().runtimes(kind):
            fit = coefficients(architecture, chip, "fp32", runtime, kind=kind)
            numbers = [
                fit.fixed_s,
                fit.launch_s_per_layer,
                fit.compute_efficiency,
                fit.activation_passes,
                fit.log_sigma,
            ]
            assert all(number > 0 for number in numbers), (kind, runtime)
            assert np.isfinite(fit.architecture_ratio)


def test_what_was_never_measured_widens_the_interval_and_says_so():
    known = coefficients("cnn", "rtx-4090", "fp16", "pytorch", model="resnet50")
    unseen_model = coefficients("cnn", "rtx-4090", "fp16", "pytorch", model="resnet51x")
    unseen_family = coefficients("cnn", "rtx-4090", "fp16", "pytorch", model="qqnet_1")
    unseen_chip = coefficients("cnn", "some-new-gpu", "fp16", "pytorch", model="resnet50")
    unseen_runtime = coefficients("cnn", "rtx-4090", "fp16", "new-runtime", model="resnet50")
    assert known.log_sigma < unseen_model.log_sigma < unseen_family.log_sigma
    assert known.log_sigma < unseen_chip.log_sigma
    assert known.log_sigma < unseen_runtime.log_sigma
    assert ("calibrated", "extrapolated") == (known.basis, unseen_chip.basis)
    assert unseen_chip.source.endswith("not among them: some-new-gpu")


def test_an_unknown_precision_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="precision is 'int3'; expected one of fp32, float32, tf32"):
        coefficients("cnn", "rtx-4090", "int3", "pytorch")


def test_product_names_of_chips_are_understood():
    table = PassTable.load()
    assert ("rtx-4090", "rtx-pro-6000-maxq") == (
        table.device_id("NVIDIA RTX 4090 24GB"),
        table.device_id("NVIDIA RTX PRO 6000 Blackwell Max-Q"),
    )
    assert ("a100-sxm-80", "t4", "v100-sxm-16") == tuple(
        map(table.device_id, ("NVIDIA A100", "Tesla T4", "V100"))
    )
    assert "i9-10940x" == table.device_id("Intel Core i9-10940X")
    assert table.device("Abacus 3") is None


def test_every_chip_is_found_by_its_own_id():
    table = PassTable.load()
    assert list(table.document["devices"]) == [table.device_id(name) for name in table.document["devices"]]


def test_int8_is_faster_than_fp32_on_a_cpu_with_amx_or_vnni_and_more_so_with_amx():
    times = {}
    for chip, ratio in (("xeon-sapphire-rapids", 32.0), ("xeon-ice-lake", 4.0)):
        for precision, peak, width in (("fp32", 1e12, 4.0), ("int8", ratio * 1e12, 1.0)):
            fit = coefficients("encoder", chip, precision, "openvino", model="bert-base", kind="cpu")
            engine = PassEngine(85e6, 22e9, 1.4e7, 12, width, width, peak, 1e11, fit)
            times[chip, precision] = item_s(engine)
    speedup = {chip: times[chip, "fp32"] / times[chip, "int8"] for chip, _ in times}
    assert 2.0 < speedup["xeon-ice-lake"] < 4.0
    assert speedup["xeon-ice-lake"] < speedup["xeon-sapphire-rapids"] < 12.0


def test_compiling_saves_memory_traffic():
    eager = an_engine_of("resnet50", "rtx-4090", peak_flops=165e12)
    compiled = an_engine_of("resnet50", "rtx-4090", runtime="pytorch-compile", peak_flops=165e12)
    assert batch_s(compiled, batch=256) < batch_s(eager, batch=256)


def test_gathered_coefficients_give_the_same_as_one_by_one():
    fits = [coefficients("cnn", chip, "fp16", "pytorch", model="resnet50") for chip in ("rtx-4090", "t4")]
    gathered = PassCoefficients.gather(fits, np.array([1, 0, 1]))
    together = batch_s(an_engine(coefficients=gathered), batch=8)
    one_by_one = [batch_s(an_engine(coefficients=fits[index]), batch=8) for index in (1, 0, 1)]
    np.testing.assert_array_equal(one_by_one, together)


def test_a_row_takes_less_than_a_microsecond():
    count = 200_000
    fits = [coefficients("cnn", "rtx-4090", "fp16", "pytorch", model="resnet50")]
    fit = PassCoefficients.gather(fits, np.zeros(count, dtype=np.intp))
    engine = an_engine(coefficients=fit, flops_per_item=np.full(count, 8e9))
    best = min(_elapsed(lambda: batch_s(engine, batch=np.full(count, 8.0))) for _ in range(3))
    assert best / count < 1e-6


def _elapsed(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def test_the_table_states_its_errors_sources_and_date():
    document = PassTable.load().document
    assert len(document["date"]) == 10
    for kind in ("gpu", "cpu"):
        assert document[kind]["source"]
        for split in ("row", "model", "family", "chip"):
            assert document["errors"][kind][split]["timm"]["model"]["rows"] > 1000


@pytest.mark.parametrize(
    ("kind", "split"),
    [("gpu", "row"), ("gpu", "model"), ("gpu", "family"), ("gpu", "chip"), ("cpu", "row"), ("cpu", "model")],
)
def test_held_out_errors_are_less_than_half_of_the_naive_ones(kind, split):
    entry = PassTable.load().document["errors"][kind][split]["timm"]
    assert entry["model"]["median"] < 0.5 * entry["naive"]["median"]
    assert entry["model"]["mean"] < 0.5 * entry["naive"]["mean"]


def test_intervals_hold_about_80_percent_of_held_out_rows():
    for kind in ("gpu", "cpu"):
        for split in ("row", "model"):
            covered = PassTable.load().document["errors"][kind]["coverage_of_80_percent"][split]["timm"]
            assert 0.77 <= covered <= 0.83, (kind, split)


@pytest.fixture(scope="module")
def rows():
    """Return the calibration's row reader; skip where measurements or its libraries are absent."""
    if not MEASUREMENTS.is_dir():
        pytest.skip("the measurement files are not beside this checkout")
    if importlib.util.find_spec("pandas") is None or importlib.util.find_spec("scipy") is None:
        pytest.skip("pandas and scipy, which only the calibration needs, are not installed")
    sys.path.insert(0, str(CALIBRATION))
    try:
        import fit_passes
    finally:
        sys.path.remove(str(CALIBRATION))
    return fit_passes


def test_the_shipped_table_predicts_the_measurements_it_was_fitted_to(rows):
    gpu = rows.pass_rows.gpu_rows()
    seconds, _ = rows.predict(PassTable.load(), gpu)
    timm = (gpu["source"] == "timm").to_numpy()
    error = rows.ape(gpu["time_s"].to_numpy()[timm], seconds[timm])
    assert error["median"] < 7.0
    assert error["mean"] < 10.0


def test_the_table_is_plain_numbers_and_text():
    document = PassTable.load().document
    assert document == json.loads(json.dumps(document, allow_nan=False))
