// Statements of the writer: assignments, stores, loops and branches. See write_internal.h.
#include <stdarg.h>
#include <string.h>

#include "frontend/write_internal.h"

// `place = text`: one of several assignments that happen at once.
typedef struct Move {
    const char *place;
    const char *text;
} Move;
typedef VEC(Move) MoveList;

void write_statement(Writer *w, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    text_indent(w->out, w->level);
    text_add(w->out, arena_format_list(&w->arena, format, arguments));
    text_add_char(w->out, '\n');
    va_end(arguments);
}

// ---- expressions

static void write_value(Writer *w, Text *out, Value *value, Precedence needs) {
    const ValuePlan *plan = plan_of(w, value);
    if (!plan->is_inlined) {
        text_add(out, plan->name != NULL ? plan->name : "?");
        return;
    }
    bool is_loose = plan->form->precedence < needs;
    text_add(out, is_loose ? "(" : "");
    write_pieces(w, out, &plan->form->pieces);
    text_add(out, is_loose ? ")" : "");
}

void write_pieces(Writer *w, Text *out, const PieceList *pieces) {
    for (int i = 0; i < pieces->count; i++) {
        const Piece *piece = &pieces->at[i];
        if (piece->text != NULL) {
            text_add(out, piece->text);
        } else {
            write_value(w, out, piece->value, piece->needs);
        }
    }
}

static const char *pieces_text(Writer *w, const PieceList *pieces) {
    Text text = text_new(&w->arena);
    write_pieces(w, &text, pieces);
    return text_string(&text);
}

const char *value_text(Writer *w, Value *value) {
    PieceList pieces = {0};
    add_value(w, &pieces, value, BINDS_NOT, false);
    return pieces_text(w, &pieces);
}

// ---- comments

// The line of the user's program that comes next, where it is another one than before.
static void write_origin(Writer *w, Span span) {
    const Sources *sources = w->model->sources;
    int line, column, length;
    if (span.file < 0 || span.file != w->model->tree->file) {
        return;
    }
    source_locate(sources, span, &line, &column);
    if (line == w->line || line == 0) {
        return;
    }
    w->line = line;
    const char *text = source_line(sources, span.file, line, &length);
    const char *comment = memchr(text, '#', (size_t)length);
    length = comment != NULL ? (int)(comment - text) : length;
    while (length > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        length--;
    }
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\r')) {
        length--;
    }
    write_statement(w, "# line %d: %.*s", line, length, text);
}

// ---- assignments

static void add_move(Writer *w, MoveList *moves, const char *place, Value *value) {
    Move move = {place, value_text(w, value)};
    if (strcmp(move.place, move.text) != 0) {
        vec_push(&w->arena, moves, move);
    }
}

// One by one where no text is a place that was assigned before it.
static void write_moves(Writer *w, const MoveList *moves) {
    bool at_once = false;
    for (int i = 0; i < moves->count; i++) {
        for (int k = 0; k < i; k++) {
            at_once = at_once || strcmp(moves->at[i].text, moves->at[k].place) == 0;
        }
    }
    if (!at_once) {
        for (int i = 0; i < moves->count; i++) {
            write_statement(w, "%s = %s", moves->at[i].place, moves->at[i].text);
        }
        return;
    }
    Text places = text_new(&w->arena), texts = text_new(&w->arena);
    for (int i = 0; i < moves->count; i++) {
        text_format(&places, "%s%s", i > 0 ? ", " : "", moves->at[i].place);
        text_format(&texts, "%s%s", i > 0 ? ", " : "", moves->at[i].text);
    }
    write_statement(w, "%s = %s", text_string(&places), text_string(&texts));
}

// ---- loops

static const char *name_of(Writer *w, const Value *value) {
    return plan_of(w, value)->name;
}

// Rows that the iteration stacks, of values that are defined by `maker`; NULL: before the body.
static void write_stacks(Writer *w, const Inst *loop, const Inst *maker) {
    const Region *body = loop->regions[0];
    int stacks = body->yields.count - loop->attr.carried;
    for (int i = 0; i < stacks; i++) {
        Value *value = body->yields.at[loop->attr.carried + i];
        const Inst *definition = value->definition;
        bool is_inside =
            definition != NULL && definition->parent == body && !is_scalar_constant(value);
        if (is_inside ? definition == maker : maker == NULL) {
            write_statement(w, "%s[%s] = %s", name_of(w, loop->results[loop->attr.carried + i]),
                            name_of(w, body->parameters.at[0]), value_text(w, value));
        }
    }
}

static void write_body(Writer *w, const Inst *loop);

static bool is_condition_inlined(Writer *w, const Region *region) {
    for_each_inst(inst, region) {
        const ValuePlan *plan = plan_of(w, inst->results[0]);
        if (plan->form != NULL && !plan->is_inlined && inst->results[0] != region->yields.at[0]) {
            return false;
        }
    }
    const ValuePlan *yield = plan_of(w, region->yields.at[0]);
    return yield->form == NULL || (yield->form->kind == FORM_EXPRESSION && yield->uses == 1);
}

static void write_while(Writer *w, const Inst *loop) {
    Region *condition = loop->regions[1];
    const char *index = name_of(w, loop->regions[0]->parameters.at[0]);
    const char *limit = arena_format(&w->arena, "%lld", (long long)dim_value(loop->attr.trip));
    const char *text = NULL, *flag = NULL;
    write_statement(w, "%s = i64(0)", index);
    if (is_condition_inlined(w, condition)) {
        const Form *form = plan_of(w, condition->yields.at[0])->form;
        text =
            form == NULL ? value_text(w, condition->yields.at[0]) : pieces_text(w, &form->pieces);
    } else {
        write_statements(w, condition);
        flag = new_name(w, "goes_on");
        write_statement(w, "%s = %s", flag, value_text(w, condition->yields.at[0]));
        text = flag;
    }
    if (loop->attr.counted) {
        text = arena_format(&w->arena, "%s < %s and (%s)", index,
                            value_text(w, loop->operands[loop->attr.carried]), text);
    }
    write_statement(w, "while %s limit %s {", text, limit);
    w->level++;
    write_body(w, loop);
    write_statement(w, "%s += 1", index);
    if (flag != NULL) {
        write_statements(w, condition);
        write_statement(w, "%s = %s", flag, value_text(w, condition->yields.at[0]));
    }
    w->level--;
    write_statement(w, "}");
    const Value *iterations = loop->results[loop->result_count - 1];
    if (plan_of(w, iterations)->uses > 0) {
        write_statement(w, "%s = %s", name_of(w, iterations), index);
    }
}

static void write_for(Writer *w, const Inst *loop) {
    const Value *index = loop->regions[0]->parameters.at[0];
    bool stacks = loop->result_count > loop->attr.carried;
    const char *name = plan_of(w, index)->uses > 0 || stacks ? name_of(w, index) : "_";
    long long trip = (long long)dim_value(loop->attr.trip);
    if (loop->attr.counted) {
        write_statement(w, "for %s in 0..%s limit %lld {", name,
                        value_text(w, loop->operands[loop->attr.carried]), trip);
    } else {
        write_statement(w, "for %s in 0..%lld {", name, trip);
    }
    w->level++;
    write_body(w, loop);
    w->level--;
    write_statement(w, "}");
}

static void write_body(Writer *w, const Inst *loop) {
    const Region *body = loop->regions[0];
    MoveList moves = {0};
    write_stacks(w, loop, NULL);
    write_statements(w, body);
    for (int i = 0; i < loop->attr.carried; i++) {
        add_move(w, &moves, name_of(w, loop->results[i]), body->yields.at[i]);
    }
    write_moves(w, &moves);
}

static void write_loop(Writer *w, const Inst *loop) {
    bool is_while = loop->region_count > 1;
    int stacks_end = loop->result_count - (is_while ? 1 : 0);
    for (int i = 0; i < loop->attr.carried; i++) {
        const char *text = value_text(w, loop->operands[i]), *name = name_of(w, loop->results[i]);
        if (strcmp(text, name) != 0) {
            write_statement(w, "%s = %s", name, text);
        }
    }
    for (int i = loop->attr.carried; i < stacks_end; i++) {
        write_statement(w, "%s = %s", name_of(w, loop->results[i]),
                        zeros_text(w, loop->results[i]->type));
    }
    if (is_while) {
        write_while(w, loop);
    } else {
        write_for(w, loop);
    }
}

// ---- branches

static void write_side(Writer *w, const Inst *branch, int side, const bool *is_set) {
    const Region *region = branch->regions[side];
    MoveList moves = {0};
    w->level++;
    write_statements(w, region);
    for (int i = 0; i < branch->result_count; i++) {
        if (plan_of(w, branch->results[i])->uses > 0 && !(side == 1 && is_set[i])) {
            add_move(w, &moves, name_of(w, branch->results[i]), region->yields.at[i]);
        }
    }
    write_moves(w, &moves);
    w->level--;
}

// True if the variable is there before the branch: it is a loop's, or an earlier value of it.
static bool has_variable(Writer *w, const Inst *branch, const Value *result) {
    const Inst *loop = branch->parent->owner;
    for (int i = 0; loop != NULL && loop->op == OP_loop && i < loop->attr.carried; i++) {
        if (strcmp(name_of(w, loop->results[i]), name_of(w, result)) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_before(Writer *w, const Inst *branch, Value *value) {
    return is_scalar_constant(value) ||
           (value->region != branch->regions[1] && plan_of(w, value)->name != NULL);
}

static void write_branch(Writer *w, const Inst *branch) {
    bool *is_set = arena_array(&w->arena, bool, branch->result_count);
    bool has_else = branch->regions[1]->first != NULL;
    for (int i = 0; i < branch->result_count; i++) {
        Value *result = branch->results[i], *otherwise = branch->regions[1]->yields.at[i];
        if (plan_of(w, result)->uses == 0) {
            continue;
        }
        if (!has_variable(w, branch, result)) {
            is_set[i] = is_before(w, branch, otherwise);
            write_statement(w, "%s = %s", name_of(w, result),
                            is_set[i] ? value_text(w, otherwise) : zeros_text(w, result->type));
        }
        bool stays = strcmp(value_text(w, otherwise), name_of(w, result)) == 0;
        has_else = has_else || !(is_set[i] || stays);
    }
    write_statement(w, "if %s {", value_text(w, branch->operands[0]));
    write_side(w, branch, 0, is_set);
    if (has_else) {
        write_statement(w, "} else {");
        write_side(w, branch, 1, is_set);
    }
    write_statement(w, "}");
}

// ---- regions

// A region whose values are known behind it: its statements stand in their place.
static void write_block(Writer *w, const Inst *inst) {
    const Region *region = inst->regions[0];
    MoveList moves = {0};
    bool is_checkpoint = inst->op == OP_checkpoint;
    if (is_checkpoint) {
        write_statement(w, "checkpoint {");
        w->level++;
    }
    write_statements(w, region);
    for (int i = 0; i < inst->result_count; i++) {
        if (plan_of(w, inst->results[i])->uses > 0) {
            add_move(w, &moves, name_of(w, inst->results[i]), region->yields.at[i]);
        }
    }
    write_moves(w, &moves);
    if (is_checkpoint) {
        w->level--;
        write_statement(w, "}");
    }
}

// x += e for x = x + e.
static bool write_compound(Writer *w, const Inst *inst, const char *name) {
    static const struct {
        Op op;
        const char *text;
    } compounds[] = {{OP_add, "+="}, {OP_sub, "-="}, {OP_mul, "*="}, {OP_div, "/="}};
    const PieceList *pieces = &plan_of(w, inst->results[0])->form->pieces;
    for (size_t i = 0; i < sizeof compounds / sizeof compounds[0]; i++) {
        if (inst->op != compounds[i].op || pieces->at[0].text != NULL || pieces->count < 3 ||
            plan_of(w, pieces->at[0].value)->is_inlined ||
            strcmp(name_of(w, pieces->at[0].value), name) != 0 ||
            !type_equal(pieces->at[0].value->type, inst->results[0]->type)) {
            continue;
        }
        PieceList rest = *pieces;
        rest.at += 2;
        rest.count -= 2;
        write_statement(w, "%s %s %s", name, compounds[i].text, pieces_text(w, &rest));
        return true;
    }
    return false;
}

static void write_inst(Writer *w, const Inst *inst) {
    const Form *form = plan_of(w, inst->results[0])->form;
    const char *name = name_of(w, inst->results[0]);
    if (form->kind == FORM_STORE) {
        const char *base = value_text(w, form->base);
        if (strcmp(base, name) != 0) {
            write_statement(w, "%s = %s", name, base);
        }
        write_statement(w, "%s[%s]%s%s", name, pieces_text(w, &form->pieces), form->assign,
                        pieces_text(w, &form->stored));
    } else if (inst->op == OP_loop) {
        write_loop(w, inst);
    } else if (inst->op == OP_branch) {
        write_branch(w, inst);
    } else if (inst->region_count > 0) {
        write_block(w, inst);
    } else if (!write_compound(w, inst, name)) {
        Text names = text_new(&w->arena);
        for (int i = 0; i < inst->result_count; i++) {
            const ValuePlan *plan = plan_of(w, inst->results[i]);
            text_format(&names, "%s%s", i > 0 ? ", " : "", plan->uses > 0 ? plan->name : "_");
        }
        write_statement(w, "%s = %s", text_string(&names), pieces_text(w, &form->pieces));
    }
}

void write_statements(Writer *w, const Region *region) {
    for_each_inst(inst, region) {
        if (inst->result_count == 0 || plan_of(w, inst->results[0])->form == NULL) {
            continue;
        }
        if (!plan_of(w, inst->results[0])->is_inlined) {
            write_origin(w, inst->span);
            write_inst(w, inst);
        }
        if (region->owner != NULL && region->owner->op == OP_loop &&
            region == region->owner->regions[0]) {
            write_stacks(w, region->owner, inst);
        }
    }
}
