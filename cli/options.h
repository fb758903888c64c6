// The command line's options: one struct filled from argv by the table in cli/options.def.
#ifndef TDSL_CLI_OPTIONS_H
#define TDSL_CLI_OPTIONS_H

#include <stdio.h>

#include "library/tdsl.h"

// NAME=VALUE as given; value is "" and has_value false for a bare NAME.
typedef struct Setting {
    char *name;
    const char *value;
    bool has_value;
} Setting;

typedef struct SettingList {
    Setting *at;
    int count;
} SettingList;

typedef struct Options {
    TdslOptions compiler;
    const char *command;
    const char *file;
    SettingList set, dimensions, seeds;
    const char **in; // files, in order
    int in_count;
    const char *out;
    char **wrt;
    int wrt_count; // 0: not given
    int64_t key;   // of the random numbers
    int64_t repeat;
    bool zero_grad;
    bool json;
    bool markdown;
    bool help;
    const char *output, *stage;
    const char *data;
    int64_t batch; // 0: not given
    int64_t epochs;
    const char *optimizer;
    double learning_rate, momentum, weight_decay;
    double step, relative_tolerance, absolute_tolerance;
} Options;

// Fills *options; on a mistake prints it to stderr and returns false (exit code 2). The strings
// point into argv or are owned by *options.
bool options_parse(int count, char **arguments, Options *options);
void options_free(Options *options);

// The commands, for dispatch and help.
typedef struct Command {
    const char *name;
    int (*run)(const Options *options); // returns the exit code
    int options;                        // which groups of options it takes
    const char *usage, *help;
} Command;
const Command *command_find(const char *name);
void print_help(FILE *out, const Command *command); // NULL: of tdsl as a whole

#endif
