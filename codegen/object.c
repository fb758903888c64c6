// A Program through LLVM: module, passes, and an object, assembly or IR text in memory. Each call
// has a context and a target machine of its own, so threads may compile at once.
#include <llvm-c/Error.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <string.h>

#include "codegen/emit_llvm.h"

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

// The optimised module. On failure everything is disposed of again.
static bool begin_compilation(Compilation *compilation, Arena *arena,
                              const Program *const *variants, int variant_count,
                              const CompileOptions *options, const char **error) {
    *compilation = (Compilation){.arena = arena};
    compilation->machine = make_target_machine(arena, options, error);
    if (compilation->machine == NULL)
        return false;
    compilation->context = LLVMContextCreate();
    LLVMContextSetDiagnosticHandler(compilation->context, note_diagnostic, compilation);
    compilation->module = emit_llvm_module(arena, compilation->context, compilation->machine,
                                           variants, variant_count, options, error);
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

static bool compile_code(Arena *arena, const Program *const *variants, int variant_count,
                         const CompileOptions *options, LLVMCodeGenFileType kind, Bytes *code,
                         const char **error) {
    Compilation compilation;
    if (!begin_compilation(&compilation, arena, variants, variant_count, options, error))
        return false;
    LLVMMemoryBufferRef buffer = emit_code(&compilation, kind, error);
    if (buffer) {
        code->count = LLVMGetBufferSize(buffer);
        code->at =
            (const unsigned char *)arena_copy_text(arena, LLVMGetBufferStart(buffer), code->count);
        LLVMDisposeMemoryBuffer(buffer);
    }
    end_compilation(&compilation);
    return buffer != NULL;
}

bool compile_object(Arena *arena, const Program *program, const CompileOptions *options,
                    Bytes *object, const char **error) {
    return compile_code(arena, &program, 1, options, LLVMObjectFile, object, error);
}

bool compile_variants(Arena *arena, const Program *const *variants, const CompileOptions *options,
                      Bytes *object, const char **error) {
    const char *const *cpus;
    int count = dispatched_cpus(&cpus);
    check(count > 0, "variants without a way to choose among them");
    CompileOptions least = *options;
    least.target.cpu = cpus[0];
    return compile_code(arena, variants, count, &least, LLVMObjectFile, object, error);
}

bool compile_assembly(Arena *arena, const Program *program, const CompileOptions *options,
                      Text *out, const char **error) {
    Bytes code;
    if (!compile_code(arena, &program, 1, options, LLVMAssemblyFile, &code, error))
        return false;
    text_add_bytes(out, (const char *)code.at, code.count);
    return true;
}

bool compile_llvm_text(Arena *arena, const Program *program, const CompileOptions *options,
                       Text *out, const char **error) {
    Compilation compilation;
    if (!begin_compilation(&compilation, arena, &program, 1, options, error))
        return false;
    char *text = LLVMPrintModuleToString(compilation.module);
    text_add(out, text);
    LLVMDisposeMessage(text);
    end_compilation(&compilation);
    return true;
}
