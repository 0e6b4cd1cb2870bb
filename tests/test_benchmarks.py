"""The machinery of the benchmarks: what they report is what the pages say, and every claim has a script."""

from __future__ import annotations

import importlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
BENCHMARKS, DOCS = ROOT / "benchmarks", ROOT / "docs"
#: Scripts that others start.
HELPERS = {"generalised_peers.py", "mixed_peers.py", "page.py", "run.py", "semopy_peer.py", "study_pages.py"}

#: Times and ratios in a sentence.
CLAIMED = re.compile(
    r"(?:\d|half a|two|three|five|ten|few|some) (?:CPU )?(?:milli)?(?:seconds?|s|minutes|hours)\b"
    r"|times (?:as fast|faster|slower|the time)|agrees? (?:with|to) .*\b1e-|to 1e-\d|lavaan's time"
)
#: Sentences with times that claim nothing of our speed.
NO_CLAIMS = (
    "Eighteen people slept three hours",
    "would take longer than about 20 seconds",  # when workers are started
    "and takes some seconds",  # one report against another
    "take two and a half days, those of",  # projected on the pages of the studies
)
#: Written by scripts, or about messages.
WRITTEN = ("benchmarks", "messages", "studies/mix", "studies/samplers")


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


def row(program: str, cpu: list[float], **facts: Any) -> dict[str, Any]:
    return {"program": program, "version": "1", "cpu": cpu, "wall": cpu, "differs": "", "remark": "", **facts}


def test_pages_are_what_the_results_make(load: Any) -> None:
    """No number of the pages is typed by hand: `python benchmarks/page.py` writes them again."""
    for name, text in load("page").pages(load("results").read_results()).items():
        assert (DOCS / name).read_text(encoding="utf-8") == text, name


def test_results_are_json_without_paths_of_a_machine() -> None:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    for file in (BENCHMARKS / "results").glob("*.json"):
        stored = json.loads(file.read_text(encoding="utf-8"), parse_constant=refuse)
        assert stored["name"] == file.stem and stored["records"]
        assert not re.search(r"(?<![\w.])/\w", stored["command"])


def test_every_claim_is_on_its_page_and_has_its_script(load: Any) -> None:
    for claim in load("claims").CLAIMS:
        page = ROOT / claim.page if claim.page == "README.md" else DOCS / claim.page
        assert claim.words in " ".join(page.read_text(encoding="utf-8").split()), claim
        assert (ROOT / claim.script).is_file(), claim


def test_no_sentence_claims_without_a_script(load: Any) -> None:
    known = load("claims").CLAIMS
    found = []
    for path in [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]:
        page = path.name if path.parent == ROOT else path.relative_to(DOCS).as_posix()
        if page.startswith(WRITTEN):
            continue
        allowed = [*NO_CLAIMS, *(claim.words for claim in known if claim.page == page)]
        for line in path.read_text(encoding="utf-8").splitlines():
            if CLAIMED.search(line) and not any(words in line for words in allowed):
                found.append(f"{page}: {line.strip()[:160]}")
    assert found == []


def test_the_search_for_claims_finds_them() -> None:
    for sentence in ("a block took 12 s.", "six times as fast", "agree with blme's to 1e-5", "half a second"):
        assert CLAIMED.search(sentence), sentence
    assert not CLAIMED.search("a fixed slope, several groups, 20 items")


def test_every_script_can_be_run(load: Any) -> None:
    entries = load("run").ENTRIES
    scripts = {p.name for p in BENCHMARKS.glob("*.py") if "if __name__ ==" in p.read_text(encoding="utf-8")}
    assert scripts - HELPERS <= {entry.script for entry in entries.values()}
    assert {section.name for section in load("sections").SECTIONS} == set(entries)


def test_arguments_of_a_run(load: Any, tmp_path: Path) -> None:
    run = load("run")
    (tmp_path / "cbpp.csv").touch()

    def words(name: str, *options: str) -> Any:
        return run.arguments(name, run.options(options))

    assert words("sem") == () and words("sem", "--quick") == ("--short",) and words("sem", "--check") == ("--check",)
    assert words("calibration", "--quick") is None and words("calibration", "--quick", "--only", "calibration") == ()
    assert words("sem", "--only", "step1,step3") is None
    assert (
        words("sem", "--peers-python", "py") == ("--peers-python", "py")
        and words("step1", "--peers-python", "py") == ()
    )
    assert words("mixed", "--peers-python", "sem=a,mixed=b") == ("--peers-python", "b")
    assert words("generalised", "--data", str(tmp_path)) == ("--cbpp", str(tmp_path / "cbpp.csv"))
    for wrong in (["--only", "speed"], ["--check", "--write"], ["--check", "--quick"]):
        with pytest.raises(SystemExit):
            run.options(wrong)


def test_a_run_collects_what_is_reported(load: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run, results = load("run"), load("results")
    script = "from common import report\nimport sys\nprint('hello')\nsys.exit(not report('a', passed=True, x=[1.5]))\n"
    (tmp_path / "own.py").write_text(script, encoding="utf-8")
    (tmp_path / "bad.py").write_text("from common import report\nreport('a', passed=True)\n1 / 0\n", encoding="utf-8")
    monkeypatch.setattr(run, "HERE", tmp_path)
    monkeypatch.setattr(run, "ENTRIES", {name: run.Entry(f"{name}.py") for name in ("own", "bad")})
    monkeypatch.setenv("PYTHONPATH", str(BENCHMARKS))
    result, ended = run.run("own", ("--file", str(tmp_path / "data.csv")), {"processor": "fast"})
    assert ended and result.held and result.command == "python benchmarks/own.py --file data.csv"
    assert result.records == ({"benchmark": "a", "passed": True, "x": [1.5]},)
    results.write_result(result, tmp_path / "stored")
    assert results.read_results(tmp_path / "stored") == {"own": result}
    (tmp_path / "own.py").write_text(script.replace("passed=True", "passed=False"), encoding="utf-8")
    result, ended = run.run("own", (), {})
    assert ended and not result.held
    assert run.run("bad", (), {})[1] is False


def test_programs_take_turns(load: Any) -> None:
    order: list[str] = []

    def program(name: str, answer: Any) -> Any:
        return lambda: (order.append(name), answer)[1]

    programs = {"a": program("a", {"wall": 1.0}), "b": program("b", {"wall": 99.0}), "c": program("c", "no")}
    answers = load("common").take_turns(programs, 3, slow=60.0)
    assert order == ["a", "b", "c", "a", "a"]
    assert [len(got) for got in answers.values()] == [3, 1, 1]


def test_differences_between_programs(load: Any) -> None:
    differs = load("sem_race").differs
    ours = {"chisq": 85.3, "df": 24, "loglik": -100.0, "loadings": {"F=~x2": 0.55}, "errors": {"F=~x2": 0.1}}
    assert differs(ours, {**ours, "chisq": 85.3001, "loadings": {"F=~x2": 0.5501}}) == ""
    assert differs(ours, {"loglik": -100.1}) == "loglik -100.1000, ours -100.0000"
    assert differs(ours, {"df": 25}).startswith("df 25")
    assert "loadings of F=~x2 0.56000" in differs(ours, {"loadings": {"F=~x2": 0.56}})
    assert "errors of F=~x2 0.10200" in differs(ours, {"errors": {"F=~x2": 0.102}})


def test_a_race(load: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A peer that is not slow enough, or has other numbers, lets the claim fail; one that cannot is shown."""
    race = load("sem_race").race

    def ours() -> dict[str, float]:
        return {"loglik": -1.0 - 0 * sum(range(100_000))}

    def held(peer: Any, limit: float) -> bool:
        peers = {"peer": lambda: peer}
        return bool(race("a", "A", ours, peers, limits={"peer": limit}, repeats=2))

    answer = {"wall": 5.0, "cpu": 5.0, "loglik": -1.0, "version": "2"}
    assert held(answer, 3.0) and not held(answer, 1e12)
    assert not held({**answer, "loglik": -1.1}, 3.0)
    capsys.readouterr()
    assert held("out of memory", 3.0)
    record = json.loads(capsys.readouterr().out)
    assert record["programs"][1]["remark"] == "out of memory" and len(record["programs"][0]["cpu"]) == 2


def test_a_server_answers_lines(load: Any, tmp_path: Path) -> None:
    common = load("common")
    code = (
        "import sys\nfor line in sys.stdin:\n  print(open(line.strip()).read(), flush=True)\n  if 'end' in line: break"
    )
    for name in ("case", "end"):
        (tmp_path / name).write_text('{"x": 1}', encoding="utf-8")
    server = common.Server([sys.executable, "-c", code])
    assert [server.ask(tmp_path / name) for name in ("case", "case", "end")] == [{"x": 1}] * 3
    assert server.ask(tmp_path / "case") == "the process ended"
    server.close()
    with common.serving(["no-such-program"], ["no-such-program"]) as nothing:
        assert nothing is None


def test_race_table(load: Any) -> None:
    """Where a peer is faster that is bold, and so is a ratio below the claimed one told."""
    programs = [
        row("mixsem", [0.02, 0.01, 0.03], loglik=-5.0),
        row("quick", [0.01], loglik=-5.5, differs="loglik -5.5, ours -5.0"),
        row("slow", [0.2], remark="no standard errors"),
        {**row("gone", []), "remark": "stopped"},
    ]
    record = {"title": "A", "limits": {"slow": 30.0}, "programs": programs}
    lines = load("tables").race_table([record])[2:]
    assert lines == [
        "| A | mixsem | 20 ms (10–30) | 20 ms (10–30) |  |  |  | 3 |",
        "|  | quick | 10 ms | 10 ms | **0.50** | -5e-01 | loglik -5.5, ours -5.0 | 1 |",
        "|  | slow | 200 ms | 200 ms | 10, not 30 |  | the same; no standard errors | 1 |",
        "|  | gone | – | – | – | – | stopped | 0 |",
    ]


def test_durations(load: Any) -> None:
    duration = load("tables").duration
    assert [duration([value]) for value in (123.4, 2.345, 0.0345, 2.4e-5)] == ["123 s", "2.3 s", "34.5 ms", "24 µs"]
    assert duration([]) == "–" and duration([1.0, 1.0]) == "1 s" and duration([1.0, 2.0, 4.0]) == "2 s (1–4)"


def test_machine(load: Any) -> None:
    facts = load("machine").describe()
    assert {"processor", "Python", "linear algebra", "packages"} <= set(facts)
    assert "numpy" in facts["packages"] and "threads" in facts["linear algebra"]


def test_our_numbers_are_lavaans(load: Any) -> None:
    """The stored ones of lavaan, for a model that is fitted at once."""
    sem = load("sem")
    stored = json.loads((BENCHMARKS / "sem_lavaan.json").read_text(encoding="utf-8"))["growth"]
    case = load("sem_cases").CASES["growth"]
    ours = sem.numbers(sem.fit(case, case.data()))
    differs = load("sem_race").differs
    assert differs(ours, stored) == "" and differs({**ours, "chisq": ours["chisq"] + 0.01}, stored) != ""
