# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every example of every module about hosted clusters is run, as it is documented, on a small hosted cluster with a real etcd.

The examples of a module build on each other, so they are the tasks of one play; each is a test.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from documented import Example, examples, modules
from hosted.etcd_image import Image
from hosted.shape import Pool, Shape
from hosted_clusters import ManagementCluster
from test_examples import changes_nothing, run_examples

Result = dict[str, Any]
Runs = Callable[[str], list[Result | None]]

# As the examples call it, in a namespace of its own, so that a test beside this one finds its clusters as they were.
PROD = Shape("prod", "examples", (Pool("prod-a", 1),), availability="SingleReplica")
BUCKET = "hosted-backups"
# Those that change nothing come first: the hosted cluster is made again after one that does.
ABOUT_HOSTED_CLUSTERS = sorted((module for module in modules() if module.startswith("hosted_")), key=changes_nothing, reverse=True)


def placed(example: Example) -> Example:
    """The example on PROD, where its namespace is not said or that of the documents."""
    content = copy.deepcopy(example.content)
    options = content.get(f"meshops.lifecycle.{example.module}") or {}
    if options.get("name"):
        options["namespace"] = PROD.namespace
    return example._replace(content=content)


@pytest.fixture(scope="module")
def results(management_cluster: ManagementCluster, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Returns the results of a module's examples in order, None for those that were not reached; each module is run once."""
    known: dict[str, list[Result | None]] = {}

    def run(module: str) -> list[Result | None]:
        if module not in known:
            hosted, aws = management_cluster.hosted(PROD, real=Image()), management_cluster.aws
            aws.create_zone(PROD, hosted.bed.management.owner_id)
            management_cluster.bucket(BUCKET)
            directory = tmp_path_factory.mktemp(module)
            key_file = directory / "key"
            key_file.touch(mode=0o600)
            key_file.write_text("5d" * 32)
            # What stands in an example for something of the reader's.
            real = {
                "{{ management_kubeconfig }}": str(hosted.bed.cluster.kubeconfig),
                "{{ backup_directory }}": str(directory / "sets"),
                "{{ backup_key_file }}": str(key_file),
            }
            known[module] = run_examples([placed(each) for each in examples(module)], {}, real, directory, aws.environment())
        return known[module]

    return run


@pytest.mark.timeout(300)
@pytest.mark.parametrize("example", [each for module in ABOUT_HOSTED_CLUSTERS for each in examples(module)], ids=lambda each: each.id)
def test_example(example: Example, results: Runs) -> None:
    """It was reached, and did what its task asked for."""
    result = results(example.module)[example.number]
    assert result is not None, "a task before it failed"
    assert result.get("failed", False) is False, result.get("msg")
    assert result.get("skipped", False) is False
    options = example.content.get(f"meshops.lifecycle.{example.module}")
    # A set that is verified stays as it is.
    if options and not changes_nothing(example.module) and not options.get("verify_set"):
        assert result["changed"] is True, "an example that has nothing to do shows nothing"
