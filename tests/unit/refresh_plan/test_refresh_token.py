# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The value of the annotation, written and read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_token import (
    WITHOUT_SIDECAR,
    Token,
    following,
    parse,
    restart_id,
)

A, B = "a" * 16, "b" * 16
FINGERPRINTS = st.text("0123456789abcdef", min_size=16, max_size=16)
RESTARTS = st.one_of(st.just(""), st.text("0123456789abcdef", min_size=12, max_size=12))


@given(FINGERPRINTS, RESTARTS, st.integers(1, 10**6))
def test_what_is_written_is_read(fingerprint: str, restart: str, number: int) -> None:
    token = Token(fingerprint, restart, number)
    assert parse(str(token)) == token


def test_how_it_looks() -> None:
    assert str(Token(A)) == A
    assert str(Token(A, number=2)) == f"{A}.2"
    assert str(Token(A, "0" * 12, 3)) == f"{A}.t000000000000.3"
    assert len(WITHOUT_SIDECAR) == 16


@pytest.mark.parametrize("value", ["", "2026-01-01T00:00:00Z", "a.b.c", f"{A}.x", f"{A}.2.3", f"{A}.t1.2.3"])
def test_what_is_not_ours_equals_nothing_of_ours(value: str) -> None:
    assert parse(value) == Token(value)


def test_the_next_number_is_above_all_of_the_same_intent() -> None:
    assert following(Token(A), []) == Token(A)
    assert following(Token(A), ["", B, f"{B}.9", f"{A}.tx.7"]) == Token(A)
    assert following(Token(A), [A, f"{A}.3", f"{B}.9"]) == Token(A, number=4)


def test_a_restart_has_an_id_that_needs_no_quoting() -> None:
    assert restart_id("") == ""
    assert restart_id('Umlaut ä, "quotes" and 1.5') == restart_id('Umlaut ä, "quotes" and 1.5')
    assert restart_id("a") != restart_id("b")
    assert restart_id("a").isalnum()
