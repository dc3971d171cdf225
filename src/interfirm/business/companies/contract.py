"""Templates: Company (a firm's standing with a registrar) and BankAccount (an account it announces to a payer)."""

from __future__ import annotations

from interfirm.business.companies.identifiers import require_enterprise_number, require_gln, require_iban, require_lei
from interfirm.contracts.language import (
    Claim,
    Code,
    Day,
    Hash,
    Party,
    Record,
    Ref,
    Template,
    Transaction,
    choice,
    require,
)

ENTERPRISE_NUMBER = "0208"
"""The Belgian enterprise number in ISO 6523."""


def within_day(tx: Transaction, day: Day) -> None:
    """Refuse unless the transaction can only be accepted on `day` (UTC)."""
    tx.not_before(day)
    tx.before(day.plus(1))


class Address(Record):
    """A postal address (EN 16931 BG-5, BG-8)."""

    street: str
    """BT-35, BT-50."""
    city: str
    """BT-37, BT-52."""
    postal_code: str
    """BT-38, BT-53."""
    country: str
    """ISO 3166-1 alpha-2, BT-40, BT-55."""
    region: str = ""
    """BT-39, BT-54."""
    additional: str = ""
    """BT-36, BT-51."""


class Firm(Record):
    """A firm as documents name it (EN 16931 BG-4, BG-7, BG-10)."""

    name: str
    """Legal name, BT-27, BT-44, BT-59."""
    tax_id: str
    """The number that its invoices are claimed under: VAT identifier BT-31 or tax registration BT-32."""
    registration: str = ""
    """Legal registration, BT-30, BT-47, BT-61."""
    registration_scheme: str = ""
    """ISO 6523 code of the registration's scheme."""
    endpoint: str = ""
    """Electronic address, BT-34, BT-49."""
    endpoint_scheme: str = ""
    """EAS code of the electronic address."""
    address: Address | None = None
    """Postal address, BG-5, BG-8."""
    lei: str = ""
    """ISO 17442."""
    gln: str = ""
    """GS1 Global Location Number."""


def require_firm(firm: Firm) -> None:
    """Refuse a firm without name or tax number, or with a number whose check digits are wrong."""
    require(firm.name != "" and firm.tax_id != "", "a firm has a name and a tax number", name=firm.name)
    if firm.registration_scheme == ENTERPRISE_NUMBER:
        require_enterprise_number(firm.registration)
    if firm.lei != "":
        require_lei(firm.lei)
    if firm.gln != "":
        require_gln(firm.gln)


class Account(Record):
    """A bank account to pay to (EN 16931 BG-17)."""

    iban: str
    """BT-84, in electronic form."""
    digest: Hash
    """Hash of the IBAN, as bank evidence names it; see accounts.py."""
    name: str = ""
    """BT-85."""
    bic: str = ""
    """BT-86."""


class CompanyStatus(Code):
    """Where a firm stands with its registrar."""

    APPLIED = "applied"
    VERIFIED = "verified"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    LEFT = "left"


class Company(Template):
    """A firm's own facts, vouched for by a registrar."""

    firm: Party
    """Whose facts these are."""
    registrar: Party
    """Who verifies them."""
    facts: Firm
    """Name, numbers, address."""
    status: CompanyStatus = CompanyStatus.APPLIED
    """Where the firm stands."""

    def signatories(self) -> tuple[Party, ...]:
        """The firm; from verification on also the registrar."""
        return (self.firm,) if self.status == CompanyStatus.APPLIED else (self.firm, self.registrar)

    def observers(self) -> tuple[Party, ...]:
        """The registrar."""
        return (self.registrar,)

    def claims(self) -> tuple[Claim, ...]:
        """A tax number is verified once with a registrar."""
        if self.status != CompanyStatus.VERIFIED:
            return ()
        return (Claim(family="company.tax-id", owner=self.registrar, key=(self.facts.tax_id,)),)

    def ensure(self) -> None:
        """The numbers are well-formed, and nobody vouches for itself."""
        require(self.firm != self.registrar, "a firm does not vouch for itself")
        require_firm(self.facts)

    def moved(self, tx: Transaction, allowed: tuple[CompanyStatus, ...], status: CompanyStatus) -> Ref[Company]:
        """The same company in another status, if it is in an allowed one."""
        require(self.status in allowed, "the company's status does not allow this", status=self.status)
        return tx.create(self.replace(status=status))

    @choice(by="registrar")
    def verify(self, tx: Transaction) -> Ref[Company]:
        """Vouch for the facts."""
        return self.moved(tx, (CompanyStatus.APPLIED,), CompanyStatus.VERIFIED)

    @choice(by="registrar")
    def activate(self, tx: Transaction) -> Ref[Company]:
        """Let the firm take part, for the first time or again."""
        return self.moved(tx, (CompanyStatus.VERIFIED, CompanyStatus.SUSPENDED), CompanyStatus.ACTIVE)

    @choice(by="registrar")
    def suspend(self, tx: Transaction) -> Ref[Company]:
        """Stop vouching for the time being."""
        return self.moved(tx, (CompanyStatus.ACTIVE,), CompanyStatus.SUSPENDED)

    @choice(by="firm")
    def leave(self, tx: Transaction) -> Ref[Company]:
        """End the membership."""
        allowed = (CompanyStatus.VERIFIED, CompanyStatus.ACTIVE, CompanyStatus.SUSPENDED)
        return self.moved(tx, allowed, CompanyStatus.LEFT)

    @choice(by=("firm", "registrar"))
    def correct(self, tx: Transaction, facts: Firm) -> Ref[Company]:
        """Replace the facts; the tax number stays, for it is what was claimed."""
        require(self.status == CompanyStatus.ACTIVE, "the company's status does not allow this", status=self.status)
        require(facts.tax_id == self.facts.tax_id, "the tax number stays", tax_id=facts.tax_id)
        return tx.create(self.replace(facts=facts))


class AccountStatus(Code):
    """Whether a payer has confirmed an announced account."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    WITHDRAWN = "withdrawn"


class BankAccount(Template):
    """An account that a firm announces to one payer, who pays to it only after a cooling-off time and a second look."""

    firm: Party
    """Whose account it is."""
    payer: Party
    """Who is told."""
    account: Account
    """Where to pay."""
    announced: Day
    """When it was announced; the payer, who confirms, saw it arrive."""
    cool_off_days: int = 3
    """How long the payer waits before it confirms."""
    status: AccountStatus = AccountStatus.PENDING
    """Whether the payer has confirmed."""
    approval: Hash | None = None
    """Hash of the payer's internal approval by a second person."""

    def signatories(self) -> tuple[Party, ...]:
        """The firm; from confirmation on also the payer."""
        return (self.firm, self.payer) if self.status == AccountStatus.CONFIRMED else (self.firm,)

    def observers(self) -> tuple[Party, ...]:
        """The payer."""
        return (self.payer,)

    def ensure(self) -> None:
        """The account number is well-formed; confirmation shows a second approver."""
        require(self.firm != self.payer, "firm and payer differ")
        require(self.cool_off_days >= 0, "days are counted forward", cool_off_days=self.cool_off_days)
        require_iban(self.account.iban)
        confirmed = self.status == AccountStatus.CONFIRMED
        require(not confirmed or self.approval is not None, "confirming shows a second approver's evidence")

    @choice(by="payer")
    def confirm(self, tx: Transaction, approval: Hash) -> Ref[BankAccount]:
        """Accept the account after the cooling-off time."""
        require(self.status == AccountStatus.PENDING, "the account is not pending", status=self.status)
        tx.not_before(self.announced.plus(self.cool_off_days))
        return tx.create(self.replace(status=AccountStatus.CONFIRMED, approval=approval))

    @choice(by="firm")
    def withdraw(self, tx: Transaction) -> Ref[BankAccount]:
        """No longer use the account."""
        require(self.status != AccountStatus.WITHDRAWN, "the account is withdrawn already")
        return tx.create(self.replace(status=AccountStatus.WITHDRAWN))
