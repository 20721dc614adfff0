"""The acceptance flow on one machine, kept as it stood before its stages, so that each can be killed there again and again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config

from contracts import catalog
from infra.local.sources.process import Sources, running
from infra.local.store import filled
from tests.faults.command import concord
from tests.faults.same import accounts, contents, lake_of
from tests.integration.airflow_stand_in import Run, serving
from tests.integration.connecting import access_to
from tests.integration.dropping import LOGIN, store
from tests.integration.test_refused import BATCH, LONG_AGO
from tests.landing import land
from tests.small_lake import settings

SOURCES = ("adherence_app", "crm")
PARTNER = "glycemia_institute"
DAG_RUN = ("--dag-run", f"extract_{PARTNER}", "manual__1")
PEOPLE, DAYS, WITHDRAWING = "60", "2", "6"


@dataclass(frozen=True)
class Stage:
    """One stage of the flow: its command, the home and the partner's bucket before it, its writes, and what it leaves."""

    words: tuple[str, ...]
    prepared: Path
    sent: dict[str, bytes]
    points: list[str]
    expected: dict[str, list[str]]

    @property
    def name(self) -> str:
        """The stage and what it is about."""
        return " ".join(word for word in self.words if word not in DAG_RUN)


@dataclass
class Flow:
    """The flow as far as it got, its services, and the stages to kill."""

    root: Path
    airflow: Run
    bucket: Any
    stages: list[Stage] = field(default_factory=list)

    @property
    def home(self) -> Path:
        """Where the flow goes on."""
        return self.root / "home"

    def goes(self, *words: str) -> dict[str, Any]:
        """Run a stage that is not killed; its report."""
        return concord(self.home, *words).report

    def stage(self, *words: str, home: Path | None = None) -> dict[str, Any]:
        """Keep what is there before a stage, run it undisturbed, and keep what it leaves; its report."""
        home = home or self.home
        prepared = self.root / f"before-{len(self.stages)}"
        shutil.copytree(home, prepared)
        sent, ended = self.sent(), concord(home, *words)
        report = ended.report
        self.stages.append(Stage(words, prepared, sent, ended.points, self.left(home)))
        return report

    def again(self, stage: Stage) -> Path:
        """A home as it was before a stage, and the bucket with it."""
        home = self.root / "again"
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(stage.prepared, home)
        for key in self.sent().keys() - stage.sent.keys():
            self.bucket.delete_object(Bucket=self._name, Key=key)
        for key, content in stage.sent.items():
            self.bucket.put_object(Bucket=self._name, Key=key, Body=content)
        return home

    def left(self, home: Path) -> dict[str, list[str]]:
        """What a stage left, in the home and in the bucket; its accounts add up."""
        accounts(home)
        return {**contents(home), "bucket": sorted(self.sent())}

    def sent(self) -> dict[str, bytes]:
        """The objects in the partner's bucket."""
        found = self.bucket.list_objects_v2(Bucket=self._name).get("Contents", [])
        return {o["Key"]: self.bucket.get_object(Bucket=self._name, Key=o["Key"])["Body"].read() for o in found}

    @property
    def _name(self) -> str:
        return urlsplit(catalog().recipients[PARTNER].delivery).netloc

    def first_round(self) -> None:
        """From the sources to a delivered extract. No social network is asked: what is said there, nobody said."""
        lake_of(self.home).ensure("core.message")
        self.stage("land", "adherence_app")
        self.goes("land", "crm")
        self.goes("conform", "adherence_app")
        self.goes("conform", "crm")
        self._refused()
        self.goes("link", "train")
        self.stage("resolve")
        self.stage("build", "engagement_daily")
        for product in ("glucose_daily", "optin_rates", "patient_profile"):
            self.goes("build", product)
        self.goes("release", "engagement")
        made = self.stage("extract", "prepare", PARTNER, *DAG_RUN)
        self.airflow.body = f"Extract {made['extract_id']}, manifest_sha256 {made['manifest_sha256']}"
        self.stage("extract", "record", made["extract_id"], *DAG_RUN)
        self.stage("extract", "deliver", made["extract_id"])

    def second_round(self) -> None:
        """Some withdraw: a second release supersedes the first, and the extract is recalled."""
        self.stage("land", "crm")
        self.stage("conform", "crm")
        self.stage("build", "glucose_daily")
        for product in ("optin_rates", "patient_profile"):
            self.goes("build", product)
        assert self.stage("release", "engagement")["number"] == 2
        assert self.stage("recall", PARTNER)["people"]
        assert self.stage("maintain")["joined"]

    def _refused(self) -> None:
        """Beside the flow, in a home of its own: a batch from long ago, of somebody who refuses among others; their envelopes are
        due."""
        aside = self.root / "aside"
        land(settings(aside, "sail"), "crm", BATCH, at=LONG_AGO)
        assert self.stage("conform", "crm", home=aside)["outcomes"].keys() >= {"accepted", "rejected", "refused", "deletion"}
        unscreened = self.root / "unscreened"
        shutil.copytree(aside, unscreened)
        assert self.stage("screen", "crm", home=aside)["candidates"]
        assert self.stage("purge", "crm", home=unscreened)["purged"]
        self._outworn(self.root / "outworn")

    def _outworn(self, home: Path) -> None:
        """A batch from before anybody may still have it."""
        landed = datetime.now(UTC) - timedelta(days=catalog().sources["crm"].retention_days + 1)
        month = f"{landed - timedelta(days=60):%Y-%m}"
        batch = [replace(raw, payload=json.loads(json.dumps(raw.payload).replace("2026-10", month))) for raw in BATCH]
        land(settings(home, "sail"), "crm", batch, at=landed)
        for stage in ("conform", "screen"):
            assert concord(home, stage, "crm").status == 0
        assert self.stage("retention", home=home)["rows"]


@contextmanager
def flowing(root: Path) -> Iterator[Flow]:
    """The whole flow, done once; its services stay until the block ends."""
    run = Run()
    with pytest.MonkeyPatch.context() as patch, serving(run) as airflow, store() as address:
        connect(patch, "concord_airflow", airflow, "concord", "x")
        connect(patch, catalog().recipients[PARTNER].connection, address, *LOGIN)
        client = boto3.client("s3", endpoint_url=address, aws_access_key_id=LOGIN[0], aws_secret_access_key=LOGIN[1],
                              region_name="us-east-1", config=Config(proxies={}))
        flow = Flow(root, run, client)
        settings(flow.home, "sail")
        with running(root / "sources", "--people", PEOPLE, "--days", DAYS) as sources:
            assert filled(address, LOGIN, sources.directory / "exports")
            _connect_sources(patch, sources)
            flow.first_round()
        with running(root / "sources", "--people", PEOPLE, "--days", DAYS, "--withdraw", WITHDRAWING) as sources:
            _connect_sources(patch, sources)
            flow.second_round()
            yield flow


def _connect_sources(patch: pytest.MonkeyPatch, sources: Sources) -> None:
    for source in SOURCES:
        access = access_to(sources, source)
        connection = catalog().sources[source].connection.id
        connect(patch, connection, access.base_url, access.login, access.password, str(access.ca_file))


def connect(patch: pytest.MonkeyPatch, connection: str, address: str, login: str, password: str, ca_file: str = "") -> None:
    """Set a connection for the commands."""
    patch.setenv(f"CONCORD_CONNECTION_{connection.upper()}", json.dumps(
        {"base_url": address, "login": login, "password": password, "ca_file": ca_file}))
