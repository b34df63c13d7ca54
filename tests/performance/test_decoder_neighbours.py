"""What measurements close by say about a prediction, and how sure they make it."""

from __future__ import annotations

import dataclasses
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.catalog import Catalog
from advisor.models import find_model
from advisor.performance.decoder_neighbours import Kernel, Neighbours, OperatingPoints, measured_neighbours
from advisor.performance.decoder_rows import ServingRow

KERNEL = Kernel(
    log_sigma=0.4,
    noise_log_sigma=0.3,
    concurrency_doublings=2.0,
    tokens_doublings=3.0,
    accelerators_doublings=1.0,
    layout_likeness=0.5,
    platform_likeness=0.25,
)


def points(
    *concurrency: float, group: str = "a model|vllm", platform: str = "h100-sxm|fp8", layout: str = "1|False"
) -> OperatingPoints:
    count = len(concurrency)
    log2 = np.column_stack([np.zeros(count), np.full(count, 10.0), np.full(count, 9.0), np.log2(concurrency)])
    return OperatingPoints(*(np.full(count, name) for name in (group, platform, layout)), log2)


def measured(ratio: float, *, repeats: float = 1.0) -> Neighbours:
    """Return one measurement at a concurrency of 8 that took `ratio` times as long as modelled."""
    return Neighbours(points(8.0), np.array([repeats]), {"tpot": np.array([np.log(ratio)])}, {"tpot": KERNEL})


def test_one_measurement_moves_its_own_prediction_by_its_share_of_the_variance() -> None:
    near = measured(1.5).near(points(8.0), "tpot")
    # 0.16 / (0.16 + 0.09) = 0.64 of the logarithm; variance 0.16 - 0.16 x 0.64 + 0.09 = 0.1476 against 0.25
    assert near.ratio == pytest.approx(1.5**0.64)
    assert near.spread == pytest.approx(np.sqrt(0.1476 / 0.25))


def test_repeats_are_believed_more() -> None:
    near = measured(1.5, repeats=9.0).near(points(8.0), "tpot")
    assert near.ratio == pytest.approx(1.5 ** (0.16 / 0.17))


def test_likeness_falls_with_distance_and_difference() -> None:
    # two doublings of concurrency: exp(-1/2); another chip a quarter of the rest; another layout half
    far = measured(1.5).near(points(32.0), "tpot")
    assert far.ratio == pytest.approx(1.5 ** (0.64 * np.exp(-0.5)))
    chip = measured(1.5).near(points(8.0, platform="b200|fp8"), "tpot")
    assert chip.ratio == pytest.approx(1.5 ** (0.64 * 0.25))
    layout = measured(1.5).near(points(8.0, layout="8|True"), "tpot")
    assert layout.ratio == pytest.approx(1.5 ** (0.64 * 0.5))


def test_other_models_and_backends_say_nothing() -> None:
    near = measured(1.5).near(points(8.0, group="a model|sglang"), "tpot")
    assert (1.0, 1.0) == (near.ratio, near.spread)


@given(concurrency=st.floats(1.0, 1e6), ratio=st.floats(0.3, 3.0))
def test_a_neighbour_never_moves_a_prediction_beyond_itself_nor_widens_it(
    concurrency: float, ratio: float
) -> None:
    near = measured(ratio).near(points(concurrency), "tpot")
    assert abs(np.log(near.ratio[0])) <= abs(np.log(ratio)) + 1e-12
    assert 0.0 < near.spread[0] <= 1.0 + 1e-12


def test_each_point_gets_its_own_answer_whatever_stands_beside_it() -> None:
    known = measured_neighbours()
    places = np.arange(0, len(known.measurements), 17)
    together = known.near(known.points.take(places), "ttft")
    alone = [known.near(known.points.take(places[[i]]), "ttft").ratio[0] for i in range(0, len(places), 20)]
    assert together.ratio[::20] == pytest.approx(np.array(alone), rel=1e-9)


def test_shipped_measurements_explain_most_of_their_own_errors() -> None:
    known = measured_neighbours()
    assert len(known.measurements) > 1400
    for target in ("ttft", "tpot"):
        errors = known.log_ratio[target]
        left = errors - np.log(known.near(known.points, target).ratio)
        assert np.abs(left).mean() < 0.4 * np.abs(errors).mean()


def test_a_deployment_is_found_among_the_shipped_measurements() -> None:
    chip = Catalog.load().accelerators["h200-sxm"]
    row = ServingRow(find_model("Llama-3.3-70B"), chip, "vllm", "fp8", tp_size=4.0)
    asked = OperatingPoints.of([row]).at(input_tokens=1024.0, output_tokens=1024.0, concurrency=16.0)
    near = measured_neighbours().near(asked, "ttft")
    assert near.spread[0] < 0.5
    unknown = dataclasses.replace(asked, group=np.array(["GLM-5|vllm"]))
    assert measured_neighbours().near(unknown, "ttft").spread[0] == 1.0


def test_a_hundred_thousand_rows_take_seconds() -> None:
    known = measured_neighbours()
    index = np.arange(100_000) % len(known.measurements)
    asked = known.points.take(index)
    start = time.perf_counter()
    known.near(asked, "tpot")
    assert time.perf_counter() - start < 6.0  # 0.6 s on an idle core
