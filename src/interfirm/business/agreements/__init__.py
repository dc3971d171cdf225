"""Agreements: texts with parameters that firms sign together, such as price lists and terms of payment."""
