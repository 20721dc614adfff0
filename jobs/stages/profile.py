"""Profile: what core knows of who a source identity is, in the roles that matching compares, and what proves it."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.matching import OF_IDENTITIES, Role

WHO = ("source", "source_person_id")
IS_IDENTITY = 1  # The rank of what an identity's own record says; what else is known ranks lower.
# The roles that are columns of core.identity under other names; the rest are called what they are.
COLUMNS = {Role.BIRTH_DATE: "birth_on", Role.SEX: "sex_code", Role.COUNTRY: "country_code",
           Role.NATIONAL_ID: "patient_number"}


def profiles(identity: DataFrame, contact_point: DataFrame) -> DataFrame:
    """What is known of each source identity: source, source_person_id, a text for each of ``OF_IDENTITIES``, and proofs.

    identity, contact_point: the core tables. Where records of an identity disagree the latest one counts; an address or
    number at which it can be reached counts where its own records have none. proofs: what the source verified, 'role:value', a
    line each in order; a device counts once it is bound, a patient number as its authority gave it; a value of several lines
    proves nothing. Who has no record of their own is nobody.
    """
    named = identity.where(F.col("source_person_id").isNotNull())
    rows = named.select(*WHO, F.lit(IS_IDENTITY).alias("rank"), "version_at", "record_id", F.array(*_proofs()).alias("proofs"),
                        *(_value(role).alias(role) for role in OF_IDENTITIES))
    for role in (Role.EMAIL, Role.PHONE):
        points = contact_point.where(F.col("system_code") == str(role))
        proof = _proof(role, F.col("value"), F.col("is_verified"))
        rows = rows.unionByName(points.select(
            *WHO, F.lit(0).alias("rank"), "version_at", "record_id", F.array(proof).alias("proofs"),
            *((_text("value") if r is role else F.lit(None).cast("string")).alias(r) for r in OF_IDENTITIES)))
    latest = [F.max(F.when(F.col(role).isNotNull(), F.struct("rank", "version_at", "record_id", role)))[role].alias(role)
              for role in OF_IDENTITIES]
    held = F.array_distinct(F.flatten(F.collect_list("proofs")))
    lines = F.concat_ws("\n", F.array_sort(F.filter(held, lambda one: one.isNotNull())))
    found = rows.groupBy(*WHO).agg(*latest, F.max("rank").alias("rank"), F.when(lines != "", lines).alias("proofs"))
    return found.where(F.col("rank") == IS_IDENTITY).drop("rank")


def _value(role: Role) -> Column:
    return _text(COLUMNS.get(role, str(role)))


def _text(column: str) -> Column:
    text = F.trim(F.col(column).cast("string"))
    return F.when(text != "", text)


def _proofs() -> list[Column]:
    return [_proof(Role.EMAIL, F.col("email"), F.col("is_email_verified")),
            _proof(Role.PHONE, F.col("phone"), F.col("is_phone_verified")),
            _proof(Role.NATIONAL_ID, F.col("patient_number"), F.lit(True)),
            _proof(Role.DEVICE_ID, F.col("device_id"), F.lit(True))]


def _proof(role: Role, value: Column, is_verified: Column) -> Column:
    text = F.lower(F.trim(value))
    return F.when(is_verified & (text != "") & ~text.contains("\n"), F.concat(F.lit(f"{role}:"), text))
