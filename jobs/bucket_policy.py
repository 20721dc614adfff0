"""Zone rights on S3: the bucket policy that follows from the one table of `contracts/zones.py`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from contracts.vocabulary import Zone
from contracts.zones import is_open, is_open_zone
from jobs.errors import ConfigurationError

# A user or a role: a whole account would take in the platform itself, a session ends.
PRINCIPAL = re.compile(r"arn:(aws[a-z-]*):iam::\d{12}:(?:user|role)/[\w+=,.@/-]+")
ASIDE = "_*"  # What lies beside the zones: work in progress, extracts.
CHANGES = ("s3:Put*", "s3:Delete*", "s3:Restore*", "s3:Replicate*", "s3:AbortMultipartUpload", "s3:BypassGovernanceRetention")


def bucket_policy(root: str, tables: Iterable[str], arns: Sequence[str]) -> dict[str, Any]:
    """A bucket policy for a lake at s3://bucket/prefix: readers, by ARN, get and list released tables, and are denied the rest.

    The denials stand above what their own policies allow. Raises ConfigurationError for a lake on a disk, for no reader,
    and for what is no ARN of a user or a role.
    """
    if not root.startswith("s3://"):
        raise ConfigurationError(f"{root} is no address on S3; write --lake s3://bucket/prefix, or set CONCORD_LAKE. A lake on a "
                                 "disk has CONCORD_READERS_GROUP")
    partition = _partition(arns)
    bucket, _, prefix = root.removeprefix("s3://").partition("/")
    below = f"{prefix}/" if prefix else ""
    opened, closed = _keys(sorted(tables))
    listed = [below + key for key in opened]

    def objects(keys: Iterable[str]) -> list[str]:
        return [f"arn:{partition}:s3:::{bucket}/{below}{key}" for key in keys]

    whole = f"arn:{partition}:s3:::{bucket}"
    return {"Version": "2012-10-17", "Statement": [
        _statement("ReadReleasedTables", "Allow", arns, ["s3:GetObject"], objects(opened)),
        _statement("ListReleasedTables", "Allow", arns, ["s3:ListBucket"], [whole], {"StringLike": {"s3:prefix": listed}}),
        _statement("ReadNothingElse", "Deny", arns, ["s3:*"], objects(closed)),
        _statement("ListNothingElse", "Deny", arns, ["s3:ListBucket*"], [whole], {"StringNotLike": {"s3:prefix": listed}}),
        _statement("ChangeNothing", "Deny", arns, list(CHANGES), objects(["*"]))]}


def _keys(tables: Sequence[str]) -> tuple[list[str], list[str]]:
    """Patterns of keys below the root that readers may read, and of those they may not."""
    opened: list[str] = []
    closed = [ASIDE]
    for zone in Zone:
        inside = [table for table in tables if table.startswith(f"{zone}.")]
        if is_open_zone(zone) or not any(map(is_open, inside)):
            (opened if is_open_zone(zone) else closed).append(f"{zone}/*")
            continue
        for table in inside:
            (opened if is_open(table) else closed).append(f"{table.replace('.', '/')}/*")
    return opened, closed


def _partition(arns: Sequence[str]) -> str:
    for arn in arns:
        if not PRINCIPAL.fullmatch(arn):
            raise ConfigurationError(f"{arn!r} is no ARN of a user or a role; write arn:aws:iam::123456789012:role/NAME")
    found = {arn.split(":")[1] for arn in arns}
    if len(found) != 1:
        raise ConfigurationError("name readers of one partition: --reader arn:aws:iam::123456789012:role/NAME, once for each")
    return found.pop()


def _statement(name: str, effect: str, arns: Sequence[str], actions: list[str], resources: list[str],
               condition: dict[str, Any] | None = None) -> dict[str, Any]:
    said = {"Sid": name, "Effect": effect, "Principal": {"AWS": list(arns)}, "Action": actions, "Resource": resources}
    return said | ({"Condition": condition} if condition else {})
