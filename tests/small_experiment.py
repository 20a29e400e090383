"""A small experiment as the text of a file, two methods on quadratics."""

EXPERIMENT = """\
[problem]
name = "quadratic"
noise = 0.1

[network]
name = "ring"
n = 3

[run]
rounds = 40
seeds = 2
observe_every = 10

[methods.D-SGD]
algorithm = "dsgd"
upper_step = 0.1
lower_step = { scale = 0.2, offset = 1, power = "1/3" }
hypergradient = "exact"

[methods.tracking]
algorithm = "gtsgd"
upper_step = 0.1
lower_step = 0.2
hypergradient = { name = "neumann", terms = 3, lipschitz = 5 }

[tune]
grid = { "upper_step" = [0.05, 0.1], "lower_step.scale" = [0.2, 1e9] }
rounds = 20
seeds = 2
"""
