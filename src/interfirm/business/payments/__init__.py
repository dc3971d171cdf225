"""Payments through banks: evidence that a bank signs, payments from instruction to allocation, and plain debts."""
