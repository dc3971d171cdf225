"""Factoring: a supplier sells receivables to a lender under a facility, once, on terms that only the two see."""
