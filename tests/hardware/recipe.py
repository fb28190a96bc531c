"""What the guest is made of: packages, kernel modules, units that are left out."""

PACKAGES = (
    "systemd-sysv", "udev", "dbus", "kmod", "procps", "iproute2", "util-linux", "fdisk",
    "python3", "sqlite3", "dosfstools", "exfatprogs", "usbutils", "dmsetup",
)  # fmt: skip
BOOT_MODULES = (
    "virtio_pci", "virtio_blk", "ext4", "crc32c_generic", "virtio_console",
    "virtio_rng",
)  # fmt: skip
MODULES = (
    "virtio_net", "9p", "9pnet_virtio", "autofs4", "configfs", "fuse", "overlay",
    "loop", "xhci_pci", "ehci_pci", "uhci_hcd", "usb_storage", "uas", "sd_mod", "sg",
    "vfat", "exfat", "nls_ascii", "nls_cp437", "nls_utf8", "nls_iso8859_1", "ntfs3",
    "isofs", "udf", "dm_mod", "dm_flakey", "dm_delay", "dummy_hcd", "libcomposite",
    "usb_f_mass_storage", "usb_f_hid", "usb_f_acm", "usbhid", "hid_generic",
)  # fmt: skip
# What a bench has no use for, and what only costs time while it starts.
MASKED = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer",
    "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer", "getty@tty1.service",
    "systemd-pstore.service", "systemd-update-utmp.service",
    "systemd-update-utmp-runlevel.service", "systemd-random-seed.service",
    "systemd-ask-password-wall.path", "systemd-ask-password-console.path",
    "systemd-binfmt.service", "systemd-logind.service",
    "systemd-modules-load.service", "systemd-remount-fs.service",
    "systemd-user-sessions.service", "systemd-journal-flush.service",
    "modprobe@drm.service", "modprobe@efi_pstore.service", "modprobe@configfs.service",
    "modprobe@dm_mod.service", "modprobe@loop.service", "modprobe@fuse.service",
    "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "sys-kernel-config.mount",
    "sys-fs-fuse-connections.mount", "dev-hugepages.mount", "dev-mqueue.mount",
    "remote-fs.target", "proc-sys-fs-binfmt_misc.automount",
)  # fmt: skip
FSTAB = """\
/dev/vda / ext4 noatime 0 0
/dev/vdb /data ext4 noatime,nofail,x-systemd.device-timeout=90 0 2
"""
CONSOLE = """\
[Service]
ExecStart=
ExecStart=-/sbin/agetty --autologin root --noclear -L 115200 %I vt220
"""
NETWORK = """\
[Unit]
ConditionPathExists=/sys/class/net/eth0
[Service]
Type=oneshot
ExecStart=/sbin/ip address add 10.0.2.15/24 dev eth0
ExecStart=/sbin/ip link set eth0 up
ExecStart=/sbin/ip route add default via 10.0.2.2
"""
HANDS = """\
[Service]
ExecStart=/usr/bin/python3 -I -S /usr/local/lib/bench-hands.py
Restart=always
RestartSec=0
"""
FILES = {
    "etc/fstab": FSTAB,
    "etc/hostname": "dock\n",
    "etc/hosts": "127.0.0.1 localhost dock\n10.0.2.2 host\n",
    "etc/resolv.conf": "nameserver 10.0.2.3\n",
    "etc/machine-id": "d0c1ab00" * 4 + "\n",
    "etc/systemd/journald.conf.d/bench.conf": "[Journal]\nStorage=volatile\n",
    # eth0 stays eth0
    "etc/systemd/network/99-default.link": "[Match]\nOriginalName=*\n"
    "[Link]\nNamePolicy=\n",
    "etc/systemd/system/serial-getty@ttyS0.service.d/autologin.conf": CONSOLE,
    "etc/systemd/system/bench-network.service": NETWORK,
    "etc/systemd/system/bench-hands.service": HANDS,
}
INIT = """\
#!/bin/busybox sh
b=/bin/busybox
$b mount -t devtmpfs d /dev; $b mount -t proc p /proc; $b mount -t sysfs s /sys
while read m; do $b insmod /m/$m || echo "bench: $m failed"; done < /m/order
n=0
until $b mount -t ext4 -o noatime /dev/vda /root || [ $n = 50 ]; do
  n=$((n+1)); $b usleep 100000
done
for d in dev proc sys; do $b mount --move /$d /root/$d; done
exec $b switch_root /root /sbin/init
"""
COMMAND_LINE = (
    "console=ttyS0 quiet loglevel=5 panic=-1 mitigations=off nokaslr"
    " random.trust_cpu=on tsc=reliable no_timer_check audit=0 apparmor=0"
    " cryptomgr.notests net.ifnames=0 systemd.show_status=0"
)
