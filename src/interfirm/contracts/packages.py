"""Packages: bundles of contract source named by their hash, and the engine that runs them.

A package is what a network agrees on. Its id is the hash of its name, the language version, the source text of its
modules and the ids of the packages it depends on; so an id fixes the meaning of every choice below it.
"""

from __future__ import annotations

import ast
import inspect
import typing
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any

import msgspec

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.limits import LIMITS
from interfirm.base.values import Wire
from interfirm.contracts import language, metering
from interfirm.contracts.parsing import parse
from interfirm.contracts.privacy import blank, check_private_fields
from interfirm.contracts.types import Plain, TemplateId

LANGUAGE_MODULE = "interfirm.contracts.language"


class Package(Wire, frozen=True):
    """A bundle: import name, language version, source by module, ids of the packages whose modules it imports."""

    name: str
    language: int
    modules: dict[str, str]
    dependencies: dict[str, bytes]

    @property
    def id(self) -> bytes:
        """The 32-byte hash that names the package."""
        return digest("package", self.name, self.language, self.modules, self.dependencies)


def bundle(module: ModuleType) -> tuple[Package, ...]:
    """The package of an importable contract module, after the packages it depends on (dependencies first).

    Modules imported from the same folder belong to the same bundle; contract modules of other folders are dependencies.
    Raises Refusal `contract.package` for an import that is neither.
    """
    found: dict[str, Package] = {}
    _bundle(module.__name__, found, ())
    return tuple(found.values())


def _bundle(entry: str, found: dict[str, Package], path: tuple[str, ...]) -> Package:
    folder = entry.rpartition(".")[0]
    if folder in found:
        return found[folder]
    if folder in path:
        raise Refusal("contract.package", "packages depend on each other in a circle", path=[*path, folder])
    modules: dict[str, str] = {}
    dependencies: dict[str, bytes] = {}
    waiting = [entry]
    while waiting:
        name = waiting.pop()
        if name in modules:
            continue
        modules[name] = _source_of(name)
        for imported in imports_of(modules[name]):
            if imported.rpartition(".")[0] == folder:
                waiting.append(imported)
            elif imported != LANGUAGE_MODULE:
                needed = _bundle(imported, found, (*path, folder))
                dependencies[needed.name] = needed.id
    package = Package(
        name=folder, language=language.LANGUAGE_VERSION, modules=dict(sorted(modules.items())),
        dependencies=dict(sorted(dependencies.items())),
    )  # fmt: skip
    found[folder] = package
    return package


def _source_of(name: str) -> str:
    try:
        return inspect.getsource(__import__(name, fromlist=["_"]))
    except (ImportError, OSError, TypeError) as error:
        raise Refusal("contract.package", "there is no such contract module", module=name) from error


def imports_of(source: str) -> list[str]:
    """The modules a contract module imports, in order, without `__future__`."""
    try:
        tree = parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Refusal("contract.syntax", "the source does not parse", reason=str(error)[:200]) from error
    return [n.module for n in tree.body if isinstance(n, ast.ImportFrom) and n.module and n.module != "__future__"]


class ChoiceCode:
    """One choice of a loaded template: its declaration, its code, and the shape of its arguments."""

    __slots__ = ("arguments_type", "declared", "function", "parameters")

    def __init__(self, declared: language.Choice, function: Callable[..., Any]) -> None:
        self.declared = declared
        self.function = function
        hints = typing.get_type_hints(function)
        signature = inspect.signature(function)
        fields: list[Any] = []
        for name, parameter in list(signature.parameters.items())[2:]:
            if name not in hints:
                raise Refusal("contract.arguments", "every argument has a type", choice=declared.name, argument=name)
            empty = parameter.default is inspect.Parameter.empty
            fields.append((name, hints[name]) if empty else (name, hints[name], parameter.default))
        self.parameters = {name: hints[name] for name, *_ in fields}
        self.arguments_type = msgspec.defstruct(f"{declared.name}_arguments", fields, array_like=True, frozen=True)

    def arguments_of(self, plain: Plain) -> dict[str, Any]:
        """See interpreter.ChoiceCode."""
        typed = codec.typed(plain, self.arguments_type)
        return {name: getattr(typed, name) for name in self.parameters}

    def arguments_plain(self, arguments: dict[str, Any]) -> Plain:
        """See interpreter.ChoiceCode."""
        unknown = [name for name in arguments if name not in self.parameters]
        try:
            typed = self.arguments_type(**arguments)
        except TypeError as error:
            raise Refusal(
                "contract.arguments", "the choice takes other arguments", choice=self.declared.name,
                takes=list(self.parameters), unknown=unknown,
            ) from error  # fmt: skip
        return codec.plain(typed)


class TemplateCode:
    """One loaded template: its id, class, choices, field types, and how its stored refs are read."""

    __slots__ = ("choices", "cls", "fields", "id", "private", "private_fields", "refs", "required", "source_module")

    def __init__(self, template: TemplateId, cls: type[language.Template], module: str) -> None:
        self.id = template
        self.cls = cls
        self.source_module = module
        hints = typing.get_type_hints(cls)
        self.fields: dict[str, Any] = {name: hints[name] for name in cls.__struct_fields__}
        if len(self.fields) > LIMITS.fields_count_max:
            raise Refusal("contract.fields", "too many fields", template=template.name, count=len(self.fields))
        self.refs = any(_mentions(kind, language.Ref) for kind in self.fields.values())
        self.private_fields = [n for n, kind in self.fields.items() if _mentions(kind, language.Private)]
        """Names of fields that are on the ledger only as commitments."""
        self.private = bool(self.private_fields)
        self.required = list(self.fields)[: len(self.fields) - len(cls.__struct_defaults__)]
        """Names of fields without a default."""
        self.choices = {name: ChoiceCode(declared, getattr(cls, name)) for name, declared in cls.choices.items()}
        for chosen in self.choices.values():
            for name in chosen.declared.by:
                if (name in self.fields) == (name in chosen.parameters):
                    raise Refusal(
                        "contract.controllers", "a choice is made by fields or else by arguments",
                        template=template.name, choice=chosen.declared.name, name=name,
                    )  # fmt: skip

    def read(self, payload: Plain, transaction: bytes | None) -> language.Template:
        """The contract of a stored payload; refs to (self, i) become (transaction, i)."""
        contract = codec.typed(payload, self.cls)
        return _resolved(contract, transaction) if self.refs and transaction is not None else contract

    def reads_alike(self, transaction: bytes | None) -> bool:
        """Whether `read` and `deciding` give the same: nothing is private, and no ref depends on the transaction."""
        return not self.private and not (self.refs and transaction is not None)

    def deciding(self, payload: Plain) -> language.Template:
        """See interpreter.TemplateCode."""
        contract = codec.typed(payload, self.cls)
        return blank(contract) if self.private else contract


def _mentions(kind: Any, wanted: type, *, in_records: bool = True) -> bool:
    if kind is wanted or typing.get_origin(kind) is wanted:
        return True
    if isinstance(kind, type) and issubclass(kind, language.Record):
        return in_records and any(_mentions(hint, wanted) for hint in typing.get_type_hints(kind).values())
    return any(_mentions(inner, wanted, in_records=in_records) for inner in typing.get_args(kind))


def _blanked(code: TemplateCode) -> list[str]:
    """The fields that are nothing but private; of a record with private fields, the other fields may decide."""
    return [name for name, kind in code.fields.items() if _mentions(kind, language.Private, in_records=False)]


def _resolved(value: Any, transaction: bytes) -> Any:
    if isinstance(value, language.Ref):
        return value if value.transaction is not None else language.Ref(transaction, value.index)
    if isinstance(value, (language.Template, language.Record)):
        changes = {name: _resolved(getattr(value, name), transaction) for name in value.__struct_fields__}
        return value.replace(**changes)
    if isinstance(value, (tuple, list)):
        return type(value)(_resolved(item, transaction) for item in value)
    if isinstance(value, dict):
        return {key: _resolved(item, transaction) for key, item in value.items()}
    return value


class Engine:
    """Packages loaded together, sharing one meter; the same packages give every party the same verdict and fuel."""

    def __init__(self, packages: Iterable[Package] = ()) -> None:
        self.meter = metering.Meter()
        self.packages: dict[bytes, Package] = {}
        self._templates: dict[TemplateId, TemplateCode] = {}
        self._by_class: dict[type, TemplateCode] = {}
        self._namespaces: dict[tuple[bytes, str], Mapping[str, Any]] = {}
        for package in packages:
            self.load(package)

    def load(self, package: Package) -> bytes:
        """Check and load a package whose dependencies are loaded; returns its id. Loading twice is harmless.

        Raises Refusal `contract.package` (unknown dependency, language version), `contract.subset`,
        `contract.private`.
        """
        if package.id in self.packages:
            return package.id
        if package.language != language.LANGUAGE_VERSION:
            raise Refusal("contract.package", "another language version", language=package.language)
        for name in package.modules:
            if name.rpartition(".")[0] != package.name:
                raise Refusal("contract.package", "a module lies in another folder than its package", module=name)
        imports = self._imports(package)
        loaded: list[TemplateCode] = []
        for name in _in_order(package):
            namespace = self._execute(package, name, imports)
            imports[name] = {k: v for k, v in namespace.items() if not k.startswith("_")}
            found = self._found(package, name, namespace)
            check_private_fields(package.modules[name], {code.id.name: _blanked(code) for code in found})
            loaded.extend(found)
        if len({code.id for code in loaded}) != len(loaded):
            raise Refusal("contract.package", "two modules of a package declare one template", package=package.name)
        self.packages[package.id] = package
        for code in loaded:
            self._templates[code.id] = code
            self._by_class[code.cls] = code
        for name in package.modules:
            self._namespaces[package.id, name] = imports[name]
        return package.id

    def template(self, template: TemplateId) -> TemplateCode:
        """See interpreter.Engine."""
        code = self._templates.get(template)
        if code is None:
            if template.package not in self.packages:
                raise Refusal("contract.package", "the package is not known here", package=template.package)
            raise Refusal("contract.template", "the package has no such template", template=template.name[:80])
        return code

    def code_of(self, cls: type[language.Template]) -> TemplateCode:
        """See interpreter.Engine."""
        code = self._by_class.get(cls)
        if code is None:
            raise Refusal("contract.template", "not a template of a loaded package", template=cls.__name__)
        return code

    def templates(self) -> list[TemplateCode]:
        """All loaded templates, in the order of their loading."""
        return list(self._templates.values())

    def named(self, name: str) -> TemplateCode:
        """The newest loaded template called `name` (or `folder.Name`, the last part of its package's name first)."""
        folder, _, simple = name.rpartition(".")
        for code in reversed(list(self._templates.values())):
            package = self.packages[code.id.package].name
            if code.id.name == simple and (not folder or package == folder or package.endswith("." + folder)):
                return code
        raise Refusal("contract.template", "there is no template of this name", template=name[:80])

    def path_of(self, template: TemplateId) -> str:
        """`folder.Name` of a loaded template: the last part of its package's name, and its own."""
        return f"{self.packages[template.package].name.rpartition('.')[2]}.{template.name}"

    def _imports(self, package: Package) -> dict[str, Mapping[str, Any]]:
        imports: dict[str, Mapping[str, Any]] = {
            LANGUAGE_MODULE: {name: getattr(language, name) for name in language.__all__}
        }
        for name, package_id in package.dependencies.items():
            known = self.packages.get(package_id)
            if known is None or known.name != name:
                raise Refusal("contract.package", "a dependency is not loaded", dependency=name, package=package_id)
            for module in known.modules:
                imports[module] = self._namespaces[package_id, module]
        return imports

    def _execute(self, package: Package, name: str, imports: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        source = package.modules[name]
        self.meter.start(LIMITS.fuel_steps_max)
        unique = f"{name}@{package.id.hex()}@{id(self)}"
        return metering.load(source, module=unique, imports=imports, meter=self.meter)

    def _found(self, package: Package, module: str, namespace: dict[str, Any]) -> list[TemplateCode]:
        found = []
        for name, value in namespace.items():
            template = isinstance(value, type) and issubclass(value, language.Template)
            if template and value.__module__ == namespace["__name__"] and value.__name__ == name:
                found.append(TemplateCode(TemplateId(package.id, name), value, module))
        return found


def _in_order(package: Package) -> list[str]:
    """The modules of a package, each after those it imports; Refusal `contract.package` for a circle."""
    ordered: list[str] = []
    open_modules: list[str] = []

    def visit(name: str) -> None:
        if name in ordered:
            return
        if name in open_modules:
            raise Refusal("contract.package", "modules import each other in a circle", module=name)
        open_modules.append(name)
        for imported in imports_of(package.modules[name]):
            if imported in package.modules:
                visit(imported)
        open_modules.remove(name)
        ordered.append(name)

    for name in sorted(package.modules):
        visit(name)
    return ordered
