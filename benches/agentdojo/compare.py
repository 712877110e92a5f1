"""Gaitkeeper beside its peers on the two streams that `convert.py` wrote: one table and one JSON file.

    python compare.py STREAMS_FOLDER GAITKEEPER_BINARY OUT_FOLDER

Peers in Python are run here. Gaitkeeper's session scores come from `replay`, so that all differences are paired; `evaluate`
must give the same figures for them (it is checked), and adds the peers that are built into it.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from metrics import DRAWS, FALSE_ALARM_SHARES, MEASURES, evaluate
from metrics import SEED as DRAWS_SEED
from peers import peers
from sessions import Stream, read_stream

STREAMS = ("mix5", "coldtask_mix5")
MODES = {"frozen": "--learn-until", "live": "--seal-at"}
PACKAGES = ("agentnorm", "numpy", "pyod", "pysad", "river", "scikit-learn")
AGREEMENT = 1e-9


def own_scores(binary: Path, path: Path, mode: str, stream: Stream) -> np.ndarray:
    """Gaitkeeper's score of each test session, from `replay`."""
    train_end = json.loads(path.with_suffix(".meta.json").read_text(encoding="utf-8"))["train_end_ts"]
    command: list[str | Path] = [binary, "replay", path, MODES[mode], train_end, "--scores", "-"]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    scores: dict[str, float] = defaultdict(float)
    for line in output.splitlines():
        row = json.loads(line)
        if row.get("session_end"):
            scores[row["session_id"]] = max(scores[row["session_id"]], row["session_score"])
    return np.array([scores[session.session_id] for session in stream.test])


def built_in(binary: Path, path: Path, out: Path) -> dict[str, dict[str, dict[str, float]]]:
    """Every row of `evaluate --compare peers`, in the form of `metrics.evaluate`."""
    report = out / f"{path.stem}.evaluate.json"
    command: list[str | Path] = [binary, "evaluate", path, "--mode", "all", "--compare", "peers", "--json", report]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    rows = {}
    for detector in json.loads(report.read_text(encoding="utf-8"))["detectors"]:
        sessions = detector["sessions"]
        found = {round(row["false_alarms"], 6): row["found"] for row in sessions["found"]}
        figures = [sessions["roc_auc"], sessions["average_precision"], *(found[share] for share in FALSE_ALARM_SHARES)]
        rows[detector["name"]] = dict(zip(MEASURES, figures, strict=True))
    return rows


def compare(path: Path, binary: Path, out: Path) -> tuple[dict[str, Any], list[str]]:
    """One stream: the figures of every detector, and what does not agree."""
    stream = read_stream(path)
    scores, seconds = {}, {}
    for mode in MODES:
        begun = time.monotonic()
        scores[f"Gaitkeeper, {mode}"] = own_scores(binary, path, mode, stream)
        seconds[f"Gaitkeeper, {mode}"] = time.monotonic() - begun
    for name, peer in peers().items():
        print(f"{path.stem}: {name}", file=sys.stderr)
        begun = time.monotonic()
        peer.fit(stream.train)
        scores[name] = peer.score(stream.test)
        seconds[name] = time.monotonic() - begun
    rows: dict[str, Any] = evaluate(scores, stream.truth, reference="Gaitkeeper, frozen")
    disagreements = []
    for name, figures in built_in(binary, path, out).items():
        if name not in MODES:
            rows[f"Gaitkeeper, {name}" if name == "triage" else f"built in: {name}, frozen"] = figures
            continue
        for measure in MEASURES:
            ours, theirs = rows[f"Gaitkeeper, {name}"][measure]["value"], figures[measure]["value"]
            if abs(ours - theirs) > AGREEMENT:
                disagreements.append(f"{path.stem}, {name}, {measure}: replay gives {ours}, evaluate {theirs}")
    report = {
        "test_sessions": len(stream.test),
        "attack_sessions": int(stream.truth.sum()),
        "base_rate": float(stream.truth.mean()),
        "detectors": rows,
        "wall_seconds": seconds,
    }
    return report, disagreements


def table(report: dict[str, Any]) -> str:
    """The figures as Markdown."""
    lines = []
    for name, stream in report["streams"].items():
        counted = f"{stream['test_sessions']} test sessions, {stream['attack_sessions']} with misuse ({stream['base_rate']:.1%})"
        lines += [f"### {name}", "", f"{counted}. 95 % bootstrap intervals in brackets.", ""]
        lines += ["| detector | ROC-AUC | PR-AUC | found at .1 % | found at 1 % | found at 5 % |", "|---|---|---|---|---|---|"]
        for detector, figures in stream["detectors"].items():
            cells = [f"{f['value']:.3f} [{f['low']:.3f}, {f['high']:.3f}]" for f in figures.values()]
            lines.append(f"| {detector} | {' | '.join(cells)} |")
        lines.append("")
    lines.append(", ".join(f"{name} {number}" for name, number in report["versions"].items()) + f"; {report['draws']} draws.")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Both streams; exit code 1 when `replay` and `evaluate` disagree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("streams", type=Path)
    parser.add_argument("binary", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    own_version = subprocess.run([arguments.binary, "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()[1]
    versions = {"gaitkeeper": own_version, "agentdojo": "0.1.29", "python": platform.python_version()}
    versions |= {name: version(name) for name in PACKAGES}
    report: dict[str, Any] = {"versions": versions, "draws": DRAWS, "seed": DRAWS_SEED, "streams": {}}
    disagreements = []
    for name in STREAMS:
        report["streams"][name], found = compare(arguments.streams / f"{name}.jsonl", arguments.binary, arguments.out)
        disagreements += found
    (arguments.out / "comparison.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    (arguments.out / "comparison.md").write_text(table(report), encoding="utf-8")
    print(table(report), end="")
    for line in disagreements:
        print(line, file=sys.stderr)
    return 1 if disagreements else 0


if __name__ == "__main__":
    sys.exit(main())
