/* Owns: drawing QR codes. Must not: know what they say, or leave a copy of it. */
#include "cli/qr.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <png.h>
#include <qrencode.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

#define COLOURS "\033[0;30;107m"
#define END "\033[0m\n"

/* --- encoding, in a child: libqrencode frees its copies of the text as they are, and a child takes its memory with it --- */

enum {
    TOO_LONG = 1, /* the child's exit status */
    FAILED,
    SIDE_MAX = 177, /* version 40 */
};

static int encode(const char *text, enum qr_use use, int fd)
{
    QRcode *code = QRcode_encodeString8bit(text, 0, use == QR_SCREEN ? QR_ECLEVEL_L : QR_ECLEVEL_M);
    size_t size, done = 0;
    uint8_t side;

    if (!code)
        return errno == ERANGE || errno == EINVAL ? TOO_LONG : FAILED;
    side = (uint8_t)code->width;
    size = (size_t)side * side;
    if (write(fd, &side, 1) != 1)
        return FAILED;
    while (done < size) {
        ssize_t n = write(fd, code->data + done, size - done);

        if (n <= 0)
            return FAILED;
        done += (size_t)n;
    }
    return 0;
}

static int read_all(int fd, uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = read(fd, bytes, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        bytes += n;
        size -= (size_t)n;
    }
    return 0;
}

static int receive(int fd, struct qr *ret)
{
    struct qr q = {0};
    uint8_t side = 0;
    int r = read_all(fd, &side, 1);

    if (r == 0 && (side == 0 || side > SIDE_MAX))
        r = -EIO;
    if (r < 0)
        return r;
    q.width = side;
    q.dark = malloc((size_t)side * side);
    r = q.dark ? read_all(fd, q.dark, (size_t)side * side) : -ENOMEM;
    if (r < 0) {
        qr_wipe(&q);
        return r;
    }
    for (size_t i = 0; i < (size_t)side * side; i++)
        q.dark[i] &= 1;
    *ret = q;
    return 0;
}

int qr_make(const char *text, enum qr_use use, struct qr *ret)
{
    int fds[2], status = 0, r;
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    pid = fork();
    if (pid == 0) {
        (void)close(fds[0]);
        _exit(encode(text, use, fds[1]));
    }
    r = pid < 0 ? -errno : 0;
    (void)close(fds[1]);
    if (r == 0)
        r = receive(fds[0], ret);
    (void)close(fds[0]);
    if (pid > 0) {
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            continue;
        if (r == -EIO && WIFEXITED(status) && WEXITSTATUS(status) == TOO_LONG)
            r = -EMSGSIZE;
    }
    return r;
}

void qr_wipe(struct qr *q)
{
    if (q->dark)
        OPENSSL_cleanse(q->dark, (size_t)q->width * q->width);
    free(q->dark);
    *q = (struct qr){0};
}

/* Counted from the corner of the quiet zone. */
static bool is_dark(const struct qr *q, unsigned quiet, unsigned row, unsigned column)
{
    return row >= quiet && column >= quiet && row - quiet < q->width && column - quiet < q->width &&
           q->dark[(size_t)(row - quiet) * q->width + column - quiet];
}

unsigned qr_columns(const struct qr *q, unsigned quiet)
{
    return q->width + 2 * quiet;
}

unsigned qr_rows(const struct qr *q, unsigned quiet)
{
    return (q->width + 2 * quiet + 1) / 2;
}

int qr_text(const struct qr *q, unsigned quiet, struct buf *b)
{
    static const char *const halves[] = {" ", "▄", "▀", "█"};
    unsigned side = qr_columns(q, quiet);
    int r = 0;

    for (unsigned row = 0; row < side && r == 0; row += 2) {
        r = buf_add(b, COLOURS, strlen(COLOURS));
        for (unsigned column = 0; column < side && r == 0; column++) {
            unsigned upper = is_dark(q, quiet, row, column), lower = is_dark(q, quiet, row + 1, column);
            const char *half = halves[2 * upper + lower];

            r = buf_add(b, half, strlen(half));
        }
        if (r == 0)
            r = buf_add(b, END, strlen(END));
    }
    return r;
}

int qr_svg(const struct qr *q, struct buf *b)
{
    unsigned side = qr_columns(q, QR_QUIET);
    int r = buf_printf(b,
                       "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                       "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" viewBox=\"0 0 %u %u\" "
                       "shape-rendering=\"crispEdges\">\n<rect width=\"%u\" height=\"%u\" fill=\"#fff\"/>\n<path d=\"",
                       side * QR_SCALE, side * QR_SCALE, side, side, side, side);

    for (unsigned row = 0; row < side && r == 0; row++)
        for (unsigned column = 0; column < side && r == 0; column++)
            if (is_dark(q, QR_QUIET, row, column))
                r = buf_printf(b, "M%u %uh1v1h-1z", column, row);
    return r < 0 ? r : buf_printf(b, "\" fill=\"#000\"/>\n</svg>\n");
}

static int draw(const struct qr *q, uint8_t **ret, size_t *ret_size, unsigned *ret_side)
{
    unsigned side = qr_columns(q, QR_QUIET) * QR_SCALE;
    size_t size = (size_t)side * side;
    uint8_t *pixels = malloc(size);

    if (!pixels)
        return -ENOMEM;
    for (unsigned y = 0; y < side; y++)
        for (unsigned x = 0; x < side; x++)
            pixels[(size_t)y * side + x] = is_dark(q, QR_QUIET, y / QR_SCALE, x / QR_SCALE) ? 0 : 255;
    *ret = pixels;
    *ret_size = size;
    *ret_side = side;
    return 0;
}

int qr_png(const struct qr *q, struct buf *b)
{
    png_image image = {.version = PNG_IMAGE_VERSION, .format = PNG_FORMAT_GRAY};
    uint8_t *pixels = NULL, *file = NULL;
    png_alloc_size_t wanted = 0;
    size_t size = 0;
    int r = draw(q, &pixels, &size, &image.width);

    if (r < 0)
        return r;
    image.height = image.width;
    /* The first call tells the size. */
    if (png_image_write_to_memory(&image, NULL, &wanted, 0, pixels, 0, NULL))
        file = malloc(wanted);
    if (file && png_image_write_to_memory(&image, file, &wanted, 0, pixels, 0, NULL))
        r = buf_add(b, file, wanted);
    else
        r = file ? -EIO : -ENOMEM;
    if (file)
        OPENSSL_cleanse(file, wanted);
    free(file);
    OPENSSL_cleanse(pixels, size);
    free(pixels);
    png_image_free(&image);
    return r;
}
