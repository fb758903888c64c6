// The verifier on broken IR: a sound module is read, one thing in it is broken by hand, and the
// message must name it. Text alone cannot express these mistakes.
#include "ir/verify.h"
#include "ir/build.h"
#include "ir/text_form.h"
#include "tests/unit/expect.h"

static const char text[] =
    "func f(x: f64[3] param grad, n: i64) -> (y: f64[3] output) {\n"
    "  a = sin x : f64[3]\n"
    "  b = cumsum a {axis = 0} : f64[3]\n"
    "  c, rows = loop b, n {trip = 4, carried = 1, counted = true} : f64[3], f64[4,3] {\n"
    "    body(i: i64, s: f64[3]) {\n"
    "      t = add s, a : f64[3]\n"
    "      yield t, s\n"
    "    }\n"
    "  }\n"
    "  d = call c {callee = g} : f64[3]\n"
    "  return d\n"
    "}\n"
    "func g(p: f64[3]) -> (f64[3]) {\n"
    "  q = cos p : f64[3]\n"
    "  return q\n"
    "}\n";

// The parts of the module that breakages touch.
typedef struct Parts {
    Arena *arena;
    Module *module;
    Function *f, *g;
    Inst *a, *b, *c, *d, *t;
} Parts;

static Parts read_parts(Arena *arena) {
    Sources *sources = arena_new(arena, Sources);
    sources->arena = arena;
    Diags diags = {.arena = arena, .sources = sources};
    int file = source_add(sources, "test", text, sizeof text - 1);
    Parts p = {.arena = arena, .module = parse_module(arena, &diags, file)};
    p.f = p.module->functions.at[0];
    p.g = p.module->functions.at[1];
    p.a = p.f->body->first;
    p.b = p.a->next;
    p.c = p.b->next;
    p.d = p.c->next;
    p.t = p.c->regions[0]->first;
    return p;
}

static void keep(Parts *p) {
    (void)p;
}

static void use_before_definition(Parts *p) {
    p->a->operands[0] = p->b->results[0];
}

static void use_of_inner_value(Parts *p) {
    p->d->operands[0] = p->t->results[0];
}

static void use_of_own_result_inside(Parts *p) {
    p->t->operands[1] = p->c->results[0];
}

static void use_of_other_function(Parts *p) {
    p->a->operands[0] = p->g->body->parameters.at[0];
}

static void missing_operand(Parts *p) {
    p->b->operands[0] = NULL;
}

static void too_few_operands(Parts *p) {
    p->t->operand_count = 1;
}

static void wrong_result_type(Parts *p) {
    p->b->results[0]->type.element = TYPE_F32;
}

static void equal_ids(Parts *p) {
    p->b->results[0]->id = p->a->results[0]->id;
}

static void id_out_of_range(Parts *p) {
    p->b->results[0]->id = p->f->value_count;
}

static void wrong_definition(Parts *p) {
    p->b->results[0]->definition = p->a;
}

static void wrong_region(Parts *p) {
    p->f->body->parameters.at[1]->region = p->c->regions[0];
}

static void wrong_index(Parts *p) {
    p->c->results[1]->index = 0;
}

static void broken_list(Parts *p) {
    p->c->previous = p->a;
}

static void broken_end(Parts *p) {
    p->f->body->last = p->c;
}

static void wrong_owner(Parts *p) {
    p->c->regions[0]->owner = p->d;
}

static void axis_out_of_range(Parts *p) {
    p->b->attr.axis = 1;
}

static void missing_trip(Parts *p) {
    p->c->attr.trip = NULL;
}

static void wrong_carried(Parts *p) {
    p->c->attr.carried = 2;
}

static void loop_without_region(Parts *p) {
    p->c->region_count = 0;
}

static void loop_without_yields(Parts *p) {
    p->c->regions[0]->yields.count = 0;
}

static void loop_with_another_trip(Parts *p) {
    p->c->attr.trip = dim_constant(p->module->dims, 5);
}

static void loop_that_changes_a_type(Parts *p) {
    p->c->regions[0]->yields.at[0] = p->c->regions[0]->parameters.at[0];
}

static void foreign_callee(Parts *p) {
    Function *copy = arena_new(p->arena, Function);
    *copy = *p->g;
    p->d->attr.callee = copy;
}

static void argument_type(Parts *p) {
    p->g->body->parameters.at[0]->type.element = TYPE_F32;
}

static void recursion(Parts *p) {
    p->d->attr.callee = p->f;
    p->d->operand_count = 2;
    Value **operands = arena_array(p->arena, Value *, 2);
    operands[0] = p->c->results[0];
    operands[1] = p->f->body->parameters.at[1];
    p->d->operands = operands;
}

static void gradient_of_an_integer(Parts *p) {
    p->f->parameters[1].requires_grad = true;
}

static void role_of_a_result(Parts *p) {
    p->f->parameters[0].role = ROLE_OUTPUT;
}

static void missing_slots(Parts *p) {
    p->f->results = NULL;
}

static void two_names(Parts *p) {
    p->g->name = "f";
}

static void wrong_module_index(Parts *p) {
    p->g->index = 0;
}

static const struct {
    void (*break_it)(Parts *);
    const char *expected; // NULL: sound
} breakages[] = {
    {keep, NULL},
    {use_before_definition, "instruction a = sin: operand 0, b is not defined at this place"},
    {use_of_inner_value, "instruction d = call: operand 0, t is not defined at this place"},
    {use_of_own_result_inside, "instruction t = add: operand 1, c is not defined at this place"},
    {use_of_other_function, "operand 0, p is not defined at this place"},
    {missing_operand, "instruction b = cumsum: operand 0 is missing"},
    {too_few_operands, "needs 2 operands, got 1"},
    {wrong_result_type, "result 0 has type f32[3], but its rule gives f64[3]"},
    {equal_ids, "which another value has too"},
    {id_out_of_range, "but the function has"},
    {wrong_definition, "result 0 does not point back to its definition"},
    {wrong_region, "parameter 1 does not point back to its definition"},
    {wrong_index, "result 1 does not point back to its definition"},
    {broken_list, "the list of instructions of a region is broken"},
    {broken_end, "a region does not end at its last one"},
    {wrong_owner, "a region does not point back to its owner"},
    {axis_out_of_range, "has no axis 1 in a tensor of rank 1"},
    {missing_trip, "the attribute 'trip' is broken"},
    {wrong_carried, "has 2 operands for 2 carried values"},
    {loop_without_region, "has 0 regions"},
    {loop_without_yields, "the body yields 0 values, fewer than the 1 carried"},
    {loop_with_another_trip, "result 1 has type f64[4,3], which is no stack of f64[3]"},
    {loop_that_changes_a_type, "the body yields i64 for carried value 0 of type f64[3]"},
    {foreign_callee, "the callee is not in the module"},
    {argument_type, "argument 0 of g has type f64[3] instead of f32[3]"},
    {recursion, "function f calls itself"},
    {gradient_of_an_integer, "parameter 1 requires a gradient, but is i64"},
    {role_of_a_result, "parameter 0 has the role of a result"},
    {missing_slots, "has no slots"},
    {two_names, "two functions have the name f"},
    {wrong_module_index, "the callee is not in the module"},
};

int main(void) {
    for (size_t i = 0; i < sizeof breakages / sizeof breakages[0]; i++) {
        Arena arena = {0};
        Parts parts = read_parts(&arena);
        breakages[i].break_it(&parts);
        const char *message = verify_module(&arena, parts.module);
        const char *expected = breakages[i].expected;
        bool ok = expected ? message && strstr(message, expected) : !message;
        if (!EXPECT(ok)) {
            fprintf(stderr, "  breakage %zu\n  expected: %s\n  actual:   %s\n", i,
                    expected ? expected : "(sound)", message ? message : "(sound)");
        }
        arena_free(&arena);
    }
    return expect_result();
}
