"""Six source systems of one machine, over one synthetic population, as their vendors' clients know them.

    app           an adherence and glucose app: REST change feeds of users, devices, consents, Open mHealth data points
    crm           a CRM that answers like Salesforce: SOQL over contacts, contact points, consents and cases
    social        a social network that answers like Mastodon: public posts with one hashtag
    device_cloud  a meter maker's cloud: FHIR R4 Bulk Data export with deletions
    community     an online patient community: NDJSON files of members and consents, one a week (DIR/exports/community)
    study         a study's eConsent system: CSV files of participants and consents, one a week (DIR/exports/study)

The same people are in several systems under unrelated ids, with misspelt and missing identifiers. A clock decides what
is shown; control routes move it and order faults. Start it with `python -m infra.local.sources --dir DIR`, or from
Python with `process.running`. All data are invented: there is no real person, number or address behind them.
"""
