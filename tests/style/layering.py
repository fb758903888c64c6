"""The house rules that a machine can check: who includes whom, how long a file is, what no file says.

    layering.py ROOT
"""

import os
import re
import sys

# Folder -> the folders whose headers it may include. docs/architecture.md draws this.
ALLOWED = {
    "ir": {"ir"},
    "frontend": {"frontend", "ir"},
    "passes": {"passes", "ir"},
    "codegen": {"codegen", "ir"},
    "runtime": {"runtime"},
    "library": {"library", "frontend", "passes", "codegen", "ir", "runtime"},
    "cli": {"cli", "library", "runtime"},
}
LINES = 800
COLUMNS = 120
CODE = (".c", ".h", ".l", ".y", ".def")
TEXT = CODE + (".tdsl", ".md", ".py", ".txt", ".cmake", ".json", ".sh", ".tir", ".1", "")
MACHINE_PATH = re.compile(r"(?<![\w.<])/(work|root|home|tmp)/\w")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def files(root):
    """Paths of the project's own text files, relative to the root."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders
                            if f not in (".git", "__pycache__", "malformed", "data")
                            and not (folder == root and f.startswith("build")))
        for name in sorted(names):
            if os.path.splitext(name)[1] in TEXT and name != ".git":
                yield os.path.relpath(os.path.join(folder, name), root)


def includes(text):
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
        if found:
            yield number, found[1] == '"', found[2]


def check_includes(path, text, wrong):
    room = path.split(os.sep)[0]
    if room not in ALLOWED or not path.endswith(CODE):
        return
    for number, quoted, name in includes(text):
        target = name.split("/")[0]
        if name.startswith("llvm-c/"):
            if room != "codegen" or (path.endswith(".h") and "llvm" not in path):
                wrong.append(f"{path}:{number}: LLVM is included outside of codegen's emitters")
        elif quoted and "/" not in name and not name.startswith("frontend_"):
            wrong.append(f"{path}:{number}: '{name}' is included without its folder")
        elif quoted and "/" in name and target not in ALLOWED[room]:
            wrong.append(f"{path}:{number}: {room} must not include {name}")


def check_code(path, text, wrong):
    lines = text.splitlines()
    if len(lines) > LINES:
        wrong.append(f"{path}: {len(lines)} lines, more than {LINES}")
    own_header = f'#include "{os.path.splitext(path)[0]}.h"'  # which may have the comment
    if path.endswith((".c", ".h")) and not lines[0].startswith(("//", "/*", own_header)):
        wrong.append(f"{path}: there is no header comment")
    room = path.split(os.sep)[0]
    if room in ALLOWED and room != "cli":
        for number, line in enumerate(lines, 1):
            if re.search(r"(?<![\w.>])_?exit\(", line) and not line.lstrip().startswith("//"):
                if not re.search(r"\bfork\b|_exit\(127\)", line):
                    wrong.append(f"{path}:{number}: only cli ends the process")


def check_text(path, text, wrong):
    for number, line in enumerate(text.splitlines(), 1):
        if MACHINE_PATH.search(line):
            wrong.append(f"{path}:{number}: a path of one machine: {line.strip()[:80]}")
        if UNFINISHED.search(line) and not path.endswith("layering.py"):
            wrong.append(f"{path}:{number}: unfinished: {line.strip()[:80]}")
        if line.rstrip() != line and path.endswith((".c", ".h", ".py", ".cmake")):
            wrong.append(f"{path}:{number}: space at the end of the line")
        if path.endswith((".c", ".h", ".py")) and len(line) > COLUMNS:
            if not re.search(r"https?://|^ELEMENTWISE|^TENSOR|^BUILTIN|^\s*\"", line):
                wrong.append(f"{path}:{number}: {len(line)} columns")


def main():
    root = sys.argv[1]
    wrong, seen = [], 0
    for path in files(root):
        with open(os.path.join(root, path), encoding="utf-8") as file:
            try:
                text = file.read()
            except UnicodeDecodeError:
                continue  # test data
        seen += 1
        if path.endswith(CODE) and text:
            check_includes(path, text, wrong)
            check_code(path, text, wrong)
        check_text(path, text, wrong)
    if seen < 50:
        wrong.append(f"only {seen} files were found")
    print("\n".join(wrong) or f"{seen} files keep the rules")
    sys.exit(1 if wrong else 0)


main()
