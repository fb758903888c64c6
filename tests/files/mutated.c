// Good files, damaged: cut at every length, and every byte changed in several ways. Whatever comes
// of it must be a clean refusal or a sound file; under the sanitizers a wrong access shows. Usage:
// mutated FOLDER
#include <stdlib.h>

#include "runtime/tensor_file.h"
#include "tests/unit/expect.h"

static const char *const names[] = {
    "ok_f8.npy",          "ok_f8_be.npy",        "ok_fortran.npy",     "ok_b1.npy",
    "ok_u1.npy",          "ok_rank0.npy",        "ok_zero.npy",        "ok_v2.npy",
    "ok_v3.npy",          "ok_keyorder.npy",     "ok_long_suffix.npy", "ok_stored.npz",
    "ok_deflated.npz",    "ok_savez.npz",        "ok_empty.npz",       "ok_one.safetensors",
    "ok_two.safetensors", "ok_meta.safetensors", "ok_esc.safetensors", "f16.safetensors",
};

// Reads every byte of every tensor, so that a wrong size is met; counts what was read.
static int read_mutant(const char *name, const unsigned char *bytes, size_t size) {
    TensorFile file;
    TensorError error = {0};
    if (!tensor_file_read_memory(name, bytes, size, &file, &error)) {
        EXPECT(error.kind != TENSOR_ERROR_NONE && error.text[0] != 0 && file.count == 0);
        return 0;
    }
    volatile unsigned char sink = 0;
    for (int i = 0; i < file.count; i++) {
        const unsigned char *data = file.tensors[i].data;
        for (size_t k = 0; k < tensor_byte_count(&file.tensors[i]); k++) {
            sink = data[k];
        }
        // A changed name may hide another of the same prefix, but each is found under the name it
        // has.
        EXPECT(tensor_file_find(&file, file.tensors[i].name) == &file.tensors[i]);
    }
    (void)sink;
    tensor_file_free(&file);
    return 1;
}

static void mutate(const char *folder, const char *name) {
    char path[1024];
    unsigned char bytes[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *stream = fopen(path, "rb");
    if (!EXPECT(stream != NULL)) {
        return;
    }
    size_t size = fread(bytes, 1, sizeof bytes, stream);
    fclose(stream);
    EXPECT(size > 0 && size < sizeof bytes);
    EXPECT(read_mutant(name, bytes, size) == 1);
    for (size_t length = 0; length < size; length++) {
        unsigned char *cut = malloc(length > 0 ? length : 1);
        memcpy(cut, bytes, length);
        // A cut loses data or structure, so none may pass.
        if (!EXPECT(read_mutant(name, cut, length) == 0)) {
            fprintf(stderr, "  %s cut to %zu bytes\n", name, length);
        }
        free(cut);
    }
    for (size_t at = 0; at < size; at++) {
        unsigned char old = bytes[at];
        for (int bit = 0; bit < 8; bit++) {
            bytes[at] = (unsigned char)(old ^ 1 << bit);
            read_mutant(name, bytes, size);
        }
        static const unsigned char values[] = {0, 0xff, '"', '\'', '9', ' ', '-', '{', ')', ','};
        for (size_t i = 0; i < sizeof values; i++) {
            bytes[at] = values[i];
            read_mutant(name, bytes, size);
        }
        bytes[at] = old;
    }
}

int main(int count, char **arguments) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        mutate(count > 1 ? arguments[1] : "malformed", names[i]);
    }
    return expect_result();
}
