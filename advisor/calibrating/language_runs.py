"""Runs of a language model as rows: whether the client kept a rate or a number of requests in flight."""

from __future__ import annotations

from collections.abc import Mapping

from advisor.calibrating.results import Run, number

_LEAST_KEPT_UP = 0.9
_MOST_FAILED = 0.05
_AT_ONCE = (
    "all requests were sent at once, which is neither a rate nor a concurrency; limit the requests in flight or "
    "state a rate"
)
Measured = Mapping[str, float | None]


def language_run(
    row: Mapping[str, object],
    measured: Measured,
    *,
    rate: float | None,
    concurrency: float | None,
    day: str = "",
    by_littles_law: bool = False,
) -> Run:
    """Return a run of a language model as a row with its load and its measured values.

    A run whose requests arrive at a rate is of another kind than one that keeps a number in flight. Where a server
    does not keep up with a rate, the client's limit of requests in flight is what it was measured under.

    Args:
        row: Model, chip and what else the file says.
        measured: `ttft_ms, tpot_ms, e2e_ms` (means), `input_tokens, output_tokens` (means), `requests`, `failed`, and
            `requests_per_s` as achieved.
        rate: Offered requests per second; `None` where the client waited for answers.
        concurrency: Most requests in flight; `None` where nothing limited them.
        day: `YYYY-MM-DD`.
        by_littles_law: Whether the requests in flight may follow from rate x latency where the file states no load.
    """
    answer, ttft, tpot, e2e = _times(measured)
    filled = {**row, "isl_tokens": measured.get("input_tokens"), "osl_tokens": answer}
    if problem := _problem(measured, ttft, tpot):
        return Run(filled, day, problem)
    achieved = measured.get("requests_per_s")
    in_flight = achieved * e2e / 1e3 if achieved and e2e else None
    if rate is not None and achieved is not None and achieved < _LEAST_KEPT_UP * rate:
        rate = None
        if concurrency is None:
            return Run(
                filled, day, "the server did not keep up with the rate; its queue grew while the run lasted"
            )
    if rate is not None:
        load = {
            "request_rate": rate,
            "num_prompts": measured.get("requests"),
            "ttft_mean_ms": ttft,
            "tpot_mean_ms": tpot,
            "e2e_mean_ms": e2e,
        }
        return Run({**filled, **load}, day)
    if concurrency is None and (in_flight is None or not by_littles_law):
        return Run(filled, day, _AT_ONCE)
    kept = in_flight if concurrency is None else min(concurrency, in_flight or concurrency)
    return Run({**filled, "concurrency": max(kept or 1.0, 1.0), "ttft_ms": ttft, "tpot_ms": tpot}, day)


def _times(measured: Measured) -> tuple[float | None, float | None, float | None, float | None]:
    """Return tokens of an answer and TTFT, TPOT and latency of the whole in ms; one of the times follows from the others."""
    answer, ttft, tpot, e2e = (
        measured.get(name) for name in ("output_tokens", "ttft_ms", "tpot_ms", "e2e_ms")
    )
    if not tpot and e2e and ttft and answer and answer > 1.5:
        tpot = max(e2e - ttft, 0.0) / (answer - 1.0)
    if not e2e and ttft and tpot and answer:
        e2e = ttft + tpot * (answer - 1.0)
    return answer, ttft, tpot, e2e


def _problem(measured: Measured, ttft: float | None, tpot: float | None) -> str:
    if not ttft and not tpot:
        return "it states neither a time to first token nor a time per output token"
    requests, failed = measured.get("requests"), measured.get("failed") or 0.0
    if requests is not None and failed > _MOST_FAILED * (requests + failed):
        return f"{failed:g} of {requests + failed:g} requests failed"
    return ""


def positive(value: object) -> float | None:
    """Return a finite number above 0; `None` for anything else, `inf` among it."""
    return number(value) or None
