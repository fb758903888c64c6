// tdsl's command line: parses the options, dispatches to a command, and is the only part that
// decides about the process's end.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"

// A broken invariant of the compiler aborts after printing where it broke; the promised exit code
// for that is 4.
static void on_abort(int signal_number) {
    static const char text[] =
        "tdsl: this is a mistake in tdsl, not in your program; please report it\n";
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
        _exit(TDSL_INTERNAL);
    _exit(TDSL_INTERNAL);
}

int main(int count, char **arguments) {
    signal(SIGABRT, on_abort);
    signal(SIGXFSZ, SIG_IGN); // a file that grows too large is a failed write, with its message
    Options options;
    int code = TDSL_BAD_USAGE;
    if (options_parse(count, arguments, &options)) {
        const Command *command = options.command ? command_find(options.command) : NULL;
        if (options.help || command == NULL) {
            print_help(stdout, command);
            code = TDSL_OK;
        } else
            code = command->run(&options);
        if (fflush(stdout) != 0 || ferror(stdout)) {
            fputs("tdsl: error: writing to standard output failed\n", stderr);
            code = TDSL_BAD_FILE;
        }
    }
    options_free(&options);
    return code;
}
