"""Input that is no program: one clear message, quickly, and never a crash."""

import random
import resource

from workshop import TDSL, tdsl, write
import harness
from harness import Failure, expect

SECONDS = 5  # sanitizers included


def processor_seconds():
    """Of all processes started here: what else the machine does is not counted."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def refuse(name, text, *needed, errors=1, most=None, code=1):
    """Checks a file; expects so many errors (up to `most`; None: at least one) with these texts."""
    write(name, text)
    start = processor_seconds()
    result = tdsl("check", name, code=code, timeout=60)
    seconds = processor_seconds() - start
    shown = harness.Result(result.command, result.code, "", result.err[:3000])
    count = result.err.count("error: ")
    right = count >= 1 if errors is None else errors <= count <= (most or errors)
    expect(right, shown, f"{errors} errors, not {count}")
    expect(seconds < SECONDS, shown, f"less than {SECONDS} s, not {seconds:.1f}")
    expect(len(result.err) < 20000, shown, f"a short message, not {len(result.err)} bytes")
    expect(all(c == "\n" or c == "\t" or c >= " " for c in result.err), shown, "no control bytes")
    for text in needed:
        expect(text in result.err, shown, text)


def test_empty():
    """empty files, and files of nothing but space or comments"""
    for text in ("", "\n", "   \n\t\n", "# nothing here\n", "\ufeff", "\r\n\r\n"):
        refuse("empty.tdsl", text)


def test_not_text():
    """binary garbage, NUL bytes, broken UTF-8, control characters"""
    generator = random.Random(1)
    refuse("garbage.tdsl", bytes(generator.randrange(256) for _ in range(4096)), errors=None)
    refuse("elf.tdsl", b"\x7fELF\x02\x01\x01" + bytes(200), errors=None)
    refuse("zeros.tdsl", bytes(1000), errors=None)
    refuse("nul.tdsl", b"model m { input x: real\0 = 1; output y = x }\n", errors=None)
    refuse("latin.tdsl", b"model m { input x: real = 1 # na\xefve\n output y = x }\n")
    refuse("escape.tdsl", b"model m { input x: real = 1; output y = \x1b[31mx }\n", errors=None)
    refuse("utf16.tdsl", "model m { output y = 1 }\n".encode("utf-16"), errors=None)


def test_unterminated():
    """everything that can be left open"""
    for text in ("model", "model m", "model m {", "model m { input", "model m { input x:",
                 "model m { input x: real =", "model m { input x: f32[", "fn", "fn f(", "fn f(x",
                 "fn f(x) {", "fn f(x) =", "fn f(x) { return (x", "fn f(x) { return x[",
                 "fn f(x) { for", "fn f(x) { for i in", "fn f(x) { if x", "fn f(x) { y = \"abc",
                 "import", "import \"", "fn f<", "fn f(x) { no_grad {", "model m { output"):
        refuse("open.tdsl", text + "\n", most=2)
        refuse("open.tdsl", text, most=2)


def test_long_lines():
    """a line of 10 MB: a comment is fine, code gets one message"""
    size = 10_000_000
    write("comment.tdsl", "# " + "x" * size + "\nfn f(x) = x\n")
    tdsl("check", "comment.tdsl", timeout=60)
    refuse("name.tdsl", "fn f(x) = " + "x" * size + "\n")
    refuse("digits.tdsl", "fn f(x) = " + "1" * size + "\n")
    refuse("string.tdsl", "fn f(x) = \"" + "x" * size + "\n")
    refuse("stars.tdsl", "*" * size, errors=None)
    refuse("spaces.tdsl", "fn f(x) = " + " " * size + "]\n")
    refuse("long_sum.tdsl", "model m { input x: real = 1; output y = x" + " + z" * (size // 40) + " }\n",
           errors=None)


def test_deep_nesting():
    """brackets, signs, calls, powers, choices, blocks and types nested 100,000 deep"""
    depth = 100_000
    for opener, inner, closer in (("(", "x", ")"), ("[", "1", "]"), ("-", "x", ""), ("not ", "x", ""),
                                  ("sin(", "x", ")"), ("x ** ", "x", ""), ("x ? x : ", "x", ""),
                                  ("x[", "0", "]"), ("fn(x) = ", "x", "")):
        refuse("deep.tdsl", f"fn f(x) = {opener * depth}{inner}{closer * depth}\n", "deep",
               errors=None)
        refuse("deep_open.tdsl", f"fn f(x) = {opener * depth}", errors=None)
    refuse("blocks.tdsl", "fn f(x) {" + " no_grad {" * depth + "}" * depth + " return x }\n", errors=None)
    refuse("ifs.tdsl", "fn f(x) {" + " if x > 0 {" * depth + "}" * depth + " return x }\n", errors=None)
    refuse("dims.tdsl", "model m { input x: f32[" + "(" * depth + "1" + ")" * depth + "] }\n", errors=None)
    refuse("method.tdsl", "fn f(x) = x" + ".abs()" * depth + "\n", "deep", errors=None)


def test_moderate_nesting():
    """what a person may write is not refused"""
    write("fine.tdsl", "model m { input x: real = 1; output y = " + "(" * 100 + "x" + ")" * 100 +
          " + " + " + ".join(["x"] * 500) + " }\n")
    tdsl("check", "fine.tdsl")


def test_many_errors():
    """a thousand mistakes: the first ones are printed, the rest are counted"""
    lines = "".join(f"    y{i} = missing{i}\n" for i in range(1000))
    write("many.tdsl", "fn f(x) {\n" + lines + "    return x\n}\nmodel m { input x: real = 1; "
          "output y = f(x) }\n")
    result = tdsl("check", "many.tdsl", code=1)
    expect(result.err.count("error: ") <= 60, result, "not a thousand messages")
    expect(len(result.err) < 20000, result, "a short report")


def test_recursion():
    """functions that call themselves, imports that import themselves"""
    refuse("recursion.tdsl", "fn f(x: real) -> real = f(x) + 1\nmodel m { input x: real = 1; "
           "output y = f(x) }\n", "f")
    refuse("mutual.tdsl", "fn f(x) = g(x)\nfn g(x) = f(x)\nmodel m { input x: real = 1; "
           "output y = f(x) }\n", errors=None)
    write("self.tdsl", "import \"self.tdsl\"\nmodel m { input x: real = 1; output y = x }\n")
    tdsl("check", "self.tdsl")  # a file is read once
    refuse("lost.tdsl", "import \"lost2.tdsl\"\nmodel m { input x: real = 1; output y = x }\n",
           "lost2.tdsl", "No such file")
    refuse("escape.tdsl", "import \"../../../etc/passwd\"\nmodel m { input x: real = 1; output y = x }\n",
           errors=None)


def test_huge_shapes():
    """shapes that no machine can hold are refused, not tried"""
    for shape in ("1000000000000", "4000000000, 4000000000", "9223372036854775807",
                  "9223372036854775807, 2", "100000, 100000, 100000, 100000"):
        write("huge.tdsl", f"model m {{ param w: f32[{shape}] = 0; output y = sum(w) }}\n")
        for words in (["check"], ["run", "--engine=eval"], ["run"]):
            result = harness.run([TDSL, words[0], "huge.tdsl", *words[1:]],
                                 timeout=60)
            expect(result.code in (0, 1) if words == ["check"] else result.code == 1, result,
                   "a refusal")
            if result.code == 1:
                expect("error: " in result.err, result, "a message")


def test_random_edits():
    """programs with random bytes changed, removed and doubled never crash the compiler"""
    text = """\
fn f<N>(x: f32[N], k: real = 2.0) -> f32[N] {
    for i in 0..3 { x = x * k + i }
    if k > 1 { x = flip(x, 0) } else { x = -x }
    return x ** 2
}
model m<N = 4> {
    input x: f32[N] requires_grad = [1, 2, 3, 4]
    param w: f32[N, 3] = xavier_uniform()
    h = f(x, k=1.5) @ w
    no_grad { best, at = max(h, dim=0) }
    output loss = mean(softmax(h, dim=0) ** 2), best
}
"""
    tdsl("check", write("whole.tdsl", text))
    generator = random.Random(2)
    pieces = ["(", ")", "[", "]", "{", "}", ",", ":", "=", "..", "-", "*", "@", "0", "1e309", "x", "N",
              "\n", " ", "fn", "model", "return", "\"", "#", "\\", "\x00", "é"]
    for trial in range(100):
        edited = text
        for _ in range(generator.randrange(1, 4)):
            at = generator.randrange(len(edited))
            length = generator.randrange(0, 6)
            edited = edited[:at] + generator.choice(pieces) + edited[at + length:]
        write("edited.tdsl", edited)
        result = harness.run([TDSL, "check", "edited.tdsl"], timeout=20)
        if result.code not in (0, 1) or (result.code == 1) != ("error: " in result.err):
            raise Failure(f"trial {trial}\n{edited}\n{result}")


harness.main(harness.tests_of(globals()))
