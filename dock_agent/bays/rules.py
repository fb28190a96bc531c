"""What udev is told of the bays: rules, made from the configuration. Pure.

A disk in a bay is made read-only, and PID 1 mounts its file system: a rule can only
ask for a unit (systemd.device(5)), so `dock-mount@.service` does the asking.
Where the station erases cameras, `dock-erase@.path` hears a wish to mount it for
writing.
"""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from dock_agent.bays.topology import PORT
from dock_agent.errors import ConfigError
from dock_agent.recording import BayName

INSTALLED = PurePosixPath("/etc/udev/rules.d/70-dock-agent.rules")
RUN = PurePosixPath("/run/dock-agent")
MOUNTS = RUN / "bays"
CLEARING = RUN / "clearing"  # as MOUNTS, for writing
WISHES = RUN / "wishes"  # the agent's: an empty file for each camera to be cleared
ANSWERS = RUN / "answers"  # why a wish was not granted, by the wish's name
HARMLESS = ("nodev", "nosuid", "noexec", "nosymfollow")
NEEDED = ("ro", *HARMLESS)
NEEDED_TO_CLEAR = ("rw", *HARMLESS)
COMMON = ",".join((*NEEDED, "noatime"))
# Times on FAT have no zone: read as UTC, so that no summer time moves them.
_OURS = "uid=dock,gid=dock,fmask=0377,dmask=0277"
KINDS: Mapping[str, str] = {
    "vfat": f"utf8,tz=UTC,{_OURS}",
    "exfat": f"iocharset=utf8,time_offset=0,{_OURS}",
    # Its superblock may ask for a panic at the first error, read-only or not.
    "ext4": "errors=continue",
}  # the file systems that are mounted, and how each is besides `NEEDED`
ERASABLE = ("vfat", "exfat")  # on others the agent is not the owner of what is there

HEAD = """\
# Made by `dock-agent bays udev` from the configuration: change that, not this file.

ACTION=="remove", GOTO="dock_agent_end"
SUBSYSTEM!="block", GOTO="dock_agent_end"

# Desktop automounters leave every USB disk of a station alone: a file manager would
# mount a camera for writing. The mark is only a hint to udisks; a vault on a USB disk
# is mounted from /etc/fstab as before.
# A parent that is on the USB, not ID_BUS: a bridge may call itself "ata" there.
SUBSYSTEMS=="usb", ENV{UDISKS_IGNORE}="1", ENV{UDISKS_AUTO}="0"

# What else there is to do is for the bays alone.
"""
BAY = (
    'ENV{{ID_PATH}}=="{bus}-{ports}:*|{bus}v[23]-{ports}:*", '
    'ENV{{DOCK_AGENT_BAY}}="{place}"\n'
)
TAIL = """\
ENV{DOCK_AGENT_BAY}!="?*", GOTO="dock_agent_end"

# From now on the kernel refuses to write to it; only then is it told of.
RUN+="/usr/sbin/blockdev --setro $devnode"

# The whole card may be read by the agent's group, for its image and nothing else: no
# service of a station sees it (PrivateDevices=), a person's command does.
ENV{DEVTYPE}=="disk", GROUP="dock", MODE="0440"

# PID 1 mounts these, each attachment at a place of its own: a mount that was left
# over from the camera before is never taken for the next one's.
ENV{DEVTYPE}=="disk", ENV{ID_PART_TABLE_TYPE}=="?*", GOTO="dock_agent_end"
"""
# A file system that was not closed: without replaying its journal, since the kernel
# could not write to it. What is missing then is told of (offload/scan.py). Where this
# is not found out, the kernel does not mount it at all.
# One byte is read for it, the low one of s_feature_incompat, in which 4 is RECOVER
# (kernel.org, ext4 "Super Block", 0x60): no program of root's takes a card's metadata
# apart here.
DIRTY = (
    'ENV{{ID_FS_TYPE}}=="ext4", PROGRAM=="/usr/bin/od -An -tx1 -j1120 -N1 $devnode", '
    'RESULT=="*[4567cdef]", ENV{{SYSTEMD_MOUNT_OPTIONS}}="{options}"\n'
)
KIND = 'ENV{{ID_FS_TYPE}}=="{kind}", ENV{{SYSTEMD_MOUNT_OPTIONS}}="{options}"\n'
WRITABLE = 'ENV{{ID_FS_TYPE}}=="{kind}", ENV{{DOCK_AGENT_WRITABLE}}="{options}"\n'
END = f"""\
ENV{{SYSTEMD_MOUNT_OPTIONS}}!="?*", GOTO="dock_agent_end"
ENV{{PARTN}}!="?*", ENV{{PARTN}}="0"
ENV{{DOCK_AGENT_PLACE}}="$env{{DISKSEQ}}.$env{{PARTN}}"
SYMLINK+="dock-agent/$env{{DOCK_AGENT_BAY}}/$env{{DOCK_AGENT_PLACE}}"
ENV{{SYSTEMD_MOUNT_WHERE}}="{MOUNTS}/$env{{DOCK_AGENT_BAY}}/$env{{DOCK_AGENT_PLACE}}"
TAG+="systemd", ENV{{SYSTEMD_WANTS}}+="\
dock-mount@$env{{DOCK_AGENT_BAY}}-$env{{DOCK_AGENT_PLACE}}.service"
"""
WISH = """\
ENV{DOCK_AGENT_WRITABLE}=="?*", ENV{SYSTEMD_WANTS}+="\
dock-erase@$env{DOCK_AGENT_BAY}-$env{DOCK_AGENT_PLACE}.path"
"""
LAST = '\nLABEL="dock_agent_end"\n'


def place(bay: BayName) -> str:
    """Return a bay's name as directories and units can be called: `_20` for a space.

    Letters and digits stay; every other byte of its UTF-8 is written in hexadecimal.
    """
    return re.sub(r"[^A-Za-z0-9]", _hex, bay)


def rules(bays: Mapping[str, BayName], *, erases: bool = False) -> str:
    """Return the rules for these bays, by their port (ID_PATH up to its USB port).

    Unless the station `erases`, nothing that they ask for mounts for writing.
    Raises `ConfigError` if a port is none.
    """
    ours = "".join(_bay(port, bay) for port, bay in bays.items())
    kinds = "".join(
        KIND.format(kind=kind, options=",".join(filter(None, (COMMON, more))))
        for kind, more in KINDS.items()
    )
    dirty = DIRTY.format(options=",".join((COMMON, KINDS["ext4"], "noload")))
    known = HEAD + ours + TAIL + kinds + dirty
    if erases:
        return known + _writable() + END + WISH + LAST
    return known + END + LAST


def _writable() -> str:
    """How each kind is mounted for an erase: by its owner, and nobody else."""
    common = ",".join((*NEEDED_TO_CLEAR, "noatime"))
    how = {kind: KINDS[kind].replace("dmask=0277", "dmask=0077") for kind in ERASABLE}
    return "".join(
        WRITABLE.format(kind=kind, options=f"{common},{how[kind]}") for kind in how
    )


def _bay(port: str, bay: BayName) -> str:
    found = PORT.fullmatch(port)
    if found is None or not re.fullmatch(r"[A-Za-z0-9_.:-]+", port):
        raise ConfigError(f"bay `{bay}`: {port!r} is not the path of a USB port")
    return BAY.format(bus=found["bus"], ports=found["ports"], place=place(bay))


def _hex(character: re.Match[str]) -> str:
    return "".join(f"_{byte:02X}" for byte in character[0].encode())
