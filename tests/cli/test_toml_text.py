import tomllib

from hypergossip.lab.toml_text import line_of, one_line, write_toml


def test_what_is_written_is_read_back():
    tables = {
        "title": 'a "quoted" name\twith \\ and \n and é',
        "problem": {"name": "x", "weights": [1, 2.5, -3e-7], "flag": True, "nothing": {}},
        "methods": {
            "D-SGD 2.0": {"upper_step": {"scale": 0.5, "power": "1/3"}, "pairs": [[0, 1], [1, 2]]},
            "empty": {},
        },
        "run": {"rounds": 10, "infinite": float("inf")},
    }
    assert tomllib.loads(write_toml(tables)) == tables
    assert tomllib.loads(write_toml({"run": {"out": None, "rounds": 1}})) == {"run": {"rounds": 1}}


TEXT = """\
top = 1
[run]          # a comment
rounds = 10
seed = 1

[methods."D-SGD"]
upper_step = { scale = 1.0, power = 2 }
hypergradient.name = "exact"

[[channel]]
name = "edge_sums"
[[channel]]    # another stage
name = "loss"
probability = 0.2
"""


LINES = {
    ("top",): 1,
    ("run",): 2,
    ("run", "seed"): 4,
    ("methods", "D-SGD", "upper_step"): 7,
    ("methods", "D-SGD", "upper_step", "power"): 7,
    ("methods", "D-SGD", "hypergradient", "name"): 8,
    ("channel", "0"): 10,
    ("channel", "1", "name"): 13,
    ("channel", "1", "probability"): 14,
    ("channel", "0", "probability"): None,
    ("channel", "2"): None,
    ("run", "power"): None,
    ("network", "n"): None,
}


def test_line_of_an_option():
    assert {path: line_of(TEXT, path) for path in LINES} == LINES


def test_sections_in_one_line():
    loss = {"name": "loss", "probability": 0.2, "symmetric": False, "replace": None}
    assert one_line([{"name": "edge_sums"}, loss]) == "edge_sums, then loss (probability = 0.2, symmetric = false)"
    assert one_line([{"name": "delay", "own": "same"}], "`") == '`delay (own = "same")`'
    assert one_line([]) == ""
