"""Moments of more people than fit into memory, in one pass over parquet files, beside DuckDB's sums of the same.

    python benchmarks/streaming.py                 # 100 million people x 20 items in 50 groups, about 2 GB of files
    python benchmarks/streaming.py --rows 5000000  # fewer
    python benchmarks/streaming.py --folder DIR    # keeps the files there and uses them again

The answers are whole numbers from 1 to 7 (int8) of one factor. DuckDB computes what moments need: a count, 20 sums and
210 sums of products by group. Both run in a process of their own, which says its seconds and its largest memory. A
smaller table of floating-point numbers with missing values and means of 1e9 is read both whole and as a stream.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np

from common import last_line, report, spent

ITEMS = tuple(f"x{j}" for j in range(1, 21))
GROUPS = 50
ROW_GROUP, FILE = 1_000_000, 10_000_000

#: Claims: seconds relative to DuckDB's, peak memory, agreement.
TIMES_DUCKDB, MEGABYTES, DEVIATION = 2.0, 1000.0, 1e-12
#: The EM algorithm of ``missing="ml"`` ends where its steps are small, not where rounding begins.
DEVIATION_EM = 1e-8


def main() -> int:
    arguments = _arguments()
    if arguments.measure:
        return _measure(arguments.measure, arguments.folder)
    if arguments.generate:
        return _generate(arguments.folder, arguments.rows)
    if arguments.folder is not None:
        arguments.folder.mkdir(exist_ok=True)
        return _run(arguments.folder, arguments.rows)
    with tempfile.TemporaryDirectory() as folder:
        return _run(Path(folder), arguments.rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=lambda text: int(float(text)), default=100_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--measure", choices=("mixsem", "duckdb"), help=argparse.SUPPRESS)
    parser.add_argument("--generate", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _run(folder: Path, rows: int) -> int:
    """Every step in its own process: what one of them needed in memory is not the other's."""
    if not any(folder.glob("*.parquet")):
        _child(folder, "--generate", "--rows", str(rows))
    size = sum(path.stat().st_size for path in folder.glob("*.parquet"))
    theirs = _child(folder, "--measure", "duckdb")
    ours = _child(folder, "--measure", "mixsem")
    deviation = _deviation(folder)
    facts = {
        "rows": ours["rows"],
        "groups": GROUPS,
        "items": len(ITEMS),
        "file_gb": round(size / 1e9, 2),
        "seconds": round(ours["wall"], 1),
        "cpu_seconds": round(ours["cpu"], 1),
        "duckdb_seconds": round(theirs["wall"], 1),
        "duckdb_cpu_seconds": round(theirs["cpu"], 1),
        "ratio": round(ours["wall"] / theirs["wall"], 3),
        "peak_mb": round(ours["peak_mb"]),
        "duckdb_peak_mb": round(theirs["peak_mb"]),
        "deviation": deviation,
    }
    held = [
        report("streaming: seconds beside DuckDB", passed=facts["ratio"] <= TIMES_DUCKDB, **facts),
        report("streaming: memory", passed=facts["peak_mb"] < MEGABYTES, rows=ours["rows"], peak_mb=facts["peak_mb"]),
        report("streaming: the same numbers as DuckDB", passed=deviation <= DEVIATION, deviation=deviation),
        _missing_values(min(rows, 1_000_000)),
    ]
    return 0 if all(held) else 1


def _child(folder: Path, *words: str) -> dict[str, float]:
    answer = last_line([sys.executable, __file__, "--folder", folder, *words], timeout=7200)
    if isinstance(answer, str):
        raise SystemExit(answer)
    return answer


def _generate(folder: Path, rows: int) -> int:
    """Write the answers, a row group at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(20)
    for number, start in enumerate(range(0, rows, FILE)):
        end = min(start + FILE, rows)
        schema = pa.schema([("country", pa.int16()), *((item, pa.int8()) for item in ITEMS)])
        with pq.ParquetWriter(folder / f"part-{number:03}.parquet", schema) as writer:
            for at in range(start, end, ROW_GROUP):
                writer.write_table(pa.table(_answers(rng, min(ROW_GROUP, end - at)), schema=schema))
    print(json.dumps({"rows": rows}))
    return 0


def _answers(rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
    group = rng.integers(0, GROUPS, rows, dtype=np.int16)
    factor = rng.standard_normal(rows, dtype=np.float32) + group * np.float32(0.02)
    answers = {"country": group}
    for item in ITEMS:
        score = np.float32(0.6) * factor + np.float32(0.8) * rng.standard_normal(rows, dtype=np.float32)
        answers[item] = np.clip(np.rint(score * np.float32(1.4) + 4), 1, 7).astype(np.int8)
    return answers


def _measure(program: str, folder: Path) -> int:
    compute = {"mixsem": _with_mixsem, "duckdb": _with_duckdb}[program]
    (n, means, covariances), seconds = spent(lambda: compute(folder))
    np.savez(folder / f"{program}.npz", n=n, means=means, covariances=covariances)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    print(json.dumps({"rows": int(n.sum()), "peak_mb": peak, **seconds}))
    return 0


def _with_mixsem(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    import mixsem as mx

    moments = mx.SampleMoments.from_frame(mx.data.scan_table(folder), ITEMS, "country")
    return moments.n, moments.means, moments.covariances


def _with_duckdb(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sums of whole numbers are exact here; with other numbers they would lose digits."""
    import duckdb

    p = len(ITEMS)
    pairs = [(i, j) for i in range(p) for j in range(i, p)]
    sums = [f"sum({item})" for item in ITEMS]
    sums += [f"sum({ITEMS[i]}::BIGINT * {ITEMS[j]}::BIGINT)" for i, j in pairs]
    files = folder / "*.parquet"
    query = f"select count(*), {', '.join(sums)} from read_parquet('{files}') group by country order by country"
    table = np.array(duckdb.sql(query).fetchall(), dtype=float)
    n, means = table[:, 0], table[:, 1 : p + 1] / table[:, :1]
    covariances = np.empty((len(n), p, p))
    for k, (i, j) in enumerate(pairs):
        covariances[:, i, j] = covariances[:, j, i] = table[:, p + 1 + k] / n - means[:, i] * means[:, j]
    return n.astype(int), means, covariances


def _deviation(folder: Path) -> float:
    """Largest difference of counts, means and covariances, relative to the largest number of each."""
    with np.load(folder / "mixsem.npz") as ours, np.load(folder / "duckdb.npz") as theirs:
        return max(float(np.abs(ours[name] - theirs[name]).max() / np.abs(theirs[name]).max()) for name in theirs)


def _missing_values(rows: int) -> bool:
    """A table of numbers around 1e9 with missing values, streamed and whole."""
    import warnings

    import pyarrow as pa
    import pyarrow.dataset as pads

    import mixsem as mx

    warnings.simplefilter("ignore", mx.errors.MixsemWarning)
    rng = np.random.default_rng(21)
    columns = {item: rng.standard_normal(rows) + 1e9 for item in ITEMS[:8]}
    columns = {item: pa.array(x, mask=rng.random(rows) < 0.02) for item, x in columns.items()}
    table = pa.table({"country": rng.integers(0, GROUPS, rows), **columns})
    worst = {}
    for missing in ("listwise", "pairwise", "ml"):
        streamed = mx.SampleMoments.from_frame(pads.dataset(table), ITEMS[:8], "country", missing=missing)
        whole = mx.SampleMoments.from_frame(table, ITEMS[:8], "country", missing=missing)
        assert (streamed.n == whole.n).all() and (streamed.n_dropped == whole.n_dropped).all()
        worst[missing] = float(np.abs(streamed.covariances - whole.covariances).max())
    passed = all(worst[missing] < (DEVIATION_EM if missing == "ml" else DEVIATION) for missing in worst)
    return report("streaming: missing values, means of 1e9", passed=passed, rows=rows, deviation=worst)


if __name__ == "__main__":
    sys.exit(main())
