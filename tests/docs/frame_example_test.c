/* The bytes that docs/PROTOCOL.*.md show are frames, and the ones they say. */
#include "test.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/frame.h"
#include "export/protocol.h"
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

static void test_export_page(void **state)
{
    _cleanup_free_ char *page = read_page("PROTOCOL.export.md");
    _cleanup_free_ char *name = NULL;
    uint8_t bytes[FRAME_MAX];
    char *at = strstr(page, "Example: FILE");
    struct frame_view f;

    (void)state;
    assert_non_null(at);
    take_frame(&at, bytes, &f);
    assert_int_equal(f.type, EXPORT_FILE);
    assert_int_equal(buf_get_string(&f.body, EXPORT_TEXT_MAX, &name), 0);
    assert_string_equal(name, "a.csv");
    assert_int_equal(buf_get_end(&f.body), 0);
    take_frame(&at, bytes, &f);
    assert_int_equal(f.type, EXPORT_FILES_END);
    assert_int_equal(buf_get_end(&f.body), 0);
}

/* "| 0x203 | VERDICT | …": every frame there is, under its number, and no other. */
static void test_export_table(void **state)
{
#define FRAME(n)                                                                                                       \
    {                                                                                                                  \
#        n, EXPORT_##n, false                                                                                          \
    }
    struct {
        const char *name;
        unsigned number;
        bool seen;
    } frames[] = {
        FRAME(FILE),     FRAME(FILES_END),  FRAME(REFUSED), FRAME(PROGRESS), FRAME(PASSWORD), FRAME(RESULT),
        FRAME(BEGIN),    FRAME(STAGE),      FRAME(VERDICT), FRAME(COPY),     FRAME(OPEN),     FRAME(COMMIT),
        FRAME(RECORDED), FRAME(STOP),       FRAME(PACK),    FRAME(STAGER),   FRAME(OPENED),   FRAME(OPENED_END),
        FRAME(STAGED),   FRAME(STAGED_END), FRAME(READY),   FRAME(MOUNTED),  FRAME(WRITTEN),  FRAME(DONE),
        FRAME(FAILED),   FRAME(AGAIN),      FRAME(WRITE),   FRAME(ROOM),
    };
    _cleanup_free_ char *page = read_page("PROTOCOL.export.md");
    char *at = page, *line;

    (void)state;
    while ((line = strsep(&at, "\n"))) {
        unsigned number = 0;
        char name[32] = "";
        bool known = false;

        if (sscanf(line, "| 0x%x | %31[A-Z-] |", &number, name) != 2)
            continue;
        for (char *dash; (dash = strchr(name, '-'));)
            *dash = '_';
        for (size_t i = 0; i < ELEMENTS(frames); i++)
            if (strcmp(frames[i].name, name) == 0) {
                assert_int_equal(frames[i].number, number);
                known = frames[i].seen = true;
            }
        if (!known)
            fail_msg("no frame %s", name);
    }
    for (size_t i = 0; i < ELEMENTS(frames); i++)
        if (!frames[i].seen)
            fail_msg("%s is not on the page", frames[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frame_page),
        cmocka_unit_test(test_keeper_page),
        cmocka_unit_test(test_export_page),
        cmocka_unit_test(test_export_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
