import pytest

from dock_agent.away import away
from dock_agent.recording import BayState
from support.boards import bay, owed, pulled

CAMERA = str(pulled("2").camera)


def test_a_camera_that_left_must_come_back() -> None:
    one = owed(CAMERA)

    assert away([one], []) == (one,)
    assert away([one], [bay("1", BayState.COPYING)]) == (one,)
    assert away([one], [pulled("2")]) == (one,)


@pytest.mark.parametrize("state", set(BayState) - {BayState.EMPTY, BayState.PULLED})
def test_a_camera_that_sits_in_a_bay_is_not_asked_for(state: BayState) -> None:
    assert away([owed(CAMERA)], [bay("1", state, camera=CAMERA)]) == ()
