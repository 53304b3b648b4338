# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which values a Helm release has after an upgrade, decided before Helm is asked.

Helm is always run with ``--reset-values`` and one values file, so what is decided here is exactly what the release gets.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_spec import same
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.schema_check import Schema, Violation, nearest, violations
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.value_successors import instead_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Refused
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

Values = Mapping[str, Any]
Policy = Literal["reset_then_reuse", "reset", "reuse"]

# Names of objects that others refer to: a chart's default in their place would abandon the old ones.
_KEPT_NAMES: tuple[tuple[str, ...], ...] = (
    ("enforceSingleMesh",),
    ("caBundleSecretName",),
    ("webhookConfigNamePrefix",),
    ("validatorWebhook", "webhookConfigurationName"),
)


class Pin(NamedTuple):
    """A value that the release must keep, and why."""

    path: str
    value: Any
    why: str


class Pinned(NamedTuple):
    """Values with their pins, and those pins that made a difference."""

    values: dict[str, Any]
    pins: list[Pin]


class Carried(NamedTuple):
    """Values that fit the target chart, and the keys (as paths) that were left behind because it does not know them."""

    values: dict[str, Any]
    dropped: list[str]


def deep_merge(base: Values, over: Values) -> dict[str, Any]:
    """Lay ``over`` onto ``base``: maps are merged, everything else (lists, null) is replaced. Nothing is shared with the inputs."""
    merged = copy.deepcopy(dict(base))
    for key, value in over.items():
        present = merged.get(key)
        merged[key] = deep_merge(present, value) if isinstance(present, dict) and isinstance(value, Mapping) else copy.deepcopy(value)
    return merged


def coalesced(defaults: Values, user_values: Values) -> dict[str, Any]:
    """Return what the templates see: the chart's defaults with the user's values over them; a null takes a default away."""
    return _without_nulls(deep_merge(defaults, user_values))


def _without_nulls(values: Values) -> dict[str, Any]:
    return {key: _without_nulls(value) if isinstance(value, Mapping) else value for key, value in values.items() if value is not None}


def effective_user_values(policy: Policy, old_user_values: Values, old_defaults: Values, new_user_values: Values) -> dict[str, Any]:
    """Return the user-supplied values that the release gets, before pins and before keys are dropped.

    * ``reset_then_reuse``: what users supplied so far, with this call's values over it; the target chart's defaults below.
    * ``reset``: this call's values only (as ``osm mesh upgrade`` does).
    * ``reuse``: every setting as it is now, defaults of the present chart included, with this call's values over it. Unlike
      helm v3 ``reuseValues`` (pkg/action/upgrade.go) it leaves out default images and tags: carried over, the new chart
      would run the old release.
    """
    if policy == "reset":
        return deep_merge({}, new_user_values)
    carried = old_user_values if policy == "reset_then_reuse" else coalesced(_without_images(old_defaults), old_user_values)
    return deep_merge(carried, new_user_values)


def _without_images(defaults: Values) -> dict[str, Any]:
    kept = {}
    for key, value in defaults.items():
        names_image = key in ("tag", "digest", "sidecarDrivers") or (key.lower().endswith("image") and isinstance(value, str))
        if not names_image:
            kept[key] = _without_images(value) if isinstance(value, Mapping) else value
    return kept


def pin_installer_values(
    values: Values,
    product: Product,
    *,
    mesh_name: str,
    osm_namespace: str,
    release_namespace: str,
    old_user_values: Values,
    passed_values: Values,
) -> Pinned:
    """Put back what the installer set, whatever the policy: without it an upgrade renames the mesh or abandons objects.

    ``osm install`` sets ``meshName`` and ``enforceSingleMesh`` (osm-edge v1.3.9 cmd/cli/install.go ``resolveValues``); a chart
    rendered without them makes webhooks for a mesh called ``osm``. Raises Refused when ``passed_values`` (what the user gave
    in this call) name another mesh or another namespace.
    """
    root = product.values_root
    _refuse_move(passed_values, (root, "meshName"), mesh_name, "enrolled namespaces, certificates and webhooks carry the mesh's name")
    _refuse_move(passed_values, (root, product.namespace_value), osm_namespace, "the whole control plane would be created a second time")
    wanted: list[tuple[tuple[str, ...], Any, str]] = [((root, "meshName"), mesh_name, "the mesh keeps its name")]
    if osm_namespace != release_namespace or _get(old_user_values, (root, product.namespace_value)):
        wanted.append(((root, product.namespace_value), osm_namespace, "the mesh stays in its namespace"))
    for name in _KEPT_NAMES:
        path = (root, *name)
        was = _get(old_user_values, path)
        if was is not None and _get(passed_values, path) is None:
            wanted.append((path, was, "set when the mesh was installed"))
    pinned = deep_merge({}, values)
    pins = [Pin(".".join(path), value, why) for path, value, why in wanted if not same(_get(pinned, path), value)]
    for path, value, dummy in wanted:
        _set(pinned, path, value)
    return Pinned(pinned, pins)


def _refuse_move(passed: Values, path: tuple[str, ...], current: str, why: str) -> None:
    given = _get(passed, path)
    if given is not None and given != current and not (given == "" and path[-1] != "meshName"):
        raise Refused(
            f"The value {'.'.join(path)} must stay {current}, not {given}",
            why=why,
            state="nothing was written",
            next=f"leave {'.'.join(path)} out of the values; a mesh is renamed or moved by installing another one",
        )


def carry_over(values: Values, passed_values: Values, schema: Schema | None) -> Carried:
    """Leave out of ``values`` what the target chart's schema does not know, unless the user gave it in this call.

    Keys in ``passed_values`` stay, so that ``schema_violations`` reports them as errors.
    """
    kept, dropped = deep_merge({}, values), []
    for violation in violations(values, schema or {}, required=False):
        path = violation.path
        if violation.kind == "unknown" and not any(part.startswith("[") for part in path) and not _has(passed_values, path):
            _delete(kept, path)
            dropped.append(".".join(path))
    return Carried(kept, dropped)


def dropped_findings(dropped: list[str], release: ObjectRef, chart_version: str, old_user_values: Values) -> list[Finding]:
    """Say for each dropped key what it was and where the setting is now.

    Keys that nobody supplied (defaults of the old chart, under ``reuse``) are no loss and are not named.
    """
    found = []
    for path in dropped:
        root, *parts = path.split(".")
        if _has(old_user_values, (root, *parts)):
            what, why = f"the value {path} is not carried over", f"chart {chart_version} has no such key and refuses it"
            remedy = instead_of(root, ".".join(parts), _get(old_user_values, (root, *parts)), chart_version)
            found.append(Finding("warning", "value-dropped", release, what, why, remedy))
    return found


def schema_violations(values: Values, schema: Schema | None) -> list[Violation]:
    """Return where ``values`` break the chart's ``values.schema.json``; give it coalesced values, as Helm does."""
    return violations(values, schema or {})


def describe(violation: Violation) -> str:
    """Return one line about a violation of the chart's schema: the key path, what is wrong, and the nearest keys.

    A map, a list or a text in it may hold a secret, so only its kind is named unless the schema lists what is allowed.
    """
    where, value = violation.where, _shown(violation)
    if violation.kind == "unknown":
        hint = f": did you mean {' or '.join(violation.nearest)}?" if violation.nearest else ""
        return f"{where}: the chart has no such key{hint}"
    if violation.kind == "missing":
        return f"{where}: required by the chart"
    if violation.kind == "type":
        return f"{where}: {value} is not of type {' or '.join(violation.expected)}"
    if violation.kind == "enum":
        return f"{where}: {value} is not one of {', '.join(json.dumps(item) for item in violation.expected)}"
    if violation.kind == "pattern":
        return f"{where}: {value} does not match {violation.expected}"
    if violation.kind == "choice":
        return f"{where}: {value} fits none of the allowed forms"
    low, high = violation.expected
    limits = [text for text, limit in ((f"at least {low}", low), (f"at most {high}", high)) if limit is not None]
    return f"{where}: {value} must {'have' if violation.kind == 'size' else 'be'} {' and '.join(limits)}"


def unread_values(passed_values: Values, defaults: Values, release: ObjectRef) -> list[Finding]:
    """Warn about top-level keys given in this call that the chart does not have: Helm takes them and nothing reads them."""
    found = []
    for key in (key for key in passed_values if key not in defaults and key != "global"):
        under = [f"{root}.{key}" for root, part in defaults.items() if isinstance(part, Mapping) and key in part]
        meant = under or nearest(key, defaults)
        remedy = f"did you mean {' or '.join(meant)}?" if meant else f"the chart's top-level keys: {', '.join(sorted(defaults))}"
        found.append(Finding("warning", "value-without-effect", release, f"the chart has no value {key}", "no template reads it", remedy))
    return found


def _shown(violation: Violation) -> str:
    value = violation.value
    if violation.kind == "enum" or value is None or isinstance(value, (bool, int, float)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return "this map" if isinstance(value, Mapping) else "this list" if isinstance(value, list) else "this text"


def _get(values: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values


def _has(values: Any, path: tuple[str, ...]) -> bool:
    parent = _get(values, path[:-1])
    return isinstance(parent, Mapping) and path[-1] in parent


def _set(values: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for key in path[:-1]:
        if not isinstance(values.get(key), dict):
            values[key] = {}
        values = values[key]
    values[path[-1]] = copy.deepcopy(value)


def _delete(values: dict[str, Any], path: tuple[str, ...]) -> None:
    parent = _get(values, path[:-1])
    if isinstance(parent, dict):
        parent.pop(path[-1], None)
