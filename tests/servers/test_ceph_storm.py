"""A faulty way to a real Ceph: nothing lost, doubled, or said that is not so.

As `tests/faults/test_sync_proxy.py`; 25 objects for each seed.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from support.ceph import Ceph
from support.fault_proxy import fault_proxy
from support.proxy_storm import ProxyStorm

SEEDS = range(9)  # 225 objects


@pytest.mark.parametrize("seed", SEEDS)
def test_however_faulty_the_way_and_whoever_is_killed_everything_arrives_once(
    seed: int, ceph: Ceph
) -> None:
    with TemporaryDirectory() as folder, fault_proxy(ceph.ports[0]) as proxy:
        storm = ProxyStorm(seed, Path(folder), ceph, proxy)

        storm.rage()

        storm.require_the_end()
