"""The cache of compiled code: what is found again and what is not, and that nothing in its folder can
do harm."""

import os
import subprocess
import time

from workshop import LINE, SEVERAL, TDSL, harness, write

FOLDER = os.path.abspath("cache")


def environment(folder=FOLDER, **more):
    clean = {name: value for name, value in os.environ.items()
             if name not in ("TDSL_CACHE_DIR", "TDSL_CACHE_BYTES", "XDG_CACHE_HOME")}
    if folder is not None:
        clean["TDSL_CACHE_DIR"] = folder
    return {**clean, **more}


def gradient(*words, program=LINE, env=None):
    result = harness.run([TDSL, "grad", program, "--json", *words], code=0,
                         env=env or environment())
    return result.out


def entries(folder=FOLDER):
    """Each file with its inode: a hit leaves both, a miss brings a new inode."""
    if not os.path.isdir(folder):
        return {}
    return {name: os.stat(os.path.join(folder, name)).st_ino for name in os.listdir(folder)}


def empty():
    subprocess.run(["rm", "-rf", FOLDER], check=True)


def only_entry():
    (name,) = entries()
    return os.path.join(FOLDER, name)


def want(what, holds):
    if not holds:
        raise harness.Failure(what)


def test_found_again():
    empty()
    first = gradient()
    made = entries()
    os.utime(only_entry(), (1, 1))
    want("one entry is made", len(made) == 1)
    want("the same result", gradient() == first)
    want("it is found again", entries() == made)
    want("its use is noted", os.stat(only_entry()).st_mtime > 1)
    text = open(LINE).read().replace("w * x + b", "w*x  + b  # the line")
    gradient(program=write("layout.tdsl", text))
    want("layout and comments do not count", entries() == made)
    want("values do not count", "-7" in gradient("--set", "x=-7") and entries() == made)


def test_what_counts():
    empty()
    text = open(LINE).read()
    gradient()
    for number, words in enumerate((["-O1"], ["-O3"], ["--real", "f64"], ["--wrt", "w"]), 2):
        gradient(*words)
        want(f"{words} makes another entry", len(entries()) == number)
    number = len(entries())
    for change in (("w * x", "w / x"), ("+ b", "+ b + 0.5"), ("model line", "model other"),
                   ("param b: real = 1.0", "param b: f32[2] = 1.0\n")):
        seed = ["--seed", "y=[1,1]"] if "f32[2]" in change[1] else []
        gradient(*seed, program=write("changed.tdsl", text.replace(*change)))
        number += 1
        want(f"{change} makes another entry", len(entries()) == number)
    gradient("--model", "one", program=SEVERAL)
    gradient("--model", "two", program=SEVERAL)
    want("two models, two entries", len(entries()) == number + 2)


def test_damaged_entries():
    empty()
    right = gradient()
    whole = open(only_entry(), "rb").read()
    damages = [bytes(whole[:place]) + bytes([whole[place] ^ 1]) + bytes(whole[place + 1:])
               for place in (0, 15, 16, 47, 48, 79, 80, 87, 88, len(whole) // 2, len(whole) - 1)]
    damages += [b"", whole[:50], whole[:88], whole[:-1], whole + b"\0", b"\xff" * 4096]
    for damage in damages:
        with open(only_entry(), "wb") as file:
            file.write(damage)
        want("the same result", gradient() == right)
        want("the entry is made anew", open(only_entry(), "rb").read() == whole)


def test_entries_of_others():
    empty()
    right = gradient()
    path = only_entry()
    elsewhere = os.path.abspath("elsewhere")
    os.rename(path, elsewhere)
    os.symlink(elsewhere, path)
    want("a link is not followed", gradient() == right and not os.path.islink(path))
    os.remove(path)
    os.mkfifo(path)
    want("a pipe is not waited for", gradient() == right)
    os.remove(path)
    os.mkdir(path)
    want("a folder does not matter", gradient() == right)
    os.rmdir(path)
    gradient()
    os.chmod(path, 0o666)
    want("what others may write is made anew",
         gradient() == right and os.stat(path).st_mode & 0o777 == 0o600)
    other = gradient(program=write("other.tdsl", open(LINE).read().replace("w * x", "w - x")))
    (name,) = set(entries()) - {os.path.basename(path)}
    os.replace(path, os.path.join(FOLDER, name))
    want("another program's code is not taken", gradient(program="other.tdsl") == other)


def test_at_once():
    empty()
    programs = [write(f"many{i}.tdsl", open(LINE).read().replace("w * x", f"w * x * {i % 3 + 1}"))
                for i in range(6)]
    right = [gradient("--no-cache", program=program) for program in programs]
    running = [subprocess.Popen([TDSL, "grad", program, "--json"], env=environment(),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
               for program in programs]
    while any(process.poll() is None for process in running):
        # Files that are being written get their final names, or go, at any time.
        for name in os.listdir(FOLDER) if os.path.isdir(FOLDER) else ():
            try:
                os.remove(os.path.join(FOLDER, name))
            except FileNotFoundError:
                pass
        time.sleep(0.01)
    for process, expected in zip(running, right):
        out, err = process.communicate()
        want(f"the same result: {err}", process.returncode == 0 and out.decode() == expected)
    for program, expected in zip(programs, right):
        want("the same result afterwards", gradient(program=program) == expected)
    want("nothing is left half done", all(name.endswith(".object") for name in entries()))


def test_bound():
    empty()
    gradient()
    one = os.stat(only_entry()).st_size
    oldest = only_entry()
    os.utime(oldest, (1000, 1000))
    open(os.path.join(FOLDER, "notes"), "w").close()
    left = os.path.join(FOLDER, "part.abcdef")
    open(left, "w").close()
    os.utime(left, (1000, 1000))
    small = environment(TDSL_CACHE_BYTES=str(one * 5 // 2))
    for i in range(4):
        path = write(f"bound{i}.tdsl", open(LINE).read().replace("w * x", f"w * x * {i + 2}"))
        gradient(program=path, env=small)
    want("what is used least goes first", not os.path.exists(oldest))
    objects = [name for name in entries() if name.endswith(".object")]
    total = sum(os.stat(os.path.join(FOLDER, name)).st_size for name in objects)
    want(f"{total} bytes are within {one * 5 // 2}", 0 < total <= one * 5 // 2)
    want("other files stay", os.path.exists(os.path.join(FOLDER, "notes")))
    want("parts of dead processes go", not os.path.exists(left))
    empty()
    gradient(env=environment(TDSL_CACHE_BYTES="0"))
    want("nothing fits in nothing", not entries())


def test_no_folder():
    empty()
    right = gradient("--no-cache")
    want("--no-cache makes nothing", not os.path.exists(FOLDER))
    home = os.path.abspath("home")
    os.mkdir(home)
    want("no folder, no cache", gradient(env=environment("", HOME=home)) == right and
         not os.listdir(home))
    write("file", "")
    for folder in (os.path.abspath("file"), os.path.abspath("file/below"),
                   os.path.abspath("not/there"), "/proc/nothing"):
        want(f"{folder} does not matter", gradient(env=environment(folder)) == right)
    os.mkdir("shared")
    os.chmod("shared", 0o777)
    want("a folder of everybody is not used",
         gradient(env=environment(os.path.abspath("shared"))) == right and not os.listdir("shared"))


def test_where_it_is():
    home = os.path.abspath("home2")
    os.mkdir(home)
    gradient(env=environment(None, HOME=home))
    want("below the home", len(entries(os.path.join(home, ".cache", "tdsl"))) == 1)
    mode = os.stat(os.path.join(home, ".cache", "tdsl")).st_mode & 0o777
    want("for this user alone", mode == 0o700)
    place = os.path.abspath("xdg")
    gradient(env=environment(None, HOME=home, XDG_CACHE_HOME=place))
    want("in the user's cache", len(entries(os.path.join(place, "tdsl"))) == 1)


def test_initial_values():
    text = "model m {\n    param a: real[N] = normal(0, 1)\n    output y = sum(a * a)\n}\n"
    for count, made in ((10, 1), (100000, 2)):
        empty()
        gradient("--seed", "1", program=write("initial.tdsl", text.replace("N", str(count))))
        want(f"{count} initial values: {made} entries", len(entries()) == made)


def test_other_engines():
    empty()
    for engine in ("c", "eval"):
        gradient("--engine", engine)
    want("machine code alone is kept", not entries())


harness.main([value for name, value in list(globals().items()) if name.startswith("test_")])
