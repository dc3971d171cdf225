"""Operations about how long what has ended is kept: rules, legal holds, archives of old history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.base.time import Instant
from interfirm.base.values import Value
from interfirm.node.desk import Answer, Desk, Operation, bytes_of, moment_of, text_of, typed_of, whole_of
from interfirm.node.desk_bulk import begin_job, known_job
from interfirm.node.forms import ref_of, ref_text
from interfirm.node.jobs import store as jobs
from interfirm.node.retention import store
from interfirm.node.retention.archiving import ArchivingArguments
from interfirm.node.retention.policy import filter_of
from interfirm.node.retention.restoring import RestoringArguments
from interfirm.node.retention.sealed_file import shown_manifest
from interfirm.node.retention.types import EVERY, PAPERS, Hold, Manifest, Rule

ARCHIVE, RESTORE = "archive", "archive-restore"
"""The kinds of jobs."""
TEXT_CHARS_MAX = 500


class _RuleAsked(Value, frozen=True):
    """How long something is to be kept."""

    about: str
    days: int | None = None
    ground: str = ""


class _HoldAsked(Value, frozen=True):
    """What is not to leave the vault."""

    name: str
    reason: str
    template: str = ""
    where: dict[str, Any] = {}
    party: str = ""
    refs: tuple[str, ...] = ()


# rules ------------------------------------------------------------------------------------------------------------


def _rules(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """How long what has ended is kept, by template and kind of paper; what no rule is about is kept for ever."""
    with desk.vault.read() as turn:
        return {"rules": [_shown_rule(rule) for rule in store.rules(turn).values()]}


def _set_rule(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Let what has ended go after `days`, or never without them; `ground` is the law or reason.

    `about` is a template, `*` for those without a rule of their own, or flows, inbox, approvals or jobs.
    """
    asked = typed_of(arguments, _RuleAsked)
    about = asked.about if asked.about in (EVERY, *PAPERS) else desk.template_name(desk.engine.named(asked.about))
    least, most = LIMITS.retention_days_min, LIMITS.retention_days_max
    check(asked.days is None or least <= asked.days <= most, "retention.days", "a rule lets go after so many days",
          days_min=least, days_max=most)  # fmt: skip
    check(0 < len(asked.ground) <= TEXT_CHARS_MAX, "retention.ground", "a rule names the law or the reason",
          chars_max=TEXT_CHARS_MAX)  # fmt: skip
    rule = Rule(about=about, days=asked.days, ground=asked.ground, by=desk.permission.caller.name,
                set_ms=desk.now_ms())  # fmt: skip
    with desk.vault.turn() as turn:
        store.put_rule(turn, rule)
    return _shown_rule(rule)


def _remove_rule(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Forget the rule `about` something: the rule for all counts again, or it is kept for ever."""
    with desk.vault.turn() as turn:
        return _shown_rule(store.remove_rule(turn, text_of(arguments, "about")))


def _shown_rule(rule: Rule) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(rule)
    return found


# holds ------------------------------------------------------------------------------------------------------------


def _holds(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Legal holds by name, with those that were released."""
    with desk.vault.read() as turn:
        return {"holds": [_shown_hold(desk, hold) for hold in store.holds(turn)]}


def _place_hold(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Keep contracts from being archived and their private values from being erased: `name`, `reason`.

    Over those of a `template` (of them, those that `where` wants), of a `party`, or named in `refs`; all parts given
    must fit, and none given means everything. Contracts that come later are covered, too.
    """
    hold = _hold_of(desk, typed_of(arguments, _HoldAsked))
    with desk.vault.turn() as turn:
        check(store.find_hold(turn, hold.name) is None, "holds.exists", "there is or was a hold of this name",
              hold=hold.name)  # fmt: skip
        few = len(store.holds(turn)) < LIMITS.holds_count_max
        check(few, "holds.count", "the node has too many holds", count_max=LIMITS.holds_count_max)
        store.put_hold(turn, hold)
    return _shown_hold(desk, hold)


def _hold_of(desk: Desk, asked: _HoldAsked) -> Hold:
    check(0 < len(asked.name) <= 80, "holds.name", "a hold has a name of at most 80 characters")
    check(0 < len(asked.reason) <= TEXT_CHARS_MAX, "holds.reason", "a hold has a reason", chars_max=TEXT_CHARS_MAX)
    check(not asked.where or bool(asked.template), "holds.where", "a filter is over the fields of a template")
    template, where = "", msgspec.json.encode(asked.where).decode()
    if asked.template:
        code = desk.engine.named(asked.template)
        template = desk.template_name(code)
        if asked.where:
            _check_readable(desk, template)
        filter_of(where, code, desk)
    return Hold(
        name=asked.name, reason=asked.reason, by=desk.permission.caller.name, placed_ms=desk.now_ms(),
        template=template, where=where, party=desk.names.identity_of(asked.party) if asked.party else b"",
        refs=tuple(ref_of(each) for each in asked.refs),
    )  # fmt: skip


def _check_readable(desk: Desk, template: str) -> None:
    """What a filter covers tells of the fields that it names: only who sees all of these may write one."""
    check(desk.permission.readable(template) is not None, "access.template",
          "your roles do not let you read these contracts", template=template)  # fmt: skip
    check(not desk.permission.hidden(template), "access.field", "your roles hide fields of this template",
          template=template)  # fmt: skip


def _release_hold(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Release the hold `name`: rules count again for what it covered."""
    name = text_of(arguments, "name")
    with desk.vault.turn() as turn:
        hold = store.find_hold(turn, name)
        if hold is None or hold.released_ms is not None:
            raise Refusal("holds.unknown", "no hold of this name is in force", hold=name[:80])
        hold = hold.replace(released_by=desk.permission.caller.name, released_ms=desk.now_ms())
        store.put_hold(turn, hold)
    return _shown_hold(desk, hold)


def _shown_hold(desk: Desk, hold: Hold) -> dict[str, Any]:
    return {
        "name": hold.name, "reason": hold.reason, "by": hold.by, "placed_ms": hold.placed_ms,
        "template": hold.template, "where": msgspec.json.decode(hold.where),
        "party": desk.names.name_of(hold.party) if hold.party else "", "refs": [ref_text(ref) for ref in hold.refs],
        "in_force": hold.released_ms is None, "released_by": hold.released_by, "released_ms": hold.released_ms,
    }  # fmt: skip


# archives ---------------------------------------------------------------------------------------------------------


def _create(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Move what rules let go into archives in a `folder` of the node's machine, for the node's own user alone.

    Of what ended `before` a time; with `dry_run`, which others may be allowed, only count it. Answers with the `job`.
    """
    known = known_job(desk, arguments)
    if known is not None:
        return known
    dry = arguments.get("dry_run") is True
    folder = "" if dry else _path(desk, arguments, "folder")
    asked = ArchivingArguments(folder=folder, before_ms=_before_ms(arguments), dry_run=dry)
    return _begin(desk, arguments, ARCHIVE, asked)


def _before_ms(arguments: dict[str, Any]) -> int | None:
    try:
        return moment_of(arguments.get("before"))
    except (ValueError, AttributeError) as error:
        raise Refusal("form.value", "a time is ISO 8601 with a zone", field="before",
                      value=str(arguments["before"])[:80]) from error  # fmt: skip


def _restore(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Put what the archive `file` holds back into the vault; for the node's own user alone. Answers with the `job`."""
    known = known_job(desk, arguments)
    if known is not None:
        return known
    return _begin(desk, arguments, RESTORE, RestoringArguments(file=_path(desk, arguments, "file")))


def _path(desk: Desk, arguments: dict[str, Any], name: str) -> str:
    """A path on this machine, which only the user who runs the node may name."""
    own = desk.permission.is_owner and desk.permission.caller.door == "control"
    check(own, "access.path", "only the user who runs the node names files of its machine")
    path = text_of(arguments, name)
    check(Path(path).is_absolute(), "archive.path", "it is named from the root of the file system", path=path[:200])
    return path


def _begin(desk: Desk, arguments: dict[str, Any], kind: str, asked: Value) -> Answer:
    with desk.vault.read() as turn:
        kinds = {job.kind for name in jobs.running(turn) if (job := jobs.find_job(turn, name)) is not None}
    check(not kinds & {ARCHIVE, RESTORE}, "archive.running", "an archive is being made or put back already")
    return begin_job(desk, arguments, kind, asked)


def _archives(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Archives of this node, the first one first: `after` a number, `limit`."""
    after, limit = whole_of(arguments, "after", 0), whole_of(arguments, "limit", 50, least=1, most=1000)
    with desk.vault.read() as turn:
        found = [each for each in store.archives(turn) if each.head.number > after][: limit + 1]
    return {
        "archives": [_shown_archive(each) for each in found[:limit]],
        "next": found[limit - 1].head.number if len(found) > limit else None,
    }


def _show(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """The `archive` of this number, or the one that holds a `transaction`."""
    number = whole_of(arguments, "archive", 0)
    with desk.vault.read() as turn:
        if arguments.get("transaction") is not None:
            row = turn.archived(bytes_of(arguments, "transaction"))
            number = 0 if row is None else row.archive
        found = store.find_archive(turn, number)
    if found is None:
        raise Refusal("archive.unknown", "there is no such archive", archive=number)
    return _shown_archive(found)


def _shown_archive(manifest: Manifest) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(shown_manifest(manifest))
    times = {name: str(Instant(found[f"{name}_ms"])) for name in ("made", "from", "until")}
    return {**found, **times, "restored_ms": manifest.restored_ms}


OPERATIONS: dict[str, Operation] = {
    "retention.list": _rules,
    "retention.set": _set_rule,
    "retention.remove": _remove_rule,
    "holds.list": _holds,
    "holds.place": _place_hold,
    "holds.release": _release_hold,
    "archive.create": _create,
    "archive.restore": _restore,
    "archive.list": _archives,
    "archive.show": _show,
}
"""See the module."""
