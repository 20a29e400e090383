"""DIAMOND's hyperparameter optimisation (Qiu et al. 2023, section VI, experiment 2)."""

from hypergossip.lab.configuration import Raw
from hypergossip.lab.experiments.meta_learning import methods
from hypergossip.lab.experiments.reproduction import Case, Claim, Reproduction

PROBABILITIES = (0.3, 0.5, 0.6, 0.8, 1.0)
ESTIMATE: Raw = {"name": "neumann", "terms": 10, "lipschitz": 4.0}

DIAMOND_FIG4 = Reproduction(
    name="diamond-fig4",
    title="hyper-parameter optimisation with five agents",
    source="DIAMOND, figure 4",
    paper="""Logistic regression on a9a, 123 features and two classes, divided into 40 % for training, 40 % for
validation and 20 % for testing. x holds the logarithm of every feature's regulariser, shared by all;
y_i is agent i's model. alpha_t = 5 (2 + t)^(-1/3), beta_t = 1.5 alpha_t, c_eta = c_gamma = 0.1;
networks of several edge probabilities. The figure compares DIAMOND with D-SGD in test accuracy and
test error, and finds DIAMOND faster.""",
    choices="""The paper gives no batch, no number of Neumann terms and no L_g, and does not say which edge
probabilities: here batches of 32, K = 10, L_g = 4, and the five of the cases. Laplacian weights as in
its other experiments; x_0 = 0, y_0 = 0. The printed steps work, so nothing is tuned: every method
takes them. A graph that an edge probability leaves disconnected is drawn again.""",
    differences="""- GT-SGD and M-SGD are not in the paper's figure; they tell what of the gain is momentum's, and what
  tracking's.
- The paper's test error is drawn as the test loss.
- Ten seeds with a band of 10 to 90 % where the paper draws one line.""",
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
    methods={},
    grid={},
    run={"rounds": 1000, "seeds": 10, "observe_every": 40, "precision": "float32"},
    tune={},
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
