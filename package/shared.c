// The shared library is made of the rooms' archives; a library wants a source file of its own.
#include "library/tdsl.h"
