"""Swift's S3 side, where it is no other store's."""

from contextlib import closing
from pathlib import Path

import pytest

from dock_agent.errors import Barred
from dock_agent.recording import PART_SIZE
from dock_agent.sync.destination import Progress
from dock_agent.sync.s3.lock import Lock
from support.place_s3 import Reach
from support.sending import Memory, item, sent_whole
from support.swift import Swift

BOTH = Lock(retention_days=30, legal_hold=True)


@pytest.mark.parametrize("size", [1000, PART_SIZE + 5])
def test_it_keeps_no_lock_and_is_barred_where_one_is_wanted(
    server: Swift, tmp_path: Path, size: int
) -> None:
    reach = Reach(
        server.endpoint,
        tmp_path,
        f"{tmp_path.name}/",
        key_id=server.key_id,
        lock=BOTH,
    )

    with (
        closing(reach.s3()) as station,
        pytest.raises(Barred, match="lock"),
    ):
        station.send(item(tmp_path, size), Progress(), Memory())


def test_many_objects_go_there_on_a_few_connections(
    server: Swift, tmp_path: Path
) -> None:
    """It ends an answer to HEAD as one that has a body: the next one is not lost."""
    prefix = f"{tmp_path.name}/"
    reach = Reach(server.endpoint, tmp_path, prefix, key_id=server.key_id)
    sending = [item(tmp_path, 100, f"{n}.MP4", seed=n) for n in range(40)]

    with closing(reach.s3()) as station:
        told = [sent_whole(station, sent) for sent in sending]

    assert None not in told
