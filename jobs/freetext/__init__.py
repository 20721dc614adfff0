"""Free text without identities: spans that tell who somebody is, found and replaced by their kind."""
