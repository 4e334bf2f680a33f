"""YAML, read the narrow way: what a person can mean only one way, and never more than fits in memory.

PyYAML reads YAML 1.1, where 010 is eight, 1:30 is ninety and `no` is false; keeps the last of two equal keys;
and follows aliases that multiply a page into terabytes. Here numbers are decimal or 0x hexadecimal, only
true and false are truth, a key occurs once, and size, depth and aliases are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from sos_ops.errors import InvalidConfigurationError
from sos_ops.modbus.map_errors import one_line

MOST_BYTES = 500_000
"""The largest file that is read: several times a map of 2,000 points written out one by one."""
MOST_DEPTH = 50
MOST_NODES = 500_000
"""The most values a file may hold with its aliases written out."""


class _NarrowLoader(yaml.SafeLoader):
    """Safe, and without YAML 1.1's surprises."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (PyYAML's own name)


_FLOAT = (
    r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]{1,4})?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]{0,39})|0x[0-9a-fA-F]{1,32}", list("-+0123456789")),
    ("float", _FLOAT, list("-+.0123456789")),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", r"<<", ["<"]),
):
    _NarrowLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _first)


def read_yaml(path: Path) -> Any:
    """The document in a YAML file.

    Raises:
        InvalidConfigurationError: The file cannot be read, is too large or no YAML; says why, not which file.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InvalidConfigurationError(f"cannot be read: {error.strerror}") from error
    if len(data) > MOST_BYTES:
        raise InvalidConfigurationError(
            f"is larger than {MOST_BYTES // 1000} kB, which no protocol map is: use groups"
        )
    try:
        return parse_yaml(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InvalidConfigurationError("is not UTF-8 text") from error


def parse_yaml(text: str) -> Any:
    """The document in a text.

    Raises:
        InvalidConfigurationError: The text is no YAML, or more than is bearable.
    """
    try:
        loader = _NarrowLoader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _Measure().check(node)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        raise InvalidConfigurationError(f"is not valid YAML: {_place_and_reason(error)}") from error
    except yaml.YAMLError as error:
        raise InvalidConfigurationError(f"is not valid YAML: {one_line(str(error))}") from error
    except RecursionError as error:
        raise InvalidConfigurationError("is not valid YAML: nested too deeply") from error


class _Measure:
    """Looks through the nodes before anything is built from them."""

    def __init__(self) -> None:
        self._sizes: dict[int, int] = {}
        self._open: set[int] = set()

    def check(self, node: yaml.Node, depth: int = 0) -> int:
        """How many values the node stands for, aliases written out."""
        if id(node) in self._open:
            raise _refused(node, "an alias refers to what it stands in")
        if depth > MOST_DEPTH:
            raise _refused(node, "nested too deeply")
        if id(node) not in self._sizes:
            self._open.add(id(node))
            self._sizes[id(node)] = 1 + sum(self.check(part, depth + 1) for part in _parts(node))
            self._open.discard(id(node))
        size = self._sizes[id(node)]
        if size > MOST_NODES:
            raise _refused(node, f"more than {MOST_NODES} values with its aliases written out")
        return size


def _parts(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        _must_be(node, "seq")
        yield from node.value
    elif isinstance(node, yaml.MappingNode):
        _must_be(node, "map")
        seen = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _refused(key, "a key must be a word")
            if key.value in seen:
                raise _refused(node, f"{key.value!r} is given twice")
            seen.add(key.value)
            yield key
            yield value
    else:
        _is_plain(node)


def _is_plain(node: yaml.Node) -> None:
    kind = node.tag.removeprefix("tag:yaml.org,2002:")
    if kind != "str" and not _resolves_to(node.value, node.tag):
        raise _refused(node, f"{node.value!r} is no {kind}")
    if any("\ud800" <= character <= "\udfff" for character in node.value):
        raise _refused(node, "half a character")


def _resolves_to(text: str, tag: str) -> bool:
    resolvers = _NarrowLoader.yaml_implicit_resolvers.get(text[:1], [])
    return any(of == tag and pattern.match(text) for of, pattern in resolvers)


def _must_be(node: yaml.Node, kind: str) -> None:
    if node.tag != f"tag:yaml.org,2002:{kind}":
        raise _refused(node, f"tag {node.tag} has no meaning here")


def _refused(node: yaml.Node, why: str) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, why, node.start_mark)


def _place_and_reason(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    context = f" ({error.context})" if error.context else ""
    return one_line(f"{place}{error.problem}{context}")
