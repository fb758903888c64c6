// Where values and locals are written down: folded into expressions that stay short enough to read,
// or as variables; locals in the innermost block that allows it.
#include <string.h>

#include "codegen/emit_c_analysis.h"

// Operators in one expression: a line or so of C.
enum { LONGEST_EXPRESSION = 26, LONGEST_INDEX = 9 };

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
void place_locals(FunctionInfo *info) {
    for (int i = 0; i < info->locals.count; i++) {
        LocalInfo *found = &info->locals.at[i];
        if (!found->live) {
            found->home = NULL;
            continue;
        }
        while (is_in_loop(found->home) && !is_set_first(found->home->block, found->local)) {
            found->home = found->home->around;
        }
    }
}

bool chooses_by_bits(const Scalar *scalar) {
    if (scalar->op != SCALAR_SELECT || !element_is_real(scalar->type)) {
        return false;
    }
    const Scalar *condition = scalar->args[0], *x = scalar->args[1], *y = scalar->args[2];
    bool is_order = condition->op >= SCALAR_LT && condition->op <= SCALAR_GE;
    return !is_order || !((condition->args[0] == x && condition->args[1] == y) ||
                          (condition->args[0] == y && condition->args[1] == x));
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
    case SCALAR_SELECT: return chooses_by_bits(scalar);
    default: return known->wraps;
    }
}

// Index arithmetic that is clearest where it is used, however often.
static bool reads_better_everywhere(const FunctionInfo *info, const Scalar *scalar) {
    const ScalarInfo *known = scalar_info(info, scalar);
    if (is_known_number(info, scalar)) {
        return true;
    }
    if (scalar->type != TYPE_I64 || known->wraps || known->size > LONGEST_INDEX ||
        (scalar->op != SCALAR_ADD && scalar->op != SCALAR_SUB && scalar->op != SCALAR_MUL)) {
        return false;
    }
    for (int i = 0; i < scalar->arg_count; i++) {
        if (scalar_info(info, scalar->args[i])->place != PLACE_EVERYWHERE) {
            return false;
        }
    }
    return true;
}

// An operand of an operator that C might not evaluate, or where compilers warn of calls, is
// computed before.
static bool user_allows(const Scalar *user, const Scalar *operand, const ScalarInfo *known) {
    if (user->op == SCALAR_SELECT && operand != user->args[0] && !chooses_by_bits(user)) {
        return !known->reads && !known->calls;
    }
    if ((user->op == SCALAR_AND || user->op == SCALAR_OR) && user->type == TYPE_BOOL) {
        return !known->calls;
    }
    if (user->op == SCALAR_EQ || user->op == SCALAR_NE) {
        return operand->op != SCALAR_AND && operand->op != SCALAR_OR;
    }
    return true;
}

static bool can_fold(const FunctionInfo *info, const Scalar *scalar, const Block *block,
                     const Scalar *user, const Statement *statement) {
    const ScalarInfo *known = scalar_info(info, scalar);
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
    ScalarInfo *known = scalar_info(info, scalar);
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
    ScalarInfo *known = scalar_info(info, scalar);
    known->size = 1;
    known->reads = scalar->op == SCALAR_LOAD || scalar->op == SCALAR_LOCAL;
    known->calls = calls_function(scalar, known);
    if (known->uses == 0) {
        return;
    }
    for (int i = 0; i < scalar->arg_count; i++) {
        fold_operand(info, scalar->args[i], block, scalar, NULL, &known->size);
        const ScalarInfo *operand = scalar_info(info, scalar->args[i]);
        if (operand->place == PLACE_IN_USER) {
            known->reads |= operand->reads;
            known->calls |= operand->calls;
        }
    }
    if (reads_better_everywhere(info, scalar)) {
        known->place = PLACE_EVERYWHERE;
    }
}

void fold_block(FunctionInfo *info, const Block *block) {
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *statement = block->statements.at[i];
        if (statement->kind == STATEMENT_SCALAR) {
            fold_scalar(info, block, statement->scalar);
            continue;
        }
        if (statement->kind == STATEMENT_SET && !find_local(info, statement->local)->live) {
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
