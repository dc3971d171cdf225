"""How nodes talk: a pure session machine per peer, and the transports that carry its frames."""
