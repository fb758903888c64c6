// Broken text must be refused, never crash the parser: every .tir file given is changed at random
// and read. What is still understood must be sound and print to text that reads back as itself. The
// random numbers have a fixed seed; `mutations ROUNDS FILE...`.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "ir/text_form.h"
#include "ir/verify.h"
#include "tests/unit/expect.h"

enum { LONGEST = 64 << 10 };

typedef struct Buffer {
    char bytes[LONGEST];
    size_t length;
} Buffer;

static uint64_t next_random(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

static bool read_file(const char *path, Buffer *buffer) {
    FILE *file = fopen(path, "rb");
    if (!file) {
        return false;
    }
    buffer->length = fread(buffer->bytes, 1, LONGEST / 2, file);
    fclose(file);
    return true;
}

// Replaces `removed` bytes at `at` by `count` other ones.
static void splice(Buffer *buffer, size_t at, size_t removed, const char *bytes, size_t count) {
    if (at + removed > buffer->length || buffer->length - removed + count > LONGEST) {
        return;
    }
    memmove(buffer->bytes + at + count, buffer->bytes + at + removed,
            buffer->length - at - removed);
    memcpy(buffer->bytes + at, bytes, count);
    buffer->length += count - removed;
}

static void mutate(Buffer *buffer, uint64_t *state) {
    static const char *const pieces[] = {
        "0",          "1",      "-1",   "9223372036854775807",
        "[",          "]",      "{",    "}",
        "(",          ")",      ",",    ":",
        "=",          "B",      "f32",  "i64",
        "bool",       "axis",   "true", "nan",
        "x",          "y",      "%0",   "yield",
        "return",     "loop",   "/0",   "*B",
        "\"",         "\\",     "-",    "->",
        "2147483648", "f64[0]", "grad", "add",
        "gather",
    };
    size_t at = next_random(state) % (buffer->length + 1);
    size_t length = next_random(state) % 8;
    switch (next_random(state) % 5) {
    case 0: splice(buffer, at, length, "", 0); break;
    case 1: {
        char byte = (char)next_random(state);
        splice(buffer, at, 1, &byte, 1);
        break;
    }
    case 2: {
        char copy[64];
        size_t from = next_random(state) % (buffer->length + 1), count = length * 8;
        if (from + count <= buffer->length) {
            memcpy(copy, buffer->bytes + from, count);
            splice(buffer, at, 0, copy, count);
        }
        break;
    }
    default: {
        const char *piece = pieces[next_random(state) % (sizeof pieces / sizeof pieces[0])];
        splice(buffer, at, next_random(state) % 3, piece, strlen(piece));
    }
    }
}

static const Module *read_module(Arena *arena, const char *text, size_t length, int *errors) {
    Sources *sources = arena_new(arena, Sources);
    sources->arena = arena;
    Diags diags = {.arena = arena, .sources = sources};
    int file = source_add(sources, "mutated", text, length);
    const Module *module = parse_module(arena, &diags, file);
    *errors = diags.error_count;
    Text out = text_new(arena);
    diags_print(&diags, &out);
    return module;
}

static bool is_refused_or_sound(const Buffer *buffer, int *accepted) {
    Arena arena = {0};
    int errors = 0;
    bool ok = true;
    const Module *module = read_module(&arena, buffer->bytes, buffer->length, &errors);
    if (!module) {
        ok = errors > 0;
    } else {
        ++*accepted;
        Text first = text_new(&arena), second = text_new(&arena);
        print_module(&first, module);
        const char *mistake = verify_module(&arena, module);
        // The parser leaves the roles of slots to the verifier.
        ok = errors == 0 &&
             (!mistake || strstr(mistake, ": parameter ") || strstr(mistake, ": result "));
        const Module *again = read_module(&arena, text_string(&first), first.length, &errors);
        if (again) {
            print_module(&second, again);
        }
        ok = ok && again && strcmp(text_string(&first), text_string(&second)) == 0;
    }
    arena_free(&arena);
    return ok;
}

int main(int count, char **arguments) {
    static Buffer original, mutated;
    int rounds = count > 1 ? atoi(arguments[1]) : 0, accepted = 0;
    uint64_t state = 1;
    for (int i = 2; i < count; i++) {
        EXPECT(read_file(arguments[i], &original));
        for (int round = 0; round < rounds; round++) {
            mutated = original;
            for (uint64_t k = next_random(&state) % 4 + 1; k > 0; k--) {
                mutate(&mutated, &state);
            }
            if (!EXPECT(is_refused_or_sound(&mutated, &accepted))) {
                fprintf(stderr, "%s, round %d:\n%.*s\n", arguments[i], round, (int)mutated.length,
                        mutated.bytes);
            }
        }
    }
    fprintf(stderr, "%d accepted\n", accepted);
    EXPECT(accepted > 0);
    return expect_result();
}
