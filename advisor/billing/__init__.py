"""What a model costs from end to end, and what a provider billed for it."""

from advisor.billing.focus import read_focus
from advisor.billing.sums import BillGroup, BillLine, FocusBill, InstanceUse

__all__ = ["BillGroup", "BillLine", "FocusBill", "InstanceUse", "read_focus"]
