"""The loss of one treatment: sensible order, honest tails, records it rests on."""

import numpy as np
import pytest

from advisor.accuracy import SAMPLES, TREATMENTS, loss, prior
from advisor.errors import InputError
from advisor.evidence import evidence


@pytest.mark.parametrize("treatment", sorted(TREATMENTS))
def test_every_treatment_has_a_loss_on_each_of_its_families(treatment: str) -> None:
    for family in TREATMENTS[treatment].families:
        found = loss(treatment, family=family, parameters=7e9)
        assert found.samples.shape == (SAMPLES,)
        assert np.isfinite(found.samples).all()
        assert 0 <= found.samples.min() <= found.samples.max() <= 1
        assert (np.diff(found.samples) >= 0).all()
        assert found.evidence or treatment in {"none", "kv-int4"}
        evidence(*found.evidence)


def test_fewer_bits_never_lose_less() -> None:
    for parameters in (1e9, 8e9, 70e9):
        chain = [
            loss(name, family="decoder", parameters=parameters)
            for name in ("int8-w8a16", "int4-w4a16", "int3-w3a16", "int2-w2a16")
        ]
        means = [found.expected_ratio for found in chain]
        assert means == sorted(means)


def test_small_language_models_lose_more_to_four_bits() -> None:
    small, middle, large = (
        loss("int4-w4a16", family="decoder", parameters=size).expected_ratio for size in (1e9, 8e9, 70e9)
    )
    assert small > middle > large


def test_calibration_beats_plain_rounding() -> None:
    calibrated, rounded = (
        loss(name, family="decoder", parameters=8e9) for name in ("int4-w4a16", "int4-w4a16-rtn")
    )
    assert (calibrated.samples <= rounded.samples + 1e-12).all()


def test_maths_and_tool_use_suffer_more_than_averages() -> None:
    average, maths, tools = (
        loss("int4-w4a8-int8", family="decoder", parameters=1e9, task=task).expected_ratio
        for task in ("mixed", "maths-code", "tool-use")
    )
    assert average < maths
    assert average < tools


def test_depthwise_networks_lose_more_to_int8() -> None:
    plain, depthwise = (
        loss("int8-w8a8", family="cnn", model=name).expected_ratio for name in ("SomeNet", "MobileNetV9")
    )
    assert plain < depthwise


def test_a_detector_is_asked_for_detection_without_being_told() -> None:
    assert loss("int8-w8a8", family="cnn", model="YOLOv9") == loss(
        "int8-w8a8", family="cnn", model="YOLOv9", task="detection"
    )


def test_records_of_the_very_model_come_first() -> None:
    found = loss("int8-w8a8", family="cnn", model="ResNet50")
    assert "ResNet50" in {record.model for record in evidence(*found.evidence)}


def test_a_model_that_did_badly_before_is_expected_to_do_badly_again() -> None:
    worst = max(
        (
            (mean, name)
            for name, kinds in prior().known_models.items()
            for kind, (count, mean) in kinds.items()
            if kind == "int4-weights" and count > 2
        ),
    )
    assert worst[0] > 0
    known = loss("int4-w4a16", family="decoder", parameters=7e9, model=worst[1])
    unknown = loss("int4-w4a16", family="decoder", parameters=7e9, model="a-model-nobody-measured")
    assert known.expected_ratio > unknown.expected_ratio


def test_lossless_treatments_lose_nothing_for_certain() -> None:
    found = loss("speculative-eagle", family="decoder", parameters=7e9)
    assert (found.p90_ratio, found.basis) == (0.0, "lossless")


def test_what_nobody_measured_is_labelled_assumed() -> None:
    assert loss("cascade", family="encoder").basis == "assumed"


def test_a_family_without_records_says_so() -> None:
    assert "no record on encoder models" in loss("fp8-w8a8", family="encoder").notes[0]


def test_the_same_question_gives_the_same_object() -> None:
    assert loss("fp8-w8a8", family="decoder", parameters=7e9) is loss(
        "fp8-w8a8", family="decoder", parameters=7e9
    )


def test_samples_cannot_be_changed_by_a_reader() -> None:
    with pytest.raises(ValueError, match="read-only"):
        loss("fp8-w8a8", family="decoder", parameters=7e9).samples[0] = 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"treatment": "fp9", "family": "decoder"}, "no treatment 'fp9'"),
        ({"treatment": "fp8-w8a8", "family": "llm"}, "model family is 'llm'; expected one of cnn"),
        ({"treatment": "kv-fp8", "family": "cnn"}, "does not apply to family 'cnn'"),
        ({"treatment": "fp8-w8a8", "family": "decoder", "task": "poetry"}, "no task class 'poetry'"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(arguments: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        loss(**arguments)
