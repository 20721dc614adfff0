"""Data Docs of Great Expectations that need nothing but themselves."""
