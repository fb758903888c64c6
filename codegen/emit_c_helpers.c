// Small functions that printed expressions call, each printed only if used.
#include "codegen/emit_c_write.h"

static const char *const helper_verbs[HELPER_COUNT] = {
    [HELPER_ADD] = "add",    [HELPER_SUB] = "subtract", [HELPER_MUL] = "multiply",
    [HELPER_NEG] = "negate", [HELPER_ABS] = "absolute", [HELPER_FMA] = "multiply_add",
};

static const char *name_of_helper(Arena *arena, Helper helper, ElementType from, ElementType to) {
    if (helper == HELPER_CAST) {
        return arena_format(arena, "%s_to_%s", element_name(from), element_name(to));
    }
    if (helper == HELPER_CHOOSE || helper == HELPER_NAN_OR) {
        return arena_format(arena, helper == HELPER_CHOOSE ? "choose_%s" : "nan_or_%s",
                            element_name(to));
    }
    if (helper == HELPER_BITS) {
        return arena_format(arena, "%s_from_bits_of_%s", element_name(to), element_name(from));
    }
    return arena_format(arena, "%s_%s", helper_verbs[helper], element_name(from));
}

static ElementType bits_of(ElementType real) {
    return real == TYPE_F32 ? TYPE_I32 : TYPE_I64;
}

const char *helper_name(Writer *writer, Helper helper, ElementType from, ElementType to) {
    writer->helpers[helper][from][to] = true;
    if (helper == HELPER_CHOOSE) {
        writer->helpers[HELPER_BITS][to][bits_of(to)] = true;
        writer->helpers[HELPER_BITS][bits_of(to)][to] = true;
    }
    return name_of_helper(writer->arena, helper, from, to);
}

static void write_wrapping(Text *out, Helper helper, ElementType type, const char *name) {
    const char *c_type = c_element_type(type);
    const char *wide = type == TYPE_I32 ? "uint32_t" : "uint64_t";
    const char *sign = helper == HELPER_ADD ? "+" : helper == HELPER_SUB ? "-" : "*";
    switch (helper) {
    case HELPER_ADD:
    case HELPER_SUB:
    case HELPER_MUL:
        text_format(out, "static inline %s %s(%s x, %s y) {\n", c_type, name, c_type, c_type);
        text_format(out, "    return (%s)((%s)x %s (%s)y);\n}\n\n", c_type, wide, sign, wide);
        break;
    case HELPER_NEG:
        text_format(out, "static inline %s %s(%s x) {\n", c_type, name, c_type);
        text_format(out, "    return (%s)(0 - (%s)x);\n}\n\n", c_type, wide);
        break;
    default:
        text_format(out, "static inline %s %s(%s x) {\n", c_type, name, c_type);
        text_format(out, "    return x < 0 ? (%s)(0 - (%s)x) : x;\n}\n\n", c_type, wide);
        break;
    }
}

static void write_fma(Text *out, ElementType type, const char *name) {
    const char *c_type = c_element_type(type);
    const char *suffix = type == TYPE_F32 ? "f" : "";
    text_format(out, "static inline %s %s(%s x, %s y, %s z) {\n", c_type, name, c_type, c_type,
                c_type);
    text_format(out,
                "#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)\n"
                "    return fma%s(x, y, z);\n"
                "#else\n"
                "    return x * y + z;\n"
                "#endif\n}\n\n",
                suffix);
}

// Towards zero; 0 where the result does not fit or x is NaN.
static void write_conversion(Text *out, ElementType from, ElementType to, const char *name) {
    const char *low, *high;
    if (to == TYPE_I32) {
        low = from == TYPE_F32 ? "x >= -2147483648.0f" : "x > -2147483649.0";
        high = from == TYPE_F32 ? "x < 2147483648.0f" : "x < 2147483648.0";
    } else {
        low = from == TYPE_F32 ? "x >= -9223372036854775808.0f" : "x >= -9223372036854775808.0";
        high = from == TYPE_F32 ? "x < 9223372036854775808.0f" : "x < 9223372036854775808.0";
    }
    text_format(out, "static inline %s %s(%s x) {\n", c_element_type(to), name,
                c_element_type(from));
    text_format(out, "    return %s && %s ? (%s)x : 0;\n}\n\n", low, high, c_element_type(to));
}

static void write_bits(Text *out, ElementType from, ElementType to, const char *name) {
    text_format(out, "static inline %s %s(%s x) {\n", c_element_type(to), name,
                c_element_type(from));
    text_format(out,
                "    %s result;\n"
                "    memcpy(&result, &x, sizeof result);\n"
                "    return result;\n}\n\n",
                c_element_type(to));
}

// y ^ ((x ^ y) & mask), the mask all ones where the condition, 0 or 1, holds.
static void write_choose(Text *out, ElementType type, const char *name) {
    ElementType bits = bits_of(type);
    const char *real = c_element_type(type), *word = type == TYPE_F32 ? "uint32_t" : "uint64_t";
    const char *to = name_of_helper(out->arena, HELPER_BITS, type, bits);
    text_format(out, "static inline %s %s(%s condition, %s x, %s y) {\n", real, name, word, real,
                real);
    text_format(out, "    const %s a = (%s)%s(x);\n", word, word, to);
    text_format(out, "    const %s b = (%s)%s(y);\n", word, word, to);
    text_format(out, "    return %s((%s)(b ^ ((a ^ b) & (0 - condition))));\n}\n\n",
                name_of_helper(out->arena, HELPER_BITS, bits, type), c_element_type(bits));
}

// Nearly always the second, and in vectors that is two instructions.
static void write_nan_or(Text *out, ElementType type, const char *name) {
    const char *real = c_element_type(type);
    text_format(out, "static inline %s %s(%s x, %s y) {\n", real, name, real, real);
    text_add(out, "    return x == x ? y : x;\n}\n\n");
}

static void write_helper_body(Text *out, Helper helper, ElementType from, ElementType to,
                              const char *name) {
    switch (helper) {
    case HELPER_ADD:
    case HELPER_SUB:
    case HELPER_MUL:
    case HELPER_NEG:
    case HELPER_ABS: write_wrapping(out, helper, from, name); break;
    case HELPER_FMA: write_fma(out, from, name); break;
    case HELPER_CAST: write_conversion(out, from, to, name); break;
    case HELPER_BITS: write_bits(out, from, to, name); break;
    case HELPER_CHOOSE: write_choose(out, to, name); break;
    case HELPER_NAN_OR: write_nan_or(out, to, name); break;
    case HELPER_COUNT: break;
    }
}

void write_helpers(const Writer *writer, Text *out) {
    for (int helper = 0; helper < HELPER_COUNT; helper++) {
        for (int from = 0; from < ELEMENT_TYPE_COUNT; from++) {
            for (int to = 0; to < ELEMENT_TYPE_COUNT; to++) {
                if (writer->helpers[helper][from][to]) {
                    const char *name = name_of_helper(writer->arena, (Helper)helper,
                                                      (ElementType)from, (ElementType)to);
                    write_helper_body(out, (Helper)helper, (ElementType)from, (ElementType)to,
                                      name);
                }
            }
        }
    }
}
