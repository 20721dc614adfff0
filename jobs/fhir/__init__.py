"""FHIR R4 in plain Python: Consent resources read from a Bundle, and what they say to one request."""
