"""Bearer tokens: fetched with client credentials by dlt's OAuth2 class, or fixed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests
from requests.auth import AuthBase

from jobs.connections import Access
from jobs.connectors.explain import explained, not_promised
from jobs.connectors.records import parsed

if TYPE_CHECKING:
    from jobs.connectors.session import Session


class Fetched(AuthBase):
    """A token from the source's token address, fetched when first needed and again when it has expired."""

    def __init__(self, access: Access, http: Session, token_path: str) -> None:
        from dlt.sources.helpers.rest_client.auth import OAuth2ClientCredentials

        self.http = http
        self._credentials = OAuth2ClientCredentials(
            access_token_url=http.url(token_path), client_id=access.login, client_secret=access.password, session=http)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the token on a request. Raises SourceRefused, SourceUnavailable."""
        self.ready()
        request.headers["Authorization"] = f"Bearer {self._credentials.access_token}"
        return request

    def ready(self) -> None:
        """Have a token that has not expired. Raises SourceRefused, SourceUnavailable."""
        if self._credentials.access_token is None or self._credentials.is_token_expired():
            self.renew()

    def said(self, key: str) -> str | None:
        """A text of the newest log-in's answer, None when it has none of that name."""
        value = (parsed(self.http.last.content) or {}).get(key)
        return value if isinstance(value, str) else None

    def renew(self) -> None:
        """Fetch a new token. Raises SourceRefused for wrong credentials or an answer without a token."""
        with explained(self.http):
            self._credentials.obtain_token()
        if self._credentials.access_token in (None, "", "None"):  # dlt makes a text of a missing token
            raise not_promised(self.http.place, "the answer to the log-in holds no token")


class Fixed(AuthBase):
    """A token that the operator was given once; it cannot be renewed."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the token on a request."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request
