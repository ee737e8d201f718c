#pragma once

#include "unit/cli/run.h"

#include <jansson.h>
#include <unistd.h>

#include "fake/sysfs_usb.h"

/* The program on a made-up bus with a stick in it, for the tests of policy generate, check and explain. */

static struct fake_usb bus;
static char policy_path[128], config_path[128];

static const struct fake_device stick = {.name = "1-2",
                                         .vendor = 0x0781,
                                         .product = 0x5583,
                                         .product_name = "Ultra Fit",
                                         .serial = "4C530001",
                                         .interfaces = {{0, 0, 8, 6, 0x50}},
                                         .n_interfaces = 1};

static inline int bus_setup(void **state)
{
    char text[512];

    (void)state;
    fake_usb_init(&bus, true);
    fake_usb_add_root_hub(&bus, "usb1", "0000:00:14.0");
    fake_usb_plug(&bus, &stick);
    (void)snprintf(policy_path, sizeof(policy_path), "%s-policy.yaml", bus.root);
    (void)snprintf(config_path, sizeof(config_path), "%s-kuraban.yaml", bus.root);
    (void)snprintf(
        text, sizeof(text),
        "format: kuraban-config/1\npolicy: %s\nrun-directory: /nonexistent/run\nstate-directory: /nonexistent/s\n",
        policy_path);
    cli_write_file(config_path, text);
    return 0;
}

static inline int bus_teardown(void **state)
{
    (void)state;
    (void)unlink(policy_path);
    (void)unlink(config_path);
    fake_usb_done(&bus);
    return 0;
}

/* The answer about a device that is plugged in. */
static inline json_t *bus_explain(const char *device)
{
    struct cli_run r = RUN(config_path, bus.root, "--json", "policy", "explain", "--device", device);
    json_t *answer;

    assert_int_equal(r.code, CLI_OK);
    answer = json_loads(r.out, 0, NULL);
    assert_non_null(answer);
    cli_run_done(&r);
    return answer;
}

static inline void expect(const json_t *answer, const char *key, const char *value)
{
    assert_string_equal(json_string_value(json_object_get(answer, key)), value);
}
