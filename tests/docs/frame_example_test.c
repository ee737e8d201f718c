/* The bytes that docs/PROTOCOL.frame.md shows are a frame, and the one it says. */
#include "test.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/frame.h"

enum {
    PAGE_MAX = 64 * 1024
};

/* The hex digits of the first line of the first code block. */
static size_t example_bytes(uint8_t *bytes, size_t size)
{
    _cleanup_close_ int docs = -1;
    _cleanup_free_ uint8_t *page = NULL;
    size_t page_size = 0, n = 0;
    char path[4096];
    const char *at;

    assert_non_null(getenv("KURABAN_SOURCE"));
    (void)snprintf(path, sizeof(path), "%s/docs", getenv("KURABAN_SOURCE"));
    docs = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(docs >= 0);
    assert_int_equal(files_read_at(docs, "PROTOCOL.frame.md", PAGE_MAX, &page, &page_size), 0);
    at = strstr((const char *)page, "```\n");
    assert_non_null(at);
    for (at += strlen("```\n"); *at != '\n' && n < size; at++)
        if (isxdigit((unsigned char)at[0]) && isxdigit((unsigned char)at[1])) {
            const char digits[] = {at[0], at[1], '\0'};

            bytes[n++] = (uint8_t)strtoul(digits, NULL, 16);
            at++;
        }
    return n;
}

static void test_example(void **state)
{
    uint8_t bytes[64];
    size_t n = example_bytes(bytes, sizeof(bytes)), used = 0;
    _cleanup_free_ char *text = NULL;
    struct frame_view f;

    (void)state;
    assert_int_equal(frame_parse(bytes, n, &f, &used), 1);
    assert_int_equal(used, n);
    assert_int_equal(f.type, 7);
    assert_int_equal(f.flags, 0);
    assert_int_equal(buf_get_string(&f.body, 16, &text), 0);
    assert_string_equal(text, "kura");
    assert_int_equal(buf_get_end(&f.body), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_example),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
