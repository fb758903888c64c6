// The reference evaluator: functions, regions, control flow. A frame maps value ids to tensors;
// each iteration of a loop computes in an arena of its own, which is freed once the carried values
// and the stacked rows are copied out, so memory does not grow with the number of iterations.
#include <stdarg.h>
#include <string.h>

#include "ir/evaluator.h"

static bool (*const tensor_evaluators[OP_COUNT])(Evaluation *) = {
#define TENSOR(name, arity, attribute, derivative, traits, meaning) [OP_##name] = evaluate_##name,
#include "ir/ops.def"
};

TensorData *new_result(Evaluation *e, int index) {
    const Value *value = e->inst->results[index];
    TensorData *result = &e->frame->values[value->id];
    *result = tensor_new(e->arena, value->type);
    return result;
}

void share_result(Evaluation *e, int index, const TensorData *data) {
    const Value *value = e->inst->results[index];
    e->frame->values[value->id] = (TensorData){value->type, data->bytes};
}

bool report_failure(Evaluation *e, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    e->frame->failure->span = e->inst->span;
    e->frame->failure->message = arena_format_list(e->frame->messages, format, arguments);
    va_end(arguments);
    return false;
}

static bool evaluate_region(Frame *frame, Arena *arena, const Region *region) {
    for_each_inst(inst, region) {
        Evaluation e = {frame, inst, arena};
        bool ok = op_info(inst->op)->elementwise ? evaluate_elementwise(&e)
                                                 : tensor_evaluators[inst->op](&e);
        if (!ok) {
            return false;
        }
    }
    return true;
}

static const TensorData *yielded(const Frame *frame, const Region *region, int index) {
    return &frame->values[region->yields.at[index]->id];
}

static bool same_sizes(Type x, Type y) {
    bool same = x.element == y.element && x.rank == y.rank;
    for (int i = 0; same && i < x.rank; i++) {
        same = dim_value(x.dims[i]) == dim_value(y.dims[i]);
    }
    return same;
}

// The results are those of the frame: they may share bytes with arguments and with each other.
static bool evaluate_function(Frame *frame, Arena *arena, const TensorData *const *arguments,
                              const TensorData **results) {
    const Region *body = frame->function->body;
    frame->values = arena_array(arena, TensorData, frame->function->value_count);
    for (int i = 0; i < body->parameters.count; i++) {
        const Value *parameter = body->parameters.at[i];
        check(same_sizes(parameter->type, arguments[i]->type),
              "argument %d of %s has the wrong type", i, frame->function->name);
        frame->values[parameter->id] = (TensorData){parameter->type, arguments[i]->bytes};
    }
    if (!evaluate_region(frame, arena, body)) {
        return false;
    }
    for (int i = 0; i < body->yields.count; i++) {
        results[i] = yielded(frame, body, i);
    }
    return true;
}

bool evaluate_call(Evaluation *e) {
    const Inst *inst = e->inst;
    Frame frame = {.function = inst->attr.callee,
                   .messages = e->frame->messages,
                   .failure = e->frame->failure};
    const TensorData **arguments = arena_array(e->arena, const TensorData *, inst->operand_count);
    const TensorData **results = arena_array(e->arena, const TensorData *, inst->result_count);
    for (int i = 0; i < inst->operand_count; i++) {
        arguments[i] = operand(e, i);
    }
    if (!evaluate_function(&frame, e->arena, arguments, results)) {
        return false;
    }
    for (int i = 0; i < inst->result_count; i++) {
        share_result(e, i, results[i]);
    }
    return true;
}

bool evaluate_vjp(Evaluation *e) {
    unreachable("derivatives are expanded before evaluation");
}

bool evaluate_jvp(Evaluation *e) {
    unreachable("derivatives are expanded before evaluation");
}

bool evaluate_branch(Evaluation *e) {
    bool condition = tensor_get_integer(operand(e, 0), 0) != 0;
    const Region *region = e->inst->regions[condition ? 0 : 1];
    if (!evaluate_region(e->frame, e->arena, region)) {
        return false;
    }
    for (int i = 0; i < e->inst->result_count; i++) {
        share_result(e, i, yielded(e->frame, region, i));
    }
    return true;
}

bool evaluate_checkpoint(Evaluation *e) {
    const Region *region = e->inst->regions[0];
    if (!evaluate_region(e->frame, e->arena, region)) {
        return false;
    }
    for (int i = 0; i < e->inst->result_count; i++) {
        share_result(e, i, yielded(e->frame, region, i));
    }
    return true;
}

bool evaluate_recompute(Evaluation *e) {
    return evaluate_checkpoint(e);
}

bool evaluate_fence(Evaluation *e) {
    return e->inst->result_count == 0;
}

// A loop while it runs. The carried values are the operands' at first, then they live in `kept`.
typedef struct LoopRun {
    Evaluation *e;
    int64_t index;
    int64_t limit;
    TensorData *carried;
    Arena kept;
} LoopRun;

static void bind_parameters(const LoopRun *run, Arena *scratch, const Region *region) {
    TensorData *values = run->e->frame->values;
    TensorData index = tensor_new(scratch, type_scalar(TYPE_I64));
    tensor_set_integer(&index, 0, run->index);
    values[region->parameters.at[0]->id] = index;
    for (int i = 0; i < run->e->inst->attr.carried; i++) {
        values[region->parameters.at[i + 1]->id] = run->carried[i];
    }
}

static bool evaluate_condition(LoopRun *run, bool *holds) {
    const Region *condition = run->e->inst->regions[1];
    Arena scratch = {0};
    bind_parameters(run, &scratch, condition);
    bool ok = evaluate_region(run->e->frame, &scratch, condition);
    *holds = ok && tensor_get_integer(yielded(run->e->frame, condition, 0), 0) != 0;
    arena_free(&scratch);
    return ok;
}

static void stack_rows(LoopRun *run, const Region *body) {
    for (int i = run->e->inst->attr.carried; i < body->yields.count; i++) {
        const TensorData *row = yielded(run->e->frame, body, i);
        const TensorData *stack = &run->e->frame->values[run->e->inst->results[i]->id];
        size_t bytes = type_bytes(row->type);
        if (bytes) {
            memcpy((char *)stack->bytes + (size_t)run->index * bytes, row->bytes, bytes);
        }
    }
}

// The yields may lie in the arena of the iteration before, so that one is freed last.
static void keep_carried(LoopRun *run, const Region *body) {
    Arena next = {0};
    for (int i = 0; i < run->e->inst->attr.carried; i++) {
        run->carried[i] = copy_tensor(&next, yielded(run->e->frame, body, i));
    }
    arena_free(&run->kept);
    run->kept = next;
}

static bool evaluate_iteration(LoopRun *run) {
    const Region *body = run->e->inst->regions[0];
    Arena scratch = {0};
    bind_parameters(run, &scratch, body);
    bool ok = evaluate_region(run->e->frame, &scratch, body);
    if (ok) {
        stack_rows(run, body);
        keep_carried(run, body);
    }
    arena_free(&scratch);
    return ok;
}

static bool evaluate_iterations(LoopRun *run) {
    const Inst *inst = run->e->inst;
    bool has_condition = inst->region_count > 1;
    for (;; run->index++) {
        bool holds = run->index < run->limit;
        // A counted loop asks its condition only where an iteration is left.
        if (has_condition && (holds || !inst->attr.counted)) {
            if (!evaluate_condition(run, &holds)) {
                return false;
            }
            if (holds && run->index == run->limit) {
                return report_failure(run->e,
                                      "the loop's condition still holds after %lld iterations",
                                      (long long)run->limit);
            }
        }
        if (!holds) {
            return true;
        }
        if (!evaluate_iteration(run)) {
            return false;
        }
    }
}

bool evaluate_loop(Evaluation *e) {
    const Inst *inst = e->inst;
    int carried = inst->attr.carried;
    LoopRun run = {.e = e, .limit = dim_value(inst->attr.trip)};
    if (inst->attr.counted) {
        int64_t count = tensor_get_integer(operand(e, carried), 0);
        if (count < 0 || count > run.limit) {
            return report_failure(e, "a loop should run %lld times, but its limit is %lld",
                                  (long long)count, (long long)run.limit);
        }
        run.limit = count;
    }
    run.carried = arena_array(e->arena, TensorData, carried);
    for (int i = 0; i < carried; i++) {
        run.carried[i] = *operand(e, i);
    }
    for (int i = carried; i < inst->result_count; i++) {
        new_result(e, i);
    }
    bool ok = evaluate_iterations(&run);
    if (ok) {
        for (int i = 0; i < carried; i++) {
            TensorData last = copy_tensor(e->arena, &run.carried[i]);
            share_result(e, i, &last);
        }
        if (inst->region_count > 1) {
            int last = inst->result_count - 1;
            tensor_set_integer(&e->frame->values[inst->results[last]->id], 0, run.index);
        }
    }
    arena_free(&run.kept);
    return ok;
}

bool evaluate(Arena *arena, const Function *function, const TensorData *arguments,
              TensorData *results, EvaluateFailure *failure) {
    Arena scratch = {0};
    Frame frame = {.function = function, .messages = arena, .failure = failure};
    int parameters = function->body->parameters.count, yields = function->body->yields.count;
    const TensorData **inputs = arena_array(&scratch, const TensorData *, parameters);
    const TensorData **outputs = arena_array(&scratch, const TensorData *, yields);
    for (int i = 0; i < parameters; i++) {
        inputs[i] = &arguments[i];
    }
    bool ok = evaluate_function(&frame, &scratch, inputs, outputs);
    for (int i = 0; ok && i < yields; i++) {
        results[i] = copy_tensor(arena, outputs[i]);
    }
    arena_free(&scratch);
    return ok;
}
