"""The vault of a node: contracts, transactions, flows and their files, in one database of this node alone."""
