#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* A QR code of a text that may be a secret: what is made of it is to be wiped. By libqrencode. */
struct qr {
    unsigned width; /* modules, without the quiet zone */
    uint8_t *dark;  /* width * width; 1 is dark */
};

enum {
    QR_QUIET = 4, /* modules of light around, ISO/IEC 18004 */
    QR_SCALE = 8, /* pixels of a module */
};

/* 0, -EMSGSIZE when it is too long for a code, other -errno. Forks: libqrencode leaves copies of the text behind. */
enum qr_use {
    QR_SCREEN = 1, /* small, so that it fits: nothing damages a screen (error correction L) */
    QR_PAPER,      /* error correction M */
};
int qr_make(const char *text, enum qr_use use, struct qr *ret);
void qr_wipe(struct qr *q);

/* For a terminal: two modules in one character, black on white whatever the terminal's colours are. quiet is less where there is no room for
 * QR_QUIET; most cameras are content with 1. Each adds to b. 0 or -errno of buf_add(). */
int qr_text(const struct qr *q, unsigned quiet, struct buf *b);
/* Places it takes. */
unsigned qr_columns(const struct qr *q, unsigned quiet);
unsigned qr_rows(const struct qr *q, unsigned quiet);

int qr_svg(const struct qr *q, struct buf *b);
/* By libpng; -EIO when it fails. */
int qr_png(const struct qr *q, struct buf *b);
