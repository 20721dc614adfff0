"""The Airflow connections of a local installation: who is asked where, as whom."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from contracts import catalog
from infra.local.home import Home
from infra.local.store import bucket, dropping

CLIENTS = {"adherence_app": "app"}


def connections(home: Home, airflow: str, store: str, store_login: tuple[str, str]) -> dict[str, dict[str, Any]]:
    """Connections by id: every source or the bucket it drops files into, every partner's store, and Airflow itself as its
    service user sees it.

    Those of ``keys/connections.json``, in Airflow's own format, come first: for a source that is not simulated.
    """
    base = json.loads((home.sources / "endpoint.json").read_text(encoding="utf-8"))["base_url"]
    known = json.loads((home.sources / "credentials.json").read_text(encoding="utf-8"))
    password = home.secrets()["users"]["concord"]["password"]
    found = {"concord_airflow": _connection(airflow, "concord", password)}
    for source in catalog().sources.values():
        if client := known.get(CLIENTS.get(source.id, source.id)):
            found[source.connection.id] = _connection(base, client["client_id"], client["client_secret"],
                                                      str(home.sources / "ca.pem"))
    for name in dropping(home.exports):
        found[catalog().sources[name].connection.id] = _connection(f"{store}/{bucket(name)}", *store_login)
    for recipient in catalog().recipients.values():
        found[recipient.connection] = _connection(store, *store_login)
    own = home.keys / "connections.json"
    return found | (json.loads(own.read_text(encoding="utf-8")) if own.exists() else {})


def _connection(base_url: str, login: str, password: str, ca_file: str = "") -> dict[str, Any]:
    address = urlsplit(base_url)
    return {"conn_type": "http", "schema": address.scheme, "host": address.hostname, "port": address.port,
            "login": login, "password": password, "extra": {"base_url": base_url, "ca_file": ca_file}}
