"""Business keys taken once and for ever, decided by the owner's home notary."""
