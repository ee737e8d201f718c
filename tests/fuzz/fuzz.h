#pragma once

#include <stddef.h>
#include <stdint.h>

/* The entry of every fuzz target: libFuzzer calls it in the fuzz preset, driver.c in all others. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
