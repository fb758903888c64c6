// What LLVM knows of a processor by its name. Its C interface does not tell: a machine made for an
// unknown name warns on stderr and is generic, and the list of names is printed there too. So the
// list is read from a child process, and the width of vectors from code that is made for it.
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "codegen/emit_llvm.h"
#include "codegen/llvm_processors.h"

// ---- names

// Everything that the child writes to its stderr while LLVM makes a machine called "help".
static void print_help(LLVMTargetRef target, const char *triple, int file) {
    if (dup2(file, STDERR_FILENO) >= 0)
        LLVMCreateTargetMachine(target, triple, "help", "", LLVMCodeGenLevelNone, LLVMRelocDefault,
                                LLVMCodeModelDefault);
    _exit(127);
}

static void read_all(int file, Text *text) {
    char part[4096];
    ssize_t count;
    do {
        count = read(file, part, sizeof part);
        if (count > 0)
            text_add_bytes(text, part, (size_t)count);
    } while (count > 0 || (count < 0 && errno == EINTR));
}

static const char *list_of(Arena *arena, LLVMTargetRef target, const char *triple) {
    int ends[2];
    Text text = text_new(arena);
    if (pipe(ends) != 0)
        return "";
    pid_t child = fork();
    if (child == 0)
        print_help(target, triple, ends[1]);
    close(ends[1]);
    if (child > 0) {
        read_all(ends[0], &text);
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    close(ends[0]);
    return text_string(&text);
}

// Lines `  name   - Select the name processor.`, up to those of features.
static void read_names(Arena *arena, const char *list, ProcessorNames *names) {
    const char *end = strstr(list, "Available features");
    for (const char *line = list; line && (end == NULL || line < end);) {
        size_t indent = strspn(line, " "), length = strcspn(line + indent, " \n");
        const char *rest = line + indent + length;
        if (indent > 0 && strncmp(rest + strspn(rest, " "), "- Select", 8) == 0)
            vec_push(arena, names, arena_copy_text(arena, line + indent, length));
        line = strchr(line, '\n');
        line += line != NULL;
    }
}

ProcessorNames processor_names(Arena *arena, LLVMTargetRef target, const char *triple) {
    ProcessorNames names = {0};
    read_names(arena, list_of(arena, target, triple), &names);
    return names;
}

// ---- vectors

// f(pointer): 16 numbers of f32, each added to itself.
static LLVMModuleRef make_probe(LLVMContextRef context, const char *cpu, const char *features) {
    LLVMModuleRef module = LLVMModuleCreateWithNameInContext("probe", context);
    LLVMBuilderRef b = LLVMCreateBuilderInContext(context);
    LLVMTypeRef pointer = LLVMPointerTypeInContext(context, 0);
    LLVMTypeRef type = LLVMVectorType(LLVMFloatTypeInContext(context), 16);
    LLVMValueRef function = LLVMAddFunction(
        module, "f", LLVMFunctionType(LLVMVoidTypeInContext(context), &pointer, 1, 0));
    const char *attributes[][2] = {
        {"target-cpu", cpu}, {"target-features", features}, {"prefer-vector-width", "512"}};
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
        LLVMAddAttributeAtIndex(
            function, LLVMAttributeFunctionIndex,
            LLVMCreateStringAttribute(context, attributes[i][0], (unsigned)strlen(attributes[i][0]),
                                      attributes[i][1], (unsigned)strlen(attributes[i][1])));
    LLVMPositionBuilderAtEnd(b, LLVMAppendBasicBlockInContext(context, function, "entry"));
    LLVMValueRef place = LLVMGetParam(function, 0), x = LLVMBuildLoad2(b, type, place, "");
    LLVMBuildStore(b, LLVMBuildFAdd(b, x, x, ""), place);
    LLVMBuildRetVoid(b);
    LLVMDisposeBuilder(b);
    return module;
}

int probe_vector_bytes(LLVMTargetMachineRef machine, const char *cpu, const char *features) {
    int bytes = 16;
    LLVMContextRef context = LLVMContextCreate();
    LLVMModuleRef module = make_probe(context, cpu, features);
    LLVMMemoryBufferRef code = NULL;
    char *message = NULL;
    if (LLVMTargetMachineEmitToMemoryBuffer(machine, module, LLVMAssemblyFile, &message, &code)) {
        LLVMDisposeMessage(message);
    } else {
        const char *text = LLVMGetBufferStart(code);
        bytes = strstr(text, "%zmm") ? 64 : strstr(text, "%ymm") ? 32 : 16;
        LLVMDisposeMemoryBuffer(code);
    }
    LLVMDisposeModule(module);
    LLVMContextDispose(context);
    return bytes;
}
