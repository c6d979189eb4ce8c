"""The rules of providers/driver.py, run over every driver."""

import pytest

for module in ("fencing", "lifecycle", "output", "ownership", "process_stage", "stage", "stopping"):
    pytest.register_assert_rewrite(f"{__name__}.{module}")
