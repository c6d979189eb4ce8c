"""Drills of what an operator does on a bad or a busy day: upgrade, backup and restore.

`python -m tests.drills` runs them against a Gantry of their own and prints what was seen;
docs/operations.md tells the results.
"""
