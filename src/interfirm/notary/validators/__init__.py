"""Validators: the machines of a cluster, their votes and their bonds."""
