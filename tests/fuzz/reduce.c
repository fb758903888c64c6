// Makes a failing program smaller: changes it in one place, keeps the change if the program still
// fails in the same way, until no change helps any more.
#include <string.h>

#include "ir/edit.h"
#include "ir/text_form.h"
#include "ir/verify.h"
#include "passes/pipeline.h"
#include "tests/fuzz/session.h"

enum { TRIALS_MAX = 1500 };

// A change number `index` of some kind; false if there are not so many.
typedef bool Change(Function *function, int index);

static const char *print_all(Arena *arena, const Function *function) {
    Text text = text_new(arena);
    print_module(&text, function->module);
    return text_string(&text);
}

// Instruction number *index in the order of the text; NULL and *index lowered if there are less.
static Inst *find_inst(const Region *region, int *index) {
    for_each_inst(inst, region) {
        if ((*index)-- == 0) {
            return inst;
        }
        for (int i = 0; i < inst->region_count; i++) {
            Inst *found = find_inst(inst->regions[i], index);
            if (found) {
                return found;
            }
        }
    }
    return NULL;
}

static bool is_used(const Function *function, const Value *value) {
    Arena scratch = {0};
    bool used = count_uses(&scratch, function)[value->id] > 0;
    arena_free(&scratch);
    return used;
}

static bool remove_unused(Function *function, int index) {
    Inst *inst = find_inst(function->body, &index);
    if (inst == NULL) {
        return false;
    }
    for (int i = 0; i < inst->result_count; i++) {
        if (is_used(function, inst->results[i])) {
            return true;
        }
    }
    inst_remove(inst);
    return true;
}

static bool remove_result(Function *function, int index) {
    int count = function->body->yields.count;
    if (index >= count) {
        return false;
    }
    if (count > 1) {
        for (int i = index; i + 1 < count; i++) {
            function->body->yields.at[i] = function->body->yields.at[i + 1];
            function->results[i] = function->results[i + 1];
        }
        function->body->yields.count--;
    }
    return true;
}

static bool remove_parameter(Function *function, int index) {
    int count = function->body->parameters.count;
    if (index >= count) {
        return false;
    }
    if (!is_used(function, function->body->parameters.at[index])) {
        for (int i = index; i + 1 < count; i++) {
            function->body->parameters.at[i] = function->body->parameters.at[i + 1];
            function->body->parameters.at[i]->index = i;
            function->parameters[i] = function->parameters[i + 1];
        }
        function->body->parameters.count--;
    }
    return true;
}

// Operand number *index of all, except of constants.
static Value **find_operand(const Region *region, int *index, Inst **user) {
    for_each_inst(inst, region) {
        for (int i = 0; i < inst->operand_count; i++) {
            if ((*index)-- == 0) {
                *user = inst;
                return &inst->operands[i];
            }
        }
        for (int i = 0; i < inst->region_count; i++) {
            Value **found = find_operand(inst->regions[i], index, user);
            if (found) {
                return found;
            }
        }
    }
    return NULL;
}

static bool is_source(const Value *value) {
    return value->definition &&
           (value->definition->op == OP_constant ||
            (value->definition->op == OP_broadcast && value->definition->operands[0]->definition &&
             value->definition->operands[0]->definition->op == OP_constant));
}

// An operand becomes a parameter of the function, or a constant.
static bool replace_operand(Function *function, int index, bool by_parameter) {
    Inst *user = NULL;
    Value **operand = find_operand(function->body, &index, &user);
    if (operand == NULL) {
        return false;
    }
    if (by_parameter) {
        for (int i = 0; i < function->body->parameters.count; i++) {
            Value *parameter = function->body->parameters.at[i];
            if (type_equal(parameter->type, (*operand)->type) && (*operand)->definition) {
                *operand = parameter;
                break;
            }
        }
    } else if (!is_source(*operand)) {
        Builder b = builder_at(user->parent, user->span);
        Inst *last = user->parent->last;
        *operand = build_full(&b, (*operand)->type, 1);
        for (Inst *added = last->next, *next; added != NULL; added = next) {
            next = added->next;
            inst_insert_before(added, user);
        }
    }
    return true;
}

static bool operand_to_parameter(Function *function, int index) {
    return replace_operand(function, index, true);
}

static bool operand_to_constant(Function *function, int index) {
    return replace_operand(function, index, false);
}

// An instruction's result becomes one of its operands.
static bool skip_inst(Function *function, int index) {
    Inst *inst = find_inst(function->body, &index);
    if (inst == NULL) {
        return false;
    }
    for (int i = 0; i < inst->operand_count && inst->result_count > 0; i++) {
        for (int k = 0; k < inst->result_count; k++) {
            if (type_equal(inst->operands[i]->type, inst->results[k]->type)) {
                replace_uses(function->body, inst->results[k], inst->operands[i]);
            }
        }
    }
    return true;
}

// A branch becomes its first or second side.
static bool take_side(Function *function, int index) {
    int side = index % 2;
    index /= 2;
    Inst *branch = find_inst(function->body, &index);
    if (branch == NULL) {
        return false;
    }
    if (branch->op != OP_branch) {
        return true;
    }
    Region *region = branch->regions[side];
    for (Inst *inst = region->first, *next; inst != NULL; inst = next) {
        next = inst->next;
        inst_insert_before(inst, branch);
    }
    for (int i = 0; i < branch->result_count; i++) {
        replace_uses(function->body, branch->results[i], region->yields.at[i]);
    }
    inst_remove(branch);
    return true;
}

// A result of the function becomes an operand of the instruction behind it.
static bool return_operand(Function *function, int index) {
    enum { OPERANDS = 4 };
    int operand = index % OPERANDS, result = index / OPERANDS;
    if (result >= function->body->yields.count) {
        return false;
    }
    const Inst *inst = function->body->yields.at[result]->definition;
    if (inst && operand < inst->operand_count) {
        function->body->yields.at[result] = inst->operands[operand];
    }
    return true;
}

static bool run_passes(Function *function, int index) {
    static const char *const passes[] = {"inline", "remove_dead", "drop_detach"};
    if (index >= 3) {
        return false;
    }
    pipeline_run(function->module, function, &(PipelineOptions){.passes = passes[index]});
    return true;
}

static void remove_helpers(Function *function) {
    Module *module = function->module;
    for_each_inst(inst, function->body) {
        if (inst->op == OP_call) {
            return;
        }
        for (int i = 0; i < inst->region_count; i++) {
            for_each_inst(inner, inst->regions[i]) {
                if (inner->op == OP_call || inner->region_count > 0) {
                    return;
                }
            }
        }
    }
    module->functions.at[0] = function;
    module->functions.count = 1;
    function->index = 0;
}

// The program after a change; NULL if there is no such change. Empty: it did nothing good.
static const char *change_text(Arena *arena, const Job *job, Change *change, int index) {
    Function *function = job_function(arena, job, NULL);
    if (function == NULL || !change(function, index)) {
        return NULL;
    }
    remove_helpers(function);
    if (verify_module(arena, function->module) != NULL) {
        return "";
    }
    const char *text = print_all(arena, function);
    return strcmp(text, job->text) == 0 ? "" : text;
}

const char *reduce_job(Arena *arena, const Job *original, const char *message) {
    static Change *const changes[] = {run_passes,          remove_result, take_side,
                                      return_operand,      skip_inst,     operand_to_parameter,
                                      operand_to_constant, remove_unused, remove_parameter};
    Job job = *original;
    job.text = job_text(arena, original);
    int trials = 0;
    for (bool changed = true; changed && trials < TRIALS_MAX;) {
        changed = false;
        for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
            for (int index = 0; trials < TRIALS_MAX; index++) {
                Arena scratch = {0};
                const char *text = change_text(&scratch, &job, changes[i], index);
                bool end = text == NULL;
                if (!end && text[0] != '\0') {
                    Job candidate = job;
                    candidate.text = text;
                    Outcome outcome = run_job(&candidate);
                    trials++;
                    if (outcome.failed && same_failure(outcome.message, message)) {
                        job.text = arena_copy_string(arena, text);
                        changed = true;
                        index--;
                    }
                }
                arena_free(&scratch);
                if (end) {
                    break;
                }
            }
        }
    }
    return job.text;
}
