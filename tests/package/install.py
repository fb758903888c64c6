"""Installs tdsl into a folder and uses it from there: by pkg-config, by CMake, from C and from C++.

    install.py BUILD_FOLDER THIS_FOLDER
"""

import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Failure, run  # noqa: E402


def expect(what, seen, wanted):
    if seen != wanted:
        raise Failure(f"{what} printed {seen!r}, not {wanted!r}")


def exported_names(library):
    table = run(["nm", "-D", "--defined-only", library], code=0).out
    return [line.split()[-1] for line in table.splitlines()]


def by_pkg_config(prefix, library_folder, user, folder):
    environment = dict(os.environ, PKG_CONFIG_PATH=os.path.join(library_folder, "pkgconfig"))
    flags = run(["pkg-config", "--cflags", "--libs", "tdsl"], code=0, env=environment).out.split()
    program = os.path.join(folder, "by_pkg_config")
    run(["cc", "-std=c11", os.path.join(user, "library.c"), "-o", program, *flags,
         f"-Wl,-rpath,{library_folder}"], code=0)
    expect("the program on the library", run([program], code=0).out.split()[1:], ["7.5", "2.5"])


def by_cmake(prefix, user, folder):
    source, build = os.path.join(folder, "user"), os.path.join(folder, "user_build")
    shutil.copytree(user, source)
    run(["cmake", "-S", source, "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}"], code=0)
    run(["cmake", "--build", build], code=0)
    expect("the object", run([os.path.join(build, "by_object")], code=0).out, "45 15\n")
    expect("the source", run([os.path.join(build, "source", "by_source")], code=0).out, "45 15\n")
    expect("the library", run([os.path.join(build, "by_library")], code=0).out.split()[1:],
           ["7.5", "2.5"])
    # An imported file that changes has the model made anew.
    with open(os.path.join(source, "energy.tdsl"), "w", encoding="utf-8") as file:
        file.write("fn energy(x, k) = k * sum(x * x)\n")
    run(["cmake", "--build", build], code=0)
    expect("the new object", run([os.path.join(build, "by_object")], code=0).out, "90 30\n")


def main(build, here):
    with tempfile.TemporaryDirectory() as folder:
        prefix = os.path.join(folder, "installed")
        run(["cmake", "--install", build, "--prefix", prefix], code=0)
        run([os.path.join(prefix, "bin", "tdsl"), "version"], code=0)
        found = [root for root, _, names in os.walk(prefix) if "libtdsl.so" in names]
        if len(found) != 1:
            raise Failure(f"libtdsl.so is in {found}")
        made_by_linker = {"__bss_start", "_edata", "_end", "_init", "_fini"}
        strangers = [name for name in exported_names(os.path.join(found[0], "libtdsl.so"))
                     if not name.startswith("tdsl_") and name not in made_by_linker]
        if strangers:
            raise Failure(f"libtdsl.so exports {strangers}")
        by_pkg_config(prefix, found[0], os.path.join(here, "user"), folder)
        by_cmake(prefix, os.path.join(here, "user"), folder)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Failure as why:
        sys.exit(str(why))
