"""What a user's own benchmarks say about speed: a document of factors, and how they change predictions.

A calibration holds for one model on one chip with one runtime and number format. Everything else stays as shipped.
"""

from advisor.calibration.document import Calibration, Engine, Factor, MetricError, SetAside, Source
from advisor.calibration.factors import DecoderFactors, PassFactors
from advisor.calibration.matching import EngineKey, decoder_key, pass_key

__all__ = [
    "Calibration",
    "DecoderFactors",
    "Engine",
    "EngineKey",
    "Factor",
    "MetricError",
    "PassFactors",
    "SetAside",
    "Source",
    "decoder_key",
    "pass_key",
]
