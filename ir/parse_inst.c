// Instructions and regions of the text form. Ordinary operators are typed by their rule and built
// by the builder; a type written behind an instruction must be the one that comes out.
#include <string.h>

#include "ir/derivative.h"
#include "ir/op.h"
#include "ir/parse.h"

typedef struct WrittenName {
    const char *text;
    Span span;
} WrittenName;

// One instruction as written, before its results and regions.
typedef struct Line {
    int start;
    VEC(WrittenName) names;
    Op op;
    VEC(Value *) operands;
    Attribute attr;
    VEC(Type) types; // behind the colon; empty: not written
} Line;

bool define_value(Parser *p, Value *value, const char *written, Span span) {
    void **place = name_table_place(&p->current->values, written);
    if (*place) {
        parse_fail(p, span, "'%s' is defined twice", written);
        return false;
    }
    *place = value;
    value->name = written[0] == '%' ? NULL : base_name(p->arena, written);
    return true;
}

static bool at_value(const Parser *p) {
    return p->token.kind == TOKEN_NAME || p->token.kind == TOKEN_TEMPORARY;
}

static bool parse_written_name(Parser *p, WrittenName *name) {
    if (!at_value(p)) {
        parse_fail_expected(p, "a value's name");
        return false;
    }
    *name = (WrittenName){token_text(p), token_span(p)};
    next_token(p);
    return true;
}

static Value *parse_value(Parser *p, const Region *region) {
    WrittenName name;
    if (!parse_written_name(p, &name)) {
        return NULL;
    }
    Value *value = name_table_find(&p->current->values, name.text);
    if (!value) {
        parse_fail(p, name.span, "'%s' is not defined here", name.text);
        return NULL;
    }
    if (!value_is_visible(value, region)) {
        parse_fail(p, name.span, "'%s' belongs to a region that ended before", name.text);
        return NULL;
    }
    return value;
}

// `a, b =` in front of the operator; nothing for an instruction without results.
static bool parse_result_names(Parser *p, Line *line) {
    Token first = p->token;
    bool is_named = first.kind == TOKEN_TEMPORARY;
    if (first.kind == TOKEN_NAME) {
        next_token(p);
        is_named = at_mark(p, '=') || at_mark(p, ',');
        restart_at(p, first.start);
    }
    if (!is_named) {
        return !p->failed;
    }
    do {
        WrittenName name;
        if (!parse_written_name(p, &name)) {
            return false;
        }
        vec_push(p->arena, &line->names, name);
    } while (accept_mark(p, ','));
    return expect_mark(p, '=');
}

static bool parse_operator(Parser *p, Line *line) {
    if (p->token.kind != TOKEN_NAME) {
        parse_fail_expected(p, "an operator");
        return false;
    }
    const char *name = token_text(p);
    if (!op_from_name(name, &line->op)) {
        parse_fail(p, token_span(p), "there is no operator '%s'", name);
        return false;
    }
    next_token(p);
    return true;
}

static bool parse_operands(Parser *p, const Region *region, Line *line) {
    if (!at_value(p)) {
        return !p->failed;
    }
    do {
        Value *value = parse_value(p, region);
        if (!value) {
            return false;
        }
        vec_push(p->arena, &line->operands, value);
    } while (accept_mark(p, ','));
    return true;
}

static bool parse_types(Parser *p, Line *line) {
    if (!accept_mark(p, ':')) {
        return !p->failed;
    }
    do {
        Type type;
        if (!parse_type(p, &type)) {
            return false;
        }
        vec_push(p->arena, &line->types, type);
    } while (accept_mark(p, ','));
    return true;
}

// The data stands before its type, which says how to read it: the type is read first.
static bool parse_constant(Parser *p, Line *line) {
    int start = p->token.start;
    int64_t items = 1;
    if (at_mark(p, '[')) {
        skip_brackets(p, &items);
    } else {
        accept_mark(p, '-');
        next_token(p);
    }
    int data_end = p->previous_end;
    if (!at_mark(p, ':')) {
        parse_fail_expected(p, "':' and the constant's type");
        return false;
    }
    if (!parse_types(p, line) || line->types.count != 1 || !type_is_static(line->types.at[0]) ||
        type_elements(line->types.at[0]) != items) {
        parse_fail(p, span_from(p, start), "a constant needs one type, of as many elements");
        return false;
    }
    int line_end = p->previous_end;
    restart_at(p, start);
    line->attr.data = parse_data(p, line->types.at[0]);
    if (line->attr.data && p->previous_end != data_end) {
        parse_fail(p, span_from(p, start), "this is not one constant");
    }
    restart_at(p, line_end);
    p->previous_end = line_end;
    return !p->failed;
}

// An iota's element type and shape are written as its type.
static bool complete_iota(Parser *p, Line *line) {
    if (line->types.count != 1) {
        parse_fail(p, span_from(p, line->start), "iota needs its type");
        return false;
    }
    Type type = line->types.at[0];
    line->attr.element = type.element;
    line->attr.shape = (Dims){type.dims, type.rank};
    return true;
}

static bool parse_line(Parser *p, const Region *region, Line *line) {
    line->start = p->token.start;
    if (!parse_result_names(p, line) || !parse_operator(p, line)) {
        return false;
    }
    if (line->op == OP_constant) {
        return parse_constant(p, line);
    }
    if (line->op == OP_fence) {
        return true; // nothing follows that would end its operands
    }
    return parse_operands(p, region, line) &&
           parse_attribute(p, op_info(line->op)->attribute, &line->attr) && parse_types(p, line) &&
           (line->op != OP_iota || complete_iota(p, line));
}

// Gives the results their names and compares their types with those written.
static bool define_results(Parser *p, const Line *line, Value *const *results, int count) {
    if (line->names.count != count) {
        parse_fail(p, span_from(p, line->start), "%s gives %d results, not %d",
                   op_info(line->op)->name, count, line->names.count);
        return false;
    }
    if (line->types.count != 0 && line->types.count != count) {
        parse_fail(p, span_from(p, line->start), "%s gives %d results, but %d types are written",
                   op_info(line->op)->name, count, line->types.count);
        return false;
    }
    for (int i = 0; i < count; i++) {
        WrittenName name = line->names.at[i];
        if (line->types.count && !type_equal(line->types.at[i], results[i]->type)) {
            parse_fail(p, name.span, "'%s' is %s, but %s is written", name.text,
                       type_string(p->arena, results[i]->type),
                       type_string(p->arena, line->types.at[i]));
            return false;
        }
        if (!define_value(p, results[i], name.text, name.span)) {
            return false;
        }
    }
    return true;
}

static bool build_ordinary(Parser *p, Builder *b, const Line *line) {
    Type type;
    const char *why = NULL;
    if (!op_result_type(p->module, line->op, line->operands.at, line->operands.count, &line->attr,
                        &type, &why)) {
        parse_fail(p, b->span, "%s", why);
        return false;
    }
    Value *result = build_op(b, line->op, line->operands.at, line->operands.count, &line->attr);
    return define_results(p, line, &result, 1);
}

// The parameters in the order that the region has them, with their types.
static bool parse_region_parameters(Parser *p, Region *region) {
    if (!expect_mark(p, '(')) {
        return false;
    }
    for (int i = 0; i < region->parameters.count; i++) {
        WrittenName name;
        Type type;
        if ((i && !expect_mark(p, ',')) || !parse_written_name(p, &name) || !expect_mark(p, ':') ||
            !parse_type(p, &type)) {
            return false;
        }
        Value *value = region->parameters.at[i];
        if (!type_equal(type, value->type)) {
            parse_fail(p, name.span, "'%s' is %s, but %s is written", name.text,
                       type_string(p->arena, value->type), type_string(p->arena, type));
            return false;
        }
        if (!define_value(p, value, name.text, name.span)) {
            return false;
        }
    }
    return expect_mark(p, ')');
}

// `word { ... }`, or for a loop's region `word(parameters) { ... }`.
static bool parse_region(Parser *p, const char *word, Region *region) {
    bool parsed = parse_enter(p) && expect_word(p, word) &&
                  (region->owner->op != OP_loop || parse_region_parameters(p, region)) &&
                  expect_mark(p, '{') && parse_region_body(p, region) && expect_mark(p, '}');
    parse_leave(p);
    return parsed;
}

static bool is_scalar(const Value *value, ElementType element) {
    return value->type.rank == 0 && value->type.element == element;
}

static bool check_loop_header(Parser *p, const Builder *b, const Line *line) {
    const Attribute *attr = &line->attr;
    int count = line->operands.count;
    if (attr->carried < 0 || attr->carried != count - attr->counted) {
        parse_fail(p, b->span, "this loop needs %d operands, got %d", attr->carried + attr->counted,
                   count);
        return false;
    }
    if (attr->counted && !is_scalar(line->operands.at[count - 1], TYPE_I64)) {
        parse_fail(p, b->span, "a loop's count is an i64 scalar");
        return false;
    }
    int64_t trip = 0;
    if (dim_is_constant(attr->trip, &trip) && trip < 0) {
        parse_fail(p, b->span, "a loop cannot run %lld times", (long long)trip);
        return false;
    }
    return true;
}

static bool check_loop_yields(Parser *p, const Inst *loop) {
    const Region *body = loop->regions[0];
    int carried = loop->attr.carried;
    if (body->yields.count < carried) {
        parse_fail(p, loop->span, "this loop's body yields %d values, fewer than the %d carried",
                   body->yields.count, carried);
        return false;
    }
    for (int i = 0; i < carried; i++) {
        if (!type_equal(body->yields.at[i]->type, body->parameters.at[i + 1]->type)) {
            parse_fail(p, loop->span, "this loop carries a value as %s, but its body yields %s",
                       type_string(p->arena, body->parameters.at[i + 1]->type),
                       type_string(p->arena, body->yields.at[i]->type));
            return false;
        }
    }
    for (int i = carried; i < body->yields.count; i++) {
        Type row = body->yields.at[i]->type;
        const Dim **dims = arena_array(p->arena, const Dim *, row.rank + 1);
        dims[0] = loop->attr.trip;
        if (row.rank) {
            memcpy(dims + 1, row.dims, (size_t)row.rank * sizeof *dims);
        }
        if (!type_fits((Type){row.element, row.rank + 1, dims})) {
            parse_fail(p, loop->span, "a stack of this loop has too many elements");
            return false;
        }
    }
    if (loop->region_count > 1) {
        const Region *condition = loop->regions[1];
        if (condition->yields.count != 1 || !is_scalar(condition->yields.at[0], TYPE_BOOL)) {
            parse_fail(p, loop->span, "a loop's condition yields one bool scalar");
            return false;
        }
    }
    return true;
}

static bool parse_loop(Parser *p, Builder *b, const Line *line) {
    const Attribute *attr = &line->attr;
    if (!check_loop_header(p, b, line) || !expect_mark(p, '{')) {
        return false;
    }
    Value *count = attr->counted ? line->operands.at[attr->carried] : NULL;
    Inst *loop = build_loop(b, attr->trip, line->operands.at, attr->carried, count);
    if (!parse_region(p, "body", loop->regions[0])) {
        return false;
    }
    if (at_word(p, "condition") && !parse_region(p, "condition", loop_add_condition(loop))) {
        return false;
    }
    if (!expect_mark(p, '}') || !check_loop_yields(p, loop)) {
        return false;
    }
    loop_finish(loop);
    return define_results(p, line, loop->results, loop->result_count);
}

static bool parse_branch(Parser *p, Builder *b, const Line *line) {
    if (line->operands.count != 1 || !is_scalar(line->operands.at[0], TYPE_BOOL)) {
        parse_fail(p, b->span, "branch needs one bool scalar");
        return false;
    }
    if (!expect_mark(p, '{')) {
        return false;
    }
    Inst *branch = build_branch(b, line->operands.at[0]);
    const Region *then = branch->regions[0], *otherwise = branch->regions[1];
    if (!parse_region(p, "then", branch->regions[0]) ||
        !parse_region(p, "else", branch->regions[1]) || !expect_mark(p, '}')) {
        return false;
    }
    bool agree = then->yields.count == otherwise->yields.count;
    for (int i = 0; agree && i < then->yields.count; i++) {
        agree = type_equal(then->yields.at[i]->type, otherwise->yields.at[i]->type);
    }
    if (!agree) {
        parse_fail(p, branch->span, "the two regions of this branch yield different types");
        return false;
    }
    branch_finish(branch);
    return define_results(p, line, branch->results, branch->result_count);
}

static bool parse_checkpoint(Parser *p, Builder *b, const Line *line) {
    if (line->operands.count != 0) {
        parse_fail(p, b->span, "%s takes no operands", op_info(line->op)->name);
        return false;
    }
    Inst *checkpoint = build_checkpoint(b, line->op);
    if (!expect_mark(p, '{') || !parse_region(p, "body", checkpoint->regions[0]) ||
        !expect_mark(p, '}')) {
        return false;
    }
    checkpoint_finish(checkpoint);
    return define_results(p, line, checkpoint->results, checkpoint->result_count);
}

static bool parse_fence(Parser *p, Builder *b, const Line *line) {
    build_fence(b);
    return define_results(p, line, NULL, 0);
}

static bool parse_call(Parser *p, Builder *b, const Line *line) {
    const Function *callee = line->attr.callee;
    int count = callee->body->parameters.count;
    if (line->operands.count != count) {
        parse_fail(p, b->span, "'%s' takes %d arguments, got %d", callee->name, count,
                   line->operands.count);
        return false;
    }
    for (int i = 0; i < count; i++) {
        Type wanted = callee->body->parameters.at[i]->type;
        Type given = line->operands.at[i]->type;
        if (!type_equal(wanted, given)) {
            parse_fail(p, b->span, "argument %d of '%s' is %s, but it takes %s", i + 1,
                       callee->name, type_string(p->arena, given), type_string(p->arena, wanted));
            return false;
        }
    }
    Inst *call = build_call(b, line->attr.callee, line->operands.at);
    return define_results(p, line, call->results, call->result_count);
}

static bool parse_derivative(Parser *p, Builder *b, const Line *line) {
    const Attribute *attr = &line->attr;
    const char *mistake = derivative_mistake(p->arena, attr);
    if (mistake) {
        parse_fail(p, b->span, "'%s' %s", attr->callee->name, mistake);
        return false;
    }
    int count = derivative_operand_count(line->op, attr);
    if (line->operands.count != count) {
        parse_fail(p, b->span, "this %s needs %d operands, got %d", op_info(line->op)->name, count,
                   line->operands.count);
        return false;
    }
    for (int i = 0; i < count; i++) {
        Type wanted = derivative_operand_type(line->op, attr, i);
        Type given = line->operands.at[i]->type;
        if (!type_equal(wanted, given)) {
            parse_fail(p, b->span, "operand %d of %s is %s, but it takes %s", i + 1,
                       op_info(line->op)->name, type_string(p->arena, given),
                       type_string(p->arena, wanted));
            return false;
        }
    }
    Inst *inst = build_derivative(b, line->op, attr, line->operands.at);
    return define_results(p, line, inst->results, inst->result_count);
}

static bool parse_inst(Parser *p, Region *region) {
    Line line = {0};
    if (!parse_line(p, region, &line)) {
        return false;
    }
    Builder b = builder_at(region, span_from(p, line.start));
    switch (line.op) {
    case OP_loop: return parse_loop(p, &b, &line);
    case OP_branch: return parse_branch(p, &b, &line);
    case OP_checkpoint:
    case OP_recompute: return parse_checkpoint(p, &b, &line);
    case OP_fence: return parse_fence(p, &b, &line);
    case OP_call: return parse_call(p, &b, &line);
    case OP_vjp:
    case OP_jvp: return parse_derivative(p, &b, &line);
    default: return build_ordinary(p, &b, &line);
    }
}

// `yield` and `return` are words only where no value of that name is defined.
static bool at_end_of_region(Parser *p, const char *word) {
    Token token = p->token;
    if (!at_word(p, word)) {
        return false;
    }
    next_token(p);
    bool is_name = at_mark(p, '=') || at_mark(p, ',');
    restart_at(p, token.start);
    return !is_name;
}

static bool parse_yields(Parser *p, Region *region) {
    Line line = {0};
    if (!parse_operands(p, region, &line)) {
        return false;
    }
    const ParsedFunction *current = p->current;
    if (region->owner) {
        for (int i = 0; i < line.operands.count; i++) {
            vec_push(p->arena, &region->yields, line.operands.at[i]);
        }
        return true;
    }
    if (line.operands.count != current->result_types.count) {
        parse_fail(p, token_span(p), "'%s' has %d results, but %d values are returned",
                   current->function->name, current->result_types.count, line.operands.count);
        return false;
    }
    for (int i = 0; i < line.operands.count; i++) {
        Type written = current->result_types.at[i], type = line.operands.at[i]->type;
        if (!type_equal(written, type)) {
            parse_fail(p, token_span(p), "result %d of '%s' is %s, but %s is returned", i + 1,
                       current->function->name, type_string(p->arena, written),
                       type_string(p->arena, type));
            return false;
        }
        function_add_result(current->function, line.operands.at[i], current->results.at[i]);
    }
    return true;
}

bool parse_region_body(Parser *p, Region *region) {
    const char *word = region->owner ? "yield" : "return";
    while (!p->failed && !at_end_of_region(p, word)) {
        if (at_mark(p, '}')) {
            return expect_word(p, word);
        }
        if (!parse_inst(p, region)) {
            return false;
        }
    }
    return expect_word(p, word) && parse_yields(p, region);
}
