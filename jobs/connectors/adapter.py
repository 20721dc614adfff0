"""The one way out to a source: verified, bounded in size, time and tries, and only whole answers come in."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import InvalidHeader
from urllib3.util.retry import Retry

from jobs.connectors.explain import Place, not_promised
from jobs.connectors.pages import is_json
from jobs.errors import SourceRefused, SourceUnavailable


@dataclass(frozen=True)
class Patience:
    """How long a source is waited for; times in seconds.

    ``tries`` of a request that fails, ``repeats`` of one whose answer is cut or broken, ``backoff`` doubles with each
    try, ``longest`` caps it and any Retry-After, ``export`` is for a whole bulk export to become ready.
    """

    tries: int = 6
    repeats: int = 3
    backoff: float = 0.5
    longest: float = 60.0
    timeout: tuple[float, float] = (10.0, 120.0)
    poll: float = 5.0
    export: float = 4 * 3600.0

    def retry(self) -> Retry:
        """The same for urllib3. Certificates are not tried again; every request of ours may be repeated."""
        return Retry(total=self.tries - 1, other=0, allowed_methods=None, status_forcelist=(429, 500, 502, 503, 504),
                     backoff_factor=self.backoff, backoff_max=self.longest, retry_after_max=int(self.longest))

    def after(self, header: str | None) -> float:
        """Seconds to wait before one asks again for an export, by its Retry-After, which may be a date."""
        try:
            asked = Retry().parse_retry_after(header) if header else self.poll
        except InvalidHeader:
            asked = self.poll
        return min(asked, self.longest)

    def pause(self, attempt: int) -> None:
        """Sleep before the next try."""
        time.sleep(min(self.backoff * 2**attempt, self.longest))


class Meter:
    """A response's body that counts what comes out of it, decompressed, and ends it at the limit."""

    def __init__(self, raw: Any, limit: int, place: Place) -> None:
        self._raw, self._limit, self._place = raw, limit, place

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def stream(self, amount: int, decode_content: bool | None = None) -> Iterator[bytes]:
        """The chunks of the body. Raises SourceRefused beyond the limit."""
        total = 0
        for chunk in self._raw.stream(amount, decode_content=decode_content):
            total += len(chunk)
            if total > self._limit:
                self._raw.close()
                raise SourceRefused(f"{self._place}: an answer of more than {self._limit // 2**20} MB was cut off; ask "
                                    "the source's owner, or raise maxAnswerMb in the contract if it is meant")
            yield chunk


class Adapter(HTTPAdapter):
    """Sends to one origin. Answers that are not streamed are read here, and asked for again when they are not whole."""

    def __init__(self, place: Place, limit: int, verify: str | bool, patience: Patience) -> None:
        self.place, self.limit, self.trust, self.patience = place, limit, verify, patience
        super().__init__(max_retries=patience.retry())

    def send(self, request: requests.PreparedRequest, stream: bool = False, timeout: Any = None, verify: Any = True,
             cert: Any = None, proxies: Mapping[str, str] | None = None) -> requests.Response:
        """Send a request; ``verify`` and ``timeout`` are ours, whatever a caller asks for.

        Raises SourceRefused for an answer that is too large, encoded as nobody asked, or not JSON; SourceUnavailable
        when it stays cut off. Errors of the connection are requests' own.
        """
        problem: Exception | None = None
        for attempt in range(self.patience.repeats):
            if attempt:
                self.patience.pause(attempt)
            answer = super().send(request, True, self.patience.timeout, self.trust, cert, dict(proxies or {}))
            answer.raw = Meter(answer.raw, self.limit, self.place)
            self._check_encoding(answer)
            if stream:
                return answer
            try:
                self._take_in(answer)
            except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError) as error:
                problem = error
                continue
            if not _must_be_json(answer) or is_json(answer.content):
                return answer
            problem = None
        if problem:
            raise problem
        raise SourceUnavailable(f"{self.place}: its answer was not whole JSON {self.patience.repeats} times; try again "
                                "later, then ask the source's owner")

    def _take_in(self, answer: requests.Response) -> None:
        body = b"".join(answer.iter_content(2**16))
        answer._content = body  # what Response.content would have kept
        if "json" in answer.headers.get("Content-Type", ""):
            answer.encoding = "utf-8"  # else requests guesses, slowly, where bytes are not UTF-8

    def _check_encoding(self, answer: requests.Response) -> None:
        if answer.headers.get("Content-Encoding", "identity").strip().lower() not in ("gzip", "identity"):
            answer.close()
            raise not_promised(self.place, "its answer is compressed in a way that was not asked for")
        kind = answer.headers.get("Content-Type", "")
        if answer.status_code == HTTPStatus.OK and "html" in kind.lower():
            answer.close()
            raise not_promised(self.place, "it answered with a web page instead of data")


def _must_be_json(answer: requests.Response) -> bool:
    return answer.status_code == HTTPStatus.OK and answer.request.method != "DELETE"
