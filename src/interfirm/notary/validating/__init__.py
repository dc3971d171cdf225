"""Validating: whole transactions are re-executed before they are accepted."""
