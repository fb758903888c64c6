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
    bool has_scalar_loops;
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

// Lowering has fused, tiled and hoisted, and vector loops are vectors already, so that little is
// left to do but to put locals into registers. Loops that stayed scalar are for LLVM's vectoriser.
static const char *pipeline_of(const Compilation *compilation, int level) {
    if (level == 0)
        return "default<O0>";
    if (level >= 3)
        return "default<O3>";
    if (level == 2 && compilation->has_scalar_loops)
        return "function(sroa,early-cse<memssa>,simplifycfg,instcombine<no-verify-fixpoint>,"
               "loop-mssa(licm),loop-vectorize,instcombine<no-verify-fixpoint>,simplifycfg)";
    return "function(sroa,early-cse,simplifycfg)";
}

static bool run_passes(Compilation *compilation, int level, const char **error) {
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMPassBuilderOptionsSetLoopVectorization(options, level >= 2);
    // Vectors are explicit already; SLP would only gather the indices of unrolled tiles into them.
    LLVMPassBuilderOptionsSetSLPVectorization(options, 0);
    LLVMErrorRef failure = LLVMRunPasses(compilation->module, pipeline_of(compilation, level),
                                         compilation->machine, options);
    LLVMDisposePassBuilderOptions(options);
    if (failure == LLVMErrorSuccess)
        return true;
    char *message = LLVMGetErrorMessage(failure);
    *error = arena_format(compilation->arena, "internal error: LLVM's passes failed: %s", message);
    LLVMDisposeErrorMessage(message);
    return false;
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
    compilation->module =
        emit_llvm_module(arena, compilation->context, compilation->machine, variants, variant_count,
                         options, &compilation->has_scalar_loops, error);
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
