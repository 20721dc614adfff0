"""One run of every stage over a small lake, from an export on loopback to a delivered extract."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from deltalake import write_deltalake
from moto.server import ThreadedMotoServer

from contracts.load import catalog
from contracts.vocabulary import ReversalPurpose
from jobs.errors import StillHeld
from jobs.lake import Lake
from jobs.ledger import lineage
from jobs.run import audited, freshness, reidentify, review, suppression
from jobs.run.access import access
from jobs.run.asking import Question
from jobs.run.by_hand import accept, restore
from jobs.run.conform import conform
from jobs.run.contract_review import review as contract_review
from jobs.run.explain import explain
from jobs.run.extract import deliver, prepare, record
from jobs.run.forget import forget
from jobs.run.key_epochs import retire, rotate
from jobs.run.land import land
from jobs.run.maintain import maintain
from jobs.run.past import Asked
from jobs.run.people import resolve
from jobs.run.product import build
from jobs.run.purge import purge
from jobs.run.recall import recall
from jobs.run.release import release
from jobs.run.replay import replay
from jobs.run.replay_rejected import replay as replay_rejected
from jobs.run.requested import forget_requested, list_requests
from jobs.run.retention import retention
from jobs.run.screen import screen
from jobs.run.train import train
from jobs.settings import Settings
from tests import small_lake
from tests.external.bulk_server import exporting
from tests.integration.airflow_stand_in import Answering, Run, Users, serving

SOURCE, RECIPIENT, GROUP = "device_cloud", "glycemia_institute", "engagement"
RUN = ("extract_glycemia_institute", "manual__1")
PATIENT = {"resourceType": "Patient", "id": "p1", "name": [{"given": ["Ada"], "family": "Adams"}]}
Event = dict[str, Any]


@dataclass(frozen=True)
class Flow:
    """The runs in their order as ``stage.subject``, the last of them one that failed, and what they left."""

    settings: Settings
    runs: list[str]
    events: list[Event]
    audit: list[dict[str, Any]]


def flow(home: Path, engine: str) -> Flow:
    """Run every stage once, and then land once more from a source that is gone."""
    settings = small_lake.settings(home, engine)
    small_lake.hold(small_lake.fill(settings))
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        runs = [*_sources(settings, patch), *_products(settings), *_partner(settings, patch, stack),
                *_officer(settings, patch, stack), *_engineer(settings)]
        patch.setenv("CONCORD_CONNECTION_CONCORD_DEVICE_CLOUD", "{}")
        with pytest.raises(Exception, match="CONCORD_CONNECTION"):
            land(settings, SOURCE)
    audit = small_lake.Lake(settings.lake_root, catalog().tables).arrow("ledger.audit").to_pylist()
    return Flow(settings, [*runs, f"land.{SOURCE}"], lineage.events(settings), audit)


def _sources(settings: Settings, patch: pytest.MonkeyPatch) -> Iterator[str]:
    with exporting(settings.home, {"Patient": [json.dumps(PATIENT).encode()]}) as (_, odd):
        _connect(patch, "DEVICE_CLOUD", odd.base_url, odd.ca)
        land(settings, SOURCE)
        yield f"land.{SOURCE}"
    conform(settings, SOURCE)
    yield f"conform.{SOURCE}"
    replay_rejected(settings, SOURCE)
    yield f"replay.rejected.{SOURCE}"
    screen(settings, SOURCE)
    yield f"screen.{SOURCE}"
    purge(settings, SOURCE)
    yield f"purge.{SOURCE}"
    train(settings)
    yield "link.train.people"
    resolve(settings)
    yield "resolve.people"


def _products(settings: Settings) -> Iterator[str]:
    for product in catalog().products:
        build(settings, product)
        yield f"build.{product}"
    release(settings, GROUP)
    yield f"release.{GROUP}"
    retention(settings, lambda _: None)
    yield "retention.all"
    maintain(settings)
    yield "maintain.all"


def _partner(settings: Settings, patch: pytest.MonkeyPatch, stack: ExitStack) -> Iterator[str]:
    airflow = Run()
    _connect(patch, "AIRFLOW", stack.enter_context(serving(airflow)))
    _connect(patch, "GLYCEMIA_INSTITUTE", stack.enter_context(_bucket()))
    facts = prepare(settings, RECIPIENT, RUN).facts
    airflow.body = f"Extract {facts['extract_id']}, manifest_sha256 {facts['manifest_sha256']}"
    yield f"extract.prepare.{RECIPIENT}"
    record(settings, facts["extract_id"], RUN)
    yield f"extract.record.{facts['extract_id']}"
    deliver(settings, facts["extract_id"])
    yield f"extract.deliver.{facts['extract_id']}"


def _officer(settings: Settings, patch: pytest.MonkeyPatch, stack: ExitStack) -> Iterator[str]:
    _connect(patch, "AIRFLOW", stack.enter_context(serving(Users())))
    asked = Question(b'{"person": {"source": "crm", "source_person_id": "person-1"}, "token": "officers-token"}')
    for name, stage in (("explain", explain), ("replay", replay)):
        stage(settings, Asked(GROUP, 1), asked, lambda _: None)
        yield f"{name}.{GROUP}@1"
    match = str(review.queue(settings)[0]["match"])
    opinion = Question(b'{"reason": "she called", "token": "officers-token"}')
    review.show(settings, match, opinion, lambda _: None)
    yield f"review.show.{match}"
    review.decide(settings, "same", match, opinion)
    yield f"review.decide.{match}"
    contract_review(settings, "products/glucose_daily", True, "lawful", "", Question(b'{"token": "officers-token"}'))
    yield "contract.review.products/glucose_daily"
    pseudonym = next(r["pseudonym"] for r in Lake(settings.lake_root, catalog().tables).arrow("vault.pseudonym").to_pylist()
                     if r["domain"] == GROUP)
    report = reidentify.request(settings, GROUP, ReversalPurpose.SAFETY_FOLLOW_UP, Question(
        json.dumps({"pseudonym": pseudonym, "reason": "a report of harm", "token": "officers-token"}).encode()))
    yield f"reidentify.request.{GROUP}"
    reidentify.tell(settings, report.facts["reversal"], Question(
        json.dumps({"pseudonym": pseudonym, "token": "admins-token"}).encode()), lambda _: None)
    yield f"reidentify.tell.{report.facts['reversal']}"
    rotate(settings, RECIPIENT, Question(b'{"token": "officers-token"}'))
    yield f"keys.rotate.{RECIPIENT}"
    with pytest.raises(StillHeld):
        retire(settings, RECIPIENT, 1, Question(b'{"token": "officers-token"}'))
    yield f"keys.retire.{RECIPIENT}.1"
    recall(settings, RECIPIENT)
    yield f"recall.{RECIPIENT}"
    freshness.record(settings)
    yield "freshness.all"
    yield from _forgotten(settings)
    yield from _requested(settings, patch, stack)


def _requested(settings: Settings, patch: pytest.MonkeyPatch, stack: ExitStack) -> Iterator[str]:
    """Somebody asks the CRM to be forgotten."""
    small_lake.append(Lake(settings.lake_root, catalog().tables), "core.interaction", [
        {"source_person_id": "person-6", "kind_code": "erasure_request", "channel_code": "web", "occurred_at": small_lake.START}])
    airflow = Answering()
    airflow.body = str(list_requests(settings).facts["list"])
    yield "erasure.requests.all"
    _connect(patch, "AIRFLOW", stack.enter_context(serving(airflow)))
    forget_requested(settings, RUN)
    yield "erasure.grant.requests"


def _forgotten(settings: Settings) -> Iterator[str]:
    """Who asked about a person is told, the person is forgotten, and comes back."""
    person = {"source": "crm", "source_person_id": "person-5"}
    audited.tell(settings, Question(json.dumps({"person": person, "token": "officers-token"}).encode()), lambda _: None)
    yield "audit.about.person"
    access(settings, Question(json.dumps({"person": person, "reason": "asked", "token": "officers-token"}).encode()),
           settings.home.parent / "copy")
    yield "access.people"
    forget(settings, Question(json.dumps({"persons": [person], "reason": "asked", "token": "officers-token"}).encode()))
    yield "forget.people"
    suppression.lift(settings, Question(json.dumps({"persons": [person], "consented_at": datetime.now(UTC).isoformat(),
                                                    "reason": "signed a form", "token": "officers-token"}).encode()))
    yield "suppression.lift.people"


def _engineer(settings: Settings) -> Iterator[str]:
    """Somebody wrote past the platform, twice."""
    name, lake = "core.identity", small_lake.Lake(settings.lake_root, catalog().tables)
    for stage, mend in (("restore", restore), ("accept", lambda *of: accept(*of, because="looked at"))):
        write_deltalake(lake.path(name), lake.arrow(name), mode="overwrite")
        mend(settings, name)
        yield f"{stage}.{name}"


def _connect(patch: pytest.MonkeyPatch, name: str, base_url: str, ca: str | None = None) -> None:
    access = {"base_url": base_url, "login": "a", "password": "b", "ca_file": ca}
    patch.setenv(f"CONCORD_CONNECTION_CONCORD_{name}", json.dumps(access))


@contextmanager
def _bucket() -> Iterator[str]:
    """The recipient's bucket in an object store of our own."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    boto3.client("s3", endpoint_url=address, aws_access_key_id="a", aws_secret_access_key="b", region_name="eu-central-1") \
        .create_bucket(Bucket="glycemia-institute", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    try:
        yield address
    finally:
        server.stop()
