"""Business modules, one folder each; each imports only the folders before it (see README.md)."""
