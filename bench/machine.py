"""What else happens on this machine: waiting until it is idle, and telling disturbed samples."""

import os
import time

TICKS = os.sysconf("SC_CLK_TCK")
CORES = len(os.sched_getaffinity(0))

# Shares of one core's time.
IDLE = 0.10        # others use less than this on an idle machine
DISTURBED = 0.15   # others used more than this while a sample was taken
STARVED = 0.95     # the sample itself got less than this
WAITED = 0.05      # its threads were ready but had no core for more than this, all together
REST = 0.02        # seconds: threads that wait for more work, as OpenMP's, are asleep by then


def features():
    """What the processor can do, as Linux names it; empty where it does not say."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("flags"):
                    return set(line.split()[2:])
    except OSError:
        pass
    return set()


def busy_seconds():
    """Processor time used by everyone since the machine started, all cores together, and the time
    that its host took away."""
    with open("/proc/stat", encoding="ascii") as file:
        numbers = [int(word) for word in file.readline().split()[1:]]
    user, nice, system, _, _, irq, soft = numbers[:7]
    steal = numbers[7] if len(numbers) > 7 else 0
    return (user + nice + system + irq + soft + steal) / TICKS


def others_share(seconds=1.0):
    """How many cores others keep busy, over some time in which we do nothing."""
    before, start = busy_seconds(), time.monotonic()
    time.sleep(seconds)
    return (busy_seconds() - before) / (time.monotonic() - start)


def wait_until_idle(limit):
    """True once nobody else works; False if that has not happened after `limit` seconds."""
    end = time.monotonic() + limit
    while others_share() > IDLE:
        if time.monotonic() > end:
            return False
    return True


def waited_seconds(process):
    """How long the threads of a process were ready but had to wait for a core. A few switches to
    the system's own threads cannot be helped where a sample uses all cores, and cost nothing; what
    counts is the time. 0 where the system does not tell."""
    folder, nanoseconds = f"/proc/{process}/task", 0
    for thread in os.listdir(folder):
        try:
            with open(f"{folder}/{thread}/schedstat", encoding="ascii") as file:
                nanoseconds += int(file.readline().split()[1])
        except (OSError, IndexError):
            pass  # it has ended, or there is no such file
    return nanoseconds * 1e-9


class Sample:
    """One measurement: seconds a run, and whether it can be trusted."""

    def __init__(self, wall, cpu, waited, count, busy, threads):
        self.seconds = wall / count
        # On one core its processor time says how long it would have taken undisturbed, nearly.
        self.own_seconds = (cpu if threads == 1 else wall) / count
        # Clock ticks are coarse: what the sample itself used may seem to be a tick more or less.
        others = busy - cpu - 2 / TICKS
        starved = threads == 1 and cpu < STARVED * wall
        self.disturbed = others > DISTURBED * wall or starved or waited > WAITED * wall


def median(values):
    values = sorted(values)
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def quartiles(values):
    values = sorted(values)
    return values[len(values) // 4], values[(3 * len(values)) // 4]
