"""Quantities are read as people write them, and refused where they could mean two things."""

import math
import pickle
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from advisor import units
from advisor.errors import InputError
from advisor.quantity import InBaseUnit, Quantity
from advisor.units import AccuracyLimit

QUANTITIES = [value for value in vars(units).values() if isinstance(value, Quantity)]


@pytest.mark.parametrize(
    ("quantity", "text", "expected"),
    [
        (units.RATIO, "1%", 0.01),
        (units.RATIO, "0.5 %", 0.005),
        (units.RATIO, "0.7%", 0.007),
        (units.RATIO, 0.01, 0.01),
        (units.RATIO, "0.01", 0.01),
        (units.RATIO, "150 percent", 1.5),
        (units.DURATION, "300ms", 0.3),
        (units.DURATION, "0.3 s", 0.3),
        (units.DURATION, "2min", 120.0),
        (units.DURATION, "1e-3s", 0.001),
        (units.DURATION, timedelta(milliseconds=1500), 1.5),
        (units.SIZE, "16GiB", 16 * 2**30),
        (units.SIZE, "16Gi", 16 * 2**30),
        (units.SIZE, "80GB", 80e9),
        (units.SIZE, "80gb", 80e9),
        (units.MONEY, "$5k", 5000.0),
        (units.MONEY, "5000 USD", 5000.0),
        (units.MONEY, "$1,250,000.50", 1250000.5),
        (units.MONEY_PER_HOUR, "$2.50/h", 2.5),
        (units.MONEY_PER_HOUR, "2.50 USD per hour", 2.5),
        (units.MONEY_PER_MONTH, "$20k/month", 20000.0),
        (units.MONEY_PER_MONTH, "20000 USD/month", 20000.0),
        (units.MONEY_PER_MONTH, "$240k/year", 20000.0),
        (units.MONEY_PER_MONTH, "$10/h", 7300.0),
        (units.MONEY_PER_KWH, "$0.12/kWh", 0.12),
        (units.COUNT, "70.6B", 70.6e9),
        (units.COUNT, "500M", 500e6),
        (units.COUNT, 7e9, 7e9),
        (units.COUNT, "1.2 billion", 1.2e9),
        (units.RATE, "120/s", 120.0),
        (units.RATE, "120 rps", 120.0),
        (units.RATE, "7200/min", 120.0),
        (units.RATE, "432k requests/h", 120.0),
        (units.RATE, 120, 120.0),
        (units.TOKEN_RATE, "5k tokens/s", 5000.0),
        (units.CARBON_INTENSITY, "0.38 kg/kWh", 380.0),
        (units.CARBON_INTENSITY, "380 g CO2e/kWh", 380.0),
        (units.CARBON_PER_MONTH, "500kg/month", 500.0),
        (units.CARBON_PER_MONTH, "2 t CO2e/month", 2000.0),
    ],
)
def test_a_quantity_is_read_into_its_base_unit(quantity: Quantity, text: object, expected: float):
    assert expected == quantity.read(text)


@pytest.mark.parametrize(
    ("quantity", "given_", "message"),
    [
        (
            units.RATIO,
            "1 %%",
            "got '1 %%' with the unknown unit '%%'; did you mean '%'? Expected a share of 0 or more",
        ),
        (units.RATIO, 1, "got 1 without a unit; say '1%'"),
        (units.RATIO, "5", "got '5' without a unit; say '5%'"),
        (units.RATIO, "-1%", "got '-1%'; expected a share of 0 or more, such as '1%' or '0.01'"),
        (units.RATIO, math.nan, "got nan, which is not a finite number; expected a share"),
        (units.RATIO, True, "got True; expected a share"),
        (units.RATIO, None, "got None; expected a share"),
        (units.DURATION, 300, "got 300 without a unit; say '300ms' or '300s'"),
        (units.DURATION, "300 msec", "did you mean"),
        (units.DURATION, "soon", "got 'soon'; expected a duration of 0 or more, such as '300ms' or '0.3 s'"),
        (units.DURATION, timedelta(seconds=-1), "expected a duration of 0 or more"),
        (units.SIZE, "16Gb", "did you mean 'GB' or 'GiB'?"),
        (units.MONEY_PER_HOUR, "$2.50", "does not say per what"),
        (units.MONEY_PER_MONTH, "$20k", "does not say per what"),
        (units.MONEY_PER_HOUR, "2.50/h", "without a currency"),
        (units.MONEY_PER_HOUR, "nan", "not a finite number"),
        (units.MONEY_PER_HOUR, "€2/h", "expected US dollars per hour"),
        (units.MONEY, "$5 USD", "expected an amount of US dollars"),
        (units.RATE, -3, "got -3; expected a rate of 0 or more, such as '120/s' or '7200/min'"),
        (units.RATE, "inf", "not a finite number"),
        (units.RATE, "9e999/s", "not a finite number"),
        (units.COUNT, "1e999999999", "not a finite number"),
        (units.COUNT, "1" * 5000, "expected a count"),
    ],
)
def test_what_could_mean_two_things_or_nothing_is_refused_in_words(
    quantity: Quantity, given_: object, message: str
):
    with pytest.raises(InputError) as caught:
        quantity.read(given_)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("quantity", QUANTITIES, ids=lambda quantity: quantity.what)
def test_every_example_and_hint_in_a_message_can_be_typed_in(quantity: Quantity):
    readable = [*quantity.examples, *(hint.format("5") for hint in quantity.hints)]
    for text in readable:
        reader = AccuracyLimit.read if quantity in {units.LOSS, units.POINTS} else quantity.read
        assert reader(text)


@pytest.mark.parametrize("quantity", QUANTITIES, ids=lambda quantity: quantity.what)
@given(number=st.floats(0, 1e15))
def test_a_bare_number_in_its_base_unit_is_taken_as_it_is(quantity: Quantity, number: float):
    assert number == quantity.read(InBaseUnit(number))


@pytest.mark.parametrize(
    ("quantity", "form"),
    [
        (units.RATIO, units.format_ratio),
        (units.DURATION, units.format_seconds),
        (units.SIZE, units.format_bytes),
        (units.MONEY, units.format_usd),
        (units.COUNT, units.format_count),
        (units.RATE, units.format_rate),
    ],
    ids=lambda value: getattr(value, "what", ""),
)
@given(number=st.floats(1e-6, 1e12))
def test_what_is_written_for_people_is_read_again_to_three_digits(
    quantity: Quantity, form: Any, number: float
):
    written = form(number)
    assert quantity.read(written) == pytest.approx(
        number, rel=0.006, abs=0.0051 if quantity is units.MONEY else 0
    )


@given(number=st.floats(0, 1e12))
def test_a_duration_read_from_seconds_is_exact(number: float):
    assert number == units.DURATION.read(f"{number!r}s")


@given(text=st.text(max_size=30))
def test_any_text_is_read_or_refused_but_never_crashes(text: str):
    for quantity in QUANTITIES:
        try:
            assert 0 <= quantity.read(text) < math.inf
        except InputError:
            continue


def test_a_type_reads_text_and_dumps_base_numbers():
    adapter = TypeAdapter(units.Seconds)
    assert adapter.dump_json(adapter.validate_python("300ms")) == b"0.3"
    with pytest.raises(ValidationError, match="say '300ms'"):
        adapter.validate_python(300)


def test_the_schema_of_a_type_allows_text_with_examples():
    expected = {"type": ["number", "string"], "examples": ["300ms", "0.3 s"]}
    assert expected == TypeAdapter(units.Seconds).json_schema()
    assert TypeAdapter(units.Seconds).json_schema(mode="serialization") == {"type": "number"}


class TestAccuracyLimit:
    """A limit is a share of the metric or points of it, never a guess between the two."""

    @pytest.mark.parametrize(
        ("text", "ratio", "points"),
        [
            ("1%", 0.01, None),
            (0.01, 0.01, None),
            ("1 percent", 0.01, None),
            ("1pp", None, 1.0),
            ("0.5 points", None, 0.5),
            ("1 percentage point", None, 1.0),
            (0, 0.0, None),
        ],
    )
    def test_shares_and_points_are_told_apart(self, text, ratio, points):
        assert AccuracyLimit(value_ratio=ratio, value_points=points) == AccuracyLimit.read(text)

    @pytest.mark.parametrize("text", [1, "1", "1 %%", "100%", "100pp", "1ppp", "nan", -0.1, True, [1]])
    def test_ambiguous_or_senseless_limits_are_refused(self, text):
        with pytest.raises(InputError):
            AccuracyLimit.read(text)

    def test_points_are_relative_to_the_baselines_metric(self):
        assert AccuracyLimit.read("1pp").relative(0.8) == 0.0125

    def test_points_without_a_baseline_say_what_to_add(self):
        with pytest.raises(InputError, match=r"accuracy\.baseline"):
            AccuracyLimit.read("1pp").relative()

    @given(ratio=st.floats(0, 0.999))
    def test_a_limit_survives_json(self, ratio):
        adapter = TypeAdapter(AccuracyLimit)
        for limit in (AccuracyLimit(value_ratio=ratio), AccuracyLimit(value_points=100 * ratio)):
            assert limit == adapter.validate_json(adapter.dump_json(limit))

    def test_a_limit_is_shown_as_it_would_be_typed(self):
        assert (str(AccuracyLimit.read(0.01)), str(AccuracyLimit.read("0.5 points"))) == ("1%", "0.5pp")


def test_quantities_pickle():
    assert units.DURATION.suffix == pickle.loads(pickle.dumps(units.DURATION)).suffix  # noqa: S301 - our own bytes
