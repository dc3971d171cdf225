"""`notary`: what is decided about a notary by those who vote: parameters, votes, validators, upgrades, stops, fees."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.signatures import PublicKey, Scheme
from interfirm.cli import session
from interfirm.contracts.packages import Package as Bundle
from interfirm.contracts.packages import bundle
from interfirm.notary.fees.machine import Totals
from interfirm.notary.governance.metadata import Franchise, Governed, Parameter
from interfirm.notary.governance.types import (
    Action,
    AddVoter,
    ApprovePackage,
    CancelUpgrade,
    Change,
    Credit,
    PayOut,
    Proposal,
    RemoveVoter,
    Resume,
    RevokePackage,
    SetParameter,
    Stop,
    Threshold,
    Upgrade,
)
from interfirm.notary.packages.machine import Package
from interfirm.notary.types import Publish
from interfirm.runtime.cluster import ClusterLayout
from interfirm.runtime.cluster_govern import government
from interfirm.runtime.governing import Government, Voice, voice_in
from interfirm.runtime.layout import CLUSTER, SOLO, NetworkLayout
from interfirm.runtime.solo_govern import SoloGovernment

REGISTRAR = "registrar"
NAME_CHARS_MAX = 64
HOUR_MS = 3_600_000
PAYERS = ("nobody", "who asks", "the first signer")

C = TypeVar("C", Change, Parameter)
Folder = Annotated[
    Path | None,
    typer.Option("--folder", help="A notary of the network by name, or a cluster's folder; else `cluster`."),
]
By = Annotated[
    str,
    typer.Option("--by", help="Who signs: a firm of this network, `registrar`, or a folder with `keys`, `passphrase`."),
]
Hours = Annotated[int, typer.Option("--hours", min=1, help="How long it is voted on.")]
HOURS = 72


def folder_of(given: Path | None) -> Path:
    """The cluster's folder: the one given, or of the network's cluster of that name; `cluster` without any."""
    named = session.network_folder() / (given or CLUSTER)
    return (named if given is None or (not given.exists() and named.exists()) else given).resolve()


@contextmanager
def governing_in(folder: Path | None) -> Iterator[Government]:
    """The notary that is meant, while it is talked to; a solo one where it is named, or there is no cluster.

    Validators that showed what does not verify are named on standard error.
    """
    solo = _solo(folder)
    with nullcontext(SoloGovernment(solo)) if solo else government(ClusterLayout.open(folder_of(folder))) as found:
        try:
            yield found
        finally:
            for address, why in found.doubted.items():
                session.errors.print(f"[bold red]not believed[/] {address}: {why}", highlight=False)


def _solo(folder: Path | None) -> NetworkLayout | None:
    """The network whose solo notary is meant."""
    layout = _network()
    if layout is None or SOLO not in layout.file.notaries:
        return None
    if folder is None:
        return None if (folder_of(None) / "cluster.json").exists() else layout
    return layout if str(folder) == SOLO else None


# who is who ----------------------------------------------------------------------------------------------------------


def _network() -> NetworkLayout | None:
    try:
        return session.layout()
    except Refusal:
        return None


def voice_of(by: str) -> Voice:
    """The signer that `--by` names; the registrar of this development network where it names nobody."""
    if (Path(by) / "keys").is_file() and by:
        return voice_in(Path(by))
    layout = session.layout()
    if by in ("", REGISTRAR):
        registrar = layout.registrar()
        return Voice(signer=registrar, identity=registrar.public.identity)
    return voice_in(layout.firm(by).folder)


def names_of() -> dict[bytes, str]:
    """The short names of this network's firms and its registrar, where there is a network."""
    layout = _network()
    if layout is None:
        return {}
    found = {member.identity: member.slug for member in layout.file.members}
    return found | {layout.file.genesis.registrar.identity: REGISTRAR}


def name_of(identity: bytes, names: dict[bytes, str]) -> str:
    """How people call an organisation; the start of its identity where they do not."""
    return names.get(identity, identity.hex()[:16])


def identity_of(text: str) -> bytes:
    """An organisation by the short name of its firm, or its identity in hex; Refusal `firm.unknown`."""
    if len(text) == 64:
        try:
            return bytes.fromhex(text)
        except ValueError as error:
            raise Refusal("firm.unknown", "no identity is written so", identity=text) from error
    layout = session.layout()
    return layout.file.genesis.registrar.identity if text == REGISTRAR else layout.firm(text).member.identity


def key_of_voter(text: str) -> PublicKey:
    """A voter's first key: a firm of this network that has not rotated, or an Ed25519 key in hex."""
    if len(text) == 64:
        return PublicKey(scheme=Scheme.ED25519, key=bytes.fromhex(text))
    layout = session.layout()
    return layout.file.genesis.registrar if text == REGISTRAR else layout.firm(text).member.key


# looking -------------------------------------------------------------------------------------------------------------


def shown_parameters(
    name: Annotated[str, typer.Argument(help="A part of the name; all without one.")] = "",
    folder: Folder = None,
    history: Annotated[bool, typer.Option("--history", help="Who changed what, and when.")] = False,
) -> None:
    """Show the notary's parameters with their bounds, or the history of their changes and who decided them."""
    with governing_in(folder) as governing:
        if history:
            changes = _called(governing.pages("changes", Change), name)
            session.show(codec.plain(changes) and [_change(each) for each in changes], _history)
            return
        found = _called(governing.parameters(), name)
    session.show([struct(each) for each in found], lambda rows: _parameters(rows, full=bool(name)))


def struct(value: Any) -> dict[str, Any]:
    """A value's fields by name, for programs; bytes in hex."""
    return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if hasattr(value, "__struct_fields__"):
        tag = value.__struct_config__.tag
        return ({"action": tag} if isinstance(tag, str) else {}) | struct(value)
    return value


def _called(found: Iterable[C], name: str) -> list[C]:
    """Those of exactly this name, or those in whose names it stands."""
    every = list(found)
    return [each for each in every if each.name == name] or [each for each in every if name in each.name]


def _parameters(rows: list[dict[str, Any]], *, full: bool) -> Any:
    changed = [each for each in rows if full or each["value"] != each["default"] or each["coming"] != each["value"]]
    return session.table_of(
        "Parameters" if full else f"Parameters that differ from the software's own ({len(rows)} in all; name one)",
        ["Name", "Value", "Next epoch", "Default", "Least", "Greatest", "Decided as", "Judged by the notary"],
        [
            [each["name"], each["value"], each["coming"], each["default"], each["low"], each["high"], each["kind"],
             "yes" if each["judged"] else "agreed among members"]
            for each in changed
        ],
        empty="all parameters are as the software has them; `interfirm notary parameters NAME` shows some of them",
    )  # fmt: skip


def _change(change: Change) -> dict[str, Any]:
    names = names_of()
    return struct(change) | {
        "proposer": name_of(change.proposer, names), "accepted": [name_of(each, names) for each in change.accepted],
    }  # fmt: skip


def _history(rows: list[dict[str, Any]]) -> Any:
    return session.table_of(
        "Changes of parameters",
        ["Parameter", "Before", "After", "Proposed by", "Accepted by", "Height", "In force from"],
        [
            [each["name"], each["before"], each["after"], each["proposer"], ", ".join(each["accepted"]),
             each["decided"], each["effective"]]
            for each in rows
        ],
        empty="no parameter was ever changed",
    )  # fmt: skip


def proposals(
    proposal: Annotated[str, typer.Argument(help="The start of a proposal's id; all without one.")] = "",
    folder: Folder = None,
) -> None:
    """Show what was proposed, what became of it, and who voted how."""
    with governing_in(folder) as governing:
        found = [governing.proposal(proposal)] if proposal else governing.pages("proposals", Proposal)
    session.show([_proposal(each) for each in found], _proposals)


def _proposal(found: Proposal) -> dict[str, Any]:
    names = names_of()
    return struct(found) | {
        "proposer": name_of(found.proposer, names),
        "ballots": {name_of(each.voter, names): each.accepts for each in found.ballots},
        "expires": str(found.expires),
    }


def _proposals(rows: list[dict[str, Any]]) -> Any:
    return session.table_of(
        "Proposals",
        ["Id", "Proposes", "By", "Status", "For", "Against", "Ends"],
        [
            [each["id"][:12], "; ".join(_words(action) for action in each["actions"]), each["proposer"],
             each["status"] + (f" ({each['why']})" if each["why"] else ""),
             ", ".join(who for who, yes in each["ballots"].items() if yes),
             ", ".join(who for who, yes in each["ballots"].items() if not yes), each["expires"]]
            for each in rows
        ],
        empty="nothing was proposed yet",
    )  # fmt: skip


def _words(action: dict[str, Any]) -> str:
    rest = " ".join(f"{name}={str(value)[:24]}" for name, value in action.items() if name != "action")
    return f"{action['action']} {rest}".strip()


def voters(folder: Folder = None) -> None:
    """Show who votes, and how many votes each kind of decision takes."""
    with governing_in(folder) as governing:
        found = governing.asked("voters", Franchise)
        said = governing.asked("governance", Governed)
    names = names_of()
    session.show(
        {
            "voters": [{"name": name_of(each.id, names), "identity": each.id.hex()} for each in found.voters],
            "thresholds": {each.kind: f"more than {each.numerator}/{each.denominator}" for each in found.thresholds},
            **struct(said),
        },
        lambda d: session.table_of(
            f"{len(d['voters'])} voters: {', '.join(each['name'] for each in d['voters'])}; epoch {d['epoch']}, the"
            f" next from height {d['next_epoch']}" + ("; [red]stopped[/]" if d["stopped"] else ""),
            ["Decision", "Takes"], [[kind, share] for kind, share in d["thresholds"].items()], empty="nobody votes",
        ),
    )  # fmt: skip


def validators(folder: Folder = None) -> None:
    """Show the validators, their power, operators and bonds."""
    with governing_in(folder) as governing:
        found = [(each, governing.machine(each.key)) for each in governing.members()]
    names = names_of()
    rows = [struct(each) | {"operator": name_of(each.operator, names), "machine": name} for each, name in found]
    session.show(
        rows,
        lambda rows: session.table_of(
            "Validators",
            ["Machine", "Key", "Power", "Operator", "Bond", "Since height", "Bond locked until epoch"],
            [[r["machine"] or "elsewhere", r["key"][:16], r["power"] or "left", r["operator"], r["bond"], r["since"],
              r["until"] or ""] for r in rows],
            empty="no validators",
        ),
    )  # fmt: skip


def packages(folder: Folder = None) -> None:
    """Show the packages of templates that the voters approved."""
    with governing_in(folder) as governing:
        found = governing.pages("packages", Package)
    session.show(
        [struct(each) for each in found],
        lambda rows: session.table_of(
            "Packages", ["Id", "Name", "Version", "About", "Approved at", "Revoked at"],
            [[r["package"][:16], r["name"], r["version"], r["about"], r["approved"], r["revoked"] or ""] for r in rows],
            empty="no package is approved",
        ),
    )  # fmt: skip


def fees(
    organisation: Annotated[
        list[str] | None, typer.Argument(help="Firms (or identities) whose accounts to show.")
    ] = None,
    folder: Folder = None,
) -> None:
    """Show what requests cost, who pays, what was paid in, and accounts; `propose --set fee_...` changes prices."""
    names = names_of()
    wanted = [identity_of(each) for each in organisation or ()] or list(names)
    with governing_in(folder) as governing:
        prices = {each.name: each.value for each in governing.parameters() if each.name.startswith("fee_")}
        totals = governing.asked("fees", Totals)
        accounts = {name_of(each, names): int(governing.said("account", each).answer) for each in wanted}
    payer = PAYERS[prices.pop("fee_payer")]
    session.show(
        {"payer": payer, "prices": prices, "totals": struct(totals), "accounts": accounts},
        lambda d: session.table_of(
            f"Fees are paid by {payer}; paid in {totals.issued}, burned {totals.burned}, paid out {totals.paid_out}, in"
            f" the pot {totals.pot}",
            ["What", "Units"],
            [[name, value] for name, value in prices.items() if value]
            + [[f"account of {name}", value] for name, value in accounts.items()],
            empty="nothing costs anything",
        ),
    )  # fmt: skip


# deciding ------------------------------------------------------------------------------------------------------------


def propose(
    parameter: Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE of a parameter.")] = None,
    approve: Annotated[list[str] | None, typer.Option(help="ID:NAME:VERSION of a package to approve.")] = None,
    revoke: Annotated[list[str] | None, typer.Option(help="Id of a package to approve no longer.")] = None,
    add_voter: Annotated[list[str] | None, typer.Option(help="A firm, or its first key in hex.")] = None,
    remove_voter: Annotated[list[str] | None, typer.Option(help="A firm, or its identity in hex.")] = None,
    threshold: Annotated[list[str] | None, typer.Option(help="KIND=N/D: more than this share decides.")] = None,
    credit: Annotated[list[str] | None, typer.Option(help="FIRM=UNITS: it paid in so much.")] = None,
    pay_out: Annotated[list[str] | None, typer.Option(help="FIRM=UNITS: it gets back so much.")] = None,
    by: By = "",
    hours: Hours = HOURS,
    folder: Folder = None,
) -> None:
    """Propose changes, all or none; the proposer's ballot is the first."""
    actions: list[Action] = [SetParameter(name=name, value=_number(value)) for name, value in _pairs(parameter)]
    for text in approve or ():
        name, _, rest = text.partition(":")
        label, _, version = rest.partition(":")
        if not label or not version:
            raise typer.BadParameter("a package is written ID:NAME:VERSION")
        actions.append(ApprovePackage(package=_hash(name), name=label, version=version))
    actions += [RevokePackage(package=_hash(text)) for text in revoke or ()]
    actions += [AddVoter(key=key_of_voter(text)) for text in add_voter or ()]
    actions += [RemoveVoter(voter=identity_of(text)) for text in remove_voter or ()]
    for kind, share in _pairs(threshold):
        numerator, _, denominator = share.partition("/")
        actions.append(Threshold(kind=kind, numerator=_number(numerator), denominator=_number(denominator)))
    actions += [Credit(organisation=identity_of(who), units=_number(units)) for who, units in _pairs(credit)]
    actions += [PayOut(organisation=identity_of(who), units=_number(units)) for who, units in _pairs(pay_out)]
    if not actions:
        raise typer.BadParameter("say what is to change: --set NAME=VALUE, --add-voter FIRM ...")
    put(tuple(actions), by, hours, folder)


def put(actions: tuple[Action, ...], by: str, hours: int, folder: Path | None) -> None:
    """Propose, and tell what became of it."""
    voice = voice_of(by)
    with governing_in(folder) as governing:
        found = governing.propose(actions, voice, life_ms=hours * HOUR_MS)
    tell(found)


def tell(found: Proposal) -> None:
    """Show a proposal in one line."""
    session.show(_proposal(found), lambda d: f"proposal [bold]{d['id'][:12]}[/]: {_fate(d)}")


def _fate(shown: dict[str, Any]) -> str:
    if shown["status"] == "open":
        return f"open; `interfirm notary vote {shown['id'][:12]} --by FIRM` decides it"
    return str(shown["status"]) + (f" ({shown['why']})" if shown["why"] else "")


def _pairs(texts: list[str] | None) -> list[tuple[str, str]]:
    pairs = [text.partition("=") for text in texts or ()]
    if any(not name or not value for name, _, value in pairs):
        raise typer.BadParameter("written NAME=VALUE")
    return [(name, value) for name, _, value in pairs]


def _number(text: str) -> int:
    try:
        return int(text.replace("_", ""))
    except ValueError as error:
        raise typer.BadParameter(f"not a whole number: {text}") from error


def _hash(text: str) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != 32:
        raise typer.BadParameter(f"an id has 64 hexadecimal digits: {text}")
    return found


def publish(
    module: Annotated[str, typer.Argument(help="A contract module as Python imports it.")],
    approve: Annotated[bool, typer.Option("--approve", help="Propose to approve them first.")] = False,
    validated: Annotated[
        list[str] | None, typer.Option(help="With --approve: a template that is used in re-executed transactions only.")
    ] = None,
    by: By = "",
    hours: Hours = HOURS,
    folder: Folder = None,
) -> None:
    """Bring the source of approved packages to the cluster, which re-executes by it; --approve proposes them first."""
    try:
        found = bundle(importlib.import_module(module))
    except ImportError as error:
        raise Refusal("package.missing", "there is no such module", module=module, reason=str(error)) from error
    if approve:
        put(tuple(_approval(each, tuple(validated or ())) for each in found), by, hours, folder)
        return
    voice = voice_of(by)
    with governing_in(folder) as governing:
        for each in found:
            governing.send(Publish(package=each), voice)
    session.show(
        [{"package": each.id.hex(), "name": each.name} for each in found],
        lambda rows: "published: " + ", ".join(row["name"] for row in rows),
    )


def _approval(package: Bundle, validated: tuple[str, ...]) -> ApprovePackage:
    own = tuple(name for name in validated if any(f"class {name}(" in text for text in package.modules.values()))
    return ApprovePackage(
        package=package.id, name=package.name[-NAME_CHARS_MAX:], version=str(package.language), validated=own
    )


def vote(
    proposal: Annotated[str, typer.Argument(help="The start of the proposal's id.")],
    by: By = "",
    against: Annotated[bool, typer.Option("--no", help="Vote against it.")] = False,
    folder: Folder = None,
) -> None:
    """Vote on a proposal; a later ballot takes the place of an earlier one."""
    voice = voice_of(by)
    with governing_in(folder) as governing:
        found = governing.vote(governing.proposal(proposal), voice, accepts=not against)
    tell(found)


def retract(
    proposal: Annotated[str, typer.Argument(help="The start of the proposal's id.")],
    by: By = "",
    folder: Folder = None,
) -> None:
    """Take one's own proposal back."""
    voice = voice_of(by)
    with governing_in(folder) as governing:
        found = governing.retract(governing.proposal(proposal), voice)
    tell(found)


def stop(
    reason: Annotated[str, typer.Argument(help="What people read.")] = "",
    by: By = "",
    hours: Hours = HOURS,
    folder: Folder = None,
) -> None:
    """Propose to stop everything but governance and questions; more than a third of the voters decide."""
    put((Stop(reason=reason),), by, hours, folder)


def resume(by: By = "", hours: Hours = HOURS, folder: Folder = None) -> None:
    """Propose to end a stop."""
    put((Resume(),), by, hours, folder)


def upgrade(
    name: Annotated[str, typer.Argument(help="The upgrade's name.")],
    version: Annotated[int, typer.Option(min=0, help="The version of the rules.")] = 0,
    height: Annotated[int, typer.Option(min=0, help="The height from which they are in force.")] = 0,
    cancel: Annotated[bool, typer.Option("--cancel", help="Propose that it does not come.")] = False,
    by: By = "",
    hours: Hours = HOURS,
    folder: Folder = None,
) -> None:
    """Propose rules of another version from a height on; software without them stops there and says so."""
    if not cancel and not (version and height):
        raise typer.BadParameter("an upgrade has a --version and a --height")
    action = CancelUpgrade(name=name) if cancel else Upgrade(name=name, version=version, height=height)
    put((action,), by, hours, folder)


COMMANDS: dict[str, Callable[..., None]] = {
    "parameters": shown_parameters, "proposals": proposals, "voters": voters, "validators": validators,
    "packages": packages, "publish": publish, "fees": fees, "propose": propose, "vote": vote, "retract": retract,
    "stop": stop, "resume": resume, "upgrade": upgrade,
}  # fmt: skip
"""What `interfirm notary` has of governance, by name."""
