"""A deterministic world: many firms and notaries in one process, on a virtual clock, from one seed."""
