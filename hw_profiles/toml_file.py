"""Reading a TOML file into a table or a record: text of a bounded size whose nesting is bounded too.

`tomllib` recurses into arrays and inline tables, takes quadratic time over dotted keys, and leaves errors of other
families behind for numbers that are too long; here each of these is one line of refusal. What the file says stands in
messages, certificates and signed files: each text of it is on one line.
"""

from __future__ import annotations

import codecs
import re
import tomllib
import unicodedata
from pathlib import Path
from typing import Any, TypeVar

from hw_profiles.errors import ProfileError
from hw_profiles.records import decode, refuse
from hw_profiles.regular_file import TEXT_LIMIT, read_regular_file

_KEY_PARTS = 64
"""Parts of a dotted key that no schema here comes near."""
_PART = r"""(?:[\w-]+|"[^"\n]*"|'[^'\n]*')"""
_LONG_KEY = re.compile(rf"(?<![\w-])(?:{_PART}[ \t]*\.[ \t]*){{{_KEY_PARTS}}}")
_MARKS = (
    (codecs.BOM_UTF8, "a byte order mark"),
    (codecs.BOM_UTF16_LE, "the byte order mark of UTF-16"),
    (codecs.BOM_UTF16_BE, "the byte order mark of UTF-16"),
)
_UNWELCOME = frozenset(("Cc", "Cn", "Cs", "Zl", "Zp"))
"""Categories of controls, of what is no character, and of separators of lines."""

Record = TypeVar("Record")


def load_record(kind: type[Record], path: Path) -> Record:
    """Read a TOML file as a record of `kind`; raises `ProfileError`."""
    return read_record(kind, load_table(path), str(path))


def read_record(kind: type[Record], table: dict[str, Any], source: str) -> Record:
    """Turn the table of a TOML file into a record; raises `ProfileError` naming `source` and the dotted key."""
    record = decode(kind, table, source)
    # Only now: the schema has bounded how deep the table is.
    _require_lines(table, source, "")
    return record


def _require_lines(value: Any, source: str, key: str) -> None:
    if isinstance(value, str) and not _is_one_line(value):
        raise refuse(source, key, value, "text on one line, without control characters")
    if isinstance(value, dict):
        for name, item in value.items():
            _require_lines(name, source, key or "a key")
            _require_lines(item, source, f"{key}.{name}" if key else name)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _require_lines(item, source, f"{key}[{index}]")


def _is_one_line(text: str) -> bool:
    """Say whether a text can stand in a message, a certificate and a signed file as it is."""
    return text.isprintable() or not any(unicodedata.category(each) in _UNWELCOME for each in text)


def load_table(path: Path) -> dict[str, Any]:
    """Read a TOML file of at most `TEXT_LIMIT` octets; raises `ProfileError` when it is absent, unreadable or not
    TOML.
    """
    return parse_table(read_regular_file(path, TEXT_LIMIT), str(path))


def parse_table(octets: bytes, source: str) -> dict[str, Any]:
    """Return the table that the octets of a TOML file hold; raises `ProfileError` naming `source`."""
    for mark, name in _MARKS:
        if octets.startswith(mark):
            raise ProfileError(f"{source}: begins with {name}; save it as UTF-8 without one")
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ProfileError(
            f"{source}: not UTF-8 text at octet {error.start}; expected a TOML file"
        ) from error
    if _LONG_KEY.search(text):
        raise ProfileError(
            f"{source}: a key of more than {_KEY_PARTS} parts; expected the keys of the schema"
        )
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ProfileError(
            f"{source}: arrays or tables nested without end; expected those of the schema"
        ) from None
    except ValueError as error:
        # TOMLDecodeError, and what Python itself says of a number of thousands of digits.
        raise ProfileError(f"{source}: not valid TOML: {_one_line(str(error))}") from error


def _one_line(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text)
