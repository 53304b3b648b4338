# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write what roles repeat: the options of a module, documented once, in the module, as ROLE_OPTION in the role; and defaults.

A role has the options of the module of its name, and those of the documentation fragment ``procedure``; the connection is
none of its business (it comes from ``module_defaults``), nor is which hosted cluster it works on (a host is one, and says
so in variables of every role). They are written into meta/argument_specs.yml between the two
comments that name this tool; options of the role itself stand beside them. A role that has no module documents all of its
options itself. defaults/main.yml is written from the argument specs of every role.

usage: tools/role-spec [--check]        --check changes nothing and exits with 1 when a file is behind
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
# What a host says of itself, as hosted_cluster_name and so on, where the module takes a ``source``.
HOSTED_CLUSTER = frozenset({"name", "namespace"})
BEGIN = "      # Begin of what tools/role-spec writes from the module's documentation\n"
END = "      # End of what tools/role-spec writes\n"
# A line ends with the word that goes beyond it; yamllint allows 160.
WIDTH = 145


def documentation(source: Path) -> dict[str, Any]:
    """The DOCUMENTATION of a module or of a documentation fragment; raises LookupError when ``source`` has none."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign) and any(isinstance(target, ast.Name) and target.id == "DOCUMENTATION" for target in node.targets):
            loaded: dict[str, Any] = yaml.safe_load(ast.literal_eval(node.value))
            return loaded
    raise LookupError(f"{source} has no DOCUMENTATION")


def module_options(module: str) -> dict[str, dict[str, Any]]:
    """The options of ``module``, those of its procedure included."""
    whole = documentation(ROOT / "plugins" / "modules" / f"{module}.py")
    hosted = any(fragment.startswith("meshops.lifecycle.source") for fragment in whole["extends_documentation_fragment"])
    own = {name: option for name, option in whole["options"].items() if not (hosted and name in HOSTED_CLUSTER)}
    shared, connection = (
        documentation(ROOT / "plugins" / "doc_fragments" / f"{name}.py")["options"] for name in ("procedure", "connection")
    )
    both = {**own, **{name: option for name, option in shared.items() if name not in own}}
    return {name: option for name, option in both.items() if name not in connection}


def role_options(role: str) -> dict[str, dict[str, Any]]:
    """The role's options, as an argument spec wants them: its choices are a plain list, so their texts join the description."""
    options = module_options(role)
    written = {}
    for name, option in options.items():
        description = [_renamed(text, role, options) for text in _texts(option["description"])]
        choices = option.get("choices")
        if isinstance(choices, dict):
            description += [f"V({choice}) - {_renamed(' '.join(_texts(text)), role, options)}" for choice, text in choices.items()]
            option = {**option, "choices": list(choices)}
        written[f"{role}_{name}"] = _spelt_for_a_role({**option, "description": description})
    return written


def _spelt_for_a_role(option: dict[str, Any]) -> dict[str, Any]:
    """The parts of an option are its ``suboptions`` in a module's documentation and its ``options`` in an argument spec.

    Another name of a module's option is none of the role's variable, which has the role's name in front.
    """
    spelt = {key: value for key, value in option.items() if key not in ("suboptions", "aliases")}
    if "suboptions" not in option:
        return spelt
    return {**spelt, "options": {name: _spelt_for_a_role(part) for name, part in option["suboptions"].items()}}


def _texts(description: str | list[str]) -> list[str]:
    return [description] if isinstance(description, str) else description


def _renamed(text: str, role: str, options: dict[str, Any]) -> str:
    # What the module returns is a part of the role's result, which has no documentation of its own.
    text = re.sub(r"\bRV\((\w+)\)", r"C(\1)", text)
    return re.sub(r"O\((\w+)", lambda match: f"O({role}_{match[1]}" if match[1] in options else match[0], text)


def _dumped(data: object, indent: int) -> str:
    text = yaml.dump(data, Dumper=_Indented, sort_keys=False, allow_unicode=True, width=WIDTH - indent, default_flow_style=False)
    return "".join(f"{' ' * indent}{line}\n" for line in text.splitlines())


class _Indented(yaml.SafeDumper):
    """Lists are indented below their key, as yamllint wants them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, indentless=False)


def wanted(role: str) -> Iterator[tuple[Path, str]]:
    """Each file of ``role`` that is written from documentation, with what it should hold."""
    specs = ROOT / "roles" / role / "meta" / "argument_specs.yml"
    text = specs.read_text(encoding="utf-8")
    if (ROOT / "plugins" / "modules" / f"{role}.py").is_file():
        before, begin, rest = text.partition(BEGIN)
        _old, end, after = rest.partition(END)
        if not begin or not end:
            raise SystemExit(f"{specs} lacks the comments between which the options are written:\n{BEGIN}{END}")
        text = f"{before}{begin}{_dumped(role_options(role), 6)}{end}{after}"
        yield specs, text
    options = yaml.safe_load(text)["argument_specs"]["main"]["options"]
    defaults = {name: option["default"] for name, option in options.items() if "default" in option}
    head = "# Written by tools/role-spec; what each of them means: ansible-doc -t role"
    yield ROOT / "roles" / role / "defaults" / "main.yml", f"---\n{head} meshops.lifecycle.{role}\n{_dumped(defaults, 0)}"


def main() -> int:
    check = sys.argv[1:] == ["--check"]
    behind = 0
    for specs in sorted((ROOT / "roles").glob("*/meta/argument_specs.yml")):
        for path, text in wanted(specs.parents[1].name):
            if path.exists() and path.read_text(encoding="utf-8") == text:
                continue
            behind += 1
            if not check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            print(f"{path.relative_to(ROOT)} {'is behind the documentation: run tools/role-spec' if check else 'written'}")
    return 1 if check and behind else 0


if __name__ == "__main__":
    sys.exit(main())
