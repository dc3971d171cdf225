"""A node's control socket: the door for the organisation's own people and programs on the same machine."""
