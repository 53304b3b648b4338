# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Quantities as the API server reads them (apimachinery pkg/api/resource/quantity.go)."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.quantity import (
    cpu_text,
    memory_text,
    millicores,
    quantity,
    whole,
)

SUFFIXES = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
numbers = st.decimals(min_value=0, max_value=10**6, places=3).map(str)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.5", Fraction(1, 2)),
        ("500m", Fraction(1, 2)),
        (".5", Fraction(1, 2)),
        ("2.", Fraction(2)),
        ("+1", Fraction(1)),
        ("-1", Fraction(-1)),
        (2, Fraction(2)),
        (0.5, Fraction(1, 2)),
        ("1E", Fraction(10**18)),
        ("1E3", Fraction(1000)),
        ("1e3", Fraction(1000)),
        ("12e-1", Fraction(6, 5)),
        ("128M", Fraction(128_000_000)),
        ("128Mi", Fraction(134_217_728)),
        ("1.5Gi", Fraction(1_610_612_736)),
        ("100n", Fraction(1, 10**7)),
    ],
)
def test_values(text: object, value: Fraction) -> None:
    assert quantity(text) == value


@pytest.mark.parametrize("text", ["", "m", "1 Gi", "1K", "1mi", "half", "1e", "1e3Ki", "0x10", None, True, "1e9999", "1__0", "\uff11"])
def test_what_is_none(text: object) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        quantity(text)


@given(numbers, st.sampled_from([*SUFFIXES]))
def test_a_suffix_is_a_power_of_ten(number: str, suffix: str) -> None:
    assert quantity(number + suffix) == Fraction(number) * Fraction(10) ** SUFFIXES[suffix]


@given(numbers, st.sampled_from([*BINARY]))
def test_a_binary_suffix_is_a_power_of_1024(number: str, suffix: str) -> None:
    assert quantity(number + suffix) == Fraction(number) * 1024 ** BINARY[suffix]


@given(numbers, st.integers(-12, 12), st.sampled_from("eE"))
def test_an_exponent(number: str, exponent: int, letter: str) -> None:
    assert quantity(f"{number}{letter}{exponent}") == Fraction(number) * Fraction(10) ** exponent


@given(st.decimals(min_value=0, max_value=1000, places=6).map(str))
def test_rounding_is_up_and_less_than_one(number: str) -> None:
    """A pod that asks for a hundredth of a millicore has asked for one."""
    assert 0 <= millicores(number) - quantity(number) * 1000 < 1
    assert 0 <= whole(number) - quantity(number) < 1


@given(st.integers(0, 10**7))
def test_cpu_can_be_read_back(value: int) -> None:
    assert millicores(cpu_text(value)) == value


@given(st.integers(0, 2**45))
def test_memory_is_never_told_larger_than_it_is(size: int) -> None:
    assert 0 <= size - whole(memory_text(size)) < 1024**2


@pytest.mark.parametrize("size", [128 * 10**6, 64 * 1024**2, 10**9, 3 * 1024**3])
def test_memory_of_values_is_told_exactly(size: int) -> None:
    assert whole(memory_text(size)) == size


def test_a_boolean_is_none_after_its_number_was_read() -> None:
    one, true = 1, one_as_boolean()
    assert millicores(one) == 1000
    with pytest.raises(ValueError, match="is not a quantity"):
        millicores(true)


def one_as_boolean() -> bool:
    """What YAML makes of ``cpu: yes``; equal to 1, and so the same key in a dictionary."""
    return True
