"""How programs of the same user talk to a running node: a local socket, and the lock of the node's directory."""
