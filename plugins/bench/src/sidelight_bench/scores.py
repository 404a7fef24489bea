"""Scores of the leaderboard, in numpy alone.

    s(m)     score of one factor by one method on model m; higher says that m uses the factor more
    u(m)     1 if m uses the factor, by exact re-rendering, 0 if it does not; some models are neither
    stratum  the models of one suite, asked about one factor; models are compared within a stratum alone
    cluster  the models of one data set and architecture that were trained from one seed, whatever planted cause and
             dose: suites of one data set share their clean twins

Six models give wide intervals, and a bootstrap of six models that are told apart without an error gives none. So an
interval of the AUROC is the hull of two: percentiles of a bootstrap over clusters, and Newcombe's interval, which does
not shrink to a point at 0 and 1. It includes 1/2 where no outcome could be told from chance by the exact test of
Mann and Whitney, as of three models against three.

With few clusters percentiles are too narrow: they are taken further out, as if the number were Student's.

Newcombe 2006, Confidence intervals for an effect size measure based on the Mann-Whitney statistic, part 2 (method 5);
Hanley and McNeil 1982, The meaning and use of the area under a receiver operating characteristic (ROC) curve;
Hesterberg 2015, What Teachers Should Know About the Bootstrap, section 4.3 (expanded percentiles).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from sidelight_specs.intervals import NORMAL_QUANTILE, student_quantile, wilson_interval

ALPHA, CHANCE = 0.05, 0.5
DRAWS = 2000  # of the bootstrap: its percentiles vary by about .005
RECALL = 0.9
FEWEST_CLUSTERS = 6  # 2 / 2^6 < .05: with fewer no test of signs over clusters can reach 5 %


class Interval(NamedTuple):
    """A number and its 95 % interval; NaN where it cannot be told."""

    value: float
    low: float
    high: float


NOTHING = Interval(math.nan, math.nan, math.nan)


class Scores(NamedTuple):
    """Scores of one method on M pairs of a model and a factor, as columns.

    Args:
        value: (M,) s(m), NaN where there is none.
        used: (M,) bool, u(m) = 1.
        unused: (M,) bool, u(m) = 0.
        clean: (M,) bool, the model was trained without the planted cause.
        dose: (M,) strength of the planted cause in training; NaN where the pair is about another factor.
        effect: (M,) true effect of the factor on the model.
        stratum: (M,) text.
        cluster: (M,) text, `DATA/ARCHITECTURE/SEED`.
        model: (M,) text.
    """

    value: np.ndarray
    used: np.ndarray
    unused: np.ndarray
    clean: np.ndarray
    dose: np.ndarray
    effect: np.ndarray
    stratum: np.ndarray
    cluster: np.ndarray
    model: np.ndarray

    def take(self, rows: np.ndarray) -> Scores:
        """Some of the pairs, by index or mask."""
        return Scores(*(column[rows] for column in self))


def auroc(positive: np.ndarray, negative: np.ndarray) -> float:
    """P(s+ > s-) + P(s+ = s-) / 2 over all pairs; NaN where either side is empty."""
    if not len(positive) or not len(negative):
        return math.nan
    return float(_wins(positive, negative).mean())


def stratified_auroc(scores: Scores, draws: int = DRAWS) -> Interval:
    """Mean over the strata of AUROC; strata whose models all use the factor, or all do not, are left out.

    The interval is the hull of a bootstrap over clusters and of Newcombe's interval. In the latter, strata of one data
    set count as fully dependent, because they are about the same models.
    """
    scores = scores.take(_rows_in(_tables(scores)))
    tables = _tables(scores)
    if not tables:
        return NOTHING
    value = float(np.mean([table.auroc for table in tables.values()]))
    drawn = _drawn_aurocs(scores, tables, draws)
    low, high = _percentiles(drawn, scores)
    wide_low, wide_high = _newcombe(value, list(tables.values()))
    if 2 / _orders(list(tables.values())) > ALPHA:  # whatever came out: so few models cannot prove more than chance
        low, high = min(low, CHANCE), max(high, CHANCE)
    return Interval(value, min(low, wide_low, value), max(high, wide_high, value))


def compared(scores: Scores) -> tuple[int, int, int]:
    """Models that use a factor, models that do not, and strata, that `stratified_auroc` compares."""
    tables = _tables(scores).values()
    return sum(len(one.users) for one in tables), sum(len(one.others) for one in tables), len(tables)


def auroc_differs(one: Scores, other: Scores, draws: int = DRAWS) -> bool:
    """True if the AUROC of two methods differs, by a paired bootstrap over clusters.

    Only strata and models count on which both have a score. The 95 % interval of the difference has to leave out 0, and
    there have to be six clusters, because with fewer no test of signs can reach 5 %. Where either has none: False.
    """
    first, second = _paired(one, other)
    rows = _rows_in(_tables(first))
    first, second = first.take(rows), second.take(rows)
    tables, others = _tables(first), _tables(second)
    if not tables or len(set(first.cluster.tolist())) < FEWEST_CLUSTERS:
        return False
    gaps = _drawn_aurocs(first, tables, draws) - _drawn_aurocs(second, others, draws)
    low, high = _percentiles(gaps, first)
    return bool(low > 0 or high < 0)


def spearman(one: np.ndarray, other: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Spearman's rho with mean ranks for ties; NaN for fewer than three pairs, or where either is constant.

    Args:
        one: (M,).
        other: (M,).
        weights: (M,) how often each pair counts, for a bootstrap.
    """
    count = np.ones(len(one)) if weights is None else np.asarray(weights, dtype=float)
    if (count > 0).sum() < 3:
        return math.nan
    ranks = [_ranks(np.asarray(side, dtype=float), count) for side in (one, other)]
    first, second = (rank - np.average(rank, weights=count) for rank in ranks)
    spread = math.sqrt(float((count * first**2).sum() * (count * second**2).sum()))
    return float((count * first * second).sum()) / spread if spread > 1e-12 else math.nan


def profile_correlation(scores: Scores, draws: int = DRAWS) -> Interval:
    """Mean over the models of Spearman's rho, over factors, of score and true effect; for three factors and more."""
    rows = [np.flatnonzero((scores.model == model) & np.isfinite(scores.value)) for model in np.unique(scores.model)]
    rhos = [(spearman(scores.value[index], scores.effect[index]), index) for index in rows if len(index)]
    return _bootstrapped_mean(scores, [(rho, index) for rho, index in rhos if math.isfinite(rho)], draws)


def effect_correlation(scores: Scores, draws: int = DRAWS) -> Interval:
    """Mean over the strata of Spearman's rho, over models, of score and true effect."""
    return _correlation(scores, scores.effect, draws)


def dose_response(scores: Scores, draws: int = DRAWS) -> Interval:
    """Mean over strata and architectures of Spearman's rho, over models, of score and dose.

    NaN for fewer than three doses, which AUROC already tells apart.
    """
    groups = _groups(scores.stratum, _architectures(scores))
    kept = [rows for rows in groups if len(np.unique(scores.dose[rows][np.isfinite(scores.value[rows])])) >= 3]
    return _correlation(scores, scores.dose, draws, kept)


def _correlation(scores: Scores, other: np.ndarray, draws: int, groups: list[np.ndarray] | None = None) -> Interval:
    groups = _groups(scores.stratum) if groups is None else groups
    groups = [rows[np.isfinite(scores.value[rows]) & np.isfinite(other[rows])] for rows in groups]
    rhos = [spearman(scores.value[rows], other[rows]) for rows in groups]
    kept = [rows for rows, rho in zip(groups, rhos, strict=True) if math.isfinite(rho)]
    if not kept:
        return NOTHING
    value = float(np.mean([rho for rho in rhos if math.isfinite(rho)]))
    weights = _multiplicities(scores, draws)  # (D, M)
    ranks = [(_ordering(scores.value[rows]), _ordering(other[rows]), rows) for rows in kept]
    drawn = _mean_of_known(np.stack([_weighted_rho(one, two, weights[:, rows]) for one, two, rows in ranks]))
    low, high = _percentiles(drawn, scores)
    return Interval(value, low, high)


def false_alarms(scores: Scores, recall: float = RECALL) -> Interval:
    """Share of clean models that are called users of the factor, where 90 % of those that use it are found.

    In each stratum the threshold is the highest that at least 90 % of the models with u = 1 reach; a clean model with
    u = 0 that reaches it is a false alarm. Wilson's interval over the models.
    """
    alarms, total = 0, 0
    for rows in _groups(scores.stratum):
        some = scores.take(rows[np.isfinite(scores.value[rows])])
        users, clean = np.sort(some.value[some.used]), some.value[some.clean & some.unused]
        if not len(users) or not len(clean):
            continue
        threshold = users[len(users) - math.ceil(recall * len(users))]
        alarms, total = alarms + int((clean >= threshold).sum()), total + len(clean)
    return wilson(alarms, total)


def stability(
    value: np.ndarray, used: np.ndarray, unused: np.ndarray, stratum: np.ndarray, group: np.ndarray
) -> tuple[float, tuple[str, ...]]:
    """Agreement of groups of images or seeds with the others, about which models use the factor.

    In each stratum and group (a seed, a background, a half of the positions), the sign of mean s(used) - mean s(not
    used), against its sign over the other groups of the dimension together. 1: the same in all groups; .5: as chance
    has it. The whole would agree with its own parts by chance: with one of three seeds in .70 of all cases.

    Args:
        value: (R,) scores of a model on the images of a group.
        used: (R,) bool.
        unused: (R,) bool.
        stratum: (R,) text.
        group: (R,) text; the group's dimension stands before a slash: `seed/1`.

    Returns:
        The share of groups that agree, NaN where there are fewer than two, and the dimensions of those that do not.
    """
    agree, flipped = list[float](), dict[str, None]()
    dimensions = np.array([str(name).partition("/")[0] for name in group])
    for rows in _groups(stratum, dimensions):
        for some in _groups(group[rows]):
            index, rest = rows[some], np.delete(rows, some)
            sign, others = (_sign(value[part], used[part], unused[part]) for part in (index, rest))
            if math.isnan(sign) or math.isnan(others):
                continue
            agree.append(1.0 if sign == others and sign != 0 else 0.0)
            if not agree[-1]:
                flipped[str(dimensions[index[0]])] = None
    return (float(np.mean(agree)) if len(agree) >= 2 else math.nan), tuple(flipped)


def wilson(hits: int, count: int) -> Interval:
    """Wilson's score interval of a share (1927); NaN of nothing."""
    if not count:
        return NOTHING
    return Interval(hits / count, *wilson_interval(hits, count))


class _Table(NamedTuple):
    """Pairs of a stratum: rows of the models that use the factor, of those that do not, and who wins."""

    users: np.ndarray  # (P,)
    others: np.ndarray  # (Q,)
    wins: np.ndarray  # (P, Q) 1, 1/2 or 0
    data: str  # set that they learned from

    @property
    def auroc(self) -> float:
        return float(self.wins.mean())


def _tables(scores: Scores) -> dict[str, _Table]:
    tables = {}
    for rows in _groups(scores.stratum):
        rows = rows[np.isfinite(scores.value[rows])]
        users, others = rows[scores.used[rows]], rows[scores.unused[rows]]
        if len(users) and len(others):
            wins = _wins(scores.value[users], scores.value[others])
            data = str(scores.cluster[rows[0]]).partition("/")[0]
            tables[str(scores.stratum[rows[0]])] = _Table(users, others, wins, data)
    return tables


def _rows_in(tables: dict[str, _Table]) -> np.ndarray:
    """(R,) rows that stand in a pair."""
    rows = [np.concatenate([table.users, table.others]) for table in tables.values()]
    return np.sort(np.concatenate(rows)) if rows else np.zeros(0, int)


def _wins(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    gaps = np.asarray(positive, dtype=float)[:, None] - np.asarray(negative, dtype=float)[None]
    return np.asarray((np.sign(gaps) + 1) / 2)


def _multiplicities(scores: Scores, draws: int) -> np.ndarray:
    """(D, M) how often each row is in each resample: clusters of a data set and architecture, drawn with replacement.

    The draws depend on the names of the clusters alone, so that methods are compared on the same ones.
    """
    result = np.zeros((draws, len(scores.cluster)))
    kinds: dict[str, list[str]] = {}
    for name in sorted(set(scores.cluster.tolist())):
        kinds.setdefault(name.rpartition("/")[0], []).append(name)
    for kind, names in kinds.items():
        rng = np.random.default_rng([len(names), *kind.encode()])
        drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)  # (D, clusters)
        for column, name in enumerate(names):
            result[:, scores.cluster == name] = drawn[:, column, None]
    return result


def _drawn_aurocs(scores: Scores, tables: dict[str, _Table], draws: int) -> np.ndarray:
    """(D,) the mean over strata in each resample; NaN where a resample has no pair."""
    weights, columns = _multiplicities(scores, draws), []
    for table in tables.values():
        users, others = weights[:, table.users], weights[:, table.others]  # (D, P), (D, Q)
        pairs = users.sum(axis=1) * others.sum(axis=1)
        won = ((users @ table.wins) * others).sum(axis=1)
        columns.append(np.divide(won, pairs, out=np.full(draws, np.nan), where=pairs > 0))
    return _mean_of_known(np.stack(columns))


def _mean_of_known(columns: np.ndarray) -> np.ndarray:
    """(D,) mean over rows of (R, D), without NaN; NaN where all are."""
    known = np.isfinite(columns)
    count, total = known.sum(axis=0), np.where(known, columns, 0).sum(axis=0)
    result: np.ndarray = np.divide(total, count, out=np.full(columns.shape[1], np.nan), where=count > 0)
    return result


def _newcombe(value: float, tables: list[_Table]) -> tuple[float, float]:
    """The values theta with (value - theta)^2 <= z^2 V(theta), V being that of the mean over strata."""
    grid = np.linspace(0, 1, 2001)
    sets: dict[str, np.ndarray] = {}
    for table in tables:
        deviation = np.sqrt(_variance(grid, len(table.users), len(table.others))) / len(tables)
        sets[table.data] = sets.get(table.data, np.zeros_like(grid)) + deviation  # fully dependent
    variance = np.sum([deviation**2 for deviation in sets.values()], axis=0)
    inside = grid[(value - grid) ** 2 <= NORMAL_QUANTILE**2 * variance + 1e-12]
    return float(inside.min()), float(inside.max())


def _orders(tables: list[_Table]) -> int:
    """Orders of users and others that are alike by chance; of the strata of a data set the one with the most counts."""
    sets: dict[str, int] = {}
    for table in tables:
        count = math.comb(len(table.users) + len(table.others), len(table.users))
        sets[table.data] = max(count, sets.get(table.data, 1))
    return math.prod(sets.values())


def _variance(theta: np.ndarray, users: int, others: int) -> np.ndarray:
    """Hanley and McNeil's variance with Newcombe's N* = (m + n) / 2 - 1 in the place of m - 1 and n - 1."""
    both = (users + others) / 2 - 1  # N*
    inner = 1 + both * (1 - theta) / (2 - theta) + both * theta / (1 + theta)
    return np.asarray(theta * (1 - theta) * inner / (users * others))


def _paired(one: Scores, other: Scores) -> tuple[Scores, Scores]:
    """Rows of both with the same stratum and model and a score of either, in one order."""
    keys = [
        {(str(s), str(m)): row for row, (s, m) in enumerate(zip(side.stratum, side.model, strict=True))}
        for side in (one, other)
    ]
    shared = [
        key
        for key in keys[0]
        if key in keys[1] and np.isfinite(one.value[keys[0][key]]) and np.isfinite(other.value[keys[1][key]])
    ]
    first, second = (np.array([side[key] for key in shared], dtype=int) for side in keys)
    return one.take(first), other.take(second)


def _bootstrapped_mean(scores: Scores, values: list[tuple[float, np.ndarray]], draws: int) -> Interval:
    """Mean of one number for each model, and percentiles over clusters; the rows say which model it is."""
    if not values:
        return NOTHING
    numbers = np.array([number for number, _ in values])
    weights = _multiplicities(scores, draws)[:, [rows[0] for _, rows in values]]  # (D, models)
    total = weights.sum(axis=1)
    drawn = np.divide(weights @ numbers, total, out=np.full(draws, np.nan), where=total > 0)
    low, high = _percentiles(drawn, scores)
    return Interval(float(numbers.mean()), low, high)


def _percentiles(drawn: np.ndarray, scores: Scores) -> tuple[float, float]:
    """Expanded percentiles: alpha / 2 = Phi(-sqrt(n / f) t_f), of n clusters of which f are free."""
    known = drawn[np.isfinite(drawn)]
    if not len(known):
        return math.nan, math.nan
    clusters = set(scores.cluster.tolist())
    free = len(clusters) - len({name.rpartition("/")[0] for name in clusters})
    tail = 0.0  # percent; of three clusters and fewer all that was drawn
    if free >= 3:
        tail = 50 * (1 + math.erf(-math.sqrt(len(clusters) / free) * student_quantile(free) / math.sqrt(2)))
    low, high = np.percentile(known, [tail, 100 - tail])
    return float(low), float(high)


def _groups(*columns: np.ndarray) -> list[np.ndarray]:
    """Rows of each distinct value, in the order of the values."""
    if not len(columns[0]):
        return []
    names = np.array(["\0".join(map(str, row)) for row in zip(*columns, strict=True)])
    return [np.flatnonzero(names == name) for name in np.unique(names)]


def _architectures(scores: Scores) -> np.ndarray:
    return np.array([str(name).rpartition("/")[0] for name in scores.cluster])


def _sign(value: np.ndarray, used: np.ndarray, unused: np.ndarray) -> float:
    known = np.isfinite(value)
    users, others = value[known & used], value[known & unused]
    return float(np.sign(users.mean() - others.mean())) if len(users) and len(others) else math.nan


def _ordering(values: np.ndarray) -> np.ndarray:
    """(M, M) 1 where column j is smaller than row i, 1/2 where they are equal: its product with weights are ranks."""
    return _wins(values, values)


def _ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean ranks, up to a constant, with each value counted `weights` times."""
    return np.asarray(_ordering(values) @ weights)


def _weighted_rho(one: np.ndarray, other: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(D,) Spearman's rho of each resample, of two orderings (M, M) and weights (D, M)."""
    first, second = weights @ one.T, weights @ other.T  # ranks, (D, M)
    total = np.maximum(weights.sum(axis=1, keepdims=True), 1)
    first, second = (rank - (weights * rank).sum(axis=1, keepdims=True) / total for rank in (first, second))
    spread = (weights * first**2).sum(axis=1) * (weights * second**2).sum(axis=1)
    rho = (weights * first * second).sum(axis=1)
    result: np.ndarray = np.divide(rho, np.sqrt(spread), out=np.full(len(weights), np.nan), where=spread > 1e-12)
    return result
