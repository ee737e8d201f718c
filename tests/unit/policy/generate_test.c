/* What is generated loads without errors, keeps what must be kept, and is not fooled by what devices call themselves. */
#include "test.h"

#include <string.h>

#include "base/cleanup.h"
#include "policy/findings.h"
#include "policy/generate.h"

#define EXACT(c, s, p)                                                                                                 \
    {                                                                                                                  \
        .class_ = (c), .subclass = (s), .protocol = (p)                                                                \
    }

static const struct policy_interface keyboard[] = {EXACT(3, 1, 1), EXACT(3, 0, 0)}, mouse[] = {EXACT(3, 1, 2)},
                                     hub[] = {EXACT(9, 0, 1), EXACT(9, 0, 2)}, stick[] = {EXACT(8, 6, 0x50)},
                                     camera[] = {EXACT(0xe, 1, 0), EXACT(0xe, 2, 0), EXACT(0xe, 2, 0)},
                                     bad_usb[] = {EXACT(3, 1, 1), EXACT(8, 6, 0x50)}, vendor[] = {EXACT(0xff, 0, 0)};

#define HASH "00000000000000000000000000000000000000000000000000000000000000" /* and two digits */
#define DEVICE(v, p, s, n, h, c, list)                                                                                 \
    {                                                                                                                  \
        .vendor = (v), .product = (p), .serial = (s), .name = (n), .hash = (h), .connect_type = (c),                   \
        .interfaces = (list), .n_interfaces = ELEMENTS(list)                                                           \
    }

static const struct policy_generate_device present[] = {
    DEVICE(0x1d6b, 2, "", "Hub", HASH "a0", "", hub),
    DEVICE(0x781, 0x5583, "4C53", "Ultra", HASH "a1", "hotplug", stick),
    DEVICE(0x46d, 0xc077, "", "Mouse", HASH "a2", "hotplug", mouse),
    DEVICE(0x46d, 0xc31c, "", "キーボード", HASH "a3", "hardwired", keyboard),
    DEVICE(0x46d, 0xc077, "", "Mouse", HASH "a2", "hotplug", mouse), /* the same model again */
    DEVICE(0x46d, 0x825, "AB\x1b[2J", "evil\n# : {name: \"x\"", HASH "a4", "hotplug", camera),
    DEVICE(0x666, 1, "X", "types and stores", HASH "a5", "hotplug", bad_usb),
    DEVICE(0x777, 1, "Y", "unreadable", "", "", stick),
    DEVICE(0x888, 1, "it's: \"7\"", "- &a *b !c", HASH "a6", "hotplug", camera),
};

static const struct policy_generate_options options = {
    .organization = "city: example", .name = "生成", .zone = POLICY_ZONE_LGWAN, .mode = POLICY_MONITOR};

static struct policy *load(const struct buf *b)
{
    struct policy_findings findings = {0};
    struct policy *p = NULL;

    if (policy_load("generated", b->data, b->size, &findings, &p) != 0) {
        policy_findings_print(&findings, stderr, "generated", b->data, b->size);
        fail_msg("does not load:\n%.*s", (int)b->size, (const char *)b->data);
    }
    assert_int_equal(findings.n, 0);
    policy_findings_done(&findings);
    return p;
}

static void test_present_devices(void **state)
{
    static const char *const ids[] = {"keyboard-1", "input-1", "hub-1", "device-1", "device-2"};
    struct buf b;
    struct policy *p;

    (void)state;
    buf_init(&b, POLICY_DOCUMENT_MAX);
    assert_int_equal(policy_generate(&options, present, ELEMENTS(present), &b), 0);
    p = load(&b);
    assert_string_equal(p->organization, "city: example");
    assert_string_equal(p->name, "生成");
    assert_int_equal(p->mode, POLICY_MONITOR);
    assert_int_equal(p->zone, POLICY_ZONE_LGWAN);
    assert_int_equal(p->n_usb, ELEMENTS(ids));
    for (size_t i = 0; i < ELEMENTS(ids); i++) {
        assert_string_equal(p->usb[i].id, ids[i]);
        assert_int_equal(p->usb[i].allow, POLICY_USE);
        assert_int_equal(p->usb[i].match.interfaces.op, POLICY_SET_EQUALS);
        for (size_t k = 0; k < p->usb[i].match.interfaces.n; k++)
            assert_int_not_equal(p->usb[i].match.interfaces.items[k].class_, 8);
    }
    assert_string_equal(p->usb[0].name, "キーボード");
    assert_string_equal(p->usb[0].match.connect_types.items[0], "hardwired");
    assert_int_equal(p->usb[1].match.connect_types.n, 0); /* a mouse may be moved to another port */
    assert_null(p->usb[3].name);
    assert_int_equal(p->usb[3].match.serials.n, 0);
    assert_string_equal(p->usb[3].match.hashes.items[0], HASH "a4");
    assert_int_equal(p->usb[3].match.interfaces.n, 3);
    assert_string_equal(p->usb[4].match.serials.items[0], "it's: \"7\"");
    assert_string_equal(p->usb[4].name, "- &a *b !c");
    (void)policy_unref(p);
    buf_done(&b);
}

/* The proposal is in comments; with the marks taken off it is a list of rules that load. */
static void test_storage_is_proposed(void **state)
{
    struct buf b, uncommented;
    struct policy *p;
    char *line;

    (void)state;
    buf_init(&b, POLICY_DOCUMENT_MAX);
    buf_init(&uncommented, POLICY_DOCUMENT_MAX);
    assert_int_equal(policy_generate(&options, present, ELEMENTS(present), &b), 0);
    assert_int_equal(buf_add(&b, "", 1), 0);
    assert_int_equal(buf_printf(&uncommented, "format: kuraban-policy/1\norganization: c\nname: n\nversion: 1\n"
                                              "mode: monitor\nusb:\n"),
                     0);
    line = strstr((char *)b.data, "#   ");
    assert_non_null(line);
    for (; line; line = strstr(line + 1, "\n#   ") ? strstr(line + 1, "\n#   ") + 1 : NULL)
        assert_int_equal(buf_printf(&uncommented, "%.*s\n", (int)strcspn(line + 4, "\n"), line + 4), 0);
    p = load(&uncommented);
    assert_int_equal(p->n_usb, 2);
    assert_string_equal(p->usb[0].id, "storage-1");
    assert_int_equal(p->usb[0].allow, POLICY_READ);
    assert_string_equal(p->usb[0].match.serials.items[0], "4C53");
    assert_int_equal(p->usb[1].match.devices.items[0].vendor, 0x666); /* what types and stores is storage */
    (void)policy_unref(p);
    buf_done(&uncommented);
    buf_done(&b);
}

/* Above each rule: what it is for, in words of ours, and where it is plugged in. What a device calls itself cannot end a comment. */
static void test_comments(void **state)
{
    static const struct policy_generate_device devices[] = {
        {.hash = HASH "b1", .connect_type = "hardwired", .port = "1-1", .interfaces = keyboard, .n_interfaces = 2},
        {.hash = HASH "b2", .port = "1-2", .interfaces = mouse, .n_interfaces = 1},
        {.hash = HASH "b3", .connect_type = "hotplug", .interfaces = bad_usb, .n_interfaces = 2},
        {.hash = HASH "b4", .port = "1\nx: y", .interfaces = camera, .n_interfaces = 3},
        {.hash = HASH "b5", .interfaces = vendor, .n_interfaces = 1},
    };
    static const char *const expected[] = {
        "\n# keyboard, input device (hardwired, port 1-1)\n- id: keyboard-1\n",
        "\n# mouse (port 1-2)\n- id: input-1\n",
        "\n# video\n- id: device-1\n",
        "\n# other device\n- id: device-2\n",
        "\n#   # keyboard, storage (hotplug)\n#   - id: storage-1\n",
    };
    struct buf b;

    (void)state;
    buf_init(&b, POLICY_DOCUMENT_MAX);
    assert_int_equal(policy_generate(&options, devices, ELEMENTS(devices), &b), 0);
    (void)policy_unref(load(&b));
    assert_int_equal(buf_add(&b, "", 1), 0);
    for (size_t i = 0; i < ELEMENTS(expected); i++)
        if (!strstr((char *)b.data, expected[i]))
            fail_msg("no %s in\n%s", expected[i], (char *)b.data);
    buf_done(&b);
}

/* A disk that the machine runs from stays, to be read; its twin by hash, plugged in before, has no rule of its own. What leads to it stays
 * too, and is said to. */
static void test_what_carries_the_system(void **state)
{
    static const struct policy_generate_device devices[] = {
        {.hash = HASH "c1", .port = "1-1", .interfaces = stick, .n_interfaces = 1},
        {.hash = HASH "c2", .port = "1-2", .interfaces = hub, .n_interfaces = 2},
        {.hash = HASH "c2", .port = "1-3", .interfaces = hub, .n_interfaces = 2, .carries_system = true},
        {.hash = HASH "c1",
         .port = "1-3.1",
         .serial = "4C53",
         .interfaces = stick,
         .n_interfaces = 1,
         .carries_system = true},
        {.hash = HASH "c3", .port = "1-4", .interfaces = bad_usb, .n_interfaces = 2},
        {.hash = HASH "c4", .port = "1-5", .interfaces = vendor, .n_interfaces = 1, .carries_system = true},
    };
    static const char *const ids[] = {"hub-1", "device-1", "system-1"};
#define WHY "# This machine runs from it: refused, the system loses its disk.\n"
    static const char *const expected[] = {
        "\n# hub (port 1-3)\n" WHY "- id: hub-1\n",
        "\n# other device (port 1-5)\n" WHY "- id: device-1\n",
        "\n# storage (port 1-3.1)\n" WHY "- id: system-1\n",
        "\n#   # keyboard, storage (port 1-4)\n#   - id: storage-1\n",
    };
    struct buf b;
    struct policy *p;

    (void)state;
    buf_init(&b, POLICY_DOCUMENT_MAX);
    assert_int_equal(policy_generate(&options, devices, ELEMENTS(devices), &b), 0);
    p = load(&b);
    assert_int_equal(p->n_usb, ELEMENTS(ids));
    for (size_t i = 0; i < ELEMENTS(ids); i++)
        assert_string_equal(p->usb[i].id, ids[i]);
    assert_int_equal(p->usb[2].allow, POLICY_READ);
    assert_string_equal(p->usb[2].match.serials.items[0], "4C53");
    assert_false(p->usb[2].unique_serial); /* a twin does not take it away */
    assert_int_equal(p->usb[2].match.interfaces.op, POLICY_SET_EQUALS);
    (void)policy_unref(p);
    assert_int_equal(buf_add(&b, "", 1), 0);
    for (size_t i = 0; i < ELEMENTS(expected); i++)
        if (!strstr((char *)b.data, expected[i]))
            fail_msg("no %s in\n%s", expected[i], (char *)b.data);
    assert_null(strstr((char *)b.data, "storage-2"));
    buf_done(&b);
}

static void test_nothing_present(void **state)
{
    struct buf b, small;
    struct policy *p;

    (void)state;
    buf_init(&b, POLICY_DOCUMENT_MAX);
    assert_int_equal(policy_generate(&options, NULL, 0, &b), 0);
    p = load(&b);
    assert_int_equal(p->n_usb, 0);
    assert_int_equal(buf_add(&b, "", 1), 0);
    assert_ptr_equal(strstr((char *)b.data, "# yaml-language-server: $schema=" KURABAN_DATA_DIR "/"), b.data);
    (void)policy_unref(p);
    buf_done(&b);
    buf_init(&small, 64);
    assert_int_equal(policy_generate(&options, present, ELEMENTS(present), &small), -ENOBUFS);
    buf_done(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_present_devices), cmocka_unit_test(test_storage_is_proposed),
        cmocka_unit_test(test_comments),        cmocka_unit_test(test_what_carries_the_system),
        cmocka_unit_test(test_nothing_present),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
