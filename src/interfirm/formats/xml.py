"""The one XML parser: no document type, no entities, no network, bounded bytes, depth and element count.

A document type declaration is refused where it starts, so neither an entity bomb nor an external entity is ever read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

from lxml import etree

from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS

Element = etree._Element
_CHUNK_BYTES = 64 * 1024
_ATTRIBUTES_COUNT_MAX = 256


class _Guard:
    """A parser target that builds the tree and refuses what must not be read on."""

    def __init__(self, *, depth_max: int, elements_count_max: int) -> None:
        self._builder = etree.TreeBuilder()
        self._refusal: Refusal | None = None
        self._depth = 0
        self._count = 0
        self._depth_max = depth_max
        self._count_max = elements_count_max

    def doctype(self, name: str, public_id: str | None, system_id: str | None) -> None:
        self._refuse("xml.entities", "a document type declaration is refused, and with it every entity", name=name[:80])

    def start(self, tag: str | bytes, attrib: dict[str | bytes, str | bytes]) -> None:
        self._depth += 1
        self._count += 1
        if self._depth > self._depth_max:
            self._refuse("xml.depth", "elements are nested too deeply", depth_max=self._depth_max)
        if self._count > self._count_max:
            self._refuse("xml.count", "there are too many elements", count_max=self._count_max)
        if len(attrib) > _ATTRIBUTES_COUNT_MAX:  # the builder takes quadratic time for them
            self._refuse("xml.count", "there are too many attributes", count_max=_ATTRIBUTES_COUNT_MAX)
        self._builder.start(tag, attrib)

    def end(self, tag: str | bytes) -> None:
        self._depth -= 1
        self._builder.end(tag)

    def data(self, data: str | bytes) -> None:
        self._builder.data(data)

    def comment(self, text: str | bytes) -> None:
        """Comments are dropped."""

    def close(self) -> Any:
        # the parser closes its target also after a refusal, and would report only what the builder lacks then
        if self._refusal is not None:
            raise self._refusal
        return self._builder.close()

    def _refuse(self, code: str, message: str, **values: Any) -> NoReturn:
        self._refusal = Refusal(code, message, **values)
        raise self._refusal


def parse(
    data: bytes,
    *,
    bytes_max: int = LIMITS.xml_bytes_max,
    depth_max: int = LIMITS.xml_depth_max,
    elements_count_max: int = LIMITS.xml_elements_count_max,
) -> Element:
    """The root element of an XML document; comments and processing instructions are dropped.

    Raises Refusal `xml.size`, `xml.depth`, `xml.count` beyond a limit, `xml.entities` for a document type declaration,
    `xml.malformed` for what is not well-formed XML 1.0.
    """
    check(len(data) <= bytes_max, "xml.size", "the file is larger than allowed", bytes=len(data), bytes_max=bytes_max)
    guard = _Guard(depth_max=depth_max, elements_count_max=elements_count_max)
    # Only the five entities of XML itself are left to resolve, and unresolved they would stand as &#38; in attributes:
    # where a document type begins, which could declare others, the guard has refused.
    parser = etree.XMLParser(target=guard, resolve_entities=True, no_network=True, load_dtd=False, huge_tree=False)
    try:
        for start in range(0, len(data), _CHUNK_BYTES):
            parser.feed(data[start : start + _CHUNK_BYTES])
        root: Element = parser.close()
        # the parser goes on after a prefix that stands for no namespace, and drops it
        errors = parser.feed_error_log.filter_from_errors()
    except (etree.LxmlError, AssertionError, ValueError, LookupError) as error:
        # an unfinished document is an assertion of the tree builder, an unknown encoding a LookupError
        raise Refusal("xml.malformed", "this is not well-formed XML", reason=str(error)[:200]) from error
    check(not errors, "xml.malformed", "this is not well-formed XML", reason=str(errors)[:200])
    return root


def serialise(root: Element) -> bytes:
    """A document as UTF-8 bytes with declaration, indented by two spaces."""
    etree.indent(root, space="  ")
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8") + b"\n"


def add(parent: Element, name: str, text: str | None = None) -> Element:
    """A new last child of the given qualified name; Refusal `xml.text` for a character that XML 1.0 does not have."""
    element = etree.SubElement(parent, name)
    if text is not None:
        set_text(element, text)
    return element


def set_text(element: Element, text: str, *, attribute: str = "") -> None:
    """Give an element its text, or an attribute its value; Refusal `xml.text` for what XML 1.0 cannot hold."""
    try:
        if attribute:
            element.set(attribute, text)
        else:
            element.text = text
    except ValueError as error:
        raise Refusal("xml.text", "a text has a character that XML does not have", text=text[:80]) from error


def local_name(element: Element) -> str:
    """An element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def text_of(element: Element) -> str:
    """An element's own text without white space around it."""
    return (element.text or "").strip()


def attributes(element: Element) -> Iterator[tuple[str, str]]:
    """An element's attributes by name."""
    return ((str(name), str(value)) for name, value in element.attrib.items())
