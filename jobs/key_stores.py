"""Where the master secret is: a file of mode 0600, a secret of AWS Secrets Manager, or a data key that AWS KMS wraps.

A setting names the place (``CONCORD_MASTER``): ``file``, ``secretsmanager:NAME``, or ``kms:KEY``. With KMS the wrapped key lies
beside the other keys and is worth nothing without the service, which is asked each time. What AWS answers is never quoted.
"""

from __future__ import annotations

import logging
import secrets
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.errors import ConfigurationError, KeysUnreadable
from jobs.key_files import read_own, write_once
from jobs.storage import region

if TYPE_CHECKING:
    from collections.abc import Iterator

MASTER, WRAPPED = "master.key", "master.kms"
BYTES = 32
CONTEXT = {"concord": "master"}  # KMS unwraps only with the same, and writes it into its own audit.
SERVICES = {"secretsmanager": "AWS Secrets Manager", "kms": "AWS KMS"}


def create(folder: Path, place: str) -> bool:
    """Make the master secret where there is none; True when one was made. Raises KeysUnreadable, ConfigurationError."""
    kind, name = _place(place)
    if kind == "file":
        return write_once(folder / MASTER, secrets.token_hex(BYTES).encode())
    if kind == "kms":
        if (folder / WRAPPED).exists():
            return False
        with _asked(kind, name) as client:
            wrapped = client.generate_data_key_without_plaintext(KeyId=name, NumberOfBytes=BYTES, EncryptionContext=CONTEXT)
        return write_once(folder / WRAPPED, wrapped["CiphertextBlob"])
    with _asked(kind, name) as client:
        try:
            client.create_secret(Name=name, SecretString=secrets.token_hex(BYTES))
        except client.exceptions.ResourceExistsException:
            return False
    return True


def master(folder: Path, place: str) -> bytes:
    """The master secret, at least 32 bytes. Raises KeysUnreadable, which says where it was looked for and nothing of it."""
    kind, name = _place(place)
    found = b""
    try:
        if kind == "file":
            found = bytes.fromhex(read_own(folder / MASTER).decode().strip())
        elif kind == "kms":
            wrapped = read_own(folder / WRAPPED)
            with _asked(kind, name) as client:
                found = client.decrypt(CiphertextBlob=wrapped, KeyId=name, EncryptionContext=CONTEXT)["Plaintext"]
        else:
            with _asked(kind, name) as client:
                found = bytes.fromhex(client.get_secret_value(SecretId=name).get("SecretString", ""))
    except ValueError:
        pass
    if len(found) < BYTES:
        where = str(folder / MASTER) if kind == "file" else f"{SERVICES[kind]} {name}"
        raise KeysUnreadable(f"{where} holds no secret of {BYTES} bytes; restore it from its backup") from None
    return found


def _place(place: str) -> tuple[str, str]:
    kind, _, name = place.partition(":")
    if (kind == "file" and not name) or (kind in SERVICES and name):
        return kind, name
    raise ConfigurationError(f"CONCORD_MASTER is {place!r}; write file, secretsmanager:NAME or kms:KEY")


@contextmanager
def _asked(kind: str, name: str) -> Iterator[Any]:
    """A client of the service by boto3's chain of credentials; whatever goes wrong is KeysUnreadable, without the answer."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    for logger in ("boto3", "botocore", "urllib3"):
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    try:
        patience = Config(retries={"max_attempts": 3}, connect_timeout=5, read_timeout=10)
        yield boto3.client(kind, region_name=region(), config=patience)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "no code")
        raise KeysUnreadable(f"{SERVICES[kind]} refuses {name} ({code}); give this user its rights, or correct "
                             "CONCORD_MASTER") from None
    except BotoCoreError as error:
        raise KeysUnreadable(f"{SERVICES[kind]} does not answer for {name} ({type(error).__name__}); nothing flows until it "
                             "does") from None
