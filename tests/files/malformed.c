// Every file of the malformed corpus gets the verdict of its manifest, from disk and from memory;
// an accepted array has the shape and type that NumPy found; a refusal is one clean line. Where the
// manifest leaves the choice, the choice documented in docs/files.md is held to. Usage: malformed
// FOLDER
#include <stdlib.h>
#include <sys/resource.h>

#include "runtime/tensor_file.h"
#include "tests/unit/expect.h"

// The files with verdict "either" that are accepted; the others are refused.
static const char *const accepted[] = {
    "ok_long_suffix.npy", "ok_comment.npz",   "dotdot.npz",
    "absolute.npz",       "newline_name.npz", "esc_name.npz",
    "long_name.npz",      "f16.safetensors",  "bf16.safetensors",
};

static bool is_expected(const char *name, const char *verdict) {
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted && strcmp(verdict, "either") == 0;
         i++) {
        if (strcmp(accepted[i], name) == 0) {
            return true;
        }
    }
    return strcmp(verdict, "accept") == 0;
}

// One line of text that a terminal can show.
static bool is_clean(const char *text) {
    for (const char *c = text; *c != 0; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            return false;
        }
    }
    return strlen(text) > 0;
}

// NumPy's name of the element type that holds what NumPy read.
static const char *widened(const char *dtype) {
    static const char *const pairs[][2] = {
        {"float64", "f64"}, {"float32", "f32"}, {"int64", "i64"}, {"int32", "i32"},
        {"bool", "bool"},   {"uint8", "i32"},   {">f8", "f64"},   {">i4", "i32"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (strcmp(pairs[i][0], dtype) == 0) {
            return pairs[i][1];
        }
    }
    return "none";
}

// Compares with NumPy's account, "ok float64[2, 3]".
static void check_account(const char *name, const char *account, const TensorFile *file) {
    char dtype[16], dimensions[128] = "", actual[128] = "";
    if (sscanf(account, "ok %15[^[][%127[^]]", dtype, dimensions) < 1 || account[3] == '\'') {
        return;
    }
    if (!EXPECT(file->count == 1)) {
        return;
    }
    const FileTensor *tensor = &file->tensors[0];
    for (int axis = 0; axis < tensor->rank; axis++) {
        size_t used = strlen(actual);
        snprintf(actual + used, sizeof actual - used, "%s%lld", axis > 0 ? ", " : "",
                 (long long)tensor->shape[axis]);
    }
    bool same = strcmp(tensor_element_name(tensor->element), widened(dtype)) == 0;
    if (!EXPECT(same && strcmp(actual, dimensions) == 0)) {
        fprintf(stderr, "  %s: %s[%s], but NumPy has %s\n", name,
                tensor_element_name(tensor->element), actual, account);
    }
}

static bool read_bytes(const char *path, unsigned char **bytes, size_t *size) {
    FILE *stream = fopen(path, "rb");
    if (stream == NULL) {
        return false;
    }
    fseek(stream, 0, SEEK_END);
    *size = (size_t)ftell(stream);
    rewind(stream);
    *bytes = malloc(
        *size > 0 ? *size : 1); // exactly the file, so that AddressSanitizer sees a byte too far
    bool done = fread(*bytes, 1, *size, stream) == *size;
    fclose(stream);
    return done;
}

static void check_file(const char *folder, const char *name, const char *verdict,
                       const char *account) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unsigned char *bytes = NULL;
    size_t size = 0;
    if (!EXPECT(read_bytes(path, &bytes, &size))) {
        return;
    }
    for (int from_memory = 0; from_memory < 2; from_memory++) {
        TensorFile file;
        TensorError error = {0};
        bool done = from_memory ? tensor_file_read_memory(name, bytes, size, &file, &error)
                                : tensor_file_read(path, &file, &error);
        if (!EXPECT(done == is_expected(name, verdict))) {
            fprintf(stderr, "  %s (%s): %s\n", name, verdict, done ? "read" : error.text);
        }
        if (done) {
            check_account(name, account, &file);
        } else {
            EXPECT(error.kind == TENSOR_ERROR_DATA && is_clean(error.text) &&
                   strstr(error.text, name) != NULL);
            EXPECT(file.tensors == NULL && file.count == 0);
        }
        tensor_file_free(&file);
    }
    free(bytes);
}

// The sanitizers need more address space themselves.
#if defined(__SANITIZE_ADDRESS__)
#define CAN_LIMIT_MEMORY 0
#elif defined(__has_feature)
#define CAN_LIMIT_MEMORY !__has_feature(address_sanitizer)
#else
#define CAN_LIMIT_MEMORY 1
#endif

// A reader that believed a claimed size would ask for gigabytes: then let it fail.
static void limit_memory(void) {
    struct rlimit limit = {256u << 20, 256u << 20};
    EXPECT(!CAN_LIMIT_MEMORY || setrlimit(RLIMIT_AS, &limit) == 0);
}

int main(int count, char **arguments) {
    const char *folder = count > 1 ? arguments[1] : "malformed";
    char path[1024];
    snprintf(path, sizeof path, "%s/MANIFEST.tsv", folder);
    FILE *manifest = fopen(path, "r");
    if (!EXPECT(manifest != NULL)) {
        return expect_result();
    }
    limit_memory();
    char *line = NULL;
    size_t room = 0;
    int files = 0;
    while (getline(&line, &room, manifest) > 0) {
        char *rest = line;
        char *column[4] = {"", "", "", ""};
        for (int i = 0; i < 4 && rest != NULL; i++) {
            column[i] = rest;
            rest = strchr(rest, '\t');
            if (rest != NULL) {
                *rest++ = 0;
            }
        }
        if (strcmp(column[0], "file") != 0) {
            check_file(folder, column[0], column[1], column[3]);
            files++;
        }
    }
    EXPECT(files == 157);
    free(line);
    fclose(manifest);
    return expect_result();
}
