"""Opt-in rates: how many people were asked, said yes, and took it back."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

GOAL_PERCENT = 80
UNKNOWN_COUNTRY = "ZZ"  # ISO 3166-1 leaves it to its users


def build(consent: DataFrame, identity: DataFrame) -> DataFrame:
    """Exact counts: channel_code, purpose_code, country_code, month, asked, opted_in, withdrawn.

    consent, identity: the core tables + person_key; where it is null a source identity stands for the person.
    Statements about a recipient are left out. A scope is a channel (none where the statement names none) and a purpose.
    Each person counts once in a scope, in the month and country of their first statement there; the country is the
    statement's, else the smallest of the person's identities', else ZZ. Asked: who has any statement. Opted in: whose
    latest answer is yes; at one instant a no wins; asked is no answer. Withdrawn: whose latest answer is no and follows
    a yes.
    """
    answer = F.col("last.is_no")
    took_back = (answer == 1) & (F.col("first_yes_at") < F.col("last.recorded_at"))
    return _scopes(_statements(consent, identity)).groupBy(
        "channel_code", "purpose_code", F.col("first.country").alias("country_code"),
        F.trunc(F.to_date(F.col("first.recorded_at")), "month").alias("month")).agg(
        F.count(F.lit(1)).alias("asked"), F.count(F.when(answer == 0, 1)).alias("opted_in"),
        F.count(F.when(took_back, 1)).alias("withdrawn"))


def derive(protected: DataFrame) -> DataFrame:
    """The protected counts + optin_rate_percent and meets_goal, from the rounded counts; null where one is missing."""
    rate = F.when(F.col("asked") > 0, F.col("opted_in") * 100 / F.col("asked"))
    return protected.withColumn("optin_rate_percent", rate).withColumn("meets_goal", rate >= GOAL_PERCENT)


def _statements(consent: DataFrame, identity: DataFrame) -> DataFrame:
    """Statements about the company itself, each with its person and country."""
    person = F.coalesce(F.col("person_key"), F.concat("source", F.lit("/"), "source_person_id")).alias("person")
    homes = identity.where(F.col("country_code").isNotNull()).select(person, "country_code").groupBy("person").agg(
        F.min("country_code").alias("home"))
    own = consent.where(F.col("recipient_id").isNull()).select(
        person, F.coalesce(F.col("channel_code"), F.lit("none")).alias("channel_code"), "purpose_code",
        "country_code", "recorded_at", "decision_code")
    return own.join(homes, on="person", how="left").withColumn(
        "country", F.coalesce(F.col("country_code"), F.col("home"), F.lit(UNKNOWN_COUNTRY)))


def _scopes(statements: DataFrame) -> DataFrame:
    """One row a person and scope: the first statement, the last answer, and when they first said yes."""
    is_no = (F.col("decision_code") == "deny").cast("int").alias("is_no")
    return statements.where(F.col("person").isNotNull()).groupBy("person", "channel_code", "purpose_code").agg(
        F.min(F.struct("recorded_at", "country")).alias("first"),
        F.max(F.when(F.col("decision_code") != "asked", F.struct("recorded_at", is_no))).alias("last"),
        F.min(F.when(F.col("decision_code") == "permit", F.col("recorded_at"))).alias("first_yes_at"))
