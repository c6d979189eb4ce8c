"""Faults against real processes, many times over, with an oracle that counts the starts."""
