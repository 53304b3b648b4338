# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JSON data of an API server as YAML. Pure.

PyYAML, with libyaml too, needs 0.4 ms of CPU for one Machine: more than a second for a cluster of 500. All that such data has is
mappings, lists and scalars, so a few lines write it six times as fast; property tests read it back with PyYAML.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any, Final

# What YAML takes for a text without quotes; a colon inside does not end a key unless a blank follows it.
_PLAIN: Final = re.compile(r"[A-Za-z_](?:[A-Za-z0-9_./@:-]*[A-Za-z0-9_./@-])?")
# YAML 1.1 and 1.2 take these for something else.
_WORDS: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
# Not allowed in YAML unless escaped, or taken for a line break; JSON's own escapes cover what is below 0x20.
_ESCAPED: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]")
# libyaml looks for the colon of a key in the next 1,024 bytes.
_LONG_KEY: Final = 250
_SHORT: Final = 48


def to_yaml(value: Any) -> bytes:
    """Return an object (JSON-like: dict with texts as keys, list, str, int, float, bool, None) as a YAML document in UTF-8.

    TypeError for anything else in it.
    """
    lines: list[str] = []
    if value and isinstance(value, (dict, list)):
        _block(value, "", "", lines)
    else:
        lines.append(_scalar(value))
    lines.append("")
    return "\n".join(lines).encode()


def _block(value: Any, lead: str, pad: str, lines: list[str]) -> None:
    """Append a mapping or list that is not empty; ``lead`` is what is before its first line, ``pad`` what is before the others."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"a key is {type(key).__name__}, not text")
            name = _short(key)
            if len(name) > _LONG_KEY:
                lines.append(f"{lead}? {name}")
                lead, name = pad, ""
            if item and isinstance(item, dict):
                lines.append(f"{lead}{name}:")
                _block(item, f"{pad}  ", f"{pad}  ", lines)
            elif item and isinstance(item, list):
                lines.append(f"{lead}{name}:")
                _block(item, pad, pad, lines)
            else:
                lines.append(f"{lead}{name}: {_scalar(item)}")
            lead = pad
        return
    for item in value:
        if item and isinstance(item, (dict, list)):
            _block(item, f"{lead}- ", f"{pad}  ", lines)
        else:
            lines.append(f"{lead}- {_scalar(item)}")
        lead = pad


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _short(value) if len(value) <= _SHORT else _text(value)
    if value is None or isinstance(value, (bool, int)):
        return json.dumps(value)
    if isinstance(value, float):
        text = repr(value)
        # YAML 1.1 knows no number with an exponent and without a point.
        return text if "." in text else text.replace("e", ".0e")
    if value == {}:
        return "{}"
    if value == []:
        return "[]"
    raise TypeError(f"a value is {type(value).__name__}")


def _text(value: str) -> str:
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return _ESCAPED.sub(_escape, json.dumps(value, ensure_ascii=False))


# Keys and most short values are the same in all objects of a kind.
_short = lru_cache(maxsize=4096)(_text)


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match.group()):04x}"
