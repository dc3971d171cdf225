"""The lies of a dishonest builder, one function each: in the forest before it is hashed, or in what is sent after.

A lie takes the forgery and a random generator and returns whether it found something to lie about.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from interfirm.base.hashing import digest
from interfirm.base.money import Money
from interfirm.base.time import Window
from interfirm.contracts import interpreter
from interfirm.contracts.types import Action, Confirmers, ContractRef, Create, Exercise, walk
from interfirm.ledger import tree
from interfirm.ledger.authority import highest, scope_of
from interfirm.ledger.types import ConsumeEntry, CreateEntry, Disclosure, FetchEntry, Line, UseEntry

from .forgery import Forgery, changed, fetch_of, made_of, reindexed
from .ledger import ENGINE, HOUR_MS
from .parties import party

Lie = Callable[[Forgery, Random], bool]
LIARS = tuple(party(name).id for name in ("mallory", "trudy"))


def _creates(f: Forgery) -> list[Create]:
    return [action for action in walk(tuple(f.actions)) if isinstance(action, Create)]


def _exercises(f: Forgery) -> list[Exercise]:
    return [action for action in walk(tuple(f.actions)) if isinstance(action, Exercise)]


def _anybody(f: Forgery, rng: Random) -> bytes:
    return rng.choice(sorted(f.network.members))


def _other_contract(f: Forgery, rng: Random) -> Create:
    """A contract of somebody else's making, as it would be made again."""
    held = rng.choice(list(f.network.disclosures.values()))
    return interpreter.describe(ENGINE, held.template, held.payload, index=10_000)


# in the forest ----------------------------------------------------------------------------------------------------


def changed_payload(f: Forgery, rng: Random) -> bool:
    """A contract is made with another amount or another party than the choice makes it with."""
    made = _creates(f)
    if not made:
        return False
    action = rng.choice(made)
    fields = list(ENGINE.template(action.template).cls.__struct_fields__)
    chosen: dict[str, object] = {}
    for name in rng.sample(fields, len(fields)):
        value = action.payload[fields.index(name)]
        if isinstance(value, list) and len(value) == 2 and isinstance(value[0], int) and isinstance(value[1], str):
            chosen[name] = Money(value[0] * 10, value[1])
            break
        if isinstance(value, list) and len(value) == 1 and isinstance(value[0], bytes):
            kind = type(getattr(ENGINE.template(action.template).read(action.payload, None), name))
            chosen[name] = kind(_anybody(f, rng))
            break
    if not chosen:
        return False
    f.actions = changed(f.actions, action.index, lambda old: [made_of(old, old.index, **chosen)])
    return True


def extra_root(f: Forgery, rng: Random) -> bool:
    """A contract is made at the top without anybody's leave."""
    if not f.network.disclosures:
        return False
    f.actions.insert(rng.choice((0, len(f.actions))), _other_contract(f, rng))
    return True


def extra_child(f: Forgery, rng: Random) -> bool:
    """A choice does something besides what it does."""
    found = _exercises(f)
    if not found or not f.network.disclosures:
        return False
    index = rng.choice(found).index
    extra = _other_contract(f, rng)
    f.actions = changed(f.actions, index, lambda old: [old.replace(children=(*old.children, extra))])
    return True


def dropped_child(f: Forgery, rng: Random) -> bool:
    """A choice leaves out a part of what it does."""
    found = [action for action in _exercises(f) if action.children]
    if not found:
        return False
    chosen = rng.choice(found)
    left = list(chosen.children)
    left.pop(rng.randrange(len(left)))
    f.actions = changed(f.actions, chosen.index, lambda old: [old.replace(children=tuple(left))])
    return True


def doubled_action(f: Forgery, rng: Random) -> bool:
    """An action happens twice."""
    chosen = rng.choice(walk(tuple(f.actions)))
    f.actions = changed(f.actions, chosen.index, lambda old: [old, old.replace(index=20_000)])
    return True


def swapped_roots(f: Forgery, rng: Random) -> bool:
    """The top actions come in another order."""
    if len(f.actions) < 2:
        return False
    f.actions.reverse()
    return True


def flipped_kind(f: Forgery, rng: Random) -> bool:
    """A consuming choice claims not to be, or the other way round."""
    found = _exercises(f)
    if not found:
        return False
    index = rng.choice(found).index
    f.actions = changed(f.actions, index, lambda old: [old.replace(consuming=not old.consuming)])
    return True


def read_instead(f: Forgery, rng: Random) -> bool:
    """A choice claims to be a read."""
    found = [action for action in _exercises(f) if not action.children]
    if not found:
        return False
    f.actions = changed(f.actions, rng.choice(found).index, lambda old: [fetch_of(old)])
    return True


def other_target(f: Forgery, rng: Random) -> bool:
    """An action is done to another contract of the same template."""
    found = [action for action in walk(tuple(f.actions)) if not isinstance(action, Create)]
    if not found:
        return False
    chosen = rng.choice(found)
    others = [ref for ref, held in f.network.disclosures.items() if held.template == chosen.template]
    if not others:
        return False
    ref = rng.choice(others)
    f.actions = changed(f.actions, chosen.index, lambda old: [old.replace(ref=ref)])
    return True


def planted_confirmers(f: Forgery, rng: Random) -> bool:
    """An output commits to other confirmers than its template names."""
    made = _creates(f)
    if not made:
        return False
    planted = Confirmers(parties=(rng.choice(LIARS),))
    f.actions = changed(f.actions, rng.choice(made).index, lambda old: [old.replace(confirmers=planted)])
    return True


def dropped_claims(f: Forgery, rng: Random) -> bool:
    """A contract is made without its claims."""
    made = [action for action in _creates(f) if action.claims]
    if not made:
        return False
    f.actions = changed(f.actions, rng.choice(made).index, lambda old: [old.replace(claims=())])
    return True


def other_claims(f: Forgery, rng: Random) -> bool:
    """A contract takes another key than its own."""
    made = [action for action in _creates(f) if action.claims]
    if not made:
        return False
    index = rng.choice(made).index
    number = digest("other key", rng.random().hex())

    def other(old: Create) -> list[Action]:
        return [old.replace(claims=tuple(key.replace(alpha=number) for key in old.claims))]

    f.actions = changed(f.actions, index, other)
    return True


def other_controllers(f: Forgery, rng: Random) -> bool:
    """Somebody else makes the choice, or reads."""
    found = [action for action in walk(tuple(f.actions)) if not isinstance(action, Create)]
    if not found:
        return False
    index = rng.choice(found).index
    f.actions = changed(f.actions, index, lambda old: [old.replace(controllers=(rng.choice(LIARS),))])
    return True


def junk_parent(f: Forgery, rng: Random) -> bool:
    """What happens is said to happen inside a choice on a contract of the liar's own."""
    own = [
        (ref, described)
        for ref, held in f.network.disclosures.items()
        if held.skeleton is not None
        and set((described := interpreter.describe(ENGINE, held.template, held.payload, index=0)).confirmers.parties)
        <= set(LIARS)
    ]
    if not own or not f.actions:
        return False
    ref, described = rng.choice(own)
    chosen = rng.randrange(len(f.actions))
    f.actions[chosen] = Exercise(
        index=30_000, ref=ref, template=described.template, choice="anything", consuming=rng.random() < 0.5,
        arguments=[], result=None, controllers=described.confirmers.parties, signatories=described.signatories,
        observers=described.observers, confirmers=described.confirmers, children=(f.actions[chosen],),
    )  # fmt: skip
    return True


def other_result(f: Forgery, rng: Random) -> bool:
    """A choice claims another result."""
    found = _exercises(f)
    if not found:
        return False
    f.actions = changed(f.actions, rng.choice(found).index, lambda old: [old.replace(result="forged")])
    return True


def other_arguments(f: Forgery, rng: Random) -> bool:
    """A choice claims arguments under which it would do something else."""
    found = [action for action in _exercises(f) if action.arguments]
    if not found:
        return False
    chosen = rng.choice(found)
    donors = [a for a in found if a.choice == chosen.choice and a.arguments != chosen.arguments]
    arguments = rng.choice(donors).arguments if donors else [[_anybody(f, rng)], *chosen.arguments[1:]]
    f.actions = changed(f.actions, chosen.index, lambda old: [old.replace(arguments=arguments)])
    return True


IN_THE_FOREST: tuple[Lie, ...] = (
    changed_payload, extra_root, extra_child, dropped_child, doubled_action, swapped_roots, flipped_kind, read_instead,
    other_target, planted_confirmers, dropped_claims, other_claims, other_controllers, junk_parent, other_result,
    other_arguments,
)  # fmt: skip


# in what is sent --------------------------------------------------------------------------------------------------


def _honest(f: Forgery) -> list[bytes]:
    return [identity for identity in sorted(f.network.members) if identity not in LIARS]


def signature_left_out(f: Forgery, rng: Random) -> bool:
    """An honest signer is not listed."""
    listed = [party for party in f.scopes if party not in LIARS]
    if not listed:
        return False
    del f.scopes[rng.choice(listed)]
    return True


def all_left_out(f: Forgery, rng: Random) -> bool:
    """No honest signer is listed."""
    listed = [party for party in f.scopes if party not in LIARS]
    for identity in listed:
        del f.scopes[identity]
    for identity in LIARS:
        f.scopes.setdefault(identity, frozenset(range(len(f.entries))))
    return bool(listed)


def wider_scope(f: Forgery, rng: Random) -> bool:
    """A line covers everything."""
    if not f.scopes:
        return False
    f.scopes[rng.choice(list(f.scopes))] = frozenset(range(len(f.entries)))
    return True


def narrower_scope(f: Forgery, rng: Random) -> bool:
    """A line covers less than its party sees."""
    listed = [party for party, scope in f.scopes.items() if len(scope) > 1]
    if not listed:
        return False
    chosen = rng.choice(listed)
    f.scopes[chosen] = frozenset(rng.sample(sorted(f.scopes[chosen]), rng.randrange(1, len(f.scopes[chosen]))))
    return True


def liars_sign_all(f: Forgery, rng: Random) -> bool:
    """The liars are listed for everything, whether or not it is theirs."""
    for identity in LIARS:
        f.scopes[identity] = frozenset(range(len(f.entries)))
    return True


def listed_twice(f: Forgery, rng: Random) -> bool:
    """An identity has two lines, the second one wider."""
    if not f.scopes:
        return False
    f.extra_lines.append(Line(identity=rng.choice(list(f.scopes)), scope=tuple(range(len(f.entries)))))
    f.hide_extra_lines = rng.random() < 0.7
    return True


def lowered_view(f: Forgery, rng: Random) -> bool:
    """A victim is shown lower nodes than its own, and listed for them alone."""
    victims = [party for party in f.tops if party not in LIARS and f.tops[party]]
    if not victims:
        return False
    victim = rng.choice(victims)
    below = [node for top in f.tops[victim] for node in top.walk()]
    f.tops[victim] = tuple(highest(rng.sample(below, rng.randrange(1, len(below) + 1))))
    if victim in f.scopes:
        f.scopes[victim] = scope_of(f.tops[victim])
    return True


def stranger_shown(f: Forgery, rng: Random) -> bool:
    """Somebody is shown a part that is none of its business."""
    f.tops[rng.choice(_honest(f))] = (rng.choice(f.nodes),)
    return True


def hidden_view(f: Forgery, rng: Random) -> bool:
    """A victim is shown nothing."""
    victims = [party for party in f.tops if party not in LIARS]
    if not victims:
        return False
    victim = rng.choice(victims)
    del f.tops[victim]
    f.scopes.pop(victim, None)
    return True


def swapped_entries(f: Forgery, rng: Random) -> bool:
    """Two entries change places."""
    if len(f.entries) < 2:
        return False
    one, other = rng.sample(range(len(f.entries)), 2)
    f.entries[one], f.entries[other] = f.entries[other], f.entries[one]
    return True


def doubled_entry(f: Forgery, rng: Random) -> bool:
    """An entry is there twice, so that a contract exists twice."""
    f.entries.append(rng.choice(f.entries))
    return True


def dropped_entry(f: Forgery, rng: Random) -> bool:
    """An entry is left out, so that nothing is consumed."""
    if len(f.entries) < 2:
        return False
    f.entries.pop(rng.randrange(len(f.entries)))
    return True


def _replaced(f: Forgery, rng: Random, kinds: tuple[type, ...], change: Callable[[object], object]) -> bool:
    places = [i for i, entry in enumerate(f.entries) if isinstance(entry, kinds)]
    if not places:
        return False
    place = rng.choice(places)
    f.entries[place] = change(f.entries[place])  # type: ignore[call-overload]  # an entry for an entry
    return True


def entry_of_other_kind(f: Forgery, rng: Random) -> bool:
    """A consumption is entered as a use or a read."""
    kind = rng.choice((UseEntry, FetchEntry))
    return _replaced(f, rng, (ConsumeEntry, UseEntry), lambda e: kind(action=e.action, ref=e.ref))  # type: ignore[attr-defined]  # as above


def entry_of_other_ref(f: Forgery, rng: Random) -> bool:
    """An entry names another contract than its action."""
    refs = list(f.network.disclosures)
    if not refs:
        return False
    return _replaced(f, rng, (ConsumeEntry, UseEntry, FetchEntry), lambda e: e.replace(ref=rng.choice(refs)))  # type: ignore[attr-defined]  # as above


def entry_of_other_action(f: Forgery, rng: Random) -> bool:
    """An entry carries the hash of no action."""
    kinds = (CreateEntry, ConsumeEntry, UseEntry, FetchEntry)
    return _replaced(f, rng, kinds, lambda e: e.replace(action=digest("no action")))  # type: ignore[attr-defined]  # as above


def entry_of_other_confirmers(f: Forgery, rng: Random) -> bool:
    """A create entry commits to a liar as its confirmer."""
    salt = digest("planted salt")
    planted = Confirmers(parties=(rng.choice(LIARS),))
    commitment = tree.confirmers_commitment(salt, planted)
    places = [i for i, entry in enumerate(f.entries) if isinstance(entry, CreateEntry)]
    if not places:
        return False
    place = rng.choice(places)
    entry = f.entries[place]
    assert isinstance(entry, CreateEntry)
    f.entries[place] = entry.replace(confirmers=commitment)
    f.network.openings[ContractRef(f.draft().id, place)] = salt, planted
    return True


def unrooted_action(f: Forgery, rng: Random) -> bool:
    """A top action is entered and is nowhere in the forest."""
    if len(f.roots) < 2:
        return False
    f.unrooted = {rng.choice(f.roots).action.index}
    return True


def wrapped_roots(f: Forgery, rng: Random) -> bool:
    """Everything lies below a parent that is nothing."""
    f.wrapped = True
    return True


def hidden_lines(f: Forgery, rng: Random) -> bool:
    """Views do not open a line."""
    if not f.scopes:
        return False
    f.hide_lines = {rng.choice(list(f.scopes))}
    return True


def lied_input(f: Forgery, rng: Random) -> bool:
    """An input is disclosed with another payload, as another contract, with another's receipt or by another's moves."""
    donors = list(f.network.disclosures.values())
    if not donors:
        return False
    donor, kind = rng.choice(donors), rng.randrange(4)

    def lie(held: Disclosure) -> Disclosure:
        if kind == 0:
            return held.replace(payload=[v if not isinstance(v, list) else _richer(v) for v in held.payload])
        if kind == 1:
            return donor.replace(ref=held.ref)
        return held.replace(receipt=donor.receipt) if kind == 2 else held.replace(moves=donor.moves)

    f.disclose = lie
    return True


def _richer(value: list[object]) -> list[object]:
    return [value[0] * 10, value[1]] if len(value) == 2 and isinstance(value[0], int) else value


def other_window(f: Forgery, rng: Random) -> bool:
    """The window lies in the past or in the future."""
    shift = rng.choice((-10, 10)) * HOUR_MS
    window = f.network.window
    lower = window.lower.plus_ms(shift) if window.lower is not None else None
    f.window = Window(lower=lower, upper=window.upper.plus_ms(shift))
    return True


IN_WHAT_IS_SENT: tuple[Lie, ...] = (
    signature_left_out, all_left_out, wider_scope, narrower_scope, liars_sign_all, listed_twice, lowered_view,
    stranger_shown, hidden_view, swapped_entries, doubled_entry, dropped_entry, entry_of_other_kind,
    entry_of_other_ref, entry_of_other_action, entry_of_other_confirmers, unrooted_action, wrapped_roots,
    hidden_lines, lied_input, other_window,
)  # fmt: skip


def hole(f: Forgery, rng: Random) -> bool:
    """The indices of actions leave one out, which an entry of nothing fills."""
    f.actions = list(reindexed(f.actions))
    place = rng.randrange(1, len(walk(tuple(f.actions))) + 1)

    def moved(action: Action) -> Action:
        ref = None if isinstance(action, Create) else action.ref
        if ref is not None and ref.transaction is None and ref.index >= place:
            action = action.replace(ref=ContractRef(None, ref.index + 1))
        if isinstance(action, Exercise):
            action = action.replace(children=tuple(moved(child) for child in action.children))
        return action.replace(index=action.index + (action.index >= place))

    f.actions = [moved(action) for action in f.actions]
    f.build(reindex=False)
    filler = rng.choice(f.entries)
    f.entries.insert(place, filler)
    return True
