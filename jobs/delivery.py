"""Delivery of an extract or a recall to a partner's bucket by boto3; what vouches for the rest goes last, so that a partner
never sees half."""

from __future__ import annotations

from collections.abc import Mapping

from botocore.exceptions import BotoCoreError, ClientError

from contracts.model import Recipient
from jobs.connections import access
from jobs.errors import SourceUnavailable
from jobs.stages.extract import MANIFEST
from jobs.storage import client


def upload(recipient: Recipient, destination: str, files: Mapping[str, bytes], last: str = MANIFEST) -> None:
    """Put the files below ``destination`` (s3://bucket/prefix), ``last`` after all others.

    Raises SourceUnavailable when that does not succeed.
    """
    held = access(recipient.connection)
    bucket, _, prefix = destination.removeprefix("s3://").partition("/")
    store = client(held, held.base_url)
    try:
        for name in sorted(files, key=lambda n: (n == last, n)):
            store.put_object(Bucket=bucket, Key=f"{prefix}/{name}", Body=files[name])
    except (BotoCoreError, ClientError) as error:
        raise SourceUnavailable(f"delivery to bucket {bucket} of {recipient.id} failed ({type(error).__name__}); "
                                "it stays here and can be delivered again") from None
