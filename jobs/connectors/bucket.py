"""A bucket that others drop files into, by boto3: what lies there, and the bytes of one object and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    PaginationError,
    SSLError,
)
from botocore.exceptions import ConnectionError as NoConnection

from contracts.model import Source
from jobs.connections import Access
from jobs.connectors import session
from jobs.connectors.explain import Place, not_promised, of_status
from jobs.connectors.records import digest
from jobs.errors import ConcordError, ConfigurationError, SourceRefused, SourceUnavailable
from jobs.storage import client

CHUNK = 2**16
NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# Every one of them is remembered in the cursor, which is part of each landing's commit.
MOST = 100_000
FINGERPRINT = 24
CUT = (HTTPClientError, IncompleteReadError, FlexibleChecksumError, NoConnection)


@dataclass(frozen=True)
class Found:
    """An object as the bucket lists it: when it was dropped, its size in bytes, and the ETag of its content.

    Its key may hold a person's name, so it is never shown.
    """

    at: datetime
    key: str = field(repr=False)
    etag: str
    size: int

    @property
    def fingerprint(self) -> str:
        """The same for the same content under the same key, whenever it was dropped."""
        return digest(f"{self.etag} {self.key}".encode())[:FINGERPRINT]


class Bucket:
    """The way to one source's bucket; ``base_url`` of its connection ends in the bucket's name."""

    def __init__(self, access: Access, source: Source) -> None:
        parts = urlsplit(access.base_url)
        self.name, self.page_size = parts.path.strip("/"), source.connection.page_size
        self.place = Place(source.id, f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}")
        if not NAME.fullmatch(self.name):
            raise ConfigurationError(f"{self.place}: base_url of the connection ends in no bucket; write for example "
                                     "https://s3.eu-central-1.amazonaws.com/bucket")
        if not (access.login and access.password):
            raise ConfigurationError(f"{self.place}: the connection lacks login or password; give it the id and the secret of "
                                     "an access key that may list and read the bucket")
        self.patience = session.PATIENCE
        self._client = client(access, f"{parts.scheme}://{parts.netloc}")

    def objects(self, prefix: str) -> list[Found]:
        """What lies below a prefix, in the order in which it was dropped; empty folder markers are left out.

        Raises SourceRefused, SourceUnavailable.
        """
        found: list[Found] = []
        with told(self.place):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.name, Prefix=prefix, PaginationConfig={"PageSize": self.page_size})
            for page in pages:
                found += [Found(o["LastModified"], o["Key"], o["ETag"], o["Size"]) for o in page.get("Contents", [])
                          if o["Size"] or not o["Key"].endswith("/")]
                if len(found) > MOST:
                    raise SourceRefused(f"{self.place}: more than {MOST} objects lie there; have those that were read "
                                        "moved away, for example by a rule of the bucket")
        return sorted(found, key=lambda o: (o.at, o.key))

    def chunks(self, thing: Found) -> Iterator[bytes]:
        """The bytes of an object as it was listed, read on where the connection was cut.

        Raises SourceUnavailable when it was changed or taken away since, or stays incomplete.
        """
        done = 0
        for attempt in range(self.patience.repeats):
            if attempt:
                self.patience.pause(attempt)
            try:
                with told(self.place, CUT):
                    for chunk in self._from(thing, done):
                        done += len(chunk)
                        yield chunk
            except CUT:
                continue
            if done == thing.size:
                return
        raise SourceUnavailable(f"{self.place}: an object stayed incomplete; try again later")

    def _from(self, thing: Found, first: int) -> Iterator[bytes]:
        if first == thing.size:
            return
        only = {"Range": f"bytes={first}-"} if first else {}
        body = self._client.get_object(Bucket=self.name, Key=thing.key, IfMatch=thing.etag, **only)["Body"]
        try:
            yield from body.iter_chunks(CHUNK)
        finally:
            body.close()


@contextmanager
def told(place: Place, but: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """boto's errors in our words: its own name buckets and keys, and quote answers; those of ``but`` are let through."""
    try:
        yield
    except but:
        raise
    except (ClientError, BotoCoreError) as error:
        raise _of(error, place) from None


def _of(error: Exception, place: Place) -> ConcordError:
    match error:
        case ClientError():
            return _of_answer(error.response, place)
        case SSLError():
            return SourceRefused(f"{place}: no TLS that can be trusted; set ca_file of the connection to the CA that signed "
                                 "its certificate, or correct base_url")
        case PaginationError():
            return not_promised(place, "the same next page was named again, its pages go in a circle")
        case HTTPClientError() | NoConnection():
            return SourceUnavailable(f"{place}: no connection, or it was cut; look whether the source is up, try again")
        case _:
            return not_promised(place, f"it could not be asked ({type(error).__name__})")


def _of_answer(answer: Any, place: Place) -> ConcordError:
    """An answer of an object store that is an error; only codes that are documented are repeated."""
    code, status = str(answer.get("Error", {}).get("Code")), answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    match code:
        case "NoSuchBucket":
            return SourceRefused(f"{place}: there is no such bucket; correct base_url of the connection, which ends in its name")
        case "InvalidObjectState":
            return SourceRefused(f"{place}: an object was archived and cannot be read; have it restored or moved away")
        case _ if code == "NoSuchKey" or status == HTTPStatus.PRECONDITION_FAILED:
            return SourceUnavailable(f"{place}: an object was changed or taken away while it was read; try again")
        case _:
            return of_status(status, f'"{code}"'.encode(), place)
