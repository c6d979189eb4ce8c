"""The control loop: threads around the pure decisions. Web code never imports this.

Threads that touch the database (one connection each, six in all): `wake` listens,
`keeper` holds leases, `flusher` writes state, `log_writer` writes logs, `scheduler`
plans, `desk` hands out work. Threads that touch engines (`host`, `attempt_run`) never
touch the database: they ask the flusher, the log writer and the desk.
"""
