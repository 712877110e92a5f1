"""One peer of the throughput benchmark: `python peer.py NAME STREAM`.

Reads the stream, warms up, prints its version; then, for each line on standard input, works through one slice and prints what
it took as JSON: events, CPU time of all threads (user and system) and wall time, both in nanoseconds. What a peer is given
(events in memory, or the file) is said where it is defined; only that work is on the clock.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Hashable
from importlib.metadata import version
from itertools import cycle, islice
from typing import Any

# The four sizes that each peer watches, as our volume, duration and cadence channels do.
FIELDS = ("bytes_in", "bytes_out", "duration_ms")
# River's Gaussian scorer answers 0 until it has seen this many values, which would be no work.
GRACE = 100
# Agents of the peers whose state is large: trees and forests need 1 MiB an agent, and cost the same for each.
FEW_AGENTS = 20

Row = tuple[str, tuple[float, ...]]
# Runs one slice and answers how many events that were.
Work = Callable[[], int]


def rows(lines: list[bytes]) -> list[Row]:
    """Agent and the logarithms of its sizes and of the gap to its last event."""
    import orjson

    found = []
    before: dict[str, float] = {}
    for line in lines:
        found.append(row(orjson.loads(line), before))
    return found


def row(event: dict[str, Any], before: dict[str, float]) -> Row:
    """One event; `before` holds the time of each agent's last one."""
    agent = event["agent_id"]
    text = event["ts"]
    # Hours, minutes and seconds are enough for a gap, and cheaper than parsing a date.
    seconds = int(text[11:13]) * 3600 + int(text[14:16]) * 60 + float(text[17:23])
    gap = abs(seconds - before.get(agent, seconds))
    before[agent] = seconds
    return agent, (*(math.log1p(event[name]) for name in FIELDS), math.log1p(gap))


def river_gauss(path: str) -> tuple[str, Work]:
    """Events in memory; four scorers an agent, each past its grace period."""
    learn = _gaussians(_lines(path))
    given = rows(_lines(path))
    slices = cycle(given)

    def work() -> int:
        for agent, sizes in islice(slices, 10_000):
            learn(agent, sizes)
        return 10_000

    return version("river"), work


def river_trees(path: str) -> tuple[str, Work]:
    """Events in memory; one set of half-space trees an agent, past its first window."""
    from river.anomaly import HalfSpaceTrees

    given = _few(rows(_lines(path)))
    limits: dict[Hashable, tuple[float, float]] = {number: (0.0, 20.0) for number in range(4)}
    trees: dict[str, HalfSpaceTrees] = defaultdict(lambda: HalfSpaceTrees(n_trees=10, height=8, window_size=100, limits=limits, seed=1))
    slices = cycle(given)

    def work(count: int = 1_000) -> int:
        for agent, sizes in islice(slices, count):
            features = dict(enumerate(sizes))
            trees[agent].score_one(features)
            trees[agent].learn_one(features)
        return count

    work(100 * FEW_AGENTS * 2)
    return version("river"), work


def krcf(path: str) -> tuple[str, Work]:
    """Events in memory; one forest an agent, full before it is measured."""
    from krcf import RandomCutForest, RandomCutForestOptions

    given = _few(rows(_lines(path)))
    options: RandomCutForestOptions = {"dimensions": 4, "shingle_size": 1, "num_trees": 30, "sample_size": 256, "random_seed": 1}
    forests: dict[str, RandomCutForest] = defaultdict(lambda: RandomCutForest(options))
    slices = cycle(given)

    def work(count: int = 1_000) -> int:
        for agent, sizes in islice(slices, count):
            forests[agent].score(list(sizes))
            forests[agent].update(list(sizes))
        return count

    work(256 * FEW_AGENTS)
    return version("krcf"), work


def orjson_river_gauss(path: str) -> tuple[str, Work]:
    """The file, end to end: read, parse, score and learn."""
    import orjson

    learn = _gaussians(_lines(path))
    events = len(_lines(path))

    def work() -> int:
        before: dict[str, float] = {}
        with open(path, "rb") as file:
            for line in islice(file, 10_000):
                learn(*row(orjson.loads(line), before))
        return min(events, 10_000)

    return f"orjson {version('orjson')}, river {version('river')}", work


def duckdb(path: str) -> tuple[str, Work]:
    """The file: parse six columns of it and add them up, on one thread."""
    import duckdb

    connection = duckdb.connect(config={"threads": 1})
    texts = ", ".join(f"{name}: 'VARCHAR'" for name in ("agent_id", "session_id", "tool"))
    columns = f"{{{texts}, bytes_in: 'BIGINT', bytes_out: 'BIGINT', duration_ms: 'DOUBLE'}}"
    query = f"""
        SELECT count(*), sum(length(agent_id)), sum(length(session_id)), sum(length(tool)), sum(bytes_in), sum(bytes_out),
               sum(duration_ms)
        FROM read_json('{path}', format = 'newline_delimited', columns = {columns})
    """

    def work() -> int:
        row = connection.execute(query).fetchone()
        return int(row[0]) if row else 0

    work()
    return version("duckdb"), work


def _gaussians(lines: list[bytes]) -> Callable[[str, tuple[float, ...]], None]:
    """Scores and learns the sizes of one event; every agent's scorers have passed their grace period."""
    from river.anomaly import GaussianScorer

    scorers: dict[str, list[GaussianScorer]] = defaultdict(lambda: [GaussianScorer(grace_period=GRACE) for _ in range(4)])

    def learn(agent: str, sizes: tuple[float, ...]) -> None:
        for scorer, size in zip(scorers[agent], sizes, strict=True):
            scorer.score_one(None, size)
            scorer.learn_one(None, size)

    own: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    for agent, sizes in rows(lines):
        own[agent].append(sizes)
    for agent, history in own.items():
        for sizes in islice(cycle(history), GRACE):
            learn(agent, sizes)
    return learn


def _few(given: list[Row]) -> list[Row]:
    """Only the events of the agents with most of them."""
    counts: dict[str, int] = defaultdict(int)
    for agent, _ in given:
        counts[agent] += 1
    few = set(sorted(counts, key=lambda agent: -counts[agent])[:FEW_AGENTS])
    return [one for one in given if one[0] in few]


def _lines(path: str) -> list[bytes]:
    with open(path, "rb") as file:
        return file.readlines()


PEERS: dict[str, Callable[[str], tuple[str, Work]]] = {
    "river-gauss": river_gauss,
    "river-trees": river_trees,
    "krcf": krcf,
    "orjson-river-gauss": orjson_river_gauss,
    "duckdb": duckdb,
}


def main() -> None:
    """Gets ready, says so, then works on order."""
    name, path = sys.argv[1:]
    about, work = PEERS[name](path)
    print(about, flush=True)
    for _ in sys.stdin:
        cpu_ns, wall_ns = time.process_time_ns(), time.perf_counter_ns()
        events = work()
        took = {"events": events, "cpu_ns": time.process_time_ns() - cpu_ns, "wall_ns": time.perf_counter_ns() - wall_ns}
        print(json.dumps(took), flush=True)


if __name__ == "__main__":
    main()
