"""Anonymity of rows about persons: quasi-identifiers generalised, and what stays too rare suppressed, at the least loss."""
