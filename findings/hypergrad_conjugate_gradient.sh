#!/usr/bin/env bash
# hypergrad 0.0.1 (PyPI): its conjugate gradients diverge.
#
# hypergrad.approx_hypergrad.conjugate_gradient approximates the hypergradient of a bilevel problem. On a positive
# definite system with q unknowns the method of conjugate gradients ends at the solution after q steps. Here the error
# grows with the steps: the next search direction is formed with the residual before the step, not with the one after
# it, so that only the first iterate is that of conjugate gradients. The step size `lr` of the call, which the solution
# does not depend on, changes the error as well. The package's Neumann series is right, and `torch.linalg.solve` agrees
# with it.
#
# Exits with 0 where the error after 8 steps with 4 unknowns is larger than after 1 step, and that of the Neumann series
# below 1e-8; with 1 otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet torch==2.14.1 numpy
"$folder/venv/bin/python" -m pip install --quiet --no-deps hypergrad==0.0.1 # without torchvision, which it does not use
cat >"$folder/error.py" <<'PYTHON'
import sys
import warnings

import torch

warnings.simplefilter("ignore")
from hypergrad.approx_hypergrad import conjugate_gradient, neumann

torch.set_default_dtype(torch.float64)
A = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))
H = A @ A.T + torch.eye(4)


def inner(y, x):  # y* = H^-1 x
    return y[0] @ H @ y[0] / 2 - y[0] @ x[0]


def outer(y, x):
    return y[0] @ y[0] / 2


x = (torch.ones(4),)
y = (torch.linalg.solve(H, x[0]),)
exact = torch.linalg.solve(H, y[0])  # of |H^-1 x|^2 / 2
error = lambda found: float((found[0] - exact).norm() / exact.norm())
by_steps = {}
for lr in (1.0, 0.5):
    for steps in (1, 2, 4, 8, 16):
        by_steps[lr, steps] = error(conjugate_gradient(inner, outer, y, x, steps, lr))
        print(f"conjugate gradients, lr {lr}, {steps:2} steps: relative error {by_steps[lr, steps]:.2g}")
series = error(neumann(inner, outer, y, x, 1000, 0.05))
print(f"Neumann series, 1000 terms: relative error {series:.2g}")
sys.exit(0 if by_steps[1.0, 8] > by_steps[1.0, 1] and series < 1e-8 else 1)
PYTHON
"$folder/venv/bin/python" "$folder/error.py"
