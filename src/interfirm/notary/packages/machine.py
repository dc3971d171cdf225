"""The registry of approved packages: ids, with what people read of them. Code is nowhere near."""

from __future__ import annotations

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.values import Hash32, Wire
from interfirm.notary.governance.types import ApprovePackage
from interfirm.notary.state import PACKAGES, Overlay
from interfirm.notary.types import Store

_PLACE = b"place"


class Package(Wire, frozen=True):
    """A package that was approved: by which proposal, at which height; `revoked` is the height of its end, or 0."""

    package: Hash32
    name: str
    version: str
    about: str
    proposal: Hash32
    approved: int
    revoked: int = 0
    validated: tuple[str, ...] = ()


def approve(action: ApprovePackage, proposal: bytes, state: Overlay, height: int) -> None:
    """Approve a package, also one that was revoked; Refusal `package.approved` where it is."""
    known = package_of(action.package, state)
    if known is not None and not known.revoked:
        raise Refusal("package.approved", "the package is approved already", package=action.package)
    if known is None:
        count = count_of(state)
        state.put(PACKAGES, _place(count), action.package)
        state.put(PACKAGES, _PLACE, codec.encode_plain(count + 1))
    found = Package(
        package=action.package, name=action.name, version=action.version, about=action.about, proposal=proposal,
        approved=height, validated=action.validated,
    )  # fmt: skip
    state.put(PACKAGES, action.package, codec.encode(found))


def revoke(package: bytes, state: Overlay, height: int) -> None:
    """Approve a package no longer; Refusal `package.unknown` where it is not approved."""
    known = package_of(package, state)
    if known is None or known.revoked:
        raise Refusal("package.unknown", "the package is not approved", package=package)
    state.put(PACKAGES, package, codec.encode(known.replace(revoked=height)))


def check_approved(package: bytes, state: Store) -> Package:
    """The approved package of this id; Refusal `package.unknown`."""
    known = package_of(package, state)
    if known is None or known.revoked:
        raise Refusal("package.unknown", "the package is not approved", package=package)
    return known


def package_of(package: bytes, state: Store) -> Package | None:
    """What is known of a package, approved or revoked."""
    value = state.get(PACKAGES, package)
    return None if value is None else codec.decode(value, Package)


def count_of(state: Store) -> int:
    """How many packages were ever approved."""
    value = state.get(PACKAGES, _PLACE)
    return 0 if value is None else int(codec.decode_plain(value))


def page_of(first: int, count_max: int, state: Store) -> tuple[Package, ...]:
    """Packages in the order of their first approval, from a number on."""
    found = []
    for number in range(first, min(count_of(state), first + count_max)):
        package = package_of(state.get(PACKAGES, _place(number)) or b"", state)
        assert package is not None, "a place names a package"
        found.append(package)
    return tuple(found)


def _place(number: int) -> bytes:
    return _PLACE + number.to_bytes(8, "big")
