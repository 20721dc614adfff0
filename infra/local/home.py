"""The folder one local installation lives in, and the secrets it keeps there."""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.sources.credentials import write_private

ROLES = {"admin": "Admin", "engineer": "Engineer", "officer": "Officer", "concord": "Service"}


@dataclass(frozen=True)
class Home:
    """Absolute paths below one root."""

    root: Path

    @property
    def lake(self) -> Path:
        """The lake."""
        return self.root / "lake"

    @property
    def keys(self) -> Path:
        """Key files, the owner's alone."""
        return self.root / "keys"

    @property
    def airflow(self) -> Path:
        """Airflow's database, settings and task logs."""
        return self.root / "airflow"

    @property
    def logs(self) -> Path:
        """What the services say."""
        return self.root / "logs"

    @property
    def sources(self) -> Path:
        """Addresses and credentials of the simulated source systems."""
        return self.root / "sources"

    @property
    def exports(self) -> Path:
        """Files that simulated systems drop, in a folder for each."""
        return self.sources / "exports"

    @property
    def accounts(self) -> Path:
        """Airflow's users with their passwords."""
        return self.keys / "airflow.json"

    def create(self) -> None:
        """Make the folders where they are missing. Raises OSError."""
        for folder in (self.root, self.lake, self.keys, self.airflow, self.logs, self.sources):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.keys.chmod(0o700)

    def secrets(self) -> dict[str, Any]:
        """Airflow's users (password and role by name) and its Fernet key: drawn once, then kept."""
        if not self.accounts.exists():
            users = {name: {"password": secrets.token_urlsafe(18), "role": role} for name, role in ROLES.items()}
            key = base64.urlsafe_b64encode(os.urandom(32)).decode()
            write_private(self.accounts, {"users": users, "fernet_key": key})
        content: dict[str, Any] = json.loads(self.accounts.read_text(encoding="utf-8"))
        return content
