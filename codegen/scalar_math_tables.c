// Made by scalar_math.py: tables and polynomials for single numbers.
#include "codegen/vector_math_alone.h"

// 2^(i / 16)
// clang-format off
const double powers_16[16] = {
    0x1p0, 0x1.0b5586cf9890fp0, 0x1.172b83c7d517bp0, 0x1.2387a6e756238p0,
    0x1.306fe0a31b715p0, 0x1.3dea64c123422p0, 0x1.4bfdad5362a27p0, 0x1.5ab07dd485429p0,
    0x1.6a09e667f3bcdp0, 0x1.7a11473eb0187p0, 0x1.8ace5422aa0dbp0, 0x1.9c49182a3f09p0,
    0x1.ae89f995ad3adp0, 0x1.c199bdd85529cp0, 0x1.d5818dcfba487p0, 0x1.ea4afa2a490dap0
};
// clang-format on

// Bits of 2^(i / 32), less i / 32 in the exponent, where the whole number of these parts is added.
// clang-format off
const int64_t powers_32[32] = {
    INT64_C(0x3ff0000000000000), INT64_C(0x3fefd9b0d3158574), INT64_C(0x3fefb5586cf9890f),
    INT64_C(0x3fef9301d0125b51), INT64_C(0x3fef72b83c7d517b), INT64_C(0x3fef54873168b9aa),
    INT64_C(0x3fef387a6e756238), INT64_C(0x3fef1e9df51fdee1), INT64_C(0x3fef06fe0a31b715),
    INT64_C(0x3feef1a7373aa9cb), INT64_C(0x3feedea64c123422), INT64_C(0x3feece086061892d),
    INT64_C(0x3feebfdad5362a27), INT64_C(0x3feeb42b569d4f82), INT64_C(0x3feeab07dd485429),
    INT64_C(0x3feea47eb03a5585), INT64_C(0x3feea09e667f3bcd), INT64_C(0x3fee9f75e8ec5f74),
    INT64_C(0x3feea11473eb0187), INT64_C(0x3feea589994cce13), INT64_C(0x3feeace5422aa0db),
    INT64_C(0x3feeb737b0cdc5e5), INT64_C(0x3feec49182a3f090), INT64_C(0x3feed503b23e255d),
    INT64_C(0x3feee89f995ad3ad), INT64_C(0x3feeff76f2fb5e47), INT64_C(0x3fef199bdd85529c),
    INT64_C(0x3fef3720dcef9069), INT64_C(0x3fef5818dcfba487), INT64_C(0x3fef7c97337b9b5f),
    INT64_C(0x3fefa4afa2a490da), INT64_C(0x3fefd0765b6e4540)
};
// clang-format on

// Bits of 2^(i / 128), less i / 128 in the exponent, where the whole number of these parts is
// added.
// clang-format off
const int64_t powers_128[128] = {
    INT64_C(0x3ff0000000000000), INT64_C(0x3feff63da9fb3335), INT64_C(0x3fefec9a3e778061),
    INT64_C(0x3fefe315e86e7f85), INT64_C(0x3fefd9b0d3158574), INT64_C(0x3fefd06b29ddf6de),
    INT64_C(0x3fefc74518759bc8), INT64_C(0x3fefbe3ecac6f383), INT64_C(0x3fefb5586cf9890f),
    INT64_C(0x3fefac922b7247f7), INT64_C(0x3fefa3ec32d3d1a2), INT64_C(0x3fef9b66affed31b),
    INT64_C(0x3fef9301d0125b51), INT64_C(0x3fef8abdc06c31cc), INT64_C(0x3fef829aaea92de0),
    INT64_C(0x3fef7a98c8a58e51), INT64_C(0x3fef72b83c7d517b), INT64_C(0x3fef6af9388c8dea),
    INT64_C(0x3fef635beb6fcb75), INT64_C(0x3fef5be084045cd4), INT64_C(0x3fef54873168b9aa),
    INT64_C(0x3fef4d5022fcd91d), INT64_C(0x3fef463b88628cd6), INT64_C(0x3fef3f49917ddc96),
    INT64_C(0x3fef387a6e756238), INT64_C(0x3fef31ce4fb2a63f), INT64_C(0x3fef2b4565e27cdd),
    INT64_C(0x3fef24dfe1f56381), INT64_C(0x3fef1e9df51fdee1), INT64_C(0x3fef187fd0dad990),
    INT64_C(0x3fef1285a6e4030b), INT64_C(0x3fef0cafa93e2f56), INT64_C(0x3fef06fe0a31b715),
    INT64_C(0x3fef0170fc4cd831), INT64_C(0x3feefc08b26416ff), INT64_C(0x3feef6c55f929ff1),
    INT64_C(0x3feef1a7373aa9cb), INT64_C(0x3feeecae6d05d866), INT64_C(0x3feee7db34e59ff7),
    INT64_C(0x3feee32dc313a8e5), INT64_C(0x3feedea64c123422), INT64_C(0x3feeda4504ac801c),
    INT64_C(0x3feed60a21f72e2a), INT64_C(0x3feed1f5d950a897), INT64_C(0x3feece086061892d),
    INT64_C(0x3feeca41ed1d0057), INT64_C(0x3feec6a2b5c13cd0), INT64_C(0x3feec32af0d7d3de),
    INT64_C(0x3feebfdad5362a27), INT64_C(0x3feebcb299fddd0d), INT64_C(0x3feeb9b2769d2ca7),
    INT64_C(0x3feeb6daa2cf6642), INT64_C(0x3feeb42b569d4f82), INT64_C(0x3feeb1a4ca5d920f),
    INT64_C(0x3feeaf4736b527da), INT64_C(0x3feead12d497c7fd), INT64_C(0x3feeab07dd485429),
    INT64_C(0x3feea9268a5946b7), INT64_C(0x3feea76f15ad2148), INT64_C(0x3feea5e1b976dc09),
    INT64_C(0x3feea47eb03a5585), INT64_C(0x3feea34634ccc320), INT64_C(0x3feea23882552225),
    INT64_C(0x3feea155d44ca973), INT64_C(0x3feea09e667f3bcd), INT64_C(0x3feea012750bdabf),
    INT64_C(0x3fee9fb23c651a2f), INT64_C(0x3fee9f7df9519484), INT64_C(0x3fee9f75e8ec5f74),
    INT64_C(0x3fee9f9a48a58174), INT64_C(0x3fee9feb564267c9), INT64_C(0x3feea0694fde5d3f),
    INT64_C(0x3feea11473eb0187), INT64_C(0x3feea1ed0130c132), INT64_C(0x3feea2f336cf4e62),
    INT64_C(0x3feea427543e1a12), INT64_C(0x3feea589994cce13), INT64_C(0x3feea71a4623c7ad),
    INT64_C(0x3feea8d99b4492ed), INT64_C(0x3feeaac7d98a6699), INT64_C(0x3feeace5422aa0db),
    INT64_C(0x3feeaf3216b5448c), INT64_C(0x3feeb1ae99157736), INT64_C(0x3feeb45b0b91ffc6),
    INT64_C(0x3feeb737b0cdc5e5), INT64_C(0x3feeba44cbc8520f), INT64_C(0x3feebd829fde4e50),
    INT64_C(0x3feec0f170ca07ba), INT64_C(0x3feec49182a3f090), INT64_C(0x3feec86319e32323),
    INT64_C(0x3feecc667b5de565), INT64_C(0x3feed09bec4a2d33), INT64_C(0x3feed503b23e255d),
    INT64_C(0x3feed99e1330b358), INT64_C(0x3feede6b5579fdbf), INT64_C(0x3feee36bbfd3f37a),
    INT64_C(0x3feee89f995ad3ad), INT64_C(0x3feeee07298db666), INT64_C(0x3feef3a2b84f15fb),
    INT64_C(0x3feef9728de5593a), INT64_C(0x3feeff76f2fb5e47), INT64_C(0x3fef05b030a1064a),
    INT64_C(0x3fef0c1e904bc1d2), INT64_C(0x3fef12c25bd71e09), INT64_C(0x3fef199bdd85529c),
    INT64_C(0x3fef20ab5fffd07a), INT64_C(0x3fef27f12e57d14b), INT64_C(0x3fef2f6d9406e7b5),
    INT64_C(0x3fef3720dcef9069), INT64_C(0x3fef3f0b555dc3fa), INT64_C(0x3fef472d4a07897c),
    INT64_C(0x3fef4f87080d89f2), INT64_C(0x3fef5818dcfba487), INT64_C(0x3fef60e316c98398),
    INT64_C(0x3fef69e603db3285), INT64_C(0x3fef7321f301b460), INT64_C(0x3fef7c97337b9b5f),
    INT64_C(0x3fef864614f5a129), INT64_C(0x3fef902ee78b3ff6), INT64_C(0x3fef9a51fbc74c83),
    INT64_C(0x3fefa4afa2a490da), INT64_C(0x3fefaf482d8e67f1), INT64_C(0x3fefba1bee615a27),
    INT64_C(0x3fefc52b376bba97), INT64_C(0x3fefd0765b6e4540), INT64_C(0x3fefdbfdad9cbe14),
    INT64_C(0x3fefe7c1819e90d8), INT64_C(0x3feff3c22b8f71f1)
};
// clang-format on

// What 2^(i / 128) is beyond the number with these bits, relative to it
// clang-format off
const double tails_128[128] = {
    0, 0x1.b3b4f1a88bf6ep-54, -0x1.160139cd8dc5dp-56, -0x1.05e7a108766d1p-54,
    0x1.cd2523567f613p-55, -0x1.bce8023f98efap-55, 0x1.0f74e61e6c861p-57, 0x1.0a3e45b33d399p-54,
    0x1.79aa65d837b6dp-54, 0x1.eb51a92fdeffcp-55, 0x1.ebe3d702f9cd1p-60, -0x1.a033489906e0bp-57,
    -0x1.556522a2fbd0ep-54, -0x1.080ef8c4eea55p-58, -0x1.1c923b9d5f416p-54, 0x1.0d3e3e95c55afp-55,
    -0x1.01b15eaa59348p-55, -0x1.f1ff055de323dp-55, 0x1.b898c3f1353bfp-55, -0x1.6d99c7611eb26p-54,
    0x1.aecf73e3a2f6p-54, -0x1.fe782cb86389dp-55, 0x1.a6f4144a6c38dp-55, 0x1.07a05b0e4047dp-55,
    0x1.68efde3a8a894p-54, 0x1.75e18f274487dp-55, 0x1.0472b981fe7f2p-55, -0x1.6b87b3f71085ep-54,
    0x1.2f7e16d09ab31p-55, -0x1.d219b1a6fbffap-60, 0x1.b3782720c0ab4p-55, 0x1.e149289cecb8fp-57,
    0x1.34d754db0abb6p-55, 0x1.64201e2ac744cp-55, 0x1.fdd395dd3f84ap-55, -0x1.6a3803b8e5b04p-55,
    -0x1.24aedcc4b5068p-54, -0x1.907f81b512d8ep-54, -0x1.1d1e83e9436d2p-56, -0x1.91919b3ce1b15p-54,
    0x1.59f48a72a4c6dp-55, -0x1.312607a28698ap-54, -0x1.8a78f4817895bp-58, -0x1.c2c9b67499a1bp-56,
    0x1.363ed60c2ac11p-59, 0x1.666093b0664efp-54, 0x1.ecce1daa10379p-57, 0x1.3ff8e3f0f123p-54,
    0x1.690cebb7aafbp-56, 0x1.31dbdeb54e077p-54, -0x1.f94340071a38ep-55, -0x1.7deccdc93a349p-55,
    -0x1.8dec6bd0f385fp-56, -0x1.61246ec7b5cf6p-55, 0x1.3350518fdd78ep-54, 0x1.b98b72f8a9b05p-56,
    0x1.063e1e21c5409p-54, 0x1.4c7855019c6eap-60, 0x1.432e62b64c035p-54, -0x1.ce44a6199769fp-55,
    -0x1.c33c53bef4da8p-55, -0x1.45378892be9aep-55, -0x1.3cedd78565858p-54, 0x1.710aa807e1964p-58,
    -0x1.3b3efbf5e2228p-54, -0x1.a12ad8734b982p-57, -0x1.367efb86da9eep-57, -0x1.0dc3d54e08851p-55,
    -0x1.81f647e5a3ecfp-56, -0x1.6ee4ac08b7dbp-55, -0x1.619321e55e68ap-55, 0x1.09ccb5e09d4d3p-54,
    -0x1.b32dcb94da51dp-56, 0x1.4ecfd5467c06bp-54, 0x1.5ebe1abd66c55p-57, -0x1.8a1c52fb3cf42p-55,
    -0x1.369b6f13b3734p-54, -0x1.05e843a19ff1ep-55, -0x1.4d450d872576ep-54, 0x1.0ad675b0e8ap-54,
    0x1.db72fc1f0eab4p-55, -0x1.5b6609cc5e7ffp-57, 0x1.bf68359f35f44p-56, -0x1.3091fa71e3d83p-54,
    -0x1.da9b88b6c1e29p-58, -0x1.c23f97c90b959p-57, -0x1.2434322f4f9aap-54, -0x1.5ca6cd7668e4bp-55,
    0x1.1affc2b91ce27p-56, 0x1.dd235e10a73bbp-57, -0x1.7c50422622263p-55, 0x1.b1c86e3e231d5p-55,
    -0x1.1bbd1d3bcbb15p-54, 0x1.0cc319cee31d2p-54, 0x1.469846e735ab3p-55, -0x1.2dfcd978e9db4p-55,
    0x1.c1a7792cb3387p-55, -0x1.07b8f4ad1d9fap-54, -0x1.5c3d956dcaebap-58, -0x1.0a40e3da6f64p-54,
    -0x1.8d6f438ad9334p-57, -0x1.1eee26b588a35p-54, 0x1.4ffd70a5fddcdp-56, -0x1.1bdfbfa9298acp-54,
    0x1.36eae30af0cb3p-56, 0x1.ee3325c9ffd94p-55, 0x1.4e08fd10959acp-55, 0x1.3cdaf384e1a67p-57,
    0x1.76b2c6c921968p-57, -0x1.08a1883ccb5d2p-55, -0x1.fad5d3ffffa6fp-55, -0x1.00dae3875a949p-54,
    0x1.4a385a63d07a7p-56, -0x1.2919e2040220fp-55, 0x1.e5a50d5c192acp-55, 0x1.43a59ac016b4bp-55,
    -0x1.2d52107b43e1fp-55, -0x1.92ab93b470dc9p-55, 0x1.4b604603a88d3p-56, 0x1.3c5ec519d7271p-55,
    -0x1.ff7128fd391fp-55, -0x1.dae98e223747dp-55, 0x1.ec3bc41aa2008p-55, 0x1.42b94c3a9eb32p-55,
    0x1.a64a931d185eep-55, -0x1.e37bae43be3edp-55, 0x1.7893b4d91cd9dp-56, 0x1.305c14160cc89p-58
};
// clang-format on

// 1 / c and log(c) for each of 32 intervals; |z / c - 1| < 0.01546, around 1 0.01042
// clang-format off
const double logarithms_32[64] = {
    0x1.6582fab105bdep0, -0x1.5601990be6aebp-2, 0x1.5de04d3266ab7p0, -0x1.3fe6469ca2195p-2,
    0x1.568f6140ad77ep0, -0x1.2a4294751151bp-2, 0x1.4f8b308722368p0, -0x1.15118e66c4462p-2,
    0x1.48cf1bff1565fp0, -0x1.004e8d75526b3p-2, 0x1.4256e1c5095b8p0, -0x1.d7ea6363f50a5p-3,
    0x1.3c1e941b5c187p0, -0x1.b002b96140f68p-3, 0x1.36229172775bap0, -0x1.88de5909196b6p-3,
    0x1.305f7d547ee69p0, -0x1.6275ee6b429bep-3, 0x1.2ad23a176d02fp0, -0x1.3cc28d41655d5p-3,
    0x1.2577e33cb82f2p0, -0x1.17bda96ec2c38p-3, 0x1.204dc8691e9cep0, -0x1.e6c2205515d62p-4,
    0x1.1b5168e22a1dep0, -0x1.9f4dc385eae4bp-4, 0x1.16806f818102cp0, -0x1.591317d2c0829p-4,
    0x1.11d8af1039b8p0, -0x1.140788f32a1abp-4, 0x1.0d581efe3777bp0, -0x1.a04212bfca759p-5,
    0x1.08fcd86b234bcp0, -0x1.1aac130e76763p-5, 0x1.04c51377e899p0, -0x1.2e75bed8aac5bp-6,
    0x1p0, 0, 0x1.f31eee5ecc96bp-1, 0x1.a167dee1f925fp-6,
    0x1.e45ca836e0e1dp-1, 0x1.c6978b93ad10cp-5, 0x1.d67374a0c1952p-1, 0x1.5aa7f17c9a23bp-4,
    0x1.c951236817c08p-1, 0x1.cea27f0e0e27fp-4, 0x1.bce57e7d7bce5p-1, 0x1.1fb5929949e84p-3,
    0x1.b12206ff0bc43p-1, 0x1.5696e1af02dadp-3, 0x1.a5f9bc9d1be1fp-1, 0x1.8c09644a33c3bp-3,
    0x1.9b60ed884d2b5p-1, 0x1.c01fc690535d3p-3, 0x1.914d0d71e81cfp-1, 0x1.f2eb5092da837p-3,
    0x1.87b4926f30f69p-1, 0x1.123e046a52ce3p-2, 0x1.7e8ed6c924011p-1, 0x1.2a70695cb12a9p-2,
    0x1.75d3feef175d4p-1, 0x1.4213c4b819a44p-2, 0x1.6d7ce2e6c0413p-1, 0x1.592e8be9dc317p-2
};
// clang-format on
const int64_t logarithms_32_first = INT64_C(0x3fe6aaaaaaaaaaab);

// 1 / c, c, log(c) in two parts for each of 128 intervals, c of few bits; |z / c - 1| < 0.00450,
// around 1 0.01042
// clang-format off
const double logarithms_128[512] = {
    0x1.6c16c16c16c17p0, 0x1.68p-1, -0x1.68ac83e9c7p-2, 0x1.7af966c548a3p-44,
    0x1.6a13cd153729p0, 0x1.6ap-1, -0x1.630030b3abp-2, 0x1.db623e731aep-45,
    0x1.6816816816817p0, 0x1.6cp-1, -0x1.5d5bddf596p-2, 0x1.a0b2a08a465dcp-47,
    0x1.661ec6a5122f9p0, 0x1.6ep-1, -0x1.57bf753c8dp-2, -0x1.fadedee5d40efp-46,
    0x1.642c8590b2164p0, 0x1.7p-1, -0x1.522ae0738ap-2, -0x1.ebe708164c759p-45,
    0x1.623fa7701624p0, 0x1.72p-1, -0x1.4c9e09e173p-2, 0x1.e20891b0ad8a4p-45,
    0x1.6058160581606p0, 0x1.74p-1, -0x1.4718dc271cp-2, -0x1.06c18fb4c14c5p-44,
    0x1.5e75bb8d015e7p0, 0x1.76p-1, -0x1.419b423d5fp-2, 0x1.ce379226de3ecp-44,
    0x1.5c9882b931057p0, 0x1.78p-1, -0x1.3c25277333p-2, -0x1.83b54b606bd5cp-46,
    0x1.5ac056b015acp0, 0x1.7ap-1, -0x1.36b6776be1p-2, -0x1.16ecdb0f177c8p-46,
    0x1.58ed2308158edp0, 0x1.7cp-1, -0x1.314f1e1d36p-2, 0x1.8e27ad3213cb8p-45,
    0x1.571ed3c506b3ap0, 0x1.7ep-1, -0x1.2bef07cdc9p-2, -0x1.a9cfa4a5004f4p-45,
    0x1.5555555555555p0, 0x1.8p-1, -0x1.269621134ep-2, 0x1.1b61f10522625p-44,
    0x1.5390948f40febp0, 0x1.82p-1, -0x1.214456d0ecp-2, 0x1.caf0428b728a3p-44,
    0x1.51d07eae2f815p0, 0x1.84p-1, -0x1.1bf99635a7p-2, 0x1.1ac89575c2125p-44,
    0x1.5015015015015p0, 0x1.86p-1, -0x1.16b5ccbadp-2, 0x1.23299042d74bfp-44,
    0x1.4e5e0a72f0539p0, 0x1.88p-1, -0x1.1178e8227ep-2, -0x1.1ef78ce2d07f2p-44,
    0x1.4cab88725af6ep0, 0x1.8ap-1, -0x1.0c42d67616p-2, -0x1.7188b163ceae9p-45,
    0x1.4afd6a052bf5bp0, 0x1.8cp-1, -0x1.07138604d6p-2, 0x1.e76324e912b17p-44,
    0x1.49539e3b2d067p0, 0x1.8ep-1, -0x1.01eae5626cp-2, -0x1.a43dcfade85aep-44,
    0x1.47ae147ae147bp0, 0x1.9p-1, -0x1.f991c6cb3cp-3, 0x1.90d04cd7cc834p-44,
    0x1.460cbc7f5cf9ap0, 0x1.92p-1, -0x1.ef5ade4ddp-3, 0x1.a211565bb8e11p-51,
    0x1.446f86562d9fbp0, 0x1.94p-1, -0x1.e530effe72p-3, 0x1.fdbdbb13f7c18p-44,
    0x1.42d6625d51f87p0, 0x1.96p-1, -0x1.db13db0d48p-3, -0x1.2806a847527e6p-44,
    0x1.4141414141414p0, 0x1.98p-1, -0x1.d1037f2656p-3, 0x1.84a7e75b6f6e4p-47,
    0x1.3fb013fb013fbp0, 0x1.9ap-1, -0x1.c6ffbc6fp-3, -0x1.ee138d3a69d43p-44,
    0x1.3e22cbce4a902p0, 0x1.9cp-1, -0x1.bd087383bep-3, 0x1.d4bc4595412b6p-45,
    0x1.3c995a47babe7p0, 0x1.9ep-1, -0x1.b31d8575bcp-3, -0x1.c794e562a63cbp-44,
    0x1.3b13b13b13b14p0, 0x1.ap-1, -0x1.a93ed3c8aep-3, 0x1.8724350562169p-45,
    0x1.3991c2c187f63p0, 0x1.a2p-1, -0x1.9f6c40708ap-3, 0x1.337d94bcd3f43p-44,
    0x1.3813813813814p0, 0x1.a4p-1, -0x1.95a5adcf7p-3, -0x1.7f22858a0ff6fp-47,
    0x1.3698df3de0748p0, 0x1.a6p-1, -0x1.8beafeb39p-3, 0x1.73d54aae92cd1p-47,
    0x1.3521cfb2b78c1p0, 0x1.a8p-1, -0x1.823c16551ap-3, -0x1.e0ddb9a631e83p-46,
    0x1.33ae45b57bcb2p0, 0x1.aap-1, -0x1.7898d85444p-3, -0x1.8e67be3dbaf3fp-44,
    0x1.323e34a2b10bfp0, 0x1.acp-1, -0x1.6f0128b756p-3, -0x1.577390d31ef0fp-44,
    0x1.30d190130d19p0, 0x1.aep-1, -0x1.6574ebe8c2p-3, 0x1.98c1d34f0f462p-44,
    0x1.2f684bda12f68p0, 0x1.bp-1, -0x1.5bf406b544p-3, 0x1.27023eb68981cp-46,
    0x1.2e025c04b8097p0, 0x1.b2p-1, -0x1.527e5e4a1cp-3, 0x1.4e60b8d4b411dp-44,
    0x1.2c9fb4d812cap0, 0x1.b4p-1, -0x1.4913d8333cp-3, 0x1.53e43558124c4p-44,
    0x1.2b404ad012b4p0, 0x1.b6p-1, -0x1.3fb45a5992p-3, -0x1.19713c0cae559p-44,
    0x1.29e4129e4129ep0, 0x1.b8p-1, -0x1.365fcb015ap-3, 0x1.fd3a0afb9691bp-44,
    0x1.288b01288b013p0, 0x1.bap-1, -0x1.2d1610c868p-3, -0x1.39d6ccb81b4a1p-47,
    0x1.27350b8812735p0, 0x1.bcp-1, -0x1.23d712a49cp-3, -0x1.00d238fd3df5cp-46,
    0x1.25e22708092f1p0, 0x1.bep-1, -0x1.1aa2b7e24p-3, 0x1.1ac38dde3b366p-44,
    0x1.2492492492492p0, 0x1.cp-1, -0x1.1178e8227ep-3, -0x1.1ef78ce2d07f2p-45,
    0x1.23456789abcdfp0, 0x1.c2p-1, -0x1.08598b59e4p-3, 0x1.7e5dd7009902cp-45,
    0x1.21fb78121fb78p0, 0x1.c4p-1, -0x1.fe89139dbcp-4, -0x1.56594d82f7a82p-44,
    0x1.20b470c67c0d9p0, 0x1.c6p-1, -0x1.ec739830ap-4, -0x1.11fcba80cdd1p-44,
    0x1.1f7047dc11f7p0, 0x1.c8p-1, -0x1.da72763844p-4, -0x1.a89401fa71733p-46,
    0x1.1e2ef3b3fb874p0, 0x1.cap-1, -0x1.c885801bc4p-4, -0x1.646d1c65aacd3p-45,
    0x1.1cf06ada2811dp0, 0x1.ccp-1, -0x1.b6ac88dad4p-4, -0x1.b1bdff50225c7p-44,
    0x1.1bb4a4046ed29p0, 0x1.cep-1, -0x1.a4e7640b1cp-4, 0x1.e42b6b94407c8p-47,
    0x1.1a7b9611a7b96p0, 0x1.dp-1, -0x1.9335e5d594p-4, -0x1.3115c3abd47dap-45,
    0x1.19453808ca29cp0, 0x1.d2p-1, -0x1.8197e2f41p-4, 0x1.c0fe460d20041p-44,
    0x1.1811811811812p0, 0x1.d4p-1, -0x1.700d30aeacp-4, -0x1.c1e8da99ded32p-49,
    0x1.16e0689427379p0, 0x1.d6p-1, -0x1.5e95a4d978p-4, -0x1.1cb7ce1d17171p-44,
    0x1.15b1e5f75270dp0, 0x1.d8p-1, -0x1.4d3115d208p-4, 0x1.53a2582f4e1efp-48,
    0x1.1485f0e0acd3bp0, 0x1.dap-1, -0x1.3bdf5a7d2p-4, 0x1.19bd0ad125895p-44,
    0x1.135c81135c811p0, 0x1.dcp-1, -0x1.2aa04a447p-4, -0x1.7a48ba8b1cb41p-44,
    0x1.12358e75d3033p0, 0x1.dep-1, -0x1.1973bd1464p-4, -0x1.566d154f930b3p-44,
    0x1.1111111111111p0, 0x1.ep-1, -0x1.08598b59e4p-4, 0x1.7e5dd7009902cp-46,
    0x1.0fef010fef011p0, 0x1.e2p-1, -0x1.eea31c0068p-5, -0x1.c3dd83606d891p-44,
    0x1.0ecf56be69c9p0, 0x1.e4p-1, -0x1.ccb73cddd8p-5, -0x1.965c36e09f5fep-44,
    0x1.0db20a88f4696p0, 0x1.e6p-1, -0x1.aaef2d0fbp-5, -0x1.0fc1a353bb42ep-45,
    0x1.0c9714fbcda3bp0, 0x1.e8p-1, -0x1.894aa149f8p-5, -0x1.9a19a8be97661p-44,
    0x1.0b7e6ec259dc8p0, 0x1.eap-1, -0x1.67c94f2d48p-5, -0x1.dac20827cca0cp-44,
    0x1.0a6810a6810a7p0, 0x1.ecp-1, -0x1.466aed42ep-5, 0x1.c167375bdfd28p-45,
    0x1.0953f39010954p0, 0x1.eep-1, -0x1.252f32f8dp-5, -0x1.83e9ae021b67bp-45,
    0x1.0842108421084p0, 0x1.fp-1, -0x1.0415d89e78p-5, 0x1.dddc7f461c516p-44,
    0x1.073260a47f7c6p0, 0x1.f2p-1, -0x1.c63d2ec15p-6, 0x1.5439ce030a687p-44,
    0x1.0624dd2f1a9fcp0, 0x1.f4p-1, -0x1.8492528c9p-6, 0x1.aa0ba325a0c34p-45,
    0x1.05197f7d73404p0, 0x1.f6p-1, -0x1.432a92598p-6, -0x1.98139928637fep-47,
    0x1.041041041041p0, 0x1.f8p-1, -0x1.020565893p-6, -0x1.611d27c8e8417p-44,
    0x1.03091b51f5e1ap0, 0x1.fap-1, -0x1.82448a388p-7, -0x1.4554412c584ep-44,
    0x1.0204081020408p0, 0x1.fcp-1, -0x1.010157588p-7, -0x1.bce251998b506p-44,
    0x1p0, 0x1p0, 0, 0,
    0x1p0, 0x1p0, 0, 0,
    0x1p0, 0x1p0, 0, 0,
    0x1.f9182b6813bafp-1, 0x1.038p0, 0x1.bcf712c74p-7, 0x1.c25e097bd9771p-46,
    0x1.f53b3a3fa204ep-1, 0x1.058p0, 0x1.5c45a51b9p-6, -0x1.63bb6216d87d8p-45,
    0x1.f16d4c4401f17p-1, 0x1.078p0, 0x1.d91a66c54p-6, 0x1.e61f1658cfb9ap-45,
    0x1.edae0a9b3d3a5p-1, 0x1.098p0, 0x1.2a7ec2215p-5, -0x1.78ce77a9163fep-45,
    0x1.e9fd21044e799p-1, 0x1.0b8p0, 0x1.67f94f0948p-5, 0x1.ecc1f3e7e4ed7p-44,
    0x1.e65a3dbe74d6bp-1, 0x1.0d8p0, 0x1.a4fe9ffa4p-5, -0x1.6e584a0402925p-44,
    0x1.e2c511719ee16p-1, 0x1.0f8p0, 0x1.e19070c278p-5, -0x1.fea4664629e86p-45,
    0x1.df3d4f17de4dbp-1, 0x1.118p0, 0x1.0ed839b554p-4, -0x1.901f46d48abb4p-44,
    0x1.dbc2abe7d71d4p-1, 0x1.138p0, 0x1.2cb0283f5cp-4, 0x1.e1ee2ca657021p-44,
    0x1.d854df401d855p-1, 0x1.158p0, 0x1.4a50d3aa1cp-4, -0x1.f7fe1308973e2p-45,
    0x1.d4f3a293769cap-1, 0x1.178p0, 0x1.67bb0726ecp-4, 0x1.f724b69ef5912p-49,
    0x1.d19eb155f08a4p-1, 0x1.198p0, 0x1.84ef898e84p-4, -0x1.7d5cd246977c9p-44,
    0x1.ce55c8eac79p-1, 0x1.1b8p0, 0x1.a1ef1d806p-4, 0x1.cd4176df97bcbp-44,
    0x1.cb18a8930de6p-1, 0x1.1d8p0, 0x1.beba818148p-4, -0x1.89b78b6df1f57p-44,
    0x1.c7e7115d0ce95p-1, 0x1.1f8p0, 0x1.db5270187cp-4, 0x1.9277856ae181fp-44,
    0x1.c4c0c61456a8ep-1, 0x1.218p0, 0x1.f7b79fec38p-4, -0x1.10987e897ed01p-47,
    0x1.c1a58b327f576p-1, 0x1.238p0, 0x1.09f561ee72p-3, -0x1.8f3057157d1a8p-45,
    0x1.be9526d0769fap-1, 0x1.258p0, 0x1.17f6458fcap-3, 0x1.843fad093c8dcp-45,
    0x1.bb8f609879493p-1, 0x1.278p0, 0x1.25ded0abc6p-3, 0x1.5a3854f176449p-44,
    0x1.b89401b89401cp-1, 0x1.298p0, 0x1.33af57577p-3, 0x1.c9ecca2fe72a5p-44,
    0x1.b5a2d4d5b081fp-1, 0x1.2b8p0, 0x1.41682bf728p-3, -0x1.10047081f849dp-45,
    0x1.b2bba5ff26a23p-1, 0x1.2d8p0, 0x1.4f099f4a24p-3, -0x1.e9bf2fafeaf27p-44,
    0x1.afde42a2cb482p-1, 0x1.2f8p0, 0x1.5c94007598p-3, -0x1.a8d948cd23322p-44,
    0x1.ad0a798177693p-1, 0x1.318p0, 0x1.6a079d0f7ap-3, 0x1.5a3f8448d14f5p-44,
    0x1.aa401aa401aa4p-1, 0x1.338p0, 0x1.7764c128f2p-3, 0x1.274903479e3d1p-47,
    0x1.a77ef750a56dap-1, 0x1.358p0, 0x1.84abb75866p-3, -0x1.d8daadf4e2bd2p-44,
    0x1.a4c6e200d2637p-1, 0x1.378p0, 0x1.91dcc8c34p-3, 0x1.7bc6abddeff46p-44,
    0x1.a217ae575ff2fp-1, 0x1.398p0, 0x1.9ef83d276ap-3, -0x1.730b7b3f9cep-45,
    0x1.9f713117200dp-1, 0x1.3b8p0, 0x1.abfe5ae462p-3, -0x1.b68f5395f139dp-44,
    0x1.9cd34019cd34p-1, 0x1.3d8p0, 0x1.b8ef67042p-3, 0x1.87533321788ep-44,
    0x1.9a3db2474fb98p-1, 0x1.3f8p0, 0x1.c5cba543aep-3, 0x1.0929decb454fcp-45,
    0x1.97b05f8d56652p-1, 0x1.418p0, 0x1.d293581b6cp-3, -0x1.83270128aaa5fp-44,
    0x1.952b20d73ee97p-1, 0x1.438p0, 0x1.df46c0c722p-3, 0x1.a5e82b0b79039p-44,
    0x1.92add0064ab74p-1, 0x1.458p0, 0x1.ebe61f4dd8p-3, -0x1.3d45330fdca4dp-45,
    0x1.903847ea1cec1p-1, 0x1.478p0, 0x1.f871b28956p-3, -0x1.f75fd6a526efep-44,
    0x1.8dca64397e408p-1, 0x1.498p0, 0x1.0274dc16c2p-2, 0x1.979e89cf835c2p-45,
    0x1.8b64018b64019p-1, 0x1.4b8p0, 0x1.08a73667c5p-2, 0x1.ebc1d40c5a329p-44,
    0x1.8904fd503744bp-1, 0x1.4d8p0, 0x1.0ed005f658p-2, -0x1.2dc75285aa803p-45,
    0x1.86ad35cb59a84p-1, 0x1.4f8p0, 0x1.14ef67f887p-2, -0x1.e97a65dfc9794p-44,
    0x1.845c8a0ce5129p-1, 0x1.518p0, 0x1.1b05791f08p-2, -0x1.2dd466dc55e2dp-44,
    0x1.8212d9eba4018p-1, 0x1.538p0, 0x1.2112559861p-2, 0x1.82e78ba2950c4p-44,
    0x1.7fd005ff4018p-1, 0x1.558p0, 0x1.27161913f8p-2, 0x1.4f4f1f61564b4p-44,
    0x1.7d93ef9aa4b46p-1, 0x1.578p0, 0x1.2d10dec508p-2, 0x1.60c61f7088353p-44,
    0x1.7b5e78c693733p-1, 0x1.598p0, 0x1.3302c16586p-2, 0x1.6217dc2a3e08bp-44,
    0x1.792f843c689c3p-1, 0x1.5b8p0, 0x1.38ebdb38edp-2, 0x1.90582e67d4cap-45,
    0x1.7706f5610d8dp-1, 0x1.5d8p0, 0x1.3ecc460ef6p-2, -0x1.6028627c1300fp-47,
    0x1.74e4b040174e5p-1, 0x1.5f8p0, 0x1.44a41b463cp-2, 0x1.1ee28f37cf612p-44,
    0x1.72c899870f91fp-1, 0x1.618p0, 0x1.4a7373cedp-2, -0x1.9a234ebf35449p-44,
    0x1.70b29680e66fap-1, 0x1.638p0, 0x1.503a682cb2p-2, -0x1.a68c8f16f9b5dp-45,
    0x1.6ea28d118b474p-1, 0x1.658p0, 0x1.55f9107a44p-2, -0x1.1e64778df4a62p-46
};
// clang-format on
const int64_t logarithms_128_first = INT64_C(0x3fe66aaaaaaaaaab);

// (2^(u / 32) - 1) / u, |u| <= 1/2: largest error of the power: 2^-33.2
const Polynomial exp_of_32nd = {
    3, {0x1.62e42fef5b235p-6, 0x1.ebfce5303eb78p-13, 0x1.c6b187f845236p-20}};

// (exp(r) - 1 - r) / r^2, |r| <= log(2) / 256: largest error of the power: 2^-65.4
const Polynomial exp_of_128th = {
    4, {0x1.ffffffffffdbbp-2, 0x1.555555555545fp-3, 0x1.55555cf38cd31p-5, 0x1.111116348cbdbp-7}};

// The same for |r| <= log(2) / 32: 2^-56.2
const Polynomial exp_of_16th = {5,
                                {0x1.0000000000005p-1, 0x1.555555548ed8ap-3, 0x1.55555554603c5p-5,
                                 0x1.11123b38fbb11p-7, 0x1.6c185d331c332p-10}};

// (log(1 + r) - r) / r^2, |r| < 0.01546: largest error of the logarithm, relative to r: 2^-28.9
const Polynomial log_of_32nd = {
    3, {-0x1.ffffffbc343c1p-2, 0x1.555fb750d4f5ep-2, -0x1.000ef73dbcb58p-2}};

// The same for powers: 2^-43.6
const Polynomial log_of_32nd_precise = {5,
                                        {-0x1.00000000008a3p-1, 0x1.55555518de2cap-2,
                                         -0x1.fffffefac24bp-3, 0x1.99b285fcba35fp-3,
                                         -0x1.5573509b4ca82p-3}};

// The same for |r| < 0.01042: 2^-62.7
const Polynomial log_of_128th = {7,
                                 {-0x1p-1, 0x1.555555555572ap-2, -0x1.0000000000316p-2,
                                  0x1.99999967970cdp-3, -0x1.55555515f4396p-3, 0x1.249e6c5912555p-3,
                                  -0x1.000c0167ec6f8p-3}};

// (log(1 + r) - r + r^2 / 2) / r^3 for |r| < 0.01042, likewise: 2^-70.1
const Polynomial log_of_128th_precise = {
    7,
    {0x1.5555555555555p-2, -0x1.000000000021fp-2, 0x1.99999999a01cep-3, -0x1.55555522047e6p-3,
     0x1.249247c8444fp-3, -0x1.000b872df05e3p-3, 0x1.c755334cfe508p-4}};
