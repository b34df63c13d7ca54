"""Real traces of requests: read lazily, and reduced to what a workload needs, with the error of the reduction.

>>> from advisor.traces import read_trace, summarize, traffic_from_trace
"""

from advisor.traces.reading import read_trace
from advisor.traces.records import Trace
from advisor.traces.summary import Lengths, TrafficSummary, summarize, traffic_from_trace

__all__ = ["Lengths", "Trace", "TrafficSummary", "read_trace", "summarize", "traffic_from_trace"]
