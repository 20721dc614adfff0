"""What AWS decides by one policy about one request: a deny beats an allow, and silence is a deny.

After "Policy evaluation logic" of the IAM user guide, for the words that our policies use. moto asks a bucket's policy for
denials of objects alone, and knows neither its principals nor its conditions.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any


def allows(policy: dict[str, Any], arn: str, action: str, resource: str, prefix: str | None = None) -> bool | None:
    """True for an allow, False for an explicit deny, None where the policy says nothing of it."""
    said = {statement["Effect"] for statement in policy["Statement"]
            if arn in statement["Principal"]["AWS"] and any(fnmatchcase(action, a) for a in statement["Action"])
            and any(fnmatchcase(resource, r) for r in statement["Resource"]) and _holds(statement.get("Condition", {}), prefix)}
    return False if "Deny" in said else True if "Allow" in said else None


def _holds(condition: dict[str, Any], prefix: str | None) -> bool:
    for operator, values in condition.items():
        is_like = prefix is not None and any(fnmatchcase(prefix, value) for value in values["s3:prefix"])
        if is_like != {"StringLike": True, "StringNotLike": False}[operator]:
            return False
    return True
