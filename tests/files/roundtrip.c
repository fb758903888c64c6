// What is written is read back: every element type, rank and awkward name in every format; the same
// bytes each time; byte order, column-major order and widening on files spelled out by hand. Runs
// in a folder that it may write to.
#include <stdlib.h>

#include "runtime/tensor_file.h"
#include "tests/unit/expect.h"

static const TensorElement elements[] = {TENSOR_BOOL, TENSOR_I32, TENSOR_I64, TENSOR_F16,
                                         TENSOR_BF16, TENSOR_F32, TENSOR_F64};

static bool same_tensor(const FileTensor *a, const FileTensor *b) {
    return strcmp(a->name, b->name) == 0 && a->element == b->element && a->rank == b->rank &&
           memcmp(a->shape, b->shape, (size_t)a->rank * sizeof *a->shape) == 0 &&
           memcmp(a->data, b->data, tensor_byte_count(a)) == 0;
}

static bool same_file(const TensorFile *a, const TensorFile *b) {
    for (int i = 0; i < a->count && a->count == b->count; i++) {
        if (!same_tensor(&a->tensors[i], &b->tensors[i])) {
            return false;
        }
    }
    return a->count == b->count;
}

static void add(TensorFile *file, const char *name, TensorElement element, int rank,
                const int64_t *shape) {
    TensorError error = {0};
    EXPECT(tensor_file_add(file, name, element, rank, shape, NULL, &error));
    FileTensor *tensor = &file->tensors[file->count - 1];
    unsigned char *data = tensor->data;
    for (size_t i = 0; i < tensor_byte_count(tensor); i++) {
        data[i] =
            (unsigned char)(element == TENSOR_BOOL ? i % 3 == 0 : i * 37 + (size_t)file->count);
    }
}

// Writes twice to memory and once to disk, and reads both back.
static void check_file(const char *path, const TensorFile *file) {
    TensorError error = {0};
    unsigned char *first = NULL, *second = NULL;
    size_t first_size = 0, second_size = 0;
    TensorFile read;
    bool done =
        tensor_file_write_memory(path, file->tensors, file->count, &first, &first_size, &error) &&
        tensor_file_write_memory(path, file->tensors, file->count, &second, &second_size, &error);
    if (!EXPECT(done)) {
        fprintf(stderr, "  %s\n", error.text);
    }
    EXPECT(first_size == second_size && memcmp(first, second, first_size) == 0);
    if (!EXPECT(tensor_file_read_memory(path, first, first_size, &read, &error) &&
                same_file(file, &read))) {
        fprintf(stderr, "  %s\n", error.text);
    }
    tensor_file_free(&read);
    EXPECT(tensor_file_write(path, file->tensors, file->count, &error));
    EXPECT(tensor_file_read(path, &read, &error) && same_file(file, &read));
    for (int i = 0; i < read.count; i++) {
        EXPECT(tensor_file_find(&read, file->tensors[i].name) == &read.tensors[i]);
    }
    EXPECT(tensor_file_find(&read, "no such name") == NULL);
    tensor_file_free(&read);
    EXPECT(unlink(path) == 0);
    free(first);
    free(second);
}

static void test_elements_and_ranks(void) {
    static const int64_t shapes[][4] = {{6, 1, 1, 1}, {2, 3, 1, 1}, {0, 3, 1, 1}, {3, 2, 5, 2}};
    TensorFile all = {0}, without_bf16 = {0};
    for (size_t e = 0; e < sizeof elements / sizeof *elements; e++) {
        for (int rank = 0; rank <= 4; rank++) {
            for (int s = 0; s < 4; s++) {
                char name[40];
                snprintf(name, sizeof name, "%s.%d.%d", tensor_element_name(elements[e]), rank, s);
                add(&all, name, elements[e], rank, shapes[s]);
                if (elements[e] != TENSOR_BF16) {
                    TensorFile one = {0};
                    add(&without_bf16, name, elements[e], rank, shapes[s]);
                    add(&one, "", elements[e], rank, shapes[s]);
                    check_file("one.npy", &one);
                    tensor_file_free(&one);
                }
            }
        }
    }
    int64_t ones[TENSOR_MAX_RANK];
    for (int axis = 0; axis < TENSOR_MAX_RANK; axis++) {
        ones[axis] = axis == 7 ? 5 : 1;
    }
    add(&all, "deep", TENSOR_F64, TENSOR_MAX_RANK, ones);
    add(&without_bf16, "deep", TENSOR_F64, TENSOR_MAX_RANK, ones);
    // The longest header that a shape can make: as many digits as fit in 63 bits, in as many
    // dimensions as there may be.
    for (int axis = 0; axis < TENSOR_MAX_RANK; axis++) {
        ones[axis] = axis < 17 ? 10 : 0;
    }
    add(&all, "digits", TENSOR_F64, TENSOR_MAX_RANK, ones);
    add(&without_bf16, "digits", TENSOR_F64, TENSOR_MAX_RANK, ones);
    check_file("all.safetensors", &all);
    check_file("all.npz", &without_bf16);
    tensor_file_free(&all);
    tensor_file_free(&without_bf16);
}

static void test_names(void) {
    // A .npz archive takes all but the first.
    static const char *const names[] = {
        "\x1b[31m", "",         "a",  "layer.0/weight",   "../up", "/etc/name", "w\xc3\xa9\n",
        "\"\\",     "with.npy", "PK", "\xf0\x9f\x99\x82", "\t",
    };
    TensorFile file = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        add(&file, names[i], TENSOR_F32, 1, (int64_t[]){(int64_t)i});
    }
    check_file("names.safetensors", &file);
    TensorFile printable = {file.tensors + 1, file.count - 1, NULL, 0, NULL};
    check_file("names.npz", &printable);
    tensor_file_free(&file);
    check_file("none.npz", &file);
    check_file("none.safetensors", &file);
}

// More members than a zip archive without its 64-bit extension can count.
static void test_many(void) {
    TensorFile file = {0};
    for (int i = 0; i < 70000; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        EXPECT(tensor_file_add(&file, name, TENSOR_I32, 0, NULL, &i, NULL));
    }
    check_file("many.npz", &file);
    check_file("many.safetensors", &file);
    tensor_file_free(&file);
}

// A .npy file of version 1 from its dictionary and data.
static bool read_npy(const char *dictionary, const void *data, size_t size, TensorFile *file) {
    unsigned char bytes[512] = {
        0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)strlen(dictionary), 0};
    TensorError error = {0};
    memcpy(bytes + 10, dictionary, strlen(dictionary));
    memcpy(bytes + 10 + strlen(dictionary), data, size);
    bool done =
        tensor_file_read_memory("made.npy", bytes, 10 + strlen(dictionary) + size, file, &error);
    if (!done) {
        fprintf(stderr, "%s\n", error.text);
    }
    return done;
}

static void expect_npy(const char *dictionary, const void *data, size_t size, TensorElement element,
                       const void *expected, size_t expected_size) {
    TensorFile file;
    if (EXPECT(read_npy(dictionary, data, size, &file))) {
        const FileTensor *tensor = &file.tensors[0];
        EXPECT(tensor->element == element && tensor_byte_count(tensor) == expected_size);
        EXPECT(memcmp(tensor->data, expected, expected_size) == 0);
    }
    tensor_file_free(&file);
}

#define DICTIONARY(dtype, order, shape)                                                            \
    "{'descr': '" dtype "', 'fortran_order': " order ", 'shape': " shape ", }"

static void test_foreign_layouts(void) {
    // Element [i, j, k] has the value 100 i + 10 j + k; in column-major order i runs fastest.
    static const unsigned char columns[] = {0, 100, 10, 110, 20, 120, 1, 101, 11, 111, 21, 121};
    static const int32_t rows[] = {0, 1, 10, 11, 20, 21, 100, 101, 110, 111, 120, 121};
    expect_npy(DICTIONARY("|u1", "True", "(2, 3, 2)"), columns, 12, TENSOR_I32, rows, sizeof rows);
    expect_npy(DICTIONARY("|u1", "True", "(12,)"), columns, 12, TENSOR_I32,
               (int32_t[]){0, 100, 10, 110, 20, 120, 1, 101, 11, 111, 21, 121}, 48);
    expect_npy(DICTIONARY("|u1", "True", "(2, 0, 2)"), "", 0, TENSOR_I32, "", 0);
    expect_npy(DICTIONARY("|b1", "True", "(2, 2)"), "\1\0\0\1", 4, TENSOR_BOOL, "\1\0\0\1", 4);
    expect_npy(DICTIONARY("|b1", "True", "(2, 2)"), "\1\1\0\0", 4, TENSOR_BOOL, "\1\0\1\0", 4);

    expect_npy(DICTIONARY("|i1", "False", "(2,)"), "\x80\x7f", 2, TENSOR_I32,
               (int32_t[]){-128, 127}, 8);
    expect_npy(DICTIONARY("<i2", "False", "(2,)"), "\xfe\xff\1\2", 4, TENSOR_I32,
               (int32_t[]){-2, 513}, 8);
    expect_npy(DICTIONARY(">i2", "False", "(2,)"), "\xff\xfe\2\1", 4, TENSOR_I32,
               (int32_t[]){-2, 513}, 8);
    expect_npy(DICTIONARY("<u2", "False", "(1,)"), "\xfe\xff", 2, TENSOR_I32, (int32_t[]){65534},
               4);
    expect_npy(DICTIONARY(">u4", "False", "(1,)"), "\xff\xff\xff\xfe", 4, TENSOR_I64,
               (int64_t[]){4294967294}, 8);
    expect_npy(DICTIONARY("<u4", "False", "()"), "\1\0\0\x80", 4, TENSOR_I64,
               (int64_t[]){2147483649}, 8);
    expect_npy(DICTIONARY(">i8", "False", "(1,)"), "\xff\xff\xff\xff\xff\xff\xff\xfd", 8,
               TENSOR_I64, (int64_t[]){-3}, 8);
    expect_npy(DICTIONARY(">f8", "False", "(1,)"), "\xc0\x04\0\0\0\0\0\0", 8, TENSOR_F64,
               (double[]){-2.5}, 8);
    expect_npy(DICTIONARY(">f4", "True", "(1, 2)"), "\x3f\x80\0\0\xc0\0\0\0", 8, TENSOR_F32,
               (float[]){1, -2}, 8);
    expect_npy(DICTIONARY(">f2", "False", "(1,)"), "\x3c\1", 2, TENSOR_F16, (uint16_t[]){0x3c01},
               2);

    TensorFile file;
    TensorError error = {0};
    static const char two_bools[] =
        "\x41\0\0\0\0\0\0\0{\"a\":{\"dtype\":\"BOOL\",\"shape\":[2],\"data_offsets\":[0,2]}}"
        "          \1\2";
    EXPECT(
        !tensor_file_read_memory("a.safetensors", two_bools, sizeof two_bools - 1, &file, &error));
    EXPECT(strstr(error.text, "array 'a': element 1 is 2, but a bool is 0 or 1") != NULL);
}

// The bytes that NumPy writes for the same array.
static void test_exact_bytes(void) {
    static const char expected[] =
        "\x93NUMPY\1\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"
        "                                                            \n"
        "\0\0\x80\x3f\0\0\0\xc0";
    unsigned char *bytes = NULL;
    size_t size = 0;
    FileTensor tensor = {"", TENSOR_F32, 1, {2}, (float[]){1, -2}};
    EXPECT(tensor_file_write_memory("x.npy", &tensor, 1, &bytes, &size, NULL));
    EXPECT(size == sizeof expected - 1 && memcmp(bytes, expected, size) == 0);
    free(bytes);

    static const char header[] =
        "\x78\0\0\0\0\0\0\0"
        "{\"h\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[8,10]},"
        "\"d\\u000a\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[0,8]}}";
    FileTensor pair[] = {{"h", TENSOR_F16, 1, {1}, (uint16_t[]){0x3c00}},
                         {"d\n", TENSOR_F64, 0, {0}, (double[]){1}}};
    EXPECT(tensor_file_write_memory("x.safetensors", pair, 2, &bytes, &size, NULL));
    EXPECT(size == 8 + 0x78 + 10 && memcmp(bytes, header, sizeof header - 1) == 0);
    EXPECT(memcmp(bytes + 8 + 0x78, "\0\0\0\0\0\0\xf0\x3f\0\x3c", 10) == 0);
    free(bytes);
}

// Without a known ending the contents decide; a wrong ending does not.
static void test_dispatch(void) {
    TensorFile file = {0}, read;
    TensorError error = {0};
    static const char *const kinds[] = {"x.npy", "x.npz", "x.safetensors"};
    add(&file, "", TENSOR_I64, 1, (int64_t[]){3});
    for (int i = 0; i < 3; i++) {
        unsigned char *bytes = NULL;
        size_t size = 0;
        EXPECT(tensor_file_write_memory(kinds[i], file.tensors, 1, &bytes, &size, &error));
        EXPECT(tensor_file_read_memory("no ending", bytes, size, &read, &error) &&
               same_file(&file, &read));
        tensor_file_free(&read);
        EXPECT(!tensor_file_read_memory(kinds[(i + 1) % 3], bytes, size, &read, &error));
        free(bytes);
    }
    EXPECT(!tensor_file_read_memory("no ending", "hello, world", 12, &read, &error));
    EXPECT_TEXT(error.text, "no ending: neither a .npy, .npz or .safetensors file nor named .csv");
    tensor_file_free(&file);
}

int main(void) {
    test_elements_and_ranks();
    test_names();
    test_many();
    test_foreign_layouts();
    test_exact_bytes();
    test_dispatch();
    return expect_result();
}
