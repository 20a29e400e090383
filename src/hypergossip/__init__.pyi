from . import channels as channels
from . import data as data
from . import metrics as metrics
from . import networks as networks
from . import problems as problems
from .algorithms import (
    ALSET as ALSET,
)
from .algorithms import (
    BSA as BSA,
)
from .algorithms import (
    C2DFB as C2DFB,
)
from .algorithms import (
    CAC as CAC,
)
from .algorithms import (
    DAC as DAC,
)
from .algorithms import (
    DSGD as DSGD,
)
from .algorithms import (
    DSGDAGT as DSGDAGT,
)
from .algorithms import (
    DSOBA as DSOBA,
)
from .algorithms import (
    DUET as DUET,
)
from .algorithms import (
    FAB as FAB,
)
from .algorithms import (
    GTSGD as GTSGD,
)
from .algorithms import (
    GTSGDPushPull as GTSGDPushPull,
)
from .algorithms import (
    MADSBO as MADSBO,
)
from .algorithms import (
    MDAC as MDAC,
)
from .algorithms import (
    MDBO as MDBO,
)
from .algorithms import (
    MRBO as MRBO,
)
from .algorithms import (
    MSGD as MSGD,
)
from .algorithms import (
    RSVRB as RSVRB,
)
from .algorithms import (
    S3LDBO as S3LDBO,
)
from .algorithms import (
    SLDBO as SLDBO,
)
from .algorithms import (
    SLDBOPushPull as SLDBOPushPull,
)
from .algorithms import (
    SOBA as SOBA,
)
from .algorithms import (
    SUNDSBO as SUNDSBO,
)
from .algorithms import (
    SUNDSBOSE as SUNDSBOSE,
)
from .algorithms import (
    TTSA as TTSA,
)
from .algorithms import (
    VRDBO as VRDBO,
)
from .algorithms import (
    AdaSDBO as AdaSDBO,
)
from .algorithms import (
    AIDBiO as AIDBiO,
)
from .algorithms import (
    Diamond as Diamond,
)
from .algorithms import (
    DifMAML as DifMAML,
)
from .algorithms import (
    Interact as Interact,
)
from .algorithms import (
    ITDBiO as ITDBiO,
)
from .algorithms import (
    LoPA as LoPA,
)
from .algorithms import (
    LoPAGT as LoPAGT,
)
from .algorithms import (
    Slam as Slam,
)
from .algorithms import (
    SlamTracked as SlamTracked,
)
from .algorithms import (
    Sparkle as Sparkle,
)
from .algorithms import (
    Stable as Stable,
)
from .algorithms import (
    StocBiO as StocBiO,
)
from .algorithms import (
    Sustain as Sustain,
)
from .algorithms import (
    SVRInteract as SVRInteract,
)
from .algorithms import (
    VRBiAdam as VRBiAdam,
)
from .core.problem import (
    Problem as Problem,
)
from .core.schedules import (
    Constant as Constant,
)
from .core.schedules import (
    InverseStep as InverseStep,
)
from .core.schedules import (
    PowerDecay as PowerDecay,
)
from .core.schedules import (
    SquaredStep as SquaredStep,
)
from .engines import (
    Debug as Debug,
)
from .engines import (
    DebugError as DebugError,
)
from .engines import (
    Sharded as Sharded,
)
from .engines import (
    Simulated as Simulated,
)
from .hypergradients import (
    ConjugateGradient as ConjugateGradient,
)
from .hypergradients import (
    Direct as Direct,
)
from .hypergradients import (
    Exact as Exact,
)
from .hypergradients import (
    HessianFree as HessianFree,
)
from .hypergradients import (
    MiniBatchNeumann as MiniBatchNeumann,
)
from .hypergradients import (
    NaturalPolicyGradient as NaturalPolicyGradient,
)
from .hypergradients import (
    Neumann as Neumann,
)
from .hypergradients import (
    TruncatedNeumann as TruncatedNeumann,
)
from .hypergradients import (
    Unrolled as Unrolled,
)
from .metrics.selection import (
    MeasurementWarning as MeasurementWarning,
)
from .peers.agent_processes import (
    PeersError as PeersError,
)
from .peers.engine import (
    Peers as Peers,
)
from .running.compilation_cache import (
    use_compilation_cache as use_compilation_cache,
)
from .running.hypergradient_check import (
    check_hypergradient as check_hypergradient,
)
from .running.loop import (
    NotFinite as NotFinite,
)
from .running.preflight import (
    PreflightWarning as PreflightWarning,
)
from .running.result import (
    Result as Result,
)
from .running.result import (
    load as load,
)
from .running.snapshot import (
    CheckpointError as CheckpointError,
)
from .running.solve import (
    solve as solve,
)
from .running.stopping import (
    Stop as Stop,
)
from .running.tune import (
    Tuning as Tuning,
)
from .running.tune import (
    tune as tune,
)
from .support.interrupts import (
    Interrupted as Interrupted,
)
from .support.joining import (
    join_processes as join_processes,
)

__version__: str
