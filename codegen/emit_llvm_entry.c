// The exported functions of a module: entries, which check their pointers, find the fields and the
// temporaries and run their body, and the small functions that tell sizes and statuses. Names,
// checks and statuses are those of the generated header, as in the C product.
#include <string.h>

#include "codegen/emit_llvm.h"
#include "codegen/product.h"

// Variants are internal: emit_dispatch exports the one that is chosen.
static LLVMValueRef add_exported_function(Emitter *emitter, const char *name, LLVMTypeRef type) {
    LLVMValueRef function = LLVMAddFunction(
        emitter->module, arena_format(emitter->arena, "%s%s", name, emitter->suffix), type);
    if (emitter->suffix[0])
        LLVMSetLinkage(function, LLVMInternalLinkage);
    add_function_attributes(emitter, function);
    return function;
}

// ---- entries

// The parameters of an entry, and what was loaded from the structs.
typedef struct EntryPointers {
    LLVMValueRef groups[GROUP_COUNT]; // NULL: not used
    LLVMValueRef workspace;
    LLVMValueRef parallel; // a NULL pointer where there is no such parameter
} EntryPointers;

static LLVMValueRef declare_entry(Emitter *emitter, const Entry *entry, EntryPointers *pointers) {
    LLVMTypeRef types[GROUP_COUNT + 2];
    int count = 0;
    bool parallel = entry_is_parallel(entry);
    for (int kind = 0; kind < GROUP_COUNT; kind++)
        if (entry->groups[kind].used)
            types[count++] = emitter->pointer;
    types[count++] = emitter->pointer;
    if (parallel)
        types[count++] = emitter->pointer;
    LLVMTypeRef type = LLVMFunctionType(emitter->i32, types, (unsigned)count, 0);
    LLVMValueRef function = add_exported_function(
        emitter, loaded_symbol(emitter->arena, emitter->program, entry), type);
    unsigned parameter = 0;
    for (int kind = 0; kind < GROUP_COUNT; kind++)
        pointers->groups[kind] =
            entry->groups[kind].used ? LLVMGetParam(function, parameter++) : NULL;
    pointers->workspace = LLVMGetParam(function, parameter++);
    pointers->parallel =
        parallel ? LLVMGetParam(function, parameter) : LLVMConstNull(emitter->pointer);
    return function;
}

// The entry without the last parameter: it calls the other with NULL.
static void emit_serial_entry(Emitter *emitter, const Entry *entry, LLVMValueRef parallel_entry) {
    LLVMTypeRef type = LLVMGlobalGetValueType(parallel_entry), types[GROUP_COUNT + 2];
    LLVMValueRef arguments[GROUP_COUNT + 2];
    unsigned count = LLVMCountParamTypes(type) - 1;
    LLVMGetParamTypes(type, types);
    LLVMValueRef function =
        add_exported_function(emitter, entry_symbol(emitter->arena, emitter->program, entry),
                              LLVMFunctionType(emitter->i32, types, count, 0));
    begin_llvm_function(emitter, function, 0, NULL, 0);
    LLVMGetParams(function, arguments);
    arguments[count] = LLVMConstNull(emitter->pointer);
    LLVMBuildRet(emitter->builder,
                 LLVMBuildCall2(emitter->builder, type, parallel_entry, arguments, count + 1, ""));
}

// A branch for each pointer: a processor foretells it, and does a test and a branch as one step.
static void return_null_pointer_if(Emitter *emitter, LLVMValueRef failed) {
    emit_return_if(emitter, failed, LLVMConstInt(emitter->i32, STATUS_NULL_POINTER, 0));
}

static void check_pointer(Emitter *emitter, LLVMValueRef pointer) {
    return_null_pointer_if(emitter, LLVMBuildIsNull(emitter->builder, pointer, ""));
}

static LLVMValueRef workspace_is_bad(Emitter *emitter, LLVMValueRef workspace) {
    LLVMBuilderRef b = emitter->builder;
    LLVMValueRef address = LLVMBuildPtrToInt(b, workspace, emitter->size, "");
    LLVMValueRef low =
        LLVMBuildAnd(b, address, LLVMConstInt(emitter->size, WORKSPACE_ALIGNMENT - 1, 0), "");
    LLVMValueRef crooked = LLVMBuildICmp(b, LLVMIntNE, low, LLVMConstInt(emitter->size, 0, 0), "");
    return LLVMBuildOr(b, LLVMBuildIsNull(b, workspace, ""), crooked, "");
}

static void check_groups(Emitter *emitter, const Entry *entry, const EntryPointers *pointers) {
    for (int kind = 0; kind < GROUP_COUNT; kind++)
        if (pointers->groups[kind])
            check_pointer(emitter, pointers->groups[kind]);
    if (entry->workspace_bytes)
        return_null_pointer_if(emitter, workspace_is_bad(emitter, pointers->workspace));
}

static LLVMValueRef load_field(Emitter *emitter, LLVMValueRef group, int field) {
    LLVMValueRef index = constant_i64(emitter, field);
    LLVMValueRef place =
        LLVMBuildInBoundsGEP2(emitter->builder, emitter->pointer, group, &index, 1, "");
    return LLVMBuildLoad2(emitter->builder, emitter->pointer, place, "");
}

// Loads the pointers of the fields that this entry uses and checks those that must be there.
static void load_fields(Emitter *emitter, const Entry *entry, const EntryPointers *pointers) {
    for (int kind = 0; kind < GROUP_COUNT; kind++) {
        const Group *group = &entry->groups[kind];
        for (int i = 0; pointers->groups[kind] && i < group->fields.count; i++) {
            const Buffer *buffer = group->fields.at[i].buffer;
            if (buffer == NULL)
                continue;
            if (kind == GROUP_KEY) {
                emitter->buffers[buffer->id] = pointers->groups[kind];
                continue;
            }
            LLVMValueRef pointer = load_field(emitter, pointers->groups[kind], i);
            emitter->buffers[buffer->id] = pointer;
            if (entry_needs_field(entry, (GroupKind)kind, i))
                check_pointer(emitter, pointer);
        }
    }
}

static LLVMValueRef constant_one(Emitter *emitter, ElementType element) {
    LLVMTypeRef type = llvm_storage_type(emitter, element);
    LLVMValueRef one = element_is_real(element) ? LLVMConstReal(type, 1) : LLVMConstInt(type, 1, 0);
    LLVMValueRef global = LLVMAddGlobal(
        emitter->module, type, arena_format(emitter->arena, "%s.one", emitter->program->name));
    LLVMSetInitializer(global, one);
    LLVMSetGlobalConstant(global, 1);
    LLVMSetLinkage(global, LLVMPrivateLinkage);
    return global;
}

// A one-element seed that is left out points to a 1.
static void default_fields(Emitter *emitter, const Entry *entry) {
    for (int kind = 0; kind < GROUP_COUNT; kind++) {
        const Group *group = &entry->groups[kind];
        for (int i = 0; group->used && i < group->fields.count; i++) {
            const Buffer *buffer = group->fields.at[i].buffer;
            if (buffer == NULL || !buffer->default_one)
                continue;
            LLVMValueRef pointer = emitter->buffers[buffer->id];
            emitter->buffers[buffer->id] =
                LLVMBuildSelect(emitter->builder, LLVMBuildIsNull(emitter->builder, pointer, ""),
                                constant_one(emitter, buffer->element), pointer, "");
        }
    }
}

// Without any bytes of workspace its pointer may be NULL: then only empty buffers are here.
static void place_temporaries(Emitter *emitter, const Entry *entry, LLVMValueRef workspace) {
    const Program *program = emitter->program;
    for (int i = 0; i < program->buffers.count; i++) {
        const Buffer *buffer = program->buffers.at[i];
        bool is_others = buffer->entry != NULL && buffer->entry != entry;
        if (buffer->kind != BUFFER_WORKSPACE || is_others)
            continue;
        LLVMValueRef offset = constant_i64(emitter, (int64_t)buffer->offset);
        LLVMValueRef place =
            LLVMBuildGEP2(emitter->builder, emitter->i8, workspace, &offset, 1, "");
        if (buffer->result != NULL) {
            LLVMValueRef result = emitter->buffers[buffer->result->id];
            LLVMValueRef is_null = LLVMBuildIsNull(emitter->builder, result, "");
            place = LLVMBuildSelect(emitter->builder, is_null, place, result, "");
        }
        emitter->buffers[buffer->id] = place;
    }
}

// The calls of kernels in a block; -1: some statement computes, or runs more than once.
static int count_calls(const Block *block) {
    int count = 0;
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *s = block->statements.at[i];
        int inside =
            s->kind == STATEMENT_CALL || s->kind == STATEMENT_COPY || s->kind == STATEMENT_ZERO
                ? s->kind == STATEMENT_CALL
            : s->kind == STATEMENT_PRESENT ? count_calls(&s->body)
                                           : -1;
        if (inside < 0)
            return -1;
        count += inside;
    }
    return count;
}

// Where an entry only calls kernels, and many, what happens between them hardly takes time.
static bool is_only_calls(const Entry *entry) {
    enum { MANY_CALLS = 8 };
    return count_calls(&entry->body) >= MANY_CALLS;
}

static void emit_entry(Emitter *emitter, const Entry *entry) {
    EntryPointers pointers;
    LLVMValueRef function = declare_entry(emitter, entry, &pointers);
    emitter->returns_status = true;
    emitter->arguments = NULL;
    begin_llvm_function(emitter, function, entry->scalar_count, entry->locals.at,
                        entry->locals.count);
    if (is_only_calls(entry))
        mark_function(emitter, function, CALLS_ONLY_MARK);
    emitter->parallel = pointers.parallel;
    check_groups(emitter, entry, &pointers);
    load_fields(emitter, entry, &pointers);
    default_fields(emitter, entry);
    place_temporaries(emitter, entry, pointers.workspace);
    emit_llvm_block(emitter, &entry->body);
    LLVMBuildRet(emitter->builder, LLVMConstInt(emitter->i32, STATUS_DONE, 0));
    if (entry_is_parallel(entry))
        emit_serial_entry(emitter, entry, function);
}

// ---- the functions that every product has

static void emit_constant_function(Emitter *emitter, const char *name, LLVMTypeRef type,
                                   size_t value) {
    LLVMValueRef function =
        add_exported_function(emitter, name, LLVMFunctionType(type, NULL, 0, 0));
    begin_llvm_function(emitter, function, 0, NULL, 0);
    LLVMBuildRet(emitter->builder, LLVMConstInt(type, value, 0));
}

static LLVMValueRef status_string(Emitter *emitter, int status) {
    Text message = text_new(emitter->arena);
    print_status(&message, emitter->program, status);
    LLVMValueRef data = LLVMConstStringInContext2(emitter->context, text_string(&message),
                                                  strlen(text_string(&message)), 0);
    LLVMValueRef global =
        LLVMAddGlobal(emitter->module, LLVMTypeOf(data),
                      arena_format(emitter->arena, "%s.status", emitter->program->name));
    LLVMSetInitializer(global, data);
    LLVMSetGlobalConstant(global, 1);
    LLVMSetUnnamedAddress(global, LLVMGlobalUnnamedAddr);
    LLVMSetLinkage(global, LLVMPrivateLinkage);
    return global;
}

static void emit_status_function(Emitter *emitter) {
    LLVMBuilderRef b = emitter->builder;
    int known = STATUS_FIRST_SITE + emitter->program->sites.count;
    LLVMValueRef function = add_exported_function(
        emitter, arena_format(emitter->arena, "%s_status_text", emitter->program->name),
        LLVMFunctionType(emitter->pointer, &emitter->i32, 1, 0));
    begin_llvm_function(emitter, function, 0, NULL, 0);
    LLVMBasicBlockRef unknown = new_block(emitter, "unknown");
    LLVMValueRef choice = LLVMBuildSwitch(b, LLVMGetParam(function, 0), unknown, (unsigned)known);
    for (int status = 0; status < known; status++) {
        LLVMBasicBlockRef block = new_block(emitter, "status");
        LLVMAddCase(choice, LLVMConstInt(emitter->i32, (unsigned long long)status, 0), block);
        LLVMPositionBuilderAtEnd(b, block);
        LLVMBuildRet(b, status_string(emitter, status));
    }
    LLVMPositionBuilderAtEnd(b, unknown);
    LLVMBuildRet(b, status_string(emitter, -1));
}

void emit_llvm_entries(Emitter *emitter) {
    for (int i = 0; i < emitter->program->entries.count; i++)
        emit_entry(emitter, emitter->program->entries.at[i]);
}

void emit_llvm_tellers(Emitter *emitter) {
    const Program *program = emitter->program;
    for (int i = 0; i < program->entries.count; i++) {
        const Entry *entry = program->entries.at[i];
        emit_constant_function(emitter,
                               arena_format(emitter->arena, "%s_workspace_bytes",
                                            entry_symbol(emitter->arena, program, entry)),
                               emitter->size, entry->workspace_bytes);
    }
    emit_constant_function(emitter,
                           arena_format(emitter->arena, "%s_workspace_bytes", program->name),
                           emitter->size, product_workspace_bytes(program));
    emit_constant_function(emitter, arena_format(emitter->arena, "%s_abi_version", program->name),
                           emitter->i32, PRODUCT_ABI_VERSION);
    emit_status_function(emitter);
}
