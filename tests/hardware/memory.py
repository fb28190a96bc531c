"""How much memory a service of the guest takes at most, seen from inside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hardware.guest import Guest

# The proportional share (PSS, proc(5)) of the agent, its fork server and children:
# what they share is counted once. One process of the guest looks all the time.
LOOK = """\
import signal, time
ended, most, many = [], 0, 0
signal.signal(signal.SIGTERM, lambda *_: ended.append(1))
print("looks", flush=True)
for _ in range(20_000):
    total, pids = 0, open("/sys/fs/cgroup/system.slice/dock-agent.service/cgroup.procs")
    pids = pids.read().split()
    for pid in pids:
        try:
            text = open(f"/proc/{pid}/smaps_rollup").read()
        except OSError:
            continue
        total += sum(int(s.split()[1]) for s in text.splitlines() if s[:4] == "Pss:")
    most, many = max(most, total), max(many, len(pids))
    if ended:
        break
    time.sleep(0.1)
print(most * 1024, many)
"""


@dataclass(slots=True)
class Peak:
    """The most memory that was seen, in bytes, and the most processes at a time."""

    size: int = 0
    processes: int = 0


@contextmanager
def peak(guest: Guest) -> Iterator[Peak]:
    """Look at the agent's memory for the length of the block; then it is known."""
    found = Peak()
    guest.run("cat > /root/look.py", given=LOOK.encode())
    job = guest.spawn("exec python3 -IS /root/look.py")
    job.wait(60, until="looks")
    yield found
    job.kill()
    job.wait(60)
    found.size, found.processes = map(int, job.text.split()[1:3])
