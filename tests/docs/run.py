"""Checks that what the documents show is true.

    run.py TDSL FILE.md

Blocks marked ```tdsl are checked with `tdsl check`, those marked ```tdsl error must be refused; a line of such a
block that ends in `# error: text` names the error. In a file, blocks of ```console run their `$ command` lines in a
shell in one folder where the ```tdsl blocks that start with `# NAME.tdsl` lie; what they show must be what is
printed (`...` stands for anything). Blocks of any other kind are only looked at for being closed.
"""

import os
import re
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness
from harness import Failure, expect


class Block:
    def __init__(self, line, kind):
        self.line, self.kind, self.lines = line, kind, []

    def text(self):
        return "\n".join(self.lines) + "\n"


def read_blocks(path):
    blocks, current = [], None
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file.read().splitlines(), 1):
            if current is None and line.startswith("```"):
                current = Block(number, line[3:].strip())
            elif current is not None and line.startswith("```"):
                blocks.append(current)
                current = None
            elif current is not None:
                current.lines.append(line)
    if current is not None:
        raise Failure(f"line {current.line}: the block is not closed")
    return blocks


def check_program(tdsl, block):
    named = re.match(r"# (\w+\.tdsl)\b", block.lines[0]) if block.lines else None
    name = named[1] if named else "block.tdsl"
    with open(name, "w", encoding="utf-8") as file:
        file.write(block.text())
    wrong = block.kind.endswith("error")
    result = harness.run([tdsl, "check", name], code=1 if wrong else 0)
    for number, line in enumerate(block.lines, 1):
        found = re.search(r"# error: (.*)", line)
        if found and wrong:
            messages = harness.read_messages(result.err)
            expect(any(m.line == number and found[1].strip() in m.text for m in messages), result,
                   f"line {number}: {found[1]}")


def matches(got, want):
    pattern = r"[^\n]*".join(re.escape(part) for part in want.split("..."))
    return re.fullmatch(pattern, got) is not None


def run_console(tdsl, block):
    """`$ command` lines, each followed by what it prints."""
    environment = dict(os.environ, PATH=os.path.dirname(tdsl) + os.pathsep + os.environ["PATH"])
    commands = []
    for line in block.lines:
        if line.startswith("$ "):
            commands.append([line[2:], []])
        elif commands and commands[-1][0].endswith("\\"):
            commands[-1][0] += "\n" + line
        elif commands:
            commands[-1][1].append(line)
    if not commands:
        raise Failure("there is no command")
    for command, shown in commands:
        result = harness.run(["bash", "-c", command], env=environment)
        want = "\n".join(shown).strip()
        got = (result.out + result.err).strip()
        if not matches(got, want):
            raise Failure(f"$ {command}\nprints:\n{got}\nnot:\n{want}")


def main():
    tdsl, path = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    blocks = read_blocks(path)
    failed = checked = 0
    with tempfile.TemporaryDirectory(prefix="tdsl-docs-") as folder:
        os.chdir(folder)
        for block in blocks:
            try:
                kind = block.kind.split()
                if kind and kind[0] == "tdsl":
                    check_program(tdsl, block)
                elif block.kind == "c":  # a file for the console: named in its first line
                    named = re.match(r"// (\w+\.c)\b", block.lines[0])
                    if not named:
                        continue
                    with open(named[1], "w", encoding="utf-8") as file:
                        file.write(block.text())
                elif block.kind == "console":
                    run_console(tdsl, block)
                else:
                    continue
                checked += 1
            except Failure as failure:
                failed += 1
                print(f"{path}:{block.line}: FAILED\n{failure}\n")
        os.chdir("/")
    print(f"{checked} blocks checked, {failed} failed")
    sys.exit(1 if failed else 0)


main()
