// Machine code for a Program, through LLVM or the system's C compiler. Nothing LLVM shows here.
#ifndef TDSL_CODEGEN_COMPILE_H
#define TDSL_CODEGEN_COMPILE_H

#include "codegen/loops.h"

typedef struct TargetMachine {
    const char *triple; // NULL: this machine
    const char *cpu; // NULL: this machine's (JIT) or the triple's baseline ("x86-64-v3" for .so/.o)
    const char *features; // NULL: none beyond the cpu's
    bool is_source;       // the code is printed as C, for compilers to choose the processor
} TargetMachine;

typedef struct CompileOptions {
    int level; // -O0 .. -O3
    bool position_independent;
    bool entries_only; // without the functions that tell sizes and statuses: for load_objects
    int parts;   // objects that the code is made in; 0: as many as its work is worth. There may be
                 // fewer
    int threads; // that make them; 0: one for each processor that this process may run on. What
                 // is made does not depend on it
    TargetMachine target;
} CompileOptions;

typedef struct Bytes {
    const unsigned char *at; // in the arena given
    size_t count;
} Bytes;

// Object files that make one product together. They share names that no product shows.
typedef struct Objects {
    Bytes *at;
    int count;
} Objects;

// Objects in memory; or LLVM IR text; or assembly text. On failure false and *error is set. No
// thread that was started for it is left.
bool compile_objects(Arena *arena, const Program *program, const CompileOptions *options,
                     Objects *objects, const char **error);
// Processors of which a product for this system chooses the best that it finds when it is loaded,
// least first; 0: there is no way to choose.
int dispatched_cpus(const char *const **cpus);
// Objects of a program that was lowered for each of the dispatched processors, in their order, and
// has the same face in all (product.h).
bool compile_variants(Arena *arena, const Program *const *variants, const CompileOptions *options,
                      Objects *objects, const char **error);
bool compile_llvm_text(Arena *arena, const Program *program, const CompileOptions *options,
                       Text *out, const char **error);
bool compile_assembly(Arena *arena, const Program *program, const CompileOptions *options,
                      Text *out, const char **error);

// A loaded program: machine code in this process.
typedef struct Loaded Loaded;
// Raw signature of every entry: a pointer for each group that the entry uses, in GroupKind order,
// each an array of pointers (the struct of the header), and the workspace. They are called through
// loaded_call.
typedef struct CallArguments {
    void *
        *groups[GROUP_COUNT]; // NULL for groups that are not used; GROUP_KEY: the key's own address
    void *workspace;          // 64-byte aligned
    const void *parallel;     // a tdsl_parallel as headers declare it; NULL: this thread alone
} CallArguments;

Loaded *load_objects(const Program *program, Objects objects, const char **error, Arena *arena);
// The --engine c: C source compiled by the system's compiler ($CC, else cc) to a shared object in a
// private temporary folder, loaded, and deleted again.
Loaded *load_c(const Program *program, int level, const char **error, Arena *arena);
int loaded_call(const Loaded *loaded, const Entry *entry, const CallArguments *arguments);
void loaded_free(Loaded *loaded);

// Links objects to a shared object at `path` (cc -shared, else ld.lld -shared).
bool link_shared(Arena *arena, Objects objects, const char *path, const char **error);
// Writes a static archive with the objects at `path` (ar).
bool link_archive(Arena *arena, Objects objects, const char *path, const char **error);

// Of LLVM: "19.1.7".
const char *llvm_version(void);

// Does LLVM know the processor that `target` names? False and *error if not.
bool processor_is_known(Arena *arena, const TargetMachine *target, const char **error);

// Width and number of this machine's vector registers, for LowerOptions.
void target_vector_shape(const TargetMachine *target, int *vector_bytes, int *vector_registers);

// The triple, processor and features that `target` stands for, in one text.
const char *describe_target(Arena *arena, const TargetMachine *target);

#endif
