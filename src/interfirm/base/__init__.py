"""Values, codes, hashes, signatures, errors and limits that every other room stands on."""
