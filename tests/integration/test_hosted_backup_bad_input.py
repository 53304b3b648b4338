# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""hosted_cluster_backup asked for what makes no sense, or of a cluster that must not be backed up: told in full, and nothing is made."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from backup_cases import NAME, PROD, SMALL, Backups, contents_of, forms, sets_in, small
from failures import Result, assert_told, story, unchanged
from hosted.aws import Aws, Credentials, Fault
from hosted.bed import Hosted
from hosted.etcd_image import Image, entering
from hosted.shape import Pool, Shape
from hosted.writing import collection
from hosted_clusters import ManagementCluster
from iam_policy import needed, not_allowed, policy_for
from run_module import finish_module, start_module

BROKEN = Shape("broken", pools=(Pool("broken-a", 2), Pool("broken-b", 1)), availability="SingleReplica", etcd_shards=2)
DOTTED = Shape("clash.v2", pools=(Pool("clash-v2-a", 1),), availability="SingleReplica")
DASHED = Shape("clash-v2", pools=(), control_plane=False)
HYPERSHIFT = "hypershift.openshift.io/v1beta1"
GOOD, FAR, CLOSED, UNKNOWN = "bad-input", "bad-input-far", "bad-input-closed", "bad-input-unknown"
KEY = "7e" * 32
# What has no end by itself is refused in the first moments all the same.
READ_ONLY = ["sh", "-c", 'mount -t tmpfs -o ro,mode=700 sets "$0" && exec "$@"']


class Case(NamedTuple):
    """Options that differ from those of a good backup, and what is told: all of ``words``, and the ``codes`` of the refusals.

    In options, {tmp} is a directory, and {oidc} the bucket of identity documents. ``who`` are the credentials: expired or bad.
    """

    options: Mapping[str, Any]
    words: tuple[str, ...]
    codes: tuple[str, ...] = ()
    who: str = ""
    read_only: str = ""


CASES = {
    "no-such-name": Case({"name": "smal"}, ("clusters/smal", "clusters/small"), ("hosted-cluster-missing",)),
    "namespace-clash": Case({"name": "clash.v2"}, ("clusters-clash-v2", "clusters/clash-v2"), ("control-plane-namespace-shared",)),
    "two-shards": Case({"name": "broken"}, ("more than one etcd", "etcd-shard-1"), ("etcd-sharded",)),
    "being-deleted": Case({"name": "broken"}, ("NodePool broken-b is being deleted",), ("being-deleted",)),
    "no-instance": Case({"name": "broken"}, ("no spec.instanceID",), ("machine-without-instance",)),
    "other-platform": Case({"name": "virtual"}, ("platform KubeVirt",), ("platform-not-aws",)),
    "no-bucket": Case({"bucket": "nowhere-at-all"}, ("there is no bucket nowhere-at-all",), ("bucket-missing",)),
    "documents": Case({"bucket": "{oidc}"}, ("OIDC documents", "is public"), ("bucket-oidc", "bucket-public")),
    "far-bucket": Case({"bucket": FAR}, ("eu-west-1", "us-east-2"), ("bucket-region",)),
    "closed-bucket": Case({"bucket": CLOSED}, (CLOSED, "may not be asked", "s3:GetBucketLocation"), ("bucket-denied",)),
    "unknown-bucket": Case({"bucket": UNKNOWN}, ("s3:GetBucketPublicAccessBlock",), ("bucket-public-unknown",)),
    "expired": Case({}, ("temporary credentials have ended", "get new ones"), who="expired"),
    "bad-credentials": Case({}, ("does not know the credentials", "profile"), who="bad"),
    "dest-open": Case({"dest": "{tmp}/open"}, ("mode 0755", "chmod 700"), ("dest-open",)),
    "dest-file": Case({"dest": "{tmp}/file"}, ("not a directory",), ("dest-not-directory",)),
    "dest-without-parent": Case({"dest": "{tmp}/a/b"}, ("does not exist", "mkdir -p"), ("dest-parent-missing",)),
    "dest-read-only": Case({"dest": "{tmp}/mounted"}, ("mounted read-only",), ("dest-not-writable",), read_only="{tmp}/mounted"),
    "dest-in-read-only": Case({"dest": "{tmp}/mounted/sets"}, ("mounted read-only",), ("dest-not-writable",), read_only="{tmp}/mounted"),
    "key-open": Case({"encryption": {"key_file": "{tmp}/open-key"}}, ("open-key", "0644", "chmod")),
    "key-short": Case({"encryption": {"key_file": "{tmp}/short-key"}}, ("short-key", "32")),
    "set-to-make": Case({"set": "{tmp}/sets/mine"}, ("set is given without verify_set", "verify_set: true")),
    "upload-in-clear": Case({"upload_set": True}, ("encryption.key_file", "openssl rand")),
    "prefix-blank": Case({"prefix": "night and day"}, ("'night and day'",)),
    "no-tls": Case({"endpoint_url": "http://127.0.0.1:9"}, ("endpoint_url says http://127.0.0.1:9", "no TLS", "https://")),
    "no-cluster": Case({"source": {}}, ("source",)),
    "no-kubeconfig": Case({"source": {"kubeconfig": "{tmp}/nowhere"}}, ("nowhere",)),
    "other-cluster": Case({"source": {"kubeconfig": "{kubeconfig}", "expected_cluster": "east"}}, ("expected_cluster", "east")),
    "other-plan": Case({"expected_plan_id": "0123456789abcdef"}, ("0123456789abcdef", "expected_plan_id")),
}


@dataclass
class Asked:
    """What became of each case, and what was written meanwhile."""

    results: dict[str, Result] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files and directories that are no good."""
    tmp = tmp_path_factory.mktemp("bad-input")
    for name, mode in (("open", 0o755), ("mounted", 0o700)):
        (tmp / name).mkdir()
        (tmp / name).chmod(mode)
    (tmp / "file").touch()
    (tmp / "link").symlink_to(tmp / "mounted")
    for name, mode, content in (
        ("open-key", 0o644, KEY),
        ("short-key", 0o600, KEY[:40]),
        ("key", 0o600, KEY),
        ("other-key", 0o600, KEY[::-1]),
    ):
        (tmp / name).touch(mode=0o600)
        (tmp / name).write_text(content)
        (tmp / name).chmod(mode)
    return tmp


def make_broken(management_cluster: ManagementCluster) -> None:
    """The clusters that must not be backed up; none of them has an etcd that answers."""
    for shape in (DOTTED, DASHED):
        management_cluster.hosted(shape)
    broken = management_cluster.hosted(BROKEN)
    machine = broken.machines[0].name
    virtual = broken.bed.cluster.api.get(broken.path)
    virtual["metadata"] = {"name": "virtual", "namespace": BROKEN.namespace}
    virtual["spec"]["platform"] = {"type": "KubeVirt"}
    with broken.bed.writer() as writer:
        below = collection("infrastructure.cluster.x-k8s.io/v1beta2", "AWSMachine", BROKEN.control_plane_namespace)
        writer.patch(f"{below}/{machine}", {"spec": {"instanceID": None}})
        # It has finalizers, so it stays.
        writer.request("DELETE", f"{collection(HYPERSHIFT, 'NodePool', BROKEN.namespace)}/broken-b")
        writer.request("POST", collection(HYPERSHIFT, "HostedCluster", BROKEN.namespace), virtual)


def filled_in(value: Any, names: Mapping[str, str]) -> Any:
    """Options with the names in them."""
    if isinstance(value, Mapping):
        return {key: filled_in(item, names) for key, item in value.items()}
    return value.format(**names) if isinstance(value, str) else value


@pytest.fixture(scope="module")
def asked(management_cluster: ManagementCluster, place: Path) -> Iterator[Asked]:
    """All cases, some at a time."""
    bed = management_cluster.bed
    make_broken(management_cluster)
    hosted = small(management_cluster)
    aws = management_cluster.aws
    oidc = management_cluster.bucket(bed.management.oidc_bucket, public=True)
    for name, options in ((GOOD, {}), (CLOSED, {}), (UNKNOWN, {}), (FAR, {"region": "eu-west-1"})):
        management_cluster.bucket(name, **options)
    aws.add(Fault("AccessDenied", operation="GetBucketLocation", bucket=CLOSED, times=-1))
    for operation in ("GetBucketPolicyStatus", "GetBucketPublicAccessBlock"):
        aws.add(Fault("AccessDenied", operation=operation, bucket=UNKNOWN, times=-1))
    backups = Backups(hosted, aws, place / "sets", GOOD)
    names = {"tmp": str(place), "oidc": oidc, "kubeconfig": str(bed.cluster.kubeconfig)}
    who = {"expired": aws.session(-1), "bad": Credentials("AKIAUNKNOWN000000001", "canary-of-a-bad-key", "")}

    def run(case: Case) -> Result:
        within = [*entering(), *READ_ONLY, filled_in(case.read_only, names)] if case.read_only else []
        return backups.run(credentials=who.get(case.who), within=within, **filled_in(case.options, names))

    # Of one cluster several things are told at once.
    runs = {json.dumps(case.options) + case.who + case.read_only: case for case in CASES.values()}
    with unchanged(bed.cluster), ThreadPoolExecutor(3) as pool:
        told = dict(zip(runs, pool.map(run, runs.values()), strict=True))
    results = {name: told[json.dumps(case.options) + case.who + case.read_only] for name, case in CASES.items()}
    aws.clear()
    assert backups.nothing_left()
    assert sorted(path.name for path in place.iterdir()) == sorted(
        ["open", "mounted", "file", "link", "open-key", "short-key", "key", "other-key"]
    )
    assert [path for directory in ("open", "mounted") for path in (place / directory).iterdir()] == []
    yield Asked(results, (SMALL.secret, BROKEN.secret, KEY, aws.user.secret, who["expired"].token, who["bad"].secret))
    with bed.writer() as writer:
        path = f"{collection(HYPERSHIFT, 'HostedCluster', BROKEN.namespace)}/virtual"
        writer.patch(path, {"metadata": {"finalizers": None}})
        writer.request("DELETE", path)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", CASES)
def test_it_is_refused_and_told(asked: Asked, name: str) -> None:
    case, result = CASES[name], asked.results[name]
    assert_told(result, *case.words)
    assert result["changed"] is False
    codes = {refusal["code"] for refusal in result.get("refusals", ())}
    assert set(case.codes) <= codes, story(result)
    if "name" not in case.options:
        # The cluster itself is good, so nothing else is said.
        assert set(case.codes) == codes, story(result)
    shown = json.dumps(result)
    assert [form for secret in asked.secrets for form in forms(secret) if form in shown] == []


# An etcd that is not as it should be


@pytest.fixture
def backups(management_cluster: ManagementCluster, tmp_path: Path) -> Backups:
    return Backups(small(management_cluster), management_cluster.aws, tmp_path / "sets", management_cluster.bucket("bad-etcd"))


@contextmanager
def without(hosted: Hosted, *names: str) -> Iterator[None]:
    """Processes that are not there for a while."""
    try:
        for name in names:
            hosted.real.stop(name)
        yield
    finally:
        for name in names:
            hosted.real.resume(name)


@pytest.mark.timeout(240)
def test_an_alarm_is_refused(backups: Backups) -> None:
    backups.hosted.real.alarm(on=True)
    try:
        with unchanged(backups.hosted.bed.cluster):
            result = backups.run()
    finally:
        backups.hosted.real.alarm(on=False)
    assert_told(result, "NOSPACE of etcd-0", "disarm")
    assert [refusal["code"] for refusal in result["refusals"]] == ["etcd-alarm"]
    assert backups.nothing_left()


@pytest.mark.timeout(240)
def test_the_only_member_is_down(backups: Backups) -> None:
    with without(backups.hosted, "etcd-0"), unchanged(backups.hosted.bed.cluster):
        result = backups.run()
    assert_told(result, "0 of 1 etcd members are healthy", "kubectl logs -n clusters-small")
    assert backups.nothing_left()


@pytest.mark.timeout(300)
def test_one_of_three_members_may_be_down_and_two_may_not(management_cluster: ManagementCluster, tmp_path: Path) -> None:
    prod = management_cluster.hosted(PROD, real=Image())
    backups = Backups(prod, management_cluster.aws, tmp_path / "sets", management_cluster.bucket("bad-members"))
    with without(prod, "etcd-0"):
        since = len(backups.aws.requests())
        result = backups.run(prefix="hosted-clusters/nightly")
        asked = backups.aws.requests(since)
        assert result.get("msg", "") == ""
        assert {finding["object"]["name"] for finding in result["findings"] if finding["code"] == "etcd-member-down"} == {"etcd-0"}
        assert result["index"]["snapshot"]["pod"] != "etcd-0"
        with without(prod, "etcd-1"), unchanged(prod.bed.cluster):
            refused = backups.run()
    assert_told(refused, "of 3 etcd members are healthy, 2 are needed")
    assert len(sets_in(backups.dest)) == 1
    # What the guide tells to allow is enough for it.
    assert "s3:PutObject" in {one.action for one in needed(asked)}
    assert not_allowed(asked, policy_for("bad-members")) == []


@pytest.mark.timeout(240)
def test_a_hosted_api_that_is_dead_changes_nothing(backups: Backups) -> None:
    """An online backup does not need it; where the cluster is to be stopped, the marker cannot be written."""
    with without(backups.hosted, "kube-apiserver"), ThreadPoolExecutor(2) as pool:
        both = pool.submit(backups.run), pool.submit(backups.run, check=True, mode="quiesce")
        online, quiesce = (one.result() for one in both)
    assert (online.get("msg", ""), quiesce.get("msg", "")) == ("", "")
    assert online["verified"] is True
    assert "marker-not-written" in {finding["code"] for finding in quiesce["findings"]}


# A set that is not as it was written


KMS_KEY = "alias/hosted-backups"


class Sets(NamedTuple):
    """One in clear, and one that is encrypted and in the bucket, too, without a prefix."""

    plain: Path
    sealed: Path
    address: str
    backups: Backups
    s3: Any


@pytest.fixture(scope="module")
def made(management_cluster: ManagementCluster, place: Path, asked: Asked) -> Sets:
    """``asked``, whose directory this is, comes first."""
    assert asked.results
    aws = management_cluster.aws
    backups = Backups(small(management_cluster), aws, place / "verified", management_cluster.bucket("bad-sets"))
    config = place / "aws-config"
    config.touch(mode=0o600)
    config.write_text(f"[profile sealer]\naws_access_key_id = {aws.user.access_key}\naws_secret_access_key = {aws.user.secret}\n")
    sealed = {"encryption": {"key_file": str(place / "key")}, "upload_set": True, "kms_key_id": KMS_KEY, "profile": "sealer"}
    # The keys of the environment are nobody's, so whatever works does so by the profile.
    nobody = {"credentials": Credentials("AKIAUNKNOWN000000001", "canary-of-a-bad-key"), "env": {"AWS_CONFIG_FILE": str(config)}}
    with ThreadPoolExecutor(2) as pool:
        plain, other = pool.submit(backups.run, prefix="plain"), pool.submit(backups.run, **sealed, **nobody)
        results = plain.result(), other.result()
    assert [result.get("msg", "") for result in results] == ["", ""]
    return Sets(*(Path(result["set"]["path"]) for result in results), results[1]["set"]["uploaded_to"], backups, aws.client("s3"))


def copied(sets: Sets, name: str) -> Path:
    """A copy of the set in clear, in a directory of its own."""
    copy = sets.backups.dest / name / sets.plain.name
    shutil.copytree(sets.plain, copy)
    return copy


def edited_index(copy: Path, **changes: Any) -> Path:
    """An index that says something else, by somebody who knows of its checksum."""
    index = json.loads((copy / "index.json").read_text())
    content = json.dumps(index | changes)
    (copy / "index.json").write_text(content)
    (copy / "index.json.sha256").write_text(f"{hashlib.sha256(content.encode()).hexdigest()}  index.json\n")
    return copy


@pytest.mark.timeout(300)
def test_all_of_a_backup_is_stored_with_the_key_that_was_named(made: Sets) -> None:
    assert made.address == f"s3://{made.backups.bucket}/{made.sealed.name}"
    stored = {key: made.s3.head_object(Bucket=made.backups.bucket, Key=key) for key in sorted(made.backups.snapshots())}
    with_key = {key for key, found in stored.items() if (found["ServerSideEncryption"], found.get("SSEKMSKeyId")) == ("aws:kms", KMS_KEY)}
    assert with_key == {f"{made.sealed.name}/{name}" for name in ("etcd.db", *contents_of(made.sealed))}
    assert {key: stored[key]["ServerSideEncryption"] for key in stored.keys() - with_key} == {f"plain/{made.plain.name}/etcd.db": "AES256"}


def damaged(sets: Sets) -> tuple[str, tuple[str, ...]]:
    """A copy of the encrypted set in the bucket that somebody has been at, and what is to be told of it."""
    s3, bucket, run, prefix = sets.s3, sets.backups.bucket, sets.sealed.name, "damaged"
    names = sorted(contents_of(sets.sealed))

    def put(name: str, content: bytes) -> None:
        s3.put_object(Bucket=bucket, Key=f"{prefix}/{run}/{name}", Body=content)

    edited, first, second = [name for name in names if name.startswith("objects/")][:3]
    contents = {name: (sets.sealed / name).read_bytes() for name in names}
    contents[edited] = contents[edited][:-1] + bytes([contents[edited][-1] ^ 1])
    contents[first], contents[second] = contents[second], contents[first]
    contents["objects/extra.json"] = b"{}"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, contents, contents.values()))
    return f"s3://{bucket}/{prefix}/{run}", (*(f"{name} was changed" for name in (edited, first, second)), "file-extra", "extra.json")


def with_another_snapshot(sets: Sets) -> Path:
    """A copy of the set in clear whose snapshot has the same length and metadata, and one byte that is another."""
    s3, bucket = sets.s3, sets.backups.bucket
    snapshot = json.loads((sets.plain / "index.json").read_text())["snapshot"]
    found = s3.get_object(Bucket=bucket, Key=snapshot["key"])
    content = bytearray(found["Body"].read())
    content[len(content) // 2] ^= 1
    s3.put_object(Bucket=bucket, Key="tampered/etcd.db", Body=bytes(content), Metadata=found["Metadata"])
    return edited_index(copied(sets, "tampered"), snapshot=snapshot | {"key": "tampered/etcd.db", "version_id": ""})


@pytest.mark.timeout(300)
def test_sets_that_were_changed_are_not_whole(made: Sets, place: Path) -> None:
    edited, removed, unfinished = (copied(made, name) for name in ("edited", "removed", "partial"))
    a_file = next(path for path in sorted(edited.rglob("*")) if path.is_file() and "objects" in str(path)).relative_to(edited)
    (edited / a_file).write_bytes((edited / a_file).read_bytes().replace(b"e", b"3", 1))
    (removed / a_file).unlink()
    unfinished = unfinished.rename(unfinished.with_name(f".{made.plain.name}.partial"))
    other = copied(made, "gone")
    gone = json.loads((other / "index.json").read_text())["snapshot"] | {"key": "elsewhere/etcd.db", "version_id": ""}
    opened = {"encryption": {"key_file": str(place / "key")}}
    address, damage = damaged(made)
    tampered = {"set": str(with_another_snapshot(made)), "snapshot_check": "content"}
    asked: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
        "edited": ({"set": str(edited), "snapshot_check": "none"}, (str(a_file), "file-edited", "snapshot-not-checked")),
        "stop": ({"set": str(edited), "mode": "quiesce", "upload_set": True}, ("mode: quiesce and upload_set", "verify_set")),
        "removed": ({"set": str(removed)}, (str(a_file), "file-missing")),
        "partial": ({"set": str(unfinished)}, ("set-incomplete",)),
        "format": ({"set": str(edited_index(copied(made, "format"), format_version=2, tool_version="9.9.9"))}, ("format-newer", "9.9.9")),
        "no-snapshot": ({"set": str(edited_index(other, snapshot=gone))}, ("snapshot-missing",)),
        "other-snapshot": (tampered, ("snapshot-checksum-differs", "tampered/etcd.db")),
        "damaged-in-the-bucket": ({"set": address, **opened}, damage),
        "no-directory": ({"set": str(made.backups.dest / "nowhere")}, ("nowhere",)),
        "no-key": ({"set": str(made.sealed)}, ("key-missing",)),
        "wrong-key": ({"set": str(made.sealed), "encryption": {"key_file": str(place / "other-key")}}, ("key-wrong",)),
        "no-index": ({"set": f"{made.address.rpartition('/')[0]}/nothing"}, ("set-missing",)),
        "no-address": ({"set": "s3://bad-sets"}, ("s3://BUCKET/PREFIX/RUN-ID",)),
    }
    # What nobody has been at is whole, also at the top of the bucket; of another version of the collection it may be.
    older = {"set": str(edited_index(copied(made, "older"), tool_version="0.3.0"))}
    whole = {"whole": {"set": made.address, **opened, "snapshot_check": "content"}, "older": older}
    runs = {name: options for name, (options, _words) in asked.items()} | whole
    since = len(made.backups.aws.requests())
    with ThreadPoolExecutor(3) as pool:
        results = dict(zip(runs, pool.map(partial(verified, made), runs.values()), strict=True))
    # What the guide tells to allow is enough to see all that.
    assert not_allowed(made.backups.aws.requests(since), policy_for(made.backups.bucket, prefix="")) == []
    assert [(results[name].get("msg", ""), results[name]["verified"]) for name in whole] == [("", True)] * 2
    assert "other-tool-version" in {finding["code"] for finding in results["older"]["findings"]}
    for name, (_options, words) in asked.items():
        result = results[name]
        assert_told(result)
        told = story(result) + json.dumps(result.get("findings", ""))
        assert [word for word in words if word not in told] == [], f"{name}: {told}"
        assert SMALL.secret not in json.dumps(result)


def verified(sets: Sets, options: dict[str, Any]) -> Result:
    """What the module says of a set."""
    aws: Aws = sets.backups.aws
    given = {"verify_set": True, "region": SMALL.region, **options}
    return finish_module(start_module(NAME, given, env=aws.environment()))
