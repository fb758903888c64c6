// Scalars as C expressions, with as few parentheses as C and its compilers' warnings ask for.
// Integers wrap around by way of unsigned arithmetic in helper functions wherever the range
// analysis cannot exclude overflow; conversions are defined for all inputs.
#include <math.h>
#include <string.h>

#include "codegen/emit_c_write.h"
#include "codegen/vector_math_c.h"

static ScalarInfo *info_of(const Writer *writer, const Scalar *scalar) {
    return &writer->info.scalars[scalar->id];
}

static bool is_number(const Writer *writer, const Scalar *scalar) {
    return scalar->op == SCALAR_CONSTANT || is_known_number(&writer->info, scalar);
}

void write_integer(Text *out, ElementType type, int64_t value) {
    if (type == TYPE_I64 && value == INT64_MIN) {
        text_add(out, "(-INT64_C(9223372036854775807) - 1)");
    } else if (type == TYPE_I32 && value == INT32_MIN) {
        text_add(out, "(-2147483647 - 1)");
    } else if (value > INT32_MAX || value < -INT32_MAX) {
        text_format(out, value < 0 ? "-INT64_C(%lld)" : "INT64_C(%lld)",
                    value < 0 ? -(long long)value : (long long)value);
    } else {
        text_format(out, "%lld", (long long)value);
    }
}

void write_real(Text *out, ElementType type, double value) {
    bool is_single = type == TYPE_F32;
    double exact = is_single ? (double)(float)value : value;
    if (isnan(exact) || isinf(exact)) {
        text_format(out, "%s%s%s", signbit(exact) ? "-" : "", is_single ? "" : "(double)",
                    isnan(exact) ? "NAN" : "INFINITY");
        return;
    }
    text_add_real(out, value, is_single);
    if (is_single) {
        text_add_char(out, 'f');
    }
}

static void write_number(Writer *writer, const Scalar *scalar) {
    if (element_is_real(scalar->type)) {
        write_real(writer->out, scalar->type, scalar->real);
    } else if (scalar->type == TYPE_BOOL) {
        text_add(writer->out, info_of(writer, scalar)->range.low ? "true" : "false");
    } else {
        write_integer(writer->out, scalar->type, info_of(writer, scalar)->range.low);
    }
}

static Level number_level(const Writer *writer, const Scalar *scalar) {
    if (element_is_real(scalar->type)) {
        bool cast = scalar->type == TYPE_F64 && !isfinite(scalar->real);
        return signbit(scalar->real) || cast ? LEVEL_UNARY : LEVEL_PRIMARY;
    }
    return scalar->type != TYPE_BOOL && info_of(writer, scalar)->range.low < 0 ? LEVEL_UNARY
                                                                               : LEVEL_PRIMARY;
}

static Level arithmetic_level(const Writer *writer, const Scalar *scalar, Level plain) {
    return info_of(writer, scalar)->wraps ? LEVEL_PRIMARY : plain;
}

static Level cast_level(const Scalar *scalar) {
    ElementType from = scalar->args[0]->type;
    if (scalar->type == TYPE_BOOL) {
        return LEVEL_COMPARE;
    }
    bool helper = element_is_real(from) && element_is_integer(scalar->type);
    return helper ? LEVEL_PRIMARY : LEVEL_UNARY;
}

static Level level_of(const Writer *writer, const Scalar *scalar) {
    if (is_number(writer, scalar)) {
        return number_level(writer, scalar);
    }
    if (info_of(writer, scalar)->name) {
        return LEVEL_PRIMARY;
    }
    switch (scalar->op) {
    case SCALAR_ADD:
    case SCALAR_SUB: return arithmetic_level(writer, scalar, LEVEL_SUM);
    case SCALAR_MUL: return arithmetic_level(writer, scalar, LEVEL_PRODUCT);
    case SCALAR_DIV:
    case SCALAR_REMAINDER: return LEVEL_PRODUCT;
    case SCALAR_NEG: return arithmetic_level(writer, scalar, LEVEL_UNARY);
    case SCALAR_NOT:
    case SCALAR_SHIFT_LEFT:
    case SCALAR_SHIFT_LOGICAL: return LEVEL_UNARY;
    case SCALAR_CAST: return cast_level(scalar);
    case SCALAR_EQ:
    case SCALAR_NE:
    case SCALAR_LT:
    case SCALAR_LE:
    case SCALAR_GT:
    case SCALAR_GE: return LEVEL_COMPARE;
    case SCALAR_AND:
    case SCALAR_OR:
    case SCALAR_XOR:
    case SCALAR_SHIFT_RIGHT: return LEVEL_BITS;
    case SCALAR_SELECT: return chooses_by_bits(scalar) ? LEVEL_PRIMARY : LEVEL_ANY;
    case SCALAR_LOAD: return scalar->type == TYPE_BOOL ? LEVEL_COMPARE : LEVEL_PRIMARY;
    default: return LEVEL_PRIMARY;
    }
}

static void write_binary(Writer *writer, const Scalar *scalar, const char *sign, Level left,
                         Level right) {
    write_expression(writer, scalar->args[0], left);
    text_format(writer->out, " %s ", sign);
    write_expression(writer, scalar->args[1], right);
}

static void write_call(Writer *writer, const char *function, const Scalar *scalar) {
    text_format(writer->out, "%s(", function);
    for (int i = 0; i < scalar->arg_count; i++) {
        text_add(writer->out, i ? ", " : "");
        write_expression(writer, scalar->args[i], LEVEL_ANY);
    }
    text_add_char(writer->out, ')');
}

static void write_libm(Writer *writer, const char *function, const Scalar *scalar) {
    write_call(writer,
               arena_format(writer->arena, "%s%s", function, scalar->type == TYPE_F32 ? "f" : ""),
               scalar);
}

static const MathFunction *find_math(const MathFunction *const *known, int count,
                                     const Scalar *scalar) {
    for (int i = 0; i < count; i++) {
        if (known[i]->type == scalar->type && strcmp(known[i]->name, scalar->name) == 0) {
            return known[i];
        }
    }
    return NULL;
}

// The function written out, NULL if it is libm's; notes that it is used.
static const MathFunction *use_math(Writer *writer, const Scalar *scalar) {
    const MathFunction *function = find_math(writer->math.at, writer->math.count, scalar);
    if (!function) {
        bool alone = !is_in_vectors(&writer->in_vectors, scalar->name, scalar->type);
        function = math_function(writer->arena, scalar->name, scalar->type,
                                 (MathAbilities){.branch = true, .alone = alone});
        if (function) {
            vec_push(writer->arena, &writer->math, function);
        }
    }
    return function;
}

// The same without a branch, if it has one otherwise and is short then; notes that it is used.
static const MathFunction *use_even_math(Writer *writer, const Scalar *scalar) {
    const MathFunction *even = find_math(writer->even_math.at, writer->even_math.count, scalar);
    if (even) {
        return even;
    }
    even = even_math_function(writer->arena, scalar->name, scalar->type);
    if (even) {
        vec_push(writer->arena, &writer->even_math, even);
    }
    return even;
}

// A function of this file where vector code is made of it, else libm's.
static void write_function(Writer *writer, const Scalar *scalar) {
    const MathFunction *even = writer->vector_loops > 0 ? use_even_math(writer, scalar) : NULL;
    if (even) {
        write_call(writer, math_part_spelling(writer->arena, even, "any"), scalar);
    } else if (use_math(writer, scalar)) {
        write_call(writer, math_function_spelling(writer->arena, scalar->name, scalar->type),
                   scalar);
    } else {
        write_libm(writer, scalar->name, scalar);
    }
}

static void write_helper(Writer *writer, Helper helper, const Scalar *scalar) {
    write_call(writer, helper_name(writer, helper, scalar->args[0]->type, scalar->type), scalar);
}

// A sum of integers that are not negative may be added up in any order.
static void write_sum(Writer *writer, const Scalar *scalar) {
    bool any_order =
        element_is_integer(scalar->type) && info_of(writer, scalar->args[0])->range.low >= 0 &&
        info_of(writer, scalar->args[1])->range.low >= 0 && scalar->args[1]->op == SCALAR_ADD &&
        info_of(writer, scalar->args[1]->args[0])->range.low >= 0 &&
        info_of(writer, scalar->args[1]->args[1])->range.low >= 0;
    write_binary(writer, scalar, "+", LEVEL_SUM, any_order ? LEVEL_SUM : LEVEL_PRODUCT);
}

static void write_arithmetic(Writer *writer, const Scalar *scalar) {
    bool wraps = info_of(writer, scalar)->wraps;
    switch (scalar->op) {
    case SCALAR_ADD:
        wraps ? write_helper(writer, HELPER_ADD, scalar) : write_sum(writer, scalar);
        break;
    case SCALAR_SUB:
        wraps ? write_helper(writer, HELPER_SUB, scalar)
              : write_binary(writer, scalar, "-", LEVEL_SUM, LEVEL_PRODUCT);
        break;
    case SCALAR_MUL:
        wraps ? write_helper(writer, HELPER_MUL, scalar)
              : write_binary(writer, scalar, "*", LEVEL_PRODUCT, LEVEL_UNARY);
        break;
    case SCALAR_DIV: write_binary(writer, scalar, "/", LEVEL_PRODUCT, LEVEL_UNARY); break;
    case SCALAR_REMAINDER: write_binary(writer, scalar, "%", LEVEL_PRODUCT, LEVEL_UNARY); break;
    case SCALAR_FMA: write_helper(writer, HELPER_FMA, scalar); break;
    case SCALAR_NEG:
        if (wraps) {
            write_helper(writer, HELPER_NEG, scalar);
        } else {
            text_add_char(writer->out, '-');
            write_expression(writer, scalar->args[0], LEVEL_PRIMARY);
        }
        break;
    case SCALAR_ABS:
        element_is_real(scalar->type) ? write_libm(writer, "fabs", scalar)
                                      : write_helper(writer, HELPER_ABS, scalar);
        break;
    default: unreachable("scalar operator %d is no arithmetic", (int)scalar->op);
    }
}

// Do two integer expressions look alike? Compilers warn of comparing such.
static bool looks_equal(const Writer *writer, const Scalar *x, const Scalar *y) {
    if (x == y) {
        return true;
    }
    if (info_of(writer, x)->name || info_of(writer, y)->name || x->op != y->op ||
        x->type != y->type || x->arg_count != y->arg_count || x->integer != y->integer ||
        x->buffer != y->buffer || x->local != y->local || x->loop != y->loop) {
        return false;
    }
    for (int i = 0; i < x->arg_count; i++) {
        if (!looks_equal(writer, x->args[i], y->args[i])) {
            return false;
        }
    }
    return true;
}

static void consume(Writer *writer, const Scalar *scalar);

static void consume_operands(Writer *writer, const Scalar *scalar) {
    for (int i = 0; i < scalar->arg_count; i++) {
        consume(writer, scalar->args[i]);
    }
}

// Marks a folded expression as printed though it was not.
static void consume(Writer *writer, const Scalar *scalar) {
    ScalarInfo *known = info_of(writer, scalar);
    if (known->pending) {
        known->pending = false;
        consume_operands(writer, scalar);
    }
}

static void write_comparison(Writer *writer, const Scalar *scalar, const char *sign) {
    const Scalar *x = scalar->args[0], *y = scalar->args[1];
    if (!element_is_real(x->type) && looks_equal(writer, x, y)) {
        bool holds = scalar->op == SCALAR_EQ || scalar->op == SCALAR_LE || scalar->op == SCALAR_GE;
        consume_operands(writer, scalar);
        text_add(writer->out, holds ? "true" : "false");
        return;
    }
    Level level = x->type == TYPE_BOOL ? LEVEL_PRIMARY : LEVEL_SUM;
    write_binary(writer, scalar, sign, level, level);
}

static void write_logic(Writer *writer, const Scalar *scalar) {
    Level level = LEVEL_UNARY;
    switch (scalar->op) {
    case SCALAR_EQ: write_comparison(writer, scalar, "=="); break;
    case SCALAR_NE: write_comparison(writer, scalar, "!="); break;
    case SCALAR_LT: write_comparison(writer, scalar, "<"); break;
    case SCALAR_LE: write_comparison(writer, scalar, "<="); break;
    case SCALAR_GT: write_comparison(writer, scalar, ">"); break;
    case SCALAR_GE: write_comparison(writer, scalar, ">="); break;
    case SCALAR_AND: write_binary(writer, scalar, "&", level, level); break;
    case SCALAR_OR: write_binary(writer, scalar, "|", level, level); break;
    case SCALAR_XOR:
        if (scalar->type == TYPE_BOOL) {
            write_comparison(writer, scalar, "!=");
        } else {
            write_binary(writer, scalar, "^", level, level);
        }
        break;
    case SCALAR_NOT:
        text_add_char(writer->out, '!');
        write_expression(writer, scalar->args[0], LEVEL_UNARY);
        break;
    default: unreachable("scalar operator %d is no logic", (int)scalar->op);
    }
}

static void write_shift(Writer *writer, const Scalar *scalar) {
    int bits = scalar->type == TYPE_I32 ? 32 : 64;
    if (scalar->op == SCALAR_SHIFT_RIGHT) {
        write_binary(writer, scalar, ">>", LEVEL_UNARY, LEVEL_UNARY);
        return;
    }
    text_format(writer->out, "(int%d_t)((uint%d_t)", bits, bits);
    write_binary(writer, scalar, scalar->op == SCALAR_SHIFT_LEFT ? "<<" : ">>", LEVEL_UNARY,
                 LEVEL_UNARY);
    text_add_char(writer->out, ')');
}

// x, which is the first choice, if it is NaN.
static bool chooses_nan(const Scalar *select) {
    const Scalar *condition = select->args[0], *x = select->args[1];
    return condition->op == SCALAR_NE && condition->args[0] == x && condition->args[1] == x;
}

static void write_select(Writer *writer, const Scalar *scalar) {
    if (chooses_by_bits(scalar) && chooses_nan(scalar)) {
        text_format(writer->out, "%s(",
                    helper_name(writer, HELPER_NAN_OR, scalar->type, scalar->type));
        write_expression(writer, scalar->args[1], LEVEL_ANY);
        text_add(writer->out, ", ");
        write_expression(writer, scalar->args[2], LEVEL_ANY);
        text_add_char(writer->out, ')');
        return;
    }
    if (chooses_by_bits(scalar)) {
        write_call(writer, helper_name(writer, HELPER_CHOOSE, scalar->type, scalar->type), scalar);
        return;
    }
    const Scalar *x = scalar->args[1], *y = scalar->args[2];
    write_expression(writer, scalar->args[0], LEVEL_COMPARE);
    text_add(writer->out, " ? ");
    if (scalar->type == TYPE_I64 && is_number(writer, x) && is_number(writer, y)) {
        text_add(writer->out, "(int64_t)"); // two literals would make an int
        write_expression(writer, x, LEVEL_UNARY);
    } else {
        write_expression(writer, x, LEVEL_COMPARE);
    }
    text_add(writer->out, " : ");
    write_expression(writer, y, LEVEL_COMPARE);
}

static void write_cast(Writer *writer, const Scalar *scalar) {
    const Scalar *operand = scalar->args[0];
    if (scalar->type == operand->type) {
        text_format(writer->out, "(%s)",
                    scalar->type == TYPE_BOOL ? "bool" : c_element_type(scalar->type));
        write_expression(writer, operand, LEVEL_UNARY);
    } else if (scalar->type == TYPE_BOOL) {
        write_expression(writer, operand, LEVEL_SUM);
        text_add(writer->out, " != ");
        element_is_real(operand->type) ? write_real(writer->out, operand->type, 0)
                                       : write_integer(writer->out, operand->type, 0);
    } else if (element_is_real(operand->type) && element_is_integer(scalar->type)) {
        write_helper(writer, HELPER_CAST, scalar);
    } else {
        text_format(writer->out, "(%s)", c_element_type(scalar->type));
        write_expression(writer, operand, LEVEL_UNARY);
    }
}

static void write_memory(Writer *writer, const Scalar *scalar) {
    if (scalar->op == SCALAR_LOAD) {
        text_format(writer->out, "%s[", buffer_spelling(writer, scalar->buffer));
        write_expression(writer, scalar->args[0], LEVEL_ANY);
        text_add(writer->out, scalar->type == TYPE_BOOL ? "] != 0" : "]");
        return;
    }
    const LocalInfo *local = find_local(&writer->info, scalar->local);
    check(local && local->name, "local %s is read before it is declared", scalar->local->name);
    text_add(writer->out, local->name);
    if (scalar->local->count > 1) {
        text_add_char(writer->out, '[');
        write_expression(writer, scalar->args[0], LEVEL_ANY);
        text_add_char(writer->out, ']');
    } else {
        consume_operands(writer, scalar);
    }
}

static void write_operator(Writer *writer, const Scalar *scalar) {
    switch (scalar->op) {
    case SCALAR_CONSTANT:
    case SCALAR_INDEX: unreachable("a loop's index is used outside the loop");
    case SCALAR_ARGUMENT: text_add(writer->out, writer->argument_name[scalar->integer]); break;
    case SCALAR_LOAD:
    case SCALAR_LOCAL: write_memory(writer, scalar); break;
    case SCALAR_ADD:
    case SCALAR_SUB:
    case SCALAR_MUL:
    case SCALAR_DIV:
    case SCALAR_REMAINDER:
    case SCALAR_FMA:
    case SCALAR_NEG:
    case SCALAR_ABS: write_arithmetic(writer, scalar); break;
    case SCALAR_COPYSIGN: write_libm(writer, "copysign", scalar); break;
    case SCALAR_SQRT: write_libm(writer, "sqrt", scalar); break;
    case SCALAR_FLOOR: write_libm(writer, "floor", scalar); break;
    case SCALAR_CEIL: write_libm(writer, "ceil", scalar); break;
    case SCALAR_TRUNC: write_libm(writer, "trunc", scalar); break;
    case SCALAR_ROUND: write_libm(writer, "nearbyint", scalar); break;
    case SCALAR_LIBM: write_function(writer, scalar); break;
    case SCALAR_EQ:
    case SCALAR_NE:
    case SCALAR_LT:
    case SCALAR_LE:
    case SCALAR_GT:
    case SCALAR_GE:
    case SCALAR_AND:
    case SCALAR_OR:
    case SCALAR_XOR:
    case SCALAR_NOT: write_logic(writer, scalar); break;
    case SCALAR_SHIFT_LEFT:
    case SCALAR_SHIFT_RIGHT:
    case SCALAR_SHIFT_LOGICAL: write_shift(writer, scalar); break;
    case SCALAR_SELECT: write_select(writer, scalar); break;
    case SCALAR_CAST: write_cast(writer, scalar); break;
    case SCALAR_BITS: write_helper(writer, HELPER_BITS, scalar); break;
    case SCALAR_SCALE:
    case SCALAR_LOOKUP: unreachable("an operator of functions' steps");
    }
}

void write_expression(Writer *writer, const Scalar *scalar, Level least) {
    ScalarInfo *known = info_of(writer, scalar);
    bool parentheses = level_of(writer, scalar) < least;
    text_add(writer->out, parentheses ? "(" : "");
    if (is_number(writer, scalar)) {
        write_number(writer, scalar);
    } else if (known->name) {
        text_add(writer->out, known->name);
    } else {
        check(known->pending || known->place == PLACE_EVERYWHERE,
              "scalar %d is used before it is computed", scalar->id);
        known->pending = false;
        write_operator(writer, scalar);
    }
    text_add(writer->out, parentheses ? ")" : "");
}
