"""Opt-in rates: how many people were asked, said yes, and took it back."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

GOAL_PERCENT = 80
UNKNOWN_COUNTRY = "ZZ"  # ISO 3166-1 leaves it to its users
DIGITS = 20  # of a microsecond since 1970, any year up to 9999


def build(consent: DataFrame, identity: DataFrame) -> DataFrame:
    """A row a person and cell: channel_code, purpose_code, country_code, month, person, opted_in, withdrawn.

    consent, identity: the core tables + person_key; where it is null a source identity stands for the person.
    Statements about a recipient are left out. A scope is a channel (none where the statement names none) and a purpose.
    Each person counts once in a scope, in the month and country of their first statement there; the country is the
    statement's, else the smallest of the person's identities', else ZZ. Asked: who has any statement. Opted in: whose
    latest answer is yes; at one instant a no wins; asked is no answer. Withdrawn: whose latest answer is no and follows
    a yes.
    """
    return _scopes(_statements(consent, identity)).select(
        "channel_code", "purpose_code", "country_code", F.trunc(F.to_date("first_at"), "month").alias("month"), "person",
        (~F.col("is_no")).alias("opted_in"), (F.col("is_no") & F.col("was_yes")).alias("withdrawn"))


def derive(protected: DataFrame) -> DataFrame:
    """The protected counts + optin_rate_percent and meets_goal, from the rounded counts; null where one is missing, or where
    they are of two releases and do not fit."""
    rate = F.when((F.col("asked") > 0) & (F.col("opted_in") <= F.col("asked")), F.col("opted_in") * 100 / F.col("asked"))
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
    """One row a person and scope: first_at and the country then, the last answer and its time, the first yes.

    The country and the answer are packed behind their time and unpacked from the least and the greatest, since engines
    find these many times faster for plain values than for structs.
    """
    when, is_no = F.unix_micros("recorded_at"), (F.col("decision_code") == "deny").cast("long")
    dated_country = F.concat(F.lpad(when.cast("string"), DIGITS, "0"), F.col("country"))
    return statements.where(F.col("person").isNotNull()).groupBy("person", "channel_code", "purpose_code").agg(
        F.min("recorded_at").alias("first_at"), F.min(dated_country).alias("first"),
        F.max(F.when(F.col("decision_code") != "asked", when * 2 + is_no)).alias("last"),
        F.min(F.when(F.col("decision_code") == "permit", when)).alias("first_yes")).select(
        "person", "channel_code", "purpose_code", "first_at", F.substring("first", DIGITS + 1, 2).alias("country_code"),
        (F.col("last") % 2 == 1).alias("is_no"), (F.col("first_yes") * 2 + 1 < F.col("last")).alias("was_yes"))
