from dock_agent.watch.eta import SETTLING, Pace


def test_nothing_is_said_before_the_pace_has_settled() -> None:
    pace = Pace()
    pace.note(0.0, 0)
    pace.note(SETTLING - 1, 400)

    assert pace.seconds_left(1000) is None


def test_a_steady_pace_gives_the_time_that_is_left() -> None:
    pace = Pace()
    for second in range(11):
        pace.note(float(second), second * 100)

    assert pace.seconds_left(2000) == 10.0


def test_only_the_last_half_minute_counts() -> None:
    pace = Pace()
    for second in range(100):
        pace.note(float(second), min(second, 50) * 100)

    assert pace.seconds_left(10_000) is None


def test_a_new_docking_starts_a_new_pace() -> None:
    pace = Pace()
    pace.note(0.0, 0)
    pace.note(10.0, 1000)
    pace.note(11.0, 0)

    assert pace.seconds_left(1000) is None
