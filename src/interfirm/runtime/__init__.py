"""Joining cores to technology: configuration, processes, clocks, supervision."""
