#pragma once

#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "fake/machine.h"
#include "gate/gate.h"
#include "kern/fanotify.h"

/* A gate over the real kernel, for the component tests of media and stores. */

static int exits, stores, proc_fd, run_fd;
static struct gate *gate;

static inline void gate_open_descriptors(void)
{
    exits = fanotify_new_guard(&fanotify_kernel);
    stores = fanotify_new_guard(&fanotify_kernel);
    proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    run_fd = open(machine_root(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(exits >= 0 && stores >= 0 && proc_fd >= 0 && run_fd >= 0);
}

/* On the descriptors that are open; it begins to answer. */
static inline void gate_begin(struct policy *policy)
{
    const struct gate_options o = {.exits = exits, .stores = stores, .proc_fd = proc_fd, .run_fd = run_fd};

    assert_int_equal(gate_new(&o, &gate), 0);
    assert_int_equal(gate_set_policy(gate, policy), 0);
    assert_int_equal(gate_start(gate), 0);
}

static inline void gate_end(void)
{
    gate = gate_free(gate);
    close(exits);
    close(stores);
    close(proc_fd);
    close(run_fd);
}

/* Waits until the gate has told of an open, and drops what else comes before. */
static inline struct audit_event next_open(void)
{
    struct audit_event e;
    struct pollfd p = {.fd = gate_event_fd(gate), .events = POLLIN};

    for (;;) {
        while (gate_next_event(gate, &e))
            if (e.action == AUDIT_FILE_OPEN)
                return e;
        assert_int_equal(poll(&p, 1, 10000), 1);
    }
}

static inline uint64_t decisions(void)
{
    struct gate_status s;

    gate_get_status(gate, &s);
    return s.decisions;
}
