// Checks of the IR itself: the text form, and that passes keep what a program computes.
#include <string.h>

#include "ir/edit.h"
#include "ir/evaluate.h"
#include "ir/text_form.h"
#include "ir/verify.h"
#include "passes/pipeline.h"
#include "tests/fuzz/check.h"

int count_insts(const Region *region) {
    int count = 0;
    for_each_inst(inst, region) {
        count++;
        for (int i = 0; i < inst->region_count; i++) {
            count += count_insts(inst->regions[i]);
        }
    }
    return count;
}

static const char *print_one(Arena *arena, const Function *function) {
    Text text = text_new(arena);
    print_function(&text, function);
    return text_string(&text);
}

// The function alone, if it calls nobody.
static bool calls_nobody(const Region *region) {
    for_each_inst(inst, region) {
        if (inst->op == OP_call || inst->op == OP_vjp || inst->op == OP_jvp) {
            return false;
        }
        for (int i = 0; i < inst->region_count; i++) {
            if (!calls_nobody(inst->regions[i])) {
                return false;
            }
        }
    }
    return true;
}

static const char *print_for_parsing(Arena *arena, const Function *function) {
    if (calls_nobody(function->body)) {
        return print_one(arena, function);
    }
    Text text = text_new(arena);
    print_module(&text, function->module);
    return text_string(&text);
}

const char *check_text(Subject *subject, const Function *function) {
    Arena *arena = subject->arena;
    const char *wrong = verify_function(arena, function);
    if (wrong != NULL) {
        return arena_format(arena, "verify: %s", wrong);
    }
    const char *text = print_for_parsing(arena, function);
    Sources sources = {.arena = arena};
    Diags diags = {.arena = arena, .sources = &sources};
    Module *module =
        parse_module(arena, &diags, source_add(&sources, "fuzz.tir", text, strlen(text)));
    if (module == NULL) {
        Text out = text_new(arena);
        diags_print(&diags, &out);
        return arena_format(arena, "parse: %s", text_string(&out));
    }
    wrong = verify_module(arena, module);
    if (wrong != NULL) {
        return arena_format(arena, "verify parsed: %s", wrong);
    }
    Function *parsed = function_find(module, function->name);
    if (parsed == NULL || strcmp(print_for_parsing(arena, parsed), text) != 0) {
        return arena_format(arena, "print parsed: another text\n%s",
                            parsed ? print_for_parsing(arena, parsed) : "");
    }
    return NULL;
}

static bool has_derivatives(const Region *region) {
    for_each_inst(inst, region) {
        if (inst->op == OP_vjp || inst->op == OP_jvp) {
            return true;
        }
        if (inst->op == OP_call && has_derivatives(inst->attr.callee->body)) {
            return true;
        }
        for (int i = 0; i < inst->region_count; i++) {
            if (has_derivatives(inst->regions[i])) {
                return true;
            }
        }
    }
    return false;
}

static Function *run_on_copy(const Function *function, const char *passes) {
    Function *copy = clone_function(function, function->name);
    pipeline_run(copy->module, copy, &(PipelineOptions){.passes = passes, .verify = true});
    return copy;
}

Function *expand(const Function *function) {
    return run_on_copy(function, "expand_derivatives");
}

Function *flatten(const Function *function) {
    return run_on_copy(function, "expand_derivatives, drop_rules");
}

const char *check_pipeline(Subject *subject, Reference *reference, const Function *function,
                           const char *passes, int level) {
    Arena *arena = subject->arena;
    Function *copy = clone_function(function, function->name);
    PipelineOptions options = {.passes = passes, .level = level, .verify = true};
    const char *shown = passes ? passes : arena_format(arena, "O%d", level);
    pipeline_run(copy->module, copy, &options);
    copy = has_derivatives(copy->body) ? flatten(copy) : copy;
    TensorData *results = arena_array(arena, TensorData, copy->body->yields.count);
    EvaluateFailure failure = {0};
    bool good = evaluate(arena, copy, reference->arguments, results, &failure);
    subject->counts.passes_compared++;
    const char *wrong = NULL;
    if (reference->fails) {
        return NULL; // what fails may be dead
    }
    if (!good) {
        wrong = arena_format(arena, "fails: %s", failure.message);
    } else {
        wrong = compare_results(reference, results);
    }
    return wrong ? arena_format(arena, "passes %s: %s\n%s", shown, wrong, print_one(arena, copy))
                 : NULL;
}

// Programs are small, and so is what is large.
static const char *name_of(const PassInfo *pass) {
    return strcmp(pass->name, "block_rows") == 0    ? "block_rows:64"
           : strcmp(pass->name, "block_loops") == 0 ? "block_loops:64"
           : strcmp(pass->name, "small_rows") == 0  ? "small_rows:2"
                                                    : pass->name;
}

const char *random_passes(Subject *subject) {
    int count, length = random_from(&subject->random, 2, 7);
    const PassInfo *list = pass_list(&count);
    Text text = text_new(subject->arena);
    for (int i = 0; i < length; i++) {
        const PassInfo *pass = &list[random_below(&subject->random, count)];
        text_format(&text, "%s%s", i ? "," : "", name_of(pass));
    }
    return text_string(&text);
}

const char *check_passes(Subject *subject) {
    Reference reference = reference_new(subject->arena, subject->plain, subject->arguments,
                                        subject->kind == PROGRAM_EXACT);
    int count;
    const PassInfo *list = pass_list(&count);
    const char *wrong = NULL;
    for (int i = 0; i < count && wrong == NULL; i++) {
        wrong = check_pipeline(subject, &reference, subject->function, name_of(&list[i]), 2);
    }
    for (int level = 0; level < 3 && wrong == NULL; level++) {
        wrong = check_pipeline(subject, &reference, subject->function, NULL, level);
    }
    for (int i = 0; i < 2 && wrong == NULL; i++) {
        wrong = check_pipeline(subject, &reference, subject->function, random_passes(subject), 2);
    }
    return wrong;
}
