"""Exit codes and messages of wrong command lines, missing files, full disks."""

import os

from workshop import TDSL, LINE, SEVERAL, tdsl, write
import harness
from harness import expect

COMMANDS = ("check", "run", "grad", "gradcheck", "train", "build", "emit", "fmt", "bench",
            "version")


def refused(words, code, *texts):
    result = tdsl(*words, code=code)
    expect(result.out == "", result, "nothing on stdout")
    expect("error: " in result.err, result, "an error on stderr")
    for text in texts:
        expect(text in result.err, result, text)


def test_help():
    """--help of tdsl and of each command: on stdout, exit code 0"""
    result = tdsl("--help")
    for command in COMMANDS:
        expect(f"\n  {command} " in result.out, result, command)
        own = tdsl(command, "--help")
        expect(own.out.startswith(f"usage: tdsl {command}"), own, "the usage")
        expect("--json" in own.out and own.err == "", own, "its options")
    expect(tdsl("-h").out == tdsl("help").out == result.out, result, "the same by all three names")
    expect("--seed" in tdsl("grad", "-h").out, result, "--seed in grad's help")
    expect("--epochs" not in tdsl("grad", "-h").out, result, "no --epochs in grad's help")


def test_version():
    """version, and as JSON"""
    result = tdsl("version")
    expect(result.out.startswith("tdsl 0.") and "LLVM 19" in result.out, result, "both versions")
    expect(tdsl("--version").out == result.out, result, "--version does the same")
    json = tdsl("version", "--json").json()
    expect(set(json) == {"version", "llvm"}, result, "version and llvm")


def test_usage_errors():
    """usage errors exit with 2 and help on"""
    refused([], 2, "no command", "--help")
    refused(["chek", LINE], 2, "unknown command 'chek'", "did you mean check")
    refused(["check"], 2, "no file")
    refused(["check", LINE, LINE], 2, "one file")
    refused(["grad", LINE, "--sed", "y=1"], 2, "unknown option '--sed'", "did you mean --se")
    refused(["grad", LINE, "-x"], 2, "unknown option '-x'")
    refused(["run", LINE, "--epochs", "3"], 2, "does not take --epochs")
    refused(["grad", LINE, "--repeat", "0"], 2, "--repeat", "'0'")
    refused(["grad", LINE, "--repeat", "many"], 2, "--repeat", "'many'")
    refused(["grad", LINE, "--repeat"], 2, "needs a value")
    refused(["grad", LINE, "--zero-grad=1"], 2, "no value")
    refused(["run", LINE, "--engine", "gpu"], 2, "--engine", "jit|c|eval")
    refused(["run", LINE, "--real", "f16"], 2, "f32|f64")
    refused(["run", LINE, "-O7"], 2, "'7'")
    refused(["run", LINE, "--threads", "-1"], 2, "--threads")
    refused(["run", LINE, "-D", "N"], 2, "-D N")
    refused(["run", LINE, "-D", "N=1.5"], 2, "-D N=1.5")
    refused(["run", LINE, "-D", "N=-1"], 2, "-D N=-1")
    refused(["run", LINE, "--set", "x"], 2, "--set x")
    refused(["build", LINE], 2, "-o")
    refused(["build", LINE, "-o", "line"], 2, ".so .o .a .c .h .s")
    refused(["build", LINE, "-o", "line.exe"], 2, ".so")
    refused(["emit", LINE], 2, "--stage")
    refused(["emit", LINE, "--stage=irr"], 2, "irr", "did you mean ir")
    refused(["train", LINE, "--optimizer", "magic"], 2, "magic", "sgd")
    refused(["train", LINE, "--lr", "-1"], 2, "--lr")
    refused(["run", LINE, "--passes", "no_such_pass"], 2, "no_such_pass")
    refused(["run", LINE, "--print-after", "no_such_pass"], 2, "no_such_pass")


def test_option_forms():
    """--name value, --name=value, -nvalue and -n value are the same; options may precede the file"""
    want = tdsl("run", LINE, "--set", "x=5").out
    for words in (["--set=x=5", LINE], ["-s", "x=5", LINE], ["-sx=5", LINE], [LINE, "-sx=5"],
                  ["-s", "x=5", "--", LINE], ["-sx=1", LINE, "-s", "x=5"]):
        result = tdsl("run", *words)
        expect(result.out == want, result, want)


def test_missing_files():
    """files that cannot be read: exit code 3"""
    refused(["check", "nowhere.tdsl"], 3, "nowhere.tdsl", "No such file")
    refused(["check", "."], 3)
    refused(["run", LINE, "--in", "nowhere.npz"], 3, "nowhere.npz")
    refused(["run", LINE, "--set", "x=@nowhere.npy"], 3, "nowhere.npy")
    refused(["run", LINE, "--set", "x=@nowhere.npz:x"], 3, "nowhere.npz")
    refused(["train", LINE, "--data", "nowhere.npz"], 3, "nowhere.npz")
    write("text.npz", "not an archive")
    refused(["run", LINE, "--in", "text.npz"], 3, "text.npz")


def test_failed_output():
    """files that cannot be written, a full disk, a full standard output: exit code 3"""
    for path in ("no/such/folder/out.npz", "/dev/full", "."):
        result = tdsl("run", LINE, "--out", path, code=3)
        expect("error: " in result.err, result, "an error")
    for ending in (".so", ".o", ".a", ".c", ".h", ".s", ".ll"):
        result = tdsl("build", LINE, "-o", "no/such/folder/line" + ending, code=3)
        expect("error: " in result.err, result, "an error")
    for words in (["run", LINE], ["grad", LINE, "--json"], ["emit", LINE, "--stage=c"],
                  ["fmt", LINE], ["version"], ["--help"], ["train", LINE, "--epochs", "2"]):
        with open("/dev/full", "wb") as full:
            result = harness.run([TDSL, *words], code=3, stdout=full)
        expect("standard output" in result.err, result, "an error about standard output")


def test_full_disk_leaves_no_product():
    """nothing is left behind where a product could not be written"""
    tdsl("build", LINE, "-o", "no/line.so", code=3)
    expect(not os.path.exists("no"), tdsl("version"), "no folder")


def test_models():
    """--model chooses; without it several models are an error that names them"""
    refused(["run", SEVERAL], 1, "one, two", "--model")
    refused(["run", SEVERAL, "--model", "tow"], 1, "tow", "did you mean")
    result = tdsl("run", SEVERAL, "--model", "two", "--json").json()
    expect(result["model"] == "two" and result["outputs"]["y"]["data"] == 200, result, "200")
    tdsl("check", SEVERAL)
    empty = write("functions.tdsl", "fn f(x: real) = x * 2\n")
    tdsl("check", empty)
    refused(["run", empty], 1, "no model")


def test_check():
    """check: exit code 0 and silence, or 1 and messages; --json says which"""
    result = tdsl("check", LINE)
    expect(result.out == "" and result.err == "", result, "silence")
    expect(tdsl("check", LINE, "--json").json() == {"ok": True}, result, "ok")
    wrong = write("wrong.tdsl", "model m { input x: real; output y = sni(x) }\n")
    result = tdsl("check", wrong, "--json", code=1)
    expect(result.json() == {"ok": False}, result, "not ok")
    message = harness.read_messages(result.err)
    expect(len(message) == 1 and message[0].line == 1 and message[0].column == 37, result,
           "one message at 1:37")
    expect(any("sin" in hint for hint in message[0].hints), result, "did you mean sin")


harness.main(harness.tests_of(globals()))
