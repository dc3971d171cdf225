"""Templates: Cash (an issuer's promise to pay its owner) and Redemption (a promise called in).

Cash is signed for by its issuer and confirmed by its owner, so a payment waits for nobody. Each choice keeps the sum of
what it consumes; only `retire` and `redeem` end cash, and both need the issuer too.
"""

from __future__ import annotations

from interfirm.contracts.language import Hash, Money, Party, Record, Ref, Template, Transaction, choice, require


class Moved(Record):
    """What a move leaves behind."""

    moved: Ref[Cash]
    """The new owner's cash."""
    change: Ref[Cash] | None
    """What is left to the old owner."""


class Cash(Template):
    """A promise of the issuer to pay the owner an amount."""

    issuer: Party
    """Who promised; the bank that issued it."""
    owner: Party
    """Who may move it."""
    amount: Money
    """How much; more than nothing."""

    def signatories(self) -> tuple[Party, ...]:
        """The issuer is bound."""
        return (self.issuer,)

    def observers(self) -> tuple[Party, ...]:
        """The owner sees it."""
        return (self.owner,)

    def confirmers(self) -> tuple[Party, ...]:
        """The owner alone confirms: the issuer does not hold up payments."""
        return (self.owner,)

    def ensure(self) -> None:
        """There is no empty or negative cash."""
        require(self.amount.minor > 0, "cash is more than nothing", amount=self.amount)

    @choice(by="owner")
    def move(self, tx: Transaction, to: Party, amount: Money) -> Moved:
        """Pay `amount` to another party and keep the change."""
        require(to != self.owner, "cash moves to another party", to=to)
        require(amount.minor > 0, "an amount to pay is more than nothing", amount=amount)
        require(amount <= self.amount, "this cash does not cover the amount", amount=amount, cash=self.amount)
        rest = self.amount - amount
        moved = tx.create(self.replace(owner=to, amount=amount))
        return Moved(moved=moved, change=tx.create(self.replace(amount=rest)) if rest.minor > 0 else None)

    @choice(by="owner")
    def divide(self, tx: Transaction, amounts: tuple[Money, ...]) -> tuple[Ref[Cash], ...]:
        """Change it into several amounts of the same sum."""
        require(len(amounts) > 1, "cash is divided into two or more")
        given = sum((amount for amount in amounts), self.amount.zero())
        require(given == self.amount, "the parts add up to the whole", parts=given, whole=self.amount)
        return tuple([tx.create(self.replace(amount=amount)) for amount in amounts])

    @choice(by="owner")
    def merge(self, tx: Transaction, others: tuple[Ref[Cash], ...]) -> Ref[Cash]:
        """Put more cash of the same issuer, owner and currency with it."""
        require(len(others) > 0, "there is other cash to merge with")
        whole = self.amount
        for other in others:
            whole = whole + tx.exercise(other, Cash.retire)
        return tx.create(self.replace(amount=whole))

    @choice(by=("owner", "issuer"))
    def retire(self, tx: Transaction) -> Money:
        """End it; inside `merge` the issuer's authority is that of the cash merged into."""
        return self.amount

    @choice(by=("owner", "issuer"))
    def redeem(self, tx: Transaction, account: Hash, end_to_end_id: str) -> Ref[Redemption]:
        """Call the promise in: the issuer pays to the owner's account at the bank."""
        return tx.create(
            Redemption(
                issuer=self.issuer, owner=self.owner, amount=self.amount, account=account, end_to_end_id=end_to_end_id
            )
        )


class Redemption(Template):
    """The record that cash ended and is paid out at the bank."""

    issuer: Party
    """Who pays."""
    owner: Party
    """Who is paid."""
    amount: Money
    """How much."""
    account: Hash
    """Hash of the account that is paid to."""
    end_to_end_id: str
    """What the bank transfer is called."""

    def signatories(self) -> tuple[Party, ...]:
        """Issuer and owner."""
        return (self.issuer, self.owner)

    def ensure(self) -> None:
        """The transfer has a name."""
        require(self.end_to_end_id != "", "a transfer has an EndToEndId")
