"""Broken contracts once more: promises nobody keeps, types that do not fit, names that collide."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contracts.broken import APP, GLUCOSE, OBSERVATION, OPTIN, PARTNER, SOCIAL, Case, is_refused

UNIT = "      - name: unit_code\n"
VALUE = "        logicalType: number\n"
CITY = "{name: city, transformLogic: text(payload.city)"
SCHEDULE = '"0 2 * * *"'

PROMISES: dict[str, Case] = {
    "quality of a mapping": (APP, CITY, CITY + ", quality: [{metric: nullValues, mustBe: 0}]", "name: city",
                             ("quality of city is checked by nobody", "in the contract of a core table")),
    "quality of a feed": (APP, "  - name: users\n", "  - name: users\n    quality: [{metric: rowCount, mustBeGreaterThan: 0}]\n", "quality",
                          ("quality of users is checked by nobody",)),
    "unique": (OBSERVATION, UNIT, UNIT + "        unique: true\n", "unique", ("unique of unit_code", "primaryKey: true")),
    "enum": (OBSERVATION, UNIT, UNIT + "        enum: [{value: mg/dL}]\n", "enum", ("enum of unit_code", "property: allowedValues")),
    "relationship of a product": (GLUCOSE, "      - name: person_id\n", "      - name: person_id\n        relationships: [{to: engagement_daily.person_id}]\n",
                                  "relationships", ("relationships of person_id", "only rows of core tables")),
    "references": (OBSERVATION, "{property: notInFuture, value: true}", "{property: references, value: core.identity}", "references",
                   ("'references' of effective_at is not known",)),
    "classification": (OBSERVATION, UNIT, UNIT + "        classification: secret\n", "classification", ("property: dataCategory",)),
    "encrypted name": (OBSERVATION, UNIT, UNIT + "        encryptedName: x\n", "encryptedName", ("property: treatment",)),
    "partition": (OBSERVATION, UNIT, UNIT + "        partitioned: true\n", "partitioned", ("partitioned of unit_code",)),
    "roles": (GLUCOSE, "domain: patient", "roles: [{role: analyst, access: read}]\ndomain: patient", "roles", ("roles of the contract", "Airflow")),
    "nested columns": (OBSERVATION, UNIT, UNIT + "        properties: [{name: x, logicalType: string}]\n", "properties",
                       ("properties of unit_code", "a column each")),
    "expression of a core column": (OBSERVATION, UNIT, UNIT + "        transformLogic: text(payload.unit)\n", "transformLogic",
                                    ("transformLogic of unit_code", "source contract")),
    "position without a key": (OBSERVATION, UNIT, UNIT + "        primaryKeyPosition: 3\n", "primaryKeyPosition",
                               ("primaryKeyPosition of unit_code", "primaryKey: true")),
    "options of a mapping": (APP, CITY, CITY + ", logicalTypeOptions: {maxLength: 5}", "name: city",
                             ("logicalTypeOptions of city", "core table")),
    "customProperties of a mapping": (APP, CITY, CITY + ", customProperties: [{property: notInFuture, value: true}]", "name: city",
                                      ("customProperties of city", "core table")),
}
TYPES: dict[str, Case] = {
    "text into a double": (APP, "number(payload.body.blood_glucose.value)", "text(payload.body.blood_glucose.value)", "name: value",
                           ("blood_glucose.value is double, but text(payload.body.blood_glucose.value) gives string", "number(payload.value)")),
    "code into a boolean": (APP, "boolean(payload.email_verified)", "\"code(payload.v, yes='true')\"", "is_email_verified",
                            ("users.is_email_verified is boolean", "gives string")),
    "number into a string": (APP, "text(payload.city)", "number(payload.city)", "name: city", ("users.city is string", "gives double", "text(payload.city)")),
    "date into a timestamp": (APP, "transformLogic: timestamp(payload.recorded_at)", "transformLogic: date(payload.recorded_at)", "recorded_at",
                              ("consents.recorded_at is timestamp", "timestamp(payload.recorded_at)")),
    "timestamp into a date": (APP, "date(payload.birth_date)", "partial_timestamp(payload.birth_date)", "birth_on", ("users.birth_on is date",)),
    "const of another type": (APP, "const('final')", "const(1)", "status_code", ("status_code is string, but const(1) gives double",)),
    "first of two types": (APP, "text(payload.city)", '"first(text(payload.city), number(payload.city))"', "name: city",
                           ("first gives string or double", "one type")),
    "choose of two types": (APP, "text(payload.city)", "\"choose(exists(payload.a), text(payload.city), const(1))\"", "name: city",
                            ("choose gives string or double",)),
    "choose by a path": (APP, "text(payload.city)", "\"choose(payload.a, text(payload.city), const('x'))\"", "name: city",
                         ("choose asks boolean", "exists(payload.a)")),
    "const of a path": (APP, "const('final')", "const(payload.status)", "status_code", ("const takes a literal", "const('final')")),
    "values that are paths": (APP, "boolean(payload.email_verified)", '"equals(payload.a, payload.b)"', "is_email_verified",
                              ("equals takes a literal",)),
    "condition on a text": (APP, "boolean(payload.email_verified)", "\"all_of(exists(payload.a), text(payload.b))\"", "is_email_verified",
                            ("all_of asks boolean",)),
    "e-mail address of a number": (APP, "email(payload.email)", "email(number(payload.email))", "name: email", ("email asks string",)),
    "a keyword": (APP, "boolean(payload.email_verified)", "\"equals(payload.a, b='c')\"", "is_email_verified", ("equals takes no keywords",)),
    "when": (APP, "\"equals(payload.header.schema_id.name, 'blood-glucose')\"", "text(payload.header.schema_id.name)", "when",
             ("feeds.blood_glucose.when", "gives string, not boolean", "exists(payload.id)")),
    "checks": (APP, "          - exists(payload.body)\n", "          - text(payload.body)\n", "text(payload.body)",
               ("feeds.blood_glucose.checks", "gives string, not boolean")),
    "deleted": (APP, "deleted: boolean(payload.deleted)", "deleted: text(payload.deleted)", "text(payload.deleted)",
                ("streams.users.deleted", "gives string, not boolean")),
    "version": (APP, "version: timestamp(payload.updated_at)", "version: date(payload.updated_at)", "date(payload.updated_at)",
                ("streams.users.version", "gives date, not timestamp", "timestamp(payload.updated_at)")),
}
NAMES: dict[str, Case] = {
    "feed that begins like another": (APP, "  - name: devices\n", "  - name: users_devices\n", "name: users_devices",
                                      ("feed users_devices begins with the name of feed users", "choose another name")),
    "feed twice": (APP, "  - name: devices\n", "  - name: users\n", "name: users", ("feed users is there twice",)),
    **{f"mapping onto {name}": (APP, CITY, CITY.replace("city,", f"{name},"), f"name: {name}", (f"users.{name} is filled by Concord", "take it out"))
       for name in ("source", "record_id", "version_at", "batch_id", "payload_sha256", "contract_version")},
}
SCHEDULES: dict[str, Case] = {
    **{f"schedule {instead}": (APP, SCHEDULE, f'"{instead}"', "schedule", ("schedule: ", "five fields", "0 2 * * *"))
       for instead in ("", "daily", "@daily", "61 * * * *", "0 2 * *", "0 0 2 * * *", "0 0 30 2 *", "0 25 * * *", "H 2 * * *")},
}
COLUMNS: dict[str, Case] = {
    "minimum above maximum": (OPTIN, "{minimum: 0, maximum: 100}", "{minimum: 100, maximum: 0}", "minimum",
                              ("minimum is 100.0, more than maximum 0.0",)),
    "minimum that is no number": (OPTIN, "{minimum: 0, maximum: 100}", "{minimum: .nan}", "minimum", ("finite number",)),
    "pattern of a number": (OBSERVATION, VALUE, VALUE + "        logicalTypeOptions: {pattern: '^1$'}\n", "pattern",
                            ("pattern is for string, but the column is double",)),
    "maximum length of a number": (OBSERVATION, VALUE, VALUE + "        logicalTypeOptions: {maxLength: 4}\n", "maxLength",
                                   ("maxLength is for string, but the column is double",)),
    "no length": (OBSERVATION, "{maxLength: 40}", "{maxLength: 0}", "maxLength", ("greater than or equal to 1",)),
    "minimum of a text": (OBSERVATION, "{maxLength: 40}", "{minimum: 4}", "minimum", ("minimum is for double, long, int, but the column is string",)),
    "maximum of a text": (OBSERVATION, "{maxLength: 40}", "{maximum: 4}", "maximum", ("maximum is for double, long, int",)),
    "allowed values of a date": (OPTIN, "physicalType: date\n        required: true\n        primaryKey: true\n        primaryKeyPosition: 4\n"
        "        transformSourceObjects: [core.consent.recorded_at]\n        customProperties:\n",
        "physicalType: date\n        required: true\n        primaryKey: true\n        primaryKeyPosition: 4\n"
        "        transformSourceObjects: [core.consent.recorded_at]\n        customProperties:\n"
        "          - {property: allowedValues, value: [a]}\n", "allowedValues", ("allowedValues is for string, but the column is date",)),
    "no allowed values": (OBSERVATION, "value: [registered, preliminary, final, amended, corrected, cancelled, entered-in-error, unknown]}",
                          "value: []}", "allowedValues", ("allowedValues is empty",)),
    "a text not in the future": (OBSERVATION, "{property: dataCategory, value: identifying}",
        "{property: dataCategory, value: identifying}\n          - {property: notInFuture, value: true}", "notInFuture",
        ("notInFuture is for date, timestamp, but the column is string",)),
    "logical against physical type": (OBSERVATION, VALUE, "        logicalType: string\n", "string",
                                      ("logicalType string of value does not fit physicalType double", "write logicalType: number")),
    "agreement that ends on no day": (PARTNER, '"2028-12-31"', '"2028-02-31"', "2028-02-31", ("agreementExpiresOn: '2028-02-31' is no day",)),
}
REFUSAL = ("  - {property: refusal, value: {purposes: [brand_communication, patient_education, adherence_monitoring, research, "
           "decision_support, personalised_services], purgeAfterDays: 30}}\n")
REFUSALS: dict[str, Case] = {
    "none where people are asked": (APP, REFUSAL, "", "",
                                    ("refusal is missing, though core.consent is fed", "purgeAfterDays: 30")),
    "no purpose": (APP, "refusal, value: {purposes: [brand_communication, patient_education, adherence_monitoring, research, "
                   "decision_support, personalised_services]", "refusal, value: {purposes: []", "refusal", ("refusal.purposes",)),
    "days missing": (APP, ", purgeAfterDays: 30", "", "refusal", ("refusal.purgeAfterDays is missing", "no default")),
    "a limit that no share can pass": (APP, "share: 0.02", "share: 2", "rejectLimit", ("rejectLimit.share", "less than or equal to 1")),
    "a limit that says less than nothing": (APP, "tolerated: 20", "tolerated: -1", "rejectLimit", ("rejectLimit.tolerated",)),
    "a limit of another kind": (APP, "tolerated: 20", "rows: 20", "rejectLimit", ("rejectLimit.rows",)),
    "days below nought": (APP, "purgeAfterDays: 30", "purgeAfterDays: -1", "refusal", ("refusal.purgeAfterDays",)),
    "where nobody is asked": (SOCIAL, "  - {property: linkPurposes", "  - {property: refusal, value: {purposes: [research], "
                              "purgeAfterDays: 30}}\n  - {property: linkPurposes", "refusal", ("no feed goes to core.consent",)),
}
CASES = {f"{kind}: {name}": case for kind, cases in (
    ("promise", PROMISES), ("type", TYPES), ("name", NAMES), ("schedule", SCHEDULES), ("column", COLUMNS), ("refusal", REFUSALS)) for name, case in cases.items()}


@pytest.mark.parametrize("name", CASES)
def test_is_refused_with_its_line_and_what_to_write(name: str, tmp_path: Path) -> None:
    is_refused(CASES[name], tmp_path)
