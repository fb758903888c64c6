// Analysis of one function of the loop form for the C emitter: two walks in the order of execution.
// The first counts uses, derives ranges and sees which blocks touch which locals; the second
// decides what is folded into what, keeping expressions short enough to read.
#include "codegen/emit_c_analysis.h"

#include <string.h>

#include "codegen/emit_c_range.h"

// Operators in one expression: a line or so of C.
enum { LONGEST_EXPRESSION = 26, LONGEST_INDEX = 9 };

typedef struct Walk {
    FunctionInfo *info;
    CallVisitor calls;
} Walk;

static bool is_leaf(const Scalar *scalar) {
    return scalar->op == SCALAR_CONSTANT || scalar->op == SCALAR_INDEX ||
           scalar->op == SCALAR_ARGUMENT;
}

static ScalarInfo *info_of(const FunctionInfo *info, const Scalar *scalar) {
    check(scalar->id >= 0 && scalar->id < info->scalar_count, "scalar %d is out of range",
          scalar->id);
    return &info->scalars[scalar->id];
}

LocalInfo *find_local(const FunctionInfo *info, const Local *local) {
    for (int i = 0; i < info->locals.count; i++) {
        if (info->locals.at[i].local == local) {
            return &info->locals.at[i];
        }
    }
    return NULL;
}

static void touch_local(FunctionInfo *info, const Frame *frame, const Local *local, bool read) {
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
    found->reads += read;
}

static Range leaf_range(const FunctionInfo *info, const Scalar *scalar) {
    if (scalar->op == SCALAR_CONSTANT && !element_is_real(scalar->type)) {
        return (Range){scalar->integer, scalar->integer};
    }
    if (scalar->op == SCALAR_ARGUMENT && info->arguments) {
        return info->arguments[scalar->integer];
    }
    return range_of_type(scalar->type);
}

static void count_use(FunctionInfo *info, const Scalar *scalar) {
    ScalarInfo *known = info_of(info, scalar);
    known->uses++;
    if (scalar->op == SCALAR_ARGUMENT) {
        check(scalar->integer >= 0 && scalar->integer < info->argument_count,
              "argument %d is out of range", (int)scalar->integer);
        info->argument_uses[scalar->integer]++;
    }
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
    Range bound = info_of(info, condition->args[1])->range, part = range;
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

static void count_scalar(Walk *walk, const Frame *frame, const Scalar *scalar) {
    FunctionInfo *info = walk->info;
    ScalarInfo *known = info_of(info, scalar);
    Range operands[3] = {{0, 0}, {0, 0}, {0, 0}};
    for (int i = 0; i < scalar->arg_count; i++) {
        count_use(info, scalar->args[i]);
        operands[i] = info_of(info, scalar->args[i])->range;
    }
    if (scalar->op == SCALAR_SELECT && element_is_integer(scalar->type)) {
        operands[1] = narrow(info, scalar->args[0], true, scalar->args[1], operands[1]);
        operands[2] = narrow(info, scalar->args[0], false, scalar->args[2], operands[2]);
    }
    known->scalar = scalar;
    known->home = frame->block;
    known->range = range_of_scalar(scalar, operands, &known->wraps);
    if (scalar->op == SCALAR_LOAD) {
        info->buffer_uses[scalar->buffer->id]++;
    } else if (scalar->op == SCALAR_LOCAL) {
        touch_local(info, frame, scalar->local, true);
    }
}

static void count_block(Walk *walk, const Frame *frame);

static void count_inner(Walk *walk, const Frame *around, const Block *block, bool repeats) {
    Frame *frame = arena_new(walk->info->arena, Frame);
    *frame = (Frame){around, block, repeats, around ? around->depth + 1 : 0};
    count_block(walk, frame);
}

static void count_loop(Walk *walk, const Frame *frame, const Loop *loop) {
    Range extent = info_of(walk->info, loop->extent)->range;
    ScalarInfo *index = info_of(walk->info, loop->index);
    index->range = (Range){0, extent.high > 0 ? extent.high - 1 : 0};
    index->place = PLACE_EVERYWHERE;
    index->size = 1;
    count_inner(walk, frame, &loop->body, true);
}

static void count_while(Walk *walk, const Frame *around, const Statement *statement) {
    Frame *body = arena_new(walk->info->arena, Frame);
    *body = (Frame){around, &statement->body, true, around->depth + 1};
    count_block(walk, body);
    count_use(walk->info, statement->condition);
    count_inner(walk, body, &statement->otherwise, false);
}

static void count_call(Walk *walk, const Statement *statement) {
    const Kernel *kernel = statement->kernel;
    for (int i = 0; i < kernel->buffers.count; i++) {
        walk->info->buffer_uses[statement->buffers[i]->id]++;
    }
    for (int i = 0; i < kernel->argument_count; i++) {
        count_use(walk->info, statement->arguments[i]);
    }
    if (walk->calls.visit) {
        walk->calls.visit(walk->calls.context, statement, walk->info);
    }
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

static void count_statement(Walk *walk, const Frame *frame, const Statement *statement) {
    const Scalar *operands[3];
    int count = statement_operands(statement, operands);
    for (int i = 0; i < count; i++) {
        count_use(walk->info, operands[i]);
    }
    int *uses = walk->info->buffer_uses;
    switch (statement->kind) {
    case STATEMENT_SCALAR: count_scalar(walk, frame, statement->scalar); break;
    case STATEMENT_STORE: uses[statement->buffer->id]++; break;
    case STATEMENT_SET: touch_local(walk->info, frame, statement->local, false); break;
    case STATEMENT_LOOP: count_loop(walk, frame, statement->loop); break;
    case STATEMENT_IF:
        count_inner(walk, frame, &statement->body, false);
        count_inner(walk, frame, &statement->otherwise, false);
        break;
    case STATEMENT_WHILE: count_while(walk, frame, statement); break;
    case STATEMENT_PRESENT:
        uses[statement->buffer->id]++;
        count_inner(walk, frame, &statement->body, false);
        break;
    case STATEMENT_CALL: count_call(walk, statement); break;
    case STATEMENT_FAIL: narrow_after_fail(walk->info, frame, statement->condition); break;
    case STATEMENT_COPY: uses[statement->buffer->id]++; // fall through
    case STATEMENT_ZERO: uses[statement->target->id]++; break;
    }
}

static void count_block(Walk *walk, const Frame *frame) {
    for (int i = 0; i < frame->block->statements.count; i++) {
        count_statement(walk, frame, frame->block->statements.at[i]);
    }
}

static bool block_touches_local(const Block *block, const Local *local) {
    for (int i = 0; i < block->statements.count; i++) {
        if (statement_touches_local(block->statements.at[i], local)) {
            return true;
        }
    }
    return false;
}

bool statement_touches_local(const Statement *statement, const Local *local) {
    if (statement->kind == STATEMENT_SCALAR) {
        return statement->scalar->op == SCALAR_LOCAL && statement->scalar->local == local;
    }
    if (statement->kind == STATEMENT_SET && statement->local == local) {
        return true;
    }
    return (statement->kind == STATEMENT_LOOP &&
            block_touches_local(&statement->loop->body, local)) ||
           block_touches_local(&statement->body, local) ||
           block_touches_local(&statement->otherwise, local);
}

// Does the block set the whole local before anything in it reads it?
static bool is_set_first(const Block *block, const Local *local) {
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *statement = block->statements.at[i];
        if (statement_touches_local(statement, local)) {
            return statement->kind == STATEMENT_SET && local->count == 1;
        }
    }
    return false;
}

static bool is_in_loop(const Frame *frame) {
    for (; frame; frame = frame->around) {
        if (frame->repeats) {
            return true;
        }
    }
    return false;
}

// A local that lives on from one iteration to the next must be declared outside the loop: it stays
// inside only if each iteration starts by setting it.
static void place_locals(FunctionInfo *info) {
    for (int i = 0; i < info->locals.count; i++) {
        LocalInfo *found = &info->locals.at[i];
        if (!found->reads) {
            found->home = NULL;
            continue;
        }
        while (is_in_loop(found->home) && !is_set_first(found->home->block, found->local)) {
            found->home = found->home->around;
        }
    }
}

static bool is_number(const ScalarInfo *known) {
    return element_is_integer(known->scalar->type) && known->range.low == known->range.high;
}

// The expression of `scalar` will not be printed: its operands lose a use.
static void drop_operands(FunctionInfo *info, const Scalar *scalar);

static void drop_use(FunctionInfo *info, const Scalar *scalar) {
    ScalarInfo *known = info_of(info, scalar);
    known->uses--;
    if (scalar->op == SCALAR_ARGUMENT) {
        info->argument_uses[scalar->integer]--;
    } else if (known->home && known->uses == 0) {
        drop_operands(info, scalar);
    }
}

static void drop_operands(FunctionInfo *info, const Scalar *scalar) {
    ScalarInfo *known = info_of(info, scalar);
    if (known->dropped) {
        return;
    }
    known->dropped = true;
    for (int i = 0; i < scalar->arg_count; i++) {
        drop_use(info, scalar->args[i]);
    }
    if (scalar->op == SCALAR_LOAD) {
        info->buffer_uses[scalar->buffer->id]--;
    } else if (scalar->op == SCALAR_LOCAL) {
        find_local(info, scalar->local)->reads--;
    }
}

// Values that nothing uses and those that are known numbers need no operands.
static void drop_unprinted(FunctionInfo *info) {
    for (int i = 0; i < info->scalar_count; i++) {
        const ScalarInfo *known = &info->scalars[i];
        if (known->home && (known->uses == 0 || is_number(known))) {
            drop_operands(info, known->scalar);
        }
    }
}

static void drop_unread_sets(FunctionInfo *info, const Block *block) {
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *statement = block->statements.at[i];
        if (statement->kind == STATEMENT_SET && !find_local(info, statement->local)->home) {
            if (statement->index) {
                drop_use(info, statement->index);
            }
            drop_use(info, statement->value);
        }
        if (statement->kind == STATEMENT_LOOP) {
            drop_unread_sets(info, &statement->loop->body);
        }
        drop_unread_sets(info, &statement->body);
        drop_unread_sets(info, &statement->otherwise);
    }
}

static bool calls_function(const Scalar *scalar, const ScalarInfo *known) {
    switch (scalar->op) {
    case SCALAR_FMA:
    case SCALAR_ABS:
    case SCALAR_COPYSIGN:
    case SCALAR_SQRT:
    case SCALAR_FLOOR:
    case SCALAR_CEIL:
    case SCALAR_TRUNC:
    case SCALAR_ROUND:
    case SCALAR_BITS:
    case SCALAR_LIBM: return true;
    case SCALAR_CAST:
        return element_is_real(scalar->args[0]->type) && element_is_integer(scalar->type);
    default: return known->wraps;
    }
}

// Index arithmetic that is clearest where it is used, however often.
static bool reads_better_everywhere(const FunctionInfo *info, const Scalar *scalar) {
    const ScalarInfo *known = info_of(info, scalar);
    if (is_number(known)) {
        return true;
    }
    if (scalar->type != TYPE_I64 || known->wraps || known->size > LONGEST_INDEX ||
        (scalar->op != SCALAR_ADD && scalar->op != SCALAR_SUB && scalar->op != SCALAR_MUL)) {
        return false;
    }
    for (int i = 0; i < scalar->arg_count; i++) {
        if (info_of(info, scalar->args[i])->place != PLACE_EVERYWHERE) {
            return false;
        }
    }
    return true;
}

// An operand of an operator that C might not evaluate, or where compilers warn of calls, is
// computed before.
static bool user_allows(const Scalar *user, const Scalar *operand, const ScalarInfo *known) {
    if (user->op == SCALAR_SELECT && operand != user->args[0]) {
        return !known->reads && !known->calls;
    }
    if ((user->op == SCALAR_AND || user->op == SCALAR_OR) && user->type == TYPE_BOOL) {
        return !known->calls;
    }
    return true;
}

static bool can_fold(const FunctionInfo *info, const Scalar *scalar, const Block *block,
                     const Scalar *user, const Statement *statement) {
    const ScalarInfo *known = info_of(info, scalar);
    if (known->home != block || known->uses != 1) {
        return false;
    }
    if (user) {
        return user_allows(user, scalar, known) && !scalar->name;
    }
    if (statement->kind == STATEMENT_LOOP) {
        return false; // it would be computed anew in each iteration
    }
    bool stored_as_itself = statement->kind == STATEMENT_STORE && scalar->name &&
                            statement->buffer->name &&
                            strcmp(statement->buffer->name, scalar->name) == 0;
    return !scalar->name || scalar->op == SCALAR_LIBM || stored_as_itself;
}

// Folds an operand into the expression of `size` operators around it, if that stays readable.
static void fold_operand(FunctionInfo *info, const Scalar *scalar, const Block *block,
                         const Scalar *user, const Statement *statement, int *size) {
    ScalarInfo *known = info_of(info, scalar);
    if (known->place == PLACE_EVERYWHERE) {
        *size += known->size;
    } else if (can_fold(info, scalar, block, user, statement) &&
               *size + known->size <= LONGEST_EXPRESSION) {
        known->place = PLACE_IN_USER;
        known->user = user;
        *size += known->size;
    } else {
        *size += 1;
    }
}

static void fold_scalar(FunctionInfo *info, const Block *block, const Scalar *scalar) {
    ScalarInfo *known = info_of(info, scalar);
    known->size = 1;
    known->reads = scalar->op == SCALAR_LOAD || scalar->op == SCALAR_LOCAL;
    known->calls = calls_function(scalar, known);
    for (int i = 0; i < scalar->arg_count; i++) {
        fold_operand(info, scalar->args[i], block, scalar, NULL, &known->size);
        const ScalarInfo *operand = info_of(info, scalar->args[i]);
        if (operand->place == PLACE_IN_USER) {
            known->reads |= operand->reads;
            known->calls |= operand->calls;
        }
    }
    if (reads_better_everywhere(info, scalar)) {
        known->place = PLACE_EVERYWHERE;
    }
}

static void fold_block(FunctionInfo *info, const Block *block) {
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *statement = block->statements.at[i];
        if (statement->kind == STATEMENT_SCALAR) {
            fold_scalar(info, block, statement->scalar);
            continue;
        }
        const Scalar *operands[3];
        int count = statement_operands(statement, operands);
        int size = 0;
        for (int k = 0; k < count; k++) {
            fold_operand(info, operands[k], block, NULL, statement, &size);
        }
        if (statement->kind == STATEMENT_CALL) {
            for (int k = 0; k < statement->kernel->argument_count; k++) {
                fold_operand(info, statement->arguments[k], block, NULL, statement, &size);
            }
        }
        if (statement->kind == STATEMENT_LOOP) {
            fold_block(info, &statement->loop->body);
        }
        fold_block(info, &statement->body);
        if (statement->kind == STATEMENT_WHILE) {
            fold_operand(info, statement->condition, &statement->body, NULL, statement, &size);
        }
        fold_block(info, &statement->otherwise);
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
    count_inner(&walk, NULL, body, false);
    drop_unprinted(&info);
    place_locals(&info);
    drop_unread_sets(&info, body);
    fold_block(&info, body);
    return info;
}
