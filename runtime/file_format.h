// What the tensor file readers and writers share. Private to runtime/: users include
// runtime/tensor_file.h.
#ifndef TDSL_RUNTIME_FILE_FORMAT_H
#define TDSL_RUNTIME_FILE_FORMAT_H

#include "runtime/tensor_file.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the writers put out tensor data as it lies in memory, which must be little-endian"
#endif

// Errors (file_error.c)

// What a message is about: the file, the array in it (or NULL), and where the message goes (or
// NULL).
typedef struct Where {
    const char *file;
    const char *array;
    TensorError *error;
} Where;

// Fills the error and returns false, so that a caller can `return fail(...)`.
bool fail(const Where *where, TensorErrorKind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool fail_memory(const Where *where, size_t bytes);
// `doing` what ended with this errno: "cannot DOING: REASON".
bool fail_system(const Where *where, const char *doing, int error_number);

// Copies text so that it can be shown on a terminal: control, direction and invalid bytes become
// \xNN, and what does not fit in `size` bytes ends in "...". Returns `out`.
const char *escape_text(char *out, size_t size, const char *text, size_t length);
bool is_utf8(const char *text, size_t length);

// Elements and shapes (file_element.c)

typedef enum StoredKind {
    STORED_BOOL,
    STORED_SIGNED,
    STORED_UNSIGNED,
    STORED_FLOAT,
    STORED_BFLOAT
} StoredKind;

// An element as a file has it, before small and unsigned integers are widened.
typedef struct StoredElement {
    StoredKind kind;
    int size; // bytes
    bool big_endian;
} StoredElement;

// The element that holds every value of a stored one exactly; false if there is none (u64, f128).
bool element_of_stored(StoredElement stored, TensorElement *element);

// Counts elements and bytes. False if the rank or a dimension is out of range, or if the bytes,
// taking each dimension as at least 1 so that strides cannot overflow either, do not fit in 63
// bits.
bool measure_shape(int rank, const int64_t *shape, size_t element_size, size_t *count,
                   size_t *bytes);

// Decodes `count` stored elements into tensor->data, which it allocates; element, rank and shape
// are set already.
bool decode_elements(const Where *where, StoredElement stored, const unsigned char *bytes,
                     size_t count, FileTensor *tensor);

// Lists of tensors (tensor_file.c)

// Makes room for exactly `count` tensors in an empty file; file->count stays 0.
bool reserve_tensors(const Where *where, TensorFile *file, size_t count);
char *copy_name(const Where *where, const char *name, size_t length);

// Whole files (file_io.c)

typedef struct Fragment {
    const void *data;
    size_t size;
} Fragment;

// A file about to be written: its pieces in order. The tensors' own data is not copied.
typedef struct Encoding {
    Fragment *fragments; // malloc'd
    int count;
    unsigned char *owned; // malloc'd bytes that fragments point into
} Encoding;

bool read_whole_file(const Where *where, unsigned char **bytes, size_t *size);
bool write_whole_file(const Where *where, const Fragment *fragments, int count);

// Formats

typedef struct NpyHeader {
    StoredElement stored;
    TensorElement element;
    bool column_major;
    int rank;
    int64_t shape[TENSOR_MAX_RANK];
    size_t count;
    size_t data_bytes; // of the stored elements
} NpyHeader;

enum {
    NPY_PREFIX_MAX = 12,         // magic, version and header length
    NPY_HEADER_MAX = 12 + 65536, // all bytes before the data
    NPY_WRITTEN_HEADER_MAX = 256 // more than the longest that encode_npy_header writes (192)
};

// How many bytes come before the data, from the first min(size, NPY_PREFIX_MAX) bytes of a file of
// `size` bytes.
bool find_npy_header_length(const Where *where, const unsigned char *bytes, size_t size,
                            size_t *length);
// Parses these `length` bytes, and checks that a file of `size` bytes is exactly header and data.
bool read_npy_header(const Where *where, const unsigned char *bytes, size_t length, size_t size,
                     NpyHeader *header);
// Decodes header->data_bytes bytes into the tensor, all but its name.
bool decode_npy(const Where *where, const NpyHeader *header, const unsigned char *data,
                FileTensor *tensor);
// Writes the header for a tensor; returns its length, or 0 if the element has no .npy form (bf16).
size_t encode_npy_header(const FileTensor *tensor, unsigned char out[NPY_WRITTEN_HEADER_MAX]);

bool read_npy(const Where *where, const unsigned char *bytes, size_t size, TensorFile *file);
bool read_npz(const Where *where, const unsigned char *bytes, size_t size, TensorFile *file);
bool read_safetensors(const Where *where, const unsigned char *bytes, size_t size,
                      TensorFile *file);
bool read_csv(const Where *where, const unsigned char *bytes, size_t size, TensorFile *file);

// The tensors are valid and their names distinct. On failure the encoding may be half-built; the
// caller frees it.
bool encode_npy(const Where *where, const FileTensor *tensors, int count, Encoding *encoding);
bool encode_npz(const Where *where, const FileTensor *tensors, int count, Encoding *encoding);
bool encode_safetensors(const Where *where, const FileTensor *tensors, int count,
                        Encoding *encoding);

#endif
