"""Fees: what organisations paid in, what requests cost, and where it goes."""
