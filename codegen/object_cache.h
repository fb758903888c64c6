// Objects that were compiled before, in a folder of files. Any number of processes may use a folder
// at once, and anybody may delete anything in it at any time: an entry is whole and has the right
// checksum, or it is none. A cache that cannot be used is no error.
#ifndef TDSL_CODEGEN_OBJECT_CACHE_H
#define TDSL_CODEGEN_OBJECT_CACHE_H

#include "codegen/compile.h"

// A folder that belongs to this user and that nobody else may write to: $TDSL_CACHE_DIR, else
// $XDG_CACHE_HOME/tdsl, else $HOME/.cache/tdsl; made if it is missing. NULL where there is no such
// folder, and where TDSL_CACHE_DIR is empty.
const char *find_cache_folder(Arena *arena);

// compile_objects, without LLVM where `folder` (from find_cache_folder; NULL: none) has the
// objects, in one entry. It is found by what makes it: the program's loop form, the options, the
// machine, the version of LLVM and this compiler itself. Only what is for this process
// (`entries_only`) is kept. At most $TDSL_CACHE_BYTES (default: 256 MiB) are kept; those not used
// for the longest time go first.
bool compile_objects_cached(Arena *arena, const char *folder, const Program *program,
                            const CompileOptions *options, Objects *objects, const char **error);

#endif
