"""A small business for simulated worlds: bills, private offers to buy them, and cash."""
