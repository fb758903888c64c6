// Broken invariants: mistakes of the compiler, never of its user. Both print where they are and
// abort; the command line turns the abort into exit code 4.
#ifndef TDSL_IR_BASE_CHECK_H
#define TDSL_IR_BASE_CHECK_H

_Noreturn void internal_error(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define check(condition, ...)                                                                      \
    ((condition) ? (void)0 : internal_error(__FILE__, __LINE__, __VA_ARGS__))
#define unreachable(...) internal_error(__FILE__, __LINE__, __VA_ARGS__)

#endif
