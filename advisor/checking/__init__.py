"""A stored plan evaluated again: still best, no longer feasible, or drifted from what would be recommended now."""

from advisor.checking.results import EXIT_CODES, CheckResult, RequirementCheck, ServiceCheck
from advisor.checking.verdict import check
from advisor.switching import TOLERANCE_RATIO

__all__ = ["EXIT_CODES", "TOLERANCE_RATIO", "CheckResult", "RequirementCheck", "ServiceCheck", "check"]
