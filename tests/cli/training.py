"""train: the three-step descent, digits, flowers, and what it refuses."""

import csv
import re

from workshop import EXAMPLES, LINE, example, tdsl, write
import harness
from harness import expect

DIGITS = example("data", "digits.npz")
CLASSIFIER = example("digits", "classifier.tdsl")
SMALL = ["--batch", "32", "--lr", "0.1", "--momentum", "0.9", "--seed", "1"]


def accuracy(result):
    found = re.search(r"^test:.* accuracy ([0-9.]+)", result.out, re.M)
    expect(found, result, "a line with the test's accuracy")
    return float(found[1])


def test_descent():
    """three steps: losses 12, 8.4, 4.8, and the weights end at 0.1"""
    for engine in harness.ENGINES:
        result = tdsl("train", example("seeds", "descent.tdsl"), "--epochs", "3", "--lr", "0.1",
                      "--out", "w.npz", "--engine", engine)
        losses = [float(x) for x in re.findall(r"^epoch \d+:.*loss (\S+)", result.out, re.M)]
        harness.compare("losses", losses, [12, 8.4, 4.8], 1e-6)
        weights = harness.read_npz("w.npz")
        expect(set(weights) == {"weights"}, result, "the params")
        harness.compare("weights", weights["weights"][2], [0.1] * 4, 1e-5)


def test_digits():
    """at least 95 % of the test digits; the saved params give the same accuracy when loaded"""
    trained = tdsl("train", CLASSIFIER, "--data", DIGITS, *SMALL, "--epochs", "30", "--out", "p.npz")
    expect(accuracy(trained) >= 0.95, trained, "95 %")
    loaded = tdsl("train", CLASSIFIER, "--data", DIGITS, "--epochs", "0", "--in", "p.npz")
    expect(accuracy(loaded) == accuracy(trained), loaded, f"accuracy {accuracy(trained)}")
    arrays = harness.read_npz(DIGITS)
    harness.write_npz("test.npz", {"x": arrays["x_test"], "y": arrays["y_test"]})
    run = tdsl("run", CLASSIFIER, "--in", "p.npz", "--in", "test.npz", "--json").json()
    harness.compare("accuracy", run["outputs"]["accuracy"]["data"], accuracy(trained), 1e-5)


def test_reproducible():
    """the same seed gives the same params, another seed others; engines nearly the same"""
    def train(*words):
        result = tdsl("train", CLASSIFIER, "--data", DIGITS, "--epochs", "1", *words, "--json",
                      "--out", "again.safetensors")
        with open("again.safetensors", "rb") as file:
            return result.json(), file.read()
    first, again = train("--seed", "4"), train("--seed", "4")
    expect(first == again, tdsl("version"), "the same bytes")
    expect(train("--seed", "5")[1] != first[1], tdsl("version"), "others")
    for engine in ("c", "eval"):
        other = train("--seed", "4", "--engine", engine, "--batch", "500")[0]
        same = train("--seed", "4", "--batch", "500")[0]
        harness.compare(engine, other["epochs"][0]["loss"], same["epochs"][0]["loss"], 1e-4)


def test_flowers():
    """softmax regression on Fisher's flowers, arrays made from the CSV file"""
    with open(example("data", "iris.csv"), encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    harness.write_npz("iris.npz", {
        "x": ("<f4", [150, 4], [float(v) for row in rows for v in row[:4]]),
        "y": ("<i4", [150], [int(float(row[4])) for row in rows])})
    result = tdsl("train", example("iris", "softmax.tdsl"), "--data", "iris.npz", "--epochs", "400",
                  "--lr", "0.1", "--momentum", "0.9", "--json").json()
    expect(len(result["epochs"]) == 400, tdsl("version"), "400 epochs")
    expect(result["epochs"][-1]["accuracy"] >= 0.97, tdsl("version"), "97 %")


def test_batches():
    """--batch binds the leading dimension; one that does not fit is refused"""
    result = tdsl("train", CLASSIFIER, "--data", DIGITS, "--epochs", "1", "--batch", "1500")
    expect("epoch 1:" in result.out, result, "an epoch of one step")
    result = tdsl("train", CLASSIFIER, "--data", DIGITS, "--batch", "1501", code=1)
    expect("1501" in result.err and "1500" in result.err, result, "both numbers")


def test_refusals():
    """data that does not fit the model: one message"""
    harness.write_npz("other.npz", {"z": ("<f4", [2], [1, 2])})
    harness.write_npz("uneven.npz", {"x": ("<f4", [2, 64], [0] * 128), "y": ("<i4", [3], [0] * 3)})
    harness.write_npz("wide.npz", {"x": ("<f4", [2, 65], [0] * 130), "y": ("<i4", [2], [0] * 2)})
    harness.write_npz("real.npz", {"x": ("<f4", [2, 64], [0] * 128), "y": ("<f4", [2], [0.5] * 2)})
    harness.write_npz("none.npz", {"x": ("<f4", [0, 64], []), "y": ("<i4", [0], [])})
    for name, text in (("other.npz", "no array has the name"), ("uneven.npz", "number of samples"),
                       ("wide.npz", "65"), ("real.npz", "'y'"), ("none.npz", "no samples")):
        result = tdsl("train", CLASSIFIER, "--data", name, "--batch", "2", code=1)
        expect(result.err.count("error: ") == 1 and text in result.err, result, text)
    frozen = write("frozen.tdsl", "model m { param x: f32 frozen = 1; output y = x * 2 }\n")
    result = tdsl("train", frozen, code=1)
    expect("no gradient" in result.err, result, "nothing to train")
    result = tdsl("train", CLASSIFIER, "--data", DIGITS, "--epochs", "1", "--out", "/dev/full",
                  code=3)
    expect("error: " in result.err, result, "the disk is full")


harness.main(harness.tests_of(globals()))
