"""One organisation's node: who it is, whom it knows, how it talks, what it keeps and which steps it takes."""
