"""What a run of the benchmark has found: as a table, as JSON, and as a picture."""

import json
import math

import machine

COLUMNS = ["row", "threads", "tdsl", "spread", "emitted C", "tdsl_call", "C by hand", "PyTorch",
           "best peer", "aim", "limit", "workspace", "peak memory"]
PEERS = ("C by hand", "PyTorch")


class Measurement:
    """One row with one number of threads."""

    def __init__(self, row, sizes, threads):
        self.row, self.sizes, self.threads = row, sizes, threads
        self.times, self.spreads, self.memory, self.workspace = {}, {}, {}, 0
        self.disturbed = {}   # samples thrown away, of how many
        self.untrusted = set()
        self.limit = None     # seconds that the machine needs at least
        self.differences, self.failure, self.busy = {}, None, False

    def record(self, process, anyway, least):
        good, everything = process.good(), [sample.own_seconds for sample in process.samples]
        self.disturbed[process.name] = [len(everything) - len(good), len(everything)]
        self.memory[process.name] = int(process.ask("memory")) * 1024
        if len(good) < least:
            if not anyway:
                return
            self.untrusted.add(process.name)
            good = everything
        self.times[process.name] = machine.median(good)
        self.spreads[process.name] = machine.quartiles(good)

    def ratio(self, name):
        """How many times longer it takes than tdsl."""
        if name not in self.times or "tdsl" not in self.times:
            return None
        return self.times[name] / self.times["tdsl"]

    def best_peer(self):
        return min((self.ratio(name) for name in PEERS if self.ratio(name)), default=None)

    def set_limit(self, limits):
        found = limits.get(str(self.threads))
        if not found or not self.row.operations:
            return
        seconds = self.row.operations(self.sizes) / found[self.row.real]
        if self.row.bytes:
            seconds = max(seconds, self.row.bytes(self.sizes) / found["bytes"])
        self.limit = seconds

    def aim(self):
        return self.row.reach[min(self.threads, 2) - 1] if self.row.reach else None

    def trouble(self):
        return "failed" if self.failure else "busy" if self.busy else "disturbed"

    def json(self):
        return {"row": self.row.name, "program": self.row.program, "real": self.row.real,
                "sizes": self.sizes, "threads": self.threads, "seconds": self.times,
                "quartiles": self.spreads, "untrusted": sorted(self.untrusted),
                "disturbed": self.disturbed, "limit_seconds": self.limit, "aim": self.aim(),
                "against": self.row.against,
                "ratios": {name: self.ratio(name) for name in self.times},
                "differences": self.differences, "workspace_bytes": self.workspace,
                "peak_resident_bytes": self.memory, "failure": self.failure, "busy": self.busy}


def time_text(seconds):
    for unit, scale in (("s", 1), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def bytes_text(count):
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.3g} {unit}"
    return f"{count} B"


def ratio_text(ratio):
    return f"{ratio:.0f}x" if ratio >= 20 else f"{ratio:.2f}x"


def cells(m):
    """One line of the table; '~' marks a number that was measured on a disturbed machine."""
    def mark(name):
        return "~" if name in m.untrusted or "tdsl" in m.untrusted else ""

    def peer(name):
        if m.ratio(name) is not None:
            return mark(name) + ratio_text(m.ratio(name))
        return "disturbed" if name in m.disturbed else "-"

    own = m.times.get("tdsl")
    low, high = m.spreads.get("tdsl", (0, 0))
    best = m.best_peer()
    return [m.row.name, str(m.threads),
            mark("tdsl") + time_text(own) if own else m.trouble(),
            f"{100 * (high - low) / own:.0f}%" if own else "-",
            peer("emitted C"), peer("tdsl_call"), peer("C by hand"), peer("PyTorch"),
            ratio_text(best) if best else "-",
            f"{m.aim():g}x {m.row.against}" if m.aim() else "-",
            f"{100 * m.limit / own:.0f}%" if own and m.limit else "-",
            bytes_text(m.workspace), bytes_text(m.memory.get("tdsl", 0))]


def table(measurements):
    lines = [COLUMNS] + [cells(m) for m in measurements]
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths))
                     + " |" for line in lines)


def write_json(path, measurements, about):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(dict(about, rows=[m.json() for m in measurements]), file, indent=1)
        file.write("\n")


# ---- the picture: for each row, how many times longer each peer takes, on a logarithmic axis

COLOURS = {"PyTorch": "#d95f02", "C by hand": "#1b9e77", "emitted C": "#7570b3"}
LEFT, WIDTH, BAR, GAP, TOP = 300, 640, 9, 8, 60


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;")


def draw(path, measurements, title):
    shown = [m for m in measurements if any(m.ratio(name) for name in COLOURS)]
    ratios = [m.ratio(name) for m in shown for name in COLOURS if m.ratio(name)]
    low = math.floor(math.log10(min(ratios + [0.5])))
    high = math.ceil(math.log10(max(ratios + [10])))

    def place(ratio):
        return LEFT + WIDTH * (math.log10(ratio) - low) / (high - low)

    parts, y = [], TOP
    for m in shown:
        start = y
        for name, colour in COLOURS.items():
            ratio = m.ratio(name)
            if not ratio:
                continue
            begin, end = sorted((place(1), place(ratio)))
            parts.append(f'<rect x="{begin:.1f}" y="{y}" width="{max(end - begin, 1):.1f}" '
                         f'height="{BAR}" fill="{colour}"/>')
            parts.append(f'<text x="{end + 4:.1f}" y="{y + BAR - 1}" font-size="9">'
                         f'{ratio_text(ratio)}</text>')
            y += BAR
        label = escape(m.row.name) + (f", {m.threads} threads" if m.threads > 1 else "")
        parts.append(f'<text x="{LEFT - 8}" y="{(start + y) // 2 + 4}" text-anchor="end">'
                     f'{label}</text>')
        y += GAP
    for power in range(low, high + 1):
        x = place(10.0 ** power)
        width = 2 if power == 0 else 1
        parts.insert(0, f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{y}" '
                        f'stroke="#bbb" stroke-width="{width}"/>')
        parts.append(f'<text x="{x:.1f}" y="{TOP - 12}" text-anchor="middle">{10.0 ** power:g}x'
                     '</text>')
    for i, (name, colour) in enumerate(COLOURS.items()):
        parts.append(f'<rect x="{LEFT + 130 * i}" y="{y + 8}" width="10" height="10" '
                     f'fill="{colour}"/><text x="{LEFT + 130 * i + 14}" y="{y + 17}">{name}</text>')
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 60}" '
                   f'height="{y + 30}" font-family="sans-serif" font-size="11">\n'
                   f'<rect width="100%" height="100%" fill="white"/>\n'
                   f'<text x="{LEFT}" y="20" font-size="14">{escape(title)}</text>\n'
                   + "\n".join(parts) + "\n</svg>\n")
