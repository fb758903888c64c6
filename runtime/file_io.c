// Whole files: read into memory, and written so that a failure loses nothing. New contents go to a
// temporary file in the target's folder, every write, the flush to disk and the close are checked,
// and only then does a rename put it in place.
#include "runtime/file_format.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// Some systems refuse to move more than 2 GiB in one call.
enum { TRANSFER_MAX = 1 << 30 };

// Reads to the end of the file; `expected` bytes are only a first guess, so that pipes can be read
// too.
static bool read_to_end(const Where *where, int descriptor, size_t expected, unsigned char **bytes,
                        size_t *size) {
    size_t room = expected + 1; // one more, so that the end is met without growing
    unsigned char *buffer = malloc(room);
    size_t used = 0;
    for (;;) {
        if (buffer == NULL) {
            return fail_memory(where, room);
        }
        size_t chunk = room - used < TRANSFER_MAX ? room - used : TRANSFER_MAX;
        ssize_t got = read(descriptor, buffer + used, chunk);
        if (got == 0) {
            break;
        }
        if (got < 0 && errno != EINTR) {
            free(buffer);
            return fail_system(where, "read", errno);
        }
        used += got > 0 ? (size_t)got : 0;
        if (used == room) {
            room = room > SIZE_MAX / 2 ? SIZE_MAX : room * 2;
            unsigned char *larger = realloc(buffer, room);
            if (larger == NULL) {
                free(buffer);
            }
            buffer = larger;
        }
    }
    *bytes = buffer;
    *size = used;
    return true;
}

bool read_whole_file(const Where *where, unsigned char **bytes, size_t *size) {
    int descriptor = open(where->file, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return fail_system(where, "open", errno);
    }
    struct stat status;
    bool done = fstat(descriptor, &status) == 0 || fail_system(where, "read", errno);
    if (done && !S_ISREG(status.st_mode) && !S_ISFIFO(status.st_mode)) {
        done =
            fail(where, TENSOR_ERROR_SYSTEM, "cannot read: %s",
                 S_ISDIR(status.st_mode) ? "it is a directory" : "it is neither a file nor a pipe");
    }
    if (done && S_ISREG(status.st_mode) && (uint64_t)status.st_size >= SIZE_MAX / 2) {
        done = fail_memory(where, SIZE_MAX);
    }
    size_t expected = done && S_ISREG(status.st_mode) ? (size_t)status.st_size : 65536;
    done = done && read_to_end(where, descriptor, expected, bytes, size);
    close(descriptor);
    return done;
}

// Writing past a limit on file sizes, or into a pipe that nobody reads, sends a signal that ends
// the process. While we write they are blocked, so that the calls return an error instead; one that
// is then pending was ours and is taken away.
typedef struct SignalGuard {
    sigset_t previous;
    bool was_pending[2];
} SignalGuard;

static const int guarded_signals[2] = {SIGXFSZ, SIGPIPE};

static void block_signals(SignalGuard *guard) {
    sigset_t blocked, pending;
    sigemptyset(&blocked);
    sigpending(&pending);
    for (int i = 0; i < 2; i++) {
        sigaddset(&blocked, guarded_signals[i]);
        guard->was_pending[i] = sigismember(&pending, guarded_signals[i]) == 1;
    }
    pthread_sigmask(SIG_BLOCK, &blocked, &guard->previous);
}

static void restore_signals(const SignalGuard *guard) {
    sigset_t pending, one;
    sigpending(&pending);
    for (int i = 0; i < 2; i++) {
        if (sigismember(&pending, guarded_signals[i]) == 1 && !guard->was_pending[i]) {
            int taken;
            sigemptyset(&one);
            sigaddset(&one, guarded_signals[i]);
            sigwait(&one, &taken);
        }
    }
    pthread_sigmask(SIG_SETMASK, &guard->previous, NULL);
}

static bool write_fragment(int descriptor, const Fragment *fragment) {
    const unsigned char *bytes = fragment->data;
    for (size_t done = 0; done < fragment->size;) {
        size_t chunk = fragment->size - done < TRANSFER_MAX ? fragment->size - done : TRANSFER_MAX;
        ssize_t put = write(descriptor, bytes + done, chunk);
        if (put < 0 && errno != EINTR) {
            return false;
        }
        done += put > 0 ? (size_t)put : 0;
    }
    return true;
}

// Writes everything, flushes it to the disk and closes the descriptor, whatever happens.
static bool fill_file(const Where *where, int descriptor, const Fragment *fragments, int count) {
    SignalGuard guard;
    block_signals(&guard);
    bool done = true;
    for (int i = 0; i < count && done; i++) {
        done = write_fragment(descriptor, &fragments[i]);
    }
    // Pipes and devices cannot be flushed, and say so with one of these.
    if (done && fsync(descriptor) != 0 && errno != EINVAL && errno != ENOTSUP && errno != EROFS) {
        done = false;
    }
    int reason = errno;
    if (close(descriptor) != 0 && done && errno != EINTR) {
        done = false;
        reason = errno;
    }
    restore_signals(&guard);
    return done || fail_system(where, "write", reason);
}

// Creates a file of a new name beside `path`. The name, malloc'd, goes to *temporary. Returns a
// descriptor or -1.
static int create_beside(const Where *where, mode_t mode, char **temporary) {
    const char *slash = strrchr(where->file, '/');
    size_t folder = slash != NULL ? (size_t)(slash - where->file) + 1 : 0;
    size_t room = folder + 64;
    char *name = malloc(room);
    if (name == NULL) {
        fail_memory(where, room);
        return -1;
    }
    memcpy(name, where->file, folder);
    int descriptor = -1;
    for (int attempt = 0; attempt < 1000 && descriptor < 0; attempt++) {
        snprintf(name + folder, room - folder, ".tdsl-%ld-%d.tmp", (long)getpid(), attempt);
        descriptor = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
        if (descriptor < 0 && errno != EEXIST) {
            break;
        }
    }
    if (descriptor < 0) {
        fail_system(where, "write", errno);
        free(name);
        return -1;
    }
    *temporary = name;
    return descriptor;
}

static bool write_directly(const Where *where, const Fragment *fragments, int count) {
    int descriptor = open(where->file, O_WRONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return fail_system(where, "write", errno);
    }
    return fill_file(where, descriptor, fragments, count);
}

bool write_whole_file(const Where *where, const Fragment *fragments, int count) {
    struct stat old;
    bool exists = stat(where->file, &old) == 0;
    if (exists && S_ISDIR(old.st_mode)) {
        return fail(where, TENSOR_ERROR_SYSTEM, "cannot write: it is a directory");
    }
    if (exists && !S_ISREG(old.st_mode)) {
        return write_directly(where, fragments, count);
    }
    if (exists && access(where->file, W_OK) != 0) {
        return fail_system(where, "write", errno);
    }
    char *temporary = NULL;
    int descriptor = create_beside(where, exists ? old.st_mode & 0600 : 0666, &temporary);
    if (descriptor < 0) {
        return false;
    }
    bool done = true;
    if (exists && fchmod(descriptor, old.st_mode & 0777) != 0) { // who may read it must not change
        done = fail_system(where, "write", errno);
        close(descriptor);
    }
    done = done && fill_file(where, descriptor, fragments, count);
    if (done && rename(temporary, where->file) != 0) {
        done = fail_system(where, "write", errno);
    }
    if (!done) {
        unlink(temporary);
    }
    free(temporary);
    return done;
}
