// Analysis of one function of the loop form for the C emitter, in the order of execution: which
// block computes each scalar, which values integers can have, which blocks touch which locals. What
// is printed (emit_c_live.c) and where (emit_c_fold.c) follows from that.
#include "codegen/emit_c_analysis.h"

#include "codegen/emit_c_range.h"

typedef struct Walk {
    FunctionInfo *info;
    CallVisitor calls;
} Walk;

static bool is_leaf(const Scalar *scalar) {
    return scalar->op == SCALAR_CONSTANT || scalar->op == SCALAR_INDEX ||
           scalar->op == SCALAR_ARGUMENT;
}

ScalarInfo *scalar_info(const FunctionInfo *info, const Scalar *scalar) {
    check(scalar->id >= 0 && scalar->id < info->scalar_count, "scalar %d is out of range",
          scalar->id);
    return &info->scalars[scalar->id];
}

bool is_known_number(const FunctionInfo *info, const Scalar *scalar) {
    const ScalarInfo *known = scalar_info(info, scalar);
    return !element_is_real(scalar->type) && known->range.low == known->range.high;
}

LocalInfo *find_local(const FunctionInfo *info, const Local *local) {
    for (int i = 0; i < info->locals.count; i++) {
        if (info->locals.at[i].local == local) {
            return &info->locals.at[i];
        }
    }
    return NULL;
}

// The local's home becomes the innermost block around all statements that touch it.
static LocalInfo *touch_local(FunctionInfo *info, const Frame *frame, const Local *local) {
    LocalInfo *found = find_local(info, local);
    if (!found) {
        LocalInfo fresh = {.local = local, .home = frame};
        vec_push(info->arena, &info->locals, fresh);
        found = &info->locals.at[info->locals.count - 1];
    }
    const Frame *other = frame;
    while (found->home != other) {
        if (found->home->depth > other->depth) {
            found->home = found->home->around;
        } else {
            other = other->around;
        }
    }
    return found;
}

static Range leaf_range(const FunctionInfo *info, const Scalar *scalar) {
    if (scalar->op == SCALAR_CONSTANT && !element_is_real(scalar->type)) {
        return (Range){scalar->integer, scalar->integer};
    }
    if (scalar->op == SCALAR_ARGUMENT) {
        check(scalar->integer >= 0 && scalar->integer < info->argument_count,
              "argument %d is out of range", (int)scalar->integer);
        return info->arguments ? info->arguments[scalar->integer] : range_of_type(scalar->type);
    }
    return range_of_type(scalar->type);
}

// Constants, indices and arguments have no statement of their own: they are met as operands.
static void note_operand(FunctionInfo *info, const Scalar *scalar) {
    ScalarInfo *known = scalar_info(info, scalar);
    if (is_leaf(scalar)) {
        known->place = PLACE_EVERYWHERE;
        known->size = 1;
        if (scalar->op != SCALAR_INDEX) { // an index has its range from its loop
            known->range = leaf_range(info, scalar);
        }
    }
}

int statement_operands(const Statement *statement, const Scalar **operands) {
    const Scalar *candidates[3] = {NULL, NULL, NULL};
    switch (statement->kind) {
    case STATEMENT_STORE:
    case STATEMENT_SET:
        candidates[0] = statement->index;
        candidates[1] = statement->value;
        break;
    case STATEMENT_LOOP: candidates[0] = statement->loop->extent; break;
    case STATEMENT_IF:
    case STATEMENT_FAIL: candidates[0] = statement->condition; break;
    case STATEMENT_SCALAR:
    case STATEMENT_WHILE: // its condition belongs to the end of its body
    case STATEMENT_PRESENT:
    case STATEMENT_CALL: // its arguments are asked for by the kernel's count
    case STATEMENT_COPY:
    case STATEMENT_ZERO: break;
    }
    int count = 0;
    for (int i = 0; i < 3; i++) {
        if (candidates[i]) {
            operands[count++] = candidates[i];
        }
    }
    return count;
}

// The part of `range` that `value` can have where `condition` is `holds`: from comparisons with
// numbers in it. An empty part gives the whole range: the value is computed all the same.
static Range narrow(const FunctionInfo *info, const Scalar *condition, bool holds,
                    const Scalar *value, Range range) {
    ScalarOp both = holds ? SCALAR_AND : SCALAR_OR;
    if (condition->op == SCALAR_NOT) {
        return narrow(info, condition->args[0], !holds, value, range);
    }
    if (condition->op == both && condition->type == TYPE_BOOL) {
        range = narrow(info, condition->args[0], holds, value, range);
        return narrow(info, condition->args[1], holds, value, range);
    }
    if (condition->arg_count != 2 || condition->args[0] != value) {
        return range;
    }
    Range bound = scalar_info(info, condition->args[1])->range, part = range;
    bool less = condition->op == SCALAR_LT, not_less = condition->op == SCALAR_GE;
    if (bound.low != bound.high || !(less || not_less)) {
        return range;
    }
    if (less == holds && bound.low > INT64_MIN) {
        part.high = bound.low - 1 < range.high ? bound.low - 1 : range.high;
    } else if (less != holds) {
        part.low = bound.low > range.low ? bound.low : range.low;
    }
    return part.low <= part.high ? part : range;
}

static void note_scalar(Walk *walk, const Frame *frame, const Scalar *scalar) {
    FunctionInfo *info = walk->info;
    ScalarInfo *known = scalar_info(info, scalar);
    Range operands[3] = {{0, 0}, {0, 0}, {0, 0}};
    for (int i = 0; i < scalar->arg_count; i++) {
        note_operand(info, scalar->args[i]);
        operands[i] = scalar_info(info, scalar->args[i])->range;
    }
    if (scalar->op == SCALAR_SELECT && element_is_integer(scalar->type)) {
        operands[1] = narrow(info, scalar->args[0], true, scalar->args[1], operands[1]);
        operands[2] = narrow(info, scalar->args[0], false, scalar->args[2], operands[2]);
    }
    known->scalar = scalar;
    known->home = frame->block;
    known->range = range_of_scalar(scalar, operands, &known->wraps);
    if (scalar->op == SCALAR_LOCAL) {
        touch_local(info, frame, scalar->local);
    }
}

static void note_block(Walk *walk, const Frame *frame);

static void note_inner(Walk *walk, const Frame *around, const Block *block, bool repeats) {
    Frame *frame = arena_new(walk->info->arena, Frame);
    *frame = (Frame){around, block, repeats, around ? around->depth + 1 : 0};
    note_block(walk, frame);
}

static void note_loop(Walk *walk, const Frame *frame, const Loop *loop) {
    Range extent = scalar_info(walk->info, loop->extent)->range;
    ScalarInfo *index = scalar_info(walk->info, loop->index);
    index->range = (Range){0, extent.high > 0 ? extent.high - 1 : 0};
    index->place = PLACE_EVERYWHERE;
    index->size = 1;
    note_inner(walk, frame, &loop->body, true);
}

static void note_while(Walk *walk, const Frame *around, const Statement *statement) {
    Frame *body = arena_new(walk->info->arena, Frame);
    *body = (Frame){around, &statement->body, true, around->depth + 1};
    note_block(walk, body);
    note_operand(walk->info, statement->condition);
    note_inner(walk, body, &statement->otherwise, false);
}

static void note_call(Walk *walk, const Statement *statement) {
    for (int i = 0; i < statement->kernel->argument_count; i++) {
        note_operand(walk->info, statement->arguments[i]);
    }
    if (walk->calls.visit) {
        walk->calls.visit(walk->calls.context, statement, walk->info);
    }
}

static void note_set(Walk *walk, const Frame *frame, const Statement *statement) {
    LocalInfo *local = touch_local(walk->info, frame, statement->local);
    vec_push(walk->info->arena, &local->sets, statement);
}

// After `if (condition) return` the condition is false. Only values of the same block are narrowed:
// the statement may not be reached where others are used.
static void narrow_after_fail(FunctionInfo *info, const Frame *frame, const Scalar *condition) {
    for (int i = 0; i < info->scalar_count; i++) {
        ScalarInfo *known = &info->scalars[i];
        if (known->home == frame->block && element_is_integer(known->scalar->type)) {
            Range part = narrow(info, condition, false, known->scalar, known->range);
            known->range = part.low < part.high ? part : known->range;
        }
    }
}

static void note_statement(Walk *walk, const Frame *frame, const Statement *statement) {
    const Scalar *operands[3];
    int count = statement_operands(statement, operands);
    for (int i = 0; i < count; i++) {
        note_operand(walk->info, operands[i]);
    }
    switch (statement->kind) {
    case STATEMENT_SCALAR: note_scalar(walk, frame, statement->scalar); break;
    case STATEMENT_SET: note_set(walk, frame, statement); break;
    case STATEMENT_LOOP: note_loop(walk, frame, statement->loop); break;
    case STATEMENT_IF:
        note_inner(walk, frame, &statement->body, false);
        note_inner(walk, frame, &statement->otherwise, false);
        break;
    case STATEMENT_WHILE: note_while(walk, frame, statement); break;
    case STATEMENT_PRESENT: note_inner(walk, frame, &statement->body, false); break;
    case STATEMENT_CALL: note_call(walk, statement); break;
    case STATEMENT_FAIL: narrow_after_fail(walk->info, frame, statement->condition); break;
    case STATEMENT_STORE:
    case STATEMENT_COPY:
    case STATEMENT_ZERO: break;
    }
}

static void note_block(Walk *walk, const Frame *frame) {
    for (int i = 0; i < frame->block->statements.count; i++) {
        note_statement(walk, frame, frame->block->statements.at[i]);
    }
}

FunctionInfo analyze_function(Arena *arena, const Block *body, int scalar_count, int buffer_count,
                              const Range *arguments, int argument_count, CallVisitor calls) {
    FunctionInfo info = {
        .arena = arena,
        .scalars = arena_alloc_array(arena, (size_t)scalar_count + 1, sizeof(ScalarInfo)),
        .scalar_count = scalar_count,
        .buffer_uses = arena_alloc_array(arena, (size_t)buffer_count + 1, sizeof(int)),
        .argument_uses = arena_alloc_array(arena, (size_t)argument_count + 1, sizeof(int)),
        .arguments = arguments,
        .argument_count = argument_count,
    };
    Walk walk = {&info, calls};
    note_inner(&walk, NULL, body, false);
    find_live(&info, body);
    place_locals(&info);
    fold_block(&info, body);
    return info;
}
