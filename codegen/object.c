// A Program through LLVM: module, passes, and objects, assembly or IR text in memory. Each part of
// it has a context, a target machine and an arena of its own, so that threads compile parts at
// once.
#include <llvm-c/Error.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <string.h>

#include "codegen/emit_llvm.h"
#include "codegen/workers.h"

// What a compilation holds of LLVM's, and what LLVM complained about.
typedef struct Compilation {
    Arena *arena;
    LLVMContextRef context;
    LLVMTargetMachineRef machine;
    LLVMModuleRef module;
    const char *complaint;
} Compilation;

// Errors are kept for the caller; warnings and remarks are nobody's business here.
static void note_diagnostic(LLVMDiagnosticInfoRef diagnostic, void *data) {
    Compilation *compilation = data;
    if (LLVMGetDiagInfoSeverity(diagnostic) == LLVMDSError && compilation->complaint == NULL)
        compilation->complaint =
            take_message(compilation->arena, LLVMGetDiagInfoDescription(diagnostic));
}

static void end_compilation(Compilation *compilation) {
    if (compilation->module)
        LLVMDisposeModule(compilation->module);
    if (compilation->machine)
        LLVMDisposeTargetMachine(compilation->machine);
    if (compilation->context)
        LLVMContextDispose(compilation->context);
}

static bool run_pipeline(Compilation *compilation, const char *pipeline, int level,
                         const char **error) {
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMPassBuilderOptionsSetLoopVectorization(options, level >= 2);
    // Vectors are explicit already; SLP would only gather the indices of unrolled tiles into them.
    LLVMPassBuilderOptionsSetSLPVectorization(options, 0);
    LLVMErrorRef failure =
        LLVMRunPasses(compilation->module, pipeline, compilation->machine, options);
    LLVMDisposePassBuilderOptions(options);
    if (failure == LLVMErrorSuccess)
        return true;
    char *message = LLVMGetErrorMessage(failure);
    *error = arena_format(compilation->arena, "internal error: LLVM's passes failed: %s", message);
    LLVMDisposeErrorMessage(message);
    return false;
}

static bool has_mark(LLVMValueRef function, const char *mark) {
    return LLVMGetStringAttributeAtIndex(function, LLVMAttributeFunctionIndex, mark,
                                         (unsigned)strlen(mark)) != NULL;
}

// Tells LLVM to leave a function as it is, or to have a look at it again.
static void set_untouched(const Compilation *compilation, LLVMValueRef function, bool untouched) {
    static const char *const names[] = {"optnone", "noinline"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        unsigned kind = LLVMGetEnumAttributeKindForName(names[i], strlen(names[i]));
        LLVMRemoveEnumAttributeAtIndex(function, LLVMAttributeFunctionIndex, kind);
        if (untouched)
            LLVMAddAttributeAtIndex(function, LLVMAttributeFunctionIndex,
                                    LLVMCreateEnumAttribute(compilation->context, kind, 0));
    }
}

// Shows LLVM only the functions with a mark, or only those without.
static void show_marked(const Compilation *compilation, const char *mark, bool shown) {
    LLVMValueRef function = LLVMGetFirstFunction(compilation->module);
    for (; function != NULL; function = LLVMGetNextFunction(function))
        if (!LLVMIsDeclaration(function))
            set_untouched(compilation, function, has_mark(function, mark) != shown);
}

// Machine code of straight functions is not worth optimising: they only call.
static void drop_marks(const Compilation *compilation) {
    static const char *const marks[] = {SCALAR_LOOPS_MARK, CALLS_ONLY_MARK};
    LLVMValueRef function = LLVMGetFirstFunction(compilation->module);
    for (; function != NULL; function = LLVMGetNextFunction(function)) {
        if (!LLVMIsDeclaration(function))
            set_untouched(compilation, function, has_mark(function, CALLS_ONLY_MARK));
        for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
            LLVMRemoveStringAttributeAtIndex(function, LLVMAttributeFunctionIndex, marks[i],
                                             (unsigned)strlen(marks[i]));
    }
}

// Lowering has fused, tiled and hoisted, and vector loops are vectors already, so that little is
// left to do but to put locals into registers. Loops that stayed scalar are for LLVM's vectoriser,
// which would cost much and find nothing in the other functions.
static bool optimise(Compilation *compilation, int level, const char **error) {
    show_marked(compilation, SCALAR_LOOPS_MARK, false);
    bool good = run_pipeline(compilation, "always-inline,function(sroa,early-cse,simplifycfg)",
                             level, error);
    if (!good || level < 2)
        return good;
    show_marked(compilation, SCALAR_LOOPS_MARK, true);
    return run_pipeline(compilation,
                        "function(sroa,early-cse<memssa>,simplifycfg,"
                        "instcombine<no-verify-fixpoint>,loop-mssa(licm),loop-vectorize,"
                        "instcombine<no-verify-fixpoint>,simplifycfg)",
                        level, error);
}

static bool run_passes(Compilation *compilation, int level, const char **error) {
    bool good = level == 0   ? run_pipeline(compilation, "default<O0>", level, error)
                : level >= 3 ? run_pipeline(compilation, "default<O3>", level, error)
                             : optimise(compilation, level, error);
    drop_marks(compilation);
    return good;
}

// The optimised module of a part. On failure everything is disposed of again.
static bool begin_compilation(Compilation *compilation, Arena *arena, const Parts *parts, int part,
                              const CompileOptions *options, const char **error) {
    *compilation = (Compilation){.arena = arena};
    compilation->machine = make_target_machine(arena, options, error);
    if (compilation->machine == NULL)
        return false;
    compilation->context = LLVMContextCreate();
    LLVMContextSetDiagnosticHandler(compilation->context, note_diagnostic, compilation);
    compilation->module = emit_llvm_module(arena, compilation->context, compilation->machine, parts,
                                           part, options, error);
    if (compilation->module && run_passes(compilation, options->level, error))
        return true;
    end_compilation(compilation);
    return false;
}

// The module's code as an object or as assembly. NULL and *error on failure.
static LLVMMemoryBufferRef emit_code(Compilation *compilation, LLVMCodeGenFileType kind,
                                     const char **error) {
    char *message = NULL;
    LLVMMemoryBufferRef buffer = NULL;
    bool failed = LLVMTargetMachineEmitToMemoryBuffer(compilation->machine, compilation->module,
                                                      kind, &message, &buffer);
    if (failed) {
        *error = arena_format(compilation->arena, "LLVM cannot make the code: %s",
                              take_message(compilation->arena, message));
        return NULL;
    }
    if (compilation->complaint) {
        *error = arena_format(compilation->arena, "LLVM cannot make the code: %s",
                              compilation->complaint);
        LLVMDisposeMemoryBuffer(buffer);
        return NULL;
    }
    return buffer;
}

// ---- parts

// What came of a part.
typedef struct Made {
    Arena arena;
    LLVMMemoryBufferRef buffer; // NULL: it failed
    const char *error;          // in the arena
} Made;

typedef struct Making {
    const Parts *parts;
    const CompileOptions *options;
    LLVMCodeGenFileType kind;
    Made *made; // of each part
} Making;

static void make_part(void *context, int part) {
    const Making *making = context;
    Made *made = &making->made[part];
    Compilation compilation;
    if (!begin_compilation(&compilation, &made->arena, making->parts, part, making->options,
                           &made->error))
        return;
    made->buffer = emit_code(&compilation, making->kind, &made->error);
    end_compilation(&compilation);
}

// Copies what was made to `arena`. Of several errors the first part's is told.
static bool take_parts(Arena *arena, Made *made, int count, Objects *objects, const char **error) {
    bool good = true;
    *objects = (Objects){arena_array(arena, Bytes, count), count};
    for (int i = 0; i < count; i++) {
        if (made[i].buffer) {
            size_t size = LLVMGetBufferSize(made[i].buffer);
            objects->at[i] = (Bytes){
                (unsigned char *)arena_copy_text(arena, LLVMGetBufferStart(made[i].buffer), size),
                size};
            LLVMDisposeMemoryBuffer(made[i].buffer);
        } else if (good) {
            *error = arena_copy_string(arena, made[i].error);
            good = false;
        }
        arena_free(&made[i].arena);
    }
    return good;
}

static bool compile_parts(Arena *arena, const Parts *parts, const CompileOptions *options,
                          LLVMCodeGenFileType kind, Objects *objects, const char **error) {
    Making making = {parts, options, kind, arena_array(arena, Made, parts->count)};
    int threads = parts->count == 1      ? 1
                  : options->threads > 0 ? options->threads
                                         : usable_processors();
    do_tasks(parts->count, threads, make_part, &making);
    return take_parts(arena, making.made, parts->count, objects, error);
}

bool compile_objects(Arena *arena, const Program *program, const CompileOptions *options,
                     Objects *objects, const char **error) {
    Parts parts = plan_parts(arena, &program, &options->target, 1, options);
    return compile_parts(arena, &parts, options, LLVMObjectFile, objects, error);
}

bool compile_variants(Arena *arena, const Program *const *variants, const CompileOptions *options,
                      Objects *objects, const char **error) {
    const char *const *cpus;
    int count = dispatched_cpus(&cpus);
    check(count > 0, "variants without a way to choose among them");
    TargetMachine *targets = arena_array(arena, TargetMachine, count);
    for (int i = 0; i < count; i++)
        targets[i] = (TargetMachine){.triple = options->target.triple, .cpu = cpus[i]};
    CompileOptions least = *options;
    least.target.cpu = cpus[0];
    Parts parts = plan_parts(arena, variants, targets, count, &least);
    return compile_parts(arena, &parts, &least, LLVMObjectFile, objects, error);
}

// ---- text

static Parts one_part(Arena *arena, const Program *const *program, const CompileOptions *options) {
    CompileOptions whole = *options;
    whole.parts = 1;
    return plan_parts(arena, program, &options->target, 1, &whole);
}

bool compile_assembly(Arena *arena, const Program *program, const CompileOptions *options,
                      Text *out, const char **error) {
    Parts parts = one_part(arena, &program, options);
    Objects code;
    if (!compile_parts(arena, &parts, options, LLVMAssemblyFile, &code, error))
        return false;
    text_add_bytes(out, (const char *)code.at[0].at, code.at[0].count);
    return true;
}

bool compile_llvm_text(Arena *arena, const Program *program, const CompileOptions *options,
                       Text *out, const char **error) {
    Parts parts = one_part(arena, &program, options);
    Compilation compilation;
    if (!begin_compilation(&compilation, arena, &parts, 0, options, error))
        return false;
    char *text = LLVMPrintModuleToString(compilation.module);
    text_add(out, text);
    LLVMDisposeMessage(text);
    end_compilation(&compilation);
    return true;
}
