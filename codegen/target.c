// Which machine to compile for: triples, processors, features, and the shape of their vector
// registers. Without any wish it is the processor that this process runs on.
#include <llvm-c/Target.h>
#include <llvm/Config/llvm-config.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/emit_llvm.h"

const char *take_message(Arena *arena, char *message) {
    const char *copy = arena_copy_string(arena, message ? message : "");
    LLVMDisposeMessage(message);
    return copy;
}

const char *llvm_version(void) {
    return LLVM_VERSION_STRING;
}

// LLVM keeps its targets in a table of the process, which threads must not fill at once.
static pthread_once_t native_once = PTHREAD_ONCE_INIT;
static pthread_once_t all_once = PTHREAD_ONCE_INIT;

static void fill_native(void) {
    LLVMInitializeNativeTarget();
    LLVMInitializeNativeAsmPrinter();
}

static void fill_all(void) {
    LLVMInitializeAllTargetInfos();
    LLVMInitializeAllTargets();
    LLVMInitializeAllTargetMCs();
    LLVMInitializeAllAsmPrinters();
}

void register_native_target(void) {
    (void)pthread_once(&native_once, fill_native);
}

static bool starts_with(const char *text, const char *start) {
    return strncmp(text, start, strlen(start)) == 0;
}

static bool is_x86(const char *triple) {
    return starts_with(triple, "x86_64") || starts_with(triple, "i386") ||
           starts_with(triple, "i686");
}

// The C interface tells nothing about known processors, and LLVM warns on stderr of unknown ones:
// only the levels of x86-64, which are asked for by default, are kept from other architectures.
static const char *choose_cpu(const char *triple, const char *cpu) {
    if (cpu == NULL)
        return is_x86(triple) ? "x86-64-v3" : "generic";
    return starts_with(cpu, "x86-64") && !is_x86(triple) ? "generic" : cpu;
}

// Hosted 64-bit RISC-V systems have at least these, and pass floating-point values in registers.
static const char *choose_features(const char *triple, const char *features) {
    if (features == NULL && starts_with(triple, "riscv64") && strstr(triple, "linux"))
        return "+m,+a,+f,+d,+c";
    return features ? features : "";
}

typedef struct Resolved {
    const char *triple, *cpu, *features;
} Resolved;

static Resolved resolve(Arena *arena, const TargetMachine *wish) {
    Resolved resolved;
    bool is_host = wish->triple == NULL && wish->cpu == NULL && wish->features == NULL;
    char *given =
        wish->triple ? LLVMNormalizeTargetTriple(wish->triple) : LLVMGetDefaultTargetTriple();
    resolved.triple = take_message(arena, given);
    if (is_host) {
        resolved.cpu = take_message(arena, LLVMGetHostCPUName());
        resolved.features = take_message(arena, LLVMGetHostCPUFeatures());
    } else {
        resolved.cpu = choose_cpu(resolved.triple, wish->cpu);
        resolved.features = choose_features(resolved.triple, wish->features);
    }
    return resolved;
}

static LLVMCodeGenOptLevel code_level(int level) {
    switch (level) {
    case 0: return LLVMCodeGenLevelNone;
    case 1: return LLVMCodeGenLevelLess;
    case 2: return LLVMCodeGenLevelDefault;
    default: return LLVMCodeGenLevelAggressive;
    }
}

LLVMTargetMachineRef make_target_machine(Arena *arena, const CompileOptions *options,
                                         const char **error) {
    if (options->target.triple)
        (void)pthread_once(&all_once, fill_all);
    else
        register_native_target();
    Resolved resolved = resolve(arena, &options->target);
    LLVMTargetRef target = NULL;
    char *message = NULL;
    if (LLVMGetTargetFromTriple(resolved.triple, &target, &message)) {
        LLVMDisposeMessage(message);
        *error = arena_format(arena,
                              "unknown target '%s'\n  hint: give a triple such as "
                              "x86_64-linux-gnu, aarch64-linux-gnu or riscv64-linux-gnu",
                              options->target.triple ? options->target.triple : resolved.triple);
        return NULL;
    }
    LLVMTargetMachineRef machine = NULL;
    if (LLVMTargetHasTargetMachine(target) && LLVMTargetHasAsmBackend(target))
        machine = LLVMCreateTargetMachine(
            target, resolved.triple, resolved.cpu, resolved.features, code_level(options->level),
            options->position_independent ? LLVMRelocPIC : LLVMRelocDefault, LLVMCodeModelSmall);
    if (machine == NULL)
        *error = arena_format(arena, "this LLVM cannot make code for '%s'", resolved.triple);
    return machine;
}

const char *describe_target(Arena *arena, const TargetMachine *target) {
    Resolved machine = resolve(arena, target);
    return arena_format(arena, "%s %s %s", machine.triple, machine.cpu, machine.features);
}

void target_vector_shape(const TargetMachine *target, int *vector_bytes, int *vector_registers) {
    Arena scratch = {0};
    Resolved machine = resolve(&scratch, target);
    *vector_bytes = 16;
    *vector_registers = 32;
    if (is_x86(machine.triple)) {
        bool wide = strstr(machine.features, "+avx512f") || strcmp(machine.cpu, "x86-64-v4") == 0;
        bool medium = strstr(machine.features, "+avx") || strcmp(machine.cpu, "x86-64-v3") == 0;
        *vector_bytes = wide ? 64 : medium ? 32 : 16;
        *vector_registers = wide ? 32 : 16;
    } else if (starts_with(machine.triple, "wasm") || starts_with(machine.triple, "arm") ||
               starts_with(machine.triple, "thumb")) {
        *vector_registers = 16;
    }
    arena_free(&scratch);
}
