# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AWS for a management cluster: moto behind a front that refuses what AWS refuses (standins/aws_front), in two processes.

>>> aws = Aws(cluster)
>>> aws.start()
>>> aws.create_bucket("backups")
>>> subprocess.run(..., env={**os.environ, **aws.environment(aws.session(900))})
>>> aws.add(Fault("SlowDown", operation="UploadPart", first=2, times=3))
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import shutil
import ssl
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import botocore.config
from sandboxlib import paths, processes
from sandboxlib.certificates import Authority, write_private
from sandboxlib.cluster import Cluster
from sandboxlib.errors import SandboxError
from sandboxlib.loopback import free_port
from standins.aws_front.answers import TOKEN_LENGTH, Keys
from standins.aws_front.server import ADMIN, REGIONS

from .shape import Machine, Shape

_MOTO, _FRONT = "aws-moto", "aws-front"
_SECONDS = 60.0
_BATCH = 50
REGION = "us-east-2"


class Credentials(NamedTuple):
    """Keys of an IAM user, or temporary ones with a token."""

    access_key: str
    secret: str
    token: str = ""


@dataclass(frozen=True)
class Fault:
    """What hits which requests: the fields are those of standins/aws_front/rules.py."""

    fault: str
    service: str = ""
    operation: str = ""
    bucket: str = ""
    key: str = ""
    at: int = 0
    first: int = 1
    every: int = 1
    times: int = 1


class Aws:
    """S3, Route 53, EC2 and STS of one account, while its processes run; they end with ``cluster``."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.directory = cluster.directory / "aws"

    # Running

    def start(self) -> None:
        """Start both processes, and wait until they answer; nothing happens when they run."""
        if self.alive:
            return
        self.directory.mkdir(mode=0o700, exist_ok=True)
        ports = {"moto": free_port(), "tls": free_port(), "proxy": free_port()}
        write_private(self.directory / "ports.json", json.dumps(ports).encode())
        names = ["localhost", "s3.amazonaws.com", "*.s3.amazonaws.com", "route53.amazonaws.com", "sts.amazonaws.com"]
        for region in REGIONS:
            names += [
                f"s3.{region}.amazonaws.com",
                f"*.s3.{region}.amazonaws.com",
                f"ec2.{region}.amazonaws.com",
                f"sts.{region}.amazonaws.com",
            ]
        certificate, key = Authority(self.directory).server(["127.0.0.1"], names)
        write_private(self.directory / "front.pem", certificate + key)
        user = {"AKIASANDBOX000000001": {"secret": secrets.token_hex(20)}}
        write_private(self._keys_file, json.dumps(user).encode())
        self._run(_MOTO, ["moto", str(ports["moto"])])
        ready = self.directory / "ready"
        ready.unlink(missing_ok=True)
        arguments = {
            "moto-port": ports["moto"],
            "port": ports["tls"],
            "proxy-port": ports["proxy"],
            "certificate": self.directory / "front.pem",
            "keys": self._keys_file,
            "ready-file": ready,
        }
        self._run(_FRONT, ["aws", *(f"--{name}={value}" for name, value in arguments.items())])
        self._wait(_FRONT, ready.exists)
        self._wait(_MOTO, lambda: _answers(ports["moto"]))
        self._cluster.record.save()

    @property
    def alive(self) -> bool:
        """Whether both processes run."""
        found = [processes.Process.load(self._cluster.layout.pid_file(name)) for name in (_MOTO, _FRONT)]
        return all(process is not None and process.alive for process in found)

    def stop(self) -> None:
        """End both and forget them; all that was stored is gone."""
        files = [self._cluster.layout.pid_file(name) for name in (_FRONT, _MOTO)]
        processes.stop([process for process in map(processes.Process.load, files) if process is not None], patience=1.0)
        for path in files:
            path.unlink(missing_ok=True)
        shutil.rmtree(self.directory, ignore_errors=True)
        self._cluster.record.save()

    def _run(self, name: str, command: list[str]) -> None:
        layout = self._cluster.layout
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOTO_"))}
        processes.start([str(paths.STANDINS / command[0]), *command[1:]], layout.log(name), layout.pid_file(name), environment)

    def _wait(self, name: str, ready: Any) -> None:
        deadline = time.monotonic() + _SECONDS
        process = self._cluster.process(name)
        while not ready():
            if not process.alive or time.monotonic() > deadline:
                raise SandboxError(f"{name} did not become ready:\n{processes.log_tail(self._cluster.layout.log(name))}")
            time.sleep(0.05)

    # Who may ask, and where

    @property
    def _ports(self) -> dict[str, int]:
        found: dict[str, int] = json.loads((self.directory / "ports.json").read_text(encoding="utf-8"))
        return found

    @property
    def _keys_file(self) -> Path:
        return self.directory / "keys.json"

    @property
    def endpoint(self) -> str:
        """The address of all services (``endpoint_url``, AWS_ENDPOINT_URL)."""
        return f"https://127.0.0.1:{self._ports['tls']}"

    @property
    def proxy(self) -> str:
        """The proxy (HTTPS_PROXY) behind which AWS' own names are these services."""
        return f"http://127.0.0.1:{self._ports['proxy']}"

    @property
    def ca_bundle(self) -> Path:
        """The authority of the certificates (``aws_ca_bundle``, AWS_CA_BUNDLE)."""
        return self.directory / "ca.crt"

    @property
    def user(self) -> Credentials:
        """The keys of an IAM user."""
        ((name, found),) = [item for item in json.loads(self._keys_file.read_text(encoding="utf-8")).items() if item[0].startswith("AKIA")]
        return Credentials(name, found["secret"])

    def session(self, seconds: float = 3600, token_length: int = TOKEN_LENGTH) -> Credentials:
        """Temporary keys that end in ``seconds`` (negative: that have ended)."""
        name, made = Keys(self._keys_file).add(seconds, token_length)
        return Credentials(name, made["secret"], made["token"])

    def environment(self, credentials: Credentials | None = None, *, own_names: bool = False, region: str = REGION) -> dict[str, str]:
        """What a process needs to get here with these credentials (default: the user's), and nowhere else.

        With ``own_names`` it asks AWS' own names, by way of the proxy.
        """
        used = credentials or self.user
        place = {"HTTPS_PROXY": self.proxy, "NO_PROXY": "127.0.0.1,localhost"} if own_names else {"AWS_ENDPOINT_URL": self.endpoint}
        return {
            **place,
            "AWS_CA_BUNDLE": str(self.ca_bundle),
            "AWS_ACCESS_KEY_ID": used.access_key,
            "AWS_SECRET_ACCESS_KEY": used.secret,
            **({"AWS_SESSION_TOKEN": used.token} if used.token else {}),
            "AWS_DEFAULT_REGION": region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str, credentials: Credentials | None = None, *, own_names: bool = False, region: str = REGION) -> Any:
        """A boto3 client that asks here, and does not try again."""
        used = credentials or self.user
        config: dict[str, Any] = {"retries": {"max_attempts": 0}, "max_pool_connections": 20}
        if own_names:
            config["proxies"] = {"https": self.proxy}
        session = boto3.session.Session(used.access_key, used.secret, used.token or None, region_name=region)
        endpoint = None if own_names else self.endpoint
        return session.client(service, endpoint_url=endpoint, verify=str(self.ca_bundle), config=botocore.config.Config(**config))

    # Faults, and what was asked

    def add(self, *faults: Fault) -> None:
        """Have these faults beside those that are there, whose counts begin again."""
        known = [{name: value for name, value in rule.items() if name not in ("seen", "hit")} for rule in self.faults()]
        self._ask("PUT", "rules", [*known, *(asdict(fault) for fault in faults)])

    def clear(self) -> None:
        """Have no faults."""
        self._ask("PUT", "rules", [])

    def faults(self) -> list[dict[str, Any]]:
        """The faults with ``hit``, how many requests each has hit."""
        found: list[dict[str, Any]] = self._ask("GET", "rules")
        return found

    def requests(self, since: int = 0) -> list[dict[str, Any]]:
        """What was asked, in the order of the answers: ``service``, ``operation``, ``bucket``, ``key``, ``fault``, and
        ``outcome``, a status or the code of a refusal."""
        found: list[dict[str, Any]] = self._ask("GET", f"requests?since={since}")
        return found

    def _ask(self, method: str, what: str, body: Any = None) -> Any:
        context = ssl.create_default_context(cafile=str(self.ca_bundle))
        connection = http.client.HTTPSConnection("127.0.0.1", self._ports["tls"], context=context, timeout=30)
        connection.request(method, ADMIN + what, None if body is None else json.dumps(body))
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    # What is there

    def create_bucket(self, name: str, region: str = REGION, *, public: bool = False) -> None:
        """A bucket for backups as it should be; or, ``public``, one that all the world may read, as that of identity documents is."""
        s3 = self.client("s3", region=region)
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=name, **place)
        closed = not public
        blocked = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), closed)
        s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=blocked)
        if public:
            statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{name}/*"}
            s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
        else:
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})

    def run_instances(self, shape: Shape) -> dict[str, str]:
        """Start an EC2 instance per machine, and return their ids by the name of the machine."""
        ec2 = self.client("ec2", region=shape.region)
        waiting = list(shape.machines())
        ids: dict[str, str] = {}
        while waiting:
            first = waiting[0]
            same = [machine for machine in waiting if (machine.zone, machine.pool) == (first.zone, first.pool)][:_BATCH]
            answer = ec2.run_instances(
                ImageId="ami-0c1de55b79f5aff9b",
                MinCount=len(same),
                MaxCount=len(same),
                InstanceType=first.pool.instance_type,
                Placement={"AvailabilityZone": first.zone},
                TagSpecifications=[{"ResourceType": "instance", "Tags": _tags(shape)}],
            )
            ids |= {machine.name: instance["InstanceId"] for machine, instance in zip(same, answer["Instances"], strict=True)}
            started = {machine.name for machine in same}
            waiting = [machine for machine in waiting if machine.name not in started]
        return ids

    def instance_states(self, machines: Iterable[Machine], region: str = REGION) -> dict[str, str]:
        """The state of each instance of the machines, by its id."""
        found = self.client("ec2", region=region).describe_instances(InstanceIds=[machine.instance for machine in machines])
        return {item["InstanceId"]: item["State"]["Name"] for group in found["Reservations"] for item in group["Instances"]}

    def create_zone(self, shape: Shape, owner_id: str, target: str = "lb.source.example.com") -> str:
        """The zone of the cluster's domain (made when there is none) with the records that external-dns has written; its id."""
        route53 = self.client("route53", region="us-east-1")
        zones = route53.list_hosted_zones()["HostedZones"]
        known = [zone["Id"] for zone in zones if zone["Name"] == f"{shape.domain}."]
        zone = (
            known[0] if known else route53.create_hosted_zone(Name=shape.domain, CallerReference=secrets.token_hex(8))["HostedZone"]["Id"]
        )
        changes = []
        for service in ("api", "oauth", "konnectivity", "ignition"):
            name = shape.hostname(service)
            label, _dot, rest = name.partition(".")
            resource = f"route/{shape.control_plane_namespace}/{service}"
            text = f'"heritage=external-dns,external-dns/owner={owner_id},external-dns/resource={resource}"'
            changes += [_record(name, "CNAME", target), _record(f"{label}-external-dns.{rest}", "TXT", text)]
            changes.append(_record(f"cname-{label}-external-dns.{rest}", "TXT", text))
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
        return str(zone).rpartition("/")[2]


def _record(name: str, kind: str, value: str) -> dict[str, Any]:
    return {"Action": "UPSERT", "ResourceRecordSet": {"Name": name, "Type": kind, "TTL": 300, "ResourceRecords": [{"Value": value}]}}


def _tags(shape: Shape) -> list[dict[str, str]]:
    return [{"Key": f"kubernetes.io/cluster/{shape.infra_id}", "Value": "owned"}, {"Key": "Name", "Value": f"{shape.infra_id}-worker"}]


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/moto-api/data.json")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
