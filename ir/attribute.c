// The table of attribute fields, and the words for roles.
#include "ir/attribute.h"

#include <string.h>

#define FIELD(member, field_kind)                                                                  \
    { #member, field_kind, offsetof(Attribute, member) }

typedef struct FieldSet {
    int count;
    AttributeField fields[ATTRIBUTE_FIELDS_MAX];
} FieldSet;

static const FieldSet field_sets[] = {
    [ATTRIBUTE_none] = {0, {{0}}},
    [ATTRIBUTE_element] = {1, {FIELD(element, FIELD_ELEMENT)}},
    [ATTRIBUTE_constant] = {0, {{0}}},
    [ATTRIBUTE_iota] = {1, {FIELD(axis, FIELD_INT)}},
    [ATTRIBUTE_dimension] = {1, {FIELD(dimension, FIELD_DIM)}},
    [ATTRIBUTE_shape] = {1, {FIELD(shape, FIELD_DIMS)}},
    [ATTRIBUTE_broadcast] = {2, {FIELD(shape, FIELD_DIMS), FIELD(axes, FIELD_INTS)}},
    [ATTRIBUTE_permutation] = {1, {FIELD(axes, FIELD_INTS)}},
    [ATTRIBUTE_slice] = {3,
                         {FIELD(start, FIELD_DIMS), FIELD(stop, FIELD_DIMS),
                          FIELD(step, FIELD_INTS)}},
    [ATTRIBUTE_pad] = {3,
                       {FIELD(low, FIELD_DIMS), FIELD(high, FIELD_DIMS), FIELD(step, FIELD_INTS)}},
    [ATTRIBUTE_axis] = {1, {FIELD(axis, FIELD_INT)}},
    [ATTRIBUTE_axes] = {1, {FIELD(axes, FIELD_INTS)}},
    [ATTRIBUTE_scan] = {2, {FIELD(axis, FIELD_INT), FIELD(reverse, FIELD_FLAG)}},
    [ATTRIBUTE_contract] = {1, {FIELD(labels, FIELD_TEXT)}},
    [ATTRIBUTE_loop] = {3,
                        {FIELD(trip, FIELD_DIM), FIELD(carried, FIELD_INT),
                         FIELD(counted, FIELD_FLAG)}},
    [ATTRIBUTE_call] = {1, {FIELD(callee, FIELD_FUNCTION)}},
    [ATTRIBUTE_derivative] = {3,
                              {FIELD(callee, FIELD_FUNCTION), FIELD(outputs, FIELD_INTS),
                               FIELD(leaves, FIELD_INTS)}},
};

const AttributeField *attribute_fields(AttributeKind kind, int *count) {
    check((size_t)kind < sizeof field_sets / sizeof field_sets[0], "no such attribute kind");
    *count = field_sets[kind].count;
    return field_sets[kind].fields;
}

static const char *const role_names[] = {
    [ROLE_VALUE] = "",
    [ROLE_INPUT] = "input",
    [ROLE_PARAM] = "param",
    [ROLE_SEED] = "seed",
    [ROLE_KEY] = "key",
    [ROLE_OUTPUT] = "output",
    [ROLE_GRADIENT] = "gradient",
    [ROLE_INITIAL] = "initial",
    [ROLE_NEXT] = "next",
    [ROLE_STATE] = "state",
    [ROLE_SAVED] = "saved",
};

enum { ROLE_COUNT = sizeof role_names / sizeof role_names[0] };

const char *role_name(Role role) {
    check((int)role < ROLE_COUNT, "no such role");
    return role_names[role];
}

bool role_from_name(const char *name, Role *role) {
    for (int i = ROLE_VALUE + 1; i < ROLE_COUNT; i++) {
        if (strcmp(name, role_names[i]) == 0) {
            *role = (Role)i;
            return true;
        }
    }
    return false;
}
