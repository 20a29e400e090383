"""Decentralized bilevel optimization over peer-to-peer networks.

The names of the library stand in `__init__.pyi`, where type checkers read them too; everything is imported on first
use, so that ``import hypergossip`` costs little more than ``import jax``.
"""

import lazy_loader

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
