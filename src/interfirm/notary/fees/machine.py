"""Accounts, fees and where they go. All amounts are integers, and none is lost: see `Totals`.

An organisation's account is what it paid in and was not yet taken. A fee goes into the pot; at the end of an epoch a
part of the pot is burned and the rest given to those who run the notary, by their power.
"""

from __future__ import annotations

from collections.abc import Sequence

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.values import Wire
from interfirm.notary.governance.parameters import CHARGED, FIRST_SIGNER, MILLION, NOBODY, Parameters
from interfirm.notary.governance.types import Number
from interfirm.notary.state import FEES, Overlay
from interfirm.notary.types import Lock, Notarise, NotariseWhole, Request, Reserve, Store, Withdraw

TOTALS = b"totals"
ISSUED_MAX = 2**62
"""The most that can be paid in before nothing more is taken; far from any sum of 63 bits."""
_KINDS = frozenset(CHARGED)
_PRICES = (*(f"fee_{kind}_units" for kind in CHARGED), "fee_refused_units")


class Totals(Wire, frozen=True):
    """What was ever paid in, burned and paid out, and what lies in the pot.

    At any time: issued = burned + paid_out + pot + all accounts + all bonds.
    """

    issued: Number = 0
    burned: Number = 0
    paid_out: Number = 0
    pot: Number = 0


def totals_of(state: Store) -> Totals:
    """The totals."""
    value = state.get(FEES, TOTALS)
    return Totals() if value is None else codec.decode(value, Totals)


def account_of(organisation: bytes, state: Store) -> int:
    """What an organisation has to pay fees with."""
    value = state.get(FEES, organisation)
    return 0 if value is None else int(codec.decode_plain(value))


def credit(organisation: bytes, units: int, state: Overlay) -> None:
    """An organisation paid in; Refusal `fee.issued` beyond what can be counted."""
    totals = totals_of(state)
    if totals.issued + units > ISSUED_MAX:
        raise Refusal("fee.issued", "more was paid in than can be counted", issued=totals.issued, units=units)
    put(organisation, units, state)
    _put_totals(totals.replace(issued=totals.issued + units), state)


def pay_out(organisation: bytes, units: int, state: Overlay) -> None:
    """An organisation gets back what it has not used; Refusal `fee.unpaid`."""
    take(organisation, units, state)
    totals = totals_of(state)
    _put_totals(totals.replace(paid_out=totals.paid_out + units), state)


def burn(units: int, state: Overlay) -> None:
    """Units that were taken from somewhere are gone for good."""
    totals = totals_of(state)
    _put_totals(totals.replace(burned=totals.burned + units), state)


def take(organisation: bytes, units: int, state: Overlay) -> None:
    """Take units out of an account, to be put elsewhere; Refusal `fee.unpaid` where there are not so many."""
    if not units:
        return
    there = account_of(organisation, state)
    if there < units:
        raise Refusal("fee.unpaid", "the account does not hold so much", organisation=organisation, units=units,
                      there=there)  # fmt: skip
    _put_account(organisation, there - units, state)


def put(organisation: bytes, units: int, state: Overlay) -> None:
    """Put units that were taken from elsewhere into an account."""
    _put_account(organisation, account_of(organisation, state) + units, state)


def is_charged(parameters: Parameters) -> bool:
    """Whether any request costs anything."""
    return parameters["fee_payer"] != NOBODY and any(parameters[name] for name in _PRICES)


def charge(request: Request, requester: bytes, parameters: Parameters, state: Overlay) -> None:
    """Take the fee for a request that had an effect, or was a question; Refusal `fee.unpaid`."""
    kind = str(request.__struct_config__.tag)
    units = parameters[f"fee_{kind}_units"] if kind in _KINDS else 0
    if units:
        by_signer = parameters["fee_payer"] == FIRST_SIGNER
        _pay(_first_signer(request, requester) if by_signer else requester, units, state)


def charge_refused(request: Request, requester: bytes, parameters: Parameters, state: Overlay) -> None:
    """Take what a refused request costs, or what is there of it: the requester pays, for nobody else agreed to it."""
    if request.__struct_config__.tag in _KINDS:
        units = min(parameters["fee_refused_units"], account_of(requester, state))
        if units:
            _pay(requester, units, state)


def _pay(organisation: bytes, units: int, state: Overlay) -> None:
    take(organisation, units, state)
    totals = totals_of(state)
    _put_totals(totals.replace(pot=totals.pot + units), state)


def _first_signer(request: Request, requester: bytes) -> bytes:
    match request:
        case Notarise():
            return request.lines[0].line.identity
        case NotariseWhole():
            return request.notarise.lines[0].line.identity
        case Lock():
            return request.signatures[0].identity if request.signatures else requester
        case Withdraw() | Reserve():
            return request.signature.identity
    return requester


def distribute(shares: Sequence[tuple[bytes, int]], burned_ppm: int, state: Overlay) -> None:
    """Empty the pot at the end of an epoch: a part is burned, the rest goes to (organisation, power) by power.

    Everybody gets the whole units of its share; what is left over waits for the next epoch.
    """
    totals, power = totals_of(state), sum(each for _, each in shares)
    if not totals.pot or not power:
        return
    burned = totals.pot * burned_ppm // MILLION
    rest = left = totals.pot - burned
    for organisation, each in shares:
        units = rest * each // power
        left -= units
        if units:
            put(organisation, units, state)
    _put_totals(totals.replace(burned=totals.burned + burned, pot=left), state)


def _put_totals(totals: Totals, state: Overlay) -> None:
    state.put(FEES, TOTALS, codec.encode(totals))


def _put_account(organisation: bytes, units: int, state: Overlay) -> None:
    state.put(FEES, organisation, codec.encode_plain(units) if units else None)
