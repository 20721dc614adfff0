"""A contract's YAML, read once: its data, and the line on which each key and value stands."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Any

import yaml


class Places:
    """The lines of one YAML document."""

    def __init__(self, root: yaml.Node) -> None:
        self._root = root
        self._said = list(_scalars(root))

    def line(self, *words: str) -> int:
        """The line of the last key or value among the words, each looked for after the one before it; else 1."""
        index, found = 0, 1
        for word in words:
            hit = next((i for i in range(index, len(self._said)) if self._said[i][0] == word), None)
            if hit is not None:
                index, found = hit, self._said[hit][1]
        return found

    def at(self, path: Iterable[Any]) -> int:
        """The line of a path of keys and indexes, or of the deepest part of it that is there."""
        node, found = self._root, 1
        for step in path:
            if isinstance(node, yaml.MappingNode):
                key, value = next(((k, v) for k, v in node.value if k.value == str(step)), (None, None))
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
                key = value = node.value[step]
            else:
                continue
            if key is None or value is None:
                continue
            node, found = value, key.start_mark.line + 1
        return found


def read(text: str) -> tuple[Any, Places]:
    """The data of a YAML document and its places. Raises yaml.YAMLError, for a key that is there twice too."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None, Places(yaml.ScalarNode("tag:yaml.org,2002:null", ""))
        _refuse_twice(root)
        return loader.construct_document(root), Places(root)
    finally:
        loader.dispose()


def near(word: str, known: Iterable[str]) -> str:
    """A question after an unknown word: which known one was meant; empty when none is like it."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _scalars(node: yaml.Node) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.ScalarNode):
        yield str(node.value), node.start_mark.line + 1 if node.start_mark else 1
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _scalars(key)
            yield from _scalars(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _scalars(item)


def _refuse_twice(node: yaml.Node) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} is there twice; keep one",
                                                        key.start_mark)
            seen.add(key.value)
            _refuse_twice(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_twice(item)
