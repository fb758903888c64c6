// Memory: nothing is asked for in proportion to what a file merely claims, and when an allocation
// fails, whichever it is, the call says so, gives everything back and works the next time. The
// linker sends the allocations of this program and of the runtime, not those inside libzip and
// jansson's, to the functions here; jansson is told to use them. Usage: memory FOLDER
#include <jansson.h>
#include <stdlib.h>

#include "runtime/tensor_file.h"
#include "tests/unit/expect.h"

static size_t requested;      // bytes since the last reset
static long allocations_left; // -1: no limit

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static bool may_allocate(size_t size) {
    requested += size;
    if (allocations_left > 0) {
        allocations_left--;
        return true;
    }
    return allocations_left < 0;
}

void *__wrap_malloc(size_t size) {
    return may_allocate(size) ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t count, size_t size) {
    return may_allocate(count * size) ? __real_calloc(count, size) : NULL;
}

void *__wrap_realloc(void *old, size_t size) {
    return may_allocate(size) ? __real_realloc(old, size) : NULL;
}

static size_t read_bytes(const char *folder, const char *name, unsigned char *bytes, size_t room) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *stream = fopen(path, "rb");
    if (!EXPECT(stream != NULL)) {
        return 0;
    }
    size_t size = fread(bytes, 1, room, stream);
    EXPECT(size < room);
    fclose(stream);
    return size;
}

// No file of the corpus, however it lies, makes the readers ask for more than a small multiple of
// its size.
static void test_proportion(const char *folder) {
    static unsigned char bytes[1 << 20];
    static char manifest[1 << 20];
    size_t length =
        read_bytes(folder, "MANIFEST.tsv", (unsigned char *)manifest, sizeof manifest - 1);
    manifest[length] = 0;
    int files = 0;
    for (char *line = strchr(manifest, '\n'); line != NULL && line[1] != 0;
         line = strchr(line + 1, '\n')) {
        char name[64];
        EXPECT(sscanf(line, "\n%63[^\t]", name) == 1);
        size_t size = read_bytes(folder, name, bytes, sizeof bytes);
        TensorFile file;
        requested = 0;
        tensor_file_read_memory(name, bytes, size, &file, NULL);
        if (!EXPECT(requested <= 40 * size + 4096)) {
            fprintf(stderr, "  %s: %zu bytes asked for, %zu in the file\n", name, requested, size);
        }
        tensor_file_free(&file);
        files++;
    }
    EXPECT(files == 157);
}

// Lets the first, the second ... allocation and all after it fail, until the file is read. How
// often it failed.
static long fail_reading(const char *name, const unsigned char *bytes, size_t size) {
    for (long left = 0; left < 10000; left++) {
        TensorFile file;
        TensorError error = {0};
        allocations_left = left;
        bool done = tensor_file_read_memory(name, bytes, size, &file, &error);
        allocations_left = -1;
        tensor_file_free(&file);
        if (done) {
            return left;
        }
        // jansson takes some of its own failures for bad tokens.
        bool told =
            error.kind == TENSOR_ERROR_MEMORY || strstr(error.text, "not good JSON") != NULL;
        EXPECT(told && file.count == 0);
    }
    return -1;
}

static void test_reading(const char *folder) {
    static const char *const names[] = {"ok_f8.npy",     "ok_fortran.npy",     "ok_b1.npy",
                                        "ok_stored.npz", "ok_deflated.npz",    "ok_two.safetensors",
                                        "ok_empty.npz",  "ok_meta.safetensors"};
    unsigned char bytes[4096];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t size = read_bytes(folder, names[i], bytes, sizeof bytes);
        EXPECT(fail_reading(names[i], bytes, size) >= 2);
    }
    static const char table[] = "a,b\n1,2\n3,4\n";
    EXPECT(fail_reading("t.csv", (const unsigned char *)table, sizeof table - 1) >= 6);
}

static void test_writing(void) {
    static const char *const paths[] = {"m.npy", "m.npz", "m.safetensors"};
    double data[3] = {1, 2, 3};
    FileTensor tensor = {"a", TENSOR_F64, 1, {3}, data};
    for (int i = 0; i < 3; i++) {
        long left = 0;
        TensorError error = {0};
        for (bool done = false; !done && left < 1000; left++) {
            allocations_left = left;
            done = tensor_file_write(paths[i], &tensor, 1, &error);
            allocations_left = -1;
            EXPECT(done == (access(paths[i], F_OK) == 0));
            EXPECT(done || error.kind == TENSOR_ERROR_MEMORY);
        }
        EXPECT(left >= 4 && left < 1000 && unlink(paths[i]) == 0);
    }
}

// A list that grows: a failed addition leaves it as it was.
static void test_adding(void) {
    TensorFile file = {0};
    TensorError error = {0};
    for (int i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        bool done = false;
        for (long left = 0; !done; left++) {
            allocations_left = left;
            done = tensor_file_add(&file, name, TENSOR_I32, 1, (int64_t[]){i}, NULL, &error);
            allocations_left = -1;
            EXPECT(file.count == i + done && (done || error.kind == TENSOR_ERROR_MEMORY));
        }
        EXPECT(tensor_file_find(&file, name) == &file.tensors[i]);
    }
    tensor_file_free(&file);
}

int main(int count, char **arguments) {
    const char *folder = count > 1 ? arguments[1] : "malformed";
    allocations_left = -1;
    json_set_alloc_funcs(__wrap_malloc, free);
    test_proportion(folder);
    test_reading(folder);
    test_writing();
    test_adding();
    return expect_result();
}
