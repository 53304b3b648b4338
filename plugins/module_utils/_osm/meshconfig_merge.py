# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Completing a MeshConfig for another version: new keys come in, nobody's setting is moved.

osm-bootstrap writes the preset into the MeshConfig only when there is none (osm-edge v1.3.9
cmd/osm-bootstrap/osm-bootstrap.go ``ensureMeshConfig``), so after an upgrade the keys of the new version are missing and
the sidecar image is the one of the first installation.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.images import is_one_of, moved_to, read_image
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_spec import (
    Change,
    Path,
    Spec,
    differences,
    element_key,
    element_name,
    find_element,
    is_zero,
    join,
    leaves,
    overlay,
    same,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM, Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.releases import SidecarImage, default_sidecar_images
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding, Severity
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

_MISSING: Any = object()

# Defaults that would open the mesh if they moved a live value (osm-edge: false in 1.1, true since 1.2).
_OPENS_THE_MESH: dict[Path, str] = {
    ("traffic", "enablePermissiveTrafficPolicyMode"): "the new default lets every service talk to every other one without a policy",
    ("traffic", "enableEgress"): "the new default lets pods reach everything outside the mesh",
}

# Values that mean the same under another name. The controller of fsm 1.5 starts its sidecar driver only for ``PodLevel``
# (fsm v1.5.1 cmd/fsm-controller/fsm-controller.go, pkg/constants/constants.go), which was ``iptables`` until 1.4.
_RENAMED: dict[tuple[str, Path], tuple[tuple[str, str], ...]] = {
    (FSM.id, ("traffic", "interceptionMode")): (("iptables", "PodLevel"),),
}

# Made anew by every rendering (chart fsm 1.5.1 templates/preset-mesh-config.yaml ``uuidv4``): the live one is the cluster's identity.
_GENERATED: frozenset[Path] = frozenset({("clusterSet", "uid")})


class MergeResult(NamedTuple):
    """The completed spec, every value in it that differs from the live one, and what was left as it is and why."""

    spec: dict[str, Any]
    changes: list[Change]
    findings: list[Finding]


def merge(
    live_spec: Spec,
    old_preset_spec: Spec | None,
    new_preset_spec: Spec,
    user_spec: Spec | None,
    product: Product,
    *,
    target_version: str = "",
    namespace: str = "",
    downgrade: bool = False,
) -> MergeResult:
    """Complete ``live_spec`` for the version whose preset is ``new_preset_spec``.

    * A key that live lacks is added from the new preset. Where the *old* preset had a zero value, an absent key is that
      zero (Go's typed client leaves zeros out): it is no gap, and a new default does not move it. The zero is then
      written out, because a later run, whose old preset is this new one, could not tell any more.
    * A key that live has stays, except a value that the target version calls by another name, and a sidecar image that is
      still the default of a release before ``target_version`` (with ``downgrade``: of any other release), or the old
      preset's; registry and mirror are kept.
    * ``user_spec`` (a partial spec) wins over everything.
    * Nothing is removed. A changed default that is not applied becomes a finding ``changed-default-not-applied``.

    ``old_preset_spec`` is None when it is not known: then absent booleans count as false, since they have no other state.
    Raises LifecycleError for a ``user_spec`` with nulls or nameless list elements. The inputs are not changed.
    """
    user = user_spec or {}
    target = ObjectRef("MeshConfig", product.mesh_config_name, namespace)
    defaults = default_sidecar_images(product, before=target_version, newer_too=downgrade) | _images_of(old_preset_spec, product)
    completion = _Completion(old_preset_spec, new_preset_spec, live_spec, product, defaults, target)
    spec = copy.deepcopy(dict(live_spec))
    # Before, so that elements which the user brings in are completed; after, so that none of the rules touches what was given.
    overlay(spec, user)
    completion.fill(spec, old_preset_spec if old_preset_spec is not None else _MISSING, new_preset_spec, ())
    overlay(spec, user)
    given = leaves(user)
    changes = [
        Change(join(path), before, after, completion.why(path) if not _covered(path, given) else "given in mesh_config")
        for path, before, after in differences(live_spec, spec)
    ]
    return MergeResult(spec, changes, [finding for path, finding in completion.findings if not _covered(path, given)])


def _covered(path: Path, given: list[Path]) -> bool:
    return any(path == other[: len(path)] or other == path[: len(other)] for other in given)


def _images_of(preset: Spec | None, product: Product) -> frozenset[SidecarImage]:
    """Return the sidecar images that a preset names: what a chart that is in no table had as its default."""
    sidecar = (preset or {}).get("sidecar") or {}
    named = [sidecar, *(driver for driver in sidecar.get("sidecarDrivers") or () if isinstance(driver, Mapping))]
    images = [read_image(str(item[product.sidecar_image_field])) for item in named if item.get(product.sidecar_image_field)]
    return frozenset(SidecarImage(image.repository, image.tag) for image in images if image.tag)


class _Completion:
    """One run of the rules; collects the reasons of what it adds and the findings about what it leaves."""

    def __init__(
        self, old: Spec | None, new: Spec, live: Spec, product: Product, image_defaults: frozenset[SidecarImage], target: ObjectRef
    ) -> None:
        self.findings: list[tuple[Path, Finding]] = []
        self._old_is_known = old is not None
        self._new = new
        self._live = live
        self._product = product
        self._target = target
        self._image_defaults = image_defaults
        self._whys: dict[Path, str] = {}

    def why(self, path: Path) -> str:
        """Why the value at ``path`` (or a map around it) was written."""
        return next((self._whys[path[:length]] for length in range(len(path), 0, -1) if path[:length] in self._whys), "")

    def fill(self, live: dict[str, Any], old: Any, new: Spec, path: Path) -> None:
        """Apply the rules to one map of the spec, in place."""
        for key, new_value in new.items():
            here = (*path, key)
            old_value = old.get(key, _MISSING) if isinstance(old, Mapping) else _MISSING
            live_value = live.get(key)
            if here in _GENERATED and live_value:
                continue
            if live_value is None:
                value, is_gap = self._whole(old_value, new_value, here)
                if is_gap:
                    live[key] = value
                    self._whys.setdefault(here, "missing in the live MeshConfig, taken from the target version's preset")
            elif isinstance(live_value, dict) and isinstance(new_value, Mapping):
                self.fill(live_value, old_value, new_value, here)
            elif isinstance(live_value, list) and isinstance(new_value, list) and element_key(here) is not None:
                self._fill_elements(live_value, old_value, new_value, here)
            else:
                self._keep_or_move(live, key, old_value, new_value, here)

    def _whole(self, old_value: Any, new_value: Any, path: Path) -> tuple[Any, bool]:
        """Return the value of an absent key, should it be written, and whether it has to be.

        A map is written complete as soon as one of its keys has to be: the CRD may require the others.
        """
        if isinstance(new_value, Mapping):
            old_map = old_value if isinstance(old_value, Mapping) else {}
            parts = {key: self._whole(old_map.get(key, _MISSING), value, (*path, key)) for key, value in new_value.items()}
            new_and_empty = not new_value and old_value is _MISSING and self._old_is_known
            return {key: value for key, (value, dummy) in parts.items()}, any(is_gap for dummy, is_gap in parts.values()) or new_and_empty
        if element_key(path) is not None and new_value:
            return copy.deepcopy(new_value), True
        if old_value is _MISSING and not self._old_is_known:
            if new_value is True:
                return self._kept_zero(path, new_value), True
            return copy.deepcopy(new_value), not is_zero(new_value)
        if old_value is not _MISSING and is_zero(old_value):
            return (copy.deepcopy(new_value), False) if is_zero(new_value) else (self._kept_zero(path, new_value), True)
        return copy.deepcopy(new_value), True

    def _kept_zero(self, path: Path, new_value: Any) -> Any:
        zero = type(new_value)()
        self._whys[path] = "absent has meant this value so far; written out because the chart's default is another one now"
        self._not_applied(path, zero, zero, new_value)
        return zero

    def _fill_elements(self, live: list[Any], old: Any, new: list[Any], path: Path) -> None:
        for element in new:
            name = element_name(path, element)
            here, at, old_at = (*path, f"[{name}]"), find_element(path, live, name), find_element(path, old, name)
            if at is not None:
                self.fill(live[at], old[old_at] if old_at is not None else _MISSING, element, here)
            elif old_at is not None or not self._old_is_known:
                self._left_out(here, element)
            elif name:
                live.append(copy.deepcopy(element))
                self._whys[here] = "new in the target version's preset"

    def _keep_or_move(self, live: dict[str, Any], key: str, old_value: Any, new_value: Any, path: Path) -> None:
        live_value = live[key]
        if path[0] == "sidecar" and key == self._product.sidecar_image_field and isinstance(live_value, str):
            image = read_image(live_value)
            wanted = str(new_value or self._image_of_class())
            if is_one_of(image, self._image_defaults) and wanted:
                moved = moved_to(image, read_image(wanted))
                live[key] = str(moved)
                self._whys[path] = f"still the default sidecar image of another {self._product.title} release"
                if moved.registry and moved != image and not read_image(wanted).registry:
                    self._image_needed(path, live_value, live[key])
                return
        for names in _RENAMED.get((self._product.id, path), ()):
            if live_value in names and new_value in names and live_value != new_value:
                live[key] = new_value
                self._whys[path] = f"the target version calls {live_value} so"
                return
        if old_value is not _MISSING and not same(old_value, new_value) and not same(live_value, new_value):
            self._not_applied(path, live_value, old_value, new_value)

    def _image_of_class(self) -> Any:
        """The image that the target version's preset gives to the live sidecar class through its drivers."""
        drivers = ("sidecar", "sidecarDrivers")
        sidecar = self._new.get("sidecar") or {}
        name = (self._live.get("sidecar") or {}).get("sidecarClass") or sidecar.get("sidecarClass") or ""
        at = find_element(drivers, sidecar.get("sidecarDrivers"), str(name).lower())
        return "" if at is None else sidecar["sidecarDrivers"][at].get("sidecarImage", "")

    def _not_applied(self, path: Path, live_value: Any, old_value: Any, new_value: Any) -> None:
        untouched = same(live_value, old_value) or (is_zero(live_value) and is_zero(old_value))
        severity: Severity = "warning" if untouched else "info"
        why = _OPENS_THE_MESH.get(path, "an upgrade adds what is missing and never moves a value that the mesh runs with")
        past = f"changed from {_text(old_value)} to" if self._old_is_known else "of before is not known, now it is"
        what = f"{join(path)} stays {_text(live_value)}; the chart's default {past} {_text(new_value)}"
        self._note(severity, "changed-default-not-applied", path, what, why, f"to take the new default, set {_option(path, new_value)}")

    def _left_out(self, path: Path, element: Any) -> None:
        known = "somebody removed it: the earlier preset had it"
        if not self._old_is_known:
            known = "somebody may have removed it: the earlier preset is not known"
        what = f"{join(path)} is in the target version's preset but not in the live list"
        remedy = f"to have it, set {_option(path[:-1], [element])}"
        self._note("info" if self._old_is_known else "warning", "removed-element-not-restored", path, what, known, remedy)

    def _image_needed(self, path: Path, before: str, after: str) -> None:
        what = f"{join(path)} goes from {before} to {after}, in the same registry"
        why = "new pods cannot start if that registry does not have the image"
        remedy = f"copy {after} to the registry before pods are restarted, or set another image in mesh_config"
        self._note("warning", "mirrored-sidecar-image", path, what, why, remedy)

    def _note(self, severity: Severity, code: str, path: Path, what: str, why: str, remedy: str) -> None:
        self.findings.append((path, Finding(severity, code, self._target, what, why, remedy)))


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _option(path: Path, value: Any) -> str:
    """Write a value as the ``mesh_config`` option that sets it."""
    wrapped = value
    for at in range(len(path) - 1, -1, -1):
        part = path[at]
        wrapped = [{element_key(path[:at]) or "": part[1:-1], **wrapped}] if part.startswith("[") else {part: wrapped}
    return f"mesh_config: {_text(wrapped)}"


def gaps(live_spec: Spec, preset_spec: Spec, path: Path = ()) -> list[str]:
    """Return the paths of the version's preset that live lacks, each the outermost absent key.

    A key whose preset value is a zero is no gap: Go's typed client leaves it out, and absent has the same effect.
    """
    found: list[str] = []
    for key, wanted in preset_spec.items():
        here, value = (*path, key), live_spec.get(key)
        if value is None:
            found += [] if is_zero(wanted) else [join(here)]
        elif isinstance(value, Mapping) and isinstance(wanted, Mapping):
            found += gaps(value, wanted, here)
        elif isinstance(value, list) and isinstance(wanted, list) and element_key(here) is not None:
            for element in wanted:
                at = find_element(here, value, element_name(here, element))
                found += [] if at is None else gaps(value[at], element, (*here, f"[{element_name(here, element)}]"))
    return found


def lost_settings(live_spec: Spec, old_preset_spec: Spec | None, new_preset_spec: Spec, version: str, target: ObjectRef) -> list[Finding]:
    """Return a warning for each value that somebody set and that the older ``version`` does not know: its definition drops it."""
    found = []
    for path in leaves(live_spec):
        value, default = _at(live_spec, path), _at(old_preset_spec or {}, path)
        if default is not _MISSING and _at(new_preset_spec, path) is _MISSING and not same(value, default):
            what = f"{join(path)}: {_text(value)} is lost, {version} does not know this setting"
            why = "the definition of the older version drops it when the MeshConfig is written"
            found.append(Finding("warning", "setting-lost", target, what, why, "note it, and set it again after the next upgrade"))
    return found


def _at(spec: Any, path: Path) -> Any:
    """Return the value at a path whose parts in brackets are names of list elements, or _MISSING."""
    for number, part in enumerate(path):
        if part.startswith("["):
            at = find_element(path[:number], spec, part[1:-1])
            spec = _MISSING if at is None else spec[at]
        else:
            spec = spec.get(part, _MISSING) if isinstance(spec, Mapping) else _MISSING
        if spec is _MISSING:
            return _MISSING
    return spec
