"""Neighbours: other notaries whose word is taken, by vote, and how trust in a cluster is carried on."""
