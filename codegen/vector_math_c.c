// The functions of vector_math.c as C. Compilers turn loops that call them into vector code without
// any flag, on two conditions: there is no branch in them, not even a conditional expression, so
// selections are arithmetic on bits; and nothing is reassociated.
#include "codegen/vector_math_c.h"

const char *math_function_spelling(Arena *arena, const char *name, ElementType type) {
    return arena_format(arena, "%s_%s", name, element_name(type));
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

static void write_operand(Text *out, const MathFunction *function, const Scalar *scalar) {
    if (scalar->op == SCALAR_ARGUMENT) {
        text_add(out, scalar == function->arguments[0] ? "x" : "y");
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

static void write_call(Text *out, const MathFunction *function, const char *name,
                       const Scalar *step) {
    text_format(out, "%s(", name);
    for (int i = 0; i < step->arg_count; i++) {
        text_add(out, i ? ", " : "");
        write_operand(out, function, step->args[i]);
    }
    text_add_char(out, ')');
}

static void write_bit_cast(Writer *writer, Text *out, const MathFunction *function,
                           const Scalar *step) {
    ElementType from = step->args[0]->type, to = step->type;
    if (element_is_integer(to)) {
        text_format(out, "(%s)%s(", unsigned_type(to), helper_name(writer, HELPER_BITS, from, to));
    } else {
        text_format(out, "%s((%s)", helper_name(writer, HELPER_BITS, from, to),
                    c_element_type(from));
    }
    write_operand(out, function, step->args[0]);
    text_add_char(out, ')');
}

static void write_step(Writer *writer, Text *out, const MathFunction *function,
                       const Scalar *step) {
    const char *suffix = step->type == TYPE_F32 ? "f" : "";
    text_format(out, "    const %s v%d = ", value_type(step), step->id);
    switch (step->op) {
    case SCALAR_FMA:
        write_call(out, function, helper_name(writer, HELPER_FMA, step->type, step->type), step);
        break;
    case SCALAR_ABS:
        write_call(out, function, arena_format(out->arena, "fabs%s", suffix), step);
        break;
    case SCALAR_SQRT:
        write_call(out, function, arena_format(out->arena, "sqrt%s", suffix), step);
        break;
    case SCALAR_COPYSIGN:
        write_call(out, function, arena_format(out->arena, "copysign%s", suffix), step);
        break;
    case SCALAR_SELECT:
        write_call(out, function, math_function_spelling(out->arena, "choose", step->type), step);
        break;
    case SCALAR_BITS: write_bit_cast(writer, out, function, step); break;
    case SCALAR_CAST:
        text_format(out, "(%s)", c_element_type(step->type));
        write_operand(out, function, step->args[0]);
        break;
    default:
        check(sign_of(step->op) != NULL, "scalar operator %d in %s", (int)step->op, function->name);
        write_operand(out, function, step->args[0]);
        text_format(out, " %s ", sign_of(step->op));
        write_operand(out, function, step->args[1]);
    }
    text_add(out, ";\n");
}

static void write_definition(Writer *writer, Text *out, const MathFunction *function) {
    const char *type = c_element_type(function->type);
    text_format(out, "static inline %s %s(%s x", type,
                math_function_spelling(out->arena, function->name, function->type), type);
    if (function->arity > 1)
        text_format(out, ", %s y", type);
    text_add(out, ") {\n");
    for (int i = 0; i < function->steps.count; i++) {
        write_step(writer, out, function, function->steps.at[i]);
    }
    text_format(out, "    return v%d;\n}\n\n", function->result->id);
}

// y ^ ((x ^ y) & mask), the mask all ones where the condition, 0 or 1, holds.
static void write_choose(Writer *writer, Text *out, ElementType type) {
    ElementType bits = type == TYPE_F32 ? TYPE_I32 : TYPE_I64;
    const char *real = c_element_type(type), *word = unsigned_type(bits);
    const char *to = helper_name(writer, HELPER_BITS, type, bits);
    text_format(out, "static inline %s %s(%s condition, %s x, %s y) {\n", real,
                math_function_spelling(out->arena, "choose", type), word, real, real);
    text_format(out, "    const %s a = (%s)%s(x);\n", word, word, to);
    text_format(out, "    const %s b = (%s)%s(y);\n", word, word, to);
    text_format(out, "    return %s((%s)(b ^ ((a ^ b) & (0 - condition))));\n}\n\n",
                helper_name(writer, HELPER_BITS, bits, type), c_element_type(bits));
}

void write_math_functions(Writer *writer, Text *out) {
    bool chosen[ELEMENT_TYPE_COUNT] = {false};
    for (int i = 0; i < writer->math.count; i++) {
        const MathFunction *function = writer->math.at[i];
        for (int k = 0; k < function->steps.count; k++) {
            const Scalar *step = function->steps.at[k];
            if (step->op == SCALAR_SELECT && !chosen[step->type]) {
                chosen[step->type] = true;
                write_choose(writer, out, step->type);
            }
        }
        write_definition(writer, out, function);
    }
}

void take_math_names(Writer *writer) {
    names_take(&writer->names, math_function_spelling(writer->arena, "choose", TYPE_F32));
    names_take(&writer->names, math_function_spelling(writer->arena, "choose", TYPE_F64));
    for (int i = 0; math_function_name(i); i++) {
        const char *name = math_function_name(i);
        names_take(&writer->names, math_function_spelling(writer->arena, name, TYPE_F32));
        names_take(&writer->names, math_function_spelling(writer->arena, name, TYPE_F64));
    }
}
