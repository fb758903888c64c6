// Bands: where a value can be other than zero, and where its readers look at it, by the difference
// of two of its indices. A lower triangle has row - column >= 0, a diagonal 0 <= row - column <= 0.
#ifndef TDSL_CODEGEN_BANDS_H
#define TDSL_CODEGEN_BANDS_H

#include "codegen/lower_plan.h"

// Differences from `low` to `high`; none if low > high.
typedef struct Band {
    int64_t low, high;
    bool unless_nan; // outside of it there may be NaN, too, as of zero times infinity
} Band;

enum { BAND_END = 1 << 30 }; // beyond every difference

Band whole_band(void);
Band empty_band(void);
bool band_is_whole(Band band);
bool band_is_empty(Band band);
Band moved_band(Band band, int64_t by); // all differences are larger by so much
Band mirrored_band(Band band);          // of the axes the other way around
Band common_band(Band x, Band y);       // what is in both
Band joined_band(Band x, Band y);       // the smallest that has both

// Outside of this band of (index of axis p) - (index of axis q), all elements are zero.
Band nonzero_band(const Value *value, int p, int q);
// Outside of this band a bool value is not `truth`.
Band truth_band(const Value *value, int p, int q, bool truth);
// Outside of this band nothing that the function's results depend on reads the value
// (read_bands.c).
Band read_band(Lowering *l, const Value *value, int p, int q);

// An axis of a view's operand that axis `axis` of the view runs along, and what to add to its index
// to get the operand's; false if there is none.
bool axis_of_operand(const Inst *inst, int axis, int *operand_axis, int64_t *offset);
// The differences of the places along axes p and q that a gather reads or a scatter writes: of
// index operands `first` + p and `first` + q.
Band index_band(const Inst *inst, int first, int p, int q);
// Index operand `index` is the index of one axis of its own and a constant.
bool follows_axis(const Value *index, int *axis, int64_t *offset);

#endif
