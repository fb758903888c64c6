// Parallel loops: an entry puts the arguments of the kernel in a task on its stack, and has a
// function that takes them out again called for every chunk, by the caller's threads or one after
// the other. A kernel that fails stores its status for each chunk; the first that is not 0 counts.
#include <string.h>

#include "codegen/emit_llvm.h"

static const char *const run_name = "run.chunks"; // no kernel's name has a dot

static LLVMTypeRef body_type(const Emitter *emitter) {
    LLVMTypeRef types[] = {emitter->pointer, emitter->i64};
    return LLVMFunctionType(emitter->nothing, types, 2, 0);
}

static LLVMValueRef add_internal_function(Emitter *emitter, const char *name, LLVMTypeRef type) {
    LLVMValueRef function = LLVMAddFunction(emitter->module, name, type);
    LLVMSetLinkage(function, LLVMInternalLinkage);
    add_function_attributes(emitter, function);
    return function;
}

static LLVMBasicBlockRef append_block(const Emitter *emitter, LLVMValueRef function,
                                      const char *name) {
    return LLVMAppendBasicBlockInContext(emitter->context, function, name);
}

// run_chunks(parallel, body, task, count): parallel->run(parallel->context, body, task, count), or
// a loop over body(task, i) if parallel is NULL.
static LLVMValueRef run_function(Emitter *emitter) {
    const char *name =
        arena_format(emitter->arena, "%s.%s%s", emitter->program->name, run_name, emitter->suffix);
    LLVMValueRef known = LLVMGetNamedFunction(emitter->module, name);
    if (known)
        return known;
    LLVMBuilderRef b = emitter->builder;
    LLVMBasicBlockRef before = LLVMGetInsertBlock(b);
    LLVMTypeRef types[] = {emitter->pointer, emitter->pointer, emitter->pointer, emitter->i64};
    LLVMTypeRef type = LLVMFunctionType(emitter->nothing, types, 4, 0);
    LLVMValueRef function = add_internal_function(emitter, name, type);
    LLVMValueRef arguments[4];
    LLVMGetParams(function, arguments);
    LLVMBasicBlockRef entry = append_block(emitter, function, "entry");
    LLVMBasicBlockRef together = append_block(emitter, function, "together");
    LLVMBasicBlockRef alone = append_block(emitter, function, "alone");
    LLVMBasicBlockRef done = append_block(emitter, function, "done");
    LLVMPositionBuilderAtEnd(b, entry);
    LLVMBuildCondBr(b, LLVMBuildIsNull(b, arguments[0], ""), alone, together);
    LLVMPositionBuilderAtEnd(b, together);
    LLVMTypeRef fields[] = {emitter->pointer, emitter->pointer};
    LLVMTypeRef parallel = LLVMStructTypeInContext(emitter->context, fields, 2, 0);
    LLVMValueRef run = LLVMBuildLoad2(b, emitter->pointer, arguments[0], "run");
    LLVMValueRef place = LLVMBuildStructGEP2(b, parallel, arguments[0], 1, "");
    LLVMValueRef given[] = {LLVMBuildLoad2(b, emitter->pointer, place, "context"), arguments[1],
                            arguments[2], arguments[3]};
    LLVMBuildCall2(b, type, run, given, 4, "");
    LLVMBuildBr(b, done);
    LLVMPositionBuilderAtEnd(b, alone);
    LLVMValueRef chunk = LLVMBuildPhi(b, emitter->i64, "chunk");
    LLVMValueRef own[] = {arguments[2], chunk};
    LLVMBuildCall2(b, body_type(emitter), arguments[1], own, 2, "");
    LLVMValueRef next = LLVMBuildNSWAdd(b, chunk, constant_i64(emitter, 1), "");
    LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntSLT, next, arguments[3], ""), alone, done);
    LLVMValueRef values[] = {constant_i64(emitter, 0), next};
    LLVMBasicBlockRef blocks[] = {entry, alone};
    LLVMAddIncoming(chunk, values, blocks, 2);
    LLVMPositionBuilderAtEnd(b, done);
    LLVMBuildRetVoid(b);
    LLVMPositionBuilderAtEnd(b, before);
    return function;
}

// What a task holds: pointers of buffers, arguments but the chunk, and where statuses go.
typedef struct Task {
    const Kernel *kernel;
    LLVMTypeRef type;
    int given; // pointers and arguments
} Task;

static Task describe_task(const Emitter *emitter, const Kernel *kernel) {
    Task task = {.kernel = kernel};
    task.given = kernel->buffers.count + kernel->argument_count - 1;
    LLVMTypeRef *types = arena_array(emitter->arena, LLVMTypeRef, task.given + 1);
    for (int i = 0; i < task.given; i++)
        types[i] = i < kernel->buffers.count ? emitter->pointer : emitter->i64;
    types[task.given] = emitter->pointer;
    task.type = LLVMStructTypeInContext(emitter->context, types, (unsigned)task.given + 1, 0);
    return task;
}

// body(task, chunk): the kernel with the task's arguments.
static LLVMValueRef body_function(Emitter *emitter, const Task *task, LLVMValueRef kernel) {
    const char *name = arena_format(emitter->arena, "%s.%s.chunk%s", emitter->program->name,
                                    task->kernel->name, emitter->suffix);
    LLVMValueRef known = LLVMGetNamedFunction(emitter->module, name);
    if (known)
        return known;
    LLVMBuilderRef b = emitter->builder;
    LLVMBasicBlockRef before = LLVMGetInsertBlock(b);
    LLVMValueRef function = add_internal_function(emitter, name, body_type(emitter));
    LLVMPositionBuilderAtEnd(b, append_block(emitter, function, "entry"));
    LLVMValueRef from = LLVMGetParam(function, 0), chunk = LLVMGetParam(function, 1);
    LLVMValueRef *arguments = arena_array(emitter->arena, LLVMValueRef, task->given + 1);
    for (int i = 0; i < task->given; i++) {
        LLVMValueRef place = LLVMBuildStructGEP2(b, task->type, from, (unsigned)i, "");
        LLVMTypeRef type = i < task->kernel->buffers.count ? emitter->pointer : emitter->i64;
        arguments[i] = LLVMBuildLoad2(b, type, place, "");
    }
    arguments[task->given] = chunk;
    LLVMValueRef status = LLVMBuildCall2(b, LLVMGlobalGetValueType(kernel), kernel, arguments,
                                         (unsigned)task->given + 1, "");
    if (task->kernel->fails) {
        LLVMValueRef place =
            LLVMBuildStructGEP2(b, task->type, from, (unsigned)task->given, "statuses");
        LLVMValueRef statuses = LLVMBuildLoad2(b, emitter->pointer, place, "");
        LLVMBuildStore(b, status, LLVMBuildInBoundsGEP2(b, emitter->i32, statuses, &chunk, 1, ""));
    }
    LLVMBuildRetVoid(b);
    LLVMPositionBuilderAtEnd(b, before);
    return function;
}

// On the stack of the entry, once however often the statement runs.
static LLVMValueRef allocate_once(Emitter *emitter, LLVMTypeRef type, const char *name) {
    LLVMBuilderRef b = emitter->builder;
    LLVMBasicBlockRef before = LLVMGetInsertBlock(b);
    LLVMBasicBlockRef entry = LLVMGetEntryBasicBlock(emitter->function);
    LLVMValueRef first = LLVMGetFirstInstruction(entry);
    if (first)
        LLVMPositionBuilderBefore(b, first);
    else
        LLVMPositionBuilderAtEnd(b, entry);
    LLVMValueRef place = LLVMBuildAlloca(b, type, name);
    LLVMPositionBuilderAtEnd(b, before);
    return place;
}

static void return_first_failure(Emitter *emitter, LLVMValueRef statuses, int64_t chunks) {
    CountedLoop loop = begin_counted_loop(emitter, "chunk", constant_i64(emitter, 0),
                                          constant_i64(emitter, chunks), 1);
    LLVMBuilderRef b = emitter->builder;
    LLVMValueRef place = LLVMBuildInBoundsGEP2(b, emitter->i32, statuses, &loop.index, 1, "");
    LLVMValueRef status = LLVMBuildLoad2(b, emitter->i32, place, "");
    LLVMValueRef failed =
        LLVMBuildICmp(b, LLVMIntNE, status, LLVMConstInt(emitter->i32, STATUS_DONE, 0), "");
    emit_return_if(emitter, failed, status);
    end_counted_loop(emitter, &loop, false);
}

void emit_parallel_loop(Emitter *emitter, const Loop *loop) {
    LLVMBuilderRef b = emitter->builder;
    const Statement *call = loop->body.statements.at[0];
    const Kernel *kernel = call->kernel;
    int64_t chunks = loop->extent->integer;
    Task task = describe_task(emitter, kernel);
    LLVMValueRef statuses = NULL;
    LLVMValueRef data = allocate_once(emitter, task.type, "task");
    for (int i = 0; i < task.given; i++) {
        LLVMValueRef given = i < kernel->buffers.count
                                 ? llvm_buffer(emitter, call->buffers[i])
                                 : llvm_scalar(emitter, call->arguments[i - kernel->buffers.count]);
        LLVMBuildStore(b, given, LLVMBuildStructGEP2(b, task.type, data, (unsigned)i, ""));
    }
    if (kernel->fails) {
        statuses =
            allocate_once(emitter, LLVMArrayType2(emitter->i32, (uint64_t)chunks), "statuses");
        LLVMBuildStore(b, statuses,
                       LLVMBuildStructGEP2(b, task.type, data, (unsigned)task.given, ""));
    }
    LLVMValueRef run = run_function(emitter);
    LLVMValueRef arguments[] = {emitter->parallel,
                                body_function(emitter, &task, kernel_function(emitter, kernel)),
                                data, constant_i64(emitter, chunks)};
    LLVMBuildCall2(b, LLVMGlobalGetValueType(run), run, arguments, 4, "");
    if (kernel->fails)
        return_first_failure(emitter, statuses, chunks);
}
