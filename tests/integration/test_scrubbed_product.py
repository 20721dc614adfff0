"""A product that carries texts: scrubbed of what the sources know of each person, then of what is recognised."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from pyspark.sql import DataFrame

from jobs.run.people import resolve
from jobs.run.product import build
from tests import small_lake

CONTRACT = """apiVersion: v3.1.0
kind: DataContract
id: posts
name: Posts
version: 1.0.0
status: active
domain: patient_engagement
description:
  purpose: What people post, without who they are.
team:
  name: patient-insights
customProperties:
  - {property: inputs, value: [core.message]}
  - {property: releaseGroup, value: texts}
  - {property: purposes, value: [adherence_monitoring, decision_support]}
  - {property: dataCategories, value: [free_text]}
  - {property: legalBasis, value: consent}
  - {property: basisReason, value: null}
  - {property: conditionReview, value: null}
  - {property: pseudonymDomain, value: texts}
  - {property: countsPeople, value: null}
  - {property: minimumCell, value: null}
  - {property: rounding, value: null}
  - {property: cellColumns, value: []}
  - {property: dominance, value: null}
  - {property: totals, value: []}
  - {property: differentialPrivacy, value: null}
  - {property: differencing, value: null}
  - {property: retentionDays, value: 1825}
schema:
  - name: posts
    logicalType: object
    physicalType: delta
    description: A post.
    properties:
      - name: person_id
        description: Pseudonym of the person.
        logicalType: string
        physicalType: string
        required: true
        primaryKey: true
        primaryKeyPosition: 1
        transformSourceObjects: [core.message.source_person_id]
        customProperties:
          - {property: dataCategory, value: pseudonymous}
          - {property: treatment, value: pseudonym}
      - name: text
        description: The post, scrubbed; null where it is in a language that is not known.
        logicalType: string
        physicalType: string
        transformSourceObjects: [core.message.text]
        customProperties:
          - {property: dataCategory, value: free_text}
          - {property: treatment, value: scrub}
"""
POSTS = {"person-0": "today quapp came by for some tea, and nobody was there.", "person-1": "today quapp came by for some tea, and nobody was there.",
         "person-2": "My name is Anna Weber, call me.", "person-3": "Mijn pomp is kapot en niemand belt mij terug."}
LEFT = ["My name is [NAME_1], call me.", "today [NAME_1] came by for some tea, and nobody was there.",
        "today quapp came by for some tea, and nobody was there."]


def _posts(message: DataFrame) -> DataFrame:
    return message.where("person_key IS NOT NULL").select("person_key", "text")


def test_texts_leave_scrubbed_and_what_is_withheld_is_counted(engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own" / "products").mkdir(parents=True)
    (tmp_path / "own" / "products" / "posts.yaml").write_text(CONTRACT, encoding="utf-8")
    monkeypatch.setenv("CONCORD_CONTRACTS", str(tmp_path / "own"))
    monkeypatch.setitem(sys.modules, "jobs.products.posts", SimpleNamespace(build=_posts))  # type: ignore[arg-type]
    home = small_lake.settings(tmp_path / "home", engine)
    lake = small_lake.fill(home, people=4, days=1)
    small_lake.append(lake, "core.identity", [{"source_person_id": "person-0", "family_name": "Quapp", "country_code": "DE", "version_at": small_lake.START}],
                      "crm.000002")
    small_lake.append(lake, "core.message", [{"source_person_id": name, "channel_code": "social", "posted_at": small_lake.START, "text": text,
                                              "is_from_brand": False} for name, text in POSTS.items()])
    resolve(home)
    report = build(home, "posts")
    rows = lake.arrow("product.posts")
    assert sorted(text for text in rows["text"].to_pylist() if text is not None) == LEFT
    assert rows.num_rows == 4 and rows.column_names == ["person_id", "text"]
    assert report.facts["nulls_by_treatment"] == {"text": 1}
