"""The demonstration's own object store: what it says when it does not come up."""

from pathlib import Path

import pytest

from dock_agent.errors import Unreachable
from dock_agent.simulated.object_store import running


def test_a_store_that_ends_at_once_is_said_so_and_its_log_is_named(
    tmp_path: Path,
) -> None:
    weed = tmp_path / "weed"
    weed.write_text("#!/bin/sh\necho no room >&2\nexit 3\n", encoding="utf-8")
    weed.chmod(0o755)

    with (
        pytest.raises(Unreachable, match=r"ended with 3.*cloud/store\.log"),
        running(str(weed), tmp_path / "cloud"),
    ):
        pytest.fail("there is no store")

    assert "no room" in (tmp_path / "cloud/store.log").read_text("utf-8")
