"""The `interfirm` command: a terminal's door to nodes, networks, documents and proofs."""
