// The C source of a product, top to bottom: what it needs, its constants, the kernels, the entries
// and the functions that tell of it. Kernels and entries are printed first, to see which helpers
// they use.
#include "codegen/emit_c.h"

#include <ctype.h>
#include <string.h>

#include "codegen/emit_c_parallel.h"
#include "codegen/emit_c_write.h"
#include "codegen/product.h"
#include "codegen/vector_math_c.h"

const char *comment_text(Arena *arena, const char *text) {
    Text out = text_new(arena);
    for (const char *c = text; *c; c++) {
        char last = out.length ? out.bytes[out.length - 1] : ' ';
        bool ends_comment = (last == '*' && *c == '/') || (last == '/' && *c == '*');
        bool trigraph = last == '?' && *c == '?';
        if (ends_comment || trigraph) {
            text_add_char(&out, ' ');
        }
        unsigned char byte = (unsigned char)*c;
        text_add_char(&out, byte < 128 && isprint(byte) && byte != '\\' ? *c : '.');
    }
    return text_string(&out);
}

// A string literal with nothing in it that is not plain ASCII.
static void write_string(Text *out, const char *string) {
    text_add_char(out, '"');
    for (const char *c = string; *c; c++) {
        unsigned char byte = (unsigned char)*c;
        if (byte == '"' || byte == '\\' || byte == '?') {
            text_format(out, "\\%c", byte);
        } else if (byte < 128 && isprint(byte)) {
            text_add_char(out, *c);
        } else {
            text_format(out, "\\%03o", byte);
        }
    }
    text_add_char(out, '"');
}

// Compilers make no vector code of calls that might set errno.
static void write_square_roots(Text *out) {
    text_add(out, "#if defined(__GNUC__) && !defined(__cplusplus)\n"
                  "/* Nobody reads errno. */\n"
                  "__attribute__((const)) double sqrt(double);\n"
                  "__attribute__((const)) float sqrtf(float);\n"
                  "#endif\n\n");
}

// Versions of compilers that do this right: clang 14 shows the resolvers as symbols. Sanitizers
// are not ready yet when resolvers run.
static void write_clones(Text *out) {
    text_add(
        out,
        "/* Entries and kernels are compiled for several processors, of which the best is\n"
        " * chosen when the program is loaded. Define TDSL_ONE_TARGET to compile them once. */\n"
        "#if defined(TDSL_ONE_TARGET)\n"
        "#elif defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)\n"
        "#define TDSL_ONE_TARGET\n"
        "#elif defined(__has_feature)\n"
        "#if __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer) \\\n"
        "    || __has_feature(address_sanitizer)\n"
        "#define TDSL_ONE_TARGET\n"
        "#endif\n"
        "#endif\n"
        "#if !defined(TDSL_ONE_TARGET) && defined(__x86_64__) && defined(__GLIBC__) \\\n"
        "    && defined(__OPTIMIZE__) && !defined(__OPTIMIZE_SIZE__) && !defined(__AVX2__) \\\n"
        "    && ((defined(__clang__) && __clang_major__ >= 19) \\\n"
        "        || (!defined(__clang__) && defined(__GNUC__) && __GNUC__ >= 12))\n"
        "#define TDSL_CLONES \\\n"
        "    __attribute__((target_clones(\"arch=x86-64-v4\", \"arch=x86-64-v3\", \"default\")))\n"
        "#else\n"
        "#define TDSL_CLONES\n"
        "#endif\n"
        "\n"
        "/* -O2 of GCC leaves loops as they are. -O3 merges iterations of loops around a tile, "
        "which\n"
        " * then does not fit into registers, and makes slow string instructions of loops that set "
        "a\n"
        " * tile to zero. With -std=c99 it does not fuse x * y + z. Nobody reads the flags of\n"
        " * floating-point exceptions. */\n"
        "#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 8 && defined(__OPTIMIZE__) "
        "\\\n"
        "    && !defined(__OPTIMIZE_SIZE__)\n"
        "#pragma GCC optimize(\"O3\", \"no-loop-unroll-and-jam\", \\\n"
        "                     \"no-tree-loop-distribute-patterns\", \"fp-contract=fast\", \\\n"
        "                     \"no-trapping-math\")\n"
        "#endif\n\n");
}

static void write_unroll(Text *out) {
    text_add(out, "/* A loop over the rows of a tile, which is to be kept in registers. */\n"
                  "#if defined(__clang__)\n"
                  "#define TDSL_UNROLL _Pragma(\"clang loop unroll(full)\")\n"
                  "#elif defined(__GNUC__) && __GNUC__ >= 8\n"
                  "#define TDSL_UNROLL _Pragma(\"GCC unroll 32\")\n"
                  "#else\n"
                  "#define TDSL_UNROLL\n"
                  "#endif\n\n");
}

static void write_vector(Text *out) {
    text_add(out,
             "/* A loop that is to become one vector or two, and to be written out only then. */\n"
             "#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 8\n"
             "#define TDSL_VECTOR _Pragma(\"GCC unroll 1\")\n"
             "#else\n"
             "#define TDSL_VECTOR\n"
             "#endif\n\n");
}

// GCC writes a loop out that has at most one iteration more than this says: not the elements before
// it looks for vectors, but the vectors.
static void write_row(Text *out) {
    text_add(out,
             "/* Elements of an array that are to be one vector, whatever registers it takes. */\n"
             "#if defined(__clang__)\n"
             "#define TDSL_ROW(count) TDSL_PRAGMA(clang loop vectorize_width(count) \\\n"
             "        interleave_count(1) unroll(disable))\n"
             "#elif defined(__GNUC__) && __GNUC__ >= 8\n"
             "#define TDSL_ROW(count) _Pragma(\"GCC unroll 4\")\n"
             "#else\n"
             "#define TDSL_ROW(count)\n"
             "#endif\n\n");
}

static void write_join(Text *out) {
    text_add(out,
             "/* A loop that adds one half of a vector of sums to the other: a vector, too. */\n"
             "#if defined(__clang__)\n"
             "#define TDSL_JOIN _Pragma(\"clang loop unroll(disable)\")\n"
             "#elif defined(__GNUC__) && __GNUC__ >= 8\n"
             "#define TDSL_JOIN _Pragma(\"GCC unroll 1\")\n"
             "#else\n"
             "#define TDSL_JOIN\n"
             "#endif\n\n");
}

static void write_serial(Text *out) {
    text_add(out, "/* A loop around sums of lanes, which is not to become vectors itself. */\n"
                  "#if defined(__clang__)\n"
                  "#define TDSL_SERIAL _Pragma(\"clang loop vectorize(disable)\")\n"
                  "#else\n"
                  "#define TDSL_SERIAL\n"
                  "#endif\n\n");
}

static void write_turn(Text *out) {
    text_add(out,
             "/* Columns that lie apart, to be written out: the loop around them becomes vectors, "
             "which are\n"
             " * turned in registers. */\n"
             "#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 8\n"
             "#define TDSL_TURN _Pragma(\"GCC unroll 32\")\n"
             "#else\n"
             "#define TDSL_TURN\n"
             "#endif\n\n");
}

static void write_lanes(Text *out) {
    text_add(out, "/* A row of a tile that is to consist of vectors of so many. */\n"
                  "#if defined(__clang__)\n"
                  "#define TDSL_LANES(count) TDSL_PRAGMA(clang loop vectorize_width(count))\n"
                  "#else\n"
                  "#define TDSL_LANES(count)\n"
                  "#endif\n\n");
}

// What clang cannot follow, as with -fsanitize=undefined, is right all the same.
static void write_wishes(Text *out) {
    text_add(out, "/* What follows about loops are wishes. */\n"
                  "#if defined(__clang__)\n"
                  "#pragma clang diagnostic ignored \"-Wpass-failed\"\n"
                  "#define TDSL_PRAGMA(text) _Pragma(#text)\n"
                  "#endif\n\n");
}

static void write_fetch(Text *out) {
    text_add(out, "/* Memory that will soon be used is fetched; it need not exist. */\n"
                  "#if defined(__GNUC__)\n"
                  "#define TDSL_FETCH(array, place, stored, cache) \\\n"
                  "    __builtin_prefetch((const void *)((uintptr_t)(array) + \\\n"
                  "            sizeof *(array) * (uintptr_t)(place)), stored, cache)\n"
                  "#else\n"
                  "#define TDSL_FETCH(array, place, stored, cache) ((void)0)\n"
                  "#endif\n\n");
}

static void write_used_macros(Text *out, const char *body) {
    static const struct {
        const char *use;
        void (*write)(Text *out);
    } macros[] = {
        {"\nTDSL_CLONES\n", write_clones}, {" TDSL_UNROLL\n", write_unroll},
        {" TDSL_VECTOR\n", write_vector},  {" TDSL_ROW(", write_row},
        {" TDSL_JOIN\n", write_join},      {" TDSL_SERIAL\n", write_serial},
        {" TDSL_LANES(", write_lanes},     {" TDSL_TURN\n", write_turn},
        {" TDSL_FETCH(", write_fetch},
    };
    if (strstr(body, " TDSL_UNROLL\n") || strstr(body, " TDSL_ROW(") ||
        strstr(body, " TDSL_LANES(")) {
        write_wishes(out);
    }
    for (size_t i = 0; i < sizeof macros / sizeof macros[0]; i++) {
        if (strstr(body, macros[i].use)) {
            macros[i].write(out);
        }
    }
}

static void write_prologue(Text *out, const Program *program, const ProductOptions *options) {
    text_format(out, "/* Model %s, generated by tdsl " TDSL_VERSION ".\n", program->name);
    text_add(out, " * Do not edit: change the model and build it again.\n"
                  " *\n"
                  " * C99 and C++11. Depends on the C library's mathematics alone (-lm); allocates "
                  "nothing, has no\n"
                  " * mutable globals. See the header for how to use it.\n */\n");
    text_format(out, "#include \"%s\"\n\n", options->header_name);
    text_add(out, "#include <math.h>\n#include <stdbool.h>\n#include <string.h>\n\n");
    text_add(out, "#ifdef __FAST_MATH__\n"
                  "#error \"-ffast-math breaks NaN, infinities and rounding in this file\"\n"
                  "#endif\n\n"
                  "#if defined(__GNUC__) || defined(_MSC_VER)\n"
                  "#define TDSL_RESTRICT __restrict\n"
                  "#elif defined(__cplusplus)\n"
                  "#define TDSL_RESTRICT\n"
                  "#else\n"
                  "#define TDSL_RESTRICT restrict\n"
                  "#endif\n\n");
}

static void write_element(Text *out, ElementType type, const void *data, int64_t index) {
    switch (type) {
    case TYPE_BOOL: text_add(out, ((const uint8_t *)data)[index] ? "1" : "0"); break;
    case TYPE_I32: write_integer(out, type, ((const int32_t *)data)[index]); break;
    case TYPE_I64: write_integer(out, type, ((const int64_t *)data)[index]); break;
    case TYPE_F32: write_real(out, type, (double)((const float *)data)[index]); break;
    case TYPE_F64: write_real(out, type, ((const double *)data)[index]); break;
    case ELEMENT_TYPE_COUNT: break;
    }
}

static void write_constant(Text *out, const Buffer *buffer, const char *name) {
    enum { LONGEST_LINE = 70 }; // before an element
    size_t start = out->length;
    text_format(out, "static const %s %s[%lld] = {", c_element_type(buffer->element), name,
                (long long)(buffer->count ? buffer->count : 1));
    text_add(out, buffer->count ? "" : "0");
    for (int64_t i = 0; i < buffer->count; i++) {
        if (i && out->length - start > LONGEST_LINE) {
            text_add(out, ",\n    ");
            start = out->length - 4;
        } else {
            text_add(out, i ? ", " : "");
        }
        write_element(out, buffer->element, buffer->data, i);
    }
    text_add(out, "};\n");
}

static void write_constants(const Writer *writer, Text *out) {
    bool any = false;
    for (int i = 0; i < writer->program->buffers.count; i++) {
        const Buffer *buffer = writer->program->buffers.at[i];
        if (buffer->kind == BUFFER_CONSTANT && writer->constant_name[buffer->id]) {
            write_constant(out, buffer, writer->constant_name[buffer->id]);
            any = true;
        }
    }
    text_add(out, any ? "\n" : "");
}

// What is known of a kernel from all its calls.
typedef struct KernelUse {
    bool called;
    Range *arguments;
} KernelUse;

typedef struct Uses {
    const Program *program;
    KernelUse *kernels;
} Uses;

static void note_call(void *context, const Statement *call, const FunctionInfo *info) {
    Uses *uses = context;
    int which = 0;
    while (uses->program->kernels.at[which] != call->kernel) {
        which++;
    }
    KernelUse *use = &uses->kernels[which];
    for (int i = 0; i < call->kernel->argument_count; i++) {
        Range range = info->scalars[call->arguments[i]->id].range;
        if (use->called) {
            Range before = use->arguments[i];
            range.low = before.low < range.low ? before.low : range.low;
            range.high = before.high > range.high ? before.high : range.high;
        }
        use->arguments[i] = range;
    }
    use->called = true;
}

// Which kernels are called, with which arguments; names the constants that are used.
static Uses find_uses(Writer *writer) {
    const Program *program = writer->program;
    Uses uses = {program, arena_alloc_array(writer->arena, (size_t)program->kernels.count + 1,
                                            sizeof(KernelUse))};
    for (int i = 0; i < program->kernels.count; i++) {
        uses.kernels[i].arguments = arena_alloc_array(
            writer->arena, (size_t)program->kernels.at[i]->argument_count + 1, sizeof(Range));
    }
    for (int i = 0; i < program->entries.count; i++) {
        const Entry *entry = program->entries.at[i];
        FunctionInfo info =
            analyze_function(writer->arena, &entry->body, entry->scalar_count, writer->buffer_count,
                             NULL, 0, (CallVisitor){note_call, &uses});
        for (int k = 0; k < program->buffers.count; k++) {
            const Buffer *buffer = program->buffers.at[k];
            if (buffer->kind == BUFFER_CONSTANT && info.buffer_uses[buffer->id] &&
                !writer->constant_name[buffer->id]) {
                writer->constant_name[buffer->id] =
                    names_take(&writer->names, arena_format(writer->arena, "constant_%s",
                                                            buffer->name ? buffer->name : "data"));
            }
        }
    }
    return uses;
}

static int count_buffers(const Program *program) {
    int count = 0;
    for (int i = 0; i < program->buffers.count; i++) {
        count = program->buffers.at[i]->id >= count ? program->buffers.at[i]->id + 1 : count;
    }
    for (int i = 0; i < program->kernels.count; i++) {
        const Kernel *kernel = program->kernels.at[i];
        for (int k = 0; k < kernel->buffers.count; k++) {
            count = kernel->buffers.at[k]->id >= count ? kernel->buffers.at[k]->id + 1 : count;
        }
    }
    return count;
}

// Takes all names of the file's scope, so that nothing inside a function hides them.
static void take_file_names(Writer *writer) {
    static const ElementType types[] = {TYPE_BOOL, TYPE_I32, TYPE_I64, TYPE_F32, TYPE_F64};
    const Program *program = writer->program;
    for (int helper = 0; helper < HELPER_COUNT; helper++) {
        for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
            for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
                const char *name = helper_name(writer, (Helper)helper, types[i], types[k]);
                if (i == k || helper == HELPER_CAST || helper == HELPER_BITS) {
                    names_take(&writer->names, name);
                }
            }
        }
    }
    memset(writer->helpers, 0, sizeof writer->helpers);
    take_math_names(writer);
    for (int i = 0; i < program->entries.count; i++) {
        const char *symbol = entry_symbol(writer->arena, program, program->entries.at[i]);
        names_take(&writer->names, symbol);
        names_take(&writer->names, arena_format(writer->arena, "%s_workspace_bytes", symbol));
        names_take(&writer->names, arena_format(writer->arena, "%s_parallel", symbol));
    }
    for (int kind = 0; kind < GROUP_COUNT; kind++) {
        names_take(&writer->names, arena_format(writer->arena, "%s_%s", program->name,
                                                group_name((GroupKind)kind)));
    }
    static const char *const told[] = {"workspace_bytes", "status_text", "abi_version",
                                       "status",          "done",        "null_pointer"};
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        names_take(&writer->names, arena_format(writer->arena, "%s_%s", program->name, told[i]));
    }
    for (int i = 0; i < program->kernels.count; i++) {
        writer->kernel_name[i] = names_take(
            &writer->names, arena_format(writer->arena, "kernel_%s", program->kernels.at[i]->name));
    }
    take_parallel_names(writer);
}

static Writer start_writer(Text *body, const Program *program) {
    Arena *arena = body->arena;
    int buffers = count_buffers(program);
    size_t kernels = (size_t)program->kernels.count + 1;
    Writer writer = {
        .arena = arena,
        .out = body,
        .program = program,
        .names = names_new(arena),
        .in_vectors = functions_in_vectors(arena, program),
        .buffer_count = buffers,
        .constant_name = arena_alloc_array(arena, (size_t)buffers + 1, sizeof(const char *)),
        .buffer_name = arena_alloc_array(arena, (size_t)buffers + 1, sizeof(const char *)),
        .kernel_name = arena_alloc_array(arena, kernels, sizeof(const char *)),
        .task_name = arena_alloc_array(arena, kernels, sizeof(const char *)),
        .chunk_name = arena_alloc_array(arena, kernels, sizeof(const char *)),
    };
    take_file_names(&writer);
    return writer;
}

static void write_workspace_functions(Text *out, const Program *program) {
    for (int i = 0; i < program->entries.count; i++) {
        const Entry *entry = program->entries.at[i];
        text_format(out, "size_t %s_workspace_bytes(void) {\n    return %zu;\n}\n\n",
                    entry_symbol(out->arena, program, entry), entry->workspace_bytes);
    }
    text_format(out, "size_t %s_workspace_bytes(void) {\n    return %zu;\n}\n\n", program->name,
                product_workspace_bytes(program));
}

static void write_status_function(Text *out, const Program *program) {
    text_format(out, "const char *%s_status_text(int status) {\n    switch (status) {\n",
                program->name);
    for (int status = 0; status < STATUS_FIRST_SITE + program->sites.count; status++) {
        Text message = text_new(out->arena);
        print_status(&message, program, status);
        text_format(out, "    case %d:\n        return ", status);
        write_string(out, text_string(&message));
        text_add(out, ";\n");
    }
    text_add(out, "    default:\n        return \"unknown status\";\n    }\n}\n\n");
    text_format(out, "int %s_abi_version(void) {\n    return %d;\n}\n", program->name,
                PRODUCT_ABI_VERSION);
}

void emit_c_source(Text *out, const Program *program, const ProductOptions *options) {
    Text body = text_new(out->arena);
    Writer writer = start_writer(&body, program);
    Uses uses = find_uses(&writer);
    for (int i = 0; i < program->kernels.count; i++) {
        if (uses.kernels[i].called) {
            write_kernel(&writer, program->kernels.at[i], uses.kernels[i].arguments);
            write_chunk_function(&writer, program->kernels.at[i]);
        }
    }
    for (int i = 0; i < program->entries.count; i++) {
        write_entry(&writer, program->entries.at[i]);
    }
    write_prologue(out, program, options);
    write_used_macros(out, text_string(&body));
    Text functions = text_new(out->arena);
    write_math_functions(&writer, &functions);
    if (strstr(text_string(&body), "sqrt") || strstr(text_string(&functions), "sqrt")) {
        write_square_roots(out);
    }
    write_helpers(&writer, out);
    text_add_bytes(out, text_string(&functions), functions.length);
    write_constants(&writer, out);
    write_run_function(&writer, out);
    text_add_bytes(out, text_string(&body), body.length);
    write_workspace_functions(out, program);
    write_status_function(out, program);
}
