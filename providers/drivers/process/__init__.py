"""The process driver: jobs as plain processes of this machine, where no engine can be had.

No isolation, best-effort limits: `probe` tells what holds. Each run has a folder, and a
keeper process that outlives Gantry's own (docs/process-driver.md). The driver itself is in
`driver.py`; it is not imported here because the keeper starts from this package and has to
start fast: `files`, `identity`, `tree`, `cgroup`, `journal`, `keeper` and `shim` import
only light parts of the standard library.
"""
