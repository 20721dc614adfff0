"""What a command may know: a few names of our environment, and the Airflow connections it was given; and what may run here."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime

from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from contracts import life
from contracts.model import Contract

KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
OURS, ACCESS, STORE = "CONCORD_", "CONCORD_CONNECTION_", "AWS_"


def environment(connections: Iterable[str], delivers: bool = False) -> dict[str, str]:
    """The environment of a command; each connection is the JSON value of ``CONCORD_CONNECTION_<ID>``.

    The names of boto3's chain are part of it where AWS is asked: for the lake, by what it ``delivers``, for the master secret.
    """
    keeps_keys_there = os.environ.get("CONCORD_MASTER", "file") != "file"
    asks_store = delivers or keeps_keys_there or os.environ.get("CONCORD_LAKE", "").startswith("s3://")
    kept = {k: v for k, v in os.environ.items() if k in KEPT or (k.startswith(OURS) and not k.startswith(ACCESS))
            or (asks_store and k.startswith(STORE))}
    given = {ACCESS + name.upper(): json.dumps(connection(name)) for name in connections}
    return kept | {"PYTHONUNBUFFERED": "1"} | given


def in_force(contract: Contract) -> bool:
    """Whether a contract may run in this environment, today; without it no DAG is made, since each run would fail."""
    return life.may_run(contract, life.environment(os.environ.get("CONCORD_ENVIRONMENT", "")), datetime.now(UTC).date())


def connection(name: str) -> dict[str, str]:
    """Address and credentials of an Airflow connection; its password is masked in the log from here on.

    The address is ``base_url`` of the extras, else made of schema (https), host and port; ``ca_file`` is an extra.
    """
    held = BaseHook.get_connection(name)
    if held.password:
        mask_secret(held.password)
    address = f"{held.schema or 'https'}://{held.host}" + (f":{held.port}" if held.port else "")
    return {"base_url": held.extra_dejson.get("base_url") or address, "login": held.login or "",
            "password": held.password or "", "ca_file": held.extra_dejson.get("ca_file") or ""}
