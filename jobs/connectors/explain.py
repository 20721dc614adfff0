"""Every failure in words for the operator: source, stream and host, and never a query, a token or a payload."""

from __future__ import annotations

import ssl
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Protocol

import requests

from jobs.errors import ConcordError, SourceRefused, SourceUnavailable

# Error codes that vendors document; any other text of an answer may hold what it likes and is not repeated.
CODES = frozenset({
    "INVALID_FIELD", "INVALID_TYPE", "MALFORMED_QUERY", "INVALID_SESSION_ID", "INVALID_QUERY_LOCATOR",
    "REQUEST_LIMIT_EXCEEDED", "INSUFFICIENT_ACCESS", "API_DISABLED_FOR_ORG", "QUERY_TIMEOUT", "NOT_FOUND",
    "invalid_client", "invalid_grant", "invalid_scope", "unauthorized_client", "unsupported_grant_type",
    "invalid_request", "invalid_token", "not-supported", "not-found",
    "AccessDenied", "ExpiredToken", "InvalidAccessKeyId", "InvalidObjectState", "NoSuchBucket", "SignatureDoesNotMatch",
    "SlowDown"})


@dataclass
class Place:
    """Where in a fetch one is: the source, the host, and the stream that is being read."""

    source: str
    host: str
    stream: str = "log-in"

    def __str__(self) -> str:
        return f"source {self.source}, stream {self.stream}, host {self.host}"


class Reading(Protocol):
    """What ``explained`` needs of a session."""

    place: Place


@contextmanager
def explained(http: Reading) -> Iterator[None]:
    """Let nothing through but Concord's errors: a vendor's client quotes addresses, queries and payloads in its own.

    Raises the ConcordError that a client has wrapped, else SourceUnavailable or SourceRefused by the kind of error.
    """
    try:
        yield
    except ConcordError:
        raise
    except Exception as error:
        found = _wrapped(error) or of_transport(error, http.place) or _unexpected(error, http.place)
        raise found from None


def of_transport(error: BaseException, place: Place) -> ConcordError | None:
    """The error of a connection in words; None when it is no error of a connection."""
    match error:
        case requests.exceptions.SSLError() if _is_distrust(error):
            return SourceRefused(f"{place}: its certificate is not trusted or not for this host; set ca_file of the "
                                 "connection to the CA that signed it, or correct base_url")
        case requests.exceptions.RetryError():
            return SourceUnavailable(f"{place}: still too busy or failing after several tries; try again later")
        case (requests.exceptions.ConnectionError() | requests.exceptions.Timeout()
              | requests.exceptions.ChunkedEncodingError()):
            return SourceUnavailable(f"{place}: no connection, or it was cut; look whether the source is up, try again")
        case requests.exceptions.RequestException():
            return SourceRefused(f"{place}: the request or its answer is not valid HTTP ({type(error).__name__}); "
                                 "look at base_url of the connection and at the source")
        case _:
            return None


def of_status(status: int, body: bytes, place: Place) -> ConcordError:
    """An HTTP error status in words, with the vendor's error code where it is a documented one."""
    codes = sorted(code for code in CODES if f'"{code}"'.encode() in body[:4096])
    said = f"status {status}" + "".join(f", {code}" for code in codes)
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN) or "invalid_client" in codes:
        return SourceRefused(f"{place}: the credentials are not accepted ({said}); correct login and password of the "
                             "connection, or ask the source's owner for the right to read this")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        return SourceUnavailable(f"{place}: failed ({said}); try again later")
    return SourceRefused(f"{place}: refused the request ({said}); compare the stream's path and fields in the contract "
                         "with the source")


def not_promised(place: Place, what: str) -> SourceRefused:
    """An answer that as a whole is not what the API promises."""
    return SourceRefused(f"{place}: {what}; nothing of this stream was taken, ask the source's owner")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error, and those it was raised from."""
    inner: BaseException | None = error
    while inner is not None:
        yield inner
        inner = inner.__cause__ or inner.__context__


def _wrapped(error: BaseException) -> ConcordError | None:
    """Concord's error that a vendor's client caught and raised again as one of its own."""
    return next((link for link in _chain(error) if isinstance(link, ConcordError)), None)


def _unexpected(error: Exception, place: Place) -> ConcordError:
    """The kind of an error and the line it comes from; its own text may quote an answer."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    file = "/".join(Path(last.filename).parts[-2:])
    return not_promised(place, f"the answer could not be read ({type(error).__name__} in {file}, line {last.lineno})")


def _is_distrust(error: BaseException) -> bool:
    return any(isinstance(part, ssl.SSLCertVerificationError) for link in _chain(error) for part in (link, *link.args))
