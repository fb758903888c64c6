// Products for several processors: each exported entry is an ifunc, whose resolver the dynamic
// loader (or the start of a static executable) calls once to learn which variant the name stands
// for. A call costs no more than any other, and there is no variable to write. Resolvers run before
// the object is relocated as a whole, so they use nothing but the processor's own instructions.
#include <string.h>

#include "codegen/emit_llvm.h"
#include "codegen/product.h"

typedef struct Level {
    const char *cpu, *suffix;
} Level;

// What find_level tells apart.
static const Level levels[] = {
    {"x86-64", ".v1"},
    {"x86-64-v3", ".v3"},
    {"x86-64-v4", ".v4"},
};
enum { LEVEL_COUNT = sizeof levels / sizeof *levels };
static const char *const level_cpus[LEVEL_COUNT] = {"x86-64", "x86-64-v3", "x86-64-v4"};

int dispatched_cpus(const char *const **cpus) {
    *cpus = level_cpus;
    char *triple = LLVMGetDefaultTargetTriple();
    const char *machine = "x86_64", *system = "-linux-gnu";
    size_t length = strlen(triple), tail = strlen(system);
    // Not x32, whose triple ends in gnux32; other C libraries have no ifuncs.
    bool can = strncmp(triple, machine, strlen(machine)) == 0 && length > tail &&
               strcmp(triple + length - tail, system) == 0;
    LLVMDisposeMessage(triple);
    return can ? LEVEL_COUNT : 0;
}

const char *variant_suffix(int number) {
    return levels[number].suffix;
}

// ---- what the processor can do

enum { EAX, EBX, ECX, EDX };

// Bits of what `cpuid` tells in one register, all of which a level needs.
enum {
    // Leaf 1, ECX: SSE3, SSSE3, FMA, CMPXCHG16B, SSE4.1, SSE4.2, MOVBE, POPCNT, OSXSAVE, AVX, F16C.
    // With OSXSAVE the system tells by `xgetbv` which registers it saves.
    BASIC_BITS = 1 << 0 | 1 << 9 | 1 << 12 | 1 << 13 | 1 << 19 | 1 << 20 | 1 << 22 | 1 << 23 |
                 1 << 27 | 1 << 28 | 1 << 29,
    // Leaf 7, EBX: BMI1, AVX2, BMI2.
    V3_BITS = 1 << 3 | 1 << 5 | 1 << 8,
    // Leaf 7, EBX: AVX512F, AVX512DQ, AVX512CD, AVX512BW, AVX512VL.
    V4_LOW_BITS = 1 << 16 | 1 << 17 | 1 << 28 | 1 << 30,
    // Leaf 0x80000001, ECX: LAHF in 64-bit code, LZCNT.
    EXTENDED_BITS = 1 << 0 | 1 << 5,
    // XCR0: the system saves XMM and YMM; also masks and ZMM.
    V3_STATE = 1 << 1 | 1 << 2,
    V4_STATE = V3_STATE | 1 << 5 | 1 << 6 | 1 << 7,
};
static const uint32_t v4_bits = (uint32_t)V4_LOW_BITS | UINT32_C(1) << 31;
static const uint32_t extended_leaf = UINT32_C(0x80000001);

static LLVMValueRef ask(Emitter *emitter, const char *instruction, const char *constraints,
                        LLVMTypeRef result, LLVMValueRef *arguments, unsigned count) {
    LLVMTypeRef types[] = {emitter->i32, emitter->i32};
    LLVMTypeRef type = LLVMFunctionType(result, types, count, 0);
    LLVMValueRef code = LLVMGetInlineAsm(type, instruction, strlen(instruction), constraints,
                                         strlen(constraints), 1, 0, LLVMInlineAsmDialectATT, 0);
    return LLVMBuildCall2(emitter->builder, type, code, arguments, count, "");
}

static LLVMValueRef read_cpuid(Emitter *emitter, uint32_t leaf, unsigned part) {
    LLVMTypeRef four[] = {emitter->i32, emitter->i32, emitter->i32, emitter->i32};
    LLVMTypeRef result = LLVMStructTypeInContext(emitter->context, four, 4, 0);
    LLVMValueRef arguments[] = {constant_i32(emitter, leaf), constant_i32(emitter, 0)};
    LLVMValueRef told =
        ask(emitter, "cpuid", "={eax},={ebx},={ecx},={edx},{eax},{ecx},~{dirflag},~{fpsr},~{flags}",
            result, arguments, 2);
    return LLVMBuildExtractValue(emitter->builder, told, part, "");
}

static LLVMValueRef read_saved_state(Emitter *emitter) {
    LLVMTypeRef two[] = {emitter->i32, emitter->i32};
    LLVMTypeRef result = LLVMStructTypeInContext(emitter->context, two, 2, 0);
    LLVMValueRef argument = constant_i32(emitter, 0);
    LLVMValueRef told = ask(emitter, "xgetbv", "={eax},={edx},{ecx},~{dirflag},~{fpsr},~{flags}",
                            result, &argument, 1);
    return LLVMBuildExtractValue(emitter->builder, told, 0, "");
}

static LLVMValueRef lacks(Emitter *emitter, LLVMValueRef bits, uint32_t needed) {
    LLVMBuilderRef b = emitter->builder;
    LLVMValueRef mask = constant_i32(emitter, needed);
    return LLVMBuildICmp(b, LLVMIntNE, LLVMBuildAnd(b, bits, mask, ""), mask, "");
}

static LLVMValueRef is_below(Emitter *emitter, LLVMValueRef value, uint32_t least) {
    return LLVMBuildICmp(emitter->builder, LLVMIntULT, value, constant_i32(emitter, least), "");
}

static LLVMValueRef add_internal_function(Emitter *emitter, const char *name, LLVMTypeRef result) {
    LLVMValueRef function =
        LLVMAddFunction(emitter->module, name, LLVMFunctionType(result, NULL, 0, 0));
    LLVMSetLinkage(function, LLVMInternalLinkage);
    add_function_attributes(emitter, function);
    begin_llvm_function(emitter, function, 0, NULL, 0);
    return function;
}

// The highest of `levels` that the processor and the system have. A leaf is asked for where it is
// known to be there, and `xgetbv` where OSXSAVE says so.
static LLVMValueRef find_level(Emitter *emitter) {
    LLVMValueRef least = constant_i32(emitter, 0);
    LLVMValueRef function = add_internal_function(
        emitter, arena_format(emitter->arena, "%s.level", emitter->program->name), emitter->i32);
    emit_return_if(emitter, is_below(emitter, read_cpuid(emitter, 0, EAX), 7), least);
    LLVMValueRef last = read_cpuid(emitter, UINT32_C(0x80000000), EAX);
    emit_return_if(emitter, is_below(emitter, last, extended_leaf), least);
    emit_return_if(emitter, lacks(emitter, read_cpuid(emitter, 1, ECX), BASIC_BITS), least);
    LLVMValueRef state = read_saved_state(emitter);
    emit_return_if(emitter, lacks(emitter, state, V3_STATE), least);
    LLVMValueRef extended = read_cpuid(emitter, extended_leaf, ECX);
    emit_return_if(emitter, lacks(emitter, extended, EXTENDED_BITS), least);
    LLVMValueRef vectors = read_cpuid(emitter, 7, EBX);
    emit_return_if(emitter, lacks(emitter, vectors, V3_BITS), least);
    emit_return_if(emitter, lacks(emitter, state, V4_STATE), constant_i32(emitter, 1));
    emit_return_if(emitter, lacks(emitter, vectors, v4_bits), constant_i32(emitter, 1));
    LLVMBuildRet(emitter->builder, constant_i32(emitter, 2));
    return function;
}

// ---- the exported symbols

static void export_best(Emitter *emitter, const char *symbol, LLVMValueRef find) {
    LLVMBuilderRef b = emitter->builder;
    LLVMValueRef resolver = add_internal_function(
        emitter, arena_format(emitter->arena, "%s.choose", symbol), emitter->pointer);
    LLVMValueRef level = LLVMBuildCall2(b, LLVMGlobalGetValueType(find), find, NULL, 0, "");
    LLVMValueRef best = NULL;
    LLVMTypeRef type = NULL;
    for (int i = 0; i < LEVEL_COUNT; i++) {
        LLVMValueRef variant = LLVMGetNamedFunction(
            emitter->module, arena_format(emitter->arena, "%s%s", symbol, levels[i].suffix));
        check(variant != NULL, "%s has no variant for %s", symbol, levels[i].cpu);
        type = LLVMGlobalGetValueType(variant);
        LLVMValueRef reached =
            LLVMBuildICmp(b, LLVMIntUGE, level, constant_i32(emitter, (uint32_t)i), "");
        best = best ? LLVMBuildSelect(b, reached, variant, best, "") : variant;
    }
    LLVMBuildRet(b, best);
    LLVMAddGlobalIFunc(emitter->module, symbol, strlen(symbol), type, 0, resolver);
}

void emit_dispatch(Emitter *emitter) {
    const Program *program = emitter->program;
    LLVMValueRef find = find_level(emitter);
    for (int i = 0; i < program->entries.count; i++) {
        const Entry *entry = program->entries.at[i];
        const char *own = entry_symbol(emitter->arena, program, entry);
        const char *loaded = loaded_symbol(emitter->arena, program, entry);
        export_best(emitter, own, find);
        if (strcmp(own, loaded) != 0)
            export_best(emitter, loaded, find);
    }
}
