"""A session that speaks to one source and to nobody else, with a token it renews once when it has expired."""

from __future__ import annotations

import ipaddress
import logging
from http import HTTPStatus
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.auth import AuthBase
from requests.hooks import default_hooks
from requests.utils import get_environ_proxies
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from jobs.connections import Access
from jobs.connectors.adapter import Adapter, Patience
from jobs.connectors.explain import Place, of_status, of_transport
from jobs.errors import ConcordError, ConfigurationError, SourceRefused

PATIENCE = Patience()
MEGABYTE = 2**20
# urllib3 logs addresses with their queries; those hold cursors and identifiers.
for _name in ("urllib3.connectionpool", "urllib3.util.retry"):
    logging.getLogger(_name).addFilter(lambda record: False)


def session(access: Access, source: str, max_answer_mb: int) -> Session:
    """A session for one source; it verifies certificates, and no answer may be larger than ``max_answer_mb``.

    Raises ConfigurationError when the source's address is not https.
    """
    return Session(access, source, max_answer_mb)


class Session(requests.Session):
    """requests' session with one adapter, for the origin (scheme, host, port) of ``base_url``.

    Any other address, by whatever way it came (a redirect, a next link, a file of a manifest), is refused before a
    byte is sent. ``last`` is the newest answer, for callers whose client gives parsed objects only.
    """

    def __init__(self, access: Access, source: str, max_answer_mb: int) -> None:
        super().__init__()
        self.base_url, self.patience = access.base_url, PATIENCE
        self.origin = _origin(access.base_url)
        scheme, host, port = self.origin
        self.place = Place(source, f"{host}:{port}")
        if scheme != "https":
            raise ConfigurationError(f"{self.place}: asked over https only; correct base_url of the connection")
        self.verify, self.trust_env, self.max_redirects = access.ca_file or True, False, 5
        self.proxies = {} if _is_loopback(host) else dict(get_environ_proxies(access.base_url))
        self.headers["Accept-Encoding"] = "gzip"
        self.adapters.clear()
        self.adapter = Adapter(self.place, max_answer_mb * MEGABYTE, self.verify, self.patience)
        self.mount(f"{scheme}://{host}:{port}/", self.adapter)
        self.last = requests.Response()
        self.may_be_gone = False
        self.bearer: AuthBase | None = None

    def authorise(self, access: Access, token_path: str | None) -> None:
        """Have a bearer token put on every request: one fetched at ``token_path``, or without it the password itself.

        Raises SourceRefused for wrong credentials, SourceUnavailable.
        """
        from jobs.connectors.tokens import Fetched, Fixed

        if self.bearer is None and token_path:
            self.bearer = Fetched(access, Session(access, self.place.source, 1), token_path)
        elif self.bearer is None and access.password:
            self.bearer = Fixed(access.password)

    def url(self, path: str) -> str:
        """The whole address of a path or of a link the source gave. Raises SourceRefused when it leads elsewhere."""
        return self.allow(urljoin(self.base_url + "/", path))

    def allow(self, address: str) -> str:
        """The address itself. Raises SourceRefused, naming the host, when it is not of the source's origin."""
        if (found := _origin(address)) != self.origin or "@" in urlsplit(address).netloc:
            host = f"{found[0]}://{found[1]}:{found[2]}"[:100]
            raise SourceRefused(f"{self.place}: leads to another address, {host}, which was not asked; if the source "
                                "has moved, change base_url of the connection")
        return address

    def get_adapter(self, url: str | bytes) -> Adapter:
        """The one adapter. Raises SourceRefused for any other origin."""
        self.allow(url.decode() if isinstance(url, bytes) else url)
        return self.adapter

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send with the token, renewed once where the source says it has expired.

        Raises SourceRefused, SourceUnavailable for any status that is an error, but for 404 and 410 while
        ``may_be_gone``. Hooks of a caller are left out: they would judge a status before the token is renewed.
        """
        request.hooks = default_hooks()
        answer = self._send(request, **kwargs)
        if answer.status_code == HTTPStatus.UNAUTHORIZED and self._renew():
            answer.close()
            answer = self._send(request, **kwargs)
        self.last = answer
        is_gone = answer.status_code in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
        if answer.status_code < HTTPStatus.MULTIPLE_CHOICES or answer.is_redirect or (is_gone and self.may_be_gone):
            return answer
        answer.close()
        raise of_status(answer.status_code, b"" if kwargs.get("stream") else answer.content, self.place)

    def _renew(self) -> bool:
        from jobs.connectors.tokens import Fetched

        if not isinstance(self.bearer, Fetched):
            return False
        self.bearer.renew()
        return True

    def _send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        try:
            if self.bearer:
                self.bearer(request)
            return super().send(request, **kwargs)
        except ConcordError:
            raise
        except requests.RequestException as error:
            raise (of_transport(error, self.place) or error) from None


def _origin(address: str) -> tuple[str, str, int]:
    """Scheme, host and port of an address, read as the transport reads it; a text that is no address has none."""
    try:
        parts = parse_url(address)
    except LocationParseError:
        return "", "", 0
    scheme = (parts.scheme or "").lower()
    return scheme, (parts.host or "").lower(), parts.port or {"https": 443, "http": 80}.get(scheme, 0)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
