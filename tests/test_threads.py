"""Small matrices are left to one thread, whatever the libraries were told before."""

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import mixsem as mx
from mixsem.equations import fit as module
from mixsem.threads import THREADED_COLUMNS, few_threads


def threads() -> set[int]:
    """How many threads the BLAS libraries of this process may use."""
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def two_threads():
    with few_threads(1), threadpool_limits(2, user_api="blas"):
        if threads() != {2}:
            pytest.skip("the BLAS libraries here have one thread only")
        yield


def test_small_matrices_get_one_thread_and_large_ones_what_there_is():
    with few_threads(20):
        assert threads() == {1}
    assert threads() == {2}
    with few_threads(THREADED_COLUMNS):
        assert threads() == {2}


def test_threads_come_back_after_an_error():
    with pytest.raises(ValueError), few_threads(20):
        raise ValueError
    assert threads() == {2}


@pytest.mark.parametrize(
    ("name", "estimator"),
    [("estimates_covariance", "ML"), ("model_measures", "ML"), ("robust_test", "MLR")],
)
def test_what_follows_from_a_fit_is_computed_by_one_thread(monkeypatch, name, estimator):
    seen, original = [], getattr(module, name)

    def watched(*given):
        seen.append(threads())
        return original(*given)

    monkeypatch.setattr(module, name, watched)
    fit = mx.cfa("F =~ x1 + x2 + x3 + x4", mx.data.holzinger_swineford_1939(), estimator=estimator)
    str(fit)
    assert seen == [{1}]
    assert threads() == {2}
