"""What compiled samplers call: the buffer, and the functions behind the two addresses."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable

import numpy as np
import pytest

from mixsem.bayes.posterior import Posterior
from mixsem.kernels.callback import NO_DENSITY, natural_callback, posterior_callback, unpack
from mixsem.kernels.posterior import density
from mixsem.kernels.problem import Problem, pack
from mixsem.kernels.shear import natural_parameters, pull_back, sheared_parameters

Compiled = Callable[[str], tuple[Posterior, np.ndarray]]

DOUBLES = ctypes.POINTER(ctypes.c_double)
POSTERIOR = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_uint64, DOUBLES, DOUBLES, DOUBLES, ctypes.c_void_p)
NATURAL = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_uint64, ctypes.c_uint64, DOUBLES, DOUBLES, ctypes.c_void_p)


def doubles(array: np.ndarray):
    return array.ctypes.data_as(DOUBLES)


def buffer_of(problem: Problem) -> np.ndarray:
    words = pack(problem)
    return np.concatenate([np.array([words.size + 1], dtype=np.int64), words])


def call_posterior(problem: Problem, coordinates: np.ndarray) -> tuple[int, float, np.ndarray]:
    gradient, value, buffer = np.full(coordinates.size, np.nan), np.array([np.nan]), buffer_of(problem)
    function = POSTERIOR(posterior_callback.address)
    status = function(coordinates.size, doubles(coordinates), doubles(gradient), doubles(value), buffer.ctypes.data)
    return int(status), float(value[0]), gradient


def test_buffer_holds_every_array(case):
    posterior, _ = case
    words = pack(posterior.problem)
    unpacked = unpack(words, words.view(np.float64))
    for name, before, after in zip(Problem._fields, posterior.problem, unpacked, strict=True):
        assert before.shape == after.shape, name
        assert before.dtype == after.dtype, name
        np.testing.assert_array_equal(before, after, err_msg=name)
    assert words.size == 5 + sum(array.size for array in posterior.problem)


def test_buffer_keeps_the_bits_of_floating_point_numbers(compiled: Compiled):
    problem = compiled("one factor, all free")[0].problem
    odd = np.array([0.1 + 0.2, -0.0, 5e-324])
    words = pack(problem._replace(nu=odd))
    after = unpack(words, words.view(np.float64)).nu
    np.testing.assert_array_equal(after.view(np.int64), odd.view(np.int64))


@pytest.mark.parametrize("name", ["one factor, random", "one factor, reference", "residual covariance"])
def test_address_gives_what_python_gives(compiled: Compiled, name: str):
    posterior, x = compiled(name)
    problem, n = posterior.problem, posterior.n_coordinates
    coordinates = np.empty(n)
    sheared_parameters(problem, x, coordinates)
    natural, slope, gradient = np.empty(x.size), np.empty(x.size), np.empty(n)
    natural_parameters(problem, coordinates, natural)
    value = density(problem, natural, slope)
    value += pull_back(problem, coordinates, natural, slope, gradient)

    status, by_address, gradient_by_address = call_posterior(problem, coordinates)
    assert status == 0
    # The compiler may order sums differently where it inlines.
    assert by_address == pytest.approx(value, rel=1e-13)
    np.testing.assert_allclose(gradient_by_address, gradient, rtol=1e-11, atol=1e-11)

    row, rows = np.empty(1), 2
    buffer = np.concatenate([buffer_of(problem), [rows, 0], np.zeros(rows * x.size, dtype=np.int64)])
    function = NATURAL(natural_callback.address)
    places = []
    for _ in range(3):  # one more than there are rows: the first one is filled again
        assert function(n, 1, doubles(coordinates), doubles(row), buffer.ctypes.data) == 0
        places.append(row[0])
    assert places == [0, 1, 0]
    kept = buffer[-rows * x.size :].view(np.float64).reshape(rows, -1)
    np.testing.assert_allclose(kept, [x, x], rtol=1e-12, atol=1e-12)


def test_no_density_is_a_status_and_not_a_number(compiled: Compiled):
    """The sampler gives the step up; it must not take nan for a density."""
    posterior, x = compiled("three factors")
    for entry, sign in (("F~~H", 5.0), ("F~~K", 5.0), ("H~~K", -5.0)):
        x[posterior.problem.base[:, posterior.model.entries.index(entry)]] = sign
    coordinates = np.empty(posterior.n_coordinates)
    sheared_parameters(posterior.problem, x, coordinates)
    status, value, _ = call_posterior(posterior.problem, coordinates)
    assert status == NO_DENSITY != 0
    assert math.isnan(value)
