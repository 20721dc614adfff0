"""Where this installation keeps its things. Every setting is an environment variable ``CONCORD_<NAME>``."""

from __future__ import annotations

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Settings of one process; secrets are files below ``home``, never settings."""

    model_config = SettingsConfigDict(env_prefix="CONCORD_", frozen=True)

    home: Path = Path(".concord")
    lake: str = ""
    engine: str = "sail"
    actor: str = ""
    readers_group: str = ""
    environment: str = ""
    master: str = "file"

    @property
    def lake_root(self) -> str:
        """Root of the lake: a local folder or s3://bucket/prefix, without a slash at the end."""
        return (self.lake or str((self.home / "lake").resolve())).rstrip("/")

    @property
    def keys(self) -> Path:
        """Folder of the key files, readable by this user only."""
        return self.home / "keys"

    @property
    def spool(self) -> Path:
        """Folder for batches on their way into the lake."""
        return self.home / "spool"

    @property
    def events(self) -> Path:
        """File of the OpenLineage events."""
        return self.home / "lineage" / "events.jsonl"
