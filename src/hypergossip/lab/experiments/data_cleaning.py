"""Hyper-cleaning over a network, the third standard task of the field, presented like the papers' figures."""

from typing import Any

import numpy as np

from hypergossip.core.problem import Problem
from hypergossip.lab.configuration import Raw
from hypergossip.lab.experiments.reproduction import Case, Claim, Reproduction
from hypergossip.problems.data_cleaning import corruption, sample_weights

NETWORK: Raw = {"name": "erdos_renyi", "n": 9, "p": 0.3, "seed": 0, "weights": "metropolis"}
MNIST: Raw = {"name": "data_cleaning", "data": "mnist", "samples": [500, 500], "corrupted": 0.4, "batch_size": 100}
TUNE: Raw = {"seeds": 1, "seed": 1_000_000, "score": "upper_loss"}


def weights_of(problem: Problem, x: Any) -> dict[str, np.ndarray]:
    """Returns the learned weights of clean and of corrupted training samples.

    Args:
        problem: Made by `hypergossip.problems.data_cleaning`.
        x: (seeds, agents, entries).
    """
    weights, wrong = sample_weights(problem, x), corruption(problem)
    return {"clean": weights[..., ~wrong].ravel(), "corrupted": weights[..., wrong].ravel()}


COMMON: dict[str, Any] = {
    "source": "Franceschi et al. 2017, section 5.1",
    "paper": """Some training labels are wrong, and it is unknown which. The upper level weights the training samples,
the lower level trains a softmax model on the weighted samples, and the upper loss is the loss of this model on clean
validation samples. Neither the DIAMOND paper nor the SLAM paper includes this task, which is the third standard task of
the field.""",
    "differences": """In the cited paper, one machine holds all samples; here they are distributed over nine agents. No
figure is reproduced, and the claims below are our own expectations.""",
    "run": {"rounds": 1000, "seeds": 10, "observe_every": 100, "precision": "float32"},
    "compared": "test_accuracy",
    "weights_of": weights_of,
}

STEPS: Raw = {"upper_step": 0.1, "lower_step": 0.3}
SERIES: Raw = {"name": "truncated_neumann", "terms": 10, "lipschitz": 3.0}

HYPERCLEANING_SAMPLES = Reproduction(
    **COMMON,
    name="hypercleaning-samples",
    title="hyper-cleaning by sample",
    choices="""MNIST, nine agents with 500 training and 500 validation images each. 40 % of every agent's training
labels are replaced by another class. x holds one logit for every training sample of the whole network, and y is one
softmax model; the agents agree on both. SLAM uses each agent's own second derivatives, and SlamTracked uses those of
the network: the same weights are judged by 500 validation images or by all 4500. The step sizes are tuned by the upper
loss, since M_t is nearly all lower error here, and the reported quantity is the test accuracy.""",
    cases=(Case("samples", "MNIST, 40 % corrupted", {**MNIST, "weights": "sample", "share": "both"}, NETWORK),),
    methods={
        "SlamTracked": {"algorithm": "slam_tracked", **STEPS, "adjoint_step": 0.1, "gamma": 1.0, "rho": 1.0},
        "SLAM": {"algorithm": "slam", **STEPS, "gamma": 1.0, "rho": 1.0, "hypergradient": SERIES},
    },
    grid={"upper_step": [0.01, 0.03, 0.1, 0.3], "lower_step": [0.1, 0.3]},
    tune=TUNE,
    claims=(
        Claim("SlamTracked", "SLAM", "test_accuracy", 1.0, largest=True, ours=True),
        Claim("SlamTracked", "SLAM", "weight_corrupted", 1.0, ours=True),
    ),
    quick={"run.rounds": 200, "run.seeds": 2, "run.observe_every": 100, "tune.grid": {"upper_step": [0.1, 0.3]}},
)

SCHEDULES: Raw = {"upper_step": {"scale": 1.0, "offset": 2, "power": "1/3"}, "lower_step": 0.3}
MOMENTA: Raw = {"upper_momentum": 0.1, "lower_momentum": 0.1}
ESTIMATE: Raw = {"hypergradient": {"name": "neumann", "terms": 10, "lipschitz": 3.0}}

HYPERCLEANING_SOURCES = Reproduction(
    **COMMON,
    name="hypercleaning-sources",
    title="hyper-cleaning by source of labels",
    choices="""MNIST, nine agents with 500 training and 500 validation images each. Every training image was labelled
by one of eight sources. All agents know the source of every label, but not how reliable it is: the first source is
never wrong, the last is wrong four times in five, and 40 % of all labels are wrong. x holds one logit per source, on
which all agents agree, and every agent has its own model. The step sizes are tuned by the upper loss, as in
hypercleaning-samples. The upper loss differs less among the best grid points than among seeds.""",
    cases=(Case("sources", "MNIST, eight labellers", {**MNIST, "weights": "source", "regularization": 0.01}, NETWORK),),
    methods={
        "DIAMOND": {"algorithm": "diamond", **SCHEDULES, **MOMENTA, **ESTIMATE},
        "M-SGD": {"algorithm": "msgd", **SCHEDULES, **MOMENTA, **ESTIMATE},
        "GT-SGD": {"algorithm": "gtsgd", **SCHEDULES, **ESTIMATE},
        "D-SGD": {"algorithm": "dsgd", **SCHEDULES, **ESTIMATE},
    },
    grid={"upper_step.scale": [0.3, 1.0, 3.0, 9.0, 27.0], "lower_step": [0.1, 0.3]},
    # Some of the best points converge on one seed and not on the next, so one seed cannot rank them.
    tune={**TUNE, "seeds": 3},
    claims=(
        Claim("DIAMOND", "D-SGD", "test_accuracy", 1.0, largest=True, ours=True),
        Claim("DIAMOND", "D-SGD", "metric", 1.0, ours=True),
    ),
    quick={
        **{"run.rounds": 100, "run.seeds": 2, "run.observe_every": 50},
        **{"tune.seeds": 1, "tune.grid": {"upper_step.scale": [1.0, 3.0]}},
    },
)
