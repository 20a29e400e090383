PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Only `make bench` needs it; give the address of a CPU build where the default one is too large.
TORCH ?= torch==2.13.0
PROGRAMS := tests/programs tests/cli/test_play.py tests/experiments tests/problems/test_sinusoids.py \
	tests/channels/test_laws.py tests/channels/test_remedies.py tests/channels/test_privacy.py \
	tests/channels/test_every_channel.py tests/channels/test_engines.py tests/metrics/test_refined_rows.py \
	tests/test_packed.py tests/test_whole_data.py tests/laws/test_costs.py tests/laws/test_symmetries.py \
	tests/problems/actor_critic/test_learning.py tests/problems/actor_critic/test_tabular.py \
	tests/problems/actor_critic/test_gaussian_policies.py tests/problems/actor_critic/test_continuous_environments.py \
	tests/problems/actor_critic/test_environment_workers.py tests/problems/actor_critic/test_gauss_newton.py \
	tests/problems/actor_critic/test_natural_gradient.py tests/studies/test_learned_games.py \
	tests/peers/test_network_invariant.py tests/peers/test_peers_engine.py tests/peers/test_round_program.py \
	tests/peers/test_agreement_of_neighbours.py tests/engines/test_weights_of_rounds.py \
	tests/problems/test_meta_learning.py tests/channels/test_requirements.py \
	tests/laws/test_projection.py tests/laws/test_steps_for_each_leaf.py

.PHONY: demo test programs recorded chaos fresh traffic docs site bench bench-games theory table lint clean

demo: $(VENV)/.installed
	$(BIN)/hypergossip compare --config examples/demo.toml --out runs/demo --overwrite

test: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/python -m pytest -n 2 --dist loadgroup --ignore tests/recorded --ignore tests/installation --ignore tests/documentation \
		$(PROGRAMS:%=--ignore %)

# What takes processes of its own: the documentation's programs, the installed command, several processes, and the tests
# that need the compiler's optimisations; whole experiments; the channels' laws, which are means over many runs, and every
# channel on every engine; and what compiles many programs: unequal agents, whole data, refined rows, costs, symmetries,
# projections and steps for each leaf of every method, weights that change, meta-learning, games that are learned,
# environments in processes, and agents on a network.
programs: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(PROGRAMS)

# Every method on every engine, held to the runs that version 0.1.0 has left.
recorded: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n 2 --dist loadgroup tests/recorded

# What a user installs, in virtual environments of its own: the core alone, and the extra "lab".
fresh: $(VENV)/.installed-test
	$(BIN)/python -m pytest -s tests/installation

# Traffic signals, with the extra "traffic" in an environment of its own: SUMO is not part of the tests' environment.
traffic: $(VENV)/traffic/.installed
	$(VENV)/traffic/bin/python -m pytest tests/problems/actor_critic/test_traffic.py

docs: $(VENV)/.installed-docs
	$(BIN)/mkdocs build --strict --quiet

# Agents that are killed, links that lose and delay, a network that is divided; in network namespaces where they can be
# had, else on the loopback interface.
chaos: $(VENV)/.installed-test
	$(BIN)/python -m studies.chaos --namespaces auto --rounds 1200 --limit 285 --most 2

# Pages of the built site in a browser.
site: docs $(VENV)/.installed-test
	$(BIN)/python -m pytest tests/documentation

bench: $(VENV)/.installed-bench
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.against $(BASE)
	$(if $(PEER),$(BIN)/python -m benchmarks.public_solvers $(PEER))

bench-games: $(VENV)/.installed-bench-games
	$(BIN)/python -m benchmarks game_navigation game_pursuit game_learning

theory: $(VENV)/.installed
	$(BIN)/python -m studies.theory

table: $(VENV)/.installed
	$(BIN)/python -m studies.table

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Python 3.11 or newer is needed: make PYTHON=python3.12 ...'; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[lab]'
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@

$(VENV)/traffic/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)/traffic
	$(VENV)/traffic/bin/python -m pip install --quiet --editable '.[traffic]' beartype matplotlib pytest
	touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	touch $@

$(VENV)/.installed-bench: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet $(TORCH) --editable '.[lab]'
	touch $@

$(VENV)/.installed-bench-games: $(VENV)/.installed-bench
	$(BIN)/python -m pip install --quiet --editable '.[bench]'
	touch $@

clean:
	rm -rf $(VENV) build dist src/*.egg-info runs site
