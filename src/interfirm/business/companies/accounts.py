"""Accounts as the ledger names them: the IBAN and its hash, which bank evidence carries instead of the IBAN."""

from __future__ import annotations

from interfirm.base.hashing import digest
from interfirm.business.companies.contract import Account
from interfirm.business.companies.identifiers import require_iban
from interfirm.contracts.language import Hash


def account_digest(iban: str) -> Hash:
    """The hash that stands for an IBAN in electronic form (no spaces)."""
    return Hash(digest("bank-account", iban))


def account_of(iban: str, *, name: str = "", bic: str = "") -> Account:
    """The account of an IBAN; Refusal `contract.require` where its check digits are wrong."""
    electronic = "".join(iban.split()).upper()
    require_iban(electronic)
    return Account(iban=electronic, digest=account_digest(electronic), name=name, bic=bic)
