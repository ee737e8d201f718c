/* The vectors of RFC 4226 appendix D and RFC 6238 appendix B, and what the RFCs do not show: the window, the far future, base32, otpauth:. */
#include "test.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "mfa/totp.h"

static const char secret_text[] = "1234567890123456789012345678901234567890123456789012345678901234";

static const uint8_t *secret(void)
{
    return (const uint8_t *)secret_text;
}

static void test_rfc_4226(void **state)
{
    static const char *const codes[] = {"755224", "287082", "359152", "969429", "338314",
                                        "254676", "287922", "162583", "399871", "520489"};
    char code[TOTP_CODE_SIZE];

    (void)state;
    for (size_t i = 0; i < ELEMENTS(codes); i++) {
        assert_int_equal(totp_code(&totp_default, secret(), 20, i, code), 0);
        assert_string_equal(code, codes[i]);
    }
}

/* What earlier calls left where locals lie now; also where AddressSanitizer keeps them, by their size, one after the other. */
#define FILL(size)                                                                                                     \
    __attribute__((noinline)) static void fill_##size(void)                                                            \
    {                                                                                                                  \
        char bytes[size];                                                                                              \
                                                                                                                       \
        memset(bytes, 'x', sizeof(bytes));                                                                             \
        __asm__ volatile("" : : "r"(bytes) : "memory");                                                                \
    }
FILL(100)
FILL(200)
FILL(400)
FILL(900)
FILL(16000)

static void fill_stack(void)
{
    static void (*const fills[])(void) = {fill_100, fill_200, fill_400, fill_900, fill_16000};
    enum {
        FRAMES = 1 << 17
    };

    for (size_t i = 0; i < ELEMENTS(fills); i++)
        for (unsigned n = 0; n < (i < 4 ? FRAMES : 1); n++)
            fills[i]();
}

/* Once, and in one run of many only: the length of a buffer was asked for before anything was in it. */
static void test_unclean_stack(void **state)
{
    const uint8_t *rfc = secret();
    char code[TOTP_CODE_SIZE];

    (void)state;
    fill_stack();
    assert_int_equal(totp_code(&totp_default, rfc, 20, 1, code), 0);
    assert_string_equal(code, "287082");
}

static void test_rfc_6238(void **state)
{
    static const struct {
        int64_t seconds;
        const char *codes[TOTP_ALGORITHM_COUNT_];
    } vectors[] = {
        {59, {"94287082", "46119246", "90693936"}},         {1111111109, {"07081804", "68084774", "25091201"}},
        {1111111111, {"14050471", "67062674", "99943326"}}, {1234567890, {"89005924", "91819424", "93441116"}},
        {2000000000, {"69279037", "90698825", "38618901"}}, {20000000000, {"65353130", "77737706", "47863826"}},
    };
    static const size_t sizes[] = {20, 32, 64};
    char code[TOTP_CODE_SIZE];

    (void)state;
    for (size_t i = 0; i < ELEMENTS(vectors); i++)
        for (int a = 0; a < TOTP_ALGORITHM_COUNT_; a++) {
            struct totp_settings s = {.algorithm = (enum totp_algorithm)a, .digits = 8, .period = 30};

            assert_int_equal(totp_code(&s, secret(), sizes[a], totp_step(&s, vectors[i].seconds * 1000000), code), 0);
            assert_string_equal(code, vectors[i].codes[a]);
        }
}

static void test_step_far(void **state)
{
    struct totp_settings s = totp_default;

    (void)state;
    assert_int_equal(totp_step(&s, -1), 0);
    assert_int_equal(totp_step(&s, 29999999), 0);
    assert_int_equal(totp_step(&s, 30000000), 1);
    assert_int_equal(totp_step(&s, INT64_C(2147483648) * 1000000), 71582788); /* 2038-01-19T03:14:08Z */
    assert_int_equal(totp_step(&s, INT64_C(253402300799) * 1000000), UINT64_C(8446743359));
    s.period = 10;
    assert_true(totp_step(&s, INT64_C(253402300799) * 1000000) > UINT32_MAX);
}

static void test_find_window(void **state)
{
    char code[TOTP_CODE_SIZE];
    uint64_t found = 7;

    (void)state;
    for (unsigned step = 990; step <= 1010; step++) {
        bool inside = step >= 999 && step <= 1001;

        assert_int_equal(totp_code(&totp_default, secret(), 20, step, code), 0);
        found = 7;
        assert_int_equal(totp_find(&totp_default, secret(), 20, 1000, 1, 1, code, &found), inside);
        assert_int_equal(found, inside ? step : 7);
    }
    /* Near the beginning of time the window ends at 0. */
    assert_int_equal(totp_code(&totp_default, secret(), 20, 0, code), 0);
    assert_int_equal(totp_find(&totp_default, secret(), 20, 1, 5, 5, code, &found), 1);
    assert_int_equal(found, 0);
}

static void test_find_refuses(void **state)
{
    static const char *const codes[] = {"",        "12345",  "1234567",      "12345a",   " 287082",
                                        "287082 ", "-87082", "２８７０８２", "287082\n", "0x1234"};
    struct totp_settings bad = totp_default;
    uint64_t found = 7;
    char code[TOTP_CODE_SIZE] = "";

    (void)state;
    for (size_t i = 0; i < ELEMENTS(codes); i++)
        assert_int_equal(totp_find(&totp_default, secret(), 20, 1, 1, 1, codes[i], &found), 0);
    assert_int_equal(totp_find(&totp_default, secret(), 20, 1, TOTP_SPAN_MAX + 1, 1, "287082", &found), -EINVAL);
    assert_int_equal(totp_find(&totp_default, secret(), 15, 1, 1, 1, "287082", &found), -EINVAL);
    assert_int_equal(totp_code(&totp_default, secret(), 65, 1, code), -EINVAL);
    bad.digits = 9;
    assert_int_equal(totp_code(&bad, secret(), 20, 1, code), -EINVAL);
    bad = (struct totp_settings){0};
    assert_int_equal(totp_find(&bad, secret(), 20, 1, 1, 1, "287082", &found), -EINVAL);
    assert_int_equal(found, 7);
}

/* RFC 4648 section 10, with what precedes them to reach the smallest secret. */
static void test_base32(void **state)
{
    static const struct {
        size_t size;
        const char *text;
    } cases[] = {
        {16, "GEZDGNBVGY3TQOJQGEZDGNBVGY"},
        {20, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"},
        {21, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGE"},
        {23, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDG"},
        {24, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNA"},
    };
    char text[TOTP_BASE32_MAX + 1];
    uint8_t bytes[TOTP_SECRET_MAX];
    size_t size = 0;

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        totp_base32(secret(), cases[i].size, text);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(totp_base32_read(text, bytes, &size), 0);
        assert_int_equal(size, cases[i].size);
        assert_memory_equal(bytes, secret_text, size);
    }
    totp_base32(secret(), TOTP_SECRET_MAX, text);
    assert_int_equal(strlen(text), TOTP_BASE32_MAX);
    assert_int_equal(totp_base32_read(text, bytes, &size), 0);
    assert_int_equal(size, TOTP_SECRET_MAX);
}

static void test_base32_read(void **state)
{
    static const struct {
        const char *text;
        int result;
    } cases[] = {
        {"gezd gnbv gy3t qojq-gezdgnbvgy3tqojq", 0},
        {"GEZDGNBVGY3TQOJQGEZDGNBVGY======\n", 0},
        {"", -ERANGE},
        {"GEZDGNBV", -ERANGE},
        {"GEZDGNBVGY3TQOJQGEZDGNBVGZ", -EINVAL}, /* bits behind the last byte */
        {"GEZDGNBVGY3TQOJQGEZDGNBVGY3", -EINVAL},
        {"GEZDGNBVGY3TQOJQGEZDGNBVG1", -EINVAL},
        {"GEZDGNBVGY=3TQOJQGEZDGNBVGY", -EINVAL},
        {"ＧＥＺＤ", -EINVAL},
    };
    uint8_t bytes[TOTP_SECRET_MAX], zero[TOTP_SECRET_MAX] = {0};
    char longest[400];
    size_t size = 77;

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        size = 77;
        memset(bytes, 0xee, sizeof(bytes));
        assert_int_equal(totp_base32_read(cases[i].text, bytes, &size), cases[i].result);
        if (cases[i].result < 0) {
            assert_int_equal(size, 77);
            assert_memory_equal(bytes, zero, sizeof(zero));
        }
    }
    memset(longest, 'A', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(totp_base32_read(longest, bytes, &size), -ERANGE);
}

static void test_uri(void **state)
{
    char uri[512];

    (void)state;
    assert_int_equal(totp_uri(&totp_default, "Matsudo City", "tanaka", "GEZDGNBV", uri, sizeof(uri)), 0);
    assert_string_equal(uri, "otpauth://totp/Matsudo%20City:tanaka?secret=GEZDGNBV&issuer=Matsudo%20City"
                             "&algorithm=SHA1&digits=6&period=30");
    assert_int_equal(totp_uri(&totp_default, "松戸市", "a+b@c", "A", uri, sizeof(uri)), 0);
    assert_non_null(strstr(uri, "/%E6%9D%BE%E6%88%B8%E5%B8%82:a%2Bb%40c?"));
    assert_int_equal(totp_uri(&totp_default, "x", "y", "A", uri, 20), -ENOBUFS);
}

static void test_algorithm_names(void **state)
{
    (void)state;
    assert_int_equal(totp_algorithm_from_name("SHA1"), TOTP_SHA1);
    assert_int_equal(totp_algorithm_from_name("HMAC-SHA-256"), TOTP_SHA256);
    assert_int_equal(totp_algorithm_from_name("HmacSHA512"), TOTP_SHA512);
    assert_int_equal(totp_algorithm_from_name("sha256"), TOTP_SHA256);
    assert_int_equal(totp_algorithm_from_name("md5"), -EINVAL);
    assert_int_equal(totp_algorithm_from_name(""), -EINVAL);
    assert_string_equal(totp_algorithm_name(TOTP_SHA512), "SHA512");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc_4226),    cmocka_unit_test(test_unclean_stack),
        cmocka_unit_test(test_rfc_6238),    cmocka_unit_test(test_step_far),
        cmocka_unit_test(test_find_window), cmocka_unit_test(test_find_refuses),
        cmocka_unit_test(test_base32),      cmocka_unit_test(test_base32_read),
        cmocka_unit_test(test_uri),         cmocka_unit_test(test_algorithm_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
