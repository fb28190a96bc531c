"""How a file system's time stamps were read: in whose zone, how finely. Pure.

FAT keeps the camera's own wall clock, without a zone ("FAT: General Overview of
On-Disk Format", 6.1, Microsoft): cameras are mounted so that it is kept as if it
were UTC, whatever zone the station stands in. exFAT names a zone with each stamp,
if the camera does (exFAT specification, 7.4.10); only the others are taken for UTC.
"""

from collections.abc import Collection

RESOLUTION_NS = {"vfat": 2_000_000_000, "exfat": 10_000_000}  # of a modification time
KEPT, SHIFTED = "read as UTC", "read in another zone: {}"
LOCAL = {
    "vfat": "the camera's own clock, {}",
    "msdos": "the camera's own clock, {}",
    "exfat": "the zone that each names; else the camera's own clock, {}",
}
NONE = "time_offset=0"
SHIFTS = ("time_offset=", "sys_tz")
UTC = ("ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs")


def zone_of(kind: str, options: Collection[str]) -> str:
    """Say in whose zone times were read, by the file system's own mount options.

    A vfat that is not mounted with tz=UTC was read in the zone that the kernel was
    told of; exfat is read as UTC unless it was told otherwise (Linux 5.18).
    """
    if kind not in LOCAL:
        return "UTC" if kind in UTC else "not known"
    shifts = [option for option in options if option.startswith(SHIFTS)]
    shift = next((option for option in shifts if option != NONE), None)
    if shift is None and kind != "exfat" and not {"tz=UTC", NONE} & set(options):
        shift = "the kernel's"
    return LOCAL[kind].format(KEPT if shift is None else SHIFTED.format(shift))
