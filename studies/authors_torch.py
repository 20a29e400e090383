"""The authors' PyTorch functions on given data; `studies.authors_code` runs it with an interpreter that has PyTorch.

Usage: PYTHON authors_torch.py STOCBIO MRVRBO IN OUT, where the first two are copies of the repositories, IN has the
data, the starting point and the numbers, and OUT receives what the functions return. In their `stable` the number 7850,
the size of MNIST's lower level, is replaced by the size here.
"""

import importlib.util
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def imported(path: Path, name: str, replaced: tuple[str, str] = ("", "")) -> types.ModuleType:
    """A module from a file, with one word of its text replaced."""
    module = types.ModuleType(name)
    text = path.read_text(encoding="utf-8")
    exec(compile(text.replace(*replaced) if replaced[0] else text, str(path), "exec"), vars(module))
    return module


def main() -> None:
    """Runs the functions."""
    stocbio_files, mrvrbo_files, source, target = map(Path, sys.argv[1:])
    given = np.load(source)
    features, labels = torch.tensor(given["features"]), torch.tensor(given["labels"])  # (2, blocks, rows, ..)
    shape = labels.max().item() + 1, features.shape[-1]
    alpha, beta, eta, tau = (given[name].item() for name in ("alpha", "beta", "eta", "tau"))
    terms, inner = (given[name].item() for name in ("terms", "inner"))
    rounds, start = len(given["upper"]), (torch.tensor(given["x"]), torch.tensor(given["y"]))
    settings = types.SimpleNamespace(eta=eta, hessian_q=terms)
    found: dict[str, np.ndarray] = {}

    # What their functions take: the model, and the lower loss from the loss of each row.
    model = lambda data, y: data @ y.T

    def regularised(y: Any, x: Any, loss: Any) -> Any:
        return torch.mean(loss) + torch.sum(torch.exp(x).reshape(shape) * y**2) / 2

    def block(level: int, number: int) -> tuple[Any, Any]:
        return features[level, number], labels[level, number]

    def batches(*three: tuple[Any, Any]) -> list[list[Any]]:
        return [[data for data, _ in three], [classes for _, classes in three]]

    def variable(value: Any) -> Any:
        return value.detach().clone().requires_grad_(True)

    # stocBiO's direction at one point in each round.
    estimate = imported(stocbio_files / "Hyperparameter-optimization/experimental/stocBiO.py", "stocbio").stocbio
    directions = []
    for upper, lower, across in zip(given["upper"], given["lower"], given["across"]):
        x, y = variable(start[0]), variable(start[1].reshape(shape))
        three = batches(block(0, upper), block(1, lower), block(1, across))
        first_entry: Callable[..., Any] = lambda data, y: model(data, y[0])
        penalty: Callable[..., Any] = lambda y, x, loss: regularised(y[0], x, loss)
        directions.append(estimate([y], x, three, settings, first_entry, penalty).detach().numpy())
    found["stocbio"] = np.stack(directions)

    # STABLE as the authors of MRBO wrote it: x, y of each round.
    size = str(start[1].numel())
    stable = imported(mrvrbo_files / "stocBiO.py", "mrvrbo", ("7850", size)).stable
    for name, first in (("stable, as it is", tau), ("stable, first tau 1", 1.0)):
        x, y = variable(start[0]), variable(start[1].reshape(shape))
        x_old, y_old = variable(x), variable(y)
        H_xy, H_yy = torch.zeros(x.numel(), y.numel()), torch.zeros(y.numel(), y.numel())
        points = []
        for t, (upper, lower) in enumerate(zip(given["upper"], given["lower"])):
            three = batches(block(0, upper), block(1, lower), block(1, lower))
            weight = first if t == 0 else tau
            step = stable(settings, three, y_old, y, x, x_old, H_xy, H_yy, weight, beta, alpha, model, regularised)
            _, y_new, direction, H_xy, H_yy = step
            x_old, y_old = x, y
            x, y = variable(x - alpha * direction), variable(y_new)
            H_xy, H_yy = H_xy.detach(), H_yy.detach()
            points.append(np.concatenate([x.detach().numpy(), y.detach().numpy().ravel()]))
        found[name] = np.stack(points)

    # ITD and AID with conjugate gradients, on all data.
    sys.path.insert(0, str(stocbio_files / "Hyperparameter-optimization"))
    hypergrad = importlib.import_module("hypergrad")
    everything = [(features[level].reshape(-1, shape[1]), labels[level].reshape(-1)) for level in (0, 1)]

    def upper_loss(y: Any, x: Any) -> Any:
        return F.cross_entropy(model(everything[0][0], y[0]), everything[0][1]) + torch.sum(x[0] ** 2) / 20

    def lower_loss(y: Any, x: Any) -> Any:
        loss = F.cross_entropy(model(everything[1][0], y[0]), everything[1][1], reduction="none")
        return regularised(y[0], x[0], loss)

    descent, whole_step = (hypergrad.GradientDescent(lower_loss, step) for step in (beta, 1.0))
    for name, tolerance in (("itd", 0.0), ("cg", 0.0), ("cg, to the end", 0.0), ("cg, to the end, 1e-12", 1e-12)):
        x, history, points = variable(start[0]), [[variable(start[1].reshape(shape))]], []
        for _ in range(rounds):
            history = [[entry.detach() for entry in history[-1]]]
            for _ in range(inner):
                history.append(descent([variable(entry) for entry in history[-1]], [x], create_graph=False))
            if name == "itd":
                gradient = hypergrad.reverse(history, [x], [descent] * inner, upper_loss, set_grad=False)[0]
            else:
                steps = start[1].numel() if "end" in name else terms
                gradient = hypergrad.CG(history[-1], [x], steps, whole_step, upper_loss, tolerance, set_grad=False)[0]
            x = variable(x - alpha * gradient)
            points.append(np.concatenate([x.detach().numpy(), history[-1][0].detach().numpy().ravel()]))
        found[name] = np.stack(points)
    np.savez(target, **found)


if __name__ == "__main__":
    main()
