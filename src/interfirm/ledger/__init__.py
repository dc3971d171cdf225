"""Transactions: entries, hash tree, views, stages, verification, history, proofs, receipts."""
