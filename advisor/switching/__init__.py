"""The plan in service against what could replace it: what a switch costs, what it must save, and whether it pays.

A switch costs the one-time work of the options that the plan in service has not got, and what is left to pay for
reserved machines that it would leave idle. It pays where, over the horizon of m months,

    saving a month > switching cost / m + margin,

with the margin of `advisor.switching.margins`. Two properties follow. Asking again with the answer as the plan in
service changes nothing: one-time work obeys the triangle inequality, so whatever would pay from there would have
paid before, and more. And what changes by less than the margin changes nothing.
"""

from advisor.switching.again import Again, evaluated_again
from advisor.switching.current import TOLERANCE_RATIO, Current, InService, in_service
from advisor.switching.deciding import marked, preparer, switch_of
from advisor.switching.rebasing import fleet_today, matched, rebased

__all__ = [
    "TOLERANCE_RATIO",
    "Again",
    "Current",
    "InService",
    "evaluated_again",
    "fleet_today",
    "in_service",
    "marked",
    "matched",
    "preparer",
    "rebased",
    "switch_of",
]
