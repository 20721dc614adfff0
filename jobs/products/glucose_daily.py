"""Glucose per person and day, the readings of all sources united."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

# LOINC codes of a single glucose reading that a meter or a sensor gives.
GLUCOSE_CODES = (
    "2339-0",  # Glucose [Mass/volume] in Blood
    "2345-7",  # Glucose [Mass/volume] in Serum or Plasma
    "2340-8",  # Glucose [Mass/volume] in Blood by Automated test strip
    "41653-7",  # Glucose [Mass/volume] in Capillary blood by Glucometer
    "99504-3",  # Glucose [Mass/volume] in Interstitial fluid
    "15074-8",  # Glucose [Moles/volume] in Blood
    "14743-9",  # Glucose [Moles/volume] in Capillary blood by Glucometer
    "14745-4",  # Glucose [Moles/volume] in Body fluid, used by sensors (HL7 Continuous Glucose Monitoring guide)
)
COUNTED = ("final", "amended", "corrected", "preliminary")  # not cancelled, entered-in-error, registered, unknown
MG_DL_PER_MMOL_L = 18.0156  # molar mass 180.156 g/mol, as LOINC gives it for the component Glucose
PARTS = 1000  # readings are summed as whole thousandths of mg/dL: a sum of integers does not depend on their order


def build(observation: DataFrame) -> DataFrame:
    """One row a person and day (UTC) with at least one reading.

    observation: core.observation + person_key. Gives person_key, observed_on, readings, mean_mg_dl (mg/dL),
    time_in_range_percent, gmi_percent.

    The same value of one person at one instant is one reading, whichever source tells it (an app that shows the
    device's readings). Time in range is the share of readings, not of minutes, from 70 to 180 mg/dL, which for meters
    in mmol/L is 3.9 to 10.0 (Battelino et al., Diabetes Care 2019). GMI = 3.31 + 0.02392 x mean in mg/dL (Bergenstal
    et al., Diabetes Care 2018).
    """
    mean = F.col("total") / (F.col("readings") * PARTS)
    return _readings(observation).groupBy("person_key", F.to_date("effective_at").alias("observed_on")).agg(
        F.count(F.lit(1)).alias("readings"), F.sum("parts").alias("total"), F.sum("in_range").alias("inside")).select(
        "person_key", "observed_on", "readings", mean.alias("mean_mg_dl"),
        (F.col("inside") * 100 / F.col("readings")).alias("time_in_range_percent"),
        (F.lit(3.31) + F.lit(0.02392) * mean).alias("gmi_percent"))


def _readings(observation: DataFrame) -> DataFrame:
    """Distinct readings: person_key, effective_at, parts (thousandths of mg/dL), in_range (1 or 0)."""
    counted = observation.where(
        F.col("code").isin(*GLUCOSE_CODES) & F.col("status_code").isin(*COUNTED) & F.col("effective_at").isNotNull()
        & F.col("value").isNotNull() & F.col("unit_code").isin("mg/dL", "mmol/L"))
    parts = F.floor(_in_unit(F.col("value"), F.col("value") * MG_DL_PER_MMOL_L) * PARTS + 0.5)
    inside = _in_unit(F.col("value").between(70.0, 180.0), F.col("value").between(3.9, 10.0))
    return counted.select("person_key", "effective_at", parts.cast("long").alias("parts"),
                          inside.cast("long").alias("in_range")).groupBy(
        "person_key", "effective_at", "parts").agg(F.max("in_range").alias("in_range"))


def _in_unit(mass: Column, moles: Column) -> Column:
    return F.when(F.col("unit_code") == "mg/dL", mass).otherwise(moles)
