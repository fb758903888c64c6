// What LLVM knows of a processor by its name. Private to codegen.
#ifndef TDSL_CODEGEN_LLVM_PROCESSORS_H
#define TDSL_CODEGEN_LLVM_PROCESSORS_H

#include <llvm-c/TargetMachine.h>

#include "ir/base/vec.h"

typedef VEC(const char *) ProcessorNames;

// All that LLVM knows for this target; empty if it does not tell.
ProcessorNames processor_names(Arena *arena, LLVMTargetRef target, const char *triple);
// Width of the vectors that an x86 processor adds.
int probe_vector_bytes(LLVMTargetMachineRef machine, const char *cpu, const char *features);

#endif
