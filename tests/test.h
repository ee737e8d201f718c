#pragma once

/* What every test file includes first: cmocka needs these four headers before its own. */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
// clang-format on

/* Exit status of a test program that cannot run on this machine; it prints "SKIP: reason" first. */
#define TEST_EXIT_SKIP 77

/* Leave one test case and say why; tests/run repeats every line that starts with "SKIP: ". */
#define skip_because(reason)                                                                                           \
    do {                                                                                                               \
        printf("SKIP: %s: %s\n", __func__, reason);                                                                    \
        fflush(stdout);                                                                                                \
        skip();                                                                                                        \
    } while (0)
