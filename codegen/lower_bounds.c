// Kernels before products that leave out terms which would add zero: zero times what is not finite
// is NaN, so they look for that in the factors of what is left out.
#include <float.h>

#include "codegen/lower_contract.h"

enum { WAYS = 8 }; // vectors that are looked at side by side

// What an element adds to the sum: zero times it, which is NaN if it is not finite; of a product of
// differences 1 if it is so large that a difference may not be finite.
static Scalar *add_element(KernelBuilder *b, const Product *p, Scalar *x, Scalar *sum) {
    if (p->step == STEP_PRODUCT) {
        return scalar_fma(b, x, scalar_number(b, x->type, 0), sum);
    }
    double most = (x->type == TYPE_F32 ? (double)FLT_MAX : DBL_MAX) / 2;
    Scalar *limit = scalar_real_constant(b, x->type, most);
    Scalar *within = scalar_binary(b, SCALAR_LE, scalar_unary(b, SCALAR_ABS, x), limit);
    Scalar *beyond = scalar_cast(b, sum->type, scalar_unary(b, SCALAR_NOT, within));
    return scalar_binary(b, SCALAR_ADD, sum, beyond);
}

// Elements from `start` on along the last axis.
static void look_at_some(KernelLowering *k, const Product *p, const Value *value, Local *sums,
                         Scalar **index, Scalar *start, int64_t count) {
    KernelBuilder *b = &k->build;
    Scalar *lane = begin_loop(b, LOOP_VECTOR, count, "lane");
    index[value->type.rank - 1] = scalar_binary(b, SCALAR_ADD, start, lane);
    Scalar *x = element(k, value, index);
    add_set(b, sums, lane, add_element(b, p, x, scalar_local(b, sums, lane)));
    end_scope(b);
}

static void look_at_all(KernelLowering *k, const Product *p, const Value *value, Local *sums) {
    KernelBuilder *b = &k->build;
    int rank = value->type.rank;
    Scalar **index = new_index(k, rank);
    for (int axis = 0; axis + 1 < rank; axis++) {
        index[axis] = begin_loop(b, LOOP_SERIAL, type_size_at(value->type, axis), loop_name(k));
    }
    int64_t size = type_size_at(value->type, rank - 1), width = sums->count;
    if (size >= width) {
        Scalar *block = begin_loop(b, LOOP_SERIAL, size / width, loop_name(k));
        Scalar *start = scalar_binary(b, SCALAR_MUL, block, scalar_position(b, width));
        look_at_some(k, p, value, sums, index, start, width);
        end_scope(b);
    }
    if (size % width > 0) {
        Scalar *start = scalar_position(b, size - size % width);
        look_at_some(k, p, value, sums, index, start, size % width);
    }
    close_loops(k, rank - 1);
}

Buffer *find_unbounded(Lowering *l, const Product *p) {
    const Value *result = p->inst->results[0];
    ElementType type = result->type.element;
    KernelLowering k;
    begin_kernel(&k, l, NULL, result, "_bounds");
    KernelBuilder *b = &k.build;
    Local *sums = add_local(b, type, (int64_t)WAYS * vector_lanes(l, type), "sums");
    Scalar *lane = begin_loop(b, LOOP_VECTOR, sums->count, "lane");
    add_set(b, sums, lane, scalar_number(b, type, 0));
    end_scope(b);
    for (int i = 0; i < p->inst->operand_count; i++) {
        const Value *value = p->inst->operands[i], *source = view_source(value);
        bool whole =
            source->type.rank > 0 && type_elements(source->type) <= type_elements(value->type);
        if (p->skips ? i != p->selected : is_looked_at(p, i == p->operand[LEFT] ? LEFT : RIGHT)) {
            look_at_all(&k, p, whole ? source : value, sums);
        }
    }
    Buffer *buffer = plain_buffer(l, type, 1, "unbounded");
    Scalar *first = scalar_position(b, 0);
    add_store(b, buffer, first, join_local(b, sums, first, sums->count, SCALAR_ADD));
    end_kernel(&k);
    return buffer;
}
