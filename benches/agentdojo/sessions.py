"""Sessions of a labelled stream, and what the peers may know of one: its events, and a vector of numbers.

Ground truth is kept apart from the events, so no peer can see it.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np

TOOLS_MAX = 100
START, END = "<start>", "<end>"


@dataclass(frozen=True)
class Event:
    """What a peer sees of one event."""

    tool: str
    target: str | None
    log_in: float
    log_out: float
    failed: bool


@dataclass
class Session:
    """One session of one agent."""

    session_id: str
    agent: str
    task_type: str
    events: list[Event] = field(default_factory=list)


@dataclass
class Stream:
    """A stream split by time, with the truth of its test sessions."""

    train: list[Session]
    test: list[Session]
    truth: np.ndarray  # 1 for misuse, in the order of `test`


def read_stream(path: Path) -> Stream:
    """The sessions of `path` in order of their first event; one that begins after the meta file's `train_end_ts` is a test session."""
    meta = json.loads(path.with_suffix(".meta.json").read_text(encoding="utf-8"))
    train_end_ms = round(datetime.fromisoformat(meta["train_end_ts"]).timestamp() * 1_000)
    sessions: dict[str, Session] = {}
    begins: dict[str, int] = {}
    labels: dict[str, int] = {}
    for line in path.open(encoding="utf-8"):
        row = json.loads(line)
        name = row["session_id"]
        session = sessions.setdefault(name, Session(name, row["agent_id"], row["task_type"]))
        begins.setdefault(name, row["ts"])
        labels[name] = row["session_label"]
        session.events.append(
            Event(
                tool=row["tool"],
                target=row.get("target"),
                log_in=math.log1p(row.get("bytes_in") or 0),
                log_out=math.log1p(row.get("bytes_out") or 0),
                failed=row.get("status") == "error",
            )
        )
    train = [session for name, session in sessions.items() if begins[name] <= train_end_ms]
    test = [session for name, session in sessions.items() if begins[name] > train_end_ms]
    return Stream(train, test, np.array([labels[session.session_id] for session in test]))


class Vectors:
    """Session vectors: tool counts, length, largest and total sizes, errors, new transitions and new targets.

    New means: not in an earlier session of the same agent. After `fit` nothing more is learned.
    """

    def __init__(self) -> None:
        self._columns: dict[str, int] = {}
        self._transitions: dict[str, set[tuple[str, str]]] = defaultdict(set)
        self._targets: dict[str, set[tuple[str, str | None]]] = defaultdict(set)

    def fit(self, train: Sequence[Session]) -> np.ndarray:
        """One row for each session of `train`, as it looked when it came."""
        counts = Counter(event.tool for session in train for event in session.events)
        self._columns = {tool: column for column, (tool, _) in enumerate(counts.most_common(TOOLS_MAX))}
        rows = []
        for session in train:
            rows.append(self.row(session))
            self._transitions[session.agent].update(_transitions(session))
            self._targets[session.agent].update(_targets(session))
        return np.array(rows)

    def row(self, session: Session) -> list[float]:
        """The vector of one session."""
        tools = [0.0] * (len(self._columns) + 1)
        for event in session.events:
            tools[self._columns.get(event.tool, len(self._columns))] += 1
        sizes_in = [event.log_in for event in session.events]
        sizes_out = [event.log_out for event in session.events]
        return [
            *tools,
            math.log1p(len(session.events)),
            max(sizes_in),
            max(sizes_out),
            math.log1p(sum(map(math.expm1, sizes_in))),
            math.log1p(sum(map(math.expm1, sizes_out))),
            float(sum(event.failed for event in session.events)),
            float(len(_transitions(session) - self._transitions[session.agent])),
            float(len(_targets(session) - self._targets[session.agent])),
        ]


def _transitions(session: Session) -> set[tuple[str, str]]:
    tools = [START, *(event.tool for event in session.events), END]
    return set(pairwise(tools))


def _targets(session: Session) -> set[tuple[str, str | None]]:
    return {(event.tool, event.target) for event in session.events if event.target is not None}
