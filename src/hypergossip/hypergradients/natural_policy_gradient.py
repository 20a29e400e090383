"""The natural policy gradient: the policy gradient in the metric of the policy's Fisher information (Kakade 2001)."""

from typing import Any

import jax.numpy as jnp

from hypergossip.core.algorithm import Cost, Facts, Hypergradient, Lower, Oracles, PolicyOracles, Sample, Upper
from hypergossip.core.declarations import register, static
from hypergossip.core.hyperparameter_checks import one_number
from hypergossip.hypergradients.conjugate_gradient import check_solver, conjugate_gradients


@register
class NaturalPolicyGradient(Hypergradient):
    """``(F + damping I)^-1 dx f``, F being the Fisher information of the agent's policy, by conjugate gradients.

    F is the mean of ``grad log pi(a | s) grad log pi(a | s)'`` over the states of the sample that also gives dx f, and
    over the actions of the policy in them. It is never formed: every iteration takes one product with it. As with
    `Direct`, the policy gradient theorem already includes the effect of the policy on the values.

    Args:
        iterations: The largest number of products with F.
        damping: What is added to F, positive. The estimate tends to dx f / damping as it grows.
        length: The length of every estimate G in the metric: sqrt(G' (F + damping I) G). The upper step then multiplies
            this length. None: the estimate is not scaled.
        tolerance: The relative residual at which the solver stops; with 0 it always takes all iterations.
        thinning: F is the mean over every `thinning`-th step of the episodes, as in trust region policy optimization
            (Schulman et al. 2015, appendix C), which uses a tenth of the states. A product with F takes so many times
            less time; the gradient is that of all steps. An exact F, as that of the tabular process, ignores it.
    """

    iterations: int = static(default=10)
    damping: Any = 0.01
    length: Any = None
    tolerance: Any = 1e-6
    thinning: int = static(default=1)

    def __call__(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> tuple[Upper, Cost]:
        """Returns the estimate, (p,), and its cost; products with F are not products with d2yy g and not counted.

        Raises:
            TypeError: If the oracles have no policy.
        """
        if not isinstance(agent, PolicyOracles):
            raise TypeError(
                f"NaturalPolicyGradient needs oracles with a policy, as those of problems.actor_critic, and "
                f"{type(agent).__name__} has no policy_gradient(x, y, key); use another estimator, such as Neumann for "
                "losses."
            )
        fx, fisher_product = agent.policy_gradient(x, y, key, self.thinning)
        product = lambda v: fisher_product(v) + self.damping * v
        natural = conjugate_gradients(product, fx, self.iterations, self.tolerance).z
        if self.length is not None:
            # Conjugate gradients from zero satisfy z' A z = z' b after every iteration.
            size = jnp.sqrt(jnp.vdot(natural, fx))
            natural = jnp.where(size > 0, self.length / jnp.where(size > 0, size, 1.0), 0.0) * natural
        return natural, Cost(agent.samples(upper=1), upper_gradients=1)

    def check(self, facts: Facts) -> list[str]:
        """Refuses iterations or thinning below 1, a negative tolerance, and damping or length that is not positive."""
        check_solver(self.iterations, self.tolerance)
        if self.thinning < 1:
            raise ValueError(f"thinning = {self.thinning}; take a whole number, 1 for the states of all steps.")
        for name, value in (("damping", self.damping), ("length", self.length)):
            if value is not None or name == "damping":
                one_number(name, value, "take a number such as 0.01")
        return []
