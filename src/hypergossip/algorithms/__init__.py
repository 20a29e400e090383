"""The methods, one paper a file."""

from hypergossip.algorithms.aid_bio import AIDBiO
from hypergossip.algorithms.alset import ALSET
from hypergossip.algorithms.bsa import BSA
from hypergossip.algorithms.cac import CAC
from hypergossip.algorithms.dac import DAC
from hypergossip.algorithms.diamond import Diamond
from hypergossip.algorithms.dif_maml import DifMAML
from hypergossip.algorithms.dsgd import DSGD
from hypergossip.algorithms.gtsgd import GTSGD
from hypergossip.algorithms.interact import Interact
from hypergossip.algorithms.itd_bio import ITDBiO
from hypergossip.algorithms.mdac import MDAC
from hypergossip.algorithms.mrbo import MRBO
from hypergossip.algorithms.msgd import MSGD
from hypergossip.algorithms.rsvrb import RSVRB
from hypergossip.algorithms.slam import Slam
from hypergossip.algorithms.slam_tracked import SlamTracked
from hypergossip.algorithms.soba import SOBA
from hypergossip.algorithms.stable import Stable
from hypergossip.algorithms.stocbio import StocBiO
from hypergossip.algorithms.sustain import Sustain
from hypergossip.algorithms.svr_interact import SVRInteract
from hypergossip.algorithms.ttsa import TTSA
from hypergossip.algorithms.vr_biadam import VRBiAdam

__all__ = [
    "ALSET",
    "BSA",
    "CAC",
    "DAC",
    "DSGD",
    "GTSGD",
    "MDAC",
    "MRBO",
    "MSGD",
    "RSVRB",
    "SOBA",
    "TTSA",
    "AIDBiO",
    "Diamond",
    "DifMAML",
    "ITDBiO",
    "Interact",
    "SVRInteract",
    "Slam",
    "SlamTracked",
    "Stable",
    "StocBiO",
    "Sustain",
    "VRBiAdam",
]
