"""Where everything of a network lies on disk, and how a network and its firms are made.

    network.json            name, genesis of its solo notary, firms; public
    directory/              a signed entry for each of them: keys, certificates, where it listens; public
    authority/              certificate authority and registrar of this development network
    notary/                 key store, certificate, database of the solo notary
    cluster/                the validators of a notary cluster, where the network has one; others by their names
    firms/<name>/           key store, certificate, configuration, vault, control socket of one organisation

Every piece is written to a folder beside its place and moved there when it is whole, so nothing is half-made.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.signatures import PublicKey, Scheme, Signer
from interfirm.base.values import Value
from interfirm.node.directory.checks import sign_entry
from interfirm.node.directory.folder import publish
from interfirm.node.directory.types import Endpoint, Entry, Role
from interfirm.node.identity.authority import Authority, to_pem
from interfirm.node.identity.checks import certified
from interfirm.node.identity.keystore import KeyStore
from interfirm.node.identity.sealed import COST_DEVELOPMENT, write_atomically
from interfirm.node.identity.types import Subject
from interfirm.notary.machine import notary_id
from interfirm.notary.registry.machine import registration_bytes, revocation_bytes
from interfirm.notary.types import Genesis, Register, Revoke
from interfirm.runtime.configuration import written_configuration
from interfirm.runtime.files import FORMAT, read_description, written

if TYPE_CHECKING:
    from interfirm.runtime.cluster import ClusterLayout

HOST = "127.0.0.1"
SOLO, CLUSTER = "solo", "cluster"
DIRECTORY = "directory"
"""The folder of signed directory entries."""
_FOLDERS = ("authority", DIRECTORY, "firms", "notary")


class Member(Value, frozen=True):
    """One organisation as every node of the network knows it; `notary` marks the notary's own entry."""

    name: str
    slug: str
    registration: str
    identity: bytes
    key: PublicKey
    vrf: bytes
    host: str
    port: int
    registrar: bytes
    """The registrar's signature that enters it into the notary's registry."""
    own: bytes
    """The organisation's own signature over the same."""
    left_ms: int = 0
    """When it left the network; 0 for a member."""
    revocation: bytes = b""
    """The registrar's signature that ends its power to sign, once it left."""

    def registration_request(self, home: bytes) -> Register:
        """What enters this organisation into a notary's registry."""
        return Register(key=self.key, vrf=self.vrf, home=home, registrar=self.registrar, own=self.own)

    def revocation_request(self) -> Revoke:
        """What ends the power to sign, at each notary, of one that left."""
        return Revoke(identity=self.identity, registrar=self.revocation)


class NetworkFile(Value, frozen=True):
    """`network.json`."""

    format: int
    name: str
    genesis: Genesis
    notary: Member
    members: tuple[Member, ...]
    scenario_ms: int | None = None
    """Where a scenario's clock starts; None: the machine's clock."""
    modules: tuple[str, ...] = ()
    """Business modules beside the built-in ones, as importable package names."""
    notaries: tuple[str, ...] = ("solo",)
    """The notaries that run: `solo`, and clusters by name; new facts live at the first, which is every firm's home."""


class Home(Value, frozen=True):
    """The folder of one process: its files and where it is talked to."""

    folder: Path
    member: Member

    @property
    def keys_path(self) -> Path:
        """The encrypted key store."""
        return self.folder / "keys"

    @property
    def passphrase_path(self) -> Path:
        """The key store's passphrase, of a development network; elsewhere INTERFIRM_PASSPHRASE_FILE names one.

        Or a folder, with a file for each firm of a group.
        """
        given = Path(os.environ.get("INTERFIRM_PASSPHRASE_FILE", self.folder / "passphrase"))
        return given / self.member.slug if given.is_dir() else given

    @property
    def certificate_path(self) -> Path:
        """The certificate chain, PEM, node first."""
        return self.folder / "certificate.pem"

    @property
    def control_path(self) -> Path:
        """The control socket."""
        return self.folder / "control.sock"

    @property
    def configuration_path(self) -> Path:
        """How the process runs (see configuration.py)."""
        return self.folder / "node.toml"

    @property
    def log_path(self) -> Path:
        """The process's log."""
        return self.folder / "log.jsonl"

    @property
    def pid_path(self) -> Path:
        """The running process's number."""
        return self.folder / "pid"


_NOBODY = Member(
    name="", slug="", registration="", identity=b"", key=PublicKey(scheme=Scheme.ED25519, key=b""), vrf=b"", host="",
    port=0, registrar=b"", own=b"",
)  # fmt: skip
"""In the place of the solo notary until it is made."""


class _Made(Value, frozen=True):
    """What every member of a network is made with."""

    authority: Authority
    network: str
    genesis: Genesis
    home: bytes
    """The notary that decides the claims of those who are made."""
    at_ms: int


class NetworkLayout:
    """A network on disk."""

    def __init__(self, folder: Path, file: NetworkFile) -> None:
        self.folder = folder
        self.file = file

    @classmethod
    def open(cls, folder: Path) -> NetworkLayout:
        """The network in a folder; Refusal `network.missing`, `network.damaged` or `file.format`."""
        path = folder / "network.json"
        missing = Refusal(
            "network.missing", "there is no network here; `interfirm network new` makes one", folder=str(folder)
        )
        damaged = Refusal("network.damaged", "the network's file cannot be read", path=str(path))
        return cls(folder, read_description(path, NetworkFile, missing=missing, damaged=damaged))

    @property
    def notary(self) -> Home:
        """The notary's folder."""
        return Home(folder=self.folder / "notary", member=self.file.notary)

    @property
    def solo_id(self) -> bytes:
        """The id of the network's solo notary, whether or not it runs."""
        return notary_id(self.file.genesis)

    @property
    def clusters(self) -> dict[str, ClusterLayout]:
        """The network's notary clusters by name."""
        names = [name for name in self.file.notaries if name != SOLO]
        return {name: self.cluster(name) for name in names}

    def cluster(self, name: str) -> ClusterLayout:
        """The cluster of this name; Refusal `network.notary`."""
        if name == SOLO or name not in self.file.notaries:
            raise Refusal("network.notary", "the network has no such cluster", notary=name[:40],
                          notaries=list(self.file.notaries))  # fmt: skip
        from interfirm.runtime.cluster import ClusterLayout  # other networks do without

        return ClusterLayout.open(self.folder / name)

    @property
    def notaries(self) -> dict[bytes, str]:
        """The names of the notaries that run, by their ids, the one where new facts live first."""
        return {self._notary_id(name): name for name in self.file.notaries}

    def title(self, notary: str) -> str:
        """How people call a notary, by its name in the network."""
        return self.file.notary.name if notary == SOLO else f"{self.file.name} {notary}"

    @property
    def notary_id(self) -> bytes:
        """The id of the notary where new facts live."""
        return self._notary_id(self.file.notaries[0])

    def _notary_id(self, name: str) -> bytes:
        return self.solo_id if name == SOLO else self.cluster(name).notary_id

    @property
    def network_id(self) -> bytes:
        """The id of the network."""
        return self.file.genesis.network

    @property
    def authority_folder(self) -> Path:
        """Where the authority of a development network is kept."""
        return self.folder / "authority"

    @property
    def members(self) -> list[Member]:
        """The firms that have not left."""
        return [member for member in self.file.members if not member.left_ms]

    def homes(self) -> list[Home]:
        """The folder of the solo notary, where it runs, and every firm's."""
        firms = [self.home(member) for member in self.members]
        return [self.notary, *firms] if SOLO in self.file.notaries else firms

    def home(self, member: Member) -> Home:
        """The folder of a member."""
        return Home(folder=self.folder / "firms" / member.slug, member=member)

    def firm(self, name: str) -> Home:
        """The folder of the firm with this name (or part of it); the only one where there is one."""
        members = self.members
        if not name and len(members) == 1:
            return self.home(members[0])
        if not name:
            raise Refusal("firm.which", "say which firm with --as", firms=[m.slug for m in members])
        exact = [
            m for m in members if name.lower() in (m.slug, m.name.lower(), m.registration.lower(), m.identity.hex())
        ]
        found = exact or [m for m in members if m.slug.startswith(slug_of(name))]
        if len(found) != 1:
            raise Refusal(
                "firm.unknown", "there is no such firm, or several", firm=name, firms=[m.slug for m in members]
            )
        return self.home(found[0])

    def reload(self) -> None:
        """Read the file again, after somebody joined."""
        self.file = NetworkLayout.open(self.folder).file

    def save(self, file: NetworkFile) -> None:
        """Write `network.json`, whole or not at all."""
        self.file = file
        write_atomically(self.folder / "network.json", written(file), replace=True)

    def join(self, name: str, registration: str, *, at_ms: int) -> Home:
        """Add a firm: keys, certificate, registration; Refusal `firm.exists`."""
        known = {m.name.lower() for m in self.file.members} | {m.registration for m in self.file.members}
        if name.lower() in known or registration in known:
            raise Refusal("firm.exists", "a firm of this name or number is in the network", firm=name)
        slug = free_slug(name, {m.slug for m in self.file.members})
        authority = Authority.open(self.authority_folder, _passphrase(self.authority_folder))
        made = _Made(authority=authority, network=self.file.name, genesis=self.file.genesis, home=self.notary_id,
                     at_ms=at_ms)  # fmt: skip
        member = _make_member(self.folder, slug, (name, registration), made)
        self.save(self.file.replace(members=(*self.file.members, member)))
        return self.home(member)

    def add_notary(
        self, kind: str, *, name: str = "", validators: int = 7, scenario_ms: int | None = None
    ) -> None:  # fmt: skip
        """Give the network another notary, `solo`, or a `cluster` by a name; new facts go on to live at the first.

        `scenario_ms` is where a scenario's clock stands. Raises Refusal `network.notary` for one that it has or that
        there is not, and those of `new_network` for a cluster.
        """
        name = name or kind
        if kind not in (SOLO, CLUSTER) or (kind == SOLO) is not (name == SOLO) or name in self.file.notaries:
            raise Refusal("network.notary", "a network has a solo notary, clusters with a name each, or both",
                          notary=name[:40], notaries=list(self.file.notaries))  # fmt: skip
        if kind == CLUSTER:
            self._check_cluster_name(name)
            taken = [place.host for cluster in self.clusters.values() for place in cluster.places]
            _make_cluster(self.folder / name, self.file.name, self.file.genesis, validators, scenario_ms, taken)
        self.save(self.file.replace(notaries=(*self.file.notaries, name)))

    def _check_cluster_name(self, name: str) -> None:
        fits = re.fullmatch(r"[a-z][a-z0-9-]{0,31}", name) is not None
        if not fits or name in _FOLDERS or (self.folder / name).exists():
            raise Refusal("network.notary", "a cluster's name is a word in lower case that nothing else here has",
                          notary=name[:40], notaries=list(self.file.notaries))  # fmt: skip

    def leave(self, home: Home, *, at_ms: int) -> Member:
        """End a firm's membership: its certificate is revoked and the registrar ends its power to sign.

        Keys, vault and directory entry stay where they are: what it signed can be checked for ever.
        """
        self.revoke(home, at_ms=at_ms)
        message = revocation_bytes(self.network_id, home.member.identity)
        gone = home.member.replace(left_ms=max(1, at_ms), revocation=self.registrar().sign(message))
        members = tuple(gone if each.identity == gone.identity else each for each in self.file.members)
        self.save(self.file.replace(members=members))
        return gone

    def registrar(self) -> Signer:
        """The key that enters organisations, which a development network keeps beside it."""
        return Authority.open(self.authority_folder, _passphrase(self.authority_folder)).registrar

    def revoke(self, home: Home, *, at_ms: int) -> int:
        """Revoke a home's certificate for ever and publish the list; its serial number."""
        passphrase = _passphrase(self.authority_folder)
        authority = Authority.open(self.authority_folder, passphrase)
        serial = certified(read_chain(home)[0]).serial_number
        authority.revoke(self.authority_folder, passphrase, serial_number=serial, at_ms=at_ms, cost=COST_DEVELOPMENT)
        return serial


def read_chain(home: Home) -> tuple[bytes, ...]:
    """A home's certificates (DER, its own first); Refusal `certificate.missing`."""
    path = home.certificate_path
    try:
        chain = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        raise Refusal("certificate.missing", "the certificate cannot be read", path=str(path)) from error
    return tuple(each.public_bytes(Encoding.DER) for each in chain)


def new_network(
    folder: Path,
    firms: Iterable[tuple[str, str]],
    *,
    name: str,
    at_ms: int,
    scenario_ms: int | None = None,
    modules: tuple[str, ...] = (),
    notaries: tuple[str, ...] = (SOLO,),
    validators: int = 7,
) -> NetworkLayout:
    """A network with its notaries and firms of (legal name, registration number), in a folder that does not exist.

    Raises Refusal `network.exists`, `network.notary`, and `cluster.*`, `engine.*` where it has a cluster of so many
    validators; nothing is left behind by a failure.
    """
    if not notaries or len(set(notaries)) != len(notaries) or not set(notaries) <= {SOLO, CLUSTER}:
        raise Refusal("network.notary", "a network has a solo notary, a cluster, or both", notaries=list(notaries))
    if folder.exists() and any(folder.iterdir()):
        raise Refusal("network.exists", "there is something in this folder", folder=str(folder))
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.parent / f".{folder.name}.{secrets.token_hex(4)}"
    try:
        draft.mkdir(mode=0o700)
        plan = _Plan(name=name, at_ms=at_ms, scenario_ms=scenario_ms, modules=modules, notaries=notaries)
        _write_network(draft, list(firms), plan, validators)
        if folder.exists():
            folder.rmdir()
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return NetworkLayout.open(folder)


class _Plan(Value, frozen=True):
    """What a network is made of."""

    name: str
    at_ms: int
    scenario_ms: int | None
    modules: tuple[str, ...]
    notaries: tuple[str, ...]


def _write_network(folder: Path, firms: list[tuple[str, str]], plan: _Plan, validators: int) -> None:
    name, at_ms = plan.name, plan.at_ms
    passphrase = _new_passphrase(folder / "authority")
    authority = Authority.create(folder / "authority", passphrase, network=name, at_ms=at_ms, cost=COST_DEVELOPMENT)
    registrar = authority.registrar.public
    network = digest("network", name, authority.trust.root, codec.plain(registrar))
    store = _new_keys(folder / "notary")
    genesis = Genesis(network=network, registrar=registrar, key=store.public, label=f"{name} notary")
    if CLUSTER in plan.notaries:
        _make_cluster(folder / CLUSTER, name, genesis, validators, plan.scenario_ms)
    file = NetworkFile(
        format=FORMAT, name=name, genesis=genesis, notary=_NOBODY, members=(), scenario_ms=plan.scenario_ms,
        modules=plan.modules, notaries=plan.notaries,
    )  # fmt: skip
    home = NetworkLayout(folder, file).notary_id
    made = _Made(authority=authority, network=name, genesis=genesis, home=home, at_ms=at_ms)
    legal = (f"{name} notary", "NTREU-0000000001")
    notary = _member(folder, folder / "notary", store, "notary", legal, made)
    members = list[Member]()
    for firm in firms:
        slug = free_slug(firm[0], {m.slug for m in members})
        members.append(_make_member(folder, slug, firm, made))
    NetworkLayout(folder, file).save(file.replace(notary=notary, members=tuple(members)))


def _make_cluster(
    folder: Path, name: str, genesis: Genesis, validators: int, scenario_ms: int | None, taken: Iterable[str] = ()
) -> None:  # fmt: skip
    """A cluster in its place, which takes the word of the network's solo notary; on addresses that are not taken."""
    from interfirm.notary.cometbft.types import Neighbour
    from interfirm.runtime.cluster import free_first_address, new_cluster  # other networks do without

    solo = Neighbour(notary=notary_id(genesis), network=genesis.network, key=genesis.key)
    new_cluster(
        folder, network=genesis.network, registrar=genesis.registrar, label=f"{name} {folder.name}",
        validators=validators, neighbours=(solo,), scenario_ms=scenario_ms,
        first_address=free_first_address(validators, taken=set(taken)),
    )  # fmt: skip


def _make_member(folder: Path, slug: str, legal: tuple[str, str], made: _Made) -> Member:
    """A new organisation: its keys in `folder`, certified, entered and listed in the directory."""
    home = folder / "firms" / slug
    store = _new_keys(home)
    write_atomically(home / "node.toml", written_configuration(api_port=free_port()).encode(), replace=False)
    return _member(folder, home, store, slug, legal, made)


def _member(folder: Path, home: Path, store: KeyStore, slug: str, legal: tuple[str, str], made: _Made) -> Member:
    """Certify a key store and describe its owner, in the network's file and as a signed entry of the directory."""
    name, registration = legal
    request = store.request(made.network, Subject(legal_name=name, registration_id=_registered(registration)))
    chain = made.authority.issue(request, at_ms=made.at_ms)
    write_atomically(home / "certificate.pem", b"".join(to_pem(each) for each in chain), replace=False)
    entered = registration_bytes(made.genesis.network, store.public, store.vrf_public, made.home)
    member = Member(
        name=name, slug=slug, registration=registration, identity=store.identity, key=store.public,
        vrf=store.vrf_public, host=HOST, port=free_port(), registrar=made.authority.registrar.sign(entered),
        own=store.signer.sign(entered),
    )  # fmt: skip
    entry = Entry(
        network=made.network, identity=store.identity, public=store.public, rotations=store.rotations,
        vrf_public=store.vrf_public, legal_name=name, registration_id=_registered(registration),
        roles=(Role.NOTARY if slug == "notary" else Role.ORGANISATION,),
        endpoints=(Endpoint(host=member.host, port=member.port),), certificates=chain, serial=1,
    )  # fmt: skip
    publish(folder / DIRECTORY, sign_entry(entry, signer=store.signer, registrar=made.authority.registrar))
    return member


def _new_keys(home: Path) -> KeyStore:
    return KeyStore.create(home / "keys", _new_passphrase(home), cost=COST_DEVELOPMENT)


def _new_passphrase(home: Path) -> bytes:
    home.mkdir(mode=0o700, parents=True, exist_ok=False)
    passphrase = secrets.token_urlsafe(24).encode()
    path = home / "passphrase"
    path.touch(mode=0o600)
    path.write_bytes(passphrase)
    return passphrase


def _passphrase(home: Path) -> bytes:
    try:
        return (home / "passphrase").read_bytes()
    except OSError as error:
        raise Refusal("keystore.passphrase", "there is no passphrase file", path=str(home / "passphrase")) from error


def _registered(number: str) -> str:
    """A VAT number as certificates write registration numbers (ETSI EN 319 412-1, clause 5.1.4)."""
    return number if "-" in number else f"VAT{number[:2]}-{number[2:]}"


def slug_of(name: str) -> str:
    """The folder name of a legal name: its first word in lower case letters and digits."""
    return _words(name)[0]


def free_slug(name: str, taken: Iterable[str]) -> str:
    """The folder name of a legal name among others: as many of its words as tell it apart; Refusal `firm.exists`.

    Firms of one group often begin alike: `halden`, `halden-austria`.
    """
    others = {"notary", *taken}
    words = _words(name)
    found = next((slug for n in range(1, len(words) + 1) if (slug := "-".join(words[:n])) not in others), None)
    if found is None:
        raise Refusal("firm.exists", "a firm of this name is in the network", firm=name)
    return found


def _words(name: str) -> list[str]:
    words = [str(word) for word in re.findall(r"[a-z0-9]+", name.lower())]
    if not words:
        raise Refusal("firm.name", "a name has letters or digits", name=name)
    return words


def free_port() -> int:
    """A port that nobody listens on now, from the system's ephemeral range."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
