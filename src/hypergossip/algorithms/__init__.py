"""The methods, one paper in each file. A line here registers a method: its class in Python, its file's name in runs."""

from hypergossip.algorithms.aid_bio import AIDBiO as AIDBiO
from hypergossip.algorithms.alset import ALSET as ALSET
from hypergossip.algorithms.bsa import BSA as BSA
from hypergossip.algorithms.cac import CAC as CAC
from hypergossip.algorithms.dac import DAC as DAC
from hypergossip.algorithms.diamond import Diamond as Diamond
from hypergossip.algorithms.dif_maml import DifMAML as DifMAML
from hypergossip.algorithms.dsgd import DSGD as DSGD
from hypergossip.algorithms.gtsgd import GTSGD as GTSGD
from hypergossip.algorithms.gtsgd_push_pull import GTSGDPushPull as GTSGDPushPull
from hypergossip.algorithms.interact import Interact as Interact
from hypergossip.algorithms.itd_bio import ITDBiO as ITDBiO
from hypergossip.algorithms.mdac import MDAC as MDAC
from hypergossip.algorithms.mrbo import MRBO as MRBO
from hypergossip.algorithms.msgd import MSGD as MSGD
from hypergossip.algorithms.rsvrb import RSVRB as RSVRB
from hypergossip.algorithms.slam import Slam as Slam
from hypergossip.algorithms.slam_tracked import SlamTracked as SlamTracked
from hypergossip.algorithms.soba import SOBA as SOBA
from hypergossip.algorithms.stable import Stable as Stable
from hypergossip.algorithms.stocbio import StocBiO as StocBiO
from hypergossip.algorithms.sustain import Sustain as Sustain
from hypergossip.algorithms.svr_interact import SVRInteract as SVRInteract
from hypergossip.algorithms.ttsa import TTSA as TTSA
from hypergossip.algorithms.vr_biadam import VRBiAdam as VRBiAdam
