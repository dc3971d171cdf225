"""Money on the ledger: an issuer's promise that moves by its owner's signature alone."""
