# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names of a hosted cluster in Route 53, and which external-dns they belong to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.errors import aws_error
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.session import Aws
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

NameKind = Literal["absent", "owned", "foreign", "unowned", "txt-only"]
RecordSet = Mapping[str, Any]

_ADDRESSES = ("A", "AAAA", "CNAME")
# HyperShift's external-dns runs with --txt-suffix=-external-dns (hypershift cmd/install/assets/hypershift_operator.go); the suffix is
# that of the first label, which newer versions begin with the type of the record (external-dns registry/txt).
_SUFFIX = "-external-dns"
_TYPES = ("", *(kind.lower() for kind in _ADDRESSES))
# Where a prefix or suffix of one's own has the type, which then is not before the label.
_TYPE = "%{record_type}"
_OCTAL = re.compile(r"\\([0-7]{3})")
_OWNER = re.compile(r"(?:^|,)external-dns/owner=([^,]*)")


class NameState(NamedTuple):
    """A name: ``owner`` is what its TXT record says, ``target`` where the first of its records leads.

    ``absent``: neither a record nor a TXT; ``owned``: a record with an owner; ``foreign``: with another one than was expected;
    ``unowned``: a record that no external-dns has marked; ``txt-only``: the mark of an owner without a record.
    """

    name: str
    state: NameKind
    owner: str
    target: str


def records(
    aws: Aws, zone_id: str | None, hostnames: Iterable[str], *, expected_owner: str = "", prefix: str = "", suffix: str = ""
) -> list[NameState]:
    """Return the state of each of ``hostnames``; ``zone_id`` None: of the public zone that each is in.

    ``prefix`` and ``suffix`` are what this management cluster's external-dns gives the names of its TXT records.
    Raises AwsError, and LifecycleError when no zone or more than one has a name.
    """
    wanted = [normalised(name) for name in dict.fromkeys(hostnames)]
    try:
        route53 = aws.client("route53")
        zones = [] if zone_id else _zones(route53)
        places = {name: zone_id or zone_of(name, zones) for name in wanted}
        found = {zone: _record_sets(route53, zone) for zone in sorted(set(places.values()))}
    except Exception as error:
        raise aws_error(error, "reading the names of the hosted cluster in Route 53", None) from error
    return [name_state(name, found[places[name]], expected_owner, prefix=prefix, suffix=suffix) for name in wanted]


def normalised(name: str) -> str:
    r"""Return a name in lower case, without the last dot, and with ``\052`` as ``*``."""
    plain = _OCTAL.sub(_unescaped, name).lower()
    return plain[:-1] if plain.endswith(".") else plain


def zone_of(name: str, zones: Sequence[Mapping[str, Any]]) -> str:
    """Return the id of the public zone whose name is the longest end of ``name``; raises LifecycleError."""
    public = [zone for zone in zones if not (zone.get("Config") or {}).get("PrivateZone")]
    ends = [zone for zone in public if name == normalised(zone["Name"]) or name.endswith(f".{normalised(zone['Name'])}")]
    longest = max((len(normalised(zone["Name"])) for zone in ends), default=0)
    best = [str(zone["Id"]).rpartition("/")[2] for zone in ends if len(normalised(zone["Name"])) == longest]
    if len(best) == 1:
        return best[0]
    raise LifecycleError(
        f"The public zone of {name} is not known",
        object=ObjectRef("DNS name", name),
        why=f"it would be in each of {', '.join(sorted(best))}" if best else "no zone of this account has it",
        next="check the credentials: they must be of the account that has the zone",
    )


def name_state(
    name: str, record_sets: Mapping[str, Sequence[RecordSet]], expected_owner: str = "", *, prefix: str = "", suffix: str = ""
) -> NameState:
    """Return the state of ``name`` (normalised) among all record sets of its zone, by normalised name."""
    addresses = [one for one in record_sets.get(name, ()) if one["Type"] in _ADDRESSES]
    texts = text_names(name, prefix, suffix)
    owners = sorted({owner for text_name in texts for one in record_sets.get(text_name, ()) for owner in _owners(one)})
    target = _target(addresses[0]) if addresses else ""
    owner = next((found for found in owners if found != expected_owner), owners[0] if owners else "")
    if not addresses:
        return NameState(name, "txt-only" if owners else "absent", owner, "")
    if not owners:
        return NameState(name, "unowned", "", target)
    return NameState(name, "foreign" if expected_owner and owner != expected_owner else "owned", owner, target)


def text_names(name: str, prefix: str = "", suffix: str = "") -> tuple[str, ...]:
    """Return the names that the TXT records of an owner of ``name`` may have: one with these settings, or with the usual ones."""
    label, dot, rest = name.partition(".")
    found: dict[str, None] = {}
    for before, after in ((prefix.lower(), suffix.lower()), ("", _SUFFIX), ("", "")):
        for kind in _TYPES:
            typed = f"{kind}-{label}" if kind and _TYPE not in before + after else label
            found[f"{before.replace(_TYPE, kind)}{typed}{after.replace(_TYPE, kind)}{dot}{rest}"] = None
    return tuple(found)


def _zones(route53: Any) -> list[Mapping[str, Any]]:
    return [zone for page in route53.get_paginator("list_hosted_zones").paginate() for zone in page["HostedZones"]]


def _record_sets(route53: Any, zone_id: str) -> dict[str, list[RecordSet]]:
    """Read a zone in pages of 300: Route 53 takes five requests a second, and each name could have eight others."""
    found: dict[str, list[RecordSet]] = {}
    for page in route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone_id):
        for one in page["ResourceRecordSets"]:
            found.setdefault(normalised(one["Name"]), []).append(one)
    return found


def _owners(record_set: RecordSet) -> list[str]:
    if record_set["Type"] != "TXT":
        return []
    texts = [re.sub(r'"\s*"', "", str(record["Value"])).strip('"') for record in record_set.get("ResourceRecords") or ()]
    return [match[1] for text in texts if text.startswith("heritage=external-dns,") and (match := _OWNER.search(text))]


def _target(record_set: RecordSet) -> str:
    alias = (record_set.get("AliasTarget") or {}).get("DNSName")
    values = [str(record["Value"]) for record in record_set.get("ResourceRecords") or ()]
    return normalised(alias or (values[0] if values else ""))


def _unescaped(match: re.Match[str]) -> str:
    return chr(int(match[1], 8))
