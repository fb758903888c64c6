// Writing that must fail does, with a message, and leaves what was there: full disks, limits,
// missing folders, bad tensors. Writing that succeeds leaves one file, with the rights it had. Runs
// in a folder that it may write to.
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "runtime/tensor_file.h"
#include "tests/unit/expect.h"

static FileTensor make_tensor(char *name, double *data, int64_t count) {
    return (FileTensor){name, TENSOR_F64, 1, {count}, data};
}

static void expect_failure(const char *path, const FileTensor *tensors, int count,
                           TensorErrorKind kind, const char *text) {
    TensorError error = {0};
    EXPECT(!tensor_file_write(path, tensors, count, &error) && error.kind == kind);
    EXPECT_TEXT(error.text, text);
}

static void test_refused_tensors(void) {
    double data[2] = {1, 2};
    unsigned char two = 2;
    FileTensor good = make_tensor("a", data, 2);
    FileTensor pair[] = {good, good};
    FileTensor negative = make_tensor("n", data, -1);
    FileTensor huge = {"h", TENSOR_F64, 2, {INT64_MAX / 4, 0}, data};
    FileTensor empty_data = make_tensor("e", NULL, 2);
    FileTensor brain = {"b", TENSOR_BF16, 0, {0}, data};
    FileTensor not_bool = {"c", TENSOR_BOOL, 0, {0}, &two};
    FileTensor not_text = make_tensor("\xff", data, 2);
    FileTensor reserved = make_tensor("__metadata__", data, 2);
    FileTensor control = make_tensor("\x1b", data, 2);
    FileTensor unnamed = make_tensor(NULL, data, 2);
    expect_failure("x.npy", pair, 2, TENSOR_ERROR_USAGE,
                   "x.npy: array 'a': there are two arrays of this name");
    expect_failure("x.npz", pair, 2, TENSOR_ERROR_USAGE,
                   "x.npz: array 'a': there are two arrays of this name");
    expect_failure("x.npy", pair, 0, TENSOR_ERROR_USAGE,
                   "x.npy: a .npy file holds exactly one tensor, not 0; use .npz or .safetensors");
    expect_failure("x.npy", &brain, 1, TENSOR_ERROR_USAGE,
                   "x.npy: bf16 has no .npy form; use .safetensors or convert to f32");
    expect_failure("x.npz", &brain, 1, TENSOR_ERROR_USAGE,
                   "x.npz: array 'b': bf16 has no .npy form; use .safetensors or convert to f32");
    expect_failure("x.npz", &negative, 1, TENSOR_ERROR_USAGE,
                   "x.npz: array 'n': the element type or the shape is not valid");
    expect_failure("x.npz", &huge, 1, TENSOR_ERROR_USAGE,
                   "x.npz: array 'h': the element type or the shape is not valid");
    expect_failure("x.npz", &empty_data, 1, TENSOR_ERROR_USAGE,
                   "x.npz: array 'e': the tensor has no data");
    expect_failure("x.npz", &not_bool, 1, TENSOR_ERROR_USAGE,
                   "x.npz: array 'c': element 0 is neither 0 nor 1, but the type is bool");
    expect_failure("x.npz", &not_text, 1, TENSOR_ERROR_USAGE,
                   "x.npz: array '\\xff': the name is not UTF-8");
    expect_failure("x.npz", &control, 1, TENSOR_ERROR_USAGE,
                   "x.npz: array '\\x1b': a .npz archive takes no control characters in a name");
    expect_failure("x.npz", &unnamed, 1, TENSOR_ERROR_USAGE, "x.npz: tensor 0 has no name");
    expect_failure("x.safetensors", &reserved, 1, TENSOR_ERROR_USAGE,
                   "x.safetensors: a .safetensors file cannot hold a tensor named __metadata__");
    expect_failure("x.csv", &good, 1, TENSOR_ERROR_USAGE,
                   "x.csv: cannot write this kind of file; use .npy, .npz or .safetensors");
    expect_failure("x\x1b.txt", &good, 1, TENSOR_ERROR_USAGE,
                   "x\\x1b.txt: cannot write this kind of file; use .npy, .npz or .safetensors");
    EXPECT(!tensor_file_write("x.csv", &good, 1, NULL));
}

static void test_refused_places(void) {
    double data[2] = {1, 2};
    FileTensor good = make_tensor("a", data, 2);
    EXPECT(mkdir("folder.npz", 0777) == 0);
    expect_failure("folder.npz", &good, 1, TENSOR_ERROR_SYSTEM,
                   "folder.npz: cannot write: it is a directory");
    EXPECT(rmdir("folder.npz") == 0);
    expect_failure("missing/x.npz", &good, 1, TENSOR_ERROR_SYSTEM,
                   "missing/x.npz: cannot write: No such file or directory");
    TensorFile file;
    TensorError error = {0};
    EXPECT(!tensor_file_read("missing.npz", &file, &error) && error.kind == TENSOR_ERROR_SYSTEM);
    EXPECT_TEXT(error.text, "missing.npz: cannot open: No such file or directory");
    EXPECT(!tensor_file_read(".", &file, &error) && error.kind == TENSOR_ERROR_SYSTEM);
    EXPECT_TEXT(error.text, ".: cannot read: it is a directory");
}

// How many entries the working folder has beside "." and "..".
static int count_entries(void) {
    int count = -2;
    DIR *folder = opendir(".");
    while (folder != NULL && readdir(folder) != NULL) {
        count++;
    }
    closedir(folder);
    return count;
}

static bool holds(const char *path, double first) {
    TensorFile file;
    bool same =
        tensor_file_read(path, &file, NULL) && *(const double *)file.tensors[0].data == first;
    tensor_file_free(&file);
    return same;
}

static void test_replacing(void) {
    double data[] = {1};
    FileTensor tensor = make_tensor("a", data, 1);
    struct stat status;
    umask(022);
    EXPECT(tensor_file_write("kept.npz", &tensor, 1, NULL) && stat("kept.npz", &status) == 0);
    EXPECT((status.st_mode & 0777) == 0644);
    EXPECT(chmod("kept.npz", 0600) == 0);
    data[0] = 2;
    EXPECT(tensor_file_write("kept.npz", &tensor, 1, NULL) && holds("kept.npz", 2));
    EXPECT(stat("kept.npz", &status) == 0 && (status.st_mode & 0777) == 0600);

    // A link is replaced, not written through.
    EXPECT(symlink("kept.npz", "link.npz") == 0);
    data[0] = 3;
    EXPECT(tensor_file_write("link.npz", &tensor, 1, NULL) && holds("link.npz", 3) &&
           holds("kept.npz", 2));
    EXPECT(lstat("link.npz", &status) == 0 && S_ISREG(status.st_mode));
    EXPECT(unlink("link.npz") == 0 && unlink("kept.npz") == 0);
}

// Each way of running out of room, in every format: an error, no new file, the old file whole.
static void test_no_room(void) {
    static double data[100000];
    FileTensor large = make_tensor("a", data, 100000);
    static const char *const paths[] = {"old.npy", "old.npz", "old.safetensors"};
    static const char *const devices[] = {"full.npy", "full.npz", "full.safetensors"};
    for (int i = 0; i < 3; i++) {
        data[0] = 7;
        FileTensor small = make_tensor("a", data, 1);
        EXPECT(tensor_file_write(paths[i], &small, 1, NULL));
        int entries = count_entries();
        data[0] = 8;
        struct rlimit old, tight;
        EXPECT(getrlimit(RLIMIT_FSIZE, &old) == 0);
        tight = old;
        tight.rlim_cur = 1000;
        EXPECT(setrlimit(RLIMIT_FSIZE, &tight) == 0);
        TensorError error = {0};
        EXPECT(!tensor_file_write(paths[i], &large, 1, &error) &&
               error.kind == TENSOR_ERROR_SYSTEM);
        EXPECT(strstr(error.text, "cannot write: File too large") != NULL);
        EXPECT(setrlimit(RLIMIT_FSIZE, &old) == 0);
        EXPECT(holds(paths[i], 7) && count_entries() == entries);

        if (access("/dev/full", W_OK) == 0) {
            EXPECT(symlink("/dev/full", devices[i]) == 0);
            EXPECT(!tensor_file_write(devices[i], &large, 1, &error) &&
                   error.kind == TENSOR_ERROR_SYSTEM);
            EXPECT(strstr(error.text, "cannot write: No space left on device") != NULL);
            EXPECT(unlink(devices[i]) == 0);
        }
        EXPECT(tensor_file_write(paths[i], &large, 1, &error) && holds(paths[i], 8));
        EXPECT(count_entries() == entries && unlink(paths[i]) == 0);
    }
    sigset_t pending;
    EXPECT(sigpending(&pending) == 0 && sigismember(&pending, SIGXFSZ) == 0);
}

// A pipe is written to in place; one that nobody reads gives an error, not a signal.
static void test_pipes(void) {
    static double data[100000];
    FileTensor tensor = make_tensor("a", data, 100000);
    EXPECT(mkfifo("pipe.npy", 0600) == 0);
    pid_t child = fork();
    if (child == 0) {
        TensorFile file;
        bool same = tensor_file_read("pipe.npy", &file, NULL) &&
                    tensor_element_count(&file.tensors[0]) == 100000;
        _exit(same ? 0 : 1);
    }
    EXPECT(tensor_file_write("pipe.npy", &tensor, 1, NULL));
    int status = 1;
    EXPECT(waitpid(child, &status, 0) == child && status == 0);

    child = fork();
    if (child == 0) { // opens, and goes away without reading
        _exit(open("pipe.npy", O_RDONLY) < 0);
    }
    TensorError error = {0};
    EXPECT(!tensor_file_write("pipe.npy", &tensor, 1, &error));
    EXPECT_TEXT(error.text, "pipe.npy: cannot write: Broken pipe");
    EXPECT(waitpid(child, &status, 0) == child);
    EXPECT(unlink("pipe.npy") == 0);
}

int main(void) {
    test_refused_tensors();
    test_refused_places();
    test_replacing();
    test_no_room();
    test_pipes();
    return expect_result();
}
