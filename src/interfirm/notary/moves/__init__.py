"""Moving a contract between notaries: lock, import, finish, unlock."""
