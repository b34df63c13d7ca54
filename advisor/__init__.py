"""The cheapest way to serve an AI model within its accuracy and latency limits, and how sure that is.

Example:
    >>> from advisor import Requirements, recommend
    >>> recommendation = recommend("small-cnn", Requirements(max_accuracy_loss="1%"))
    >>> recommendation.status
    'optimal'
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from advisor.api import recommend
    from advisor.calibrating import Stated, calibrate
    from advisor.calibration import Calibration
    from advisor.catalog import Catalog
    from advisor.errors import AdvisorError, InfeasibleError, InputError
    from advisor.questions import compare, explain, frontier, what_if
    from advisor.recommendation import Recommendation
    from advisor.requirements import Requirements
    from advisor.scenario import Scenario
    from advisor.strategy import Deltas, LossEstimate, Option, Requires, Strategy
    from advisor.whole_bill import bill
    from advisor.workload import Workload

__version__ = "0.1.0"

_HOME = {
    "AdvisorError": "advisor.errors",
    "Calibration": "advisor.calibration",
    "Catalog": "advisor.catalog",
    "Deltas": "advisor.strategy",
    "InfeasibleError": "advisor.errors",
    "InputError": "advisor.errors",
    "LossEstimate": "advisor.strategy",
    "Option": "advisor.strategy",
    "Recommendation": "advisor.recommendation",
    "Requirements": "advisor.requirements",
    "Requires": "advisor.strategy",
    "Scenario": "advisor.scenario",
    "Stated": "advisor.calibrating",
    "Strategy": "advisor.strategy",
    "Workload": "advisor.workload",
    "bill": "advisor.whole_bill",
    "calibrate": "advisor.calibrating",
    "compare": "advisor.questions",
    "explain": "advisor.questions",
    "frontier": "advisor.questions",
    "recommend": "advisor.api",
    "what_if": "advisor.questions",
}

__all__ = [  # noqa: RUF022 - the call first
    "recommend",
    "explain",
    "frontier",
    "what_if",
    "compare",
    "bill",
    "calibrate",
    "AdvisorError",
    "Calibration",
    "Catalog",
    "Deltas",
    "InfeasibleError",
    "InputError",
    "LossEstimate",
    "Option",
    "Recommendation",
    "Requirements",
    "Requires",
    "Scenario",
    "Stated",
    "Strategy",
    "Workload",
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import advisor` stays light."""
    if name not in _HOME:
        raise AttributeError(f"module 'advisor' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
