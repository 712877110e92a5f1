"""Real detectors of others, each behind the same two calls: `fit` on training sessions, `score` test sessions.

Settings are the libraries' own defaults unless a comment says why not. All are frozen after training, save that a detector
that can `learn` a session at a time is run live as well: each test session is learned right after it was scored.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from agentnorm import Monitor, Run, ToolCall
from pyod.models.ecod import ECOD
from pysad.models import LODA, xStream
from river.anomaly import GaussianScorer, HalfSpaceTrees
from sklearn.ensemble import IsolationForest

from sessions import Session, Vectors

SEED = 1
# Fewer sessions than this fit no model of an agent's own: it is scored 0.
SESSIONS_MIN = 5


class Peer(Protocol):
    """Learns what is ordinary, then says how odd sessions are; larger is odder."""

    def fit(self, train: Sequence[Session]) -> None: ...

    def score(self, test: Sequence[Session]) -> np.ndarray: ...


class SessionModel(Protocol):
    """A model that takes sessions one at a time."""

    def learn(self, session: Session) -> None: ...

    def score_one(self, session: Session) -> float: ...


class OneByOne:
    """Plays sessions to a `SessionModel`; live, it goes on learning in the test."""

    def __init__(self, model: SessionModel, live: bool) -> None:
        self._model = model
        self._live = live

    def fit(self, train: Sequence[Session]) -> None:
        for session in train:
            self._model.learn(session)

    def score(self, test: Sequence[Session]) -> np.ndarray:
        scores = []
        for session in test:
            scores.append(self._model.score_one(session))
            if self._live:
                self._model.learn(session)
        return np.array(scores)


class AgentNorm:
    """`agentnorm`'s monitor: five detectors, each ranked against the slice of training that its thresholds came from."""

    CALIBRATION_SHARE = 0.25

    def fit(self, train: Sequence[Session]) -> None:
        runs = [self._run(session) for session in train]
        self._monitor = Monitor.fit(runs, calibration_fraction=self.CALIBRATION_SHARE)
        values = defaultdict(list)
        for run in runs[int(len(runs) * (1 - self.CALIBRATION_SHARE)) :]:
            for name, value in self._monitor.score(run).scores.items():
                if not math.isnan(value):
                    values[name].append(value)
        self._calibration = {name: np.sort(found) for name, found in values.items()}

    def score(self, test: Sequence[Session]) -> np.ndarray:
        return np.array([self._score(session) for session in test])

    def _score(self, session: Session) -> float:
        """-log10 of the smallest of the five ranks; beyond the calibration slice the library's ratio to the threshold decides."""
        verdict = self._monitor.score(self._run(session))
        p_min = 1.0
        for name, value in verdict.scores.items():
            seen = self._calibration.get(name, np.empty(0))
            if not math.isnan(value) and len(seen):
                p_min = min(p_min, (1 + len(seen) - np.searchsorted(seen, value)) / (1 + len(seen)))
        ratio = max((min(alert.ratio, 100.0) for alert in verdict.alerts), default=0.0)
        return -math.log10(p_min) + 1e-3 * ratio

    @staticmethod
    def _run(session: Session) -> Run:
        calls = [
            ToolCall(event.tool, step, ok=not event.failed, result_size=round(math.expm1(event.log_in)))
            for step, event in enumerate(session.events)
        ]
        return Run(session.agent, calls=calls)


class Gaussians:
    """River's Gaussian scorer on sizes in and out of each tool, and on length and total size of the session; per agent."""

    def __init__(self) -> None:
        # The default grace of 100 would mute most (agent, tool) pairs.
        self._scorers: dict[tuple[str, ...], GaussianScorer] = defaultdict(lambda: GaussianScorer(grace_period=10))

    def learn(self, session: Session) -> None:
        for key, value in self._values(session):
            self._scorers[key].learn_one(None, value)

    def score_one(self, session: Session) -> float:
        return max(float(self._scorers[key].score_one(None, value)) for key, value in self._values(session))

    @staticmethod
    def _values(session: Session) -> list[tuple[tuple[str, ...], float]]:
        values: list[tuple[tuple[str, ...], float]] = [((session.agent, "length"), math.log1p(len(session.events)))]
        values.append(((session.agent, "sent"), math.log1p(sum(math.expm1(event.log_out) for event in session.events))))
        for event in session.events:
            values.append(((session.agent, event.tool, "in"), event.log_in))
            values.append(((session.agent, event.tool, "out"), event.log_out))
        return values


class Trees:
    """River's half-space trees, per agent, on each event: sizes, error, position, and how usual tool and transition are."""

    SIZE_MAX = 20.0
    LENGTH_MAX = 50.0

    def __init__(self) -> None:
        # The window is the number of events until the trees first judge; the default 250 exceeds many an agent's history.
        self._trees: dict[str, HalfSpaceTrees] = defaultdict(lambda: HalfSpaceTrees(window_size=100, seed=SEED))
        self._counts: dict[tuple[str, ...], int] = defaultdict(int)

    def learn(self, session: Session) -> None:
        for features, keys in self._features(session):
            self._trees[session.agent].learn_one(features)
            for key in keys:
                self._counts[key] += 1

    def score_one(self, session: Session) -> float:
        trees = self._trees[session.agent]
        return max(float(trees.score_one(features)) for features, _ in self._features(session))

    def _features(self, session: Session) -> list[tuple[dict[str, float], tuple[tuple[str, ...], ...]]]:
        found: list[tuple[dict[str, float], tuple[tuple[str, ...], ...]]] = []
        before = ""
        for position, event in enumerate(session.events):
            agent, context, tool, pair = (
                (session.agent,),
                (session.agent, "after", before),
                (session.agent, "uses", event.tool),
                (session.agent, "goes", before, event.tool),
            )
            features = {
                "in": min(event.log_in / self.SIZE_MAX, 1.0),
                "out": min(event.log_out / self.SIZE_MAX, 1.0),
                "failed": float(event.failed),
                "position": min(position / self.LENGTH_MAX, 1.0),
                "tool": self._counts[tool] / (self._counts[agent] + 1),
                "transition": self._counts[pair] / (self._counts[context] + 1),
            }
            found.append((features, (agent, context, tool, pair)))
            before = event.tool
        return found


# Scores of the rows of a matrix.
Scorer = Callable[[np.ndarray], np.ndarray]


class OnVectors:
    """A model of session vectors, one for each agent or one for each task type."""

    def __init__(self, make: Callable[[np.ndarray], Scorer], per_agent: bool) -> None:
        self._make = make
        self._per_agent = per_agent

    def fit(self, train: Sequence[Session]) -> None:
        self._vectors = Vectors()
        rows = self._vectors.fit(train)
        groups = defaultdict(list)
        for row, session in zip(rows, train, strict=True):
            groups[self._group(session)].append(row)
        self._models = {name: self._make(np.array(own)) for name, own in groups.items() if len(own) >= SESSIONS_MIN}

    def score(self, test: Sequence[Session]) -> np.ndarray:
        scores = np.zeros(len(test))
        groups = defaultdict(list)
        for at, session in enumerate(test):
            groups[self._group(session)].append(at)
        for name, members in groups.items():
            if name in self._models:
                rows = np.array([self._vectors.row(test[at]) for at in members])
                scores[members] = self._models[name](rows)
        return scores

    def _group(self, session: Session) -> str:
        return session.agent if self._per_agent else session.task_type


def _isolation_forest(rows: np.ndarray) -> Scorer:
    model = IsolationForest(n_estimators=200, max_samples=min(256, len(rows)), random_state=SEED).fit(rows)
    return lambda test: -model.score_samples(test)


def _ecod(rows: np.ndarray) -> Scorer:
    # ECOD adds what it scores to its empirical distribution; row by row no test session sees another. That makes a model of a
    # whole task type too slow to be run.
    model = ECOD().fit(rows)
    return lambda test: np.array([model.decision_function(row[None])[0] for row in test])


def _streaming(model: LODA | xStream, rows: np.ndarray) -> Scorer:
    for row in rows:
        model.fit_partial(row)
    return lambda test: np.array([float(model.score_partial(row)) for row in test])


def _loda(rows: np.ndarray) -> Scorer:
    return _streaming(LODA(random_state=SEED), rows)


def _xstream(rows: np.ndarray) -> Scorer:
    # The default window is 25 sessions; from a shorter history the model would never see one.
    return _streaming(xStream(window_size=min(25, len(rows)), random_state=SEED), rows)


def peers() -> dict[str, Peer]:
    """Every peer by the name it has in the table."""
    found: dict[str, Peer] = {"agentnorm, frozen": AgentNorm()}
    for live, mode in ((False, "frozen"), (True, "live")):
        found[f"river GaussianScorer, {mode}"] = OneByOne(Gaussians(), live)
        found[f"river HalfSpaceTrees, {mode}"] = OneByOne(Trees(), live)
    found["pyod ECOD, per agent, frozen"] = OnVectors(_ecod, per_agent=True)
    vector_models = {
        "scikit-learn IsolationForest": _isolation_forest,
        "pysad LODA": _loda,
        "pysad xStream": _xstream,
    }
    for name, make in vector_models.items():
        found[f"{name}, per agent, frozen"] = OnVectors(make, per_agent=True)
        found[f"{name}, per task type, frozen"] = OnVectors(make, per_agent=False)
    return found
