"""A person's own data as a folder that they can be given: copied rows, FHIR, media, and what is done with it all."""
