"""Where a person is: an index of who came into a table and who left it with which version, kept from the tables' own logs."""

from __future__ import annotations

TABLE = "vault.whereabouts"
EXTRACT = "extract."  # Before the name of an extract, where that of a table stands.
PARTS = ("identity", "person_key", "pseudonym")  # What a row calls a person.
