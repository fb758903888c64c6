// Types: element types, shapes, sizes. Dims are interned, so shapes compare by identity.
#include "ir/type.h"

#include <string.h>

#include "ir/base/check.h"

static const int64_t element_limit = (int64_t)1 << 46;

static const struct {
    const char *name;
    size_t bytes;
} elements[ELEMENT_TYPE_COUNT] = {
    [TYPE_BOOL] = {"bool", 1}, [TYPE_I32] = {"i32", 4}, [TYPE_I64] = {"i64", 8},
    [TYPE_F32] = {"f32", 4},   [TYPE_F64] = {"f64", 8},
};

const char *element_name(ElementType element) {
    return elements[element].name;
}

bool element_from_name(const char *name, ElementType *element) {
    for (int i = 0; i < ELEMENT_TYPE_COUNT; i++) {
        if (strcmp(elements[i].name, name) == 0) {
            *element = (ElementType)i;
            return true;
        }
    }
    return false;
}

size_t element_bytes(ElementType element) {
    return elements[element].bytes;
}

Type type_scalar(ElementType element) {
    return (Type){element, 0, NULL};
}

Type type_of_sizes(DimTable *table, Arena *arena, ElementType element, int rank,
                   const int64_t *sizes) {
    if (rank == 0) {
        return type_scalar(element);
    }
    const Dim **dims = arena_array(arena, const Dim *, rank);
    for (int i = 0; i < rank; i++) {
        dims[i] = dim_constant(table, sizes[i]);
    }
    return (Type){element, rank, dims};
}

Type type_with_element(Type type, ElementType element) {
    type.element = element;
    return type;
}

Type type_copy(Arena *arena, Type type) {
    if (type.rank == 0) {
        return type_scalar(type.element);
    }
    const Dim **dims = arena_array(arena, const Dim *, type.rank);
    for (int i = 0; i < type.rank; i++) {
        dims[i] = type.dims[i];
    }
    type.dims = dims;
    return type;
}

bool shape_equal(Type x, Type y) {
    if (x.rank != y.rank) {
        return false;
    }
    for (int i = 0; i < x.rank; i++) {
        if (!dim_equal(x.dims[i], y.dims[i])) {
            return false;
        }
    }
    return true;
}

bool type_equal(Type x, Type y) {
    return x.element == y.element && shape_equal(x, y);
}

bool type_is_static(Type type) {
    int64_t value;
    for (int i = 0; i < type.rank; i++) {
        if (!dim_is_constant(type.dims[i], &value)) {
            return false;
        }
    }
    return true;
}

int64_t type_elements(Type type) {
    int64_t count = 1;
    for (int i = 0; i < type.rank; i++) {
        check(!__builtin_mul_overflow(count, dim_value(type.dims[i]), &count),
              "a type has too many elements");
    }
    return count;
}

size_t type_bytes(Type type) {
    return (size_t)type_elements(type) * element_bytes(type.element);
}

bool type_fits(Type type) {
    int64_t count = 1;
    for (int i = 0; i < type.rank; i++) {
        int64_t size = 1;
        if (dim_is_constant(type.dims[i], &size) && size < 0) {
            return false;
        }
        // A size of 0 counts as 1, so that the products of the other sizes cannot overflow either.
        if (__builtin_mul_overflow(count, size > 0 ? size : 1, &count) || count >= element_limit) {
            return false;
        }
    }
    return true;
}

const Dim *type_size(DimTable *table, Type type) {
    const Dim *size = dim_constant(table, 1);
    for (int i = 0; i < type.rank; i++) {
        size = dim_multiply(table, size, type.dims[i]);
    }
    return size;
}

void type_print(Text *out, Type type) {
    text_add(out, element_name(type.element));
    for (int i = 0; i < type.rank; i++) {
        text_add_char(out, i == 0 ? '[' : ',');
        dim_print(out, type.dims[i]);
    }
    text_add(out, type.rank > 0 ? "]" : "");
}

const char *type_string(Arena *arena, Type type) {
    Text text = text_new(arena);
    type_print(&text, type);
    return text_string(&text);
}
