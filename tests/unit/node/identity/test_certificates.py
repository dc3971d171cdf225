from __future__ import annotations

import contextlib
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import example, given
from hypothesis import strategies as st

from interfirm.base.errors import Refusal
from interfirm.base.signatures import Ed25519Signer
from interfirm.node.identity import certificates, sealed
from interfirm.node.identity.authority import Authority, read_revocations, read_trust, to_pem
from interfirm.node.identity.certificates import NodeKeys, Period
from interfirm.node.identity.checks import (
    certified,
    check_rotations,
    parse,
    verify_chain,
    verify_revocations,
    verify_trusted,
)
from interfirm.node.identity.keystore import KeyStore, Secrets, check_unsplit
from interfirm.node.identity.sealed import COST_DEVELOPMENT
from interfirm.node.identity.types import Purpose, Subject, request_digest

NOW_MS = 1_800_000_000_000
DAY_MS = 86_400_000
SUBJECT = Subject(legal_name="Zonnebloem & Söhne N.V.", registration_id="VATBE-0987654394")
STORE = KeyStore(
    Secrets(signing_seed=b"\x01" * 32, vrf_seed=b"\x02" * 32, tls_seed=b"\x03" * 32, document_key=b"\x04" * 32)
)
AUTHORITY = Authority.generate("demo", at_ms=NOW_MS)
CHAIN = AUTHORITY.issue(STORE.request("demo", SUBJECT), at_ms=NOW_MS)
PERIOD = Period(not_before_ms=NOW_MS - DAY_MS, not_after_ms=NOW_MS + DAY_MS)
ROOT_KEY, NETWORK_KEY, LEAF_KEY = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (31, 32, 33))
ROOT = certificates.root_certificate(ROOT_KEY, network="demo", serial=1, period=PERIOD)
NETWORK = certificates.network_certificate(
    NETWORK_KEY.public_key(), ROOT, issuer_key=ROOT_KEY, network="demo", serial=2, period=PERIOD
)


def node(*, issuer: x509.Certificate = NETWORK, key: Ed25519PrivateKey = NETWORK_KEY, network: str = "demo") -> bytes:
    keys = NodeKeys(
        identity=b"\x01" * 32, signing_key_id=b"\x02" * 32, claims_key_id=b"\x03" * 32, tls_public=LEAF_KEY.public_key()
    )
    leaf = certificates.node_certificate(
        keys, SUBJECT, issuer, issuer_key=key, network=network, serial=3, period=PERIOD
    )
    return certificates.der(leaf)


def tweaked(
    certificate: x509.Certificate,
    *,
    without: type[x509.ExtensionType],
    plus: tuple[Any, bool] | None = None,
    key: Ed25519PrivateKey = NETWORK_KEY,
) -> bytes:
    """The certificate signed again, with one extension left out (if it has it) and another put in."""
    builder = x509.CertificateBuilder(
        issuer_name=certificate.issuer,
        subject_name=certificate.subject,
        public_key=certificate.public_key(),
        serial_number=certificate.serial_number,
        not_valid_before=certificate.not_valid_before_utc,
        not_valid_after=certificate.not_valid_after_utc,
    )
    for extension in certificate.extensions:
        if not isinstance(extension.value, without):
            builder = builder.add_extension(extension.value, extension.critical)
    if plus is not None:
        builder = builder.add_extension(*plus)
    return certificates.der(builder.sign(key, None))


def judged(leaf: bytes, *middle: bytes, at_ms: int = NOW_MS, anchor: x509.Certificate = ROOT, **more: Any) -> Any:
    arguments: dict[str, Any] = {"purpose": Purpose.SERVER, **more}
    return verify_chain(
        leaf, middle or (certificates.der(NETWORK),), certificates.der(anchor), at_ms=at_ms, **arguments
    )


def refused(*arguments: Any, **more: Any) -> str:
    with pytest.raises(Refusal) as caught:
        judged(*arguments, **more)
    return caught.value.code


@pytest.mark.parametrize("purpose", list(Purpose))
def test_a_certificate_proves_the_organisation_and_its_keys(purpose: Purpose) -> None:
    proof = verify_trusted(CHAIN[0], AUTHORITY.trust, at_ms=NOW_MS, purpose=purpose)
    assert proof.identity == STORE.identity == STORE.public.identity
    assert (proof.legal_name, proof.registration_id) == (SUBJECT.legal_name, SUBJECT.registration_id)
    assert check_unsplit(STORE, proof) is proof


def test_it_is_valid_in_its_first_and_in_its_last_second_alone() -> None:
    leaf = node()
    end = NOW_MS + DAY_MS
    assert judged(leaf, at_ms=NOW_MS - DAY_MS).serial_number == 3
    assert judged(leaf, at_ms=end + 999).serial_number == 3
    assert refused(leaf, at_ms=end + 1000) == "certificate.expired"
    assert refused(leaf, at_ms=NOW_MS - DAY_MS - 1) == "certificate.not-yet-valid"


@pytest.mark.parametrize("serial", [1, 2, 3])
def test_a_revoked_certificate_anywhere_in_the_chain_is_refused(serial: int) -> None:
    assert refused(node(), revoked={serial}) == "certificate.revoked"


def test_another_root_with_the_same_name_is_not_trusted() -> None:
    other = certificates.root_certificate(LEAF_KEY, network="demo", serial=1, period=PERIOD)
    assert refused(node(), anchor=other) == "certificate.untrusted"


def test_a_node_cannot_certify_another_node() -> None:
    issuer = parse(node())
    forged = node(issuer=issuer, key=LEAF_KEY)
    assert refused(forged, certificates.der(issuer), certificates.der(NETWORK)) == "certificate.constraints"


def test_an_authority_cannot_make_authorities_below_itself() -> None:
    below = certificates.network_certificate(
        LEAF_KEY.public_key(), NETWORK, issuer_key=NETWORK_KEY, network="demo", serial=9, period=PERIOD
    )
    forged = node(issuer=below, key=LEAF_KEY)
    assert refused(forged, certificates.der(below), certificates.der(NETWORK)) == "certificate.constraints"


def test_an_authority_cannot_name_subjects_of_another_network() -> None:
    assert refused(node(network="other")) == "certificate.constraints"


def test_a_certificate_of_another_network_under_the_same_root_is_refused() -> None:
    other = AUTHORITY.trust.replace(network="other")
    with pytest.raises(Refusal) as caught:
        verify_trusted(CHAIN[0], other, at_ms=NOW_MS, purpose=Purpose.SERVER)
    assert caught.value.code == "certificate.identity"


def test_an_authority_is_no_node() -> None:
    assert refused(certificates.der(NETWORK), certificates.der(NETWORK)) == "certificate.purpose"
    assert refused(certificates.der(ROOT)) == "certificate.purpose"


def test_each_purpose_must_be_named() -> None:
    only_client = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)
    leaf = tweaked(parse(node()), without=x509.ExtendedKeyUsage, plus=only_client)
    assert judged(leaf, purpose=Purpose.CLIENT).serial_number == 3
    assert refused(leaf, purpose=Purpose.SERVER) == "certificate.purpose"


@pytest.mark.parametrize("missing", [x509.ExtendedKeyUsage, x509.KeyUsage, x509.BasicConstraints])
def test_a_node_certificate_without_its_purpose_is_refused(missing: type[x509.ExtensionType]) -> None:
    assert refused(tweaked(parse(node()), without=missing)) == "certificate.purpose"


def test_a_certificate_that_names_no_identity_is_refused() -> None:
    assert refused(tweaked(parse(node()), without=x509.SubjectAlternativeName)) == "certificate.identity"


def test_a_certificate_that_names_two_identities_is_refused() -> None:
    names = parse(node()).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    two = [*names, x509.UniformResourceIdentifier(certificates.URN_IDENTITY + "ab" * 32)]
    leaf = tweaked(parse(node()), without=x509.SubjectAlternativeName, plus=(x509.SubjectAlternativeName(two), False))
    assert refused(leaf) == "certificate.identity"


def test_a_subject_that_names_another_identity_is_refused() -> None:
    names = [certificates.URN_IDENTITY, certificates.URN_SIGNING_KEY, certificates.URN_CLAIMS_KEY]
    other = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(prefix + "ab" * 32) for prefix in names])
    leaf = tweaked(parse(node()), without=x509.SubjectAlternativeName, plus=(other, False))
    assert refused(leaf) == "certificate.identity"


def test_a_critical_extension_nobody_knows_is_refused() -> None:
    unknown = (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)
    leaf = tweaked(parse(node()), without=x509.OCSPNoCheck, plus=unknown)
    assert refused(leaf) == "certificate.constraints"


@pytest.mark.parametrize("missing", [x509.KeyUsage, x509.BasicConstraints])
def test_an_issuer_that_is_no_authority_is_refused(missing: type[x509.ExtensionType]) -> None:
    weak = tweaked(NETWORK, without=missing, key=ROOT_KEY)
    assert refused(node(issuer=parse(weak)), weak) == "certificate.constraints"


def test_constraints_of_a_kind_that_is_not_judged_are_refused() -> None:
    excluded = x509.NameConstraints(None, [x509.DNSName("example.com")])
    odd = tweaked(NETWORK, without=x509.NameConstraints, plus=(excluded, True), key=ROOT_KEY)
    assert refused(node(issuer=parse(odd)), odd) == "certificate.constraints"


def test_a_key_of_another_kind_is_refused() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    leaf = parse(node())
    builder = x509.CertificateBuilder(
        issuer_name=leaf.issuer,
        subject_name=leaf.subject,
        public_key=key.public_key(),
        serial_number=3,
        not_valid_before=leaf.not_valid_before_utc,
        not_valid_after=leaf.not_valid_after_utc,
        extensions=list(leaf.extensions),
    )
    assert refused(certificates.der(builder.sign(NETWORK_KEY, None))) == "certificate.algorithm"
    weak_root = x509.CertificateBuilder(
        issuer_name=ROOT.subject,
        subject_name=ROOT.subject,
        public_key=key.public_key(),
        serial_number=1,
        not_valid_before=leaf.not_valid_before_utc,
        not_valid_after=leaf.not_valid_after_utc,
    ).sign(key, hashes.SHA256())
    assert refused(node(), anchor=weak_root) == "certificate.algorithm"


@given(st.binary(max_size=300) | st.just(bytes(20_000)))
def test_bytes_that_are_no_certificate_are_refused(data: bytes) -> None:
    assert refused(data) == "certificate.malformed"


@example(881, 1)
@example(56, 3)
@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_a_changed_byte_never_proves_anything_else(position: int, change: int) -> None:
    data = bytearray(CHAIN[0])
    data[position % len(data)] ^= change
    with contextlib.suppress(Refusal):  # not refused: a bit the issuer did not sign, as the count of spare bits
        proof = verify_trusted(bytes(data), AUTHORITY.trust, at_ms=NOW_MS, purpose=Purpose.SERVER)
        assert proof == certified(CHAIN[0])


def test_a_request_is_refused_when_any_part_of_it_was_changed() -> None:
    request = STORE.request("demo", SUBJECT)
    other = KeyStore(Secrets.generate())
    for changes, code in (
        ({"network": "other"}, "request.network"),
        ({"legal_name": "Someone Else"}, "request.signature"),
        ({"legal_name": " "}, "identity.name"),
        ({"registration_id": "BE0987"}, "identity.registration"),
        ({"identity": b"\x00" * 32}, "identity.rotation"),
        ({"vrf_public": b"\x00" * 32}, "request.signature"),
        ({"vrf_public": b""}, "request.malformed"),
        ({"tls_request": other.request("demo", SUBJECT).tls_request}, "request.signature"),
    ):
        with pytest.raises(Refusal) as caught:
            AUTHORITY.issue(request.replace(**changes), at_ms=NOW_MS)
        assert caught.value.code == code, changes


def test_a_rotated_key_keeps_its_identity_and_gets_a_new_certificate() -> None:
    rotated = STORE.rotated(b"\x77" * 32).rotated(b"\x78" * 32)
    assert rotated.identity == STORE.identity
    assert rotated.public != STORE.public
    leaf = AUTHORITY.issue(rotated.request("demo", SUBJECT), at_ms=NOW_MS)[0]
    assert certified(leaf).signing_key_id == rotated.public.identity
    with pytest.raises(Refusal, match=r"keystore\.split"):
        check_unsplit(STORE, certified(leaf))


def test_rotations_that_skip_swap_or_forge_are_refused() -> None:
    store = STORE.rotated(b"\x77" * 32).rotated(b"\x78" * 32)
    first, second = store.rotations
    check_rotations(store.identity, store.public, (first, second))
    thief = Ed25519Signer(b"\x99" * 32)
    forged = second.replace(new=thief.public)
    for public, rotations in (
        (store.public, (second,)),
        (store.public, (second, first)),
        (store.public, (first,)),
        (thief.public, (first, forged)),
        (thief.public, ()),
    ):
        with pytest.raises(Refusal) as caught:
            check_rotations(store.identity, public, rotations)
        assert caught.value.code == "identity.rotation"


def test_the_authority_is_found_again_in_its_folder_and_revokes(tmp_path: Path) -> None:
    made = Authority.create(tmp_path / "ca", b"pass", network="demo", at_ms=NOW_MS, cost=COST_DEVELOPMENT)
    chain = made.issue(STORE.request("demo", SUBJECT), at_ms=NOW_MS)
    trust = read_trust(tmp_path / "ca")
    assert trust == made.trust
    assert read_revocations(tmp_path / "ca", trust, at_ms=NOW_MS) == frozenset()
    serial = certified(chain[0]).serial_number
    again = Authority.open(tmp_path / "ca", b"pass")
    again.revoke(tmp_path / "ca", b"pass", serial_number=serial, at_ms=NOW_MS, cost=COST_DEVELOPMENT)
    assert read_revocations(tmp_path / "ca", trust, at_ms=NOW_MS) == {serial}
    assert Authority.open(tmp_path / "ca", b"pass").revocations(at_ms=NOW_MS)
    with pytest.raises(Refusal, match=r"keystore\.exists"):
        Authority.create(tmp_path / "ca", b"pass", network="demo", at_ms=NOW_MS, cost=COST_DEVELOPMENT)


def test_a_revocation_list_is_judged_before_it_is_believed() -> None:
    issuer = AUTHORITY.trust.authorities[0]
    data = AUTHORITY.revocations(at_ms=NOW_MS)
    assert verify_revocations(data, issuer, at_ms=NOW_MS) == frozenset()
    other = Authority.generate("demo", at_ms=NOW_MS).revocations(at_ms=NOW_MS)
    for listed, at_ms, code in (
        (other, NOW_MS, "revocations.untrusted"),
        (data, NOW_MS + 400 * DAY_MS, "revocations.stale"),
        (data, NOW_MS - 2 * DAY_MS, "revocations.stale"),
        (data[:-1], NOW_MS, "revocations.malformed"),
    ):
        with pytest.raises(Refusal) as caught:
            verify_revocations(listed, issuer, at_ms=at_ms)
        assert caught.value.code == code


def openssl_verify(folder: Path, *arguments: str) -> str:
    run = subprocess.run(
        ["openssl", "verify", "-x509_strict", "-CAfile", "root.pem", "-untrusted", "network.pem", *arguments, "n.pem"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout + run.stderr


@pytest.mark.parametrize("purpose", ["sslserver", "sslclient"])
def test_openssl_agrees_that_the_chain_is_good_now_and_expired_later(tmp_path: Path, purpose: str) -> None:
    for name, data in (("root", AUTHORITY.trust.root), ("network", CHAIN[1]), ("n", CHAIN[0])):
        (tmp_path / f"{name}.pem").write_bytes(to_pem(data))
    at = ["-attime", str(NOW_MS // 1000), "-purpose", purpose]
    assert "n.pem: OK" in openssl_verify(tmp_path, *at)
    end = int(datetime.fromtimestamp(certified(CHAIN[0]).not_after_ms // 1000, UTC).timestamp())
    assert "expired" in openssl_verify(tmp_path, "-attime", str(end + 1), "-purpose", purpose)


def test_openssl_agrees_on_revocation_and_on_foreign_subjects(tmp_path: Path) -> None:
    ca = tmp_path / "ca"
    made = Authority.create(ca, b"pass", network="demo", at_ms=NOW_MS, cost=COST_DEVELOPMENT)
    chain = made.issue(STORE.request("demo", SUBJECT), at_ms=NOW_MS)
    made.revoke(ca, b"p", serial_number=certified(chain[0]).serial_number, at_ms=NOW_MS, cost=COST_DEVELOPMENT)
    (ca / "n.pem").write_bytes(to_pem(chain[0]))
    crl = x509.load_der_x509_crl((ca / "revocations.crl").read_bytes())
    (ca / "crl.pem").write_bytes(crl.public_bytes(Encoding.PEM))
    at = ["-attime", str(NOW_MS // 1000)]
    assert "revoked" in openssl_verify(ca, *at, "-crl_check", "-CRLfile", "crl.pem")
    for name, data in (("root", certificates.der(ROOT)), ("network", certificates.der(NETWORK))):
        (ca / f"{name}.pem").write_bytes(to_pem(data))
    (ca / "n.pem").write_bytes(to_pem(node(network="other")))
    assert "permitted subtree" in openssl_verify(ca, *at)


def requested(tls_request: bytes) -> str:
    """What a request is refused for whose TLS part is another, all else being signed well."""
    request = STORE.request("demo", SUBJECT).replace(tls_request=tls_request)
    with pytest.raises(Refusal) as caught:
        AUTHORITY.issue(request.replace(signature=STORE.signer.sign(request_digest(request))), at_ms=NOW_MS)
    return caught.value.code


@given(st.binary(max_size=100))
def test_a_request_whose_tls_part_cannot_be_read_is_refused(data: bytes) -> None:
    assert requested(data) == "request.malformed"


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_a_request_whose_tls_part_was_changed_never_certifies_another_key(position: int, change: int) -> None:
    data = bytearray(STORE.request("demo", SUBJECT).tls_request)
    data[position % len(data)] ^= change
    request = STORE.request("demo", SUBJECT).replace(tls_request=bytes(data))
    request = request.replace(signature=STORE.signer.sign(request_digest(request)))
    with contextlib.suppress(Refusal):  # not refused: a bit the key did not sign, as the count of spare bits
        assert certified(AUTHORITY.issue(request, at_ms=NOW_MS)[0]).tls_public == STORE.tls_public


def test_a_request_for_a_tls_key_of_another_kind_is_refused() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    wish = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    assert requested(wish.public_bytes(Encoding.DER)) == "request.signature"


def test_an_authority_that_is_not_there_or_damaged_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"trust\.missing"):
        read_trust(tmp_path)
    with pytest.raises(Refusal, match=r"revocations\.missing"):
        read_revocations(tmp_path, AUTHORITY.trust, at_ms=NOW_MS)
    with pytest.raises(Refusal, match=r"keystore\.missing"):
        Authority.open(tmp_path, b"pass")
    (tmp_path / "trust.json").write_text("{}")
    with pytest.raises(Refusal, match=r"trust\.damaged"):
        read_trust(tmp_path)
    sealed.write(tmp_path / "authority.keys", b"\xc1", b"pass", public={}, cost=COST_DEVELOPMENT)
    with pytest.raises(Refusal, match=r"keystore\.damaged"):
        Authority.open(tmp_path, b"pass")


def test_a_network_has_a_plain_name() -> None:
    for name in ("", "Demo", "a b", "-a", "a" * 64):
        with pytest.raises(Refusal, match=r"identity\.network"):
            Authority.generate(name, at_ms=NOW_MS)
