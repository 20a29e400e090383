"""DIAMOND written by hand in plain JAX and in plain PyTorch: what a researcher's own script would be."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.random import threefry_2x32


def jax_diamond(problem: Any, mixing: np.ndarray, rounds: int, batch: int, settings: dict[str, Any]) -> Any:
    """Returns a call that runs DIAMOND's rounds in one jitted scan over stacked agents; no library around it.

    The same work as `hypergossip.Diamond` with `Neumann`: independent samples, both points evaluated together.

    Args:
        problem: A problem of `problems.hyperparameter`, for its data and losses.
        mixing: (agents, agents).
        rounds: How many.
        batch: Samples a draw.
        settings: alpha, beta, eta, gamma (constants), K, L.
    """
    alpha, beta, eta, gamma, K, L = (settings[k] for k in ("alpha", "beta", "eta", "gamma", "K", "L"))
    form = problem.oracles.form
    up, low = problem.oracles.upper_data, problem.oracles.lower_data
    n, p, q = problem.agents, problem.upper.size, problem.lower.size
    shape = problem.lower.shapes[0]

    def f(x, y, data):
        return form.upper(x, y.reshape(shape), data)

    def g(x, y, data):
        return form.lower(x, y.reshape(shape), data)

    def take(key, data, count):
        words = threefry_2x32(jax.random.key_data(key), jnp.arange(batch, dtype=jnp.uint32))
        rows = (words % jnp.uint32(count)).astype(jnp.int32)
        return jax.tree.map(lambda a: a[rows], data)

    def hypergradient(x, y, key, up, low):
        k_up, k_low, k_depth = jax.random.split(key, 3)
        k = jax.random.randint(k_depth, (), 0, K)
        fx, fy = jax.grad(f, (0, 1))(x, y, take(k_up, up, form.whole[0].sizes[-1]))

        def factor(j, v):
            data = take(jax.random.fold_in(k_low, j), low, form.whole[1].sizes[-1])
            return v - jax.jvp(lambda y: jax.grad(g, 1)(x, y, data), (y,), (v,))[1] / L

        z = jax.lax.fori_loop(1, k + 1, factor, fy)
        data = take(jax.random.fold_in(k_low, 0), low, form.whole[1].sizes[-1])
        return fx - K / L * jax.vjp(lambda x: jax.grad(g, 1)(x, y, data), x)[1](z)[0]

    def directions(x, y, x_prev, y_prev, p, v, eta, gamma, key, up, low):
        k_up, k_low = jax.random.split(key)
        xs, ys = jnp.stack([x, x_prev]), jnp.stack([y, y_prev])
        G = jax.vmap(lambda x, y: hypergradient(x, y, k_up, up, low))(xs, ys)
        data = take(k_low, low, form.whole[1].sizes[-1])
        h = jax.vmap(lambda x, y: jax.grad(g, 1)(x, y, data))(xs, ys)
        return G[0] + (1 - eta) * (p - G[1]), h[0] + (1 - gamma) * (v - h[1])

    W = jnp.asarray(mixing, jnp.float32)

    @jax.jit
    def run(key):
        def body(carry, t):
            x, y, x_prev, y_prev, P, V, U = carry
            keys = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.fold_in(key, t), jnp.arange(n))
            e, c = jnp.where(t == 0, 1.0, eta), jnp.where(t == 0, 1.0, gamma)
            step = jax.vmap(directions, (0, 0, 0, 0, 0, 0, None, None, 0, 0, 0))
            P_new, V_new = step(x, y, x_prev, y_prev, P, V, e, c, keys, up, low)
            U = W @ U + P_new - P
            return (W @ x - alpha * U, y - beta * V_new, x, y, P_new, V_new, U), None

        x, y = jnp.zeros((n, p)), jnp.zeros((n, q))
        carry = (x, y, x, y, jnp.zeros((n, p)), jnp.zeros((n, q)), jnp.zeros((n, p)))
        return jax.lax.scan(body, carry, jnp.arange(rounds))[0]

    return lambda: run(jax.random.key(0))


def torch_diamond(problem: Any, mixing: np.ndarray, rounds: int, batch: int, settings: dict[str, Any]) -> Any:
    """Returns a call that runs DIAMOND's rounds in PyTorch, looping over agents, as published scripts do.

    Args:
        problem: As for `jax_diamond`.
        mixing: (agents, agents).
        rounds: How many.
        batch: Samples a draw.
        settings: As for `jax_diamond`.
    """
    import torch

    alpha, beta, eta, gamma, K, L = (settings[k] for k in ("alpha", "beta", "eta", "gamma", "K", "L"))
    data = {
        level: {name: torch.tensor(np.asarray(a)) for name, a in rows.items()}
        for level, rows in (("upper", problem.oracles.upper_data), ("lower", problem.oracles.lower_data))
    }
    n, p, shape = problem.agents, problem.upper.size, problem.lower.shapes[0]
    W = torch.tensor(mixing, dtype=torch.float32)

    def draw(level, i):
        rows = torch.randint(data[level]["labels"].shape[1], (batch,))
        return data[level]["features"][i, rows], data[level]["labels"][i, rows].long()

    def f(x, y, batch):
        return torch.nn.functional.cross_entropy(batch[0] @ y, batch[1])

    def g(x, y, batch):
        return f(x, y, batch) + (torch.exp(x)[:, None] * y**2).sum() / y.numel()

    def hypergradient(x, y, up, lows, k):
        x, y = x.requires_grad_(), y.requires_grad_()
        v = torch.autograd.grad(f(x, y, up), y)[0]
        for j in range(1, k + 1):
            gy = torch.autograd.grad(g(x, y, lows[j]), y, create_graph=True)[0]
            v = v - torch.autograd.grad(gy, y, v)[0] / L
        gy = torch.autograd.grad(g(x, y, lows[0]), y, create_graph=True)[0]
        return -K / L * torch.autograd.grad(gy, x, v)[0]  # here f depends on x through y alone

    def lower_gradient(x, y, low):
        y = y.requires_grad_()
        return torch.autograd.grad(g(x, y, low), y)[0]

    def run():
        torch.manual_seed(0)
        x, y = torch.zeros(n, p), torch.zeros(n, *shape)
        x_prev, y_prev, P, V, U = x.clone(), y.clone(), torch.zeros(n, p), torch.zeros(n, *shape), torch.zeros(n, p)
        for t in range(rounds):
            e, c = (1.0, 1.0) if t == 0 else (eta, gamma)
            P_new, V_new = torch.zeros_like(P), torch.zeros_like(V)
            for i in range(n):
                k = int(torch.randint(K, ()))
                up, lows, low = draw("upper", i), [draw("lower", i) for _ in range(k + 1)], draw("lower", i)
                G = hypergradient(x[i].clone(), y[i].clone(), up, lows, k)
                G_prev = hypergradient(x_prev[i].clone(), y_prev[i].clone(), up, lows, k)
                h, h_prev = (lower_gradient(a[i].clone(), b[i].clone(), low) for a, b in ((x, y), (x_prev, y_prev)))
                P_new[i], V_new[i] = G + (1 - e) * (P[i] - G_prev), h + (1 - c) * (V[i] - h_prev)
            U = W @ U + P_new - P
            x, y, x_prev, y_prev, P, V = W @ x - alpha * U, y - beta * V_new, x, y, P_new, V_new
        return x

    return run
