"""Who may do what at one organisation's node."""
