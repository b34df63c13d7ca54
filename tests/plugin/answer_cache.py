"""A strategy for advisor: answer repeated questions from a cache."""

from advisor import Deltas, LossEstimate, Option
from advisor.strategy import neutral

MEASURED = "our cache in front of the service, week of 2026-10-05: 50 % of requests repeat an earlier one"


class AnswerCache:
    """Requests that repeat an earlier one, letter for letter, never reach the model."""

    name = "answer_cache"
    title = "Answer cache"

    def options(self, workload, instance_type):
        """Return no cache first, then the cache; the same for every workload and machine."""
        cache = Deltas(
            throughput_ratio=2.0,  # half of the requests reach the model
            engineer_hours=16.0,
            loss=LossEstimate(expected_ratio=0.0, p10_ratio=0.0, p90_ratio=0.0, source=MEASURED),
        )
        return [
            neutral("No cache of answers"),
            Option(
                id="exact-match",
                title="Answer exact repeats from a cache",
                deltas=cache,
                sources=(MEASURED, "assumed: two working days"),
                steps=("Put the cache in front of the service, with the whole request as the key.",),
                risk="Repeats become rare when prompts carry a date or a name.",
            ),
        ]


strategy = AnswerCache()
