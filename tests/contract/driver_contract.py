"""The one suite that every driver passes.

A driver's test module subclasses `DriverContract` and gives it a `stage` fixture:

    class TestDocker(DriverContract):
        @pytest.fixture
        def stage(self, tmp_path: Path) -> Iterator[Stage]:
            stage = DockerStage(tmp_path)
            yield stage
            stage.sweep()

`stage.py` says what a stage must be told; `ShellStage` has it all for drivers whose
programs may be shell scripts.
"""

from __future__ import annotations

from tests.contract.fencing import FencingContract
from tests.contract.lifecycle import LifecycleContract
from tests.contract.output import OutputContract
from tests.contract.ownership import OwnershipContract
from tests.contract.stopping import StoppingContract


class DriverContract(
    LifecycleContract, OutputContract, StoppingContract, FencingContract, OwnershipContract
):
    """All rules of providers/driver.py, over one stage."""
