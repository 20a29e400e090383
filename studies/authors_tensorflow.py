"""The rounds of Dif-MAML's authors; `studies.authors_maml` runs it with an interpreter that has TensorFlow.

Usage: PYTHON authors_tensorflow.py FOLDER IN OUT, where FOLDER is a copy of the repository, IN has the tasks, the
weights, the neighbours and the step sizes, and OUT receives the weights after every round. Plain gradient steps take
the place of Adam. The modules that only draw are replaced by empty ones.
"""

import sys
import types
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import tensorflow as tf


def main() -> None:
    """Runs the rounds one by one."""
    folder, source, target = map(Path, sys.argv[1:])
    sys.path.insert(0, str(folder / "Regression"))
    sys.modules |= {name: MagicMock() for name in ("networkx", "matplotlib", "matplotlib.pyplot")}
    sys.modules["tensorflow.keras.utils"] = types.ModuleType("tensorflow.keras.utils")
    vars(sys.modules["tensorflow.keras.utils"])["plot_model"] = None
    import train_sine_model as authors

    given = np.load(source)
    inputs, outputs = given["inputs"], given["outputs"]  # (rounds, agents, support or query, points)
    rounds, agents = inputs.shape[:2]
    vars(authors)["adj_mat"] = given["neighbours"]
    step = given["upper_step"].item()
    vars(tf.keras.optimizers)["Adam"] = lambda: tf.keras.optimizers.SGD(step)
    column: Any = lambda values: tf.convert_to_tensor(values[:, None])
    models = [authors.SineModel() for _ in range(agents)]
    for i, model in enumerate(models):
        model.forward(column(inputs[0, i, 0]))
        model.set_weights([given[f"weights_{i}_{leaf}"] for leaf in range(len(model.get_weights()))])
    found = []
    for t in range(rounds):
        task = lambda i, part, t=t: [column(inputs[t, i, part]), column(outputs[t, i, part])]
        data = [[[task(i, 0), task(i, 1)]] for i in range(agents)]
        authors.maml_train(models, agents, data, [], "ATC", 1, given["lower_step"].item())
        found.append([np.concatenate([leaf.ravel() for leaf in model.get_weights()]) for model in models])
    np.savez(target, found=np.array(found))


if __name__ == "__main__":
    main()
