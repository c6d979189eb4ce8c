"""The families of scenarios: each module of this package has its `SCENARIOS`."""
