"""Every method on a9a: `python -m studies.table`, or `make table`.

Every decentralized method runs over five agents, every single-agent method on the pooled data, each with the steps that
`hg.tune` finds on one grid. What it cost to bring M_t to fixed values goes to docs/table as Markdown and CSV, with a
figure. A method's result is kept under runs/ as soon as it is there; `--resume` resumes from what is kept.
"""

import os

# Stable's eigendecompositions are many and small: LAPACK's own threads get in one another's way, and took 60 times as
# long on a busy machine. It reads this when it is loaded, which is after this line.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
