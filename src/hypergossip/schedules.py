"""The earlier name of `hypergossip.core.schedules`."""

import sys

from hypergossip.support.moved import moved

sys.modules[__name__] = moved(__name__, "hypergossip.core.schedules")
