from __future__ import annotations

import json
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.signatures import Ed25519Signer, Signer
from interfirm.node.directory import folder as files
from interfirm.node.directory.checks import newer, sign_entry
from interfirm.node.directory.machine import as_plain, by_identity, by_name, by_registration, step, with_role
from interfirm.node.directory.types import Directory, Endpoint, Entry, HeardEntry, Role, SignedEntry, StoreEntry
from interfirm.node.identity.authority import Authority
from interfirm.node.identity.keystore import KeyStore, Secrets
from interfirm.node.identity.types import Subject

NOW_MS = 1_800_000_000_000
AUTHORITY = Authority.generate("demo", at_ms=NOW_MS)
EMPTY = Directory(network="demo", registrar=AUTHORITY.registrar.public)
ANNA, BERT = KeyStore(Secrets.generate()), KeyStore(Secrets.generate())
ROTATED = ANNA.rotated(b"\x01" * 32)


def signed(
    store: KeyStore = ANNA,
    *,
    name: str = "Anna NV",
    number: str = "VATBE-0987654394",
    signer: Signer | None = None,
    registrar: Signer = AUTHORITY.registrar,
    **changes: Any,
) -> SignedEntry:
    """A good entry of `store`, with some fields changed before it is signed."""
    entry = Entry(
        network="demo",
        identity=store.identity,
        public=store.public,
        rotations=store.rotations,
        vrf_public=store.vrf_public,
        legal_name=name,
        registration_id=number,
        roles=(Role.ORGANISATION,),
        endpoints=(Endpoint(host="127.0.0.1", port=10_001),),
        certificates=AUTHORITY.issue(
            store.request("demo", Subject(legal_name=name, registration_id=number)), at_ms=NOW_MS
        ),
        serial=1,
    )
    return sign_entry(entry.replace(**changes), signer=signer or store.signer, registrar=registrar)


def heard(*entries: SignedEntry, state: Directory = EMPTY) -> Directory:
    return reduce(lambda before, entry: step(before, HeardEntry(signed=entry))[0], entries, state)


def refused(entry: SignedEntry, state: Directory = EMPTY) -> str:
    with pytest.raises(Refusal) as caught:
        step(state, HeardEntry(signed=entry))
    return caught.value.code


BERTS = signed(BERT, name="Bert BV", number="VATNL-123456789B01", roles=(Role.ORGANISATION, Role.NOTARY))
FIRST = signed()


def test_a_good_entry_is_stored_and_found() -> None:
    state, effects = step(EMPTY, HeardEntry(signed=FIRST))
    assert effects == (StoreEntry(signed=FIRST),)
    state = heard(BERTS, state=state)
    assert by_identity(state, ANNA.identity) == FIRST.entry
    assert by_name(state, "anna nv") == FIRST.entry
    assert by_registration(state, "VATNL-123456789B01") == BERTS.entry
    assert with_role(state, Role.NOTARY) == [BERTS.entry]
    assert with_role(state, Role.ORGANISATION) == [FIRST.entry, BERTS.entry]


def test_an_entry_heard_again_changes_nothing() -> None:
    state = heard(FIRST)
    assert step(state, HeardEntry(signed=FIRST)) == (state, ())


def test_who_is_not_there_is_unknown() -> None:
    with pytest.raises(Refusal, match=r"directory\.unknown"):
        by_identity(EMPTY, bytes(32))
    with pytest.raises(Refusal, match=r"directory\.unknown"):
        by_name(heard(FIRST), "Anna")
    with pytest.raises(Refusal, match=r"directory\.unknown"):
        by_registration(heard(FIRST), "VATBE-0000000001")


def test_a_name_that_two_share_is_ambiguous() -> None:
    state = heard(FIRST, signed(BERT, name="Anna NV", number="VATNL-123456789B01"))
    with pytest.raises(Refusal, match=r"directory\.ambiguous.*VATBE-0987654394"):
        by_name(state, "Anna NV")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"network": "other"}, "directory.network"),
        ({"serial": 0}, "directory.entry"),
        ({"serial": 2**53}, "directory.entry"),
        ({"legal_name": " Anna NV"}, "directory.entry"),
        ({"registration_id": "nothing"}, "directory.entry"),
        ({"roles": ()}, "directory.entry"),
        ({"roles": (Role.NOTARY, Role.NOTARY)}, "directory.entry"),
        ({"endpoints": (Endpoint(host="here", port=0),)}, "directory.entry"),
        ({"endpoints": (Endpoint(host="", port=1),)}, "directory.entry"),
        ({"endpoints": (Endpoint(host="here", port=1),) * 9}, "directory.entry"),
        ({"certificates": ()}, "directory.entry"),
        ({"vrf_public": b"short"}, "directory.entry"),
        ({"identity": BERT.identity}, "directory.rotation"),
        ({"public": ROTATED.public, "signer": ROTATED.signer}, "directory.rotation"),
        ({"signer": BERT.signer}, "directory.signature"),
        ({"registrar": BERT.signer}, "directory.registrar"),
        ({"certificates": (b"no certificate",)}, "directory.certificate"),
        ({"certificates": BERTS.entry.certificates}, "directory.certificate"),
        ({"legal_name": "Somebody Else"}, "directory.certificate"),
        ({"registration_id": "VATBE-0000000001"}, "directory.certificate"),
        ({"vrf_public": BERT.vrf_public}, "directory.certificate"),
        ({"public": ROTATED.public, "rotations": ROTATED.rotations, "signer": ROTATED.signer}, "directory.certificate"),
    ],
)
def test_an_entry_that_breaks_one_rule_is_refused_for_it(changes: dict[str, Any], code: str) -> None:
    assert refused(signed(**changes)) == code


def test_a_signed_entry_cannot_be_changed_afterwards() -> None:
    moved = FIRST.entry.replace(endpoints=(Endpoint(host="elsewhere", port=1),))
    assert refused(FIRST.replace(entry=moved)) == "directory.signature"


def test_the_higher_serial_stands_whichever_comes_first() -> None:
    second = signed(serial=2, endpoints=(Endpoint(host="new.example", port=2),))
    assert heard(FIRST, second) == heard(second, FIRST) == heard(second)


def test_two_entries_with_one_serial_are_a_fork() -> None:
    other = signed(endpoints=(Endpoint(host="other.example", port=2),))
    assert refused(other, heard(FIRST)) == "directory.fork"


def test_one_entry_signed_twice_is_no_fork() -> None:
    assert newer(FIRST, FIRST.replace(signature=bytes(64))) is FIRST


def test_a_registration_number_belongs_to_one_identity() -> None:
    assert refused(signed(BERT, name="Bert BV"), heard(FIRST)) == "directory.taken"


def test_a_key_follows_only_from_the_one_before() -> None:
    rotated = signed(ROTATED, serial=2)
    state = heard(FIRST, rotated)
    assert by_identity(state, ANNA.identity).public == ROTATED.public
    assert refused(signed(ANNA, serial=3), state) == "directory.rotation"
    assert refused(signed(ANNA.rotated(b"\x02" * 32), serial=3), state) == "directory.rotation"
    again = ROTATED.rotated(b"\x03" * 32)
    assert by_identity(heard(signed(again, serial=4), state=state), ANNA.identity).public == again.public


def test_a_newcomer_believes_a_rotated_key_without_having_seen_the_first() -> None:
    state = heard(signed(ROTATED, serial=2))
    assert by_identity(state, ANNA.identity).public == ROTATED.public


def test_an_organisation_cannot_rotate_to_a_key_it_does_not_hold() -> None:
    thief = Ed25519Signer(b"\x66" * 32)
    assert refused(signed(ROTATED, serial=2, signer=thief)) == "directory.signature"


HISTORY = [FIRST, signed(serial=2, roles=(Role.NOTARY,)), signed(ROTATED, serial=3), BERTS]


@given(st.lists(st.sampled_from(HISTORY), max_size=6), st.permutations(HISTORY))
def test_any_order_and_repetition_ends_in_the_same_directory(some: list[SignedEntry], rest: list[SignedEntry]) -> None:
    assert heard(*some, *rest) == heard(*HISTORY)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_entry_are_refused(data: bytes) -> None:
    with pytest.raises(Refusal):
        codec.decode(data, SignedEntry)


def test_the_directory_is_shown_to_people_as_json() -> None:
    shown = json.loads(json.dumps(as_plain(heard(BERTS, FIRST))))
    assert [entry["legal_name"] for entry in shown] == ["Anna NV", "Bert BV"]
    assert shown[1]["roles"] == ["organisation", "notary"]
    assert shown[0]["endpoints"] == ["127.0.0.1:10001"]
    assert shown[0]["identity"] == ANNA.identity.hex()


def test_entries_are_found_again_in_a_folder(tmp_path: Path) -> None:
    second = signed(serial=2, roles=(Role.NOTARY,))
    for entry in (FIRST, BERTS, second):
        files.publish(tmp_path / "directory", entry)
    assert heard(*files.entries(tmp_path / "directory")) == heard(second, BERTS)
    assert files.entries(tmp_path / "nothing") == []


def test_a_damaged_file_in_the_folder_is_refused(tmp_path: Path) -> None:
    files.publish(tmp_path, FIRST)
    path = next(tmp_path.iterdir())
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Refusal, match=r"directory\.damaged"):
        files.entries(tmp_path)
