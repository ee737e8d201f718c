/*
 * What kuraban-notify makes of any JSON as notices, one for each line, while time goes on: it must stay in memory, show what a session bus
 * takes, and never have to do again at once what it has just done.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "fuzz/fuzz.h"
#include "notify/board.h"
#include "notify/note.h"

#define SECOND UINT64_C(1000000)

enum {
    LINES_MAX = 512,
    TEXT_MAX = 4096,
};

static void insist(int condition)
{
    if (!condition)
        abort();
}

static void on_show(void *context, unsigned place, const struct note *note, int fresh)
{
    size_t *shown = context;
    char *escaped = note_escape(note->body);

    (void)fresh;
    (*shown)++;
    insist(place < BOARD_PLACES);
    insist(text_is_printable_utf8(note->summary) && strlen(note->body) < TEXT_MAX);
    insist(escaped && !strpbrk(escaped, "<>"));
    for (char *c = strchr(escaped, '\n'); c; c = strchr(c, '\n'))
        *c = ' ';
    insist(text_is_printable_utf8(escaped));
    free(escaped);
}

static void on_close(void *context, unsigned place)
{
    (void)context;
    insist(place < BOARD_PLACES);
}

static void take(struct board *b, const char *line, size_t size, uint64_t *now)
{
    json_t *notice = json_loadb(line, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    uint64_t next;

    board_take(b, notice, *now);
    json_decref(notice);
    next = board_next_us(b);
    *now = next != UINT64_MAX && next > *now && size % 2 ? next : *now + SECOND / 4;
    board_tick(b, *now);
    /* What is due was done: the loop would not sleep. */
    next = board_next_us(b);
    insist(next > *now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t shown = 0;
    const struct board_ops ops = {.show = on_show, .close = on_close, .context = &shown};
    const char *at = (const char *)data, *end = at + size;
    struct board *b = NULL;
    uint64_t now = 1000 * SECOND;

    insist(board_new(&ops, 1000, &b) == 0);
    for (int i = 0; at < end && i < LINES_MAX; i++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((newline ? newline : end) - at);

        take(b, at, length, &now);
        at += length + (newline ? 1 : 0);
    }
    (void)board_free(b);
    return 0;
}
