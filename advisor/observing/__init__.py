"""What a service is asked for today, learnt from Prometheus or from a dump of its metrics."""

from advisor.observing.access import Access
from advisor.observing.dumps import observe_dumps
from advisor.observing.fields import open_questions
from advisor.observing.observation import Observation
from advisor.observing.prometheus import Prometheus
from advisor.observing.querying import observe_prometheus
from advisor.observing.spans import Span
from advisor.observing.summary import Given, workload_text
from advisor.observing.updating import updated_text

__all__ = [
    "Access",
    "Given",
    "Observation",
    "Prometheus",
    "Span",
    "observe_dumps",
    "observe_prometheus",
    "open_questions",
    "updated_text",
    "workload_text",
]
