"""Lays AgentDojo's recorded runs out as one labelled stream of native events, split by time.

    python convert.py RUNS_FOLDER OUT_FOLDER

writes `NAME.jsonl` and `NAME.meta.json` for two streams. In both, every session up to `train_end_ts` is ordinary, and 5 % of
an agent's later sessions are misuse. In `mix5` the later work is of the same kind; in `coldtask_mix5` each agent's later
sessions are of user tasks that it never did before.

Every agent works serially. Inside a session the events are spread evenly over the run's real total time, so gaps mean
nothing; `bytes_out` is the size of a call's arguments, `bytes_in` the size of its result.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runs import MISUSE, ORDINARY, Kind, Run, classify, honest_calls_of, read_runs, serves_attacker

SEED = 1
START_MS = 1_736_150_400_000  # 2025-01-06T08:00:00Z
TRAIN_SHARE = 0.6
TRAIN_TASK_SHARE = 0.5
MISUSE_SHARE = 0.05
PAUSE_MEAN_S = 30.0


@dataclass(frozen=True)
class Session:
    """A run and what became of the injection planted in it."""

    run: Run
    kind: Kind


def sessions_of(runs: list[Run]) -> tuple[list[Session], Counter[str]]:
    """The runs that are clearly ordinary or clearly misuse, and how many runs there were of each kind."""
    honest = honest_calls_of(runs)
    all_sessions = [Session(run, classify(run, honest)) for run in runs]
    kinds = Counter(session.kind.value for session in all_sessions)
    return [session for session in all_sessions if session.kind in ORDINARY | MISUSE], kinds


def lay_out(sessions: list[Session], cold_tasks: bool, seed: int) -> tuple[list[dict[str, Any]], int]:
    """Events in time order and the last millisecond of training."""
    by_agent: dict[str, list[Session]] = defaultdict(list)
    for session in sessions:
        by_agent[session.run.agent_id].append(session)
    plans = {}
    for agent, own in sorted(by_agent.items()):
        chance = random.Random(f"{seed}/{cold_tasks}/{agent}")
        train, test = _split(own, cold_tasks, chance)
        plans[agent] = (train, test, chance)

    events: list[dict[str, Any]] = []
    for train, _, chance in plans.values():
        events.extend(_play(train, START_MS, chance))
    train_end_ms = max(event["ts"] for event in events)
    for _, test, chance in plans.values():
        events.extend(_play(test, train_end_ms + 1, chance))
    events.sort(key=lambda event: event["ts"])
    return events, train_end_ms


def statistics(events: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """What the stream holds: agents, sessions, events, tools, misuse by attack."""
    events = list(events)
    attacks = {event["session_id"]: event["attack"] for event in events if event["session_label"]}
    return {
        "agents": len({event["agent_id"] for event in events}),
        "sessions": len({event["session_id"] for event in events}),
        "events": len(events),
        "tools": len({event["tool"] for event in events}),
        "attack_sessions": len(attacks),
        "attack_events": sum(event["label"] for event in events),
        "attack_kinds": dict(sorted(Counter(name.split(":")[0] for name in attacks.values()).items())),
    }


def _split(own: list[Session], cold_tasks: bool, chance: random.Random) -> tuple[list[Session], list[Session]]:
    """One agent's sessions before and after the end of training."""
    ordinary = [session for session in own if session.kind in ORDINARY]
    misuse = [session for session in own if session.kind in MISUSE]
    chance.shuffle(ordinary)
    if cold_tasks:
        tasks = sorted({session.run.task for session in ordinary})
        known = set(chance.sample(tasks, round(TRAIN_TASK_SHARE * len(tasks))))
        train = [session for session in ordinary if session.run.task in known]
        test = [session for session in ordinary if session.run.task not in known]
        misuse = [session for session in misuse if session.run.task not in known]
    else:
        cut = int(TRAIN_SHARE * len(ordinary))
        train, test = ordinary[:cut], ordinary[cut:]
    wanted = round(len(test) * MISUSE_SHARE / (1 - MISUSE_SHARE))
    test += chance.sample(misuse, min(wanted, len(misuse)))
    chance.shuffle(test)
    return train, test


def _play(sessions: list[Session], start_ms: int, chance: random.Random) -> Iterator[dict[str, Any]]:
    """The sessions one after the other, with pauses between them."""
    now_ms = float(start_ms)
    for session in sessions:
        now_ms += 1_000 * chance.expovariate(1 / PAUSE_MEAN_S)
        step_ms = 1_000 * session.run.duration_s / (len(session.run.calls) + 1)
        for event in _events(session):
            now_ms += step_ms
            yield {"ts": int(now_ms), **event}
        now_ms += step_ms


def _events(session: Session) -> Iterator[dict[str, Any]]:
    run = session.run
    misuse = session.kind in MISUSE
    for call in run.calls:
        event = {
            "agent_id": run.agent_id,
            "session_id": run.run_id,
            "task_type": run.suite,
            "tool": call.tool,
            "target": call.target,
            "bytes_in": None if call.result is None else len(call.result.encode()),
            "bytes_out": len(call.arguments.encode()),
            "status": "error" if call.failed else "ok",
            "label": int(misuse and serves_attacker(run, call)),
            "session_label": int(misuse),
            "attack": f"{run.attack}:injection_task_{run.injection}:{session.kind.value}" if misuse else None,
        }
        yield {name: value for name, value in event.items() if value is not None or name == "attack"}


def write_stream(sessions: list[Session], kinds: Counter[str], name: str, cold_tasks: bool, out: Path, seed: int) -> None:
    """`NAME.jsonl` and `NAME.meta.json` in `out`."""
    events, train_end_ms = lay_out(sessions, cold_tasks, seed)
    with (out / f"{name}.jsonl").open("w", encoding="utf-8") as file:
        for event in events:
            file.write(json.dumps(event, separators=(",", ":"), ensure_ascii=False) + "\n")
    meta = {
        "train_end_ts": datetime.fromtimestamp(train_end_ms / 1_000, UTC).isoformat(timespec="milliseconds"),
        "seed": seed,
        "runs_by_kind": dict(sorted(kinds.items())),
        "train": statistics(event for event in events if event["ts"] <= train_end_ms),
        "test": statistics(event for event in events if event["ts"] > train_end_ms),
        "all": statistics(events),
    }
    (out / f"{name}.meta.json").write_text(json.dumps(meta, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Both streams from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, help="the folder `runs` of the source distribution")
    parser.add_argument("out", type=Path, help="where the streams go")
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    sessions, kinds = sessions_of(list(read_runs(arguments.runs)))
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_stream(sessions, kinds, "mix5", False, arguments.out, arguments.seed)
    write_stream(sessions, kinds, "coldtask_mix5", True, arguments.out, arguments.seed)


if __name__ == "__main__":
    main()
