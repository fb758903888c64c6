// Modules and functions of the text form. All signatures are read first, so that a function can
// call one that comes later; a body is read when it is called or when its turn comes.
#include <locale.h>
#include <string.h>

#include "ir/attribute.h"
#include "ir/derivative.h"
#include "ir/parse.h"
#include "ir/text_form.h"

// `param grad`, `as "name"`: what may follow a type in a signature.
static bool parse_slot(Parser *p, Slot *slot) {
    if (p->token.kind == TOKEN_NAME && role_from_name(token_text(p), &slot->role)) {
        next_token(p);
    }
    slot->requires_grad = accept_word(p, "grad");
    if (!accept_word(p, "as")) {
        return !p->failed;
    }
    if (p->token.kind != TOKEN_STRING) {
        parse_fail_expected(p, "a name in quotes");
        return false;
    }
    slot->name = token_text(p);
    next_token(p);
    return !p->failed;
}

static bool parse_parameter(Parser *p, ParsedFunction *parsed) {
    Type type;
    Slot slot = {.span = token_span(p)};
    if (p->token.kind != TOKEN_NAME && p->token.kind != TOKEN_TEMPORARY) {
        parse_fail_expected(p, "a parameter");
        return false;
    }
    const char *written = token_text(p);
    slot.name = p->token.kind == TOKEN_NAME ? base_name(p->arena, written) : NULL;
    next_token(p);
    if (!expect_mark(p, ':') || !parse_type(p, &type) || !parse_slot(p, &slot)) {
        return false;
    }
    Value *value = function_add_parameter(parsed->function, type, slot);
    return define_value(p, value, written, slot.span);
}

// `NAME: TYPE ROLE` or `TYPE ROLE`.
static bool parse_result(Parser *p, ParsedFunction *parsed) {
    Type type;
    Slot slot = {.span = token_span(p)};
    Token first = p->token;
    if (first.kind == TOKEN_NAME || first.kind == TOKEN_STRING) {
        const char *name = expect_name(p, "a result");
        if (at_mark(p, ':')) {
            slot.name = name;
            next_token(p);
        } else {
            restart_at(p, first.start);
        }
    }
    if (!parse_type(p, &type) || !parse_slot(p, &slot)) {
        return false;
    }
    vec_push(p->arena, &parsed->result_types, type);
    vec_push(p->arena, &parsed->results, slot);
    return true;
}

static bool parse_list(Parser *p, ParsedFunction *parsed,
                       bool (*parse_one)(Parser *, ParsedFunction *)) {
    if (!expect_mark(p, '(')) {
        return false;
    }
    if (accept_mark(p, ')')) {
        return true;
    }
    do {
        if (!parse_one(p, parsed)) {
            return false;
        }
    } while (accept_mark(p, ','));
    return expect_mark(p, ')');
}

// `reverse NAME [LEAVES]`: the function's own rule, which may come later in the text.
static bool parse_rule(Parser *p, ParsedFunction *parsed) {
    if (!accept_word(p, "reverse")) {
        return !p->failed;
    }
    parsed->rule_span = token_span(p);
    parsed->rule = expect_name(p, "a function's name");
    return parsed->rule && parse_ints(p, &parsed->function->reverse_leaves);
}

// False after an error.
static bool find_rule(Parser *p, const ParsedFunction *parsed) {
    if (!parsed->rule) {
        return true;
    }
    const ParsedFunction *rule = name_table_find(&p->functions_by_name, parsed->rule);
    if (!rule) {
        parse_fail(p, parsed->rule_span, "there is no function '%s'", parsed->rule);
        return false;
    }
    parsed->function->reverse = rule->function;
    const char *mistake = reverse_rule_mistake(p->arena, parsed->function);
    if (mistake) {
        parse_fail(p, parsed->rule_span, "'%s': %s", parsed->function->name, mistake);
    }
    return !mistake;
}

// Everything up to the body, which is skipped.
static bool parse_signature(Parser *p) {
    if (!expect_word(p, "func")) {
        return false;
    }
    Span span = token_span(p);
    const char *name = expect_name(p, "a function's name");
    void **place = name ? name_table_place(&p->functions_by_name, name) : NULL;
    if (!place || *place) {
        parse_fail(p, span, "the function '%s' is defined twice", name ? name : "");
        return false;
    }
    ParsedFunction *parsed = arena_new(p->arena, ParsedFunction);
    *place = parsed;
    parsed->function = function_new(p->module, name, span);
    parsed->values.arena = p->arena;
    vec_push(p->arena, &p->functions, parsed);
    p->current = parsed;
    if (!parse_list(p, parsed, parse_parameter)) {
        return false;
    }
    if (p->token.kind != TOKEN_ARROW) {
        parse_fail_expected(p, "'->'");
        return false;
    }
    next_token(p);
    if (!parse_list(p, parsed, parse_result) || !parse_rule(p, parsed)) {
        return false;
    }
    if (!at_mark(p, '{')) {
        parse_fail_expected(p, "'{'");
        return false;
    }
    int64_t items = 0;
    parsed->body_start = p->token.end;
    skip_brackets(p, &items);
    return !p->failed;
}

static void parse_body(Parser *p, ParsedFunction *parsed) {
    p->current = parsed;
    restart_at(p, parsed->body_start);
    if (parse_region_body(p, parsed->function->body) && !at_mark(p, '}')) {
        parse_fail_expected(p, "'}'");
    }
}

bool ensure_body(Parser *p, ParsedFunction *parsed, Span use) {
    if (parsed->state == BODY_READ) {
        return true;
    }
    if (parsed->state == BODY_BEING_READ) {
        parse_fail(p, use, "'%s' calls itself", parsed->function->name);
        return false;
    }
    Token token = p->token;
    int previous_end = p->previous_end;
    ParsedFunction *current = p->current;
    parsed->state = BODY_BEING_READ;
    if (parse_enter(p)) {
        parse_body(p, parsed);
    }
    parse_leave(p);
    parsed->state = BODY_READ;
    p->current = current;
    if (!p->failed) {
        p->token = token;
        p->previous_end = previous_end;
    }
    return !p->failed;
}

static Module *parse_all(Parser *p) {
    restart_at(p, 0);
    while (p->token.kind != TOKEN_END) {
        if (!parse_signature(p)) {
            return NULL;
        }
    }
    for (int i = 0; i < p->functions.count; i++) {
        if (!ensure_body(p, p->functions.at[i], no_span)) {
            return NULL;
        }
    }
    for (int i = 0; i < p->functions.count; i++) {
        if (!find_rule(p, p->functions.at[i])) {
            return NULL;
        }
    }
    return p->failed ? NULL : p->module;
}

Module *parse_module(Arena *arena, Diags *diags, int file) {
    const Source *source = &diags->sources->files.at[file];
    Parser p = {.arena = arena,
                .diags = diags,
                .file = file,
                .text = source->text,
                .length = (int)source->length,
                .module = module_new(arena),
                .functions_by_name = {.arena = arena}};
    // The host program may have chosen a locale in which strtod wants a decimal comma.
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    check(c_locale != (locale_t)0, "the C locale is missing");
    locale_t host_locale = uselocale(c_locale);
    Module *module = parse_all(&p);
    uselocale(host_locale);
    freelocale(c_locale);
    return module;
}
