"""Clients of a node in other programs' languages, written from its OpenAPI document."""
