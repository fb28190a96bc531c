"""Build the guest once: a Debian 12 with its stock kernel, in about 80 s, kept.

The kernel is unpacked out of its bzImage, so that QEMU can enter it directly (PVH):
its own decompression takes seconds under emulation. The first file system holds six
modules. The packages are fetched once as a tar file; what is changed in the recipe
needs no network again.
"""

import hashlib
import logging
import lzma
import os
import shutil
import struct
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hardware import hands, recipe
from hardware.errors import BenchError

log = logging.getLogger(__name__)

CACHE = Path(
    os.environ.get("BENCH_CACHE") or Path(__file__).parents[2] / ".hardware"
).resolve()
SUITE = "bookworm"
LISTS = ("modules.builtin", "modules.builtin.modinfo", "modules.order")
UNSEEN = ("man", "doc", "locale", "info")
FETCH_KERNEL = (
    'k=$(chroot "$1" apt-cache depends linux-image-amd64'
    " | sed -n 's/.*Depends: //p');"
    ' chroot "$1" sh -c "cd / && apt-get download $k"'
    ' && mv "$1"/linux-image-*.deb "$1/kernel.deb"'
)
Entry = tuple[str, int, bytes]  # of a cpio archive: name, mode, content


@dataclass(frozen=True, slots=True)
class Image:
    """A guest that can be started: the folder of its kernel and its root."""

    folder: Path

    @property
    def kernel(self) -> Path:
        return self.folder / "vmlinux"

    @property
    def initrd(self) -> Path:
        return self.folder / "initrd"

    @property
    def root(self) -> Path:
        return self.folder / "base.ext4"


def run(*command: object, **options: bytes) -> None:
    """Run a program to its end. Raises `BenchError` with what it said."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        input=options.get("given", b""),
    )
    if done.returncode:
        said = done.stdout.decode(errors="replace")[-2000:]
        raise BenchError(f"{words[0]} failed ({done.returncode}): {said}")


def digest(*what: object) -> str:
    """Return a short name for what something was made of."""
    return hashlib.sha256(repr(what).encode()).hexdigest()[:12]


def keep(made: Path, out: Path) -> None:
    """Give a folder its name, unless another run of the bench made it meanwhile."""
    try:
        made.rename(out)
    except OSError:
        if not out.exists():
            raise
        shutil.rmtree(made)


def image() -> Image:
    """Return the guest; build it first if its recipe is new."""
    tar = CACHE / f"root-{digest(SUITE, recipe.PACKAGES)}.tar"
    inside = Path(hands.__file__).read_text("utf-8")
    parts = (recipe.BOOT_MODULES, recipe.MODULES, recipe.MASKED, recipe.FILES)
    out = CACHE / f"image-{digest(tar.name, parts, recipe.INIT, inside)}"
    if not out.exists():
        CACHE.mkdir(exist_ok=True)
        with _scratch() as scratch:
            if not tar.exists():
                _fetch(scratch, tar)
            keep(_build(scratch, tar), out)
    return Image(out)


@contextmanager
def _scratch() -> Iterator[Path]:
    scratch = CACHE / f"making-{os.getpid()}"
    scratch.mkdir()
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch)


def _fetch(scratch: Path, tar: Path) -> None:
    """Fetch the packages, and the kernel as a package that is not installed."""
    log.info("fetching Debian")
    run(
        "mmdebstrap",
        "--variant=minbase",
        f"--include={','.join(recipe.PACKAGES)}",
        "--dpkgopt=force-unsafe-io",
        *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in UNSEEN),
        '--aptopt=APT::Sandbox::User "root"',
        f"--customize-hook={FETCH_KERNEL}",
        "--format=tar",
        SUITE,
        scratch / "root.tar",
    )
    (scratch / "root.tar").rename(tar)


def _build(scratch: Path, tar: Path) -> Path:
    log.info("building the guest")
    stage, kernel, root = (scratch / name for name in ("stage", "kernel", "root"))
    for folder in (stage, kernel, root):
        folder.mkdir()
    run("tar", "-xf", tar, "-C", scratch, "./kernel.deb")
    run("dpkg-deb", "-x", scratch / "kernel.deb", kernel)
    modules = next((kernel / "lib/modules").iterdir())
    run("depmod", "-b", kernel, modules.name)
    bzimage = kernel / f"boot/vmlinuz-{modules.name}"
    (stage / "vmlinux").write_bytes(unpacked(bzimage.read_bytes()))
    (stage / "initrd").write_bytes(cpio(_first_files(modules)))
    _fill(root, tar, modules)
    run(
        "mke2fs", "-q", "-F", "-t", "ext4", "-L", "dockroot", "-m", "0",
        "-d", root, stage / "base.ext4", "3G",
    )  # fmt: skip
    return stage


def _fill(root: Path, tar: Path, modules: Path) -> None:
    """Put together what the guest sees as its root."""
    without = ("--exclude=./kernel.deb", "--exclude=./dev/*", "--numeric-owner")
    run("tar", "-xf", tar, "-C", root, *without)
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    for name, text in recipe.FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    shutil.copyfile(hands.__file__, root / "usr/local/lib/bench-hands.py")
    wanted = with_needs(modules, (*recipe.BOOT_MODULES, *recipe.MODULES))
    for name in (*wanted, *LISTS):
        target = root / "usr/lib/modules" / modules.name / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(modules / name, target)
    run("depmod", "-b", root, modules.name)
    for name in ("data", "mnt"):
        (root / name).mkdir(exist_ok=True)
    shadow = (root / "etc/shadow").read_text()
    (root / "etc/shadow").write_text(shadow.replace("root:*:", "root::", 1))
    _arrange(root / "etc/systemd/system")
    for name in ("etc/.updated", "var/.updated"):
        (root / name).touch()


def _arrange(units: Path) -> None:
    """Start our two units, and mask what costs time."""
    (units / "multi-user.target.wants").mkdir(exist_ok=True)
    for name in ("bench-hands.service", "bench-network.service"):
        (units / "multi-user.target.wants" / name).symlink_to(f"../{name}")
    for name in recipe.MASKED:
        (units / name).unlink(missing_ok=True)
        (units / name).symlink_to("/dev/null")
    (units / "default.target").unlink(missing_ok=True)
    (units / "default.target").symlink_to("/lib/systemd/system/multi-user.target")


def _first_files(modules: Path) -> list[Entry]:
    """Return what the kernel needs to find its root."""
    wanted = [Path(name) for name in with_needs(modules, recipe.BOOT_MODULES)]
    busybox = shutil.which("busybox")
    if busybox is None:
        raise BenchError("no busybox here: apt install busybox-static")
    folders = ("bin", "dev", "proc", "sys", "root", "m")
    order = "".join(f"{path.name}\n" for path in wanted)
    return [
        *((name, 0o40755, b"") for name in folders),
        ("init", 0o100755, recipe.INIT.encode()),
        ("bin/busybox", 0o100755, Path(busybox).read_bytes()),
        ("m/order", 0o100644, order.encode()),
        *((f"m/{p.name}", 0o100644, (modules / p).read_bytes()) for p in wanted),
    ]


def unpacked(bzimage: bytes) -> bytes:
    """Return the ELF kernel inside a bzImage (x86 boot protocol 2.08, xz)."""
    offset, size = struct.unpack_from("<II", bzimage, 0x248)
    start = ((bzimage[0x1F1] or 4) + 1) * 512 + offset
    packed = bzimage[start : start + size]
    return lzma.LZMADecompressor(format=lzma.FORMAT_XZ).decompress(packed)


def cpio(entries: Iterable[Entry]) -> bytes:
    """Return an archive in the form that Linux unpacks at its start ("newc")."""
    out = bytearray()
    for number, (name, mode, data) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        out += b"070701" + b"".join(b"%08X" % value for value in fields)
        out += name.encode() + b"\0"
        out += b"\0" * (-len(out) % 4) + data
        out += b"\0" * (-len(out) % 4)
    return bytes(out)


def with_needs(modules: Path, wanted: Iterable[str]) -> list[str]:
    """Return the files of kernel modules and of all they need, in loading order."""
    files: dict[str, list[str]] = {}
    for line in (modules / "modules.dep").read_text().splitlines():
        module, _, needs = line.partition(":")
        name = Path(module).name.partition(".ko")[0].replace("-", "_")
        files[name] = [*reversed(needs.split()), module]
    return list(dict.fromkeys(path for m in wanted for path in files.get(m, [])))
