// The verifier: one walk over each function in order, with the set of values that may be used at
// that place. A value enters the set where it is defined and leaves it at the end of its region.
#include <stdarg.h>

#include "ir/attribute.h"
#include "ir/derivative.h"
#include "ir/name_table.h"
#include "ir/op.h"
#include "ir/verify.h"

typedef struct Verifier {
    Arena *arena;   // of the message
    Arena *scratch; // freed at the end
    Module module;  // the module with `scratch` as its arena: type rules leave nothing behind
    const Function *function;
    const Value **visible; // by id; NULL where no value with this id may be used
    bool *defined;         // by id: seen anywhere before
    const char *message;   // the first mistake
} Verifier;

// All checks return false after a mistake. `inst` NULL: a mistake of the function itself.
static bool report(Verifier *v, const Inst *inst, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool report(Verifier *v, const Inst *inst, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const char *what = arena_format_list(v->scratch, format, arguments);
    va_end(arguments);
    const char *function = v->function->name ? v->function->name : "without a name";
    if (!inst) {
        v->message = arena_format(v->arena, "function %s: %s", function, what);
        return false;
    }
    bool has_result = inst->result_count > 0 && inst->results && inst->results[0];
    const char *name = has_result ? inst->results[0]->name : NULL;
    v->message = arena_format(v->arena, "function %s, instruction %s%s%s: %s", function,
                              name ? name : "", name ? " = " : "", op_info(inst->op)->name, what);
    return false;
}

static bool type_is_sane(Type type) {
    if ((int)type.element < 0 || type.element >= ELEMENT_TYPE_COUNT || type.rank < 0 ||
        (type.rank > 0 && !type.dims)) {
        return false;
    }
    for (int i = 0; i < type.rank; i++) {
        if (!type.dims[i]) {
            return false;
        }
    }
    return type_fits(type);
}

static bool verify_definition(Verifier *v, const Inst *inst, const Value *value,
                              const Region *region, int index) {
    const char *kind = inst ? "result" : "parameter";
    if (!value) {
        return report(v, inst, "%s %d is missing", kind, index);
    }
    if (value->definition != inst || value->region != region || value->index != index) {
        return report(v, inst, "%s %d does not point back to its definition", kind, index);
    }
    if (value->id < 0 || value->id >= v->function->value_count) {
        return report(v, inst, "%s %d has id %d, but the function has %d values", kind, index,
                      value->id, v->function->value_count);
    }
    if (v->defined[value->id]) {
        return report(v, inst, "%s %d has id %d, which another value has too", kind, index,
                      value->id);
    }
    if (!type_is_sane(value->type)) {
        return report(v, inst, "the type of %s %d is broken", kind, index);
    }
    v->defined[value->id] = true;
    v->visible[value->id] = value;
    return true;
}

static bool verify_use(Verifier *v, const Inst *inst, const Value *value, const char *kind,
                       int index) {
    if (!value) {
        return report(v, inst, "%s %d is missing", kind, index);
    }
    bool has_place = value->id >= 0 && value->id < v->function->value_count;
    if (!has_place || v->visible[value->id] != value) {
        return report(v, inst, "%s %d%s%s is not defined at this place", kind, index,
                      value->name ? ", " : "", value->name ? value->name : "");
    }
    return true;
}

static bool dims_are_sane(Dims dims) {
    if (dims.count < 0 || (dims.count > 0 && !dims.at)) {
        return false;
    }
    for (int i = 0; i < dims.count; i++) {
        if (!dims.at[i]) {
            return false;
        }
    }
    return true;
}

static bool field_is_sane(FieldKind kind, const void *member) {
    switch (kind) {
    case FIELD_ELEMENT: {
        ElementType element = *(const ElementType *)member;
        return (int)element >= 0 && element < ELEMENT_TYPE_COUNT;
    }
    case FIELD_DIMS: return dims_are_sane(*(const Dims *)member);
    case FIELD_DIM: return *(const Dim *const *)member != NULL;
    case FIELD_INTS: {
        const Ints *ints = member;
        return ints->count >= 0 && (ints->count == 0 || ints->at);
    }
    case FIELD_TEXT: return *(const char *const *)member != NULL;
    case FIELD_FUNCTION: return *(Function *const *)member != NULL;
    case FIELD_INT:
    case FIELD_FLAG: return true;
    }
    return false;
}

static bool verify_attribute(Verifier *v, const Inst *inst) {
    AttributeKind kind = op_info(inst->op)->attribute;
    int count = 0;
    const AttributeField *fields = attribute_fields(kind, &count);
    for (int i = 0; i < count; i++) {
        if (!field_is_sane(fields[i].kind, (const char *)&inst->attr + fields[i].offset)) {
            return report(v, inst, "the attribute '%s' is broken", fields[i].name);
        }
    }
    if (kind == ATTRIBUTE_iota &&
        (!field_is_sane(FIELD_ELEMENT, &inst->attr.element) || !dims_are_sane(inst->attr.shape))) {
        return report(v, inst, "the element type or shape is broken");
    }
    const TensorData *data = inst->attr.data;
    if (kind == ATTRIBUTE_constant && (!data || !data->bytes || !type_is_sane(data->type))) {
        return report(v, inst, "the constant's data is broken");
    }
    return true;
}

static bool verify_result_type(Verifier *v, const Inst *inst, int index, Type wanted) {
    Type type = inst->results[index]->type;
    if (!type_equal(type, wanted)) {
        return report(v, inst, "result %d has type %s, but its rule gives %s", index,
                      type_string(v->scratch, type), type_string(v->scratch, wanted));
    }
    return true;
}

static bool verify_counts(Verifier *v, const Inst *inst, int results, int regions) {
    if (inst->result_count != results) {
        return report(v, inst, "has %d results instead of %d", inst->result_count, results);
    }
    if (inst->region_count != regions) {
        return report(v, inst, "has %d regions instead of %d", inst->region_count, regions);
    }
    return true;
}

static bool verify_ordinary(Verifier *v, const Inst *inst) {
    Type type;
    const char *why = NULL;
    if (!verify_counts(v, inst, 1, 0)) {
        return false;
    }
    if (!op_result_type(&v->module, inst->op, inst->operands, inst->operand_count, &inst->attr,
                        &type, &why)) {
        return report(v, inst, "%s", why);
    }
    return verify_result_type(v, inst, 0, type);
}

static bool is_in_module(const Verifier *v, const Function *callee) {
    const Module *module = v->function->module;
    return callee->module == module && callee->index >= 0 &&
           callee->index < module->functions.count &&
           module->functions.at[callee->index] == callee && callee->body;
}

static bool verify_call(Verifier *v, const Inst *inst) {
    const Function *callee = inst->attr.callee;
    if (!is_in_module(v, callee)) {
        return report(v, inst, "the callee is not in the module");
    }
    const Region *body = callee->body;
    if (inst->operand_count != body->parameters.count) {
        return report(v, inst, "%s takes %d arguments, but gets %d", callee->name,
                      body->parameters.count, inst->operand_count);
    }
    for (int i = 0; i < inst->operand_count; i++) {
        Type given = inst->operands[i]->type, wanted = body->parameters.at[i]->type;
        if (!type_equal(given, wanted)) {
            return report(v, inst, "argument %d of %s has type %s instead of %s", i, callee->name,
                          type_string(v->scratch, given), type_string(v->scratch, wanted));
        }
    }
    if (!verify_counts(v, inst, body->yields.count, 0)) {
        return false;
    }
    for (int i = 0; i < inst->result_count; i++) {
        if (!body->yields.at[i] || !verify_result_type(v, inst, i, body->yields.at[i]->type)) {
            return v->message ? false : report(v, inst, "the callee has no result %d", i);
        }
    }
    return true;
}

static bool verify_derivative(Verifier *v, const Inst *inst) {
    const Attribute *attr = &inst->attr;
    if (!is_in_module(v, attr->callee)) {
        return report(v, inst, "the callee is not in the module");
    }
    const char *mistake = derivative_mistake(v->scratch, attr);
    if (mistake) {
        return report(v, inst, "%s %s", attr->callee->name, mistake);
    }
    int operands = derivative_operand_count(inst->op, attr);
    if (inst->operand_count != operands) {
        return report(v, inst, "has %d operands instead of %d", inst->operand_count, operands);
    }
    for (int i = 0; i < operands; i++) {
        Type given = inst->operands[i]->type;
        Type wanted = derivative_operand_type(inst->op, attr, i);
        if (!type_equal(given, wanted)) {
            return report(v, inst, "operand %d has type %s instead of %s", i,
                          type_string(v->scratch, given), type_string(v->scratch, wanted));
        }
    }
    if (!verify_counts(v, inst, derivative_result_count(inst->op, attr), 0)) {
        return false;
    }
    for (int i = 0; i < inst->result_count; i++) {
        if (!verify_result_type(v, inst, i, derivative_result_type(inst->op, attr, i))) {
            return false;
        }
    }
    return true;
}

static bool verify_region(Verifier *v, const Inst *inst, const Region *region);

static bool is_scalar(const Value *value, ElementType element) {
    return value->type.rank == 0 && value->type.element == element;
}

static bool verify_branch(Verifier *v, const Inst *inst) {
    if (inst->operand_count != 1 || !is_scalar(inst->operands[0], TYPE_BOOL)) {
        return report(v, inst, "needs one bool scalar");
    }
    if (inst->region_count != 2) {
        return report(v, inst, "needs two regions");
    }
    for (int i = 0; i < 2; i++) {
        if (!verify_region(v, inst, inst->regions[i])) {
            return false;
        }
        const Region *region = inst->regions[i];
        if (region->parameters.count != 0) {
            return report(v, inst, "a region of a branch has parameters");
        }
        if (!verify_counts(v, inst, region->yields.count, 2)) {
            return false;
        }
        for (int k = 0; k < inst->result_count; k++) {
            if (!verify_result_type(v, inst, k, region->yields.at[k]->type)) {
                return false;
            }
        }
    }
    return true;
}

static bool verify_checkpoint(Verifier *v, const Inst *inst) {
    if (inst->operand_count != 0 || inst->region_count != 1) {
        return report(v, inst, "needs one region and no operands");
    }
    const Region *region = inst->regions[0];
    if (!verify_region(v, inst, region)) {
        return false;
    }
    if (region->parameters.count != 0) {
        return report(v, inst, "the region of a checkpoint has parameters");
    }
    if (!verify_counts(v, inst, region->yields.count, 1)) {
        return false;
    }
    for (int i = 0; i < inst->result_count; i++) {
        if (!verify_result_type(v, inst, i, region->yields.at[i]->type)) {
            return false;
        }
    }
    return true;
}

static bool verify_fence(Verifier *v, const Inst *inst) {
    return inst->operand_count == 0 ? verify_counts(v, inst, 0, 0)
                                    : report(v, inst, "has operands");
}

static bool verify_loop_parameters(Verifier *v, const Inst *inst, const Region *region) {
    int carried = inst->attr.carried;
    if (region->parameters.count != carried + 1 || !is_scalar(region->parameters.at[0], TYPE_I64)) {
        return report(v, inst, "a region's parameters are not the i64 index and %d carried values",
                      carried);
    }
    for (int i = 0; i < carried; i++) {
        if (!type_equal(region->parameters.at[i + 1]->type, inst->operands[i]->type)) {
            return report(v, inst, "carried value %d changes its type", i);
        }
    }
    return true;
}

static bool verify_loop_header(Verifier *v, const Inst *inst) {
    const Attribute *attr = &inst->attr;
    int64_t trip = 0;
    if (attr->carried < 0 || inst->operand_count != attr->carried + attr->counted) {
        return report(v, inst, "has %d operands for %d carried values", inst->operand_count,
                      attr->carried);
    }
    if (attr->counted && !is_scalar(inst->operands[attr->carried], TYPE_I64)) {
        return report(v, inst, "the count is not an i64 scalar");
    }
    if (dim_is_constant(attr->trip, &trip) && trip < 0) {
        return report(v, inst, "the trip count is negative");
    }
    if (inst->region_count < 1 || inst->region_count > 2) {
        return report(v, inst, "has %d regions", inst->region_count);
    }
    return true;
}

static bool verify_stack(Verifier *v, const Inst *inst, int index, Type row) {
    Type stack = inst->results[index]->type;
    bool is_stack = stack.rank == row.rank + 1 && dim_equal(stack.dims[0], inst->attr.trip) &&
                    type_equal((Type){stack.element, row.rank, stack.dims + 1}, row);
    if (!is_stack) {
        return report(v, inst, "result %d has type %s, which is no stack of %s", index,
                      type_string(v->scratch, stack), type_string(v->scratch, row));
    }
    return true;
}

static bool verify_loop_results(Verifier *v, const Inst *inst) {
    const Region *body = inst->regions[0];
    bool has_condition = inst->region_count > 1;
    int carried = inst->attr.carried;
    if (body->yields.count < carried) {
        return report(v, inst, "the body yields %d values, fewer than the %d carried",
                      body->yields.count, carried);
    }
    if (!verify_counts(v, inst, body->yields.count + has_condition, inst->region_count)) {
        return false;
    }
    for (int i = 0; i < body->yields.count; i++) {
        Type yielded = body->yields.at[i]->type;
        if (i < carried && !type_equal(yielded, inst->operands[i]->type)) {
            return report(v, inst, "the body yields %s for carried value %d of type %s",
                          type_string(v->scratch, yielded), i,
                          type_string(v->scratch, inst->operands[i]->type));
        }
        bool ok = i < carried ? verify_result_type(v, inst, i, yielded)
                              : verify_stack(v, inst, i, yielded);
        if (!ok) {
            return false;
        }
    }
    if (has_condition) {
        const Region *condition = inst->regions[1];
        if (condition->yields.count != 1 || !is_scalar(condition->yields.at[0], TYPE_BOOL)) {
            return report(v, inst, "the condition does not yield one bool scalar");
        }
        return verify_result_type(v, inst, body->yields.count, type_scalar(TYPE_I64));
    }
    return true;
}

static bool verify_loop(Verifier *v, const Inst *inst) {
    if (!verify_loop_header(v, inst)) {
        return false;
    }
    for (int i = 0; i < inst->region_count; i++) {
        if (!verify_region(v, inst, inst->regions[i]) ||
            !verify_loop_parameters(v, inst, inst->regions[i])) {
            return false;
        }
    }
    return verify_loop_results(v, inst);
}

static bool verify_kind(Verifier *v, const Inst *inst) {
    switch (inst->op) {
    case OP_loop: return verify_loop(v, inst);
    case OP_branch: return verify_branch(v, inst);
    case OP_checkpoint:
    case OP_recompute: return verify_checkpoint(v, inst);
    case OP_fence: return verify_fence(v, inst);
    case OP_call: return verify_call(v, inst);
    case OP_vjp:
    case OP_jvp: return verify_derivative(v, inst);
    default: return verify_ordinary(v, inst);
    }
}

// Results become visible only behind the instruction, so that its regions cannot use them.
static bool verify_inst(Verifier *v, const Inst *inst) {
    if ((int)inst->op < 0 || inst->op >= OP_COUNT) {
        return report(v, NULL, "an instruction has the operator %d", (int)inst->op);
    }
    for (int i = 0; i < inst->operand_count; i++) {
        if (!verify_use(v, inst, inst->operands[i], "operand", i)) {
            return false;
        }
    }
    for (int i = 0; i < inst->result_count; i++) {
        if (!verify_definition(v, inst, inst->results[i], inst->parent, i)) {
            return false;
        }
        v->visible[inst->results[i]->id] = NULL;
    }
    if (!verify_attribute(v, inst) || !verify_kind(v, inst)) {
        return false;
    }
    for (int i = 0; i < inst->result_count; i++) {
        v->visible[inst->results[i]->id] = inst->results[i];
    }
    return true;
}

static bool verify_insts(Verifier *v, const Inst *owner, const Region *region) {
    const Inst *previous = NULL;
    for_each_inst(inst, region) {
        if (inst->parent != region || inst->previous != previous) {
            return report(v, owner, "the list of instructions of a region is broken");
        }
        if (!verify_inst(v, inst)) {
            return false;
        }
        previous = inst;
    }
    return region->last == previous || report(v, owner, "a region does not end at its last one");
}

static void hide_values(Verifier *v, const Region *region) {
    for (int i = 0; i < region->parameters.count; i++) {
        v->visible[region->parameters.at[i]->id] = NULL;
    }
    for_each_inst(inst, region) {
        for (int i = 0; i < inst->result_count; i++) {
            v->visible[inst->results[i]->id] = NULL;
        }
    }
}

static bool verify_region(Verifier *v, const Inst *owner, const Region *region) {
    if (!region || region->function != v->function || region->owner != owner) {
        return report(v, owner, "a region does not point back to its owner");
    }
    for (int i = 0; i < region->parameters.count; i++) {
        if (!verify_definition(v, NULL, region->parameters.at[i], region, i)) {
            return false;
        }
    }
    if (!verify_insts(v, owner, region)) {
        return false;
    }
    for (int i = 0; i < region->yields.count; i++) {
        if (!verify_use(v, owner, region->yields.at[i], "yielded value", i)) {
            return false;
        }
    }
    hide_values(v, region);
    return true;
}

static bool role_is_parameter(Role role) {
    return role == ROLE_VALUE || role == ROLE_INPUT || role == ROLE_PARAM || role == ROLE_SEED ||
           role == ROLE_KEY || role == ROLE_STATE;
}

static bool role_is_result(Role role) {
    return role == ROLE_VALUE || role == ROLE_OUTPUT || role == ROLE_GRADIENT ||
           role == ROLE_INITIAL || role == ROLE_NEXT || role == ROLE_SAVED;
}

static bool verify_slots(Verifier *v) {
    const Function *f = v->function;
    int parameters = f->body->parameters.count, results = f->body->yields.count;
    if ((parameters && !f->parameters) || (results && !f->results)) {
        return report(v, NULL, "has no slots for its parameters or results");
    }
    for (int i = 0; i < parameters; i++) {
        if (!role_is_parameter(f->parameters[i].role)) {
            return report(v, NULL, "parameter %d has the role of a result", i);
        }
        Type type = f->body->parameters.at[i]->type;
        if (f->parameters[i].requires_grad && !element_is_real(type.element)) {
            return report(v, NULL, "parameter %d requires a gradient, but is %s", i,
                          type_string(v->scratch, type));
        }
        if (f->parameters[i].role == ROLE_KEY && !type_equal(type, type_scalar(TYPE_I64))) {
            return report(v, NULL, "parameter %d is a key, but is %s", i,
                          type_string(v->scratch, type));
        }
    }
    for (int i = 0; i < results; i++) {
        if (!role_is_result(f->results[i].role)) {
            return report(v, NULL, "result %d has the role of a parameter", i);
        }
    }
    return true;
}

static bool verify_header(Verifier *v) {
    const Function *f = v->function;
    const Module *module = f->module;
    if (!f->name || !f->body) {
        return report(v, NULL, "has no name or no body");
    }
    bool is_listed =
        f->index >= 0 && f->index < module->functions.count && module->functions.at[f->index] == f;
    return is_listed || report(v, NULL, "is not at its index in the module");
}

// The function's own rule for reverse mode.
static bool verify_rule(Verifier *v) {
    const Function *rule = v->function->reverse;
    if (!rule) {
        return true;
    }
    if (!is_in_module(v, rule)) {
        return report(v, NULL, "its rule is not in the module");
    }
    const char *mistake = reverse_rule_mistake(v->scratch, v->function);
    return !mistake || report(v, NULL, "%s", mistake);
}

const char *verify_function(Arena *arena, const Function *function) {
    check(function && function->module, "a function without a module");
    Arena scratch = {0};
    Verifier v = {
        .arena = arena, .scratch = &scratch, .module = *function->module, .function = function};
    v.module.arena = &scratch;
    v.visible = arena_array(&scratch, const Value *, function->value_count);
    v.defined = arena_array(&scratch, bool, function->value_count);
    if (verify_header(&v) && verify_region(&v, NULL, function->body) && verify_slots(&v)) {
        verify_rule(&v);
    }
    arena_free(&scratch);
    return v.message;
}

// Recursion is looked for from each function that was not reached before.
typedef enum CallState { CALLS_UNKNOWN, CALLS_BEING_FOLLOWED, CALLS_ENDING } CallState;

static const Function *find_recursion(CallState *states, const Function *function);

static const Function *find_recursion_in(CallState *states, const Region *region) {
    for_each_inst(inst, region) {
        const Function *found = NULL;
        if (inst->attr.callee) {
            found = find_recursion(states, inst->attr.callee);
        }
        for (int i = 0; !found && i < inst->region_count; i++) {
            found = find_recursion_in(states, inst->regions[i]);
        }
        if (found) {
            return found;
        }
    }
    return NULL;
}

// A function that calls itself, directly or through others; NULL if there is none.
static const Function *find_recursion(CallState *states, const Function *function) {
    CallState *state = &states[function->index];
    if (*state != CALLS_UNKNOWN) {
        return *state == CALLS_BEING_FOLLOWED ? function : NULL;
    }
    *state = CALLS_BEING_FOLLOWED;
    const Function *found = find_recursion_in(states, function->body);
    *state = CALLS_ENDING;
    return found;
}

static const char *verify_names(Arena *arena, Arena *scratch, const Module *module) {
    NameTable names = {.arena = scratch};
    for (int i = 0; i < module->functions.count; i++) {
        Function *function = module->functions.at[i];
        void **place = name_table_place(&names, function->name);
        if (*place) {
            return arena_format(arena, "two functions have the name %s", function->name);
        }
        *place = function;
    }
    return NULL;
}

const char *verify_module(Arena *arena, const Module *module) {
    for (int i = 0; i < module->functions.count; i++) {
        const Function *function = module->functions.at[i];
        if (!function || function->module != module) {
            return arena_format(arena, "function %d does not belong to its module", i);
        }
        const char *message = verify_function(arena, function);
        if (message) {
            return message;
        }
    }
    Arena scratch = {0};
    const char *message = verify_names(arena, &scratch, module);
    CallState *states = arena_array(&scratch, CallState, module->functions.count);
    for (int i = 0; !message && i < module->functions.count; i++) {
        const Function *found = find_recursion(states, module->functions.at[i]);
        if (found) {
            message = arena_format(arena, "function %s calls itself", found->name);
        }
    }
    arena_free(&scratch);
    return message;
}
