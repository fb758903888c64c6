// Reads a .tir file. A good one is printed back byte for byte and is sound for the verifier. A bad
// one has `// error: TEXT` at the end of a line: the parser or the verifier refuses it with a
// message that contains TEXT; the parser also with that line.
#include <stdio.h>
#include <string.h>

#include "ir/text_form.h"
#include "ir/verify.h"

static const char error_mark[] = "// error: ";

static bool read_file(Arena *arena, const char *path, Text *text) {
    FILE *file = fopen(path, "rb");
    if (!file) {
        return false;
    }
    *text = text_new(arena);
    char buffer[4096];
    size_t count;
    while ((count = fread(buffer, 1, sizeof buffer, file)) > 0) {
        text_add_bytes(text, buffer, count);
    }
    bool ok = !ferror(file);
    fclose(file);
    return ok;
}

static int fail(const char *path, const char *what, const char *detail) {
    fprintf(stderr, "%s: %s\n%s\n", path, what, detail);
    return 1;
}

static int check_good(Arena *arena, const char *path, const Text *text, const Diags *diags,
                      const Module *module) {
    Text out = text_new(arena);
    if (!module) {
        diags_print(diags, &out);
        return fail(path, "is refused", text_string(&out));
    }
    const char *mistake = verify_module(arena, module);
    if (mistake) {
        return fail(path, "is not sound", mistake);
    }
    print_module(&out, module);
    if (strcmp(text_string(&out), text_string(text)) != 0) {
        return fail(path, "is printed differently", text_string(&out));
    }
    return 0;
}

static int check_bad(Arena *arena, const char *path, const Text *text, const Diags *diags,
                     const Module *module) {
    const char *mark = strstr(text_string(text), error_mark) + strlen(error_mark);
    const char *wanted = arena_copy_text(arena, mark, strcspn(mark, "\n"));
    const char *message = module ? verify_module(arena, module) : NULL;
    if (!module) {
        int wanted_line = 1, line = 0, column = 0;
        for (const char *c = text_string(text); c < mark; c++) {
            wanted_line += *c == '\n';
        }
        message = diags->list.at[0]->message;
        source_locate(diags->sources, diags->list.at[0]->span, &line, &column);
        if (line != wanted_line) {
            return fail(path, "is refused in another line", message);
        }
    }
    if (!message || !strstr(message, wanted)) {
        return fail(path, "has another error than expected", message ? message : "(none)");
    }
    return 0;
}

int main(int count, char **arguments) {
    if (count != 2) {
        fprintf(stderr, "usage: roundtrip FILE\n");
        return 2;
    }
    const char *path = arguments[1];
    Arena arena = {0};
    Text text;
    if (!read_file(&arena, path, &text)) {
        return fail(path, "cannot be read", "");
    }
    Sources sources = {.arena = &arena};
    Diags diags = {.arena = &arena, .sources = &sources};
    int file = source_add(&sources, path, text_string(&text), text.length);
    const Module *module = parse_module(&arena, &diags, file);
    bool is_bad = strstr(text_string(&text), error_mark) != NULL;
    int result = is_bad ? check_bad(&arena, path, &text, &diags, module)
                        : check_good(&arena, path, &text, &diags, module);
    arena_free(&arena);
    return result;
}
