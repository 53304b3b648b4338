# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a request wants, from its form alone: the name of the operation, the bucket and the key."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qs, unquote

from .signature import Asked

_REGION_IN_HOST = re.compile(r"(?:(?P<bucket>.+)\.)?(?P<service>s3|ec2|sts|route53)(?:\.(?P<region>[a-z]+-[a-z]+-\d))?\.amazonaws\.com")
_S3_KEY = {"PUT": "PutObject", "GET": "GetObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}
_S3_BUCKET = {"PUT": "CreateBucket", "HEAD": "HeadBucket", "DELETE": "DeleteBucket", "GET": "ListObjects"}
_ROUTE_53 = (
    ("GET", r"hostedzone", "ListHostedZones"),
    ("GET", r"hostedzonesbyname", "ListHostedZonesByName"),
    ("POST", r"hostedzone", "CreateHostedZone"),
    ("GET", r"hostedzone/[^/]+", "GetHostedZone"),
    ("GET", r"hostedzone/[^/]+/rrset", "ListResourceRecordSets"),
    ("POST", r"hostedzone/[^/]+/rrset/?", "ChangeResourceRecordSets"),
)


class Place(NamedTuple):
    """What the name that was asked for says; all empty for an address."""

    service: str = ""
    region: str = ""
    bucket: str = ""

    @property
    def named(self) -> bool:
        """Whether it was one of AWS' own names."""
        return bool(self.service)


class Wanted(NamedTuple):
    """An operation; ``bucket`` and ``key`` are those of S3."""

    service: str
    operation: str
    bucket: str = ""
    key: str = ""


def place_of(host: str) -> Place:
    """What a Host header says."""
    found = _REGION_IN_HOST.fullmatch(host.partition(":")[0])
    return Place(found["service"], found["region"] or "", found["bucket"] or "") if found else Place()


def wanted(asked: Asked, body: bytes, service: str, place: Place) -> Wanted:
    """The operation, named as in the service's documentation as far as tests care."""
    if service == "s3":
        return _s3(asked, place)
    if service == "route53":
        path = asked.path.strip("/").partition("/")[2]
        return Wanted(
            service, next((name for method, form, name in _ROUTE_53 if method == asked.method and re.fullmatch(form, path)), asked.method)
        )
    action = parse_qs(body.decode(errors="replace")).get("Action") or [asked.query.get("Action", asked.method)]
    return Wanted(service, action[0])


def _s3(asked: Asked, place: Place) -> Wanted:
    if place.bucket:
        bucket, key = place.bucket, unquote(asked.path[1:])
    else:
        bucket, _slash, key = unquote(asked.path[1:]).partition("/")
    query, method = asked.query, asked.method
    if not bucket:
        operation = "ListBuckets"
    elif "partNumber" in query and method == "PUT":
        operation = "UploadPart"
    elif "uploads" in query:
        operation = "CreateMultipartUpload" if method == "POST" else "ListMultipartUploads"
    elif "uploadId" in query:
        operation = {"POST": "CompleteMultipartUpload", "DELETE": "AbortMultipartUpload"}.get(method, "ListParts")
    elif key:
        operation = _S3_KEY.get(method, method)
    elif settings := [name for name, value in query.items() if not value and name[:1].islower() and "-" not in name]:
        operation = f"{method.capitalize()}Bucket{settings[0][0].upper()}{settings[0][1:]}"
    else:
        operation = _S3_BUCKET.get(method, method)
    return Wanted("s3", operation, bucket, key)
