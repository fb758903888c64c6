// Tensor files: plain tensors read from and written to .npy, .npz, .safetensors, and read from
// .csv.
//
// Every function that can fail returns false and fills a TensorError that the caller gives; nothing
// is printed, nothing aborts. Files are not trusted: a reader never reads out of bounds, and
// allocates in proportion to the bytes it was given, never to a size that a file only claims. Names
// found inside a file are keys, never paths. docs/files.md lists what each format accepts and
// refuses.
#ifndef TDSL_RUNTIME_TENSOR_FILE_H
#define TDSL_RUNTIME_TENSOR_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TENSOR_MAX_RANK = 32 };

typedef enum TensorElement {
    TENSOR_BOOL, // one byte, 0 or 1
    TENSOR_I32,
    TENSOR_I64,
    TENSOR_F16, // see runtime/half.h
    TENSOR_BF16,
    TENSOR_F32,
    TENSOR_F64,
} TensorElement;

typedef struct FileTensor {
    char *name; // UTF-8, zero-terminated; "" for the tensor of a .npy or .csv file
    TensorElement element;
    int rank; // 0 to TENSOR_MAX_RANK
    int64_t shape[TENSOR_MAX_RANK];
    void *data; // row-major in the machine's byte order; from a reader never NULL, even for no
                // elements
} FileTensor;

// The tensors of one file, in the file's order. An all-zero TensorFile is an empty one.
typedef struct TensorFile {
    FileTensor *tensors;
    int count;
    char **columns; // a .csv file's header line, one name a column; NULL where there was none
    int column_count;
    FileTensor **by_name; // private to tensor_file.c: `tensors` sorted by name, or NULL
} TensorFile;

typedef enum TensorErrorKind {
    TENSOR_ERROR_NONE,
    TENSOR_ERROR_SYSTEM, // the file could not be opened, read or written
    TENSOR_ERROR_DATA,   // the contents are malformed, or hold what is not supported
    TENSOR_ERROR_USAGE,  // the call asks for what the format cannot do
    TENSOR_ERROR_MEMORY,
} TensorErrorKind;

typedef struct TensorError {
    TensorErrorKind kind;
    char text[512]; // one line without a newline: "FILE: array 'NAME': what is wrong"; control
                    // bytes escaped
} TensorError;

// Bytes of one element, and its name as written in a program ("f32").
size_t tensor_element_size(TensorElement element);
const char *tensor_element_name(TensorElement element);
// The number of elements and bytes of a valid tensor.
size_t tensor_element_count(const FileTensor *tensor);
size_t tensor_byte_count(const FileTensor *tensor);

// Reads the whole file. The ending of the path decides the format (.npy .npz .safetensors .csv);
// under any other ending the first bytes do. On failure *file is empty. `error` may be NULL here
// and below.
bool tensor_file_read(const char *path, TensorFile *file, TensorError *error);
// The same from `size` bytes in memory; `path` is only looked at, for its ending and in messages.
bool tensor_file_read_memory(const char *path, const void *bytes, size_t size, TensorFile *file,
                             TensorError *error);

// The tensor of that name, or NULL. O(log n) on a file that was read.
const FileTensor *tensor_file_find(const TensorFile *file, const char *name);

// Appends a copy of a tensor; data == NULL means zeros. On failure the file is as it was.
bool tensor_file_add(TensorFile *file, const char *name, TensorElement element, int rank,
                     const int64_t *shape, const void *data, TensorError *error);

// Gives everything back; the file is empty and usable again.
void tensor_file_free(TensorFile *file);

// Writes the tensors in the format that the path's ending names (.npy takes exactly one tensor and
// no name). A file appears under `path` whole or not at all: on failure what was there before is
// untouched. The same tensors give the same bytes. A path that exists and is no regular file (a
// pipe, a device) is written to directly.
bool tensor_file_write(const char *path, const FileTensor *tensors, int count, TensorError *error);
// The same into memory: *bytes is malloc'd, the caller frees it.
bool tensor_file_write_memory(const char *path, const FileTensor *tensors, int count,
                              unsigned char **bytes, size_t *size, TensorError *error);

#endif
