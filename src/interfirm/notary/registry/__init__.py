"""Organisations by identity id: their current key, their VRF key for life, their home notary."""
