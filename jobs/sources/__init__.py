"""Parsers of payloads that a contract's expressions cannot say, one module each, named by the feed's `parse`."""
