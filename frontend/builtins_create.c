// Tensors from nothing, and the initial values of params.
#include "frontend/builtins.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static Val filled(Call *call, Val number, Span span, ElementType element, Dims shape) {
    Elaborator *e = call->e;
    Type type = {element, shape.count, shape.at};
    if (!type_fits(type)) {
        report(e, call->span, "this tensor is too large: %s", type_string(e->arena, type));
        return error_val();
    }
    return tensor_val(fit_to_type(e, number, span, type, true, builtin_name(call->builtin)));
}

static ElementType number_element(Elaborator *e, Val number) {
    return promote_elements(e, &number, 1);
}

// zeros() without a size is the initial value of a param.
static Val constant_tensor(Call *call, int64_t number) {
    Elaborator *e = call->e;
    Dims shape;
    ElementType element = element_at(call, 1, e->options->real);
    if (!is_given(call, 0)) {
        if (e->initialiser == NULL) {
            report(e, call->span, "%s needs its argument size", builtin_name(call->builtin));
            return error_val();
        }
        Type type = e->initialiser->type;
        return filled(call, number_val(e, number), call->span, type.element,
                      (Dims){type.dims, type.rank});
    }
    return shape_at(call, 0, false, &shape)
               ? filled(call, element == TYPE_BOOL ? bool_val(number != 0) : number_val(e, number),
                        call->span, element, shape)
               : error_val();
}

Val builtin_zeros(Call *call) {
    return constant_tensor(call, 0);
}

Val builtin_ones(Call *call) {
    return constant_tensor(call, 1);
}

Val builtin_full(Call *call) {
    Dims shape;
    ElementType element = element_at(call, 2, number_element(call->e, call->at[1]));
    return shape_at(call, 0, false, &shape)
               ? filled(call, call->at[1], call->spans[1], element, shape)
               : error_val();
}

static Val like(Call *call, Val number, Span span, int element_index) {
    Value *x = tensor_at(call, 0);
    ElementType element = element_at(call, element_index, x->type.element);
    if (element == TYPE_BOOL && number.kind == VAL_INT) {
        int64_t integer = 0;
        val_known_int(number, &integer);
        number = bool_val(integer != 0);
    }
    return filled(call, number, span, element, value_shape(x));
}

Val builtin_zeros_like(Call *call) {
    return like(call, number_val(call->e, 0), call->span, 1);
}

Val builtin_ones_like(Call *call) {
    return like(call, number_val(call->e, 1), call->span, 1);
}

Val builtin_full_like(Call *call) {
    return like(call, call->at[1], call->spans[1], 2);
}

// ---- ranges

static Val arange_known(Call *call, double start, double end, double step, ElementType element) {
    Elaborator *e = call->e;
    if (element == TYPE_I64) { // as in PyTorch; for i32 the real numbers decide how many there are
        start = trunc(start);
        end = trunc(end);
        step = trunc(step);
    }
    double count = ceil((end - start) / step);
    if (step == 0 || !isfinite(count)) {
        report(e, call->span, "arange needs a step that is not 0");
        return error_val();
    }
    if ((end - start) / step < 0) {
        Diag *diag = report(e, call->span, "arange: the step leads away from the end");
        hint(e, diag, "a step from a larger to a smaller number is negative");
        return error_val();
    }
    if (count > 0x1p40) {
        report(e, call->span, "arange: too many numbers");
        return error_val();
    }
    const Dim **dims;
    Dims shape = make_dims(e, 1, &dims);
    dims[0] = constant_of(call, count > 0 ? (int64_t)count : 0);
    Builder *b = &e->builder;
    Value *value = build_iota(b, element, shape, 0);
    if (step != 1) {
        value = build_mul(b, value, scalar_of(call, element, step));
    }
    return tensor_val(start == 0 ? value : build_add(b, value, scalar_of(call, element, start)));
}

Val builtin_arange(Call *call) {
    Elaborator *e = call->e;
    Val start = call->at[0], end = call->at[1], step = call->at[2];
    double a, b, by;
    if (end.kind == VAL_NONE) {
        end = start;
        start = number_val(e, 0);
        call->spans[1] = call->spans[0];
    }
    Val all[3] = {start, end, step};
    ElementType element = element_at(call, 3, promote_elements(e, all, 3));
    if (element == TYPE_BOOL) {
        report(e, call->span, "arange makes numbers, not bool");
        return error_val();
    }
    if (val_known_real(start, &a) && val_known_real(end, &b) && val_known_real(step, &by)) {
        return arange_known(call, a, b, by, element);
    }
    const Dim *first, *last, **dims;
    int64_t one;
    if (!val_to_dim(e, start, call->spans[0], "the start of arange", &first) ||
        !val_to_dim(e, end, call->spans[1], "the end of arange", &last)) {
        return error_val();
    }
    if (!val_known_int(step, &one) || one != 1) {
        report_sizes(e, call->span, true, "arange over a dimension without a value needs step 1");
        return error_val();
    }
    Dims shape = make_dims(e, 1, &dims);
    dims[0] = dim_subtract(e->module->dims, last, first);
    Value *value = build_iota(&e->builder, element, shape, 0);
    if (val_known_int(start, &one) && one == 0) {
        return tensor_val(value);
    }
    Value *offset = build_cast(&e->builder, build_dim(&e->builder, first), element);
    return tensor_val(build_add(&e->builder, value, offset));
}

Val builtin_linspace(Call *call) {
    Elaborator *e = call->e;
    double start = number_at(call, 0), end = number_at(call, 1);
    int64_t steps = int_at(call, 2);
    if (steps < 0 || steps > (1 << 24)) {
        report(e, call->spans[2], "linspace needs 0 to 16777216 steps, got %" PRId64, steps);
        return error_val();
    }
    ElementType element = element_at(call, 3, e->options->real);
    if (steps > 4096) {
        const Dim **dims;
        Dims shape = make_dims(e, 1, &dims);
        dims[0] = constant_of(call, steps);
        Builder *b = &e->builder;
        Value *place = build_cast(b, build_iota(b, TYPE_F64, shape, 0), TYPE_F64);
        double distance = (end - start) / (double)(steps - 1);
        place = build_mul(b, place, build_scalar(b, TYPE_F64, distance));
        place = build_add(b, place, build_scalar(b, TYPE_F64, start));
        return tensor_val(build_cast(b, place, element));
    }
    Val list = list_val(e, (int)steps);
    for (int64_t i = 0; i < steps; i++) {
        double distance = steps > 1 ? (end - start) / (double)(steps - 1) : 0;
        // As PyTorch does: from the nearer end.
        list.list.at[i] = real_val(i < steps / 2 ? start + distance * (double)i
                                                 : end - distance * (double)(steps - 1 - i));
        if (steps == 1) {
            list.list.at[i] = real_val(start);
        }
    }
    Value *value = to_tensor(e, list, call->span, element);
    return tensor_val(convert(e, value, element));
}

Val builtin_eye(Call *call) {
    Elaborator *e = call->e;
    const Dim **dims;
    Dims shape = make_dims(e, 2, &dims);
    dims[0] = call->at[0].dim;
    dims[1] = is_given(call, 1) ? call->at[1].dim : dims[0];
    int64_t rows, columns;
    if ((dim_is_constant(dims[0], &rows) && rows < 0) ||
        (dim_is_constant(dims[1], &columns) && columns < 0)) {
        report(e, call->span, "eye: a size cannot be negative");
        return error_val();
    }
    if (!check_shape(e, call->span, shape)) {
        return error_val();
    }
    Value *same = build_eq(&e->builder, iota_axis(call, shape, 0), iota_axis(call, shape, 1));
    return tensor_val(convert(e, same, element_at(call, 2, e->options->real)));
}

// ---- random numbers

// Each stream of a key has its own numbers: the counter is element * 4 + stream.
Value *random_bits(Call *call, Value *key, Dims shape, int stream) {
    Elaborator *e = call->e;
    Builder *b = &e->builder;
    const Dim **dims, *size = constant_of(call, 1);
    for (int i = 0; i < shape.count && size != NULL; i++) {
        size = dim_multiply(e->module->dims, size, shape.at[i]);
    }
    if (size == NULL) {
        report(e, call->span, "this tensor is too large");
        return NULL;
    }
    Dims flat = make_dims(e, 1, &dims);
    dims[0] = size;
    Value *counter = build_mul(b, iota_axis(call, flat, 0), build_scalar_integer(b, TYPE_I64, 4));
    counter = add_scalar(call, counter, stream);
    Value *bits = build_binary(b, OP_random_bits, key, counter);
    return reshape_value(e, bits, shape);
}

// The upper bits as a number in 0 <= x < 1, exact in the element type.
static Value *bits_to_unit(Call *call, Value *bits, ElementType element) {
    Builder *b = &call->e->builder;
    int digits = element == TYPE_F32 ? 24 : 53;
    Value *shift = build_scalar_integer(b, TYPE_I64, 64 - digits);
    Value *mask = build_scalar_integer(b, TYPE_I64, ((int64_t)1 << digits) - 1);
    Value *upper = build_binary(b, OP_bit_and, build_binary(b, OP_shift_right, bits, shift), mask);
    return build_mul(b, build_cast(b, upper, element), build_scalar(b, element, ldexp(1, -digits)));
}

Value *uniform_values(Call *call, Value *key, ElementType element, Dims shape) {
    Value *bits = random_bits(call, key, shape, 0);
    return bits == NULL ? NULL : bits_to_unit(call, bits, element);
}

// Box and Muller: sqrt(-2 log(1 - u)) cos(2 pi v)
Value *normal_values(Call *call, Value *key, ElementType element, Dims shape) {
    Builder *b = &call->e->builder;
    Value *first = random_bits(call, key, shape, 1), *second = random_bits(call, key, shape, 2);
    if (first == NULL || second == NULL) {
        return NULL;
    }
    Value *u = bits_to_unit(call, first, element), *v = bits_to_unit(call, second, element);
    Value *rest = build_sub(b, build_scalar(b, element, 1), u);
    Value *radius = build_sqrt(b, build_mul(b, build_scalar(b, element, -2), build_log(b, rest)));
    double turn = 6.283185307179586;
    return build_mul(b, radius, build_cos(b, build_mul(b, v, build_scalar(b, element, turn))));
}

static Value *key_at(Call *call, int index) {
    Elaborator *e = call->e;
    if (!is_given(call, index)) {
        if (e->initialiser != NULL) {
            return e->initialiser->key;
        }
        Diag *diag =
            report(e, call->span, "%s needs its argument key", builtin_name(call->builtin));
        hint(e, diag,
             "the same key gives the same numbers: declare `input key: i64`, and use "
             "fold_key(key, 1), fold_key(key, 2) for different ones");
        return NULL;
    }
    ElementType element;
    int rank;
    if (!val_element(e, call->at[index], &element, &rank) || element_is_real(element) ||
        element == TYPE_BOOL) {
        report(e, call->spans[index], "a key must be an integer, got %s",
               describe(e, call->at[index]));
        return NULL;
    }
    return convert(e, to_tensor(e, call->at[index], call->spans[index], TYPE_I64), TYPE_I64);
}

static bool real_element_at(Call *call, int index, ElementType *element) {
    *element = element_at(call, index, call->e->options->real);
    if (!element_is_real(*element)) {
        report(call->e, call->spans[index], "%s makes real numbers, not %s",
               builtin_name(call->builtin), element_name(*element));
        return false;
    }
    return true;
}

Val builtin_rand(Call *call) {
    Dims shape;
    ElementType element;
    Value *key = key_at(call, 1);
    return key != NULL && shape_at(call, 0, false, &shape) && real_element_at(call, 2, &element)
               ? tensor_val(uniform_values(call, key, element, shape))
               : error_val();
}

Val builtin_randn(Call *call) {
    Dims shape;
    ElementType element;
    Value *key = key_at(call, 1);
    return key != NULL && shape_at(call, 0, false, &shape) && real_element_at(call, 2, &element)
               ? tensor_val(normal_values(call, key, element, shape))
               : error_val();
}

Val builtin_randint(Call *call) {
    Elaborator *e = call->e;
    Builder *b = &e->builder;
    int64_t low = int_at(call, 0), high = int_at(call, 1);
    Dims shape;
    Value *key = key_at(call, 3);
    if (low >= high) {
        report(e, call->span, "randint needs low below high, got %" PRId64 " and %" PRId64, low,
               high);
        return error_val();
    }
    if ((low < 0 && high > INT64_MAX / 2 + low) || high - low > INT64_MAX / 2) {
        report(e, call->span, "randint: high - low must be below 2**62");
        return error_val();
    }
    if (key == NULL || !shape_at(call, 2, false, &shape)) {
        return error_val();
    }
    Value *bits = random_bits(call, key, shape, 3);
    if (bits == NULL) {
        return error_val();
    }
    // 62 bits modulo the range: the bias is below 2**-30 for ranges below 2**32.
    Value *positive =
        build_binary(b, OP_bit_and, bits, build_scalar_integer(b, TYPE_I64, INT64_MAX >> 1));
    Value *rest =
        build_binary(b, OP_remainder, positive, build_scalar_integer(b, TYPE_I64, high - low));
    return tensor_val(add_scalar(call, rest, low));
}

Val builtin_bernoulli(Call *call) {
    Elaborator *e = call->e;
    Value *p = to_tensor(e, call->at[0], call->spans[0], e->options->real), *key = key_at(call, 1);
    if (p == NULL || key == NULL) {
        return error_val();
    }
    if (!element_is_real(p->type.element)) {
        report(e, call->spans[0], "bernoulli needs p to be of a real type, got %s",
               show_value_type(e, p));
        return error_val();
    }
    Value *u = uniform_values(call, key, p->type.element, value_shape(p));
    return u == NULL ? error_val()
                     : tensor_val(convert(e, build_lt(&e->builder, u, p), p->type.element));
}

Val builtin_fold_key(Call *call) {
    Value *key = key_at(call, 0), *number = key_at(call, 1);
    return key == NULL || number == NULL
               ? error_val()
               : tensor_val(build_binary(&call->e->builder, OP_random_bits, key, number));
}

// ---- initial values

// The shape and type to make: the leaf's, unless a size is given.
static bool initial_type(Call *call, int size_index, Type *type, Value **key) {
    Elaborator *e = call->e;
    Dims shape;
    if (e->initialiser != NULL) {
        *type = e->initialiser->type;
        *key = e->initialiser->key;
    } else if (size_index < 0) {
        Diag *diag = report(e, call->span, "%s can only be the initial value of a param",
                            builtin_name(call->builtin));
        hint(e, diag, "write rand or randn with a key");
        return false;
    }
    if (size_index >= 0 && is_given(call, size_index)) {
        if (!shape_at(call, size_index, false, &shape)) {
            return false;
        }
        ElementType element = e->initialiser != NULL ? type->element : e->options->real;
        *type = (Type){element, shape.count, shape.at};
    } else if (e->initialiser == NULL) {
        report(e, call->span, "%s needs its argument size", builtin_name(call->builtin));
        return false;
    }
    if (size_index >= 0 && (is_given(call, size_index + 1) || e->initialiser == NULL)) {
        *key = key_at(call, size_index + 1);
    }
    if (*key != NULL && !element_is_real(type->element)) {
        report(e, call->span, "%s makes real numbers, but %s is %s", builtin_name(call->builtin),
               e->initialiser->name, type_string(e->arena, *type));
        return false;
    }
    return *key != NULL;
}

// factor * x + offset
static Val affine(Call *call, Value *x, double factor, double offset) {
    Builder *b = &call->e->builder;
    if (x == NULL) {
        return error_val();
    }
    if (factor != 1) {
        x = build_mul(b, x, build_scalar(b, x->type.element, factor));
    }
    if (offset != 0) {
        x = build_add(b, x, build_scalar(b, x->type.element, offset));
    }
    return tensor_val(x);
}

Val builtin_uniform(Call *call) {
    Type type = {0};
    Value *key = NULL;
    double a = number_at(call, 0), b = number_at(call, 1);
    if (!initial_type(call, 2, &type, &key)) {
        return error_val();
    }
    return affine(call, uniform_values(call, key, type.element, (Dims){type.dims, type.rank}),
                  b - a, a);
}

Val builtin_normal(Call *call) {
    Type type = {0};
    Value *key = NULL;
    if (!initial_type(call, 2, &type, &key)) {
        return error_val();
    }
    return affine(call, normal_values(call, key, type.element, (Dims){type.dims, type.rank}),
                  number_at(call, 1), number_at(call, 0));
}

// Numbers of inputs and outputs as PyTorch counts them: shape[1] and shape[0], times the rest.
static bool find_fans(Call *call, Type type, double *fan_in, double *fan_out) {
    double rest = 1;
    int64_t size[2] = {0, 0};
    if (type.rank < 2) {
        Diag *diag = report(call->e, call->span, "%s needs at least 2 axes, but %s is %s",
                            builtin_name(call->builtin), call->e->initialiser->name,
                            type_string(call->e->arena, type));
        hint(call->e, diag, "zeros() or uniform(-a, a) suit a vector");
        return false;
    }
    for (int i = 0; i < type.rank; i++) {
        int64_t known = 1; // symbolic: only checked, never run
        dim_is_constant(type.dims[i], &known);
        if (i < 2) {
            size[i] = known;
        } else {
            rest *= (double)known;
        }
    }
    *fan_in = (double)size[1] * rest;
    *fan_out = (double)size[0] * rest;
    return true;
}

static bool find_gain(Call *call, double *gain) {
    const char *name = string_at(call, 2);
    double slope = number_at(call, 0);
    static const struct {
        const char *name;
        double gain;
    } gains[] = {{"linear", 1},
                 {"sigmoid", 1},
                 {"tanh", 5.0 / 3},
                 {"relu", 1.4142135623730951},
                 {"selu", 0.75}};
    if (strcmp(name, "leaky_relu") == 0) {
        *gain = sqrt(2 / (1 + slope * slope));
        return true;
    }
    for (size_t i = 0; i < sizeof gains / sizeof gains[0]; i++) {
        if (strcmp(name, gains[i].name) == 0) {
            *gain = gains[i].gain;
            return true;
        }
    }
    report(call->e, call->spans[2],
           "%s has no nonlinearity \"%s\"; there are \"leaky_relu\", \"relu\", \"tanh\", "
           "\"sigmoid\", \"selu\" and \"linear\"",
           builtin_name(call->builtin), name);
    return false;
}

static bool kaiming_deviation(Call *call, Type *type, Value **key, double *deviation) {
    double fan_in, fan_out, gain;
    const char *mode = string_at(call, 1);
    if (!initial_type(call, -1, type, key) || !find_fans(call, *type, &fan_in, &fan_out) ||
        !find_gain(call, &gain)) {
        return false;
    }
    bool is_in = strcmp(mode, "fan_in") == 0;
    if (!is_in && strcmp(mode, "fan_out") != 0) {
        report(call->e, call->spans[1], "mode is \"fan_in\" or \"fan_out\", got \"%s\"", mode);
        return false;
    }
    double fan = is_in ? fan_in : fan_out;
    *deviation = fan > 0 ? gain / sqrt(fan) : 0;
    return true;
}

static Val centred_uniform(Call *call, Value *key, Type type, double bound) {
    Value *unit = uniform_values(call, key, type.element, (Dims){type.dims, type.rank});
    return affine(call, unit, 2 * bound, -bound);
}

Val builtin_kaiming_uniform(Call *call) {
    Type type = {0};
    Value *key = NULL;
    double deviation;
    return kaiming_deviation(call, &type, &key, &deviation)
               ? centred_uniform(call, key, type, sqrt(3.0) * deviation)
               : error_val();
}

Val builtin_kaiming_normal(Call *call) {
    Type type = {0};
    Value *key = NULL;
    double deviation;
    if (!kaiming_deviation(call, &type, &key, &deviation)) {
        return error_val();
    }
    return affine(call, normal_values(call, key, type.element, (Dims){type.dims, type.rank}),
                  deviation, 0);
}

static bool xavier_deviation(Call *call, Type *type, Value **key, double *deviation) {
    double fan_in, fan_out;
    if (!initial_type(call, -1, type, key) || !find_fans(call, *type, &fan_in, &fan_out)) {
        return false;
    }
    double sum = fan_in + fan_out;
    *deviation = sum > 0 ? number_at(call, 0) * sqrt(2 / sum) : 0;
    return true;
}

Val builtin_xavier_uniform(Call *call) {
    Type type = {0};
    Value *key = NULL;
    double deviation;
    return xavier_deviation(call, &type, &key, &deviation)
               ? centred_uniform(call, key, type, sqrt(3.0) * deviation)
               : error_val();
}

Val builtin_xavier_normal(Call *call) {
    Type type = {0};
    Value *key = NULL;
    double deviation;
    if (!xavier_deviation(call, &type, &key, &deviation)) {
        return error_val();
    }
    return affine(call, normal_values(call, key, type.element, (Dims){type.dims, type.rank}),
                  deviation, 0);
}
