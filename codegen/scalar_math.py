#!/usr/bin/python3
# Derives codegen/scalar_math_tables.c: tables and polynomials of the functions of single numbers
# (codegen/vector_math_alone.c), and of exp in vectors that pick from a table in registers. Needs
# mpmath. Run by hand:
#
#     python3 codegen/scalar_math.py | clang-format > codegen/scalar_math_tables.c
#
# Polynomials are nearly those of least error, weighted as the comment beside each says, found by
# Lawson's iteration: least squares, after which each point counts as much more as its error is
# large. Coefficients are rounded one after the other, lowest first, those above again fitted to
# what is left.
import textwrap

import mpmath as mp

mp.mp.prec = 160


def least(f, weight, powers, low, high):
    count, nodes = len(powers), 16 * len(powers)
    middle, half = (low + high) / 2, (high - low) / 2
    points = [middle - half * mp.cos(mp.pi * (i + 0.5) / nodes) for i in range(nodes)]
    rows = [[x**power for power in powers] for x in points]
    values, weights = [f(x) for x in points], [weight(x) ** 2 for x in points]
    shares = [mp.mpf(1)] * nodes
    for _ in range(40):
        factors = [a * b for a, b in zip(weights, shares)]
        system = mp.matrix(count, count)
        given = mp.matrix(count, 1)
        for j in range(count):
            given[j] = sum(w * row[j] * v for w, row, v in zip(factors, rows, values))
            for k in range(count):
                system[j, k] = sum(w * row[j] * row[k] for w, row in zip(factors, rows))
        found = mp.lu_solve(system, given)
        errors = [abs(sum(c * a for c, a in zip(found, row)) - v) * mp.sqrt(w)
                  for row, v, w in zip(rows, values, weights)]
        shares = [s * e for s, e in zip(shares, errors)]
        total = sum(shares)
        if total == 0:
            break
        shares = [s / total for s in shares]
    return [found[j] for j in range(count)], max(errors)


def fit(f, weight, powers, low, high):
    low, high = mp.mpf(low), mp.mpf(high)
    known = []
    for i in range(len(powers)):
        rest = lambda x: f(x) - sum(c * x**p for c, p in zip(known, powers))
        coefficients, error = least(rest, weight, powers[i:], low, high)
        known.append(mp.mpf(float(coefficients[0])))
    return known, error


def hexadecimal(x):
    text = float(x).hex().replace("p+", "p")
    mantissa, exponent = text.split("p")
    return "0" if x == 0 else mantissa.rstrip("0").rstrip(".") + "p" + exponent


def show_comment(text):
    print()
    print("\n".join(textwrap.wrap(text, 100, initial_indent="// ", subsequent_indent="// ")))


def show_table(type, name, comment, items):
    show_comment(comment)
    print("// clang-format off")
    print("const %s %s[%d] = {" % (type, name, len(items)))
    in_line = 3 if type == "int64_t" else 4
    print(",\n".join("    " + ", ".join(items[i:i + in_line])
                     for i in range(0, len(items), in_line)))
    print("};")
    print("// clang-format on")


def show_numbers(name, comment, numbers):
    show_table("double", name, comment, [hexadecimal(x) for x in numbers])


def show_polynomial(name, comment, found):
    coefficients, error = found
    show_comment("%s: 2^%.1f" % (comment, float(mp.log(error, 2))))
    print("const Polynomial %s = {%d, {%s}};"
          % (name, len(coefficients), ", ".join(hexadecimal(x) for x in coefficients)))


def bits(x):
    import struct
    return struct.unpack("<q", struct.pack("<d", float(x)))[0]


def exp_table(name, log_count):
    count = 1 << log_count
    powers = [mp.mpf(2) ** (mp.mpf(i) / count) for i in range(count)]
    rows = ["INT64_C(0x%016x)" % (bits(powers[i]) - (i << (52 - log_count))) for i in range(count)]
    show_table("int64_t", name, "Bits of 2^(i / %d), less i / %d in the exponent, where the whole "
               "number of these parts is added." % (count, count), rows)


def tail_table(name, log_count):
    count = 1 << log_count
    powers = [mp.mpf(2) ** (mp.mpf(i) / count) for i in range(count)]
    show_numbers(name,
                 "What 2^(i / %d) is beyond the number with these bits, relative to it" % count,
                 [power / mp.mpf(float(power)) - 1 for power in powers])


# Places of intervals: those of a number's bits less the bits of `first`, which is such that one of
# them has 1 in its middle, as seen in numbers: two thirds of it lie below, where they are denser.
def first_of(log_count):
    unit = 1 << (52 - log_count)
    one = bits(mp.mpf(1))
    near = bits(mp.mpf("0.7"))
    first = one - unit * 2 // 3
    return first - (first - near) // unit * unit


def interval(log_count, i):
    import struct
    unit = 1 << (52 - log_count)
    low = first_of(log_count) + i * unit
    ends = [mp.mpf(struct.unpack("<d", struct.pack("<q", b))[0]) for b in (low, low + unit)]
    return ends


def center(log_count, i, around, digits):
    low, high = interval(log_count, i)
    around_low = interval(log_count, i - around)[0]
    around_high = interval(log_count, i + around)[1]
    if around_low <= 1 <= around_high:
        return mp.mpf(1)
    c = 2 * low * high / (low + high)  # |z / c - 1| is the same at both ends
    scale = mp.mpf(2) ** digits
    return mp.nint(c * scale) / scale


print("// Made by scalar_math.py: tables and polynomials for single numbers.")
print('#include "codegen/vector_math_alone.h"')
show_numbers("powers_16", "2^(i / 16)", [mp.mpf(2) ** (mp.mpf(i) / 16) for i in range(16)])
exp_table("powers_32", 5)
exp_table("powers_128", 7)
tail_table("tails_128", 7)

# Logarithms of f32: 1 / c and log(c) of each of 32 intervals.
rows, largest, around_one = [], mp.mpf(0), mp.mpf(0)
for i in range(32):
    low, high = interval(5, i)
    c = 1 if low <= 1 <= high else 2 * low * high / (low + high)
    inverse = mp.mpf(float(1 / mp.mpf(c)))
    rows += [inverse, -mp.log(inverse)]
    size = max(abs(low * inverse - 1), abs(high * inverse - 1))
    largest = max(largest, size)
    if c == 1:
        around_one = size
show_numbers("logarithms_32", "1 / c and log(c) for each of 32 intervals; |z / c - 1| < %.5f, "
             "around 1 %.5f" % (largest, around_one), rows)
print("const int64_t logarithms_32_first = INT64_C(0x%016x);" % first_of(5))
single = largest

# Of f64: 1 / c, c, and log(c) in two parts, of each of 128 intervals, of which three have c = 1.
rows, largest, around_one = [], mp.mpf(0), mp.mpf(0)
for i in range(128):
    low, high = interval(7, i)
    c = center(7, i, 1, 9)
    grid = mp.mpf(2) ** 42
    first = mp.nint(mp.log(c) * grid) / grid
    rows += [1 / c, c, first, mp.log(c) - first]
    size = max(abs(low / c - 1), abs(high / c - 1))
    if c == 1:
        around_one = max(around_one, size)
    else:
        largest = max(largest, size)
show_numbers("logarithms_128", "1 / c, c, log(c) in two parts for each of 128 intervals, c of few "
             "bits; |z / c - 1| < %.5f, around 1 %.5f" % (largest, around_one), rows)
print("const int64_t logarithms_128_first = INT64_C(0x%016x);" % first_of(7))

half = mp.mpf(0.5) + mp.mpf(2) ** -12
step = mp.log(2) / 32
show_polynomial("exp_of_32nd", "(2^(u / 32) - 1) / u, |u| <= 1/2: largest error of the power",
                fit(lambda u: mp.expm1(u * step) / u if u else step,
                    lambda u: abs(u) + mp.mpf("1e-9"), [0, 1, 2], -half, half))
end = mp.log(2) / 256 * (1 + mp.mpf(2) ** -10)
show_polynomial("exp_of_128th",
                "(exp(r) - 1 - r) / r^2, |r| <= log(2) / 256: largest error of the power",
                fit(lambda r: (mp.expm1(r) - r) / r**2 if r else mp.mpf(0.5),
                    lambda r: r * r + mp.mpf("1e-12"), [0, 1, 2, 3], -end, end))
end *= 8
show_polynomial("exp_of_16th",
                "The same for |r| <= log(2) / 32",
                fit(lambda r: (mp.expm1(r) - r) / r**2 if r else mp.mpf(0.5),
                    lambda r: r * r + mp.mpf("1e-12"), [0, 1, 2, 3, 4], -end, end))


def rest_of_log(r):
    return (mp.log1p(r) - r) / r**2 if abs(r) > mp.mpf("1e-20") else mp.mpf(-0.5)


show_polynomial("log_of_32nd", "(log(1 + r) - r) / r^2, |r| < %.5f: largest error of the "
                "logarithm, relative to r" % single,
                fit(rest_of_log, lambda r: abs(r) + mp.mpf("1e-12"), [0, 1, 2], -single, single))
show_polynomial("log_of_32nd_precise", "The same for powers",
                fit(rest_of_log, lambda r: abs(r) + mp.mpf("1e-12"), [0, 1, 2, 3, 4], -single,
                    single))
widest = max(around_one, largest)
show_polynomial("log_of_128th", "The same for |r| < %.5f" % widest,
                fit(rest_of_log, lambda r: abs(r) + mp.mpf("1e-12"), [0, 1, 2, 3, 4, 5, 6],
                    -widest, widest))


def cubic_of_log(r):
    small = sum((-1) ** k * r**k / (k + 3) for k in range(12))
    return (mp.log1p(r) - r + r * r / 2) / r**3 if abs(r) > mp.mpf("1e-4") else small


show_polynomial("log_of_128th_precise",
                "(log(1 + r) - r + r^2 / 2) / r^3 for |r| < %.5f, likewise" % widest,
                fit(cubic_of_log, lambda r: r * r + mp.mpf("1e-12"), [0, 1, 2, 3, 4, 5, 6],
                    -widest, widest))
