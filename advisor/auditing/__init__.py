"""A stored plan against what happened: last period's trace, its bill and its latencies, with the error of each line."""

from advisor.auditing.audit import audit
from advisor.auditing.ledger import add_to_ledger, bias, read_ledger
from advisor.auditing.results import Audit, AuditFile, AuditLine, Bias

__all__ = ["Audit", "AuditFile", "AuditLine", "Bias", "add_to_ledger", "audit", "bias", "read_ledger"]
