"""Signing in with a browser: passwords, codes, passkeys, OpenID Connect; sessions and what guards them."""
