// Child processes by posix_spawn: no shell ever sees a name. Everything temporary is in a folder of
// mode 0700 that is removed on every path.
#include "codegen/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

const char *make_private_folder(Arena *arena, const char *parent, const char **error) {
    if (!parent) {
        const char *chosen = getenv("TMPDIR");
        parent = chosen && chosen[0] ? chosen : "/tmp";
    }
    // "./" keeps a folder named `-x` or `@x` from looking like an option to a compiler.
    char *path = arena_format(arena, "%s%s/.tdsl-XXXXXX", parent[0] == '/' ? "" : "./", parent);
    if (!mkdtemp(path)) {
        *error = arena_format(arena, "cannot make a temporary folder in %s: %s", parent,
                              strerror(errno));
        return NULL;
    }
    return path;
}

void remove_private_folder(const char *folder) {
    DIR *entries = opendir(folder);
    if (entries) {
        struct dirent *entry;
        while ((entry = readdir(entries))) {
            if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
                unlinkat(dirfd(entries), entry->d_name, 0);
            }
        }
        closedir(entries);
    }
    rmdir(folder);
}

static bool write_all(int file, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t written = write(file, bytes, count);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return false;
        }
        bytes += written;
        count -= (size_t)written;
    }
    return true;
}

bool write_new_file(Arena *arena, const char *path, const void *bytes, size_t count,
                    const char **error) {
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool good = file >= 0 && write_all(file, bytes, count);
    int problem = errno;
    if (file >= 0 && close(file) != 0 && good) {
        good = false;
        problem = errno;
    }
    if (!good) {
        *error = arena_format(arena, "cannot write %s: %s", path, strerror(problem));
    }
    return good;
}

// The first bytes of a file, as text without control characters but newlines.
static const char *read_start(Arena *arena, const char *path) {
    enum { MOST = 4000 };
    char *text = arena_alloc(arena, MOST + 1);
    FILE *file = fopen(path, "r");
    size_t count = file ? fread(text, 1, MOST, file) : 0;
    if (file) {
        fclose(file);
    }
    for (size_t i = 0; i < count; i++) {
        unsigned char byte = (unsigned char)text[i];
        text[i] = byte == '\n' || byte == '\t' || (byte >= 0x20 && byte != 0x7f) ? text[i] : '?';
    }
    while (count && text[count - 1] == '\n') {
        text[--count] = '\0';
    }
    return text;
}

// Starts the program; 0 or an errno.
static int start(const char *const *words, const char *log, pid_t *child) {
    posix_spawn_file_actions_t actions;
    int problem = posix_spawn_file_actions_init(&actions);
    if (problem) {
        return problem;
    }
    problem = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!problem) {
        problem = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log,
                                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
    }
    if (!problem) {
        problem = posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    }
    if (!problem) {
        problem = posix_spawnp(child, words[0], &actions, NULL, (char *const *)words, environ);
    }
    posix_spawn_file_actions_destroy(&actions);
    return problem;
}

RunResult run_program(Arena *arena, const char *const *words, const char *log, const char **error) {
    pid_t child = -1;
    int problem = start(words, log, &child);
    if (problem) {
        *error = arena_format(arena, "cannot run %s: %s", words[0], strerror(problem));
        return problem == ENOENT || problem == EACCES ? RUN_NOT_FOUND : RUN_FAILED;
    }
    int status = 0;
    pid_t waited;
    do {
        waited = waitpid(child, &status, 0);
    } while (waited < 0 && errno == EINTR);
    // Where the host ignores SIGCHLD there is no status: the caller looks for the result itself.
    if ((waited < 0 && errno == ECHILD) || (WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
        return RUN_DONE;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
        *error = arena_format(arena, "cannot run %s", words[0]);
        return RUN_NOT_FOUND;
    }
    const char *how = WIFSIGNALED(status)
                          ? arena_format(arena, "was ended by signal %d", WTERMSIG(status))
                          : arena_format(arena, "returned %d", WEXITSTATUS(status));
    const char *said = read_start(arena, log);
    *error = arena_format(arena, "%s %s%s%s", words[0], how, said[0] ? ":\n" : "", said);
    return RUN_FAILED;
}

const char **compiler_words(Arena *arena, int more, int *count) {
    const char *chosen = getenv("CC");
    char *text = arena_copy_string(arena, chosen && chosen[strspn(chosen, " \t")] ? chosen : "cc");
    const char **words = arena_alloc_array(arena, strlen(text) + (size_t)more + 1, sizeof *words);
    *count = 0;
    char *rest = NULL;
    for (char *word = strtok_r(text, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
        words[(*count)++] = word;
    }
    return words;
}
