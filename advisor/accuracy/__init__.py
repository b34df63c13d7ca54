"""How much quality a treatment costs on a model, with its uncertainty, its evidence and its interactions.

`loss` gives the distribution of the relative loss of one treatment, `combine` that of several together. Treatment ids
are listed in `advisor.accuracy.treatments`.
"""

from advisor.accuracy.distribution import (
    SAMPLES,
    LossDistribution,
    from_normal,
    from_quantiles,
    lossless,
    relative_limit,
)
from advisor.accuracy.interactions import Interactions, Rule, combine
from advisor.accuracy.measured import Measurement, Resolution, needed_samples, resolve
from advisor.accuracy.model import loss
from advisor.accuracy.recovery import Prior, predict_recovery, prior
from advisor.accuracy.treatments import TREATMENTS, Treatment, treatment

__all__ = [
    "SAMPLES",
    "TREATMENTS",
    "Interactions",
    "LossDistribution",
    "Measurement",
    "Prior",
    "Resolution",
    "Rule",
    "Treatment",
    "combine",
    "from_normal",
    "from_quantiles",
    "loss",
    "lossless",
    "needed_samples",
    "predict_recovery",
    "prior",
    "relative_limit",
    "resolve",
    "treatment",
]
