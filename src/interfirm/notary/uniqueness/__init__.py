"""A ref is consumed once: what a notary checks of a transaction's effects."""
