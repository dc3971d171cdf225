"""Speed side by side with a peer or a limit; see README.md."""
