// Running the system's compiler and linker: private temporary folders, child processes without a
// shell, and what they said.
#ifndef TDSL_CODEGEN_PROCESS_H
#define TDSL_CODEGEN_PROCESS_H

#include <stdbool.h>

#include "ir/base/arena.h"

// A new folder that only this user can enter, inside `parent`, or NULL: the system's temporary
// folder
// ($TMPDIR, else /tmp). NULL and *error when that fails.
const char *make_private_folder(Arena *arena, const char *parent, const char **error);
// Removes the folder and the files in it; it has no folders inside.
void remove_private_folder(const char *folder);

// Writes a new file (which must not exist). False and *error when that fails.
bool write_new_file(Arena *arena, const char *path, const void *bytes, size_t count,
                    const char **error);

typedef enum RunResult {
    RUN_DONE,      // it ran and returned 0
    RUN_FAILED,    // it ran and did not
    RUN_NOT_FOUND, // there is no such program
} RunResult;

// Runs `words` (ends with NULL; words[0] is looked up in PATH), its input empty and its output
// going to the new file `log`. Unless it is RUN_DONE, *error says what happened and ends with the
// output.
RunResult run_program(Arena *arena, const char *const *words, const char *log, const char **error);

// $CC split at blanks, else the one word "cc"; with room for `more` words after them. *count is
// set.
const char **compiler_words(Arena *arena, int more, int *count);

#endif
