"""A check as SARIF 2.1.0, which code hosts show beside the stored plan's file."""

from __future__ import annotations

import hashlib
import json
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from advisor import __version__
from advisor.checking.results import CheckResult, RequirementCheck

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_BROKEN, _DRIFTED = "plan-breaks-requirement", "plan-drifted"
_RULES = {
    _BROKEN: ("The stored plan no longer meets a requirement", "error"),
    _DRIFTED: ("A cheaper plan pays the switch", "warning"),
}


def as_sarif(result: CheckResult, plan: str) -> str:
    """Return the check as a SARIF log: one result for each broken requirement, and one for drift; none where it is best.

    Args:
        result: The check.
        plan: Path of the stored plan, relative to the repository where it shall be shown.
    """
    found = [_broken(row, result, plan) for row in result.requirements if not row.kept]
    if result.status == "drifted":
        found.append(_result(_DRIFTED, result.workload, result.summary, plan))
    driver = {
        "name": "advisor",
        "semanticVersion": __version__,
        "rules": [
            {
                "id": rule,
                "shortDescription": {"text": text},
                "defaultConfiguration": {"level": level},
            }
            for rule, (text, level) in _RULES.items()
        ],
    }
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": found}]}
    return json.dumps(log, indent=2, ensure_ascii=True) + "\n"


def _broken(row: RequirementCheck, result: CheckResult, plan: str) -> dict[str, Any]:
    subject = f"{row.service or result.workload}: {row.requirement}"
    text = f"{subject} is {row.reached}, limit {row.limit}" + (f": {row.why}" if row.why else "")
    return _result(_BROKEN, subject, text, plan)


def _result(rule: str, subject: str, text: str, plan: str) -> dict[str, Any]:
    """Return one result; its fingerprint stays the same as long as the same thing is wrong."""
    place = {
        "artifactLocation": {"uri": quote(PurePosixPath(plan.replace("\\", "/")).as_posix())},
        "region": {"startLine": 1},
    }
    return {
        "ruleId": rule,
        "ruleIndex": list(_RULES).index(rule),
        "level": _RULES[rule][1],
        "message": {"text": text},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {
            "advisor/v1": hashlib.sha256(f"{rule}\n{subject}".encode("utf-8", "replace")).hexdigest()
        },
    }
