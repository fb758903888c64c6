// load_c and link_shared when things go wrong: clear errors, nothing left behind, older files kept.
// Where they go right is tested by the other tests here.
#include <dirent.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "codegen/compile.h"
#include "codegen/process.h"
#include "tests/products/support/build.h"
#include "tests/products/support/compile.h"
#include "tests/unit/expect.h"

static int count_files(const char *folder) {
    DIR *entries = opendir(folder);
    int count = 0;
    while (entries && readdir(entries)) {
        count++;
    }
    if (entries) {
        closedir(entries);
    }
    return count - 2;
}

static Maker make_program(Arena *arena) {
    Maker maker = start_program(arena, "one"), *m = &maker;
    start_entry(m, "forward");
    Buffer *y = add_field(m, GROUP_OUTPUTS, "y", TYPE_F32, 0);
    add_store(m, y, make_integer(m, TYPE_I64, 0), make_real(m, TYPE_F32, 1.5));
    return maker;
}

static void expect_load_fails(Arena *arena, const Program *program, const char *compiler,
                              const char *message) {
    const char *error = NULL;
    setenv("CC", compiler, 1);
    EXPECT(load_c(program, 1, &error, arena) == NULL);
    if (!EXPECT(error != NULL && strstr(error, message) != NULL)) {
        fprintf(stderr, "  the message: %s\n", error ? error : "none");
    }
}

static void test_load(Arena *arena, const char *folder) {
    Maker maker = make_program(arena);
    setenv("TMPDIR", folder, 1);
    int before = count_files(folder);
    Loaded *loaded = load_with(arena, maker.program, "cc", 2);
    if (EXPECT(loaded != NULL)) {
        float y = 0;
        void *outputs[] = {&y};
        CallArguments arguments = {0};
        arguments.groups[GROUP_OUTPUTS] = outputs;
        EXPECT(loaded_call(loaded, maker.program->entries.at[0], &arguments) == STATUS_DONE);
        EXPECT(y == 1.5f);
        loaded_free(loaded);
    }
    loaded = load_with(arena, maker.program, "  ", 0); // blank: as if it were not set
    EXPECT(loaded != NULL);
    loaded_free(loaded);
    loaded_free(NULL);
    expect_load_fails(arena, maker.program, "false", "false returned 1");
    expect_load_fails(arena, maker.program, "no-such-compiler -O1", "cannot run no-such-compiler");
    expect_load_fails(arena, maker.program, "cc; touch injected", "cannot run cc;");
    expect_load_fails(arena, maker.program, "cc -ffast-math", "-ffast-math breaks");
    expect_load_fails(arena, maker.program, "true", "cannot load");
    EXPECT(count_files(folder) == before);
    setenv("TMPDIR", arena_format(arena, "%s/missing", folder), 1);
    expect_load_fails(arena, maker.program, "cc", "cannot make a temporary folder");
    setenv("TMPDIR", folder, 1);
}

// An object with one function, made by the system's compiler.
static Bytes make_object(Arena *arena, const char *folder) {
    const char *error = NULL;
    const char *source = arena_format(arena, "%s/two.c", folder);
    const char *object = arena_format(arena, "%s/two.o", folder);
    static const char text[] = "#include <math.h>\n"
                               "double two_root(double x);\n"
                               "double two_root(double x) { return cbrt(x); }\n";
    EXPECT(write_new_file(arena, source, text, sizeof text - 1, &error));
    EXPECT(!write_new_file(arena, source, text, sizeof text - 1, &error));
    const char *words[] = {"cc", "-c", "-fPIC", source, "-o", object, NULL};
    EXPECT(run_program(arena, words, arena_format(arena, "%s/log", folder), &error) == RUN_DONE);
    FILE *file = fopen(object, "rb");
    unsigned char *bytes = arena_alloc(arena, 65536);
    size_t count = file ? fread(bytes, 1, 65536, file) : 0;
    if (file) {
        fclose(file);
    }
    EXPECT(count > 0);
    return (Bytes){bytes, count};
}

static Objects one(Bytes *object) {
    return (Objects){object, 1};
}

static void expect_links(Arena *arena, Bytes object, const char *path) {
    const char *error = NULL;
    if (!EXPECT(link_shared(arena, one(&object), path, &error))) {
        fprintf(stderr, "  the message: %s\n", error);
        return;
    }
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!EXPECT(library != NULL)) {
        fprintf(stderr, "  %s\n", dlerror());
        return;
    }
    void *symbol = dlsym(library, "two_root");
    double (*root)(double) = NULL;
    memcpy(&root, &symbol, sizeof symbol);
    EXPECT(root && root(27.0) > 2.999 && root(27.0) < 3.001);
    dlclose(library);
}

static void expect_link_fails(Arena *arena, Bytes object, const char *path, const char *message) {
    const char *error = NULL;
    EXPECT(!link_shared(arena, one(&object), path, &error));
    if (!EXPECT(error != NULL && strstr(error, message) != NULL)) {
        fprintf(stderr, "  the message: %s\n", error ? error : "none");
    }
}

static off_t size_of(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 ? status.st_size : -1;
}

// An archive links into a program, which then runs.
static void test_archive(Arena *arena, const char *folder, Bytes object) {
    const char *error = NULL;
    unsetenv("CC");
    const char *archive = arena_format(arena, "%s/libtwo.a", folder);
    EXPECT(link_archive(arena, one(&object), archive, &error));
    EXPECT(link_archive(arena, one(&object), archive, &error));
    static const char text[] = "double two_root(double x);\n"
                               "int main(void) { return two_root(27.0) > 2.999 ? 0 : 1; }\n";
    const char *source = arena_format(arena, "%s/main.c", folder);
    const char *program = arena_format(arena, "%s/main", folder);
    EXPECT(write_new_file(arena, source, text, sizeof text - 1, &error));
    const char *words[] = {"cc", source, archive, "-o", program, "-lm", NULL};
    const char *log = arena_format(arena, "%s/log", folder);
    EXPECT(run_program(arena, words, log, &error) == RUN_DONE);
    const char *run[] = {program, NULL};
    EXPECT(run_program(arena, run, log, &error) == RUN_DONE);
    EXPECT(!link_archive(arena, one(&object), "/dev/null", &error) && error);
}

static void test_link(Arena *arena, const char *folder) {
    unsetenv("CC");
    Bytes object = make_object(arena, folder), garbage = {(const unsigned char *)"garbage", 7};
    int before = count_files(folder);
    static const char *const odd[] = {"plain.so",      "-o",          "@x", "a b;touch injected",
                                      "$(touch x).so", "new\nline.so"};
    int made = 0;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++, made++) {
        expect_links(arena, object, arena_format(arena, "%s/%s", folder, odd[i]));
    }
    const char *path = arena_format(arena, "%s/plain.so", folder);
    off_t size = size_of(path);
    expect_links(arena, object, path); // over an older one
    expect_link_fails(arena, garbage, path, "linking failed: cc returned");
    EXPECT(size > 0 && size_of(path) == size);
    expect_link_fails(arena, object, folder, "not a regular file");
    expect_link_fails(arena, object, "/dev/null", "not a regular file");
    expect_link_fails(arena, object, arena_format(arena, "%s/missing/x.so", folder),
                      "cannot make a temporary folder");
    EXPECT(count_files(folder) == before + made);
    setenv("CC", "no-such-compiler", 1);
    if (has_program(arena, "ld.lld-19") || has_program(arena, "ld.lld")) {
        expect_links(arena, object, arena_format(arena, "%s/by-lld.so", folder));
        expect_link_fails(arena, garbage, path, "linking failed: ld.lld");
    } else {
        expect_link_fails(arena, object, path, "needs a C compiler or lld");
    }
    test_archive(arena, folder, object);
    setenv("CC", "no-such-compiler", 1);
    setenv("PATH", "/nowhere", 1);
    expect_link_fails(arena, object, path, "needs a C compiler or lld");
    EXPECT(size_of(path) == size);
}

int main(void) {
    Arena arena = {0};
    const char *error = NULL;
    const char *folder = make_private_folder(&arena, NULL, &error);
    if (!EXPECT(folder != NULL)) {
        return expect_result();
    }
    test_load(&arena, folder);
    test_link(&arena, folder);
    remove_private_folder(folder);
    EXPECT(size_of(folder) < 0);
    arena_free(&arena);
    return expect_result();
}
