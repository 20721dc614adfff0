"""Extracts that hold a person are told with their recipients, by the recipients' own pseudonyms."""

from __future__ import annotations

from typing import Any

from jobs.run.forget import forget
from jobs.run.recall import recall
from jobs.settings import Settings
from tests.integration import test_forget
from tests.integration.airflow_stand_in import Users
from tests.integration.test_extract import RECIPIENT, bucket
from tests.integration.test_recall import first, home, say, sent, store
from tests.integration.test_where_raw import told
from tests.integration.two_releases import airflow

__all__ = ["airflow", "bucket", "first", "home", "sent", "store"]


def test_an_extract_is_told_with_its_recipient_and_whether_they_are_to_delete(home: Settings, sent: str, store: Any,
                                                                              airflow: Users) -> None:
    extract, = told(home, "person-3", "crm")["extracts"]
    assert (extract["extract"], extract["recipient"], extract["state"], extract["recalled_at"]) == (sent, RECIPIENT, "delivered", None)
    say(home, "person-3")
    recall(home, RECIPIENT)
    assert told(home, "person-3", "crm")["extracts"][0]["recalled_at"] is not None
    assert told(home, "person-4", "crm")["extracts"][0]["recalled_at"] is None


def test_who_is_in_no_extract_is_told_of_none(home: Settings, sent: str, airflow: Users) -> None:
    assert told(home, "person-11", "crm")["extracts"] == [] and told(home, "person-11", "crm")["releases"]


def test_our_copy_of_an_extract_loses_the_forgotten(home: Settings, sent: str, store: Any, airflow: Users) -> None:
    assert told(home, "person-3", "crm")["extracts"]
    forget(home, test_forget.asked("person-3"))
    assert told(home, "person-3", "crm")["extracts"] == [] and told(home, "person-4", "crm")["extracts"]
