"""Templates: Agreement (a signed text with its parameters) and Notice (one party's word that it ends it).

A notice is a contract of its giver alone, so that the others cannot stop it by refusing to confirm; that an agreement
has ended follows from the notice and the time.
"""

from __future__ import annotations

from interfirm.business.companies.contract import within_day
from interfirm.contracts.language import (
    Claim,
    Code,
    Day,
    Hash,
    Money,
    Party,
    Rate,
    Record,
    Ref,
    Template,
    Transaction,
    UnitPrice,
    choice,
    require,
)


class PriceTerm(Record):
    """An agreed price."""

    item: str
    """The seller's item number (BT-155)."""
    price: UnitPrice
    """Net price (BT-146) of one unit."""
    unit: str
    """UN/ECE Recommendation 20 code."""


class Terms(Record):
    """The parameters of an agreement that contracts read."""

    prices: tuple[PriceTerm, ...] = ()
    """Price list."""
    payment_days: int = 30
    """Days from issue of an invoice until it is due."""
    tolerance: Rate | None = None
    """How far a quantity or price may be off; None is not at all."""
    governing_law: str = ""
    """ISO 3166-1 code of the law that governs."""


class AgreementKind(Code):
    """What an agreement is about."""

    CONFIDENTIALITY = "nda"
    MASTER = "msa"
    SERVICE_LEVEL = "sla"
    WORK = "sow"
    PRICE_LIST = "price-list"
    DATA_PROCESSING = "dpa"
    FACTORING = "factoring"
    REFERRAL = "referral"


class AgreementStatus(Code):
    """Where an agreement stands."""

    PROPOSED = "proposed"
    SIGNED = "signed"
    IN_EFFECT = "in-effect"
    SUSPENDED = "suspended"
    TERMINATED = "terminated"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


BINDING = (AgreementStatus.SIGNED, AgreementStatus.IN_EFFECT, AgreementStatus.SUSPENDED)
"""In these an agreement can still be ended."""


class Renewal(Code):
    """How an agreement is prolonged."""

    NONE = "none"
    BY_ALL = "by-all"
    AUTOMATIC = "automatic"


class Agreement(Template):
    """A text with parameters; every party to it sees it, those who signed are bound."""

    number: str
    """The proposer's number."""
    kind: AgreementKind
    """What it is about."""
    parties: tuple[Party, ...]
    """All who are to sign."""
    signed: tuple[Party, ...]
    """Who has signed this version; a proposal is signed by who made it."""
    document: Hash
    """SHA-256 of the text."""
    terms: Terms
    """The parameters."""
    start: Day
    """First day."""
    end: Day | None
    """Last day; None is until notice."""
    notice_days: int = 30
    """Days from a notice until it ends the agreement."""
    cure_days: int = 30
    """Days to cure a breach that was claimed."""
    renewal: Renewal = Renewal.NONE
    """How it is prolonged."""
    renewal_days: int = 0
    """By how many days."""
    value_cap: Money | None = None
    """Total value under the agreement."""
    parent: str = ""
    """Number of the agreement that this one belongs to."""
    status: AgreementStatus = AgreementStatus.PROPOSED
    """Where it stands."""
    version: int = 1
    """Raised by each counter-proposal and amendment."""
    suspended_by: Party | None = None
    """Who suspended it."""
    superseded_by: str = ""
    """Number of the agreement that replaces it."""

    def signatories(self) -> tuple[Party, ...]:
        """Who has signed."""
        return self.signed

    def observers(self) -> tuple[Party, ...]:
        """All parties to it."""
        return self.parties

    def claims(self) -> tuple[Claim, ...]:
        """A proposer numbers its proposals once."""
        fresh = self.version == 1 and self.status == AgreementStatus.PROPOSED and len(self.signed) == 1
        return (Claim(family="agreement.number", owner=self.signed[0], key=(self.number,)),) if fresh else ()

    def ensure(self) -> None:
        """It is between two or more, signed by some of them, and beyond a proposal by all."""
        require(len(self.parties) > 1, "an agreement is between two or more", parties=len(self.parties))
        for place, party in enumerate(self.parties):
            require(party not in self.parties[:place], "each party is named once", party=party)
        for place, party in enumerate(self.signed):
            require(party in self.parties, "only parties sign", party=party)
            require(party not in self.signed[:place], "each party signs once", party=party)
        require(len(self.signed) > 0, "someone has signed")
        unsigned = (AgreementStatus.PROPOSED, AgreementStatus.REJECTED, AgreementStatus.WITHDRAWN)
        complete = len(self.signed) == len(self.parties)
        require(complete or self.status in unsigned, "all parties have signed", status=self.status)
        require(self.end is None or self.start <= self.end, "the agreement starts before it ends")
        require(self.notice_days >= 0 and self.cure_days >= 0 and self.renewal_days >= 0, "days are counted forward")

    def require_status(self, allowed: tuple[AgreementStatus, ...]) -> None:
        """Refuse in any other status."""
        require(self.status in allowed, "the agreement's status does not allow this", status=self.status)

    def require_party(self, party: Party) -> None:
        """Refuse for outsiders."""
        require(party in self.parties, "this is no party to the agreement", party=party)

    def require_in_effect(self, day: Day) -> None:
        """Refuse to be relied on before the start, after the end, or while not in effect."""
        self.require_status((AgreementStatus.IN_EFFECT,))
        require(self.start <= day, "the agreement has not started", start=self.start, day=day)
        require(self.end is None or day <= self.end, "the agreement has ended", end=self.end, day=day)

    def last_day(self) -> Day:
        """The last day, of an agreement that has one."""
        require(self.end is not None, "the agreement has no last day")
        return self.start if self.end is None else self.end

    def price_of(self, item: str) -> PriceTerm | None:
        """The agreed price of an item, if there is one."""
        found = [term for term in self.terms.prices if term.item == item]
        return found[0] if len(found) > 0 else None

    @choice(by="party")
    def sign(self, tx: Transaction, party: Party) -> Ref[Agreement]:
        """Sign the proposal; with the last signature it is signed."""
        self.require_status((AgreementStatus.PROPOSED,))
        self.require_party(party)
        signed = (*self.signed, party)
        complete = len(signed) == len(self.parties)
        status = AgreementStatus.SIGNED if complete else AgreementStatus.PROPOSED
        return tx.create(self.replace(signed=signed, status=status))

    @choice(by="party")
    def counter(self, tx: Transaction, party: Party, document: Hash, terms: Terms) -> Ref[Agreement]:
        """Propose another text; only its author has signed it."""
        self.require_status((AgreementStatus.PROPOSED,))
        self.require_party(party)
        return tx.create(self.replace(signed=(party,), document=document, terms=terms, version=self.version + 1))

    @choice(by="party")
    def reject(self, tx: Transaction, party: Party) -> Ref[Agreement]:
        """Turn the proposal down; who has signed withdraws it."""
        self.require_status((AgreementStatus.PROPOSED,))
        self.require_party(party)
        withdrawn = party in self.signed
        return tx.create(self.replace(status=AgreementStatus.WITHDRAWN if withdrawn else AgreementStatus.REJECTED))

    @choice(by="party")
    def activate(self, tx: Transaction, party: Party) -> Ref[Agreement]:
        """Put the signed agreement into effect from its first day on."""
        self.require_status((AgreementStatus.SIGNED,))
        self.require_party(party)
        tx.not_before(self.start)
        return tx.create(self.replace(status=AgreementStatus.IN_EFFECT))

    @choice(by="parties")
    def amend(self, tx: Transaction, document: Hash, terms: Terms, end: Day | None) -> Ref[Agreement]:
        """Change text and parameters; number and parties stay, the version rises."""
        self.require_status((AgreementStatus.SIGNED, AgreementStatus.IN_EFFECT))
        return tx.create(self.replace(document=document, terms=terms, end=end, version=self.version + 1))

    @choice(by="parties")
    def renew(self, tx: Transaction, end: Day) -> Ref[Agreement]:
        """Prolong it together."""
        self.require_status((AgreementStatus.IN_EFFECT,))
        require(self.renewal == Renewal.BY_ALL, "the agreement is not prolonged this way", renewal=self.renewal)
        require(self.last_day() < end, "a renewal prolongs", end=end)
        return tx.create(self.replace(end=end, version=self.version + 1))

    @choice(by="party")
    def prolong(self, tx: Transaction, party: Party) -> Ref[Agreement]:
        """Prolong it by the agreed number of days once it has ended; each party may say so."""
        self.require_status((AgreementStatus.IN_EFFECT,))
        self.require_party(party)
        require(self.renewal == Renewal.AUTOMATIC, "the agreement is not prolonged this way", renewal=self.renewal)
        require(self.renewal_days > 0, "the agreement says for how many days it is prolonged")
        tx.not_before(self.last_day())
        end = self.last_day().plus(self.renewal_days)
        return tx.create(self.replace(end=end, version=self.version + 1))

    @choice(by="party")
    def suspend(self, tx: Transaction, party: Party) -> Ref[Agreement]:
        """Stop it for the time being."""
        self.require_status((AgreementStatus.IN_EFFECT,))
        self.require_party(party)
        return tx.create(self.replace(status=AgreementStatus.SUSPENDED, suspended_by=party))

    @choice(by="suspended_by")
    def resume(self, tx: Transaction) -> Ref[Agreement]:
        """Go on with it, by who stopped it."""
        self.require_status((AgreementStatus.SUSPENDED,))
        return tx.create(self.replace(status=AgreementStatus.IN_EFFECT, suspended_by=None))

    @choice(by="parties")
    def terminate(self, tx: Transaction) -> Ref[Agreement]:
        """End it together."""
        self.require_status(BINDING)
        return tx.create(self.replace(status=AgreementStatus.TERMINATED))

    @choice(by="party")
    def terminate_on_notice(self, tx: Transaction, party: Party, notice: Ref[Notice]) -> Ref[Agreement]:
        """Record that a notice has run out: after the notice days, or the cure days of a breach."""
        self.require_status(BINDING)
        self.require_party(party)
        found = tx.fetch(Notice, notice)
        require(found.agreement == self.number, "the notice is of another agreement", agreement=found.agreement)
        require(found.giver in self.parties, "the notice is of an outsider", giver=found.giver)
        tx.not_before(self.ends(found))
        return tx.create(self.replace(status=AgreementStatus.TERMINATED))

    def ends(self, notice: Notice) -> Day:
        """The first day on which the agreement no longer binds because of a notice."""
        return notice.given.plus(self.cure_days if notice.breach else self.notice_days)

    @choice(by="party")
    def expire(self, tx: Transaction, party: Party) -> Ref[Agreement]:
        """Record that the last day has passed."""
        self.require_status(BINDING)
        self.require_party(party)
        tx.not_before(self.last_day().plus(1))
        return tx.create(self.replace(status=AgreementStatus.EXPIRED))

    @choice(by="parties")
    def supersede(self, tx: Transaction, by_number: str) -> Ref[Agreement]:
        """Replace it by another agreement."""
        self.require_status((AgreementStatus.IN_EFFECT, AgreementStatus.SUSPENDED))
        require(by_number != self.number, "an agreement does not supersede itself", number=by_number)
        return tx.create(self.replace(status=AgreementStatus.SUPERSEDED, superseded_by=by_number))


class Notice(Template):
    """One party's word that it ends an agreement, with notice or for breach."""

    giver: Party
    """Who gives it; alone bound by it."""
    others: tuple[Party, ...]
    """Who is told."""
    agreement: str
    """Number of the agreement."""
    given: Day
    """When; who is told confirms the end and knows when it arrived."""
    breach: bool = False
    """Whether a breach is claimed, which may be cured."""
    reason: str = ""
    """Why."""

    def signatories(self) -> tuple[Party, ...]:
        """The giver."""
        return (self.giver,)

    def observers(self) -> tuple[Party, ...]:
        """Who is told."""
        return self.others

    def ensure(self) -> None:
        """A breach is named."""
        require(len(self.others) > 0, "a notice is given to someone")
        require(not self.breach or self.reason != "", "a claim of breach names it")

    @choice(by="giver")
    def take_back(self, tx: Transaction, on: Day) -> None:
        """The breach was cured, or the giver changed its mind."""
        within_day(tx, on)
