// Machine code in this process: objects that compile_objects made are linked by LLJIT. Functions of
// libm come from this process. LLJIT compiles nothing here, so the same bytes serve files and
// memory.
#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Orc.h>
#include <string.h>

#include "codegen/emit_llvm.h"
#include "codegen/loaded.h"
#include "codegen/product.h"

// False and *error if LLVM reports a failure.
static bool succeeded(Arena *arena, LLVMErrorRef failure, const char **error) {
    if (failure == LLVMErrorSuccess)
        return true;
    char *message = LLVMGetErrorMessage(failure);
    *error = arena_format(arena, "cannot load the compiled program: %s", message);
    LLVMDisposeErrorMessage(message);
    return false;
}

// Failures reach us as results too; LLVM would print them on stderr besides.
static void drop_report(void *data, LLVMErrorRef failure) {
    LLVMConsumeError(failure);
}

static bool add_process_symbols(Arena *arena, LLVMOrcLLJITRef jit, const char **error) {
    LLVMOrcDefinitionGeneratorRef generator = NULL;
    if (!succeeded(arena,
                   LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(
                       &generator, LLVMOrcLLJITGetGlobalPrefix(jit), NULL, NULL),
                   error))
        return false;
    LLVMOrcJITDylibAddGenerator(LLVMOrcLLJITGetMainJITDylib(jit), generator);
    return true;
}

static bool add_objects(Arena *arena, LLVMOrcLLJITRef jit, Objects objects, const char **error) {
    for (int i = 0; i < objects.count; i++) {
        const char *name = arena_format(arena, "part %d", i); // LLJIT wants different ones
        LLVMMemoryBufferRef buffer = LLVMCreateMemoryBufferWithMemoryRangeCopy(
            (const char *)objects.at[i].at, objects.at[i].count, name);
        LLVMErrorRef failure =
            LLVMOrcLLJITAddObjectFile(jit, LLVMOrcLLJITGetMainJITDylib(jit), buffer);
        if (!succeeded(arena, failure, error))
            return false;
    }
    return true;
}

static bool find_entries(Arena *arena, Loaded *loaded, LLVMOrcLLJITRef jit, const char **error) {
    const Program *program = loaded->program;
    for (int i = 0; i < program->entries.count; i++) {
        LLVMOrcExecutorAddress address = 0;
        const char *name = loaded_symbol(arena, program, program->entries.at[i]);
        if (!succeeded(arena, LLVMOrcLLJITLookup(jit, &address, name), error))
            return false;
        uintptr_t place = (uintptr_t)address;
        memcpy(&loaded->entries[i], &place, sizeof place);
    }
    return true;
}

static void dispose_jit(void *jit) {
    LLVMConsumeError(LLVMOrcDisposeLLJIT(jit));
}

Loaded *load_objects(const Program *program, Objects objects, const char **error, Arena *arena) {
    LLVMOrcLLJITRef jit = NULL;
    hold_targets(false);
    LLVMErrorRef failure = LLVMOrcCreateLLJIT(&jit, NULL);
    release_targets();
    if (!succeeded(arena, failure, error))
        return NULL;
    LLVMOrcExecutionSessionSetErrorReporter(LLVMOrcLLJITGetExecutionSession(jit), drop_report,
                                            NULL);
    Loaded *loaded = loaded_new(arena, program);
    loaded->owner = jit;
    loaded->release = dispose_jit;
    if (add_process_symbols(arena, jit, error) && add_objects(arena, jit, objects, error) &&
        find_entries(arena, loaded, jit, error))
        return loaded;
    loaded_free(loaded);
    return NULL;
}
