"""A camera that is a keyboard as well: a USB gadget, inside the guest.

QEMU has no device of two kinds; the kernel's own device side has, on a controller
that is wired to itself (dummy_hcd, libcomposite).
"""

from pathlib import Path

from hardware.guest import Guest

PORT = "platform-dummy_hcd.0-usb-0:1"  # where the gadget is, as ID_PATH has it
CARD = "/root/gadget.img"
# The report of a boot keyboard: HID 1.11, appendix E.6.
KEYS = bytes.fromhex(
    "05010906a101050719e029e715002501750195088102950175088103950575010508190129059102"
    "95017503910395067508150025650507190029658100c0"
)
MAKE = f"""\
set -e
modprobe dummy_hcd; modprobe libcomposite
modprobe usb_f_mass_storage; modprobe usb_f_hid; modprobe usbhid
mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
mkdir /sys/kernel/config/usb_gadget/two; cd /sys/kernel/config/usb_gadget/two
echo 0x1d6b > idVendor; echo 0x0104 > idProduct
mkdir strings/0x409; echo GADGET17 > strings/0x409/serialnumber
mkdir functions/mass_storage.0; echo {CARD} > functions/mass_storage.0/lun.0/file
mkdir functions/hid.0; cd functions/hid.0
echo 1 > protocol; echo 1 > subclass; echo 8 > report_length
cat /root/keys > report_desc
cd ../..; mkdir configs/c.1
ln -s functions/mass_storage.0 functions/hid.0 configs/c.1
ls /sys/class/udc | head -n 1 > UDC
"""


def plug(guest: Guest, card: Path) -> None:
    """Let a card appear that types as well."""
    guest.push(card, to="/root")
    guest.run("cat > /root/keys", given=KEYS)
    guest.run(f"mv /root/{card.name} {CARD}; {MAKE}", timeout=180)
