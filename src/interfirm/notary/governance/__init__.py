"""Governance: parameters, packages, validators, upgrades and emergencies are decided by votes."""
