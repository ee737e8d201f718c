#pragma once

struct note;
struct sd_event;

/* The person's desktop: notifications through whatever server their session has (org.freedesktop.Notifications on the session bus). Nothing here
 * waits for it. Where none runs yet, what was to be shown waits for some minutes. */
struct desk;

struct desk_options {
    struct sd_event *loop;
    /* The session bus is gone, or another kuraban-notify is here now: there is nothing more to do. */
    void (*over)(void *context);
    void *context;
};

/* Connects to the session bus and takes the name of the one that notifies there, from another that has it. 0; -errno: no bus, or it does not answer. */
int desk_new(const struct desk_options *options, struct desk **ret);
struct desk *desk_free(struct desk *d);

/* Shows note in this place, below BOARD_PLACES: instead of what was there, unless fresh. Copies. */
void desk_show(struct desk *d, unsigned place, const struct note *note, int fresh);
void desk_close(struct desk *d, unsigned place);
