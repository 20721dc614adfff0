"""Rows of links with their person's ages beside them, as the people that a decision is about."""

from __future__ import annotations

from pyspark.sql import DataFrame

from jobs.stages.people import People


def aged(rows: DataFrame) -> People:
    """rows: source, source_person_id, person_key, said_by, adult_at, lapse_days; the last two the same for all of a person."""
    return People(rows.drop("adult_at", "lapse_days"), rows.select("person_key", "adult_at", "lapse_days").distinct())
