// Tasks that are done at the same time, by threads that live no longer than they. Few and long
// ones: the pool of runtime/threads.h, which waits busily for the next chunk, is for microseconds,
// and comes with the programs that are compiled, not with the compiler.
#ifndef TDSL_CODEGEN_WORKERS_H
#define TDSL_CODEGEN_WORKERS_H

// How many processors this process may run on, at least 1; 1 if its address space is limited.
int usable_processors(void);

// Calls task(context, i) for every i from 0 to count - 1, in any order, on this thread and at most
// threads - 1 others. Where no thread can be started this one does everything.
void do_tasks(int count, int threads, void (*task)(void *context, int index), void *context);

#endif
