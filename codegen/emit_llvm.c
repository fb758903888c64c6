// The module: constants, kernels, and the statements of their bodies. Entries are in
// emit_llvm_entry.c, scalars in emit_llvm_scalar.c.
#include "codegen/emit_llvm.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/DebugInfo.h>
#include <string.h>

LLVMBasicBlockRef new_block(Emitter *emitter, const char *name) {
    return LLVMAppendBasicBlockInContext(emitter->context, emitter->function, name);
}

static void add_string_attribute(Emitter *emitter, LLVMValueRef function, const char *key,
                                 const char *value) {
    LLVMAddAttributeAtIndex(function, LLVMAttributeFunctionIndex,
                            LLVMCreateStringAttribute(emitter->context, key, (unsigned)strlen(key),
                                                      value, (unsigned)strlen(value)));
}

void mark_function(Emitter *emitter, LLVMValueRef function, const char *mark) {
    add_string_attribute(emitter, function, mark, "");
}

static LLVMAttributeRef enum_attribute(Emitter *emitter, const char *name) {
    return LLVMCreateEnumAttribute(emitter->context,
                                   LLVMGetEnumAttributeKindForName(name, strlen(name)), 0);
}

void add_function_attributes(Emitter *emitter, LLVMValueRef function) {
    add_string_attribute(emitter, function, "target-cpu", emitter->cpu);
    add_string_attribute(emitter, function, "target-features", emitter->features);
    if (emitter->is_wide)
        add_string_attribute(emitter, function, "prefer-vector-width", "512");
    LLVMAddAttributeAtIndex(function, LLVMAttributeFunctionIndex,
                            enum_attribute(emitter, "nounwind"));
}

LLVMValueRef llvm_buffer(const Emitter *emitter, const Buffer *buffer) {
    LLVMValueRef pointer = emitter->buffers[buffer->id];
    check(pointer != NULL, "the buffer %s is used where it is unknown",
          buffer->name ? buffer->name : "");
    return pointer;
}

// ---- loops

static LLVMMetadataRef metadata_word(Emitter *emitter, const char *word) {
    LLVMMetadataRef name = LLVMMDStringInContext2(emitter->context, word, strlen(word));
    return LLVMMDNodeInContext2(emitter->context, &name, 1);
}

// What LLVM may do to a loop: one that is written in vectors stays as it is.
static LLVMMetadataRef loop_metadata(Emitter *emitter, bool is_vector) {
    LLVMContextRef context = emitter->context;
    LLVMMetadataRef parts[4] = {NULL, metadata_word(emitter, "llvm.loop.mustprogress")};
    size_t count = 2;
    if (is_vector) {
        LLVMMetadataRef done[] = {LLVMMDStringInContext2(context, "llvm.loop.isvectorized",
                                                         strlen("llvm.loop.isvectorized")),
                                  LLVMValueAsMetadata(LLVMConstInt(emitter->i32, 1, 0))};
        parts[count++] = LLVMMDNodeInContext2(context, done, 2);
        parts[count++] = metadata_word(emitter, "llvm.loop.unroll.disable");
    }
    // A loop's metadata is distinct: its first operand is itself.
    LLVMMetadataRef placeholder = LLVMTemporaryMDNode(context, NULL, 0);
    parts[0] = placeholder;
    LLVMMetadataRef node = LLVMMDNodeInContext2(context, parts, count);
    LLVMMetadataReplaceAllUsesWith(placeholder, node);
    return node;
}

CountedLoop begin_counted_loop(Emitter *emitter, const char *name, LLVMValueRef first,
                               LLVMValueRef end, int64_t step) {
    LLVMBuilderRef b = emitter->builder;
    LLVMBasicBlockRef before = LLVMGetInsertBlock(b);
    CountedLoop loop = {.end = end, .step = step};
    loop.body = new_block(emitter, name ? name : "loop");
    loop.after = new_block(emitter, "after");
    LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntSLT, first, end, ""), loop.body, loop.after);
    LLVMPositionBuilderAtEnd(b, loop.body);
    loop.index = LLVMBuildPhi(b, emitter->i64, name ? name : "i");
    LLVMAddIncoming(loop.index, &first, &before, 1);
    return loop;
}

void end_counted_loop(Emitter *emitter, const CountedLoop *loop, bool is_vector) {
    LLVMBuilderRef b = emitter->builder;
    LLVMValueRef next = LLVMBuildNSWAdd(b, loop->index, constant_i64(emitter, loop->step), "");
    LLVMBasicBlockRef from = LLVMGetInsertBlock(b);
    LLVMAddIncoming(loop->index, &next, &from, 1);
    LLVMValueRef again = LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntSLT, next, loop->end, ""),
                                         loop->body, loop->after);
    LLVMSetMetadata(again, LLVMGetMDKindIDInContext(emitter->context, "llvm.loop", 9),
                    LLVMMetadataAsValue(emitter->context, loop_metadata(emitter, is_vector)));
    LLVMPositionBuilderAtEnd(b, loop->after);
}

static void emit_loop(Emitter *emitter, const Loop *loop) {
    if (loop->kind == LOOP_PARALLEL) {
        emit_parallel_loop(emitter, loop);
        return;
    }
    bool is_vector = loop->kind == LOOP_VECTOR && emitter->vector_bytes > 0;
    if (is_vector && emit_vector_loop(emitter, loop))
        return;
    bool is_unrolled = loop->kind == LOOP_UNROLL && emitter->vector_bytes > 0;
    if (is_unrolled && (emit_turned_loop(emitter, loop) || emit_joined_rows(emitter, loop) ||
                        emit_unrolled_loop(emitter, loop)))
        return;
    if (is_vector)
        mark_function(emitter, emitter->function, SCALAR_LOOPS_MARK);
    CountedLoop counted = begin_counted_loop(emitter, loop->name, constant_i64(emitter, 0),
                                             llvm_scalar(emitter, loop->extent), 1);
    emitter->scalars[loop->index->id] = counted.index;
    emit_llvm_block(emitter, &loop->body);
    end_counted_loop(emitter, &counted, false);
}

static void emit_while(Emitter *emitter, const Statement *statement) {
    LLVMBuilderRef b = emitter->builder;
    LLVMBasicBlockRef body = new_block(emitter, "while");
    LLVMBasicBlockRef again = new_block(emitter, "again");
    LLVMBasicBlockRef after = new_block(emitter, "after");
    LLVMBuildBr(b, body);
    LLVMPositionBuilderAtEnd(b, body);
    emit_llvm_block(emitter, &statement->body);
    LLVMBuildCondBr(b, llvm_scalar(emitter, statement->condition), again, after);
    LLVMPositionBuilderAtEnd(b, again);
    emit_llvm_block(emitter, &statement->otherwise);
    LLVMBuildBr(b, body);
    LLVMPositionBuilderAtEnd(b, after);
}

static void emit_choice(Emitter *emitter, LLVMValueRef condition, const Block *body,
                        const Block *otherwise) {
    LLVMBuilderRef b = emitter->builder;
    LLVMBasicBlockRef then = new_block(emitter, "then");
    LLVMBasicBlockRef other = new_block(emitter, "else");
    LLVMBasicBlockRef after = new_block(emitter, "after");
    LLVMBuildCondBr(b, condition, then, other);
    LLVMPositionBuilderAtEnd(b, then);
    emit_llvm_block(emitter, body);
    LLVMBuildBr(b, after);
    LLVMPositionBuilderAtEnd(b, other);
    if (otherwise)
        emit_llvm_block(emitter, otherwise);
    LLVMBuildBr(b, after);
    LLVMPositionBuilderAtEnd(b, after);
}

// ---- failures and calls

void emit_rare_branch(Emitter *emitter, LLVMValueRef condition, LLVMBasicBlockRef rare,
                      LLVMBasicBlockRef usual) {
    LLVMContextRef context = emitter->context;
    LLVMValueRef branch = LLVMBuildCondBr(emitter->builder, condition, rare, usual);
    LLVMMetadataRef parts[] = {LLVMMDStringInContext2(context, "branch_weights", 14),
                               LLVMValueAsMetadata(constant_i32(emitter, 1)),
                               LLVMValueAsMetadata(constant_i32(emitter, 2000))};
    LLVMSetMetadata(branch, LLVMGetMDKindIDInContext(context, "prof", 4),
                    LLVMMetadataAsValue(context, LLVMMDNodeInContext2(context, parts, 3)));
}

void emit_return_if(Emitter *emitter, LLVMValueRef condition, LLVMValueRef status) {
    LLVMBuilderRef b = emitter->builder;
    LLVMBasicBlockRef fail = new_block(emitter, "fail");
    LLVMBasicBlockRef go_on = new_block(emitter, "go_on");
    emit_rare_branch(emitter, condition, fail, go_on);
    LLVMPositionBuilderAtEnd(b, fail);
    LLVMBuildRet(b, status);
    LLVMPositionBuilderAtEnd(b, go_on);
}

LLVMValueRef kernel_function(const Emitter *emitter, const Kernel *kernel) {
    for (int i = 0; i < emitter->kernels.count; i++)
        if (emitter->kernels.at[i] == kernel)
            return emitter->kernel_functions.at[i];
    unreachable("the kernel %s is not in the program", kernel->name);
}

static void emit_call(Emitter *emitter, const Statement *statement) {
    const Kernel *kernel = statement->kernel;
    LLVMValueRef function = kernel_function(emitter, kernel);
    int count = kernel->buffers.count + kernel->argument_count;
    LLVMValueRef *arguments = arena_array(emitter->arena, LLVMValueRef, count + 1);
    for (int i = 0; i < kernel->buffers.count; i++)
        arguments[i] = llvm_buffer(emitter, statement->buffers[i]);
    for (int i = 0; i < kernel->argument_count; i++)
        arguments[kernel->buffers.count + i] = llvm_scalar(emitter, statement->arguments[i]);
    LLVMValueRef status = LLVMBuildCall2(emitter->builder, LLVMGlobalGetValueType(function),
                                         function, arguments, (unsigned)count, "");
    if (!kernel->fails)
        return;
    LLVMValueRef failed = LLVMBuildICmp(emitter->builder, LLVMIntNE, status,
                                        LLVMConstInt(emitter->i32, STATUS_DONE, 0), "");
    emit_return_if(emitter, failed, status);
}

// ---- statements

static size_t buffer_bytes(const Buffer *buffer) {
    return (size_t)buffer->count * element_bytes(buffer->element);
}

// Statements in a vector loop that are not as elsewhere.
static bool emit_lanes_statement(Emitter *emitter, const Statement *statement) {
    switch (statement->kind) {
    case STATEMENT_SCALAR: emit_lanes_scalar(emitter, statement->scalar); return true;
    case STATEMENT_STORE: emit_lanes_store(emitter, statement); return true;
    case STATEMENT_SET: emit_lanes_set(emitter, statement); return true;
    default: return false;
    }
}

static void emit_statement(Emitter *emitter, const Statement *statement) {
    LLVMBuilderRef b = emitter->builder;
    if (emitter->width > 1 && emit_lanes_statement(emitter, statement))
        return;
    switch (statement->kind) {
    case STATEMENT_SCALAR: emit_llvm_scalar(emitter, statement->scalar); return;
    case STATEMENT_STORE:
        emit_llvm_store(
            emitter, statement->buffer->element, llvm_buffer(emitter, statement->buffer),
            llvm_scalar(emitter, statement->index), llvm_scalar(emitter, statement->value));
        return;
    case STATEMENT_SET:
        emit_llvm_store(emitter, statement->local->type, emitter->locals[statement->local->id],
                        statement->index ? llvm_scalar(emitter, statement->index) : NULL,
                        llvm_scalar(emitter, statement->value));
        return;
    case STATEMENT_LOOP: emit_loop(emitter, statement->loop); return;
    case STATEMENT_WHILE: emit_while(emitter, statement); return;
    case STATEMENT_IF:
        emit_choice(emitter, llvm_scalar(emitter, statement->condition), &statement->body,
                    &statement->otherwise);
        return;
    case STATEMENT_PRESENT: {
        LLVMValueRef pointer = llvm_buffer(emitter, statement->buffer);
        emit_choice(emitter, LLVMBuildIsNotNull(b, pointer, ""), &statement->body, NULL);
        return;
    }
    case STATEMENT_CALL: emit_call(emitter, statement); return;
    case STATEMENT_FAIL:
        check(emitter->returns_status, "a failure in a kernel that cannot fail");
        emit_return_if(emitter, llvm_scalar(emitter, statement->condition),
                       LLVMConstInt(emitter->i32,
                                    (unsigned long long)(STATUS_FIRST_SITE + statement->site), 0));
        return;
    case STATEMENT_COPY:
        LLVMBuildMemCpy(b, llvm_buffer(emitter, statement->target), 1,
                        llvm_buffer(emitter, statement->buffer), 1,
                        constant_i64(emitter, (int64_t)buffer_bytes(statement->buffer)));
        return;
    case STATEMENT_ZERO:
        LLVMBuildMemSet(b, llvm_buffer(emitter, statement->target), LLVMConstInt(emitter->i8, 0, 0),
                        constant_i64(emitter, (int64_t)buffer_bytes(statement->target)), 1);
        return;
    }
    unreachable("statement kind %d", (int)statement->kind);
}

void emit_llvm_block(Emitter *emitter, const Block *block) {
    for (int i = 0; i < block->statements.count;) {
        int taken = emit_interleaved(emitter, block, i);
        if (taken == 0)
            emit_statement(emitter, block->statements.at[i]);
        i += taken > 0 ? taken : 1;
    }
}

// ---- kernels

// A kernel that is not in the part of the entries is called from there by its name, which must be
// the same in both; outside of the product nobody sees it.
static void set_kernel_linkage(LLVMValueRef function, const char *name, int part) {
    size_t length;
    if (part == 0) {
        LLVMSetLinkage(function, LLVMInternalLinkage);
        return;
    }
    LLVMSetVisibility(function, LLVMHiddenVisibility);
    check(strcmp(LLVMGetValueName2(function, &length), name) == 0, "%s is there twice", name);
}

static LLVMValueRef declare_kernel(Emitter *emitter, const Kernel *kernel, int part) {
    int count = kernel->buffers.count + kernel->argument_count;
    LLVMTypeRef *types = arena_array(emitter->arena, LLVMTypeRef, count + 1);
    for (int i = 0; i < count; i++)
        types[i] = i < kernel->buffers.count ? emitter->pointer : emitter->i64;
    LLVMTypeRef type = LLVMFunctionType(kernel->fails ? emitter->i32 : emitter->nothing, types,
                                        (unsigned)count, 0);
    const char *name = arena_format(emitter->arena, "%s.%s%s", emitter->program->name, kernel->name,
                                    emitter->suffix);
    LLVMValueRef function = LLVMAddFunction(emitter->module, name, type);
    set_kernel_linkage(function, name, part);
    add_function_attributes(emitter, function);
    if (part == 0 && is_done_in_place(emitter->program, kernel))
        LLVMAddAttributeAtIndex(function, LLVMAttributeFunctionIndex,
                                enum_attribute(emitter, "alwaysinline"));
    for (int i = 0; i < kernel->buffers.count; i++) {
        LLVMAddAttributeAtIndex(function, (unsigned)i + 1, enum_attribute(emitter, "noalias"));
        if (!kernel->written.at[i])
            LLVMAddAttributeAtIndex(function, (unsigned)i + 1, enum_attribute(emitter, "readonly"));
    }
    return function;
}

// Elements of a local array. The last vector of a loop is read and written whole, whatever the
// array's length is (store_local_lanes).
static int64_t room_of(const Emitter *emitter, const Local *local) {
    int64_t lanes = emitter->vector_bytes / (int64_t)element_bytes(local->type);
    return local->count <= 1 || lanes <= 1 ? local->count
                                           : (local->count + lanes - 1) / lanes * lanes;
}

static void emit_locals(Emitter *emitter, Local *const *locals, int count) {
    int limit = 0;
    for (int i = 0; i < count; i++)
        if (locals[i]->id >= limit)
            limit = locals[i]->id + 1;
    emitter->locals = arena_array(emitter->arena, LLVMValueRef, limit + 1);
    for (int i = 0; i < count; i++) {
        LLVMTypeRef element = llvm_storage_type(emitter, locals[i]->type);
        LLVMTypeRef type = LLVMArrayType2(element, (uint64_t)room_of(emitter, locals[i]));
        emitter->locals[locals[i]->id] =
            LLVMBuildAlloca(emitter->builder, type, locals[i]->name ? locals[i]->name : "");
        LLVMSetAlignment(emitter->locals[locals[i]->id], locals[i]->count > 1 ? 64 : 8);
    }
}

void begin_llvm_function(Emitter *emitter, LLVMValueRef function, int scalar_count,
                         Local *const *locals, int local_count) {
    emitter->function = function;
    emitter->scalars = arena_array(emitter->arena, LLVMValueRef, scalar_count + 1);
    emitter->lanes = arena_array(emitter->arena, Lane, scalar_count + 1);
    emitter->loaded = arena_array(emitter->arena, bool, scalar_count + 1);
    emitter->scalar_count = scalar_count;
    emitter->width = 1;
    memcpy(emitter->buffers, emitter->constants,
           (size_t)emitter->buffer_limit * sizeof *emitter->buffers);
    LLVMPositionBuilderAtEnd(emitter->builder, new_block(emitter, "entry"));
    emit_locals(emitter, locals, local_count);
}

static void emit_kernel(Emitter *emitter, const Kernel *kernel, LLVMValueRef function) {
    emitter->returns_status = kernel->fails;
    begin_llvm_function(emitter, function, kernel->scalar_count, kernel->locals.at,
                        kernel->locals.count);
    for (int i = 0; i < kernel->buffers.count; i++)
        emitter->buffers[kernel->buffers.at[i]->id] = LLVMGetParam(function, (unsigned)i);
    emitter->arguments = arena_array(emitter->arena, LLVMValueRef, kernel->argument_count + 1);
    for (int i = 0; i < kernel->argument_count; i++)
        emitter->arguments[i] = LLVMGetParam(function, (unsigned)(kernel->buffers.count + i));
    emit_llvm_block(emitter, &kernel->body);
    if (kernel->fails)
        LLVMBuildRet(emitter->builder, LLVMConstInt(emitter->i32, STATUS_DONE, 0));
    else
        LLVMBuildRetVoid(emitter->builder);
}

// ---- the module

// The constant with these bytes, which another variant has too: LLVM knows equal data as one.
static LLVMValueRef find_constant(const Emitter *emitter, LLVMValueRef data) {
    LLVMValueRef global = LLVMGetFirstGlobal(emitter->module);
    while (global && LLVMGetInitializer(global) != data)
        global = LLVMGetNextGlobal(global);
    return global;
}

static void emit_constant(Emitter *emitter, const Buffer *buffer) {
    size_t bytes = buffer_bytes(buffer);
    LLVMValueRef data = LLVMConstStringInContext2(emitter->context, buffer->data, bytes, 1);
    LLVMValueRef known = emitter->suffix[0] ? find_constant(emitter, data) : NULL;
    if (known) {
        emitter->constants[buffer->id] = known;
        return;
    }
    const char *name = arena_format(emitter->arena, "%s.constant", emitter->program->name);
    LLVMValueRef global = LLVMAddGlobal(emitter->module, LLVMTypeOf(data), name);
    LLVMSetInitializer(global, data);
    LLVMSetGlobalConstant(global, 1);
    LLVMSetLinkage(global, LLVMPrivateLinkage);
    LLVMSetAlignment(global, 64);
    emitter->constants[buffer->id] = global;
}

// In the part of the entries, which pass their addresses to kernels.
static void emit_constants(Emitter *emitter) {
    const Program *program = emitter->program;
    for (int i = 0; i < program->buffers.count; i++)
        if (program->buffers.at[i]->kind == BUFFER_CONSTANT)
            emit_constant(emitter, program->buffers.at[i]);
}

static int buffer_limit(const Program *program) {
    int limit = 0;
    for (int i = 0; i < program->buffers.count; i++)
        if (program->buffers.at[i]->id >= limit)
            limit = program->buffers.at[i]->id + 1;
    return limit;
}

// The kernels of the part; in that of the entries, which call them, all. They are declared before
// anything else could take their names.
static void declare_kernels(Emitter *emitter, const int *part_of) {
    const Program *program = emitter->program;
    for (int i = 0; i < program->kernels.count; i++) {
        Kernel *kernel = program->kernels.at[i];
        if (emitter->part != 0 && part_of[i] != emitter->part)
            continue;
        vec_push(emitter->arena, &emitter->kernels, kernel);
        vec_push(emitter->arena, &emitter->kernel_functions,
                 declare_kernel(emitter, kernel, part_of[i]));
    }
}

// Kernels, constants and entries, as far as they are in the part, in the module of `base`, which is
// as yet without any program.
static void emit_program(const Emitter *base, const Parts *parts, int variant_number, int level) {
    Emitter variant = *base, *emitter = &variant;
    const Program *program = parts->variants[variant_number];
    const int *part_of = parts->part_of[variant_number];
    int registers, vector_bytes;
    emitter->program = program;
    target_vector_shape(&parts->targets[variant_number], &vector_bytes, &registers);
    emitter->is_wide = vector_bytes == 64;
    emitter->vector_bytes = level > 0 ? vector_bytes : 0;
    emitter->in_vectors = functions_in_vectors(emitter->arena, program);
    emitter->buffer_limit = buffer_limit(program);
    emitter->constants = arena_array(emitter->arena, LLVMValueRef, emitter->buffer_limit + 1);
    emitter->buffers = arena_array(emitter->arena, LLVMValueRef, emitter->buffer_limit + 1);
    declare_kernels(emitter, part_of);
    if (emitter->part == 0)
        emit_constants(emitter);
    for (int i = 0; i < program->kernels.count; i++)
        if (part_of[i] == emitter->part)
            emit_kernel(emitter, program->kernels.at[i],
                        kernel_function(emitter, program->kernels.at[i]));
    if (emitter->part == 0)
        emit_llvm_entries(emitter);
}

static void emit_variants(Emitter *emitter, const Parts *parts, int level) {
    const char *least = emitter->cpu;
    for (int i = 0; i < parts->variant_count; i++) {
        emitter->cpu = parts->targets[i].cpu;
        emitter->suffix = variant_suffix(i);
        emit_program(emitter, parts, i, level);
    }
    emitter->cpu = least;
    emitter->suffix = "";
    if (emitter->part == 0)
        emit_dispatch(emitter);
}

static Emitter new_emitter(Arena *arena, LLVMContextRef context, const Program *program) {
    Emitter emitter = {.arena = arena, .context = context, .program = program, .suffix = ""};
    emitter.module = LLVMModuleCreateWithNameInContext(program->name, context);
    emitter.builder = LLVMCreateBuilderInContext(context);
    emitter.pointer = LLVMPointerTypeInContext(context, 0);
    emitter.i1 = LLVMInt1TypeInContext(context);
    emitter.i8 = LLVMInt8TypeInContext(context);
    emitter.i32 = LLVMInt32TypeInContext(context);
    emitter.i64 = LLVMInt64TypeInContext(context);
    emitter.f32 = LLVMFloatTypeInContext(context);
    emitter.f64 = LLVMDoubleTypeInContext(context);
    emitter.nothing = LLVMVoidTypeInContext(context);
    emitter.buffers = emitter.constants = arena_array(arena, LLVMValueRef, 1);
    emitter.tables = arena_array(arena, LLVMValueRef, MATH_TABLES);
    return emitter;
}

LLVMModuleRef emit_llvm_module(Arena *arena, LLVMContextRef context, LLVMTargetMachineRef machine,
                               const Parts *parts, int part, const CompileOptions *options,
                               const char **error) {
    Emitter emitter = new_emitter(arena, context, parts->variants[0]);
    emitter.part = part;
    char *triple = LLVMGetTargetMachineTriple(machine);
    char *cpu = LLVMGetTargetMachineCPU(machine);
    char *features = LLVMGetTargetMachineFeatureString(machine);
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine);
    LLVMSetTarget(emitter.module, triple);
    LLVMSetModuleDataLayout(emitter.module, layout);
    emitter.size = LLVMIntPtrTypeInContext(context, layout);
    LLVMDisposeTargetData(layout);
    emitter.cpu = arena_copy_string(arena, cpu);
    emitter.features = arena_copy_string(arena, features);
    LLVMDisposeMessage(triple);
    LLVMDisposeMessage(cpu);
    LLVMDisposeMessage(features);
    if (parts->variant_count > 1)
        emit_variants(&emitter, parts, options->level);
    else
        emit_program(&emitter, parts, 0, options->level);
    if (part == 0 && !options->entries_only)
        emit_llvm_tellers(&emitter);
    LLVMDisposeBuilder(emitter.builder);
    char *message = NULL;
    if (!LLVMVerifyModule(emitter.module, LLVMReturnStatusAction, &message)) {
        LLVMDisposeMessage(message);
        return emitter.module;
    }
    *error =
        arena_format(arena, "internal error: LLVM rejects the code that was made: %s", message);
    LLVMDisposeMessage(message);
    LLVMDisposeModule(emitter.module);
    return NULL;
}
