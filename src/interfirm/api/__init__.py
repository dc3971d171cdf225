"""The doors of a node for other programs: REST and GraphQL, generated from its templates."""
