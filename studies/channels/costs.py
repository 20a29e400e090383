"""Bytes to a given accuracy, the precision of running sums in float32, and what high loss needs."""

from typing import Any

import jax
import numpy as np

import hypergossip as hg
from hypergossip.channels import Delay, EdgeSums, Loss
from studies.channels.cases import CODES
from studies.channels.setting import LOWER_STEP, METHODS, NETWORK, RHO, STEP, W, optimum, problem, trace

TARGETS = (1e-6, 1e-12)
DIMENSION, ROUNDS = 20, 10_000
EXACT = ("DIAMOND", "SLAM", "SlamTracked")  # without gradient noise, GT-SGD is DIAMOND
LONG = (2000, 20_000)


def to_accuracy() -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the rows of the table, and the curves: method -> code -> bytes and distances."""
    rows: dict[str, Any] = {}
    lines: dict[str, Any] = {}
    looks = np.concatenate([np.arange(0, 1000, 5), np.arange(1000, ROUNDS + 1, 25)])
    for method in EXACT:
        whole = problem(method, dimension=DIMENSION)
        for code, channel in CODES.items():
            found = trace(METHODS[method], whole, channel, looks)
            distances = found.distances(whole)[:, 0]
            lines.setdefault(method, {})[code] = (looks * found.bytes_sent, distances)
            row: dict[str, Any] = {"bytes_a_round": found.bytes_sent, "end": float(distances[-1])}
            for target in TARGETS:
                reached = np.flatnonzero(distances <= target)
                rounds = int(looks[reached[0]]) if reached.size else None
                row[f"{target:g}"] = None if rounds is None else [rounds, rounds * found.bytes_sent]
            rows.setdefault(method, {})[code] = row
    return rows, lines


def edge_sums_bytes() -> dict[str, list[float]]:
    """Returns the bytes that an agent sends in a round, without and with edge sums, and the state of one link."""
    found = {}
    for method in ("DIAMOND", "SLAM", "SlamTracked", "D-SGD"):
        plain, sums = (
            trace(METHODS[method], problem(method), channel, [1]).bytes_sent for channel in ((), (EdgeSums(),))
        )
        found[method] = [plain, sums]
    return found


def precision(bits: int) -> dict[str, Any]:
    """Returns the distance and the conserved sum under edge sums and one-sided loss, by method and rounds.

    Args:
        bits: 32 or 64.
    """
    channel, found = [EdgeSums(), Loss(0.2, symmetric=False)], {}
    with jax.enable_x64(bits == 64):
        for method in EXACT:
            whole = problem(method)
            ended = trace(METHODS[method], whole, channel, LONG, sums=True)
            apart = (ended.x.astype(np.float64) - optimum(whole)) ** 2
            distances = apart.sum(axis=-1).mean(axis=-1)[:, 0]
            found[method] = {
                str(rounds): [float(distance), float(size)]
                for rounds, distance, size in zip(LONG, distances, ended.conserved[:, 0], strict=True)
            }
    return found


def _pulled(share: float) -> Any:
    """Returns the network with the weights I - share (I - W), closer to the identity."""
    return hg.networks.from_mixing(np.eye(NETWORK.agents) - share * (np.eye(NETWORK.agents) - W))


def high_loss(seeds: int = 8, rounds: int = 8000) -> dict[str, Any]:
    """Returns the median distance under edge sums at high loss, with weights that are pulled to the identity."""
    found: dict[str, Any] = {}
    for probability, share in ((0.5, 1.0), (0.8, 1.0), (0.8, 0.25), (0.9, 0.1)):
        channel, label = [EdgeSums(), Loss(probability, symmetric=False)], f"loss {probability:g}, share {share:g}"
        for name in EXACT:
            found.setdefault(label, {})[name] = _ended(METHODS[name], name, _pulled(share), channel, rounds, seeds)
    return found


def late(rounds: int = 8000) -> dict[str, Any]:
    """Returns the distance under edge sums and delay: SLAM with two penalties, DIAMOND with two mixing matrices."""
    found: dict[str, Any] = {}
    for rho in (RHO, 0.1):
        method = hg.Slam(upper_step=STEP, lower_step=LOWER_STEP, gamma=1.0, rho=rho, hypergradient=hg.Exact())
        found[f"SLAM, 3 rounds, rho {rho:g}"] = _ended(method, "SLAM", NETWORK, [EdgeSums(), Delay(3)], rounds, 1)
    for age, share in ((1, 1.0), (1, 0.85), (1, 0.75), (1, 0.5), (3, 0.4), (3, 0.25)):
        channel = [EdgeSums(), Delay(age)]
        found[f"DIAMOND, {age} rounds, share {share:g}"] = _ended(
            METHODS["DIAMOND"], "DIAMOND", _pulled(share), channel, rounds, 1
        )
    return found


def walks(seeds: int = 16) -> dict[str, list[float]]:
    """Returns the mean distance with gradient noise, after 1000 and 2000 rounds under one-sided loss, and without."""
    found = {}
    for method in METHODS:
        whole, looks = problem(method, noise=0.1), [1000, 2000]
        lost = trace(METHODS[method], whole, Loss(0.2, symmetric=False), looks, seeds).distances(whole)
        summed = trace(METHODS[method], whole, [EdgeSums(), Loss(0.2, symmetric=False)], looks, seeds).distances(whole)
        perfect = trace(METHODS[method], whole, None, looks, seeds).distances(whole)
        found[method] = [float(one.mean()) for one in (*lost, summed[-1], perfect[-1])]
    return found


def _ended(method: Any, name: str, network: Any, channel: Any, rounds: int, seeds: int) -> float:
    """Returns the median over the seeds of the distance at the end, at most 1e300."""
    whole = problem(name)
    ended = trace(method, whole, channel, [rounds], seeds, network=network).distances(whole)[-1]
    return float(np.median(np.minimum(ended, 1e300)))
