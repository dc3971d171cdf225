"""The notary application: a pure machine of modules, and its hosts."""
