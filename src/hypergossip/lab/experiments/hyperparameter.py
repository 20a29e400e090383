"""DIAMOND's hyperparameter optimization (Qiu et al. 2023, section VI, experiment 2)."""

from hypergossip.lab.configuration import Raw
from hypergossip.lab.experiments.meta_learning import methods
from hypergossip.lab.experiments.reproduction import Case, Claim, Reproduction

PROBABILITIES = (0.3, 0.5, 0.6, 0.8, 1.0)
ESTIMATE: Raw = {"name": "neumann", "terms": 10, "lipschitz": 4.0}

DIAMOND_FIG4 = Reproduction(
    name="diamond-fig4",
    title="hyperparameter optimization with five agents",
    source="DIAMOND, figure 4",
    paper="""Logistic regression on a9a, which has 123 features and two classes. 40 % of the data are for training,
40 % for validation and 20 % for testing. x holds the logarithm of one regularizer per feature and is shared by all
agents; y_i is agent i's model. The paper uses alpha_t = 5 (2 + t)^(-1/3), beta_t = 1.5 alpha_t and
c_eta = c_gamma = 0.1 on networks with several edge probabilities. The figure compares the test accuracy and the test
error of DIAMOND and D-SGD, and DIAMOND is faster in it.""",
    choices="""The paper does not specify the batch size, the number of Neumann terms, L_g or the edge
probabilities. We use batches of 32, K = 10, L_g = 4, and the edge probabilities of the five cases. As in the paper's
other experiments, the weights are Laplacian; x_0 = 0 and y_0 = 0. The paper's step sizes work here, so every method
uses them and nothing is tuned. A random graph that is not connected is drawn again.""",
    differences="""- GT-SGD and M-SGD are not in the paper's figure. They separate the effect of momentum from that of
  tracking.
- The paper's test error is shown as the test loss.
- The figure shows ten seeds with a band from 10 to 90 %, where the paper shows one line.""",
    cases=tuple(
        Case(
            f"p{probability:g}".replace(".", ""),
            f"p_c = {probability:g}",
            {"name": "hyperparameter", "data": "a9a", "batch_size": 32},
            {"name": "erdos_renyi", "n": 5, "p": probability, "seed": 0, "weights": "laplacian"},
        )
        for probability in PROBABILITIES
    ),
    stated={
        label: {**section, "hypergradient": ESTIMATE}
        for label, section in methods(upper=5.0, lower=7.5, momentum=0.1).items()
    },
    run={"rounds": 1000, "seeds": 10, "observe_every": 40, "precision": "float32"},
    claims=(
        Claim("DIAMOND", "D-SGD", "test_accuracy", 1.0, largest=True),
        Claim("DIAMOND", "D-SGD", "test_accuracy", 1.0, largest=True, whole=True),
        Claim("DIAMOND", "D-SGD", "test_loss", 1.0),
        Claim("DIAMOND", "D-SGD", "metric", 1.0, ours=True),
    ),
    compared="test_accuracy",
    drawn=("test_loss",),
    quick={"run.rounds": 200, "run.seeds": 2, "run.observe_every": 50},
)
