// Products and stages: everything `tdsl build` writes and `tdsl emit` prints.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/emit_c.h"
#include "codegen/memory_report.h"
#include "codegen/product.h"
#include "frontend/write_source.h"
#include "ir/text_form.h"
#include "library/budget.h"
#include "library/ir_graph.h"
#include "library/read_file.h"
#include "library/session.h"

static bool ends_in(const char *text, const char *ending) {
    size_t length = strlen(text), tail = strlen(ending);
    return length > tail && strcmp(text + length - tail, ending) == 0;
}

static bool has_gradient(TdslSession *session, const TdslGradientRequest *request) {
    if (request != NULL && (request->output_count > 0 || request->leaf_count > 0))
        return true;
    for (int i = 0; i < session->model->leaves.count; i++)
        if (session->model->leaves.at[i].requires_grad)
            return true;
    return false;
}

// A product takes a seed for every output that it differentiates; a one-element seed may be NULL.
TdslGradientRequest session_product_request(TdslSession *session,
                                            const TdslGradientRequest *request) {
    TdslGradientRequest product = request ? *request : (TdslGradientRequest){0};
    if (product.output_count == 0) {
        const char **first = arena_new(&session->arena, const char *);
        *first = session->model->forward->results[0].name;
        product.outputs = first;
        product.output_count = 1;
    }
    bool *seeded = arena_array(&session->arena, bool, product.output_count);
    for (int i = 0; i < product.output_count; i++)
        seeded[i] = true;
    product.seeded = seeded;
    return product;
}

// ---- machines

static bool is_native(const TdslSession *session) {
    return session->options.cpu != NULL && strcmp(session->options.cpu, "native") == 0;
}

// The machine that the options name, with `usual` as its processor if they name none. False after
// an error was reported.
static bool choose_machine(TdslSession *session, const char *usual) {
    const TdslOptions *options = &session->options;
    TargetMachine machine = {.triple = options->target, .cpu = options->cpu ? options->cpu : usual};
    const char *error = NULL;
    if (is_native(session) && options->target != NULL)
        error = "'native' is the processor of this machine, not of another target\n"
                "  hint: name the target's processor, or leave out --cpu";
    else if (is_native(session))
        machine.cpu = NULL;
    else if (options->cpu != NULL)
        (void)processor_is_known(&session->arena, &machine, &error);
    if (error == NULL)
        vec_push(&session->arena, &session->machines, machine);
    else
        tdsl_report(session, "%s", error);
    return error == NULL;
}

// The machines that a product holds code for: without a wish all that it can choose among.
static bool choose_machines(TdslSession *session, bool dispatches) {
    const TdslOptions *options = &session->options;
    session->machines.count = 0;
    if (options->target != NULL)
        return choose_machine(session, "generic");
    const char *const *cpus;
    int count = dispatches && options->cpu == NULL ? dispatched_cpus(&cpus) : 0;
    for (int i = 0; i < count; i++)
        vec_push(&session->arena, &session->machines, ((TargetMachine){.cpu = cpus[i]}));
    return count > 0 || choose_machine(session, "x86-64-v3");
}

// C is compiled for whatever processor its user has: its text is laid out for the usual one of the
// session's machines, x86-64-v3 of several. It comes last.
static void add_source_machine(TdslSession *session) {
    TargetMachine machine = session->machines.at[session->machines.count / 2];
    machine.is_source = true;
    vec_push(&session->arena, &session->machines, machine);
}

// ---- programs

typedef struct ProductFunctions {
    Function *forward, *backward, *initial; // the last two may be NULL
} ProductFunctions;

// One variant; `before` is the one made before it, or NULL. NULL after an error.
static Program *lower_product(TdslSession *session, const ProductFunctions *functions,
                              const TargetMachine *machine, const Program *before) {
    LowerOptions lower = session_lower_options(session, machine);
    Program *program = program_new(&session->arena, session->model->name, &session->sources);
    for (int i = 0; before != NULL && i < before->sites.count; i++)
        vec_push(&session->arena, &program->sites, before->sites.at[i]);
    const Entry *entry = session_lower(session, program, functions->forward, TDSL_FORWARD, &lower);
    if (!entry_fits_budget(session, program, entry))
        return NULL;
    if (functions->backward) {
        LowerOptions storing = lower;
        storing.store_gradients = true;
        const Entry *adding =
            session_lower(session, program, functions->backward, TDSL_GRADIENT, &lower);
        session_lower(session, program, functions->backward, TDSL_GRADIENT, &storing);
        lower_zero_gradients(program, adding);
    }
    if (functions->initial)
        session_lower(session, program, functions->initial, TDSL_INITIALIZE, &lower);
    return program;
}

// The whole product: forward, backward, gradient, zero_gradients, initialize; for each of the
// session's machines one. NULL after an error.
static Program **make_programs(TdslSession *session, const TdslGradientRequest *request) {
    ProductFunctions functions = {NULL, NULL, NULL};
    functions.forward = session_function(session, TDSL_FORWARD, NULL, NULL);
    if (functions.forward == NULL)
        return NULL;
    if (has_gradient(session, request)) {
        TdslGradientRequest product = session_product_request(session, request);
        functions.backward = session_function(session, TDSL_GRADIENT, &product, NULL);
        if (functions.backward == NULL)
            return NULL;
    }
    functions.initial = session_function(session, TDSL_INITIALIZE, NULL, NULL);
    if (functions.initial == NULL)
        return NULL;
    if (functions.initial->body->yields.count == 0)
        functions.initial = NULL;
    int count = session->machines.count;
    Program **programs = arena_array(&session->arena, Program *, count);
    for (int i = 0; i < count; i++) {
        programs[i] = lower_product(session, &functions, &session->machines.at[i],
                                    i > 0 ? programs[i - 1] : NULL);
        if (programs[i] == NULL)
            return NULL;
    }
    share_face(programs, count);
    return programs;
}

// For this processor, or the one that the options name: what stages show.
static Program *make_program(TdslSession *session, const TdslGradientRequest *request,
                             bool is_source) {
    session->machines.count = 0;
    if (!choose_machine(session, NULL))
        return NULL;
    session->machines.at[0].is_source = is_source;
    Program **programs = make_programs(session, request);
    return programs ? programs[0] : NULL;
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

// PATH with another ending.
static const char *sibling(Arena *arena, const char *path, const char *ending) {
    const char *dot = strrchr(base_name(path), '.');
    return arena_format(arena, "%.*s%s", (int)(dot - path), path, ending);
}

static bool write_or_report(TdslSession *session, const char *path, const void *bytes,
                            size_t length) {
    if (write_file(&session->arena, path, bytes, length))
        return true;
    tdsl_report(session, "%s: %s", path, strerror(errno));
    return false;
}

static bool write_text(TdslSession *session, const char *path, const Text *text) {
    return write_or_report(session, path, text_string(text), text->length);
}

static bool write_header(TdslSession *session, const Program *program, const char *path) {
    Text text = text_new(&session->arena), manifest = text_new(&session->arena);
    const char *header = sibling(&session->arena, path, ".h");
    ProductOptions options = {base_name(header), base_name(path)};
    emit_c_header(&text, program, &options);
    emit_manifest(&manifest, program);
    return write_text(session, header, &text) &&
           (ends_in(path, ".h") ||
            write_text(session, sibling(&session->arena, path, ".json"), &manifest));
}

static TdslStatus write_c(TdslSession *session, const Program *program, const char *path) {
    Text text = text_new(&session->arena);
    ProductOptions options = {base_name(sibling(&session->arena, path, ".h")), base_name(path)};
    emit_c_source(&text, program, &options);
    return write_text(session, path, &text) && write_header(session, program, path) ? TDSL_OK
                                                                                    : TDSL_BAD_FILE;
}

static TdslStatus write_code(TdslSession *session, const Program *const *programs, const char *path,
                             const CompileOptions *options) {
    const Program *program = programs[0];
    int variants = session->machines.count - 1; // the last is for C
    const char *error = NULL;
    Text text = text_new(&session->arena);
    Objects objects;
    bool good;
    if (ends_in(path, ".ll"))
        good = compile_llvm_text(&session->arena, program, options, &text, &error);
    else if (ends_in(path, ".s"))
        good = compile_assembly(&session->arena, program, options, &text, &error);
    else if (variants > 1)
        good = compile_variants(&session->arena, programs, options, &objects, &error);
    else
        good = compile_objects(&session->arena, program, options, &objects, &error);
    if (!good) {
        tdsl_report(session, "%s", error);
        return TDSL_BAD_PROGRAM;
    }
    if (ends_in(path, ".ll") || ends_in(path, ".s"))
        return write_text(session, path, &text) ? TDSL_OK : TDSL_BAD_FILE;
    if (ends_in(path, ".so"))
        good = link_shared(&session->arena, objects, path, &error);
    else if (ends_in(path, ".a"))
        good = link_archive(&session->arena, objects, path, &error);
    else
        good = write_or_report(session, path, objects.at[0].at, objects.at[0].count);
    if (error)
        tdsl_report(session, "%s", error);
    return good && write_header(session, program, path) ? TDSL_OK : TDSL_BAD_FILE;
}

TdslStatus tdsl_build(TdslSession *session, const char *path, const TdslGradientRequest *request) {
    static const char *const endings[] = {".so", ".o", ".a", ".c", ".h", ".s", ".ll"};
    bool known = false;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        known |= ends_in(base_name(path), endings[i]);
    if (!known) {
        tdsl_report(session,
                    "%s: cannot tell what to build\n  hint: end it in .so .o .a .c .h .s or .ll",
                    path);
        return TDSL_BAD_USAGE;
    }
    // Text for people is of one processor. What the header says holds for all that the others have.
    if (!choose_machines(session, !ends_in(path, ".ll") && !ends_in(path, ".s")))
        return TDSL_BAD_USAGE;
    add_source_machine(session);
    Program **programs = make_programs(session, request);
    if (programs == NULL)
        return TDSL_BAD_PROGRAM;
    const Program *source = programs[session->machines.count - 1];
    CompileOptions options = {.level = session->options.level,
                              .position_independent = true,
                              .parts = ends_in(path, ".o") ? 1 : 0, // one file
                              .target = session->machines.at[0]};
    if (ends_in(path, ".h"))
        return write_header(session, source, path) ? TDSL_OK : TDSL_BAD_FILE;
    if (ends_in(path, ".c"))
        return write_c(session, source, path);
    return write_code(session, (const Program *const *)programs, path, &options);
}

// ---- stages

// The function as a program of the language.
static bool emit_source(TdslSession *session, const Function *function, Text *out) {
    ModelDimensionList dimensions = {0};
    if (!session_dimensions(session, &dimensions))
        return false;
    DimBinding *bindings = arena_array(&session->arena, DimBinding, dimensions.count);
    for (int i = 0; i < dimensions.count; i++)
        bindings[i] = (DimBinding){dimensions.at[i].name, dimensions.at[i].value};
    SourceModel model = {.sources = &session->sources,
                         .tree = session->tree,
                         .model = session->model,
                         .dimensions = bindings,
                         .dimension_count = dimensions.count};
    write_source(out, &model, function);
    return true;
}

static bool emit_functions(TdslSession *session, const char *stage,
                           const TdslGradientRequest *request, Text *out) {
    bool gradient = strcmp(stage, "adjoint") == 0 || strcmp(stage, "tdsl-adjoint") == 0;
    TdslGradientRequest product;
    if (gradient && session_elaborate(session, false)) {
        product = session_product_request(session, request);
        request = &product;
    }
    bool is_text = strcmp(stage, "ir") == 0 || strcmp(stage, "adjoint") == 0;
    TdslFunctionKind kind = gradient ? TDSL_GRADIENT : TDSL_FORWARD;
    FunctionVector kept = {0};
    Function *function = is_text ? session_kept_function(session, kind, request, &kept)
                                 : session_function(session, kind, request, NULL);
    if (function == NULL)
        return false;
    for (int i = 0; i < kept.functions.count; i++) {
        print_function(out, kept.functions.at[i]);
        text_add(out, "\n");
    }
    if (strcmp(stage, "tdsl") == 0 || strcmp(stage, "tdsl-adjoint") == 0)
        return emit_source(session, function, out);
    if (strcmp(stage, "dot") == 0)
        print_graph(out, function);
    else
        print_function(out, function);
    return true;
}

static bool emit_code(TdslSession *session, const char *stage, const TdslGradientRequest *request,
                      Text *out) {
    Program *program = make_program(session, request, strcmp(stage, "c") == 0);
    if (program == NULL)
        return false;
    CompileOptions options = {.level = session->options.level,
                              .position_independent = true,
                              .target = session->machines.at[0]};
    ProductOptions product = {arena_format(&session->arena, "%s.h", program->name), program->name};
    const char *error = NULL;
    bool good = true;
    if (strcmp(stage, "loops") == 0)
        print_loops(out, program);
    else if (strcmp(stage, "c") == 0)
        emit_c_source(out, program, &product);
    else if (strcmp(stage, "llvm") == 0)
        good = compile_llvm_text(&session->arena, program, &options, out, &error);
    else
        good = compile_assembly(&session->arena, program, &options, out, &error);
    if (!good)
        tdsl_report(session, "%s", error);
    return good;
}

const char *tdsl_memory(TdslSession *session, const TdslGradientRequest *request, bool json) {
    Program *program = make_program(session, request, false);
    if (program == NULL)
        return NULL;
    Text out = text_new(&session->arena);
    if (json)
        text_format(&out, "{\"model\": \"%s\", \"entries\": [", program->name);
    for (int i = 0, shown = 0; i < program->entries.count; i++) {
        const Entry *entry = program->entries.at[i];
        if (strcmp(entry->name, "forward") != 0 && strcmp(entry->name, "backward") != 0)
            continue;
        text_add(&out, shown++ == 0 ? "" : json ? ", " : "\n");
        if (json)
            print_memory_json(&out, program, entry);
        else
            print_memory(&out, program, entry);
    }
    text_add(&out, json ? "]}\n" : "");
    return text_string(&out);
}

static const char *const stages[] = {"ast",   "ir", "tdsl", "adjoint", "tdsl-adjoint", "memory",
                                     "loops", "c",  "llvm", "asm",     "dot"};
enum { STAGE_COUNT = sizeof stages / sizeof *stages };

bool tdsl_is_stage(const char *stage) {
    for (int i = 0; i < STAGE_COUNT; i++)
        if (strcmp(stages[i], stage) == 0)
            return true;
    return false;
}

const char *tdsl_emit(TdslSession *session, const char *stage, const TdslGradientRequest *request) {
    if (!tdsl_is_stage(stage)) {
        const char *closest = closest_name(stage, stages, STAGE_COUNT);
        tdsl_report(session, "unknown stage '%s'\n  hint: %s%s", stage,
                    closest
                        ? "did you mean "
                        : "stages: ast ir tdsl adjoint tdsl-adjoint memory loops c llvm asm dot",
                    closest ? closest : "");
        return NULL;
    }
    Text out = text_new(&session->arena);
    if (strcmp(stage, "ast") == 0) {
        if (session->tree == NULL)
            return NULL;
        ast_print(&out, session->tree);
        return text_string(&out);
    }
    if (strcmp(stage, "memory") == 0)
        return tdsl_memory(session, request, false);
    static const char *const of_functions[] = {"ir", "tdsl", "adjoint", "tdsl-adjoint", "dot"};
    bool is_function = false;
    for (size_t i = 0; i < sizeof of_functions / sizeof *of_functions; i++)
        is_function |= strcmp(stage, of_functions[i]) == 0;
    bool good = is_function ? emit_functions(session, stage, request, &out)
                            : emit_code(session, stage, request, &out);
    return good ? text_string(&out) : NULL;
}

const char *tdsl_llvm_version(void) {
    return llvm_version();
}
