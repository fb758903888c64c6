// Which values get variables, and which names. See write_internal.h.
//
// A loop's carried value is one variable: before, in, and after it. What the body yields for it is
// written straight into this variable where nothing reads the old value afterwards.
#include <string.h>

#include "frontend/builtins.h"
#include "frontend/write_internal.h"

enum { INLINE_LENGTH_MAX = 70 };

// ---- names

// Words that mean something to the reader, and functions that programs of the writer call.
bool is_reserved_name(const char *name) {
    static const char *const words[] = {
        "import",       "fn",     "return", "if",      "else",      "for",        "in",
        "while",        "and",    "or",     "not",     "true",      "false",      "none",
        "True",         "False",  "None",   "no_grad", "f32",       "f64",        "i32",
        "i64",          "bool",   "real",   "inf",     "nan",       "model",      "input",
        "param",        "output", "state",  "frozen",  "step",      "limit",      "_",
        "zeros",        "full",   "expand", "reshape", "permute",   "tensor",     "arange",
        "cat",          "sum",    "amax",   "amin",    "argmax",    "argmin",     "cumsum",
        "einsum",       "pi",     "f16",    "bf16",    "optimizer", "derivative", "checkpoint",
        "requires_grad"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(words[i], name) == 0) {
            return true;
        }
    }
    const Builtin *builtin = find_builtin(name);
    return builtin != NULL && builtin->handler == NULL;
}

static bool is_taken(const Writer *w, const char *name) {
    for (int i = 0; i < w->names.count; i++) {
        if (strcmp(w->names.at[i], name) == 0) {
            return true;
        }
    }
    for (int i = 0; i < w->files.count; i++) {
        if (strcmp(w->files.at[i], name) == 0) {
            return true;
        }
    }
    return is_reserved_name(name);
}

// Letters, digits and `_` alone, not starting with a digit.
static const char *plain_name(Writer *w, const char *wanted) {
    char *name = arena_copy_text(&w->arena, wanted, strlen(wanted));
    for (char *c = name; *c != '\0'; c++) {
        bool is_letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || *c == '_';
        if (!is_letter && (c == name || *c < '0' || *c > '9')) {
            *c = '_';
        }
    }
    return name[0] == '\0' ? "v" : name;
}

const char *new_name(Writer *w, const char *wanted) {
    const char *base = plain_name(w, wanted == NULL ? "v" : wanted), *name = base;
    for (int i = 1; is_taken(w, name); i++) {
        name = arena_format(&w->arena, "%s_%d", base, i);
    }
    vec_push(&w->arena, &w->names, name);
    return name;
}

const char *function_name(Writer *w, const Function *function) {
    for (int i = 0; i < w->functions.count; i++) {
        if (w->functions.at[i] == function) {
            return w->function_names.at[i];
        }
    }
    unreachable("a function that is not written");
}

// ---- uses

static void use(Writer *w, Value *value, const Inst *user) {
    ValuePlan *plan = plan_of(w, value);
    plan->uses++;
    plan->user = user;
}

static void use_pieces(Writer *w, const PieceList *pieces, const Inst *user) {
    for (int i = 0; i < pieces->count; i++) {
        if (pieces->at[i].text == NULL) {
            use(w, pieces->at[i].value, user);
        }
    }
}

static bool is_asked_for(Writer *w, const Inst *inst) {
    for (int i = 0; i < inst->result_count; i++) {
        if (plan_of(w, inst->results[i])->uses > 0) {
            return true;
        }
    }
    return false;
}

// A side of a branch that yields one value, which may stand in the assignment.
static bool is_simple_side(const Region *region) {
    return region->owner != NULL && region->owner->op == OP_branch && region->yields.count == 1;
}

static void count_uses(Writer *w, const Region *region) {
    for (int i = 0; i < region->yields.count; i++) {
        if (!is_scalar_constant(region->yields.at[i])) {
            use(w, region->yields.at[i], is_simple_side(region) ? region->owner : NULL);
        }
    }
    for (Inst *inst = region->last; inst != NULL; inst = inst->previous) {
        if (!is_asked_for(w, inst)) {
            continue;
        }
        Form *form = make_form(w, inst);
        plan_of(w, inst->results[0])->form = form;
        use_pieces(w, &form->pieces, inst);
        use_pieces(w, &form->stored, inst);
        if (form->kind == FORM_STORE) {
            use(w, form->base, inst);
        }
        if (form->kind == FORM_REGIONS && inst->op != OP_call) {
            for (int i = 0; i < inst->operand_count; i++) {
                if (!is_scalar_constant(inst->operands[i])) {
                    use(w, inst->operands[i], inst);
                }
            }
            for (int i = inst->region_count - 1; i >= 0; i--) {
                count_uses(w, inst->regions[i]);
            }
        }
    }
}

// ---- what is written inside of another expression

static int pieces_length(Writer *w, const PieceList *pieces) {
    int length = 0;
    for (int i = 0; i < pieces->count; i++) {
        const Piece *piece = &pieces->at[i];
        if (piece->text != NULL) {
            length += (int)strlen(piece->text);
        } else {
            const ValuePlan *plan = plan_of(w, piece->value);
            length += plan->is_inlined ? plan->length : 4;
        }
    }
    return length;
}

// The base of a store is a variable.
static bool is_base(Writer *w, const Value *value, const Inst *user) {
    const Form *form = plan_of(w, user->results[0])->form;
    return form->kind == FORM_STORE && form->base == value;
}

static bool is_used_near(Writer *w, const Value *value, const Region *region) {
    const Inst *user = plan_of(w, value)->user;
    return value->name == NULL && user != NULL && user->parent == region &&
           !is_base(w, value, user);
}

static void choose_inlined(Writer *w, const Region *region) {
    int position = 0;
    for_each_inst(inst, region) {
        if (!is_asked_for(w, inst)) {
            continue;
        }
        ValuePlan *plan = plan_of(w, inst->results[0]);
        plan->position = position++;
        if (plan->form->kind == FORM_REGIONS) {
            for (int i = 0; i < inst->region_count && inst->op != OP_call; i++) {
                choose_inlined(w, inst->regions[i]);
            }
            continue;
        }
        plan->length = pieces_length(w, &plan->form->pieces);
        bool is_short = plan->form->kind == FORM_EXPRESSION && plan->uses == 1 &&
                        plan->length < INLINE_LENGTH_MAX;
        bool is_yield = is_simple_side(region) && region->yields.at[0] == inst->results[0];
        plan->is_inlined = is_short && (is_yield || is_used_near(w, inst->results[0], region));
    }
}

// The place in its region where an instruction's text comes to stand.
static int written_at(Writer *w, const Inst *inst) {
    const ValuePlan *plan = plan_of(w, inst->results[0]);
    while (plan->is_inlined) {
        plan = plan_of(w, plan->user->results[0]);
    }
    return plan->position;
}

// ---- one variable for a carried value

static bool region_mentions(Writer *w, const Region *region, const Value *value);

static bool pieces_mention(const PieceList *pieces, const Value *value) {
    for (int i = 0; i < pieces->count; i++) {
        if (pieces->at[i].text == NULL && pieces->at[i].value == value) {
            return true;
        }
    }
    return false;
}

static bool regions_mention(Writer *w, const Inst *inst, const Value *value) {
    for (int i = 0; i < inst->region_count; i++) {
        if (region_mentions(w, inst->regions[i], value)) {
            return true;
        }
    }
    return false;
}

static int operand_mentions(const Inst *inst, const Value *value) {
    int count = 0;
    for (int i = 0; i < inst->operand_count; i++) {
        count += inst->operands[i] == value;
    }
    return count;
}

static bool inst_mentions(Writer *w, const Inst *inst, const Value *value) {
    const Form *form = plan_of(w, inst->results[0])->form;
    if (form == NULL) {
        return false;
    }
    if (form->kind == FORM_REGIONS && inst->op != OP_call) {
        return operand_mentions(inst, value) > 0 || regions_mention(w, inst, value);
    }
    return pieces_mention(&form->pieces, value) || pieces_mention(&form->stored, value) ||
           (form->kind == FORM_STORE && form->base == value);
}

static bool region_mentions(Writer *w, const Region *region, const Value *value) {
    for (int i = 0; i < region->yields.count; i++) {
        if (region->yields.at[i] == value) {
            return true;
        }
    }
    for_each_inst(inst, region) {
        if (inst->result_count > 0 && inst_mentions(w, inst, value)) {
            return true;
        }
    }
    return false;
}

// May `next` be written to the variable of the parameter while it is computed?
static bool replaces_in_place(Writer *w, const Value *parameter, const Value *next) {
    const Inst *maker = next->definition;
    if (maker->op == OP_loop) {
        bool starts_from_it =
            next->index < maker->attr.carried && maker->operands[next->index] == parameter;
        return !regions_mention(w, maker, parameter) &&
               operand_mentions(maker, parameter) == (starts_from_it ? 1 : 0) &&
               next->index < maker->attr.carried;
    }
    return maker->op != OP_call || maker->result_count == 1;
}

static bool can_share(Writer *w, const Inst *loop, int carried) {
    const Region *body = loop->regions[0];
    const Value *parameter = body->parameters.at[carried + 1], *next = body->yields.at[carried];
    const Inst *maker = next->definition;
    if (maker == NULL || maker->parent != body || is_scalar_constant(next) ||
        plan_of(w, next)->name != NULL || plan_of(w, next)->is_inlined) {
        return false;
    }
    for (int i = 0; i < loop->attr.carried; i++) {
        const Value *yield = body->yields.at[i];
        if (i != carried && (yield == next || yield == parameter)) {
            return false;
        }
    }
    int position = plan_of(w, maker->results[0])->position;
    for_each_inst(inst, body) {
        if (inst->result_count == 0 || plan_of(w, inst->results[0])->form == NULL ||
            !inst_mentions(w, inst, parameter)) {
            continue;
        }
        if (inst == maker ? !replaces_in_place(w, parameter, next)
                          : written_at(w, inst) > position ||
                                (written_at(w, inst) == position && maker->region_count > 0)) {
            return false;
        }
    }
    return true;
}

// ---- names of values

static void name_region(Writer *w, const Region *region);

// The loop that this value alone starts a carried value of; then the variable is the loop's. Its
// name is given where it is that of an output.
static const char *carried_name(Writer *w, const Value *value, bool *is_given) {
    *is_given = false;
    const ValuePlan *plan = plan_of(w, value);
    const Inst *loop = plan->user;
    if (plan->uses != 1 || loop == NULL || loop->op != OP_loop || loop->parent != value->region) {
        return NULL;
    }
    for (int i = 0; i < loop->attr.carried; i++) {
        if (loop->operands[i] == value) {
            const char *name = loop->results[i]->name;
            const char *given = plan_of(w, loop->results[i])->name;
            *is_given = given != NULL && loop->parent->owner == NULL;
            return *is_given      ? given
                   : name != NULL ? name
                                  : loop->regions[0]->parameters.at[i + 1]->name;
        }
    }
    return NULL;
}

static void name_value(Writer *w, Value *value) {
    ValuePlan *plan = plan_of(w, value);
    if (plan->name == NULL) {
        bool is_given;
        const char *carried = carried_name(w, value, &is_given);
        plan->name = is_given ? carried : new_name(w, carried != NULL ? carried : value->name);
    }
}

static void name_loop(Writer *w, const Inst *loop) {
    Region *body = loop->regions[0];
    for (int i = 0; i < loop->attr.carried; i++) {
        const Value *initial = loop->operands[i];
        const ValuePlan *start = plan_of(w, initial);
        ValuePlan *result = plan_of(w, loop->results[i]);
        bool is_own = initial->definition != NULL && initial->region == loop->parent &&
                      start->uses == 1 && start->user == loop && !start->is_inlined &&
                      !is_scalar_constant(initial);
        if (result->name == NULL && is_own) {
            result->name = start->name;
        }
        if (result->name == NULL) {
            const char *wanted = loop->results[i]->name;
            result->name = new_name(w, wanted != NULL ? wanted : body->parameters.at[i + 1]->name);
        }
        for (int k = 0; k < loop->region_count; k++) {
            plan_of(w, loop->regions[k]->parameters.at[i + 1])->name = result->name;
        }
    }
    for (int i = loop->attr.carried; i < loop->result_count; i++) {
        name_value(w, loop->results[i]);
    }
    const char *index = body->parameters.at[0]->name;
    for (int k = 0; k < loop->region_count; k++) {
        ValuePlan *plan = plan_of(w, loop->regions[k]->parameters.at[0]);
        plan->name = k > 0 ? plan_of(w, body->parameters.at[0])->name
                           : new_name(w, index != NULL ? index : "i");
    }
    for (int i = 0; i < loop->attr.carried; i++) {
        if (can_share(w, loop, i)) {
            plan_of(w, body->yields.at[i])->name = plan_of(w, loop->results[i])->name;
        }
    }
}

static void name_region(Writer *w, const Region *region) {
    for_each_inst(inst, region) {
        if (inst->result_count == 0 || plan_of(w, inst->results[0])->form == NULL ||
            plan_of(w, inst->results[0])->is_inlined) {
            continue;
        }
        if (inst->op == OP_loop) {
            name_loop(w, inst);
        } else {
            for (int i = 0; i < inst->result_count; i++) {
                name_value(w, inst->results[i]);
            }
        }
        for (int i = 0; i < inst->region_count; i++) {
            name_region(w, inst->regions[i]);
        }
    }
}

void plan_function(Writer *w, const Function *function) {
    w->function = function;
    w->plans = arena_array(&w->arena, ValuePlan, function->value_count);
    count_uses(w, function->body);
    choose_inlined(w, function->body);
}

void name_function(Writer *w) {
    name_region(w, w->function->body);
}
