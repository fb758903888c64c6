// Which machine to compile for: triples, processors, features, and the shape of their vector
// registers. Without any wish it is the processor that this process runs on.
#include <llvm-c/Target.h>
#include <llvm/Config/llvm-config.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/emit_llvm.h"
#include "codegen/llvm_processors.h"
#include "ir/base/diag.h"

const char *take_message(Arena *arena, char *message) {
    const char *copy = arena_copy_string(arena, message ? message : "");
    LLVMDisposeMessage(message);
    return copy;
}

const char *llvm_version(void) {
    return LLVM_VERSION_STRING;
}

// LLVM keeps its targets in a list of the process, which one thread may fill while no other one
// looks into it.
static pthread_mutex_t targets = PTHREAD_MUTEX_INITIALIZER;
static bool has_native, has_all; // in the list

static void fill_native(void) {
    LLVMInitializeNativeTarget();
    LLVMInitializeNativeAsmPrinter();
    LLVMInitializeNativeAsmParser(); // for emit_llvm_dispatch.c
}

static void fill_all(void) {
    LLVMInitializeAllTargetInfos();
    LLVMInitializeAllTargets();
    LLVMInitializeAllTargetMCs();
    LLVMInitializeAllAsmPrinters();
}

void hold_targets(bool all) {
    (void)pthread_mutex_lock(&targets);
    if (all && !has_all)
        fill_all();
    else if (!all && !has_native)
        fill_native();
    has_all = has_all || all;
    has_native = has_native || !all;
}

void release_targets(void) {
    (void)pthread_mutex_unlock(&targets);
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

// NULL and *error if there is none.
static LLVMTargetRef find_target(Arena *arena, const TargetMachine *wish, const char *triple,
                                 const char **error) {
    LLVMTargetRef target = NULL;
    char *message = NULL;
    hold_targets(wish->triple != NULL);
    bool failed = LLVMGetTargetFromTriple(triple, &target, &message);
    release_targets();
    if (!failed)
        return target;
    LLVMDisposeMessage(message);
    *error = arena_format(arena,
                          "unknown target '%s'\n  hint: give a triple such as "
                          "x86_64-linux-gnu, aarch64-linux-gnu or riscv64-linux-gnu",
                          wish->triple ? wish->triple : triple);
    return NULL;
}

bool processor_is_known(Arena *arena, const TargetMachine *target, const char **error) {
    Resolved resolved = resolve(arena, target);
    LLVMTargetRef found = find_target(arena, target, resolved.triple, error);
    if (found == NULL)
        return false;
    ProcessorNames names = processor_names(arena, found, resolved.triple);
    for (int i = 0; i < names.count; i++)
        if (strcmp(names.at[i], target->cpu) == 0)
            return true;
    const char *closest = closest_name(target->cpu, names.at, names.count);
    const char *hint =
        closest ? arena_format(arena, "did you mean %s?", closest)
        : is_x86(resolved.triple)
            ? "give native, x86-64-v2, x86-64-v3, x86-64-v4, or a name such as znver4"
            : "the names are those of `llc -mcpu=help`";
    *error = arena_format(arena, "unknown processor '%s' for %s\n  hint: %s", target->cpu,
                          resolved.triple, hint);
    return false;
}

LLVMTargetMachineRef make_target_machine(Arena *arena, const CompileOptions *options,
                                         const char **error) {
    Resolved resolved = resolve(arena, &options->target);
    LLVMTargetRef target = find_target(arena, &options->target, resolved.triple, error);
    if (target == NULL)
        return NULL;
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

// Of x86: known for what we compile for by default, or is told by the features; else it is tried.
static int x86_vector_bytes(Arena *scratch, const TargetMachine *wish, const Resolved *machine) {
    static const struct {
        const char *cpu;
        int bytes;
    } known[] = {{"generic", 16},   {"x86-64", 16},    {"x86-64-v2", 16},
                 {"x86-64-v3", 32}, {"x86-64-v4", 64}, {"", 16}};
    if (strstr(machine->features, "+avx512f"))
        return 64;
    if (strstr(machine->features, "+avx"))
        return 32;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(machine->cpu, known[i].cpu) == 0)
            return known[i].bytes;
    const char *error = NULL;
    LLVMTargetMachineRef probe =
        make_target_machine(scratch, &(CompileOptions){.target = *wish}, &error);
    int bytes = probe ? probe_vector_bytes(probe, machine->cpu, machine->features) : 16;
    if (probe)
        LLVMDisposeTargetMachine(probe);
    return bytes;
}

void target_vector_shape(const TargetMachine *target, int *vector_bytes, int *vector_registers) {
    Arena scratch = {0};
    Resolved machine = resolve(&scratch, target);
    *vector_bytes = 16;
    *vector_registers = 32;
    if (is_x86(machine.triple)) {
        *vector_bytes = x86_vector_bytes(&scratch, target, &machine);
        *vector_registers = *vector_bytes == 64 ? 32 : 16;
    } else if (starts_with(machine.triple, "wasm") || starts_with(machine.triple, "arm") ||
               starts_with(machine.triple, "thumb")) {
        *vector_registers = 16;
    }
    arena_free(&scratch);
}
