"""Rates over a month and lengths with their spread."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.errors import InputError
from advisor.inputs import Input
from advisor.traffic import Length, Traffic


class Holder(Input):
    length: Length


def rates(value: object) -> Traffic:
    return Traffic(requests_per_s=value)


def test_one_rate_is_one_period_of_the_whole_month():
    assert rates("7200/min").periods() == ((120.0, 730.0),)


@pytest.mark.parametrize("count", [24, 168])
def test_hourly_values_are_a_period_each_in_their_order(count: int):
    traffic = rates([float(hour) for hour in range(count)])
    assert [float(hour) for hour in range(count)] == [rate for rate, _ in traffic.periods()]
    assert {730.0 / count} == {hours for _, hours in traffic.periods()}
    assert traffic.mean_requests_per_s == pytest.approx((count - 1) / 2)
    assert traffic.peak_requests_per_s == count - 1


@pytest.mark.parametrize("count", [0, 1, 23, 25, 167, 8760])
def test_another_number_of_values_is_refused(count: int):
    with pytest.raises(InputError, match=r"expected 24 \(a day\) or 168 \(a week from Monday 0:00\)"):
        rates([1.0] * count)


def test_a_wrong_value_among_many_is_named_by_its_place():
    with pytest.raises(InputError, match=r"requests_per_s\[5\]: got 'x'; expected a rate"):
        rates([1, 1, 1, 1, 1, "x", *[1] * 18])


@pytest.mark.parametrize("value", [0, [0] * 24, {"p50": 0, "p99": 0}])
def test_no_traffic_at_all_is_refused(value: object):
    with pytest.raises(InputError, match="there is no traffic to serve"):
        rates(value)


def test_hours_between_quantiles_have_the_rates_between_them():
    # Half of the hours grow from 0 to 80, in four slices around 10, 30, 50 and 70; the others run at 80.
    assert rates({"p50": 80}).periods() == ((10, 91.25), (30, 91.25), (50, 91.25), (70, 91.25), (80, 365.0))


def test_the_busiest_hours_run_at_the_maximum():
    traffic = rates({"p50": 10, "p90": 20, "p99": 30, "max": 50})
    assert traffic.peak_requests_per_s == 50
    assert traffic.periods()[-1][1] == pytest.approx(7.3)


@given(
    quantiles=st.lists(st.floats(0.1, 1e4), min_size=3, max_size=3).map(sorted),
    share=st.floats(0.01, 0.99),
)
def test_a_stated_mean_is_kept_and_no_hour_leaves_its_quantile(quantiles: list[float], share: float):
    p50, p90, p99 = quantiles
    busy = 0.4 * (p50 + p90) / 2 + 0.09 * (p90 + p99) / 2 + 0.01 * p99
    mean = busy + 0.5 * p50 * share
    traffic = rates({"p50": p50, "p90": p90, "p99": p99, "mean": mean})
    assert mean == pytest.approx(traffic.mean_requests_per_s, rel=1e-9)
    assert sum(hours for rate, hours in traffic.periods() if rate <= p50 * (1 + 1e-9)) >= 365 - 1e-6


def test_a_mean_that_the_quantiles_exclude_is_refused_with_those_they_allow():
    with pytest.raises(InputError, match=r"got the mean 5; these quantiles allow 27\.85 to 37\.85"):
        rates({"p50": 20, "p99": 90, "mean": 5})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (math.nan, "got nan, which is not a finite number"),
        (-3, "got -3; expected a rate of 0 or more"),
        ({"p50": 20, "p99": 10}, "expected them to grow"),
        ({"p5": 3}, "p5: this key is unknown; did you mean"),
        ({"mean": 3}, "expected at least one of p10, p25, p50, p75"),
        (None, "got None; expected a rate"),
    ],
)
def test_rates_that_cannot_be_are_refused(value: object, message: str):
    with pytest.raises(InputError) as caught:
        rates(value)
    assert message in str(caught.value)


@pytest.mark.parametrize("value", [5, [1.5] * 24, {"p50": 20, "p99": 90, "mean": 30}])
def test_traffic_survives_a_dump(value: object):
    traffic = rates(value)
    assert traffic == Traffic.model_validate(traffic.model_dump())
    assert traffic == Traffic.model_validate_json(traffic.model_dump_json())


class TestLength:
    @pytest.mark.parametrize(
        ("given_", "mean", "cv"),
        [
            (1000, 1000, 0.0),
            ("2k", 2000, 0.0),
            ({"mean": 1000}, 1000, 1.0),
            ({"mean": 1000, "cv": 0.5}, 1000, 0.5),
        ],
    )
    def test_a_number_is_taken_literally_and_a_mean_alone_spreads_by_itself(self, given_, mean, cv):
        length = Holder(length=given_).length
        assert (mean, cv) == (length.mean, length.cv)

    def test_two_quantiles_fit_a_lognormal(self):
        # ln(1000/100) = z95 sigma, z95 = 1.644854: sigma = 1.39987, mean = 100 exp(sigma^2 / 2) = 266.4
        length = Holder(length={"p50": 100, "p95": 1000}).length
        assert length.mean == pytest.approx(266.398, rel=1e-5)
        assert length.cv == pytest.approx(2.46917, rel=1e-5)

    @given(mean=st.floats(1, 1e5), cv=st.floats(0.05, 3))
    def test_the_fit_through_quantiles_of_a_lognormal_finds_it_again(self, mean, cv):
        known = Holder(length={"mean": mean, "cv": cv}).length
        fitted = Holder(length={"p50": known.quantile(0.5), "p99": known.quantile(0.99)}).length
        assert (mean, cv) == (pytest.approx(fitted.mean), pytest.approx(fitted.cv))

    def test_a_stated_quantile_is_returned_as_stated(self):
        assert Holder(length={"mean": 100, "cv": 1, "p95": 300}).length.quantile(0.95) == 300

    @pytest.mark.parametrize(
        "wrong", [0, -1, "long", {"p50": 3}, {"p50": 5, "p95": 3}, {"mean": 5, "cvv": 1}, {}, []]
    )
    def test_lengths_that_cannot_be_are_refused(self, wrong):
        with pytest.raises(InputError):
            Holder(length=wrong)
