"""What every Store must do, whatever it is made of: the loop's decisions rest on it."""

from __future__ import annotations

from tests.contract.store_attempts import AttemptsContract
from tests.contract.store_leases import LeasesContract
from tests.contract.store_logs import LogsContract
from tests.contract.store_providers import ProvidersContract
from tests.contract.store_queue import QueueContract
from tests.contract.store_readings import ReadingsContract
from tests.contract.store_recovery import RecoveryContract


class StoreContract(
    LeasesContract,
    QueueContract,
    AttemptsContract,
    LogsContract,
    ProvidersContract,
    ReadingsContract,
    RecoveryContract,
):
    """All its rules."""
