/* The bytes that docs/PROTOCOL.*.md show are frames, and the ones they say. */
#include "test.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/frame.h"
#include "kern/keeper.h"

enum {
    PAGE_MAX = 64 * 1024,
    FRAME_MAX = 64
};

static char *read_page(const char *name)
{
    _cleanup_close_ int docs = -1;
    uint8_t *page = NULL;
    size_t size = 0;
    char path[4096];

    assert_non_null(getenv("KURABAN_SOURCE"));
    (void)snprintf(path, sizeof(path), "%s/docs", getenv("KURABAN_SOURCE"));
    docs = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(docs >= 0);
    assert_int_equal(files_read_at(docs, name, PAGE_MAX, &page, &size), 0);
    return (char *)page;
}

/* The bytes that the next line of hex digits at *at shows; 0 after the last such line. */
static size_t next_bytes(char **at, uint8_t *bytes, size_t size)
{
    char *line;

    while ((line = strsep(at, "\n"))) {
        size_t n = 0;

        if (strspn(line, "0123456789abcdef ") != strlen(line) || strlen(line) < 2 * FRAME_HEADER_SIZE)
            continue;
        for (const char *c = line; *c && n < size; c++)
            if (isxdigit((unsigned char)c[0]) && isxdigit((unsigned char)c[1])) {
                const char digits[] = {c[0], c[1], '\0'};

                bytes[n++] = (uint8_t)strtoul(digits, NULL, 16);
                c++;
            }
        return n;
    }
    return 0;
}

static void take_frame(char **at, uint8_t bytes[static FRAME_MAX], struct frame_view *ret)
{
    size_t n = next_bytes(at, bytes, FRAME_MAX), used = 0;

    assert_true(n > 0);
    assert_int_equal(frame_parse(bytes, n, ret, &used), 1);
    assert_int_equal(used, n);
}

static void test_frame_page(void **state)
{
    _cleanup_free_ char *page = read_page("PROTOCOL.frame.md");
    _cleanup_free_ char *text = NULL;
    uint8_t bytes[FRAME_MAX];
    char *at = page;
    struct frame_view f;

    (void)state;
    take_frame(&at, bytes, &f);
    assert_int_equal(f.type, 7);
    assert_int_equal(f.flags, 0);
    assert_int_equal(buf_get_string(&f.body, 16, &text), 0);
    assert_string_equal(text, "kura");
    assert_int_equal(buf_get_end(&f.body), 0);
}

static void take_group(char **at, const char *name)
{
    _cleanup_free_ char *text = NULL;
    uint8_t bytes[FRAME_MAX];
    struct frame_view f;

    take_frame(at, bytes, &f);
    assert_int_equal(f.type, KEEPER_GROUP);
    assert_int_equal(f.flags, FRAME_FLAG_MORE);
    assert_int_equal(buf_get_string(&f.body, 32, &text), 0);
    assert_string_equal(text, name);
    assert_int_equal(buf_get_end(&f.body), 0);
}

static void test_keeper_page(void **state)
{
    _cleanup_free_ char *page = read_page("PROTOCOL.keeper.md");
    uint8_t bytes[FRAME_MAX];
    char *at = page;
    struct frame_view f;
    uint32_t pid = 0, groups = 0;
    uint64_t refused = 1;

    (void)state;
    take_frame(&at, bytes, &f);
    assert_int_equal(f.type, KEEPER_HELLO);
    assert_int_equal(buf_get_end(&f.body), 0);
    take_group(&at, "fanotify-exits");
    take_group(&at, "fanotify-stores");
    take_frame(&at, bytes, &f);
    assert_int_equal(f.type, KEEPER_STATE);
    assert_int_equal(buf_get_u32(&f.body, &pid), 0);
    assert_int_equal(buf_get_u32(&f.body, &groups), 0);
    assert_int_equal(buf_get_u64(&f.body, &refused), 0);
    assert_int_equal(buf_get_end(&f.body), 0);
    assert_int_equal(pid, 258);
    assert_int_equal(groups, 2);
    assert_int_equal(refused, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frame_page),
        cmocka_unit_test(test_keeper_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
