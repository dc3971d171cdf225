"""Delivery of a node's webhooks."""
