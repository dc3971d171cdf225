"""Standard documents in and out; nothing of business rules."""
