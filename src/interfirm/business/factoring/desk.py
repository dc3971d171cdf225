"""A lender's and a seller's desk: what is asked of a node about factoring, beside the choices themselves."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from interfirm.base import codec
from interfirm.base.errors import Refusal, check
from interfirm.base.values import Value
from interfirm.business.cash.contract import Cash
from interfirm.business.companies.accounts import account_of
from interfirm.business.companies.contract import Account
from interfirm.business.factoring.contract import Offer
from interfirm.business.factoring.facility import Exposure, Facility, FacilityStatus
from interfirm.business.factoring.terms import offered_of, price_of
from interfirm.business.receivables.contract import Receivable, Verification
from interfirm.contracts.language import Party, Ref
from interfirm.contracts.types import ContractRef, ExerciseCommand
from interfirm.node.access.approvals import Demand
from interfirm.node.arguments import Name, Nothing, Submitted, takes
from interfirm.node.arguments import Ref as RefText
from interfirm.node.asking import Start
from interfirm.node.desk import Answer, Desk, text_of
from interfirm.node.flows.claims import ClaimSeen, claims_seen
from interfirm.node.flows.context import Context
from interfirm.node.flows.exercise import ExerciseArguments, Exercised, exercise
from interfirm.node.flows.types import AskedFlow
from interfirm.node.forms import ref_of
from interfirm.node.reading import fields_of
from interfirm.node.vault.turn import Turn

TAKE = "factoring-take"
VALID_DAYS, VALID_DAYS_MAX = 14, 366
NUMBERS_MAX = 20
"""How many near hits are counted before a lender is told that there are too many."""


class WordWanted(Submitted, frozen=True, kw_only=True):
    """Of which receivable the debtor's word is wanted, and for how long it holds."""

    receivable: RefText
    valid_days: Annotated[int, Meta(ge=1, le=VALID_DAYS_MAX)] | None = None


class OfferWanted(WordWanted, frozen=True, kw_only=True):
    """What is offered, to whom."""

    lender: Name


class OfferTaken(Nothing, frozen=True, kw_only=True):
    """The offer that is taken, or looked at first."""

    offer: RefText
    iban: Annotated[str, Meta(max_length=34)]
    cash: bool | None = None
    accept_near_hits: bool | None = None


@takes(OfferWanted)
def offer(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Offer a receivable to a lender under the facility with it, at the facility's price; shares what it needs."""
    lender = Party(desk.names.identity_of(text_of(arguments, "lender")))
    today = desk.today()
    with desk.vault.read() as turn:
        ref = ref_of(text_of(arguments, "receivable"))
        right = desk.read_as(turn, ref, Receivable)
        facility_ref, facility = facility_with(desk, turn, lender)
        offered = offered_of(right)
        made = Offer(
            seller=Party(desk.me), lender=lender, facility=Ref(facility_ref.transaction, facility_ref.index),
            receivable=Ref(ref.transaction, ref.index), offered=offered,
            price=price_of(facility.terms, offered.outstanding, today, offered.due),
            valid_until=today.plus(_valid_days(arguments)),
        )  # fmt: skip
    return desk.submit([desk.creation(made)], request=desk.request_id(arguments), arguments=arguments)


def _valid_days(arguments: dict[str, Any]) -> int:
    """How many days a word holds; Refusal `form.value`."""
    days = arguments.get("valid_days", VALID_DAYS)
    whole = isinstance(days, int) and 0 < days <= VALID_DAYS_MAX
    check(whole, "form.value", "this is not a value of the field's type", field="valid_days", expected="days")
    return int(days)


def facility_with(desk: Desk, turn: Turn, lender: Party) -> tuple[ContractRef, Facility]:
    """The facility in effect with a lender; Refusal `factoring.facility` where there is none."""
    for ref, facility in desk.every_as(turn, Facility):
        if facility.lender == lender and facility.seller.id == desk.me and facility.status == FacilityStatus.IN_EFFECT:
            return ref, facility
    raise Refusal("factoring.facility", "there is no facility in effect", lender=desk.names.name_of(lender.id))


@takes(WordWanted)
def verify(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """The debtor's word to the holder of a receivable: amount, due day, no set-off."""
    with desk.vault.read() as turn:
        right = desk.read_as(turn, ref_of(text_of(arguments, "receivable")), Receivable)
    word = Verification(
        obligor=Party(desk.me), holder=right.holder, invoice=right.invoice, outstanding=right.outstanding,
        due=right.due, no_set_off=True, valid_until=desk.today().plus(_valid_days(arguments)),
    )  # fmt: skip
    return desk.submit([desk.creation(word)], request=desk.request_id(arguments), arguments=arguments)


class TakeArguments(Value, frozen=True):
    """A purchase as the flow gets it: what the choice takes but the numbers, and whether near hits are accepted."""

    offer: ContractRef
    exposure: ContractRef
    verification: ContractRef | None
    cash: ContractRef | None
    account: bytes
    today: int
    accept_near_hits: bool


@takes(OfferTaken)
def take(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Buy what an offer offers: looks at the fingerprints first, warns of near hits, then takes it with cash."""
    return _start(desk, arguments, TAKE)


@takes(OfferTaken)
def look(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Look at the fingerprints of what an offer offers, by the notary's dated statements, and buy nothing."""
    return _start(desk, arguments, "factoring-look")


def _start(desk: Desk, arguments: dict[str, Any], flow: str) -> Start:
    with desk.vault.read() as turn:
        ref = ref_of(text_of(arguments, "offer"))
        made = desk.read_as(turn, ref, Offer)
        exposure = _exposure(desk, turn, made)
        word = _verification(desk, turn, made)
        demand = Demand("factoring.Offer", "take", fields_of(made))
        cash = _cash(desk, turn, made) if arguments.get("cash", True) else None
    account = account_of(text_of(arguments, "iban"))
    asked = TakeArguments(
        offer=ref, exposure=exposure, verification=word, cash=cash, account=codec.encode(account),
        today=desk.today().number, accept_near_hits=bool(arguments.get("accept_near_hits", False)),
    )  # fmt: skip
    event = AskedFlow(id=desk.request_id(arguments), kind=flow, arguments=msgspec.msgpack.encode(asked))
    return Start(event=event, demands=(demand,) if flow == TAKE else ())


def _exposure(desk: Desk, turn: Turn, made: Offer) -> ContractRef:
    for ref, exposure in desk.every_as(turn, Exposure):
        if exposure.seller == made.seller and exposure.lender == made.lender:
            return ref
    raise Refusal("factoring.facility", "there is no facility in effect", seller=desk.names.name_of(made.seller.id))


def _verification(desk: Desk, turn: Turn, made: Offer) -> ContractRef | None:
    """The debtor's word that the seller shared for what is offered."""
    for disclosure in desk.books.disclosed(turn):
        if disclosure.template == desk.engine.named("receivables.Verification").id:
            word = desk.read_as(turn, disclosure.ref, Verification)
            if word.invoice == made.offered.invoice and word.outstanding == made.offered.outstanding:
                return disclosure.ref
    return None


def _cash(desk: Desk, turn: Turn, made: Offer) -> ContractRef | None:
    """The smallest of the lender's cash contracts that covers the advance."""
    fitting = [
        (cash.amount.minor, ref)
        for ref, cash in desk.every_as(turn, Cash)
        if cash.owner.id == desk.me and cash.amount.currency == made.price.advance.currency
        and cash.amount >= made.price.advance
    ]  # fmt: skip
    return min(fitting)[1] if fitting else None


class Looked(Value, frozen=True):
    """What the fingerprints say: the numbers to claim, and whether the exact one is taken."""

    parties_number: int
    order_number: int
    taken: bool


async def look_flow(ctx: Context, arguments: bytes) -> Looked:
    """See `look`."""
    asked = msgspec.msgpack.decode(arguments, type=TakeArguments)
    return await _lowest_free(ctx, asked)


async def take_flow(ctx: Context, arguments: bytes) -> Exercised:
    """See `take`; refuses a near hit unless it is accepted, and lets the notary refuse what is taken."""
    asked = msgspec.msgpack.decode(arguments, type=TakeArguments)
    found = await _lowest_free(ctx, asked)
    near = found.parties_number > 1 or found.order_number > 1
    if near and not found.taken and not asked.accept_near_hits:
        raise Refusal(
            "factoring.near-hit", "something like this was financed before", same_amount=found.parties_number - 1,
            same_order=found.order_number - 1,
        )  # fmt: skip
    day = asked.today * 86_400_000
    exercised = ExerciseArguments(
        commands=(_command(ctx, asked, found.parties_number, found.order_number),), lower_ms=day,
        upper_ms=day + 86_400_000,
    )  # fmt: skip
    return await exercise(ctx, msgspec.msgpack.encode(exercised))


async def _lowest_free(ctx: Context, asked: TakeArguments) -> Looked:
    """The lowest free number of each looser fingerprint; a lender insists on it, so a number above 1 is its warning."""
    numbers = {"factoring.parties": 1, "factoring.order": 1}
    with ctx.step("Look at the fingerprints"):
        for _ in range(NUMBERS_MAX):
            command = _command(ctx, asked, numbers["factoring.parties"], numbers["factoring.order"])
            day = asked.today * 86_400_000
            seen = await claims_seen(ctx, (command,), lower_ms=day, upper_ms=day + 86_400_000)
            occupied = [claim for claim in seen if not claim.free]
            loose = [claim.family for claim in occupied if claim.family in numbers]
            if not loose:
                return Looked(numbers["factoring.parties"], numbers["factoring.order"], taken=_exact(occupied))
            for family in loose:
                numbers[family] += 1
    raise Refusal("factoring.near-hits", "too much like this was financed before", count_max=NUMBERS_MAX)


def _exact(occupied: list[ClaimSeen]) -> bool:
    return any(claim.family == "factoring.invoice" for claim in occupied)


def _command(ctx: Context, asked: TakeArguments, parties_number: int, order_number: int) -> ExerciseCommand:
    """The choice `take` with these numbers."""
    engine = ctx.services.books.engine
    code = engine.named("factoring.Offer")
    chosen = code.choices["take"]
    account = codec.decode(asked.account, Account)
    plain = [
        codec.plain(asked.exposure), codec.plain(asked.verification), codec.plain(asked.cash), codec.plain(account),
        parties_number, order_number, [asked.today],
    ]  # fmt: skip
    chosen.arguments_of(plain)
    return ExerciseCommand(ref=asked.offer, template=code.id, choice="take", arguments=plain)
