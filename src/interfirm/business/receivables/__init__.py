"""Receivables: the right to be paid for an accepted invoice, which can be sold, paid, disputed and written off."""
