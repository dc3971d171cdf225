"""Packages: the ids of the templates' packages that the notary's voters approved."""
