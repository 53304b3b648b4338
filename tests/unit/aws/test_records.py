# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who owns a name in Route 53."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.records import (
    name_state,
    normalised,
    text_names,
    zone_of,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError

NAME = "api-prod.example.com"


def address(name: str = NAME, target: str = "LB.example.net.") -> dict[str, Any]:
    """A record that leads somewhere."""
    return {"Name": f"{name}.", "Type": "CNAME", "ResourceRecords": [{"Value": target}]}


def mark(name: str, owner: str) -> dict[str, Any]:
    """What external-dns writes beside it."""
    value = f'"heritage=external-dns,external-dns/owner={owner},external-dns/resource=route/clusters-prod/api"'
    return {"Name": f"{name}.", "Type": "TXT", "ResourceRecords": [{"Value": value}]}


def zone(*record_sets: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Record sets by name."""
    found: dict[str, list[dict[str, Any]]] = {}
    for one in record_sets:
        found.setdefault(normalised(one["Name"]), []).append(one)
    return found


@pytest.mark.parametrize(
    ("record_sets", "state", "owner"),
    [
        ([], "absent", ""),
        ([address(), mark("api-prod-external-dns.example.com", "a")], "owned", "a"),
        ([address(), mark("cname-api-prod-external-dns.example.com", "a")], "owned", "a"),
        ([address(), mark("api-prod.example.com", "a")], "owned", "a"),
        ([address(), mark("api-prod-external-dns.example.com", "b")], "foreign", "b"),
        ([address(), mark("api-prod-external-dns.example.com", "a"), mark("cname-api-prod-external-dns.example.com", "b")], "foreign", "b"),
        ([address()], "unowned", ""),
        ([address(), {"Name": NAME, "Type": "TXT", "ResourceRecords": [{"Value": '"v=spf1 -all"'}]}], "unowned", ""),
        ([mark("api-prod-external-dns.example.com", "a")], "txt-only", "a"),
        # Other names that begin or end alike.
        (
            [address("api-prod-2.example.com"), address("xapi-prod.example.com"), mark("api-prod-2-external-dns.example.com", "a")],
            "absent",
            "",
        ),
    ],
)
def test_a_name_belongs_to_whoever_its_text_says(record_sets: list[dict[str, Any]], state: str, owner: str) -> None:
    found = name_state(NAME, zone(*record_sets), "a")
    assert (found.name, found.state, found.owner) == (NAME, state, owner)
    assert found.target == ("lb.example.net" if state in ("owned", "foreign", "unowned") else "")


def test_any_owner_will_do_when_none_is_expected() -> None:
    assert name_state(NAME, zone(address(), mark("api-prod-external-dns.example.com", "b"))).state == "owned"


def test_aliases_lead_somewhere_too() -> None:
    alias = {"Name": f"{NAME}.", "Type": "A", "AliasTarget": {"DNSName": "dualstack.LB.example.net."}}
    assert name_state(NAME, zone(alias)).target == "dualstack.lb.example.net"


def test_long_texts_come_in_pieces() -> None:
    text = mark("api-prod-external-dns.example.com", "a")
    value = text["ResourceRecords"][0]["Value"]
    text["ResourceRecords"][0]["Value"] = f'{value[:30]}" "{value[30:]}'
    assert name_state(NAME, zone(address(), text)).owner == "a"


def test_names_are_compared_as_dns_does() -> None:
    assert normalised(r"\052.Apps.Example.COM.") == "*.apps.example.com"
    assert "a-api-prod-external-dns.example.com" in text_names(NAME)
    assert "api-prod-external-dns.example.com" in text_names(NAME)


@pytest.mark.parametrize(
    ("prefix", "suffix", "text"),
    [
        ("_dns.", "", "_dns.api-prod.example.com"),
        ("_dns.", "", "_dns.cname-api-prod.example.com"),
        ("Mark-", "", "mark-cname-api-prod.example.com"),
        ("%{record_type}.txt-", "", "cname.txt-api-prod.example.com"),
        ("%{record_type}.txt-", "", ".txt-api-prod.example.com"),
        ("", "-mark", "cname-api-prod-mark.example.com"),
        ("", "-%{record_type}-mark", "api-prod-a-mark.example.com"),
        # Made before that was set.
        ("_dns.", "", "api-prod.example.com"),
        ("_dns.", "", "cname-api-prod-external-dns.example.com"),
    ],
)
def test_external_dns_may_have_been_told_how_texts_are_named(prefix: str, suffix: str, text: str) -> None:
    found = name_state(NAME, zone(address(), mark(text, "a")), "a", prefix=prefix, suffix=suffix)
    assert (found.state, found.owner) == ("owned", "a")


def test_a_text_that_nothing_says_the_name_of_is_no_mark() -> None:
    assert name_state(NAME, zone(address(), mark("_dns.api-prod.example.com", "a")), "a").state == "unowned"


ZONES = [
    {"Id": "/hostedzone/Z1", "Name": "example.com."},
    {"Id": "/hostedzone/Z2", "Name": "hosted.example.com.", "Config": {"PrivateZone": False}},
    {"Id": "/hostedzone/Z3", "Name": "in.hosted.example.com.", "Config": {"PrivateZone": True}},
    {"Id": "/hostedzone/Z4", "Name": "twice.example.com."},
    {"Id": "/hostedzone/Z5", "Name": "twice.example.com."},
]


def test_the_zone_of_a_name_is_the_closest_public_one() -> None:
    assert zone_of("api.in.hosted.example.com", ZONES) == "Z2"
    assert zone_of("api-prod.example.com", ZONES) == "Z1"
    assert zone_of("nothosted.example.com", ZONES) == "Z1"


@pytest.mark.parametrize(("name", "why"), [("api.example.org", "no zone"), ("api.twice.example.com", "Z4, Z5")])
def test_a_zone_that_is_not_certain_is_not_guessed(name: str, why: str) -> None:
    with pytest.raises(LifecycleError, match=why):
        zone_of(name, ZONES)
