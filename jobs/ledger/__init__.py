"""What happened, for governance: batches, accounts, releases, approvals, audit, lineage."""
