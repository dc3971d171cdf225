"""A notary of one machine: SQLite, an RFC 9162 log of acceptances, COSE receipts."""
