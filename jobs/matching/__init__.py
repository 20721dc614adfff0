"""Matching: which records of a table are one person. Splink compares and scores; what it lacks is here."""
