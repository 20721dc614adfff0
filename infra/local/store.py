"""The object store of a local installation: the partners' buckets, and one for each source whose files are dropped."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from contracts import catalog


def bucket(source_id: str) -> str:
    """The bucket that a source's files are dropped into."""
    return f"concord-{source_id.replace('_', '-')}"


def filled(address: str, login: tuple[str, str], exports: Path) -> bool:
    """Make the buckets, and drop the files of a folder's subfolders, one a source; False while the store does not answer."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    client = boto3.client("s3", endpoint_url=address, aws_access_key_id=login[0], aws_secret_access_key=login[1],
                          region_name="us-east-1", config=Config(proxies={}, retries={"total_max_attempts": 1}))
    try:
        for recipient in catalog().recipients.values():
            client.create_bucket(Bucket=urlsplit(recipient.delivery).netloc)
        for source in dropping(exports):
            client.create_bucket(Bucket=bucket(source))
            folder = exports / source
            for file in sorted(p for p in folder.rglob("*") if p.is_file()):
                client.put_object(Bucket=bucket(source), Key=file.relative_to(folder).as_posix(), Body=file.read_bytes())
    except BotoCoreError:
        return False
    return True


def dropping(exports: Path) -> list[str]:
    """The sources whose files are dropped, of those that there are contracts for."""
    return [s.id for s in catalog().sources.values() if s.connection.connector == "object_drop" and (exports / s.id).is_dir()]
