"""A scenario is read strictly, and what is wrong is said so that it can be mended."""

import pytest

from dock_agent.errors import ConfigError
from dock_agent.simulated.scenario import Dock, Expect, load, names, parse

WHOLE = """\
name = "tale"
about = "One camera."
bays = 2
begin = 2026-03-05T18:00:00Z
cameras = [{ id = "a", model = "KT-Z1", serial = "1" }]
steps = [
  { do = "dock", camera = "a", bay = "1" },
  { do = "expect", bay = "1", state = "sealed" },
]
"""


def test_a_scenario_is_read_whole() -> None:
    tale = parse(WHOLE, "tale")

    assert tale.cameras[0].recordings == 2
    assert tale.steps == (
        Dock(camera="a", bay="1"),
        Expect(bay="1", state="sealed"),
    )


@pytest.mark.parametrize("name", names())
def test_what_ships_is_called_what_it_calls_itself(name: str) -> None:
    assert load(name).name == name


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("bays = 2", "bayz = 2", "did you mean `bays`"),
        ('model = "KT-Z1"', 'modl = "KT-Z1"', "did you mean `model`"),
        ('do = "dock"', 'do = "dok"', "did you mean `dock`"),
        ('camera = "a"', 'camra = "a"', "did you mean `camera`"),
        ('state = "sealed"', 'stat = "sealed"', "did you mean `state`"),
        ('state = "sealed"', "zzz = 1", "unknown field `zzz`"),
        ('camera = "a", ', "", "missing required field `camera`"),
        ('bay = "1" },\n  { do = "e', 'bay = "3" },\n  { do = "e', "no bay 3"),
        ('camera = "a"', 'camera = "b"', "no camera b"),
        ('bay = "1", state', "state", "step 2: of which bay"),
        ('camera = "a"', 'camera = "a", leaves_after = 2.0', "<= 1.0"),
        ("T18:00:00Z", "T18:00:00", "timezone"),
        ('name = "tale"', 'name = "other"', "calls itself other"),
        (
            "cameras = [",
            'cameras = [{ id = "a", model = "m", serial = "2" }, ',
            "twice",
        ),
        ("bays = 2", "bays = ", "not TOML"),
        ("bays = 2", "bays = 0", ">= 1"),
    ],
)
def test_a_mistake_is_refused_with_what_is_wrong(
    right: str, wrong: str, told: str
) -> None:
    text = WHOLE.replace(right, wrong, 1)
    assert text != WHOLE

    with pytest.raises(ConfigError) as refused:
        parse(text, "tale")

    assert str(refused.value).startswith("scenario tale: ")
    assert told in str(refused.value)
