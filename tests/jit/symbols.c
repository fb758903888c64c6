// A shared object shows exactly the functions that its header declares, and they answer as C's do.
#include <dlfcn.h>

#include "codegen/emit_c.h"
#include "names.h"

// y = 2 * x with an index that is checked, so that there is a status with a place.
static Maker make_program(Arena *arena) {
    Maker maker = start_program(arena, "model"), *m = &maker;
    int site = add_site(m, "the input is not a number");
    for (int i = 0; i < 2; i++) {
        Entry *entry = start_entry(m, i ? "backward" : "forward");
        entry->workspace_bytes = i ? 128 : 64;
        Buffer *x = add_field(m, GROUP_INPUTS, "x", TYPE_F64, 0);
        Buffer *y = add_field(m, GROUP_OUTPUTS, "y", TYPE_F64, 0);
        Scalar *zero = make_integer(m, TYPE_I64, 0);
        Scalar *value = make_load(m, x, zero);
        add_fail(m, make(m, SCALAR_NE, TYPE_BOOL, value, value, NULL), site);
        add_store(m, y, zero, make(m, SCALAR_ADD, TYPE_F64, value, value, NULL));
    }
    return maker;
}

// Sorted names, one a line, of the functions that the header declares.
static const char *declared_names(Arena *arena, const Program *program) {
    Text header = text_new(arena), names = text_new(arena);
    ProductOptions options = {.header_name = "model.h"};
    emit_c_header(&header, program, &options);
    char *rest = NULL;
    for (char *line = strtok_r((char *)(uintptr_t)text_string(&header), "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest)) {
        const char *open = strchr(line, '(');
        bool declares = strncmp(line, "int ", 4) == 0 || strncmp(line, "size_t ", 7) == 0 ||
                        strncmp(line, "const char *", 12) == 0;
        if (!declares || open == NULL)
            continue;
        const char *start = open;
        while (start > line && start[-1] != ' ' && start[-1] != '*')
            start--;
        text_format(&names, "%.*s\n", (int)(open - start), start);
    }
    return text_string(&names);
}

// The lines of a text, sorted.
static int compare_lines(const void *x, const void *y) {
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static const char *sorted(Arena *arena, const char *text) {
    char *copy = arena_copy_string(arena, text), *rest = NULL;
    const char *lines[64];
    int count = 0;
    for (char *line = strtok_r(copy, "\n", &rest); line && count < 64;
         line = strtok_r(NULL, "\n", &rest))
        lines[count++] = line;
    qsort(lines, (size_t)count, sizeof *lines, compare_lines);
    Text out = text_new(arena);
    for (int i = 0; i < count; i++)
        text_format(&out, "%s\n", lines[i]);
    return text_string(&out);
}

static void check_functions(void *library) {
    size_t (*bytes)(void), (*forward_bytes)(void);
    int (*version)(void);
    const char *(*status_text)(int);
    int (*forward)(void **, void **, void *);
    *(void **)&bytes = dlsym(library, "model_workspace_bytes");
    *(void **)&forward_bytes = dlsym(library, "model_forward_workspace_bytes");
    *(void **)&version = dlsym(library, "model_abi_version");
    *(void **)&status_text = dlsym(library, "model_status_text");
    *(void **)&forward = dlsym(library, "model_forward");
    if (!EXPECT(bytes && forward_bytes && version && status_text && forward))
        return;
    EXPECT(bytes() == 128 && forward_bytes() == 64);
    EXPECT(version() == PRODUCT_ABI_VERSION);
    EXPECT_TEXT(status_text(0), "done");
    EXPECT_TEXT(status_text(STATUS_FIRST_SITE), "the input is not a number");
    EXPECT_TEXT(status_text(-1), "unknown status");
    EXPECT_TEXT(status_text(STATUS_FIRST_SITE + 1), "unknown status");
    double x = 4, y = 0;
    static _Alignas(64) char workspace[128];
    EXPECT(forward((void *[]){&x}, (void *[]){&y}, workspace) == STATUS_DONE && y == 8);
    x = (double)(0.0f / (float)(y - 8));
    EXPECT(forward((void *[]){&x}, (void *[]){&y}, workspace) == STATUS_FIRST_SITE);
}

static void check_library(Arena *arena, const Program *program, const char *folder, int level) {
    const char *path = arena_format(arena, "%s/libmodel%d.so", folder, level), *error = NULL;
    CompileOptions options = {.level = level, .position_independent = true};
    Objects objects;
    if (!EXPECT(compile_objects(arena, program, &options, &objects, &error)) ||
        !EXPECT(link_shared(arena, objects, path, &error))) {
        fprintf(stderr, "%s\n", error);
        return;
    }
    EXPECT_TEXT(sorted(arena, names_of(arena, path, "-D")),
                sorted(arena, declared_names(arena, program)));
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!EXPECT(library != NULL)) {
        fprintf(stderr, "%s\n", dlerror());
        return;
    }
    check_functions(library);
    dlclose(library);
}

int main(void) {
    Arena arena = {0};
    Maker maker = make_program(&arena);
    const char *error = NULL;
    const char *folder = make_private_folder(&arena, NULL, &error);
    if (EXPECT(folder != NULL)) {
        for (int level = 0; level <= 3; level++)
            check_library(&arena, maker.program, folder, level);
        remove_private_folder(folder);
    }
    arena_free(&arena);
    return expect_result();
}
