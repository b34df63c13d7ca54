"""Predictions against measurements: error tables, choices, promises, and the sentence that reports use."""

from __future__ import annotations

import csv
import html
import json
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from advisor.cli import app
from advisor.errors import InputError, UnknownName
from advisor.prediction import predict
from advisor.report.validation import render_validation, render_validation_html, sections
from advisor.validation import KINDS, ValidationReport, sentence, shipped_rows, validate, validate_file
from advisor.validation.choices import RULES, Configurations, Latencies
from advisor.validation.comparison import Comparison

SERVING: dict[str, object] = {
    "model": "meta-llama/Llama-3.1-8B-Instruct", "system": "h100_sxm", "backend": "vllm", "precision": "fp8",
    "isl_tokens": 1024, "osl_tokens": 128, "concurrency": 8, "tp_size": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def report() -> ValidationReport:
    return validate()


class TestErrors:
    def test_are_those_one_computes_by_hand(self) -> None:
        labels = {"family": np.array(["a", "a", "b", ""])}
        given = Comparison(
            "x_ms",
            measured=np.array([10.0, 20.0, 40.0, 50.0]),
            middle=np.array([11.0, 16.0, 40.0, 75.0]),  # off by +10, -20, 0, +50 %
            low=np.array([9.0, 15.0, 39.0, 60.0]),
            high=np.array([12.0, 19.0, 41.0, 90.0]),
            labels=labels,
        )
        whole, a, b = given.errors()
        assert (4, 0.15, 0.2, 0.05, 0.5) == (
            whole.measurements, whole.median_ape_ratio, whole.mean_ape_ratio, whole.bias_ratio, whole.coverage_ratio,
        )  # fmt: skip
        assert 0.41 == whole.p90_ape_ratio  # 20 % + 0.7 of the way to 50 %
        assert ("family", "a", 2, -0.05) == (a.by, a.group, a.measurements, a.bias_ratio)
        assert ("family", "b", 1, 1.0) == (b.by, b.group, b.measurements, b.coverage_ratio)

    def test_a_perfect_measurement_has_no_error_and_lies_inside(self) -> None:
        predicted = predict([SERVING])[0]
        found = validate([SERVING | {"ttft_ms": predicted["ttft_ms"], "tpot_ms": predicted["tpot_ms"]}])
        assert {0.0} == {row.median_ape_ratio for row in found.errors}
        assert {1.0} == {row.coverage_ratio for row in found.errors}

    def test_twice_the_measurement_is_an_error_of_100_percent(self) -> None:
        half = float(str(predict([SERVING])[0]["tpot_ms"])) / 2
        (row, *_) = validate([SERVING | {"tpot_ms": half}]).errors
        assert (1.0, 1.0, 0.0) == (row.median_ape_ratio, row.bias_ratio, row.coverage_ratio)

    def test_public_names_of_measured_columns_are_known(self) -> None:
        row = {
            "model": "Qwen/Qwen3-14B", "hardware": "H100", "tp": 1, "precision": "FP16", "requests_per_s": 5,
            "isl": 566, "osl": 247, "mean_ttft_ms": 40, "median_ttft_ms": 39, "p99_e2e_ms": 3400, "tpot_derived_mean_ms": 12.5,
        }  # fmt: skip
        targets = {row.target for row in validate([row]).errors}
        assert {"ttft_mean_ms", "ttft_p50_ms", "e2e_p99_ms", "tpot_mean_ms"} == targets

    def test_rows_left_out_are_counted_by_their_reason(self) -> None:
        rows = [
            SERVING | {"tpot_ms": 5},
            SERVING | {"tpot_ms": 5, "system": "abacus"},
            SERVING | {"tpot_ms": "n/a"},
        ]
        found = validate(rows)
        assert (3, 1) == (found.rows, found.compared)
        assert {"chip 'abacus' is not in the catalogue": 1, "no measured value of what was predicted": 1} == {
            row.reason: row.rows for row in found.skipped
        }

    def test_rows_without_a_measured_column_are_refused(self) -> None:
        with pytest.raises(InputError, match="no column is a measurement"):
            validate([SERVING])
        with pytest.raises(InputError, match="got 0 rows"):
            validate([])


class TestShippedSet:
    def test_is_compared_as_a_whole(self, report: ValidationReport) -> None:
        assert len(shipped_rows()) == report.rows == report.compared == 1743
        assert {"ttft_ms", "tpot_ms"} == {row.target for row in report.errors}
        for by in ("family", "backend", "chip"):
            rows = [row.measurements for row in report.errors if row.by == by and row.target == "tpot_ms"]
            assert 1743 == sum(rows)

    def test_every_row_names_its_source(self) -> None:
        assert all(str(row["source"]).startswith("aiconfigurator-core") for row in shipped_rows())

    def test_intervals_hold_80_percent_and_more_where_rows_took_part_in_the_fit(
        self, report: ValidationReport
    ) -> None:
        judged = [row for row in report.errors if row.measurements >= 100]
        assert len(judged) >= 15
        for row in judged:
            assert 0.70 <= row.coverage_ratio <= 0.97, row  # these rows are their own neighbours

    def test_errors_are_those_that_the_fit_recorded(self, report: ValidationReport) -> None:
        """A change of the coefficients or of how rows are read that moves predictions shows here."""
        for family, most in (("dense", 0.05), ("moe", 0.10)):
            row = next(row for row in report.errors if (row.target, row.group) == ("tpot_ms", family))
            assert row.median_ape_ratio <= most
            assert abs(row.bias_ratio) <= 0.03

    def test_interval_coverage_on_models_left_out_is_between_72_and_88_percent(
        self, report: ValidationReport
    ) -> None:
        rows = [row for row in report.held_out if row.held_out == "model" and row.kind.endswith("LLM")]
        assert 4 == len(rows)
        for row in rows:
            assert row.coverage_ratio is not None
            assert 0.72 <= row.coverage_ratio <= 0.88, row

    def test_one_pass_models_at_least_halve_the_error_of_one_constant_for_each_device_on_a_gpu(
        self, report: ValidationReport
    ) -> None:
        rows = [row for row in report.held_out if row.kind == "one pass, GPU" and row.held_out == "model"]
        assert rows
        for row in rows:
            assert row.baseline_median_ape_ratio is not None
            assert 2.0 * row.median_ape_ratio <= row.baseline_median_ape_ratio, row


def exactly(values: np.ndarray) -> Latencies:
    return Latencies(values, values, values)


class TestChoices:
    def test_regret_and_broken_limits_are_those_one_finds_by_hand(self) -> None:
        """Eight rows of one model; limits 1,000 ms and 20 ms let rows 0 to 3 through, of which row 3 is cheapest."""
        ttft = np.array([100.0, 100, 100, 100, 9000, 9000, 9000, 9000])
        tpot = np.full(8, 10.0)
        cost = np.array([4.0, 3, 2, 1, 1, 1, 1, 1])
        believed = np.array([4.0, 3, 0.5, 1, 1, 1, 1, 1])  # row 2 looks cheaper than it is
        predicted = (exactly(ttft), exactly(tpot))
        given = Configurations(np.zeros(8, dtype=np.int64), (ttft, tpot), cost, believed, predicted)
        none, regrets, broken = given.judged(sure=0.0)
        assert (0, {1.0}, {False}) == (none, set(regrets), set(broken))
        assert 20 == len(broken)  # five limits on TTFT times four on TPOT that a row keeps

    def test_a_choice_that_breaks_a_limit_is_no_regret_but_broken(self) -> None:
        ttft, tpot = np.full(8, 150.0), np.full(8, 10.0)
        ttft[0] = 9000.0
        cost = np.array([0.1, *[1.0] * 7])
        predicted = (exactly(np.full(8, 150.0)), exactly(tpot))
        given = Configurations(np.zeros(8, dtype=np.int64), (ttft, tpot), cost, cost, predicted)
        none, regrets, broken = given.judged(sure=0.0)
        assert (0, [], {True}) == (none, regrets, set(broken))

    def test_the_chance_to_keep_a_limit_follows_the_interval_on_the_limits_side(self) -> None:
        one = Latencies(np.array([100.0]), np.array([50.0]), np.array([150.0]))
        for limit_ms, chance in ((50.0, 0.1), (100.0, 0.5), (150.0, 0.9)):
            assert pytest.approx(chance) == one.probability(limit_ms)[0]

    def test_who_wants_to_be_surer_takes_the_dearer_row_that_keeps_its_distance(self) -> None:
        ttft, cost = np.full(8, 180.0), np.arange(1.0, 9.0)
        ttft[4:] = 100.0
        middle = Latencies(ttft, ttft / 1.5, ttft * 1.5)
        given = Configurations(
            np.zeros(8, dtype=np.int64), (ttft, np.ones(8)), cost, cost, (middle, exactly(np.ones(8)))
        )
        # 200 ms over 180 ms is 0.33 deviations: a chance of 63 %; over 100 ms 2.19 deviations: 98.6 %
        for sure, regret in ((0.6, 0.0), (0.9, 4.0)):
            assert regret == max(given.judged(sure=sure)[1])

    def test_surer_choices_break_fewer_limits(self, report: ValidationReport) -> None:
        for kind in ("dense", "moe"):
            for unseen in ("", "setting", "model"):
                found = [row for row in report.choices if row.kind == kind and row.held_out == unseen]
                assert [*RULES] == [row.limits_met_by for row in found]
                broken = [row.violated_ratio or 0.0 for row in found]
                assert broken == sorted(broken, reverse=True)
                assert broken[-1] <= 0.05

    def test_choices_among_configurations_left_out_keep_what_is_asked_of_them(
        self, report: ValidationReport
    ) -> None:
        for kind, regret, broken in (("dense", 0.06, 0.08), ("moe", 0.15, 0.12)):
            found = next(
                row
                for row in report.choices
                if (row.kind, row.held_out, row.limits_met_by) == (kind, "setting", "60 % sure")
            )
            assert (found.mean_regret_ratio or 0.0) <= regret
            assert (found.violated_ratio or 0.0) <= broken


class TestSentence:
    @pytest.mark.parametrize("kind", KINDS)
    def test_names_an_error_a_count_and_that_it_was_held_out(self, kind: str) -> None:
        text = sentence(kind)
        assert text.endswith("models that the fit had not seen.")
        assert re.search(r"\d %", text)
        assert "\n" not in text

    def test_an_unknown_kind_is_refused(self) -> None:
        with pytest.raises(UnknownName, match="did you mean 'dense'"):
            sentence("dens")


class TestRendering:
    def test_the_json_is_read_back_as_it_was(self, report: ValidationReport) -> None:
        assert report == ValidationReport.model_validate_json(report.model_dump_json())

    def test_every_table_has_as_many_cells_as_headings(self, report: ValidationReport) -> None:
        found = sections(report)
        assert {"Error of the time per output token", "Promises on accuracy"} <= {
            section.title for section in found
        }
        for section in found:
            assert {len(section.columns)} == {len(row) for row in section.rows}, section.title

    @pytest.mark.parametrize("width", [80, 120])
    def test_lines_are_no_longer_than_the_terminal(self, report: ValidationReport, width: int) -> None:
        text = render_validation(report, width=width)
        assert max(map(len, text.splitlines())) <= width
        assert "\x1b[" not in text
        assert "-0.0 %" not in text

    def test_the_page_loads_nothing_and_runs_nothing(self, report: ValidationReport) -> None:
        page = render_validation_html(report)
        assert "default-src 'none'" in html.unescape(page)
        assert not re.search(r"<script|<link|<img|https?://", page)
        assert page.count("<table") == page.count("</table>") == len(sections(report))

    def test_texts_from_files_are_escaped(self) -> None:
        nasty = "</td><script>alert(1)</script>"
        page = render_validation_html(
            validate([SERVING | {"tpot_ms": 5}, SERVING | {"tpot_ms": 5, "system": nasty}], source=nasty)
        )
        assert "<script" not in page
        assert "&lt;script&gt;" in page


class TestCommand:
    def test_shows_writes_and_refuses_to_overwrite(self, tmp_path: Path) -> None:
        with (tmp_path / "mine.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, [*SERVING, "tpot_ms"])
            writer.writeheader()
            writer.writerow(SERVING | {"tpot_ms": 5.0})
        source, page = str(tmp_path / "mine.csv"), str(tmp_path / "page.html")
        shown = CliRunner().invoke(app, ["validate", source, "--format", "json"])
        assert 1 == json.loads(shown.stdout)["compared"]
        assert validate_file(source) == ValidationReport.model_validate_json(shown.stdout)
        assert 0 == CliRunner().invoke(app, ["validate", source, "-o", page]).exit_code
        assert Path(page).read_text(encoding="utf-8").startswith("<!doctype html>")
        assert 0 != CliRunner().invoke(app, ["validate", source, "-o", page]).exit_code
        assert 0 == CliRunner().invoke(app, ["validate", source, "-o", page, "--force"]).exit_code

    def test_shows_the_shipped_set_as_a_table(self) -> None:
        done = CliRunner().invoke(app, ["validate"])
        assert 0 == done.exit_code, done.output
        assert "1,743 of 1,743 rows" in done.stdout

    def test_a_file_without_measurements_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "p.csv").write_text("model,isl_tokens\nx,1\n", encoding="utf-8")
        with pytest.raises(InputError, match="no column is a measurement"):
            validate_file(tmp_path / "p.csv")
