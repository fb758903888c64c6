// Safe and unique identifiers. Uniqueness is kept by a hash table of every spelling ever seen with
// a flag whether it is visible now, and the number last tried after it, so that a thousand values
// of one name cost a thousand steps and not a million.
#include "codegen/emit_c_names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "ir/base/check.h"

// Sorted by bytes.
// clang-format off
static const char *const reserved_words[] = {
    "BUFSIZ", "CHAR_BIT", "EDOM", "EILSEQ", "EOF", "ERANGE", "EXIT_FAILURE", "EXIT_SUCCESS", "FILE",
    "FILENAME_MAX", "HUGE_VAL", "HUGE_VALF", "HUGE_VALL", "I", "INFINITY", "NAN", "NULL",
    "RAND_MAX", "TMP_MAX", "_Alignas", "_Alignof", "_Atomic", "_Bool", "_Complex", "_Generic",
    "_Imaginary", "_Noreturn", "_Static_assert", "_Thread_local", "abort", "abs", "acos", "acosf",
    "acosh", "acoshf", "alignas", "alignof", "and", "and_eq", "asin", "asinf", "asinh", "asinhf",
    "asm", "assert", "atan", "atan2", "atan2f", "atanf", "atanh", "atanhf", "atexit", "atof",
    "atoi", "atol", "auto", "bcmp", "bcopy", "bitand", "bitor", "bool", "break", "bsearch", "bzero",
    "calloc", "case", "catch", "cbrt", "cbrtf", "ceil", "ceilf", "char", "char16_t", "char32_t",
    "char8_t", "class", "co_await", "co_return", "co_yield", "compl", "complex", "concept", "const",
    "const_cast", "consteval", "constexpr", "constinit", "continue", "copysign", "copysignf", "cos",
    "cosf", "cosh", "coshf", "decltype", "default", "delete", "div", "do", "double", "drem",
    "dremf", "dynamic_cast", "else", "enum", "erf", "erfc", "erfcf", "erff", "errno", "exit", "exp",
    "exp10", "exp10f", "exp2", "exp2f", "expf", "explicit", "expm1", "expm1f", "export", "extern",
    "fabs", "fabsf", "false", "fdim", "fdimf", "ffs", "finite", "float", "floor", "floorf", "fma",
    "fmaf", "fmax", "fmaxf", "fmin", "fminf", "fmod", "fmodf", "for", "fpclassify", "free", "frexp",
    "frexpf", "friend", "gamma", "gammaf", "getenv", "goto", "hypot", "hypotf", "i386", "if",
    "ilogb", "ilogbf", "imaginary", "index", "inline", "int", "isfinite", "isgreater", "isinf",
    "isless", "isnan", "isnormal", "isunordered", "j0", "j0f", "j1", "j1f", "jn", "jnf", "labs",
    "ldexp", "ldexpf", "ldiv", "lgamma", "lgamma_r", "lgammaf", "linux", "llabs", "lldiv", "llrint",
    "llround", "log", "log10", "log10f", "log1p", "log1pf", "log2", "log2f", "logb", "logbf",
    "logf", "long", "lrint", "lrintf", "lround", "lroundf", "main", "malloc", "math_errhandling",
    "memchr", "memcmp", "memcpy", "memmove", "memset", "modf", "modff", "mutable", "namespace",
    "nan", "nanf", "nearbyint", "nearbyintf", "new", "nextafter", "nextafterf", "nexttoward",
    "noexcept", "not", "not_eq", "nullptr", "offsetof", "operator", "or", "or_eq", "pow", "powf",
    "private", "protected", "public", "qsort", "rand", "random", "realloc", "register",
    "reinterpret_cast", "remainder", "remainderf", "remquo", "remquof", "requires", "restrict",
    "return", "rindex", "rint", "rintf", "round", "roundf", "scalb", "scalbln", "scalbn", "scalbnf",
    "setjmp", "short", "signbit", "signed", "signgam", "significand", "sin", "sincos", "sincosf",
    "sinf", "sinh", "sinhf", "sizeof", "sqrt", "sqrtf", "srand", "static", "static_assert",
    "static_cast", "stderr", "stdin", "stdout", "strcat", "strchr", "strcmp", "strcpy", "strlen",
    "struct", "switch", "system", "tan", "tanf", "tanh", "tanhf", "template", "tgamma", "tgammaf",
    "this", "thread_local", "throw", "true", "trunc", "truncf", "try", "typedef", "typeid",
    "typename", "typeof", "typeof_unqual", "union", "unix", "unsigned", "using", "va_arg", "va_end",
    "va_list", "va_start", "virtual", "void", "volatile", "wchar_t", "while", "xor", "xor_eq", "y0",
    "y0f", "y1", "y1f", "yn", "ynf",
};
// clang-format on

static int compare_words(const void *key, const void *element) {
    return strcmp(key, *(const char *const *)element);
}

static bool ends_with(const char *name, const char *end) {
    size_t length = strlen(name);
    return length > strlen(end) && strcmp(name + length - strlen(end), end) == 0;
}

bool c_name_is_reserved(const char *name) {
    size_t count = sizeof reserved_words / sizeof *reserved_words;
    if (bsearch(name, reserved_words, count, sizeof *reserved_words, compare_words)) {
        return true;
    }
    // The compilers' own names, types (int32_t), limits (INT32_MAX, FLT_MIN, SEEK_SET, M_PI), and
    // the emitted macros.
    return (name[0] == '_' && (name[1] == '_' || isupper((unsigned char)name[1]))) ||
           ends_with(name, "_t") || ends_with(name, "_MAX") || ends_with(name, "_MIN") ||
           strncmp(name, "M_", 2) == 0 || strncmp(name, "FP_", 3) == 0 ||
           strncmp(name, "SEEK_", 5) == 0 || strncmp(name, "SIG_", 4) == 0 ||
           strncmp(name, "TDSL_", 5) == 0;
}

// Only what may stand in an identifier.
static char *clean(Arena *arena, const char *name, size_t longest) {
    bool digit_first = isdigit((unsigned char)name[0]) || !name[0];
    size_t length = strlen(name) < longest ? strlen(name) : longest;
    char *result = arena_alloc(arena, length + 2);
    size_t at = 0;
    if (digit_first) {
        result[at++] = 'v';
    }
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)name[i];
        result[at++] = c < 128 && isalnum(c) ? (char)c : '_';
    }
    return result;
}

static const char *avoid_reserved(Arena *arena, char *name) {
    size_t length = strlen(name);
    size_t base = length;
    while (base > 1 && name[base - 1] == '_') {
        base--;
    }
    char *without = arena_copy_string(arena, name);
    without[base] = '\0';
    bool reserved = c_name_is_reserved(without) || c_name_is_reserved(name);
    return reserved ? arena_format(arena, "%s_", name) : name;
}

const char *c_field_name(Arena *arena, const char *name) {
    return avoid_reserved(arena, clean(arena, name, SIZE_MAX));
}

const char *c_element_type(ElementType element) {
    switch (element) {
    case TYPE_BOOL: return "uint8_t";
    case TYPE_I32: return "int32_t";
    case TYPE_I64: return "int64_t";
    case TYPE_F32: return "float";
    case TYPE_F64: return "double";
    case ELEMENT_TYPE_COUNT: break;
    }
    unreachable("element type %d", (int)element);
}

struct NameSlot {
    const char *spelling;
    bool visible;
    int tried; // the last number put after it
    NameSlot *next;
};

enum { NAME_BUCKETS = 1024, LONGEST_LOCAL_NAME = 48 };

Names names_new(Arena *arena) {
    return (Names){.arena = arena,
                   .buckets = arena_alloc_array(arena, NAME_BUCKETS, sizeof(NameSlot *))};
}

void names_open_scope(Names *names) {
    vec_push(names->arena, &names->scopes, names->taken.count);
}

void names_close_scope(Names *names) {
    check(names->scopes.count > 0, "no scope of names is open");
    int first = names->scopes.at[--names->scopes.count];
    for (int i = first; i < names->taken.count; i++) {
        names->taken.at[i]->visible = false;
        names->taken.at[i]->tried = 0;
    }
    names->taken.count = first;
}

static NameSlot *find_slot(Names *names, const char *spelling) {
    unsigned hash = 5381;
    for (const char *c = spelling; *c; c++) {
        hash = hash * 33 + (unsigned char)*c;
    }
    NameSlot **bucket = &names->buckets[hash % NAME_BUCKETS];
    for (NameSlot *slot = *bucket; slot; slot = slot->next) {
        if (strcmp(slot->spelling, spelling) == 0) {
            return slot;
        }
    }
    NameSlot *slot = arena_new(names->arena, NameSlot);
    *slot = (NameSlot){.spelling = arena_copy_string(names->arena, spelling), .next = *bucket};
    *bucket = slot;
    return slot;
}

static const char *make_visible(Names *names, NameSlot *slot) {
    slot->visible = true;
    vec_push(names->arena, &names->taken, slot);
    return slot->spelling;
}

const char *names_take(Names *names, const char *wanted) {
    char *cleaned = clean(names->arena, wanted, LONGEST_LOCAL_NAME);
    NameSlot *slot = find_slot(names, avoid_reserved(names->arena, cleaned));
    if (!slot->visible) {
        return make_visible(names, slot);
    }
    if (slot->tried == 0) {
        slot->tried = 1;
    }
    for (;;) {
        slot->tried++;
        char *numbered = arena_format(names->arena, "%s_%d", slot->spelling, slot->tried);
        NameSlot *candidate = find_slot(names, avoid_reserved(names->arena, numbered));
        if (!candidate->visible) {
            return make_visible(names, candidate);
        }
    }
}
