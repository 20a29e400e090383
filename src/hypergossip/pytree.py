"""The earlier name of `hypergossip.support.pytree`."""

import sys

from hypergossip.support.moved import moved

sys.modules[__name__] = moved(__name__, "hypergossip.support.pytree")
