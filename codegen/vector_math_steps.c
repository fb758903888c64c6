// What functions are made of: formats, single steps, exponentials and logarithms in parts.
// Polynomials are those of vector_math.sollya.
#include "codegen/vector_math_steps.h"

#include <math.h>
#include <string.h>

const Format math_f32 = {
    .real = TYPE_F32,
    .integer = TYPE_I32,
    .mantissa_bits = 23,
    .bias = 127,
    .rounder = 0x1.8p23,
    .least_normal = 0x1p-126,
    .rescale = 25,
    .ln2_high = 0x1.62ep-1,
    .ln2_low = 0x1.0bfbe8p-15,
    .exp_high = 89,
    .expm1_low = -18,
    .tanh_low = -20,
    .exp = {5, {0x1p-1, 0x1.5554dcp-3, 0x1.555568p-5, 0x1.120c3p-7, 0x1.6caef8p-10}},
    .log = {9,
            {0x1.555554p-2, -0x1.fffff6p-3, 0x1.999d7ap-3, -0x1.555d92p-3, 0x1.23cce8p-3,
             -0x1.fc7dfep-4, 0x1.deac3ap-4, -0x1.d9ba74p-4, 0x1.21cde8p-4}},
    .tanh = {6,
             {-0x1.555554p-2, 0x1.111056p-3, -0x1.b9e45p-5, 0x1.62e28cp-6, -0x1.07f2a4p-7,
              0x1.0872eep-9}},
    .tanh_switch = 0.7,
};

const Format math_f64 = {
    .real = TYPE_F64,
    .integer = TYPE_I64,
    .mantissa_bits = 52,
    .bias = 1023,
    .rounder = 0x1.8p52,
    .least_normal = 0x1p-1022,
    .rescale = 54,
    .ln2_high = 0x1.62e42fefap-1,
    .ln2_low = 0x1.cf79abc9e3b3ap-40,
    .exp_high = 710,
    .expm1_low = -40,
    .tanh_low = -44,
    .exp = {10,
            {0x1.0000000000001p-1, 0x1.555555555554dp-3, 0x1.5555555553cc8p-5, 0x1.11111111144d8p-7,
             0x1.6c16c178b478fp-10, 0x1.a01a018c3a604p-13, 0x1.a019b88e86236p-16,
             0x1.71de59c83840ap-19, 0x1.2892086b88e3p-22, 0x1.aeac5dcf9af3ep-26}},
    .log = {7,
            {0x1.5555555555558p-1, 0x1.999999999531dp-2, 0x1.2492492def90cp-2, 0x1.c71c62e56b49ep-3,
             0x1.7462b4feac939p-3, 0x1.39fe5042f6893p-3, 0x1.2b59369f808dep-3}},
    .tanh = {11,
             {-0x1.5555555555555p-2, 0x1.1111111110fd5p-3, -0x1.ba1ba1b9f850fp-5,
              0x1.664f48756d1fep-6, -0x1.226e32b4cdb18p-7, 0x1.d6d32f311743dp-9,
              -0x1.7d97481199f9ap-10, 0x1.34c11d56838e2p-11, -0x1.ebe0ca927454bp-13,
              0x1.6470ea866f842p-14, -0x1.584553cc58edep-16}},
    .tanh_switch = 0.55,
    .sine = {6,
             {-0x1.5555555555555p-3, 0x1.1111111110c75p-7, -0x1.a01a019e9dac8p-13,
              0x1.71de37ad5d577p-19, -0x1.ae601c9b7225ap-26, 0x1.5e100bd60e3c3p-33}},
    .cosine = {6,
               {0x1.5555555555555p-5, -0x1.6c16c16c168c8p-10, 0x1.a01a019f37a5fp-16,
                -0x1.27e4fa0216464p-22, 0x1.1eeb56f431b26p-29, -0x1.9072e0af172f6p-37}},
    .arc_tangent = {11,
                    {-0x1.5555555555555p-2, 0x1.9999999999421p-3, -0x1.249249243cdcdp-3,
                     0x1.c71c7188535e3p-4, -0x1.745d0b8b30019p-4, 0x1.3b126a5cc749bp-4,
                     -0x1.10facee4f6492p-4, 0x1.dfeb6037d2f02p-5, -0x1.a0b0d365986fp-5,
                     0x1.419dd25eb7603p-5, -0x1.3ab222c94653fp-6}},
    .arc_sine = {12,
                 {0x1.555555555554ep-3, 0x1.3333333337269p-4, 0x1.6db6db67f1612p-5,
                  0x1.f1c71fc03ce44p-6, 0x1.6e8b25e014f9ep-6, 0x1.1c59a071644d5p-6,
                  0x1.c86948fe02d6cp-7, 0x1.8567416cdec1cp-7, 0x1.fccbd3d546c85p-8,
                  0x1.08a85a5695a2bp-6, -0x1.66c5611dfbbb7p-7, 0x1.cfeb6b6604bp-6}},
    .erf = {13,
            {0x1.06eba8214db69p-3, -0x1.812746b0379fdp-2, 0x1.ce2f21a04362dp-4,
             -0x1.b82ce312abf08p-6, 0x1.565bcd12991cp-8, -0x1.c02db49b09506p-11,
             0x1.f9a335388d2f5p-14, -0x1.f4d333884b5c9p-17, 0x1.b9ee95850f6bfp-20,
             -0x1.5f9828c55d5cep-23, 0x1.fc78cbccf045ap-27, -0x1.46794feaf949ep-30,
             0x1.29783041ef512p-34}},
    .erfc = {21, {0x1.40c522d7e4987p0,    -0x1.15c084bb9e8f7p-3,  -0x1.85a15c58aa2bbp-5,
                  0x1.098366a5b4926p-3,   -0x1.e88b803a4c5cap-4,  0x1.17ca2877e2fccp-4,
                  -0x1.8574c40b2eb61p-6,  0x1.4b884e6c80632p-9,   0x1.ef1bdd19cf945p-10,
                  -0x1.98db5978ef8ddp-11, -0x1.b912731a16ae8p-14, 0x1.065b4b304285p-13,
                  0x1.4c214c7ab5051p-18,  -0x1.5167752815a7dp-16, -0x1.862f762594261p-21,
                  0x1.d6424a01ca6d5p-19,  0x1.6449ac23ffa56p-22,  -0x1.66321433168c5p-21,
                  -0x1.5aceda37dbb6p-24,  0x1.1630cd657f23p-23,   -0x1.3a0101de85fb3p-26}},
    .lgamma_small = {18,
                     {0x1.b0ee6072093cep-2, 0x1.4a34cc4a60fa7p-2, -0x1.13e001a557544p-4,
                      0x1.51322ac7d7b54p-6, -0x1.e404fc21dd138p-8, 0x1.7add6eaed3cb4p-9,
                      -0x1.38ac5bfb3539cp-10, 0x1.0b36af061fd5dp-11, -0x1.d3fd6b4b13c4p-13,
                      0x1.a127effd5c458p-14, -0x1.78d8e1ab7d33bp-15, 0x1.5804a3d8b6732p-16,
                      -0x1.3d4e7863765a3p-17, 0x1.26664049f23f2p-18, -0x1.08ee201891a25p-19,
                      0x1.eb482726a007dp-21, -0x1.3835dedaddc5fp-21, 0x1.304a4c8ba1f4cp-22}},
    .lgamma_large = {7,
                     {0x1.5555555555555p-4, -0x1.6c16c16c10997p-9, 0x1.a01a015dd609ep-11,
                      -0x1.3813320a9474fp-11, 0x1.b920e2f231a13p-11, -0x1.ee6cb4e3b3af3p-10,
                      0x1.46762885f260bp-8}},
    .digamma = {8,
                {0x1.5555555555555p-4, -0x1.111111110f597p-7, 0x1.041040f9998e5p-8,
                 -0x1.1111029349ad1p-8, 0x1.f07156dfe1ebp-8, -0x1.586d7c9fc8e6ep-6,
                 0x1.42bcd7b0d1bbcp-4, -0x1.1d23a504f8c4p-2}},
    .trigamma = {9,
                 {0x1.5555555555555p-3, -0x1.11111111100ap-5, 0x1.8618617ea6203p-6,
                  -0x1.11110af1b9044p-5, 0x1.364adc6c81193p-4, -0x1.02d64eda60a93p-2,
                  0x1.23b0d19d23abcp0, -0x1.7386ed3a96927p2, 0x1.43af754948f47p4}},
};

// For functions of f32 that are computed in f64 and rounded: shorter polynomials.
const Format math_f64_short = {
    .real = TYPE_F64,
    .integer = TYPE_I64,
    .mantissa_bits = 52,
    .bias = 1023,
    .rounder = 0x1.8p52,
    .least_normal = 0x1p-1022,
    .rescale = 54,
    .ln2_high = 0x1.62e42fefap-1,
    .ln2_low = 0x1.cf79abc9e3b3ap-40,
    .exp_high = 710,
    .expm1_low = -40,
    .tanh_low = -44,
    .exp = {6,
            {0x1.0000000b8f73fp-1, 0x1.55555526eaeacp-3, 0x1.5554e8ece207dp-5, 0x1.11114c18c962bp-7,
             0x1.6d43608c856d9p-10, 0x1.a072ec701a4cdp-13}},
    .log = {5,
            {0x1.5555555564fb2p-1, 0x1.999998ca615a9p-2, 0x1.2493244dffd86p-2, 0x1.c67aac489d01bp-3,
             0x1.8c8f2c65270ddp-3}},
    .sine = {4,
             {-0x1.5555555459b7p-3, 0x1.11110de6bc3acp-7, -0x1.a0139dd6ce61cp-13,
              0x1.6dbb3c0d0a4cap-19}},
    .cosine = {4,
               {0x1.5555555501c6p-5, -0x1.6c16bf50be3d9p-10, 0x1.a015bf94878a5p-16,
                -0x1.2522ddbbad332p-22}},
    .arc_tangent = {5,
                    {-0x1.5555544b771f5p-2, 0x1.9997366c7f0ccp-3, -0x1.2420c8919c655p-3,
                     0x1.b819e71ad12c5p-4, -0x1.085ec9daba136p-4}},
    .arc_sine = {6,
                 {0x1.555554dd3293ep-3, 0x1.33343c49c6e13p-4, 0x1.6d58d4c97b047p-5,
                  0x1.fdcfb4c4f073p-6, 0x1.17c6041080cc3p-6, 0x1.14f82560e984cp-5}},
    .erf = {8,
            {0x1.06eba820311fep-3, -0x1.812746682b86ep-2, 0x1.ce2f09abf46adp-4,
             -0x1.b829d8cdbe566p-6, 0x1.562b19e825638p-8, -0x1.bcd7df341268fp-11,
             0x1.d8b890974bc14p-14, -0x1.44cfc5bcb85fep-17}},
    .erfc = {10,
             {0x1.40c522d6265f2p0, -0x1.15c0844059ffcp-3, -0x1.85a136681b964p-5,
              0x1.0983493ef7d5cp-3, -0x1.e88d8de54ce1p-4, 0x1.17ce35df0d8d1p-4,
              -0x1.8525466e43715p-6, 0x1.47c787dd65419p-9, 0x1.db74de81a3199p-10,
              -0x1.6697d46e6405ap-11}},
    .lgamma_small = {11,
                     {0x1.b0ee607215408p-2, 0x1.4a34cc4eb8f5dp-2, -0x1.13e001d2e6323p-4,
                      0x1.51321533974fp-6, -0x1.e404893be7f2ep-8, 0x1.7aec64b9a03e6p-9,
                      -0x1.38c74c8720482p-10, 0x1.091c2dd572cfdp-11, -0x1.ce3b9c1ae6e32p-13,
                      0x1.e25c497db48fep-14, -0x1.c0fc5f61a4838p-15}},
    .lgamma_large = {4,
                     {0x1.555555554f00bp-4, -0x1.6c16bb09a870cp-9, 0x1.9ff9c1a73b6abp-11,
                      -0x1.2af29b96245c7p-11}},
    .digamma = {4,
                {0x1.555555551d661p-4, -0x1.111102f0342fcp-7, 0x1.03ec7df4d67f4p-8,
                 -0x1.0273ef2066043p-8}},
    .trigamma = {5,
                 {0x1.5555555552064p-3, -0x1.11111069697afp-5, 0x1.8615b8c425668p-6,
                  -0x1.101da4b6ecbdbp-5, 0x1.121f455875c6bp-4}},
};

const Polynomial math_precise_log = {
    8,
    {0x1.3333333333333p-1, 0x1.b6db6db6db97p-2, 0x1.5555555507f51p-2, 0x1.1745d1b544441p-2,
     0x1.d89d504726af2p-3, 0x1.99a80855a61c4p-3, 0x1.675cba7465e2bp-3, 0x1.6a6ed7c419e12p-3}};

// ---- building

Scalar *math_scalar(Math *m, ScalarOp op, ElementType type) {
    Scalar *scalar = arena_new(m->arena, Scalar);
    *scalar = (Scalar){.op = op, .type = type, .id = m->function->scalar_count++};
    return scalar;
}

Scalar *math_step(Math *m, ScalarOp op, ElementType type, Scalar *x, Scalar *y, Scalar *z) {
    Scalar *scalar = math_scalar(m, op, type);
    Scalar *args[] = {x, y, z};
    for (int i = 0; i < 3 && args[i]; i++)
        scalar->args[scalar->arg_count++] = args[i];
    vec_push(m->arena, &m->function->steps, scalar);
    return scalar;
}

void math_begin_rare(Math *m, Scalar *condition) {
    check(m->abilities.branch && m->function->rare == NULL, "rare steps of %s", m->function->name);
    m->function->rare = condition;
    m->function->rare_from = m->function->scalar_count;
}

void math_end_rare(Math *m) {
    m->function->rare_to = m->function->scalar_count;
}

Scalar *math_real(Math *m, double value) {
    Scalar *scalar = math_scalar(m, SCALAR_CONSTANT, m->format->real);
    scalar->real = value;
    return scalar;
}

Scalar *math_integer(Math *m, int64_t value) {
    Scalar *scalar = math_scalar(m, SCALAR_CONSTANT, m->format->integer);
    scalar->integer = value;
    return scalar;
}

Scalar *math_binary(Math *m, ScalarOp op, Scalar *x, Scalar *y) {
    return math_step(m, op, x->type, x, y, NULL);
}

Scalar *math_add(Math *m, Scalar *x, Scalar *y) {
    return math_binary(m, SCALAR_ADD, x, y);
}

Scalar *math_sub(Math *m, Scalar *x, Scalar *y) {
    return math_binary(m, SCALAR_SUB, x, y);
}

Scalar *math_mul(Math *m, Scalar *x, Scalar *y) {
    return math_binary(m, SCALAR_MUL, x, y);
}

Scalar *math_div(Math *m, Scalar *x, Scalar *y) {
    return math_binary(m, SCALAR_DIV, x, y);
}

Scalar *math_fma(Math *m, Scalar *x, Scalar *y, Scalar *z) {
    return math_step(m, SCALAR_FMA, m->format->real, x, y, z);
}

Scalar *math_compare(Math *m, ScalarOp op, Scalar *x, Scalar *y) {
    return math_step(m, op, TYPE_BOOL, x, y, NULL);
}

Scalar *math_both(Math *m, Scalar *x, Scalar *y) {
    return math_binary(m, SCALAR_AND, x, y);
}

Scalar *math_shift_left(Math *m, Scalar *x, int bits) {
    return math_binary(m, SCALAR_SHIFT_LEFT, x, math_integer(m, bits));
}

Scalar *math_shift_right(Math *m, Scalar *x, int bits) {
    return math_binary(m, SCALAR_SHIFT_LOGICAL, x, math_integer(m, bits));
}

Scalar *math_low_bits(Math *m, Scalar *x, int bits) {
    return math_binary(m, SCALAR_AND, x, math_integer(m, (INT64_C(1) << bits) - 1));
}

Scalar *math_choose(Math *m, Scalar *condition, Scalar *x, Scalar *y) {
    return math_step(m, SCALAR_SELECT, x->type, condition, x, y);
}

Scalar *math_abs(Math *m, Scalar *x) {
    return math_step(m, SCALAR_ABS, x->type, x, NULL, NULL);
}

Scalar *math_sqrt(Math *m, Scalar *x) {
    return math_step(m, SCALAR_SQRT, x->type, x, NULL, NULL);
}

Scalar *math_look_up(Math *m, int table, Scalar *index) {
    Scalar *step = math_step(m, SCALAR_LOOKUP, math_table(table)->type, index, NULL, NULL);
    step->integer = table;
    return step;
}

Scalar *math_cast(Math *m, ElementType type, Scalar *x) {
    return math_step(m, SCALAR_CAST, type, x, NULL, NULL);
}

Scalar *math_to_bits(Math *m, Scalar *x) {
    return math_step(m, SCALAR_BITS, m->format->integer, x, NULL, NULL);
}

Scalar *math_from_bits(Math *m, Scalar *x) {
    return math_step(m, SCALAR_BITS, m->format->real, x, NULL, NULL);
}

int64_t real_bits(ElementType type, double value) {
    if (type == TYPE_F64) {
        int64_t bits;
        memcpy(&bits, &value, sizeof bits);
        return bits;
    }
    float single = (float)value;
    int32_t bits;
    memcpy(&bits, &single, sizeof bits);
    return bits;
}

int64_t math_bits(const Math *m, double value) {
    return real_bits(m->format->real, value);
}

// By Estrin's scheme: neighbours first, so that few steps wait for each other.
static Scalar *polynomial_in_pairs(Math *m, const Polynomial *polynomial, Scalar *x) {
    Scalar *terms[MOST_COEFFICIENTS];
    int count = polynomial->count;
    for (int i = 0; i < count; i++)
        terms[i] = math_real(m, polynomial->at[i]);
    for (Scalar *power = x; count > 1; power = count > 1 ? math_mul(m, power, power) : NULL) {
        for (int i = 0; i < count / 2; i++)
            terms[i] = math_fma(m, terms[2 * i + 1], power, terms[2 * i]);
        if (count % 2)
            terms[count / 2] = terms[count - 1];
        count = (count + 1) / 2;
    }
    return terms[0];
}

Scalar *math_polynomial(Math *m, const Polynomial *polynomial, Scalar *x) {
    return m->abilities.alone ? polynomial_in_pairs(m, polynomial, x)
                              : math_polynomial_in_turn(m, polynomial, x);
}

Scalar *math_polynomial_in_turn(Math *m, const Polynomial *polynomial, Scalar *x) {
    Scalar *sum = math_real(m, polynomial->at[polynomial->count - 1]);
    for (int i = polynomial->count - 2; i >= 0; i--)
        sum = math_fma(m, sum, x, math_real(m, polynomial->at[i]));
    return sum;
}

Scalar *math_at_least(Math *m, Scalar *x, double low) {
    return math_choose(m, math_compare(m, SCALAR_LT, x, math_real(m, low)), math_real(m, low), x);
}

Scalar *math_at_most(Math *m, Scalar *x, double high) {
    return math_choose(m, math_compare(m, SCALAR_GT, x, math_real(m, high)), math_real(m, high), x);
}

Scalar *math_power_of_two(Math *m, Scalar *biased) {
    return math_from_bits(m, math_shift_left(m, biased, m->format->mantissa_bits));
}

Scalar *math_without_low_bits(Math *m, Scalar *x, int bits) {
    Scalar *mask = math_integer(m, -((int64_t)1 << bits));
    return math_from_bits(m, math_binary(m, SCALAR_AND, math_to_bits(m, x), mask));
}

Scalar *math_round(Math *m, Scalar *x) {
    Scalar *rounder = math_real(m, m->format->rounder);
    return math_sub(m, math_add(m, x, rounder), rounder);
}

Scalar *math_flip_sign(Math *m, Scalar *y, Scalar *x) {
    Scalar *sign =
        math_binary(m, SCALAR_AND, math_to_bits(m, x), math_integer(m, math_bits(m, -0.0)));
    return math_from_bits(m, math_binary(m, SCALAR_XOR, math_to_bits(m, y), sign));
}

// ---- exponentials and logarithms

Scalar *math_rounded(Math *m, Scalar *sum) {
    return math_sub(m, math_to_bits(m, sum), math_integer(m, math_bits(m, m->format->rounder)));
}

Scalar *math_scale(Math *m, Scalar *y, Scalar *sum) {
    if (m->abilities.scale)
        return math_binary(m, SCALAR_SCALE, y, math_sub(m, sum, math_real(m, m->format->rounder)));
    // In two factors, as n may be beyond the exponents of normal numbers. The first product is
    // exact.
    Scalar *n = math_add(m, math_rounded(m, sum), math_integer(m, 2 * m->format->bias));
    Scalar *half = math_shift_right(m, n, 1);
    y = math_mul(m, y, math_power_of_two(m, half));
    return math_mul(m, y, math_power_of_two(m, math_sub(m, n, half)));
}

ExpParts math_split_exponent(Math *m, Scalar *x) {
    const Format *format = m->format;
    Scalar *rounder = math_real(m, format->rounder);
    Scalar *sum = math_fma(m, x, math_real(m, 0x1.71547652b82fep0), rounder);
    Scalar *n = math_sub(m, sum, rounder);
    ExpParts parts;
    Scalar *high = math_fma(m, n, math_real(m, -format->ln2_high), x); // exact
    Scalar *minus_low = math_real(m, -format->ln2_low);
    parts.rest = math_fma(m, n, minus_low, high);
    parts.lost = math_fma(m, n, minus_low, math_sub(m, high, parts.rest));
    parts.sum = sum;
    return parts;
}

// exp(rest) - 1 - rest
Scalar *math_exp_of_rest(Math *m, Scalar *rest) {
    Scalar *square = math_mul(m, rest, rest);
    return math_mul(m, square, math_polynomial(m, &m->format->exp, rest));
}

// exp(rest + lost)
Scalar *math_exp_of_parts(Math *m, const ExpParts *parts, bool precisely) {
    Scalar *rest = parts->rest, *one = math_real(m, 1);
    Scalar *polynomial = math_polynomial(m, &m->format->exp, rest);
    if (!precisely)
        return math_fma(m, math_fma(m, polynomial, rest, one), rest, one);
    Scalar *square = math_mul(m, rest, rest);
    return math_add(m, one, math_add(m, rest, math_fma(m, square, polynomial, parts->lost)));
}

Scalar *math_small_exp(Math *m, Scalar *x) {
    ExpParts parts = math_split_exponent(m, x);
    Scalar *biased = math_add(m, math_rounded(m, parts.sum), math_integer(m, m->format->bias));
    return math_mul(m, math_exp_of_parts(m, &parts, true), math_power_of_two(m, biased));
}

LogParts math_split_logarithm(Math *m, Scalar *x) {
    const Format *format = m->format;
    Scalar *tiny = math_compare(m, SCALAR_LT, x, math_real(m, format->least_normal));
    Scalar *grown = math_mul(m, x, math_real(m, ldexp(1, format->rescale)));
    Scalar *normal = math_choose(m, tiny, grown, x);
    int64_t root = math_bits(m, sqrt(0.5)), one = math_bits(m, 1);
    Scalar *moved = math_sub(m, math_to_bits(m, normal), math_integer(m, root - one));
    Scalar *biased = math_shift_right(m, moved, format->mantissa_bits);
    Scalar *fraction = math_low_bits(m, moved, format->mantissa_bits);
    Scalar *mantissa = math_from_bits(m, math_add(m, fraction, math_integer(m, root)));
    // The biased exponent as a real, by way of the bits of the rounder.
    Scalar *sum =
        math_from_bits(m, math_add(m, biased, math_integer(m, math_bits(m, format->rounder))));
    Scalar *excess =
        math_choose(m, tiny, math_real(m, format->rounder + format->bias + format->rescale),
                    math_real(m, format->rounder + format->bias));
    return (LogParts){.n = math_sub(m, sum, excess), .f = math_sub(m, mantissa, math_real(m, 1))};
}
