"""The program: four APIs and the control routes behind TLS on the loopback address.

A log line holds method, path template and status. Addresses, queries and bodies are never logged: they hold
identifiers.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import ssl
import sys
from collections import OrderedDict
from pathlib import Path

import trustme
import uvicorn
from fastapi import FastAPI
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .app import AppApi
from .control import ControlApi
from .credentials import write_private
from .crm import CrmApi, Result
from .device_cloud import CloudApi
from .site import Site
from .social import SocialApi

HOST = "127.0.0.1"
LOG = logging.getLogger("sources")
_OWNERS = (("/_control", "control"), ("/app", "app"), ("/crm", "crm"), ("/services", "crm"), ("/fhir", "device_cloud"),
           ("/social", "social"), ("/api", "social"), ("/oauth", "social"))


class Journal:
    """Counts and logs each request, and turns an error of ours into a plain 500 that says nothing of the data."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self.app, self.site = app, site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and note how it went."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        owner = next((name for prefix, name in _OWNERS if scope["path"].startswith(prefix)), "unknown")
        self.site.served[f"requests.{owner}"] += 1
        try:
            await self.app(scope, receive, watch)
        except Exception as error:
            # A traceback would quote values of people; the kind of error is enough.
            LOG.error("error %s", type(error).__name__)
            if not status:
                await Response(b"{}", 500, media_type="application/json")(scope, receive, watch)
        template = getattr(scope.get("route"), "path", "(no route)")
        LOG.info("%s %s %d", scope["method"], template, status)


def create_app(site: Site) -> FastAPI:
    """The application; no generated documentation routes, no redirects to other forms of a path."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    results: OrderedDict[str, Result] = OrderedDict()
    for router in (AppApi(site).router, CrmApi(site, "", results).router, CrmApi(site, "/crm", results).router,
                   SocialApi(site, "").router, SocialApi(site, "/social").router, CloudApi(site).router,
                   ControlApi(site).router):
        app.include_router(router)
    app.add_middleware(Journal, site=site)
    return app


def tls(directory: Path) -> ssl.SSLContext:
    """A server context with a certificate for the loopback address from a new CA, whose certificate is DIR/ca.pem.

    Private keys stay in memory but for the moment of loading, when one is in a temporary file only the owner may read.
    """
    authority = trustme.CA()
    certificate = authority.issue_cert(HOST, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    certificate.configure_cert(context)
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    return context


class Announcer(uvicorn.Server):
    """A server that writes DIR/endpoint.json once it listens."""

    def __init__(self, config: uvicorn.Config, endpoint: Path) -> None:
        super().__init__(config)
        self.endpoint = endpoint

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say where."""
        await super().startup(sockets)
        if not sockets:
            raise RuntimeError("the listening socket must be handed to the server")
        base = f"https://{HOST}:{sockets[0].getsockname()[1]}"
        draft = self.endpoint.with_suffix(".draft")
        draft.write_text(json.dumps({"base_url": base, "pid": os.getpid()}), encoding="utf-8")
        draft.replace(self.endpoint)
        sys.stdout.write(f"listening {base}\n")
        sys.stdout.flush()


def serve(site: Site, directory: Path, port: int) -> None:
    """Write the files for clients to a directory and serve until the process is told to stop."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    LOG.setLevel(logging.INFO)
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    endpoint = directory / "endpoint.json"
    endpoint.unlink(missing_ok=True)
    write_private(directory / "credentials.json", site.tokens.as_json())
    write_private(directory / "truth.json", site.world.population.truth())
    site.exports = directory / "exports"
    site.drop()
    context = tls(directory)
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    config = uvicorn.Config(
        create_app(site), host=HOST, access_log=False, log_config=None, log_level="error", lifespan="off",
        server_header=False, timeout_graceful_shutdown=1, timeout_keep_alive=30, ws="none",
        ssl_context_factory=lambda config, default: context)
    Announcer(config, endpoint).run(sockets=[listener])
    endpoint.unlink(missing_ok=True)
