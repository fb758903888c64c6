"""Checks a wrong program: each mistake is reported at its line, and nothing else is.

    run.py TDSL FILE

A line carries what it must cause:  `y = sin(x  # error: this '(' is never closed # hint: add ')'`.
`# note: text` is a text among the lines that follow the message.
"""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness
from harness import Failure


def read_expectations(path):
    """[(line, error, [hint], [note])]"""
    expected = []
    with open(path, encoding="utf-8") as file:
        for number, text in enumerate(file, 1):
            parts = re.split(r"#\s*(error|hint|note):", text)[1:]
            for kind, value in zip(parts[::2], parts[1::2]):
                value = value.strip()
                if kind == "error":
                    expected.append((number, value, [], []))
                elif not expected or expected[-1][0] != number:
                    raise Failure(f"line {number}: a {kind} without an error")
                else:
                    expected[-1][2 if kind == "hint" else 3].append(value)
    if not expected:
        raise Failure("no error is expected: this test cannot fail")
    return expected


def match(expected, messages):
    """What is wrong, one text each."""
    wrong, left = [], list(messages)
    for line, error, hints, notes in expected:
        found = [m for m in left if m.line == line and error in m.text]
        if not found:
            wrong.append(f"line {line}: expected the error '{error}'")
            continue
        message = found[0]
        left.remove(message)
        if message.column < 1:
            wrong.append(f"{message}: a place has a column")
        if not any("^" in text for text in message.rest):
            wrong.append(f"{message}: there is no caret under the source line")
        for hint in hints:
            if not any(hint in text for text in message.hints):
                wrong.append(f"{message}: expected the hint '{hint}', got {message.hints}")
        for note in notes:
            if not any(note in text for text in message.rest):
                wrong.append(f"{message}: expected the note '{note}'")
    return wrong + [f"unexpected: {message}" for message in left]


def main():
    tdsl, path = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    folder, name = os.path.split(path)
    try:
        expected = read_expectations(path)
        result = harness.run([tdsl, "check", name], code=1, cwd=folder, timeout=30)
        messages = harness.read_messages(result.err)
        wrong = match(expected, messages)
        places = [(m.line, m.column) for m in messages if m.file == name]
        if places != sorted(places):
            wrong.append("the messages are not sorted by place")
        if wrong:
            raise Failure(str(result) + "\n" + "\n".join(wrong))
    except Failure as failure:
        sys.exit(f"{path}: FAILED\n{failure}")


main()
