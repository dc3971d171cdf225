"""Receipts: what a notary gives for an accepted transaction, and how anyone verifies it offline."""
