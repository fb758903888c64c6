// Products with triangles and other bands: operands that are zero but where the difference of two
// indices lies within bounds (bands.h), and results that are read only there. A tile leaves out
// blocks of terms for which all its rows, or all its columns, have zeros, and tiles of which
// nothing is read stay zero.
//
// Zero times infinity is NaN, so a kernel before looks whether the other operand is finite. If it
// is not, all terms are taken. What is left out would add zero to a sum.
#include "codegen/lower_contract.h"

enum {
    TERM_BLOCK = 16,
    FEWEST_TERMS = 32,     // contracted indices of which some are left out
    FEWEST_SAVED = 4,      // products for each element that is looked at
    MOST_WRITTEN_OUT = 160 // products of a tile's column that are written out
};

static const double MOST_STEPS = 0.9; // of all, so that it pays to leave out the others

static bool is_of(const char *labels, char name) {
    for (; *labels != '\0' && *labels != ',' && *labels != '-'; labels++) {
        if (*labels == name) {
            return true;
        }
    }
    return false;
}

// Of an operand: the first of its own axes and the first contracted one that bound it.
static LabelBand band_of_operand(const Inst *inst, int operand, const char *own,
                                 const char *result) {
    const Value *value = inst->operands[operand];
    for (int x = 0; x < value->type.rank; x++) {
        for (int y = 0; y < value->type.rank; y++) {
            if (!is_of(result, own[x]) || is_of(result, own[y])) {
                continue;
            }
            Band band = nonzero_band(value, x, y);
            if (!band_is_whole(band)) {
                return (LabelBand){band, own[x], own[y]};
            }
        }
    }
    return (LabelBand){whole_band(), 0, 0};
}

static LabelBand band_of_result(Lowering *l, const Inst *inst, const char *const *own) {
    const Value *value = inst->results[0];
    for (int x = 0; x < value->type.rank; x++) {
        for (int y = 0; y < value->type.rank; y++) {
            char row = own[RESULT][x], column = own[RESULT][y];
            if (is_of(own[0], row) && !is_of(own[1], row) && is_of(own[1], column) &&
                !is_of(own[0], column)) {
                Band band = read_band(l, value, x, y);
                if (!band_is_whole(band)) {
                    return (LabelBand){band, row, column};
                }
            }
        }
    }
    return (LabelBand){whole_band(), 0, 0};
}

void find_product_bands(Lowering *l, const char *const *own, Product *p) {
    for (int i = 0; i < PARTIES; i++) {
        p->bands[i] = (LabelBand){whole_band(), 0, 0};
    }
    if (p->step == STEP_PRODUCT) {
        for (int i = 0; i < 2; i++) {
            p->bands[i] = band_of_operand(p->inst, i, own[i], own[RESULT]);
        }
        p->bands[RESULT] = band_of_result(l, p->inst, own);
    }
}

// ---- plan

// The part of blocks of `x_block` by `y_block` indices in which the band has something.
static double share_of_blocks(Band band, int64_t x_size, int64_t x_block, int64_t y_size,
                              int64_t y_block) {
    double all = 0, some = 0;
    for (int64_t x = 0; x < x_size; x += x_block) {
        for (int64_t y = 0; y < y_size; y += y_block) {
            int64_t x_last = x + x_block < x_size ? x + x_block - 1 : x_size - 1;
            int64_t y_last = y + y_block < y_size ? y + y_block - 1 : y_size - 1;
            double steps = (double)((x_last - x + 1) * (y_last - y + 1));
            all += steps;
            some += x_last - y >= band.low && x - y_last <= band.high ? steps : 0;
        }
    }
    return all > 0 ? some / all : 1;
}

static bool is_label(const Axis *axis, char name) {
    return axis->count == 1 && axis->labels[0] == name;
}

static int axis_of_label(const Product *p, char name) {
    for (int i = 0; i < p->count; i++) {
        if (is_label(&p->axes[i], name)) {
            return i;
        }
    }
    return -1;
}

// Of the terms of the tiles, by the zeros of the operand that is `party`.
static double share_of_terms(const Product *p, int party, int64_t tile) {
    const LabelBand *known = &p->bands[p->operand[party]];
    const Axis *own = &p->axes[party == LEFT ? p->row : p->column];
    int term = axis_of_label(p, known->y);
    if (band_is_whole(known->band) || term < 0 || !is_label(own, known->x) ||
        p->axes[term].size < FEWEST_TERMS || p->lane >= 0) {
        return 1;
    }
    return share_of_blocks(known->band, own->size, tile, p->axes[term].size, TERM_BLOCK);
}

// Of the result whose rows and columns the tiles' are, or the other way around.
static Band band_of_tiles(const Product *p) {
    const LabelBand *known = &p->bands[RESULT];
    const Axis *row = &p->axes[p->row], *column = &p->axes[p->column];
    if (is_label(row, known->x) && is_label(column, known->y)) {
        return known->band;
    }
    if (is_label(row, known->y) && is_label(column, known->x)) {
        return mirrored_band(known->band);
    }
    return whole_band();
}

static double elements_of_operand(const Product *p, int party) {
    return (double)type_elements(p->inst->operands[p->operand[party]]->type);
}

// Whether looking at the elements that have to be finite takes less than it saves.
static bool pays(const Product *p, int party, double share) {
    double looked_at = elements_of_operand(p, 1 - party);
    if (p->bands[p->operand[party]].band.unless_nan) {
        looked_at += elements_of_operand(p, party);
    }
    double products = (double)type_elements(p->inst->results[0]->type) * (double)count_terms(p);
    return share <= MOST_STEPS && (1 - share) * products >= FEWEST_SAVED * looked_at;
}

double share_of_bands(const Product *p, int64_t height, int64_t width) {
    double share = 1;
    for (int party = LEFT; party <= RIGHT; party++) {
        double own = share_of_terms(p, party, party == LEFT ? height : width);
        share *= pays(p, party, own) ? own : 1;
    }
    Band band = band_of_tiles(p);
    if (!band_is_whole(band)) {
        share *=
            share_of_blocks(band, p->axes[p->row].size, height, p->axes[p->column].size, width);
    }
    return share;
}

// A triangle on the left that one tile has all rows of, and few terms: its products are written
// out.
static bool is_small_triangle(const Product *p, int64_t height) {
    const LabelBand *known = &p->bands[p->operand[LEFT]];
    const Axis *row = &p->axes[p->row];
    int term = axis_of_label(p, known->y);
    bool is_one_sided = (known->band.low > -BAND_END) != (known->band.high < BAND_END);
    return is_one_sided && !known->band.unless_nan && !p->skips && p->lane < 0 && p->split < 0 &&
           term >= 0 && is_label(row, known->x) && row->size == height &&
           count_terms(p) == p->axes[term].size &&
           row->size * p->axes[term].size <= MOST_WRITTEN_OUT &&
           share_of_blocks(known->band, row->size, 1, p->axes[term].size, 1) <= MOST_STEPS;
}

void plan_bands(Product *p, int64_t height, int64_t width, bool is_tall) {
    p->term = -1;
    p->tile_band = band_of_tiles(p);
    p->is_written_out = is_small_triangle(p, is_tall ? p->axes[p->row].size : height);
    if (p->is_written_out) {
        return;
    }
    for (int party = LEFT; party <= RIGHT; party++) {
        const LabelBand *known = &p->bands[p->operand[party]];
        int term = axis_of_label(p, known->y);
        double share = share_of_terms(p, party, party == LEFT ? height : width);
        p->leaves_out[party] =
            !p->skips && pays(p, party, share) && (p->term < 0 || p->term == term);
        p->term = p->leaves_out[party] ? term : p->term;
    }
}

bool is_looked_at(const Product *p, int party) {
    return p->leaves_out[1 - party] ||
           (p->leaves_out[party] && p->bands[p->operand[party]].band.unless_nan);
}

// ---- tiles

static Scalar *end_of_band(Tiles *t, Scalar *place, int64_t by, int64_t far) {
    KernelBuilder *b = &t->k->build;
    Scalar *end = scalar_binary(b, SCALAR_ADD, place, scalar_position(b, by));
    return scalar_select(b, t->all_terms, scalar_position(b, far), end);
}

// Whether terms from `first` on, a block of them, are not all zero in the rows or columns of the
// tile, of which there are `count` from `place` on.
static Scalar *meets_band(Tiles *t, Band band, Scalar *place, int64_t count, Scalar *first,
                          int64_t size) {
    KernelBuilder *b = &t->k->build;
    Scalar *meets = scalar_integer_constant(b, TYPE_BOOL, 1);
    if (band.low > -BAND_END) { // place + count - 1 - first >= low
        Scalar *end = end_of_band(t, place, count - 1 - band.low, BAND_END);
        meets = scalar_binary(b, SCALAR_LE, first, end);
    }
    if (band.high < BAND_END) { // place - (first + size - 1) <= high
        Scalar *end = end_of_band(t, place, -band.high - (size - 1), -BAND_END);
        Scalar *above = scalar_binary(b, SCALAR_GE, first, end);
        meets = scalar_binary(b, SCALAR_AND, meets, above);
    }
    return meets;
}

static int begin_if_not_known(Tiles *t, Scalar *condition) {
    int64_t known;
    if (scalar_is_constant(condition, &known) && known) {
        return 0;
    }
    begin_if(&t->k->build, condition);
    return 1;
}

static int begin_tile(Tiles *t) {
    KernelBuilder *b = &t->k->build;
    Band band = t->p.tile_band;
    if (band_is_whole(band)) {
        return 0;
    }
    Scalar *difference = scalar_binary(b, SCALAR_SUB, t->first_row, t->first_column);
    Scalar *reads = scalar_integer_constant(b, TYPE_BOOL, 1);
    if (band.low > -BAND_END) {
        Scalar *low = scalar_position(b, band.low - (t->height - 1));
        reads = scalar_binary(b, SCALAR_GE, difference, low);
    }
    if (band.high < BAND_END) {
        Scalar *high = scalar_position(b, band.high + (t->width - 1));
        Scalar *below = scalar_binary(b, SCALAR_LE, difference, high);
        reads = scalar_binary(b, SCALAR_AND, reads, below);
    }
    return begin_if_not_known(t, reads);
}

static bool only_adds(const Tiles *t) {
    bool adds = t->partial == NULL;
    for (int i = 0; i < t->node->members.count; i++) {
        const ValueState *state = state_of(t->k->lowering, t->node->members.at[i]);
        adds = adds && !state->stored && state->destinations.count == 0;
    }
    return adds;
}

int begin_if_adds(Tiles *t) {
    return only_adds(t) ? begin_tile(t) : 0;
}

int begin_if_read(Tiles *t) {
    return only_adds(t) ? 0 : begin_tile(t);
}

int open_term_blocks(Tiles *t, int64_t all, Scalar *start) {
    KernelBuilder *b = &t->k->build;
    int64_t size = t->in_rest ? all % TERM_BLOCK : TERM_BLOCK;
    int opened = 1;
    Scalar *inside;
    if (t->in_rest) {
        inside = scalar_position(b, all - size);
        opened = 0;
    } else {
        Scalar *number = begin_loop(b, LOOP_SERIAL, all / TERM_BLOCK, "terms");
        inside = scalar_binary(b, SCALAR_MUL, number, scalar_position(b, TERM_BLOCK));
    }
    Scalar *first = scalar_binary(b, SCALAR_ADD, start, inside);
    const Product *p = &t->p;
    Scalar *meets = scalar_integer_constant(b, TYPE_BOOL, 1);
    if (p->leaves_out[LEFT]) {
        Band band = p->bands[p->operand[LEFT]].band;
        meets = meets_band(t, band, t->first_row, t->height, first, size);
    }
    if (p->leaves_out[RIGHT]) {
        Band band = p->bands[p->operand[RIGHT]].band;
        Scalar *own = meets_band(t, band, t->first_column, t->width, first, size);
        meets = scalar_binary(b, SCALAR_AND, meets, own);
    }
    opened += begin_if_not_known(t, meets);
    Scalar *index = begin_loop(b, LOOP_SERIAL, size, loop_name(t->k));
    t->inside[p->term] = scalar_binary(b, SCALAR_ADD, inside, index);
    set_axis(t, &p->axes[p->term], scalar_binary(b, SCALAR_ADD, first, index));
    return opened + 1;
}

// ---- small triangles

// Where the terms of a row that are not zero start, in the order in which they are taken: from the
// last one down where zeros lie behind the diagonal, else from the first one up.
static int64_t first_step(const Band *band, int64_t row, int64_t terms) {
    bool down = band->low > -BAND_END;
    int64_t step = down ? terms - 1 - (row - band->low) : row - band->high;
    return step < 0 ? 0 : step > terms ? terms : step;
}

// Adds to `count` rows from `first` on their products of the term, starting from `rest` or from
// what is there.
static void add_products(Tiles *t, Local *tile, int64_t stride, int64_t first, int64_t count,
                         Local *rest) {
    KernelBuilder *b = &t->k->build;
    Scalar *row = begin_loop(b, LOOP_UNROLL, count, "row");
    row = scalar_binary(b, SCALAR_ADD, scalar_position(b, first), row);
    set_axis(t, &t->p.axes[t->p.row], scalar_binary(b, SCALAR_ADD, t->first_row, row));
    Scalar *left = left_element(t, row), *column = begin_padded_columns(t, stride);
    Scalar *right = right_element(t, column);
    Scalar *start = scalar_binary(b, SCALAR_MUL, row, scalar_position(b, stride));
    Scalar *position = scalar_binary(b, SCALAR_ADD, start, column);
    Scalar *before = rest != NULL ? scalar_local(b, rest, column) : scalar_local(b, tile, position);
    add_set(b, tile, position, tile_step(t, left, right, before));
    close_loops(t->k, 2);
}

// To the rest, which rows that come later start from: zero times what they leave out, NaN if that
// is not finite.
static void add_to_rest(Tiles *t, Local *rest, int64_t stride, bool is_first) {
    KernelBuilder *b = &t->k->build;
    Scalar *column = begin_padded_columns(t, stride);
    Scalar *zero = scalar_number(b, t->type, 0);
    Scalar *before = is_first ? zero : scalar_local(b, rest, column);
    add_set(b, rest, column, scalar_fma(b, right_element(t, column), zero, before));
    end_scope(b);
}

// Rows without any product.
static void set_to_rest(Tiles *t, Local *tile, int64_t stride, int64_t row, Local *rest) {
    KernelBuilder *b = &t->k->build;
    Scalar *column = begin_padded_columns(t, stride);
    Scalar *position = scalar_binary(b, SCALAR_ADD, scalar_position(b, row * stride), column);
    add_set(b, tile, position, scalar_local(b, rest, column));
    end_scope(b);
}

static void add_triangle(Tiles *t, Local *tile, int64_t stride) {
    KernelBuilder *b = &t->k->build;
    const LabelBand *known = &t->p.bands[t->p.operand[LEFT]];
    int term = axis_of_label(&t->p, known->y);
    int64_t terms = t->p.axes[term].size;
    bool down = known->band.low > -BAND_END;
    Local *rest = add_local(b, t->type, stride, "rest");
    for (int64_t step = 0; step < terms; step++) {
        bool is_left_out = false;
        t->inside[term] = scalar_position(b, down ? terms - 1 - step : step);
        set_axis(t, &t->p.axes[term], t->inside[term]);
        for (int64_t row = 0, end; row < t->height; row = end) {
            int64_t first = first_step(&known->band, row, terms);
            for (end = row + 1; end < t->height; end++) { // rows that do the same
                int64_t other = first_step(&known->band, end, terms);
                if ((other > step) != (first > step) || (other == step) != (first == step)) {
                    break;
                }
            }
            if (first > step) {
                is_left_out = true;
            } else {
                bool starts = first == step && step > 0;
                add_products(t, tile, stride, row, end - row, starts ? rest : NULL);
            }
        }
        if (is_left_out) {
            add_to_rest(t, rest, stride, step == 0);
        }
    }
    for (int64_t row = 0; row < t->height; row++) {
        if (first_step(&known->band, row, terms) == terms) {
            set_to_rest(t, tile, stride, row, rest);
        }
    }
}

void for_all_terms(Tiles *t, void (*accumulate)(Tiles *t, Local *tile, int64_t stride), Local *tile,
                   int64_t stride) {
    int opened = begin_if_read(t);
    if (t->p.term >= 0) {
        int64_t all = t->p.term == t->p.split ? t->p.split_block : t->p.axes[t->p.term].size;
        t->in_blocks = true;
        if (all >= TERM_BLOCK) {
            accumulate(t, tile, stride);
        }
        if (all % TERM_BLOCK > 0) {
            t->in_rest = true;
            accumulate(t, tile, stride);
        }
        t->in_blocks = t->in_rest = false;
    } else if (t->p.is_written_out && t->height == t->p.axes[t->p.row].size) {
        add_triangle(t, tile, stride);
    } else {
        accumulate(t, tile, stride);
    }
    close_loops(t->k, opened);
}
