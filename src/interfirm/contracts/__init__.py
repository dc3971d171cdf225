"""The language of shared facts: templates, choices, authority, the deterministic subset, metering, packages."""
