"""Access to object stores: by boto3's credential chain for the lake, by a connection for what others give or get."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jobs.connections import LOOPBACK, Access

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem, SubTreeFileSystem

AWS_HOST = re.compile(r"s3[.-](?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com(?:\.cn)?")
BATCH = 16 * 1024  # Rows.
# botocore logs whole requests and answers, with keys of objects.
logging.getLogger("botocore").setLevel(logging.CRITICAL)


def client(held: Access, address: str) -> Any:
    """boto3's S3 client of the store at an address, as the user of a connection; nobody else's credentials are tried."""
    import boto3
    from botocore.config import Config

    host = urlsplit(address).hostname or ""
    aws = AWS_HOST.fullmatch(host)
    return boto3.client(
        "s3", endpoint_url=address, aws_access_key_id=held.login, aws_secret_access_key=held.password,
        region_name=aws[1] if aws else region(), verify=held.ca_file or None,
        config=Config(retries={"max_attempts": 3}, s3={"addressing_style": "path"}, proxies={} if host in LOOPBACK else None))


def storage_options(root: str) -> dict[str, str] | None:
    """Options for delta-rs below ``root``; None for a local folder.

    For s3:// the credentials boto3 finds are also put into this process's environment, where an in-process Sail
    looks for them.
    """
    if not root.startswith("s3://"):
        return None
    import boto3

    session = boto3.Session()
    options: dict[str, str] = {}
    credentials = session.get_credentials()
    if credentials is not None:
        frozen = credentials.get_frozen_credentials()
        options["AWS_ACCESS_KEY_ID"] = frozen.access_key
        options["AWS_SECRET_ACCESS_KEY"] = frozen.secret_key
        if frozen.token:
            options["AWS_SESSION_TOKEN"] = frozen.token
    options["AWS_REGION"] = region()
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if endpoint:
        options["AWS_ENDPOINT_URL"] = endpoint
        if endpoint.startswith("http://"):
            options["AWS_ALLOW_HTTP"] = "true"
    os.environ.update(options)
    return options


def region() -> str:
    """The region boto3's chain names, else the one of ``AWS_REGION`` (which boto3 does not read), else us-east-1."""
    import boto3

    return boto3.Session().region_name or os.environ.get("AWS_REGION") or "us-east-1"


def arrow_files(folder: str) -> SubTreeFileSystem:
    """Arrow's own file system, rooted at a folder or s3:// address."""
    from pyarrow import fs

    store, path = arrow_store(folder)
    return fs.SubTreeFileSystem(path, store)


def arrow_store(folder: str) -> tuple[FileSystem, str]:
    """Arrow's own file system for a folder or s3:// address, and the path of it there."""
    from pyarrow import fs

    options = storage_options(folder)
    if options is None:
        return fs.LocalFileSystem(), folder
    endpoint = options.get("AWS_ENDPOINT_URL", "")
    store = fs.S3FileSystem(access_key=options.get("AWS_ACCESS_KEY_ID"), secret_key=options.get("AWS_SECRET_ACCESS_KEY"),
                            session_token=options.get("AWS_SESSION_TOKEN"), region=options["AWS_REGION"],
                            endpoint_override=endpoint or None)
    return store, folder.removeprefix("s3://")


def opened(table: Any, address: str, version: int | None) -> Any:
    """A version of a DeltaTable (the one it is at, where none is named) as a dataset of Arrow."""
    if version is not None:
        table.load_as_version(version)
    # Not the files of delta-rs: a thread with one aborts Python's end (apache/arrow 39862).
    return table.to_pyarrow_dataset(filesystem=arrow_files(address))


def streamed(dataset: Any) -> Iterator[Any]:
    """The rows of a dataset as small tables, few of them in memory at a time."""
    import pyarrow as pa

    for batch in dataset.to_batches(batch_size=BATCH, batch_readahead=1, fragment_readahead=1):
        yield plain(pa.Table.from_batches([batch]))


def plain(rows: Any) -> Any:
    """Rows with texts for views of texts, which delta-rs writes in a merge: Arrow 26 filters none, and nobody misses them."""
    import pyarrow as pa

    wanted = {"string_view": pa.string(), "binary_view": pa.binary()}
    return rows.cast(pa.schema([field.with_type(wanted.get(str(field.type), field.type)) for field in rows.schema],
                               rows.schema.metadata))


def scanned(dataset: Any, columns: list[str] | None, filters: Any) -> Any:
    """The rows of a dataset that filters let through.

    What delta-rs merged has string views, which Arrow 26 cannot hold against the values of an ``isin`` when it asks whether a
    file may have any: then the rows are filtered once they are read.
    """
    import pyarrow as pa

    try:
        return dataset.to_table(columns=columns, filter=filters)
    except pa.ArrowNotImplementedError:
        return dataset.to_table().filter(filters).select(columns or dataset.schema.names)
