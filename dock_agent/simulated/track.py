"""A made-up walk as a GNSS receiver tells it: NMEA 0183 (4.11), four constellations.

Whole numbers only, so that equal arguments give equal bytes on every machine.
"""

import random
from datetime import datetime, timedelta

MINUTE = 100_000  # units of position in one minute of arc
START = (22 * 60 * MINUTE + 3_258_600, 114 * 60 * MINUTE + 347_400)  # north, east
STEP = 75  # units in one second: 1.4 m
HEADINGS = ((1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1))
SYSTEMS = (  # talker, GSA system id, GSV signal id, satellites in view
    ("GP", 1, 1, (2, 5, 7, 13, 15, 20, 29, 30)),
    ("GL", 2, 1, (65, 66, 72, 81, 82)),
    ("GA", 3, 7, (3, 5, 9, 24, 31)),
    ("GB", 4, 1, (6, 9, 16, 22, 39, 41)),
)


def walk(begin: datetime, seconds: int, seed: str) -> str:
    """Return one fix a second from `begin` (UTC) on, both ends counted."""
    chance = random.Random(seed)  # noqa: S311  chance on purpose repeatable
    north, east = START
    heading = int(chance.random() * len(HEADINGS))
    lines: list[str] = []
    for second in range(seconds + 1):
        lines += _fix(begin + timedelta(seconds=second), north, east, heading)
        lines += _in_view(chance)
        heading = (heading + int(chance.random() * 3) - 1) % len(HEADINGS)
        north += STEP * HEADINGS[heading][0]
        east += STEP * HEADINGS[heading][1]
    return "".join(lines)


def _fix(when: datetime, north: int, east: int, heading: int) -> list[str]:
    time = f"{when:%H%M%S}.00"
    place = f"{_minutes(north, 2)},N,{_minutes(east, 3)},E"
    used = "".join(
        sentence(f"GNGSA,A,3,{_twelve(seen[:-2])},1.31,0.68,1.12,{system}")
        for _, system, _, seen in SYSTEMS
    )
    course = f"2.721,{heading * 45}.00,{when:%d%m%y}"
    return [
        sentence(f"GNRMC,{time},A,{place},{course},,,A,V"),
        sentence(f"GNGGA,{time},{place},1,12,0.68,12.0,M,-2.6,M,,"),
        used,
    ]


def _in_view(chance: random.Random) -> list[str]:
    lines = []
    for talker, _, signal, seen in SYSTEMS:
        fours = [seen[at : at + 4] for at in range(0, len(seen), 4)]
        for number, four in enumerate(fours, 1):
            sky = ",".join(_satellite(one, chance) for one in four)
            count = f"{len(fours)},{number},{len(seen):02d}"
            lines.append(sentence(f"{talker}GSV,{count},{sky},{signal}"))
    return lines


def _satellite(number: int, chance: random.Random) -> str:
    """Return number, elevation, azimuth (degrees), and strength (dB-Hz)."""
    strength = 22 + int(chance.random() * 25)
    return f"{number:02d},{number * 7 % 80 + 5:02d},{number * 37 % 360:03d},{strength}"


def _minutes(position: int, digits: int) -> str:
    degrees, rest = divmod(position, 60 * MINUTE)
    minutes, part = divmod(rest, MINUTE)
    return f"{degrees:0{digits}d}{minutes:02d}.{part:05d}"


def _twelve(numbers: tuple[int, ...]) -> str:
    return ",".join([f"{n:02d}" for n in numbers] + [""] * (12 - len(numbers)))


def sentence(body: str) -> str:
    """Return a sentence with its checksum: the exclusive or of all its bytes."""
    total = 0
    for byte in body.encode("ascii"):
        total ^= byte
    return f"${body}*{total:02X}\r\n"
