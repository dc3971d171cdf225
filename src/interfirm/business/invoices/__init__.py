"""Invoices: issue, answer, acceptance, credit and dispute of invoices whose arithmetic is EN 16931's."""
