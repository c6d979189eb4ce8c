"""A provider that runs nothing: each run is a script, played by arithmetic on the clock.

For tests, demos and measurements of the control plane; production settings refuse it.
The words of the script are listed in docs/fake-driver.md and read in `script.py`.
"""

from providers.drivers.fake.driver import FakeDriver

__all__ = ["FakeDriver"]
