"""The simulated source systems, spoken to as their real clients do: TLS on, verification on, over a socket."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from mastodon import Mastodon, MastodonNotFoundError
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceExpiredSession, SalesforceMalformedRequest

from infra.local.sources import soql
from infra.local.sources.client import Client
from infra.local.sources.credentials import Tokens
from infra.local.sources.population import Settings
from infra.local.sources.process import Sources, running
from infra.local.sources.server import create_app
from infra.local.sources.site import Site
from infra.local.sources.world import World

SMALL = ("--people", "50", "--days", "5", "--seed", "7", "--canary")
STREAMS = ("users", "devices", "consents", "data-points")
CONSENTS = soql.select("ContactPointTypeConsent", "ORDER BY Id")


def salesforce(client: Client) -> Salesforce:
    return Salesforce(instance_url=client.sources.base_url, session_id=client.token("crm"), session=client.session,
                      version="59.0")


def mastodon(client: Client, base: str = "") -> Mastodon:
    return Mastodon(api_base_url=client.sources.base_url + base, session=client.session, ratelimit_method="throw",
                    access_token=client.token("social"))


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sources]:
    with running(tmp_path_factory.mktemp("sources"), *SMALL) as started:
        yield started


@pytest.fixture
def client(sources: Sources) -> Client:
    sources.control("reset")
    return Client(sources)


def test_files_for_clients_are_private_and_the_endpoint_is_loopback_only(sources: Sources) -> None:
    for name in ("credentials.json", "truth.json"):
        assert stat.S_IMODE((sources.directory / name).stat().st_mode) == 0o600
    assert set(sources.credentials) == {"app", "crm", "social", "device_cloud", "control"}
    listening = [c for c in psutil.Process(sources.pid).net_connections() if c.status == psutil.CONN_LISTEN]
    assert [c.laddr.ip for c in listening] == ["127.0.0.1"]
    unknowing = requests.Session()
    unknowing.trust_env = False
    with pytest.raises(requests.exceptions.SSLError):
        unknowing.get(sources.base_url, timeout=10)


def test_the_truth_is_reachable_by_no_route(client: Client) -> None:
    world = World(Settings(1, 0))
    paths = [route.path for route in create_app(Site(world, Tokens())).routes if hasattr(route, "path")]
    assert paths and not [path for path in paths if "truth" in path or "openapi" in path or "docs" in path]
    for path in ("/truth.json", "/truth", "/app/v1/truth", "/_control/truth", "/app/v1/..%2ftruth.json", "/docs",
                 "/fhir/files/x/..%2f..%2ftruth.json", "/api/v1/statuses/truth.json", "/credentials.json"):
        assert client.get("app", path).status_code in (401, 404), path


@pytest.mark.parametrize(("source", "path"), [
    ("app", "/app/v1/users"), ("crm", "/crm/services/data/v59.0/query?q=SELECT+Id+FROM+Case"),
    ("social", "/api/v1/timelines/tag/glucoflow"), ("device_cloud", "/fhir/$export"), ("control", "/_control/state")])
def test_every_source_wants_a_token_of_its_own(client: Client, source: str, path: str) -> None:
    for token in ("", "Bearer wrong", f"Bearer {client.token('social' if source != 'social' else 'app')}"):
        answer = client.session.get(client.sources.base_url + path, headers={"Authorization": token}, timeout=10)
        assert answer.status_code == 401, token
    if source == "crm":
        assert answer.json()[0]["errorCode"] == "INVALID_SESSION_ID"


def test_token_by_basic_or_body_and_refusals(client: Client) -> None:
    url, known = f"{client.sources.base_url}/app/oauth/token", client.sources.credentials["app"]
    form, basic = {"grant_type": "client_credentials"}, (known["client_id"], known["client_secret"])
    assert client.session.post(url, form, auth=basic, timeout=10).json()["expires_in"] == 300
    assert client.session.post(url, form | known, timeout=10).status_code == 200
    refused = client.session.post(url, form, auth=(known["client_id"], "wrong"), timeout=10)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert client.session.post(url, {"grant_type": "password"}, auth=basic, timeout=10).status_code == 400


def test_command_line_faults_and_short_tokens(tmp_path: Path) -> None:
    with running(tmp_path, *SMALL[:4], "--faults", "social:429:2,social:500", "--token-seconds", "0.0001",
                 "--retry-after", "3") as other:
        client = Client(other)
        answers = [client.get("social", "/api/v1/timelines/tag/glucoflow") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [429, 429, 500, 200]
        assert answers[0].headers["Retry-After"] == "3" and answers[0].headers["X-RateLimit-Remaining"] == "0"
        assert client.get("app", "/app/v1/users").status_code == 401


def test_app_feeds_are_complete_ordered_and_resumable(client: Client) -> None:
    counts = client.sources.control("state")["records"]["app"]
    for stream in STREAMS:
        whole = client.feed(stream, limit=7 if stream != "data-points" else 400)
        assert len(whole) == counts[stream] > 20
    times = [point["header"]["modified_date_time"] for point in whole]
    assert times == sorted(times)
    middle = times[len(times) // 2]
    assert client.feed("data-points", updated_since=middle) == [p for p in whole if
                                                                p["header"]["modified_date_time"] >= middle]
    assert {p["header"]["schema_id"]["name"] for p in whole if "body" in p} == {
        "blood-glucose", "single-medication-dose-taken"}
    for query in ("limit=0", "limit=x", "cursor=bm9uc2Vuc2U", "updated_since=yesterday"):
        assert client.get("app", f"/app/v1/users?{query}").status_code == 400


def test_app_advance_shows_edits_late_events_deletions_and_withdrawals(client: Client) -> None:
    before = {stream: client.feed(stream) for stream in STREAMS}
    client.sources.control("advance", days=30)
    after = {stream: client.feed(stream) for stream in STREAMS}
    for stream in STREAMS:
        assert after[stream][: len(before[stream])] == before[stream]
    known = {point["header"]["id"] for point in before["data-points"]}
    news = after["data-points"][len(before["data-points"]) :]
    assert [p for p in news if p["header"]["id"] in known and "body" in p]
    gone = [p for p in news if p["header"].get("deleted")]
    assert gone and set(gone[0]) == {"header"} and set(gone[0]["header"]) == {"id", "deleted", "modified_date_time"}
    assert [p for p in news if "body" in p and p["header"]["id"] not in known
            and p["body"]["effective_time_frame"]["date_time"] < "2026-10-05"]
    assert [c for c in after["consents"][len(before["consents"]) :] if c["decision"] == "withdrawn"]
    client.sources.control("reset")
    assert client.feed("data-points") == before["data-points"]


def test_simple_salesforce_unmodified(client: Client) -> None:
    crm, counts = salesforce(client), client.sources.control("state")["records"]["crm"]
    for entity, fields in soql.OBJECTS.items():
        rows = crm.query(soql.select(entity))["records"]
        assert len(rows) == counts[entity] and set(rows[0]) == {"attributes", *fields}
    crm.headers["Sforce-Query-Options"] = "batchSize=200"
    first = crm.query(CONSENTS)
    assert len(first["records"]) == 200 and not first["done"]
    assert re.fullmatch(r"/services/data/v59\.0/query/\w{18}-200", first["nextRecordsUrl"])
    second = crm.query_more(first["nextRecordsUrl"], identifier_is_url=True)
    assert crm.query_more(first["nextRecordsUrl"].rpartition("/")[2])["records"] == second["records"]
    assert len({row["Id"] for row in crm.query_all_iter(CONSENTS)}) == first["totalSize"]
    with pytest.raises(SalesforceExpiredSession):
        Salesforce(instance_url=client.sources.base_url, session_id="x", session=client.session).query(CONSENTS)


def test_crm_advance_shows_changes_and_deleted_records(client: Client) -> None:
    crm = salesforce(client)
    query = soql.select("ContactPointTypeConsent", "WHERE SystemModstamp > 2026-10-06T00:00:00Z")
    assert crm.query(query)["totalSize"] == 0
    client.sources.control("advance", days=60)
    assert {"OptOut", "OptIn"} <= {row["PrivacyConsentStatus"] for row in crm.query_all_iter(query)}
    cases = list(crm.query_all_iter("SELECT Id, CreatedDate, FirstResponseAt__c, ClosedDate FROM Case"))
    assert {row["FirstResponseAt__c"] is None for row in cases} == {True, False}
    contacts = "SELECT Id, IsDeleted FROM Contact ORDER BY Id"
    client.sources.control("advance", days=300)
    shown, everything = ({row["Id"]: row["IsDeleted"] for row in crm.query_all_iter(contacts, include_deleted=deleted)}
                         for deleted in (False, True))
    assert not any(shown.values()) and {i for i, gone in everything.items() if not gone} == set(shown)
    assert any(everything.values())


@pytest.mark.parametrize(("query", "code"), [
    ("SELECT Id FROM Pony", "INVALID_TYPE"), ("SELECT Pony FROM Contact", "INVALID_FIELD"),
    ("SELECT Id FROM Contact WHERE", "MALFORMED_QUERY"), ("", "MALFORMED_QUERY"),
    ("SELECT Id FROM Contact WHERE SystemModstamp > '2026-10-01'", "INVALID_FIELD"),
    ("SELECT Id FROM Contact WHERE LastName = 'x' OR Id = 'y'", "MALFORMED_QUERY")])
def test_crm_refuses_as_salesforce_does(client: Client, query: str, code: str) -> None:
    with pytest.raises(SalesforceMalformedRequest) as refusal:
        salesforce(client).query(query)
    assert f"'errorCode': '{code}'" in str(refusal.value.content)


@pytest.mark.parametrize("base", ["", "/social"])
def test_mastodon_unmodified(client: Client, base: str) -> None:
    social = mastodon(client, base)
    assert social.retrieve_mastodon_version() == "4.4.0" and social.instance().title == "Social"
    page, seen = social.timeline_hashtag("glucoflow", limit=15), list[Any]()
    while page:
        assert [int(s.id) for s in page] == sorted((int(s.id) for s in page), reverse=True)
        seen += page
        page = social.fetch_next(page)
    assert len({s.id for s in seen}) == len(seen) == client.sources.control("state")["records"]["social"]["statuses"]
    assert social.timeline_hashtag("glucoflow", min_id=seen[-1].id, limit=5)[0].id == seen[-6].id
    assert [s.id for s in social.timeline_hashtag("glucoflow", since_id=seen[3].id)] == [s.id for s in seen[:3]]
    replies = [s for s in seen if s.account.acct == "glucoflow_care"]
    assert replies and all(r.in_reply_to_id and r.mentions for r in replies)
    assert not social.timeline_hashtag("nothing")


def test_mastodon_advance_shows_edits_and_deletions(client: Client) -> None:
    social, gone, edited = mastodon(client), list[str](), 0
    before = {status["id"]: status for status in client.timeline()}
    for _ in range(8):
        client.sources.control("advance", days=5)
        now = {status["id"]: status for status in client.timeline()}
        gone += set(before) - set(now)
        both = set(before) & set(now)
        edited += sum(now[i]["edited_at"] != before[i]["edited_at"] and now[i]["content"] != before[i]["content"]
                      for i in both)
        assert all(now[i]["created_at"] == before[i]["created_at"] for i in both)
        before = now
    assert edited
    assert gone
    with pytest.raises(MastodonNotFoundError):
        social.status(gone[0])
    assert str(social.status(next(iter(now))).id) in now


def test_bulk_export_whole_and_since(client: Client) -> None:
    whole = client.export()
    kinds = [entry["type"] for entry in whole["output"]]
    assert set(kinds) == {"Patient", "Device", "Observation", "Condition", "Consent"} and kinds.count("Observation") >= 3
    assert whole["requiresAccessToken"] and whole["error"] == [] and whole["deleted"] == []
    assert whole["transactionTime"] == "2026-10-06T00:00:00.000Z"
    found = {(r["resourceType"], r["id"]): r for e in whole["output"] for r in client.lines(e)}
    assert sum(entry["count"] for entry in whole["output"]) == len(found)
    packed = client.get("device_cloud", whole["output"][0]["url"])
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Content-Type"] == "application/fhir+ndjson"
    bare = client.get("device_cloud", whole["output"][0]["url"], {"Accept-Encoding": "identity"})
    assert bare.content == packed.content and "Content-Encoding" not in bare.headers
    client.sources.control("advance", days=30)
    news = client.export(_type="Observation,Patient", _since=whole["transactionTime"])
    changed = [r for entry in news["output"] for r in client.lines(entry)]
    assert {r["resourceType"] for r in changed} <= {"Observation", "Patient"}
    assert {r["status"] for r in changed if r["resourceType"] == "Observation"} == {
        "final", "amended", "entered-in-error"}
    assert all(r["meta"]["lastUpdated"] > whole["transactionTime"] for r in changed)
    bundles = [bundle for entry in news["deleted"] for bundle in client.lines(entry)]
    urls = [e["request"]["url"] for b in bundles for e in b["entry"] if e["request"]["method"] == "DELETE"]
    assert {tuple(url.split("/")) for url in urls} & set(found)
    head = {"Authorization": f"Bearer {client.token('device_cloud')}"}
    assert client.session.delete(news["job"], headers=head, timeout=10).status_code == 202
    assert client.get("device_cloud", news["job"]).status_code == 404


def test_bulk_export_asks_for_patience_twice(client: Client) -> None:
    begun = client.get("device_cloud", "/fhir/$export", {"Prefer": "respond-async", "Accept": "application/fhir+json"})
    answers = [client.get("device_cloud", begun.headers["Content-Location"]) for _ in range(3)]
    assert [begun.status_code, *(answer.status_code for answer in answers)] == [202, 202, 202, 200]
    for answer in answers[:2]:
        assert answer.headers["Retry-After"] == "1" and "%" in answer.headers["X-Progress"]


def test_bulk_refusals(client: Client) -> None:
    asked = {"Prefer": "respond-async"}
    for head, query in (({}, {}), (asked, {"_type": "Pony"}), (asked, {"_since": "yesterday"})):
        answer = client.get("device_cloud", "/fhir/$export", head, **query)
        assert (answer.status_code, answer.json()["resourceType"]) == (400, "OperationOutcome")


def test_canary_is_everywhere_and_the_log_holds_templates_only(client: Client) -> None:
    log = client.sources.directory / "output.log"
    shown = {"app": json.dumps(client.feed("users") + client.feed("devices")),
             "crm": json.dumps([client.query(soql.select(entity)) for entity in soql.OBJECTS]),
             "social": client.get("social", "/api/v1/timelines/tag/glucoflow", limit=40).text,
             "device_cloud": json.dumps([client.lines(entry) for entry in client.export()["output"]])}
    for source, text in shown.items():
        assert "canaryna.kanarienvogel@canary.example" in text, source
    assert "CANARY-SN-0001" in shown["app"] and "CANARY-SN-0001" in shown["device_cloud"]
    assert "CANARYTEXT" in shown["crm"] and "CANARYTEXT" in shown["social"] and "canaryna_k" in shown["social"]
    client.get("crm", "/services/data/v59.0/query", q="SELECT Id FROM Contact WHERE LastName = 'Kanarienvogel'")
    client.get("app", "/Kanarienvogel", email="canaryna.kanarienvogel@canary.example")
    templates = {route.path for route in create_app(Site(World(Settings(1, 0)), Tokens())).routes
                 if hasattr(route, "path")} | {"(no route)"}
    lines = log.read_text(encoding="utf-8").splitlines()
    assert len(lines) > 20
    for line in lines:
        if line != "ASGI callable returned without completing response.":
            method, _, rest = line.partition(" ")
            template, _, status = rest.rpartition(" ")
            assert method in ("GET", "POST", "DELETE") and template in templates and status.isdecimal()
