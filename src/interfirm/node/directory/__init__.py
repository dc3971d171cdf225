"""Whom a node knows: signed entries of organisations, countersigned by the network's registrar."""
