// Cutting the machine code of a program in parts that are made at the same time.
#ifndef TDSL_CODEGEN_PARTS_H
#define TDSL_CODEGEN_PARTS_H

#include "codegen/compile.h"

// Each part becomes an object. Entries are in part 0, with the kernels that are done in place of
// their calls and everything that is no kernel.
typedef struct Parts {
    const Program *const *variants;
    const TargetMachine *targets; // of each variant
    int variant_count;
    int count;           // at least 1
    const int **part_of; // by number of the variant and of the kernel in it: the part it is in
} Parts;

// What is cut, and where, depends on the program and the options alone: not on the machine, nor on
// how many threads there will be. Code that is optimised as a whole is one part.
Parts plan_parts(Arena *arena, const Program *const *variants, const TargetMachine *targets,
                 int variant_count, const CompileOptions *options);

// A kernel without loops that is called once is done in place of its call: what it computes may
// take no longer than a call with many arguments.
bool is_done_in_place(const Program *program, const Kernel *kernel);

#endif
