// The functions of vector_math.c as C. Compilers turn loops that call them into vector code without
// any flag, on three conditions: there is no branch in them, not even a conditional expression but
// for minima and maxima, so selections are arithmetic on bits; nothing is reassociated; and they
// are inlined.
//
// A function with rare steps becomes four: whether an argument is a rare one, the function of the
// usual ones, that of any, which stays apart, and their choice. Loops of vectors call that of any
// if it is not much longer.
#include "codegen/vector_math_c.h"

#include <string.h>

const char *math_function_spelling(Arena *arena, const char *name, ElementType type) {
    return arena_format(arena, "%s_%s", name, element_name(type));
}

const char *math_part_spelling(Arena *arena, const MathFunction *function, const char *part) {
    return arena_format(arena, "%s_%s_%s", function->name, part, element_name(function->type));
}

// What a function is made of, and what of it is printed.
typedef struct Part {
    const MathFunction *function;
    bool usual; // without the rare steps
    bool rare;  // where they are needed
    const Scalar *result;
    bool *needed; // by id: steps that the result depends on
} Part;

// What a scalar is in the part.
static const Scalar *in_part(const Part *part, const Scalar *scalar) {
    const MathFunction *function = part->function;
    while ((part->usual || part->rare) && scalar->op == SCALAR_SELECT &&
           scalar->args[0] == function->rare) {
        scalar = scalar->args[part->usual ? 2 : 1];
    }
    check(!part->usual || scalar->op == SCALAR_CONSTANT || scalar->id < function->rare_from ||
              scalar->id >= function->rare_to,
          "the usual steps of %s need a rare one", function->name);
    return scalar;
}

static bool is_same(const Part *part, const Scalar *x, const Scalar *y) {
    x = in_part(part, x);
    y = in_part(part, y);
    return x == y || (x->op == SCALAR_CONSTANT && y->op == SCALAR_CONSTANT && x->type == y->type &&
                      element_is_real(x->type) && x->real == y->real);
}

// Whether a selection is the larger or the smaller of what its condition compares: compilers have
// an instruction for that, with the second operand where one is NaN.
static bool is_extreme(const Part *part, const Scalar *step) {
    if (step->op != SCALAR_SELECT || !element_is_real(step->type))
        return false;
    const Scalar *condition = in_part(part, step->args[0]);
    const Scalar *x = step->args[1], *y = step->args[2];
    bool compares = condition->op == SCALAR_LT || condition->op == SCALAR_GT;
    return compares &&
           ((is_same(part, condition->args[0], x) && is_same(part, condition->args[1], y)) ||
            (is_same(part, condition->args[0], y) && is_same(part, condition->args[1], x)));
}

typedef enum Side { SIDE_BOTH, SIDE_USUAL, SIDE_RARE } Side;

static Part make_part(Arena *arena, const MathFunction *function, const Scalar *result, Side side) {
    Part part = {.function = function,
                 .usual = side == SIDE_USUAL,
                 .rare = side == SIDE_RARE,
                 .needed = arena_array(arena, bool, function->scalar_count)};
    part.result = in_part(&part, result);
    part.needed[part.result->id] = true;
    for (int i = function->steps.count - 1; i >= 0; i--) {
        const Scalar *step = function->steps.at[i];
        if (!part.needed[step->id]) {
            continue;
        }
        // The condition of an extreme is written in its place.
        for (int k = is_extreme(&part, step) ? 1 : 0; k < step->arg_count; k++) {
            part.needed[in_part(&part, step->args[k])->id] = true;
        }
    }
    return part;
}

static const char *unsigned_type(ElementType type) {
    return type == TYPE_F32 || type == TYPE_I32 ? "uint32_t" : "uint64_t";
}

// The type whose bits a step has: bools are as wide as what they compare.
static ElementType bits_type(const Scalar *scalar) {
    while (scalar->type == TYPE_BOOL)
        scalar = scalar->args[0];
    return scalar->type;
}

static const char *value_type(const Scalar *scalar) {
    return element_is_real(scalar->type) ? c_element_type(scalar->type)
                                         : unsigned_type(bits_type(scalar));
}

// An unsigned number; small ones are amounts of shifts and exponents.
static void write_bits(Text *out, ElementType type, uint64_t bits) {
    if (bits < 10000) {
        text_format(out, "%d", (int)bits);
    } else if (type == TYPE_I32) {
        text_format(out, "0x%08xu", (unsigned)(uint32_t)bits);
    } else {
        text_format(out, "UINT64_C(0x%016llx)", (unsigned long long)bits);
    }
}

static const char parameters[MOST_MATH_ARGUMENTS + 1] = "xyz";

static void write_operand(Text *out, const Part *part, const Scalar *scalar) {
    scalar = in_part(part, scalar);
    if (scalar->op == SCALAR_ARGUMENT) {
        text_add_char(out, parameters[scalar->integer]);
    } else if (scalar->op != SCALAR_CONSTANT) {
        text_format(out, "v%d", scalar->id);
    } else if (element_is_real(scalar->type)) {
        write_real(out, scalar->type, scalar->real);
    } else {
        write_bits(out, scalar->type, (uint64_t)scalar->integer);
    }
}

static const char *sign_of(ScalarOp op) {
    switch (op) {
    case SCALAR_ADD: return "+";
    case SCALAR_SUB: return "-";
    case SCALAR_MUL: return "*";
    case SCALAR_DIV: return "/";
    case SCALAR_AND: return "&";
    case SCALAR_OR: return "|";
    case SCALAR_XOR: return "^";
    case SCALAR_SHIFT_LEFT: return "<<";
    case SCALAR_SHIFT_LOGICAL: return ">>";
    case SCALAR_LT: return "<";
    case SCALAR_LE: return "<=";
    case SCALAR_GT: return ">";
    case SCALAR_EQ: return "==";
    default: return NULL;
    }
}

static void write_call(Text *out, const Part *part, const char *name, const Scalar *step) {
    text_format(out, "%s(", name);
    for (int i = 0; i < step->arg_count; i++) {
        text_add(out, i ? ", " : "");
        write_operand(out, part, step->args[i]);
    }
    text_add_char(out, ')');
}

static void write_bit_cast(Writer *writer, Text *out, const Part *part, const Scalar *step) {
    ElementType from = step->args[0]->type, to = step->type;
    if (element_is_integer(to)) {
        text_format(out, "(%s)%s(", unsigned_type(to), helper_name(writer, HELPER_BITS, from, to));
    } else {
        text_format(out, "%s((%s)", helper_name(writer, HELPER_BITS, from, to),
                    c_element_type(from));
    }
    write_operand(out, part, step->args[0]);
    text_add_char(out, ')');
}

// x > y ? x : y, or with "<".
static void write_extreme(Text *out, const Part *part, const Scalar *step) {
    const Scalar *condition = in_part(part, step->args[0]);
    bool turned = !is_same(part, condition->args[0], step->args[1]);
    const char *sign = (condition->op == SCALAR_GT) != turned ? " > " : " < ";
    const char *between[] = {sign, " ? ", " : ", ""};
    for (int i = 0; i < 4; i++) {
        write_operand(out, part, step->args[1 + i % 2]);
        text_add(out, between[i]);
    }
}

static void write_step(Writer *writer, Text *out, const Part *part, const Scalar *step) {
    const char *suffix = step->type == TYPE_F32 ? "f" : "";
    text_format(out, "    const %s v%d = ", value_type(step), step->id);
    switch (step->op) {
    case SCALAR_FMA:
        write_call(out, part, helper_name(writer, HELPER_FMA, step->type, step->type), step);
        break;
    case SCALAR_ABS: write_call(out, part, arena_format(out->arena, "fabs%s", suffix), step); break;
    case SCALAR_SQRT:
        write_call(out, part, arena_format(out->arena, "sqrt%s", suffix), step);
        break;
    case SCALAR_COPYSIGN:
        write_call(out, part, arena_format(out->arena, "copysign%s", suffix), step);
        break;
    case SCALAR_SELECT:
        if (is_extreme(part, step)) {
            write_extreme(out, part, step);
            break;
        }
        write_call(out, part, helper_name(writer, HELPER_CHOOSE, step->type, step->type), step);
        break;
    case SCALAR_BITS: write_bit_cast(writer, out, part, step); break;
    case SCALAR_LOOKUP:
        writer->tables[step->integer] = true;
        text_format(out, "%s[", math_table(step->integer)->name);
        write_operand(out, part, step->args[0]);
        text_add(out, "]");
        break;
    case SCALAR_CAST:
        text_format(out, "(%s)", c_element_type(step->type));
        write_operand(out, part, step->args[0]);
        break;
    default:
        check(sign_of(step->op) != NULL, "scalar operator %d in %s", (int)step->op,
              part->function->name);
        write_operand(out, part, step->args[0]);
        text_format(out, " %s ", sign_of(step->op));
        write_operand(out, part, step->args[1]);
    }
    text_add(out, ";\n");
}

// The parameters of `head` and the brace.
static void write_head(Text *out, const MathFunction *function, const char *head) {
    const char *type = c_element_type(function->type);
    text_format(out, "%s(", head);
    for (int i = 0; i < function->arity; i++) {
        text_format(out, "%s%s %c", i > 0 ? ", " : "", type, parameters[i]);
    }
    text_add(out, ") {\n");
}

static void write_part(Writer *writer, Text *out, const Part *part) {
    const MathFunction *function = part->function;
    for (int i = 0; i < function->steps.count; i++) {
        if (part->needed[function->steps.at[i]->id]) {
            write_step(writer, out, part, function->steps.at[i]);
        }
    }
    text_add(out, "    return ");
    write_operand(out, part, part->result);
    text_add(out, ";\n}\n\n");
}

// A function that does the same for every argument.
static void write_even(Writer *writer, Text *out, const MathFunction *function, const char *head) {
    Part part = make_part(out->arena, function, function->result, SIDE_BOTH);
    write_head(out, function, head);
    write_part(writer, out, &part);
}

static const char *argument_list(const MathFunction *function) {
    return function->arity > 1 ? "(x, y)" : "(x)";
}

// The whole function without branches, for loops of vectors.
static void write_any_part(Writer *writer, Text *out, const MathFunction *even) {
    const char *head =
        arena_format(out->arena, "static TDSL_INLINE %s %s", c_element_type(even->type),
                     math_part_spelling(out->arena, even, "any"));
    write_even(writer, out, even, head);
}

static bool has_any_part(const Writer *writer, const MathFunction *function) {
    for (int i = 0; i < writer->even_math.count; i++) {
        const MathFunction *even = writer->even_math.at[i];
        if (even->type == function->type && strcmp(even->name, function->name) == 0) {
            return true;
        }
    }
    return false;
}

// What stays apart is called so seldom that it may be slow.
static void write_rare_part(Writer *writer, Text *out, const MathFunction *function) {
    const char *type = c_element_type(function->type), *called = function->name;
    const char *head = arena_format(out->arena, "static TDSL_RARE %s %s", type,
                                    math_part_spelling(out->arena, function, "rare"));
    if (function->alone) {
        Part part = make_part(out->arena, function, function->result, SIDE_RARE);
        write_head(out, function, head);
        write_part(writer, out, &part);
        return;
    }
    const MathFunction *even =
        math_function(out->arena, function->name, function->type, (MathAbilities){0});
    if (has_any_part(writer, function)) {
        called = math_part_spelling(out->arena, function, "any");
    } else if (even) {
        write_even(writer, out, even, head);
        return;
    } else if (function->type == TYPE_F32) {
        called = arena_format(out->arena, "%sf", called);
    }
    write_head(out, function, head);
    text_format(out, "    return %s%s;\n}\n\n", called, argument_list(function));
}

static void write_branching(Writer *writer, Text *out, const MathFunction *function) {
    Arena *arena = out->arena;
    const char *type = c_element_type(function->type);
    const char *is_rare = math_part_spelling(arena, function, "is_rare");
    const char *usual = math_part_spelling(arena, function, "usual");
    Part condition = make_part(arena, function, function->rare, SIDE_BOTH);
    write_head(out, function,
               arena_format(arena, "static TDSL_INLINE %s %s",
                            unsigned_type(bits_type(function->rare)), is_rare));
    write_part(writer, out, &condition);
    write_rare_part(writer, out, function);
    Part rest = make_part(arena, function, function->result, SIDE_USUAL);
    write_head(out, function, arena_format(arena, "static TDSL_INLINE %s %s", type, usual));
    write_part(writer, out, &rest);
    const char *name = math_function_spelling(arena, function->name, function->type);
    const char *list = argument_list(function);
    write_head(out, function, arena_format(arena, "static TDSL_INLINE %s %s", type, name));
    // Before the branch, so that compilers find what it has in common with other functions.
    text_format(out, "    const %s result = %s%s;\n", type, usual, list);
    text_format(out, "    return %s%s ? %s%s : result;\n}\n\n", is_rare, list,
                math_part_spelling(arena, function, "rare"), list);
}

static void write_definition(Writer *writer, Text *out, const MathFunction *function) {
    if (function->rare) {
        write_branching(writer, out, function);
        return;
    }
    const char *name = math_function_spelling(out->arena, function->name, function->type);
    write_even(
        writer, out, function,
        arena_format(out->arena, "static TDSL_INLINE %s %s", c_element_type(function->type), name));
}

// Compilers inline short functions alone.
static void write_marks(Text *out) {
    text_add(out, "#if defined(__GNUC__)\n"
                  "#define TDSL_INLINE inline __attribute__((always_inline))\n"
                  "#define TDSL_RARE __attribute__((noinline, cold))\n"
                  "#else\n"
                  "#define TDSL_INLINE inline\n"
                  "#define TDSL_RARE\n"
                  "#endif\n\n");
}

static void write_table(Text *out, const MathTable *table) {
    enum { IN_LINE = 4 };
    text_format(out, "static const %s %s[%d] = {", table->type == TYPE_F64 ? "double" : "uint64_t",
                table->name, table->count);
    for (int i = 0; i < table->count; i++) {
        text_add(out, i % IN_LINE ? " " : "\n    ");
        if (table->type == TYPE_F64) {
            write_real(out, TYPE_F64, ((const double *)table->at)[i]);
        } else {
            write_bits(out, TYPE_I64, ((const uint64_t *)table->at)[i]);
        }
        text_add(out, i < table->count - 1 ? "," : "");
    }
    text_add(out, "};\n\n");
}

static void write_tables(const Writer *writer, Text *out) {
    for (int i = 0; i < MATH_TABLES; i++) {
        if (writer->tables[i]) {
            write_table(out, math_table(i));
        }
    }
}

void write_math_functions(Writer *writer, Text *text) {
    if (writer->math.count + writer->even_math.count == 0) {
        return;
    }
    write_marks(text);
    Text functions = text_new(text->arena), *out = &functions;
    for (int i = 0; i < writer->even_math.count; i++) {
        write_any_part(writer, out, writer->even_math.at[i]);
    }
    for (int i = 0; i < writer->math.count; i++) {
        write_definition(writer, out, writer->math.at[i]);
    }
    write_tables(writer, text);
    text_add_bytes(text, text_string(&functions), functions.length);
}

static void take_names_of(Writer *writer, const char *name, ElementType type) {
    static const char *const parts[] = {"is_rare", "rare",   "usual",  "any",
                                        "part_1",  "part_2", "part_3", "end"};
    names_take(&writer->names, math_function_spelling(writer->arena, name, type));
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        names_take(&writer->names,
                   arena_format(writer->arena, "%s_%s_%s", name, parts[i], element_name(type)));
    }
}

void take_math_names(Writer *writer) {
    for (int i = 0; i < MATH_TABLES; i++) {
        names_take(&writer->names, math_table(i)->name);
    }
    for (int i = 0; math_function_name(i); i++) {
        take_names_of(writer, math_function_name(i), TYPE_F32);
        take_names_of(writer, math_function_name(i), TYPE_F64);
    }
}
