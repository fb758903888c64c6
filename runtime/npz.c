// NumPy's .npz: a zip archive whose members are .npy files. libzip reads the archive from memory,
// with its consistency checks on; what it leaves to its caller is checked here: what kind of member
// it is, that it is no zip bomb, and that every byte and the checksum are right.
#include "runtime/file_format.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zip.h>

// Reading

// Deflate cannot do better than 258 bytes for 2 bits: a member that claims more than this ratio
// lies.
enum { DEFLATE_MAX_RATIO = 1032 };

static bool fail_zip(const Where *where, const char *doing, zip_error_t *error) {
    char shown[120];
    const char *reason = zip_error_strerror(error);
    bool memory = zip_error_code_zip(error) == ZIP_ER_MEMORY;
    return fail(where, memory ? TENSOR_ERROR_MEMORY : TENSOR_ERROR_DATA, "%s: %s", doing,
                escape_text(shown, sizeof shown, reason, strlen(reason)));
}

// Opens the archive over the caller's bytes; NULL on failure.
static zip_t *open_archive(const Where *where, const unsigned char *bytes, size_t size) {
    zip_error_t error;
    zip_error_init(&error);
    zip_t *archive = NULL;
    zip_source_t *source = size > 0 ? zip_source_buffer_create(bytes, size, 0, &error) : NULL;
    if (source != NULL) {
        archive = zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error);
    }
    if (archive == NULL) {
        if (size == 0) {
            fail(where, TENSOR_ERROR_DATA, "not a .npz archive: the file is empty");
        } else if (zip_error_code_zip(&error) == ZIP_ER_EXISTS) {
            fail(where, TENSOR_ERROR_DATA, "two members of the archive have the same name");
        } else {
            fail_zip(where, "not a good .npz archive", &error);
        }
        zip_source_free(source);
    }
    zip_error_fini(&error);
    return archive;
}

// What can be known of a member before it is opened.
static bool check_member(const Where *where, zip_t *archive, zip_uint64_t index,
                         const zip_stat_t *stat) {
    zip_uint64_t needed =
        ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if ((stat->valid & needed) != needed) {
        return fail(where, TENSOR_ERROR_DATA, "the archive does not describe this member");
    }
    zip_uint8_t system;
    zip_uint32_t attributes;
    if (zip_file_get_external_attributes(archive, index, 0, &system, &attributes) == 0 &&
        system == ZIP_OPSYS_UNIX && S_ISLNK((mode_t)(attributes >> 16))) {
        return fail(where, TENSOR_ERROR_DATA, "the member is a symbolic link, not an array");
    }
    if (stat->encryption_method != ZIP_EM_NONE) {
        return fail(where, TENSOR_ERROR_DATA, "the member is encrypted, which is not supported");
    }
    if (stat->comp_method == ZIP_CM_BZIP2) {
        return fail(where, TENSOR_ERROR_DATA,
                    "the member is compressed with bzip2; stored and deflated are supported");
    }
    if (stat->comp_method != ZIP_CM_STORE && stat->comp_method != ZIP_CM_DEFLATE) {
        return fail(where, TENSOR_ERROR_DATA,
                    "compression method %d is not supported (stored and deflated are)",
                    stat->comp_method);
    }
    bool stored = stat->comp_method == ZIP_CM_STORE;
    if (stored ? stat->size != stat->comp_size : stat->size / DEFLATE_MAX_RATIO > stat->comp_size) {
        return fail(where, TENSOR_ERROR_DATA,
                    "%llu bytes cannot unpack to the %llu that the archive claims",
                    (unsigned long long)stat->comp_size, (unsigned long long)stat->size);
    }
    if (stat->size > SIZE_MAX / 2) {
        return fail_memory(where, SIZE_MAX);
    }
    return true;
}

static bool read_bytes(const Where *where, zip_file_t *member, unsigned char *bytes, size_t size) {
    for (size_t done = 0; done < size;) {
        size_t chunk = size - done < 1u << 30 ? size - done : 1u << 30;
        zip_int64_t got = zip_fread(member, bytes + done, chunk);
        if (got < 0) {
            return fail_zip(where, "damaged", zip_file_get_error(member));
        }
        if (got == 0) {
            return fail(where, TENSOR_ERROR_DATA, "unpacks to fewer bytes than the archive claims");
        }
        done += (size_t)got;
    }
    return true;
}

// libzip compares the checksum when it meets the end, so the end has to be read.
static bool expect_end(const Where *where, zip_file_t *member) {
    unsigned char extra;
    zip_int64_t got = zip_fread(member, &extra, 1);
    if (got < 0) {
        return fail_zip(where, "damaged", zip_file_get_error(member));
    }
    return got == 0 ||
           fail(where, TENSOR_ERROR_DATA, "unpacks to more bytes than the archive claims");
}

// Header first: nothing the size of the array is allocated before the header and the archive agree
// on that size.
static bool read_member_header(const Where *where, zip_file_t *member, size_t size,
                               NpyHeader *header) {
    unsigned char prefix[NPY_PREFIX_MAX];
    size_t have = size < sizeof prefix ? size : sizeof prefix;
    size_t length = 0;
    if (!read_bytes(where, member, prefix, have) ||
        !find_npy_header_length(where, prefix, size, &length)) {
        return false;
    }
    if (length < have) { // a version 1 header of 0 or 1 bytes
        return fail(where, TENSOR_ERROR_DATA, "the .npy header is empty");
    }
    unsigned char *text = malloc(length);
    if (text == NULL) {
        return fail_memory(where, length);
    }
    memcpy(text, prefix, have);
    bool done = read_bytes(where, member, text + have, length - have) &&
                read_npy_header(where, text, length, size, header);
    free(text);
    return done;
}

static bool read_member(const Where *where, zip_file_t *member, size_t size, FileTensor *tensor) {
    NpyHeader header = {0};
    if (!read_member_header(where, member, size, &header)) {
        return false;
    }
    unsigned char *data = malloc(header.data_bytes > 0 ? header.data_bytes : 1);
    if (data == NULL) {
        return fail_memory(where, header.data_bytes);
    }
    bool done = read_bytes(where, member, data, header.data_bytes) && expect_end(where, member) &&
                decode_npy(where, &header, data, tensor);
    free(data);
    return done;
}

// Reads member `index` into the next tensor. *packed sums the compressed bytes: members that share
// bytes, as in a bomb made of overlapping members, would sum to more than the file has.
static bool add_member(const Where *file_where, zip_t *archive, zip_uint64_t index,
                       size_t file_size, size_t *packed, TensorFile *file) {
    // Raw, because guessing an encoding would turn control bytes into harmless-looking letters.
    const char *name = zip_get_name(archive, index, ZIP_FL_ENC_RAW);
    zip_stat_t stat;
    zip_stat_init(&stat);
    if (name == NULL || zip_stat_index(archive, index, 0, &stat) != 0) {
        return fail_zip(file_where, "cannot read the archive's directory", zip_get_error(archive));
    }
    Where where = {file_where->file, name, file_where->error};
    size_t length = strlen(name);
    if (!is_utf8(name, length)) {
        return fail(&where, TENSOR_ERROR_DATA, "the member's name is not UTF-8");
    }
    if (length < 4 || strcmp(name + length - 4, ".npy") != 0) {
        return fail(&where, TENSOR_ERROR_DATA, "the member is not a .npy file");
    }
    FileTensor *tensor = &file->tensors[file->count++];
    tensor->name = copy_name(&where, name, length - 4);
    if (tensor->name == NULL || !check_member(&where, archive, index, &stat)) {
        return false;
    }
    if (stat.comp_size > file_size - *packed) {
        return fail(&where, TENSOR_ERROR_DATA, "the members claim more bytes than the archive has");
    }
    *packed += (size_t)stat.comp_size;
    zip_file_t *member = zip_fopen_index(archive, index, 0);
    if (member == NULL) {
        return fail_zip(&where, "cannot open the member", zip_get_error(archive));
    }
    where.array = tensor->name;
    bool done = read_member(&where, member, (size_t)stat.size, tensor);
    zip_fclose(member);
    return done;
}

bool read_npz(const Where *where, const unsigned char *bytes, size_t size, TensorFile *file) {
    zip_t *archive = open_archive(where, bytes, size);
    if (archive == NULL) {
        return false;
    }
    zip_int64_t count = zip_get_num_entries(archive, 0);
    bool done = reserve_tensors(where, file, (size_t)count);
    size_t packed = 0;
    for (zip_int64_t i = 0; i < count && done; i++) {
        done = add_member(where, archive, (zip_uint64_t)i, size, &packed, file);
    }
    zip_discard(archive);
    return done;
}

// Writing

// An archive without members is just its end record; libzip would write no file at all.
static bool encode_empty_archive(const Where *where, Encoding *encoding) {
    static const unsigned char end_record[22] = {'P', 'K', 5, 6};
    encoding->fragments = malloc(sizeof *encoding->fragments);
    if (encoding->fragments == NULL) {
        return fail_memory(where, sizeof *encoding->fragments);
    }
    encoding->fragments[0] = (Fragment){end_record, sizeof end_record};
    encoding->count = 1;
    return true;
}

static bool fail_write(const Where *where, zip_error_t *error) {
    char shown[120];
    const char *reason = zip_error_strerror(error);
    TensorErrorKind kind =
        zip_error_code_zip(error) == ZIP_ER_MEMORY ? TENSOR_ERROR_MEMORY : TENSOR_ERROR_SYSTEM;
    return fail(where, kind, "cannot build the archive: %s",
                escape_text(shown, sizeof shown, reason, strlen(reason)));
}

// "NAME.npy", malloc'd.
static char *member_name(const Where *where, const char *name) {
    size_t length = strlen(name);
    if (length > 65535 - 4) {
        fail(where, TENSOR_ERROR_USAGE,
             "the name is %zu bytes long; a .npz archive takes at most 65531", length);
        return NULL;
    }
    for (const char *c = name; *c != 0; c++) {
        // libzip would not mark such a name as UTF-8, and other readers would then take it for code
        // page 437.
        if ((unsigned char)*c < 0x20 && strchr("\t\n\r", *c) == NULL) {
            fail(where, TENSOR_ERROR_USAGE, "a .npz archive takes no control characters in a name");
            return NULL;
        }
    }
    char *member = malloc(length + 5);
    if (member == NULL) {
        fail_memory(where, length + 5);
        return NULL;
    }
    memcpy(member, name, length);
    memcpy(member + length, ".npy", 5);
    return member;
}

// Adds one stored member. `header` stays in use until the archive is closed.
static bool add_tensor(const Where *file_where, zip_t *archive, const FileTensor *tensor,
                       unsigned char header[NPY_WRITTEN_HEADER_MAX]) {
    Where where = {file_where->file, tensor->name, file_where->error};
    size_t length = encode_npy_header(tensor, header);
    if (length == 0) {
        return fail(&where, TENSOR_ERROR_USAGE,
                    "%s has no .npy form; use .safetensors or convert to f32",
                    tensor_element_name(tensor->element));
    }
    char *name = member_name(&where, tensor->name);
    if (name == NULL) {
        return false;
    }
    size_t data_bytes = tensor_byte_count(tensor);
    zip_buffer_fragment_t parts[2] = {{header, length}, {tensor->data, data_bytes}};
    zip_source_t *source = zip_source_buffer_fragment(archive, parts, data_bytes > 0 ? 2 : 1, 0);
    zip_int64_t index = source != NULL ? zip_file_add(archive, name, source, ZIP_FL_ENC_UTF_8) : -1;
    free(name);
    if (index < 0) {
        fail_write(&where, zip_get_error(archive));
        zip_source_free(source);
        return false;
    }
    // The earliest date that zip knows: equal tensors give equal bytes, whenever and in whatever
    // time zone.
    zip_uint16_t date = 1 << 5 | 1;
    if (zip_set_file_compression(archive, (zip_uint64_t)index, ZIP_CM_STORE, 0) != 0 ||
        zip_file_set_dostime(archive, (zip_uint64_t)index, 0, date, 0) != 0) {
        return fail_write(&where, zip_get_error(archive));
    }
    return true;
}

// Copies the finished archive out of libzip's buffer.
static bool copy_archive(const Where *where, zip_source_t *source, Encoding *encoding) {
    zip_stat_t stat;
    zip_stat_init(&stat);
    if (zip_source_stat(source, &stat) != 0 || zip_source_open(source) != 0) {
        return fail_write(where, zip_source_error(source));
    }
    size_t size = (size_t)stat.size;
    encoding->owned = malloc(size);
    encoding->fragments = malloc(sizeof *encoding->fragments);
    bool done = encoding->owned != NULL && encoding->fragments != NULL;
    if (!done) {
        fail_memory(where, size);
    }
    for (size_t at = 0; at < size && done;) {
        zip_int64_t got = zip_source_read(source, encoding->owned + at, size - at);
        done = got > 0;
        at += done ? (size_t)got : 0;
        if (!done) {
            fail_write(where, zip_source_error(source));
        }
    }
    zip_source_close(source);
    if (done) {
        encoding->fragments[0] = (Fragment){encoding->owned, size};
        encoding->count = 1;
    }
    return done;
}

// Closes the archive into `target`, which stays the caller's.
static bool build_archive(const Where *where, zip_source_t *target, const FileTensor *tensors,
                          int count, unsigned char (*headers)[NPY_WRITTEN_HEADER_MAX]) {
    zip_error_t error;
    zip_error_init(&error);
    zip_source_keep(target);
    zip_t *archive = zip_open_from_source(target, ZIP_TRUNCATE, &error);
    if (archive == NULL) {
        fail_write(where, &error);
        zip_source_free(target);
        zip_error_fini(&error);
        return false;
    }
    zip_error_fini(&error);
    bool done = true;
    for (int i = 0; i < count && done; i++) {
        done = add_tensor(where, archive, &tensors[i], headers[i]);
    }
    if (done && zip_close(archive) == 0) {
        return true;
    }
    if (done) {
        fail_write(where, zip_get_error(archive));
    }
    zip_discard(archive);
    return false;
}

bool encode_npz(const Where *where, const FileTensor *tensors, int count, Encoding *encoding) {
    if (count == 0) {
        return encode_empty_archive(where, encoding);
    }
    zip_error_t error;
    zip_error_init(&error);
    unsigned char(*headers)[NPY_WRITTEN_HEADER_MAX] = calloc((size_t)count, sizeof *headers);
    zip_source_t *target = zip_source_buffer_create(NULL, 0, 0, &error);
    bool done = headers != NULL && target != NULL;
    if (!done) {
        fail_memory(where, (size_t)count * sizeof *headers);
    }
    done = done && build_archive(where, target, tensors, count, headers) &&
           copy_archive(where, target, encoding);
    zip_source_free(target);
    zip_error_fini(&error);
    free(headers);
    return done;
}
