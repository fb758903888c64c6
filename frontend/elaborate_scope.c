// Names: scopes of variables, then functions, then what the language itself knows.
#include "frontend/elaborate_internal.h"

#include <math.h>
#include <string.h>

Scope *push_scope(Elaborator *e, bool is_function) {
    Scope *scope = arena_new(e->arena, Scope), *outer = e->scope;
    scope->parent = outer;
    scope->is_function = is_function;
    e->scope = scope;
    return outer;
}

void pop_scope(Elaborator *e, Scope *outer) {
    for (int i = 0; !e->scope->is_function && i < e->scope->bindings.count; i++) {
        vec_push(e->arena, &e->block_names, e->scope->bindings.at[i]);
    }
    e->scope = outer;
}

// Where the name was assigned in a block that has ended; NULL: nowhere.
static const Binding *find_in_ended_block(const Elaborator *e, const char *name) {
    for (int i = e->block_names.count - 1; i >= 0; i--) {
        const Binding *binding = &e->block_names.at[i];
        if (strcmp(binding->name, name) == 0 && binding->span.file >= 0) {
            return binding;
        }
    }
    return NULL;
}

static Binding *binding_in(Scope *scope, const char *name) {
    for (int i = scope->bindings.count - 1; i >= 0; i--) {
        if (strcmp(scope->bindings.at[i].name, name) == 0) {
            return &scope->bindings.at[i];
        }
    }
    return NULL;
}

Binding *find_binding(Scope *scope, const char *name) {
    for (; scope != NULL; scope = scope->parent) {
        Binding *binding = binding_in(scope, name);
        if (binding != NULL) {
            return binding;
        }
    }
    return NULL;
}

// A function written in place sees the variables as they are where it is written: what a loop or a
// later line makes of them is not its concern.
Scope *freeze_scope(Elaborator *e) {
    Scope *frozen = arena_new(e->arena, Scope);
    for (Scope *scope = e->scope; scope != NULL; scope = scope->parent) {
        for (int i = scope->bindings.count - 1; i >= 0; i--) {
            Binding binding = scope->bindings.at[i];
            if (binding_in(frozen, binding.name) == NULL) {
                vec_push(e->arena, &frozen->bindings, binding);
            }
        }
    }
    return frozen;
}

Binding *find_assignable(Scope *scope, const char *name) {
    for (; scope != NULL; scope = scope->parent) {
        Binding *binding = binding_in(scope, name);
        if (binding != NULL || scope->is_function) {
            return binding;
        }
    }
    return NULL;
}

void define(Elaborator *e, const char *name, Val value, Span span) {
    Binding *binding = binding_in(e->scope, name);
    if (binding != NULL) {
        binding->value = value;
    } else {
        Binding added = {name, value, span};
        vec_push(e->arena, &e->scope->bindings, added);
    }
}

static bool is_user_code(const Elaborator *e) {
    return e->frame == NULL || e->frame->function == NULL || !e->frame->function->is_prelude;
}

// What is assigned in a no_grad block is a value without history.
Val cut_gradient(Elaborator *e, Val value) {
    if (value.kind == VAL_LIST || value.kind == VAL_RESULTS) {
        Val copy = value;
        copy.list.at = arena_array(e->arena, Val, value.list.count);
        for (int i = 0; i < value.list.count; i++) {
            copy.list.at[i] = cut_gradient(e, value.list.at[i]);
        }
        return copy;
    }
    if (is_tensor(value) && element_is_real(value.tensor->type.element) &&
        (value.tensor->definition == NULL || value.tensor->definition->op != OP_detach)) {
        return tensor_val(build_detach(&e->builder, value.tensor));
    }
    return value;
}

void assign_name(Elaborator *e, AstName name, Val value) {
    if (strcmp(name.text, "_") == 0) {
        return;
    }
    if (value.kind == VAL_RESULTS) {
        Diag *diag = report(e, name.span, "%s gets one value, but there are %s", name.text,
                            describe(e, value));
        hint(e, diag, "give each a name: a, b = ...; _ drops one");
        value = error_val();
    }
    if (e->no_grad > 0) {
        at_span(e, name.span);
        value = cut_gradient(e, value);
    }
    if (is_tensor(value) && value.tensor->name == NULL && is_user_code(e)) {
        value.tensor->name = arena_copy_string(e->module->arena, name.text);
    }
    Binding *binding = find_assignable(e->scope, name.text);
    if (binding != NULL) {
        binding->value = value;
    } else {
        define(e, name.text, value, name.span);
    }
}

const FunctionVal *find_function(Elaborator *e, const char *name) {
    const FunctionVal *found = NULL;
    for (int i = 0; i < e->functions.count; i++) {
        const FunctionVal *function = e->functions.at[i];
        if (strcmp(function->name, name) != 0) {
            continue;
        }
        if (function->is_prelude != is_user_code(e)) {
            return parsed_function(e,
                                   function); // the prelude sees only itself; the user's hide its
        }
        if (function->is_prelude && !function->is_hidden) {
            found = function;
        }
    }
    return found == NULL ? NULL : parsed_function(e, found);
}

static bool lookup_constant(Elaborator *e, const char *name, Val *value) {
    ElementType element;
    if (strcmp(name, "inf") == 0) {
        *value = real_val(INFINITY);
    } else if (strcmp(name, "nan") == 0) {
        *value = real_val(NAN);
    } else if (strcmp(name, "pi") == 0) {
        *value = real_val(3.14159265358979323846);
    } else if (element_of_name(e, (AstName){name, no_span}, &element)) {
        *value = (Val){.kind = VAL_ELEMENT, .element = element};
    } else {
        return false;
    }
    return true;
}

static void report_unknown(Elaborator *e, const char *name, Span span) {
    Diag *diag = report(e, span, "there is no %s here", name);
    const Binding *ended = find_in_ended_block(e, name);
    NameVec names = {0};
    if (e->initialiser != NULL && is_user_code(e)) {
        hint(e, diag, "an initial value knows dimensions and functions, but no other leaf");
    }
    if (ended != NULL && is_user_code(e)) {
        add_note(e->diags, diag, ended->span, "it is known in this block alone");
        hint(e, diag,
             "a name first assigned inside a block is not known after it: give it a value "
             "before");
        return;
    }
    for (const Scope *scope = e->scope; scope != NULL; scope = scope->parent) {
        for (int i = 0; i < scope->bindings.count; i++) {
            vec_push(e->arena, &names, scope->bindings.at[i].name);
        }
    }
    for (int i = 0; i < e->functions.count; i++) {
        if (!e->functions.at[i]->is_hidden) {
            vec_push(e->arena, &names, e->functions.at[i]->name);
        }
    }
    add_builtin_names(e, &names);
    if (strlen(name) > 1) { // one letter is close to each other one
        hint_name(e, diag, name, &names);
    }
    if (strcmp(name, "_") == 0) {
        hint(e, diag, "_ only drops values");
    }
}

Val lookup(Elaborator *e, const char *name, Span span) {
    Binding *binding = find_binding(e->scope, name);
    if (binding != NULL) {
        return import_val(e, binding->value);
    }
    const FunctionVal *function = find_function(e, name);
    if (function != NULL) {
        return (Val){.kind = VAL_FUNCTION, .function = function};
    }
    const Builtin *builtin = find_builtin(name);
    Val value;
    if (builtin != NULL && (builtin_is_public(builtin) || !is_user_code(e))) {
        return (Val){.kind = VAL_BUILTIN, .builtin = builtin};
    }
    if (lookup_constant(e, name, &value)) {
        return value;
    }
    report_unknown(e, name, span);
    return error_val();
}
