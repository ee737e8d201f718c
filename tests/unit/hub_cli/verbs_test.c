/* What kuraban-hub says, in both languages, and its exit codes. */
#include "hub/cli/hub.h"

#define CLI_RUN_PROGRAM hub_program
#include "unit/cli/run.h"

#include <unistd.h>

static char directory[64], place[80];

static int begin(void **state)
{
    struct cli_run r;

    (void)state;
    (void)snprintf(directory, sizeof(directory), "/tmp/kuraban-verbs.XXXXXX");
    assert_non_null(mkdtemp(directory));
    (void)snprintf(place, sizeof(place), "%s/centre", directory);
    cli_run_language("ja");
    r = RUN(place, "/sys", "init", "--organization", "松戸市", "--address", "hub.example");
    assert_int_equal(r.code, CLI_OK);
    assert_string_equal(r.err, "");
    assert_non_null(strstr(r.out, "松戸市 のセンターを"));
    assert_non_null(strstr(r.out, "sha256:"));
    cli_run_done(&r);
    return 0;
}

static int end(void **state)
{
    char command[128];

    (void)state;
    (void)snprintf(command, sizeof(command), "rm -rf %s", directory);
    return system(command);
}

struct expected {
    enum cli_exit code;
    const char *en, *ja; /* somewhere in what is said */
    const char *const words[8];
};

static void test_words(void **state)
{
    static const struct expected cases[] = {
        {CLI_NO, "there is no group juki", "グループ juki はありません", {"token", "create", "--group", "juki"}},
        {CLI_USAGE, "--group is needed", "--group を指定してください", {"token", "create"}},
        {CLI_USAGE, "--hours is 1 to 720", "--hours は 1~720", {"token", "create", "--group", "g", "--hours", "0x1"}},
        {CLI_USAGE, "a group's name is", "グループ名は", {"group", "create", "A"}},
        {CLI_NO, "there is no open token 7", "未使用のトークン(番号 7)はありません", {"token", "revoke", "7"}},
        {CLI_FAILED, "is not empty", "は空ではありません", {"init", "--organization", "x", "--address", "h"}},
        {CLI_USAGE,
         "neither a host's name",
         "ホスト名でもアドレスでもありません",
         {"init", "--organization", "x", "--address", "h,DNS:y"}},
        {CLI_USAGE, "“kuraban-hub help”", "「kuraban-hub help」", {"tokens"}},
        {CLI_OK, "Usage: kuraban-hub", "使い方: kuraban-hub", {"help", "token", "create"}},
        {CLI_OK, "what was written", "書かれたときのまま", {"journal"}},
        {CLI_OK, "APPLIED", "適用済み", {"terminals"}},
        {CLI_OK, "SHA-256", "版", {"policy", "list"}},
        {CLI_FAILED, "root add", "root add", {"policy", "add", "/dev/null"}},
        {CLI_NO, "there is no policy 7", "ポリシー 7 はありません", {"policy", "show", "7"}},
        {CLI_USAGE, "neither a version", "版番号でも", {"policy", "show", "x"}},
        {CLI_USAGE, "--group and --policy", "--group と --policy", {"rollout", "start"}},
        {CLI_USAGE,
         "rising numbers",
         "小さい順",
         {"rollout", "start", "--group", "g", "--policy", "7", "--percent=50,10"}},
        {CLI_USAGE,
         "no time such as",
         "時間の書き方",
         {"rollout", "start", "--group", "g", "--policy", "7", "--wait=10"}},
        {CLI_USAGE, "0 to 100", "0~100", {"rollout", "start", "--group", "g", "--policy", "7", "--halt-failed=101"}},
        {CLI_USAGE,
         "--canary is 1",
         "--canary は 1",
         {"rollout", "start", "--group", "g", "--policy", "7", "--canary=0"}},
        {CLI_NO, "no rollout that", "対象になる配信", {"rollout", "halt", "--group", "juki"}},
        {CLI_OK, "SILENT", "応答なし", {"rollout", "status"}},
        {CLI_USAGE, "--policy is needed", "--policy を指定", {"emergency"}},
        {CLI_NO, "no such terminal", "端末がないか", {"order", "report", "t1"}},
        {CLI_NO, "no such terminal", "端末がないか", {"terminals", "move", "t1", "--group", "juki"}},
        {CLI_NO, "no terminal of this id waits", "承認待ちの端末はありません", {"terminals", "approve", "tx"}},
        {CLI_NO, "or revoked already", "すでに失効しています", {"terminals", "revoke", "tx"}},
        {CLI_OK, "FINGERPRINT", "フィンガープリント", {"root", "list"}},
        {CLI_FAILED, "No such file", "No such file", {"root", "add", "/nonexistent"}},
        {CLI_OK, "WHAT", "最終", {"alarms", "--all"}},
        {CLI_NO, "there is no open alarm 3", "未解消の警報(番号 3)はありません", {"alarm", "close", "3"}},
        {CLI_USAGE, "is no number", "は番号ではありません", {"alarm", "close", "x"}},
        {CLI_NO, "there is no terminal kazei-07", "端末 kazei-07 はありません", {"events", "--terminal", "kazei-07"}},
        {CLI_USAGE, "--verdict is allow", "--verdict には", {"events", "--verdict", "maybe"}},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++)
        for (int japanese = 0; japanese < 2; japanese++) {
            const char *words = japanese ? cases[i].ja : cases[i].en;
            struct cli_run r;

            cli_run_language(japanese ? "ja" : "en");
            r = cli_run_words(place, "/sys", cases[i].words);
            if (r.code != cases[i].code || (!strstr(r.out, words) && !strstr(r.err, words)))
                fail_msg("%s: %d %s%s", words, r.code, r.out, r.err);
            cli_run_done(&r);
        }
}

static void test_token(void **state)
{
    struct cli_run r;

    (void)state;
    cli_run_language("ja");
    r = RUN(place, "/sys", "group", "create", "kazei");
    assert_int_equal(r.code, CLI_OK);
    assert_string_equal(r.out, "グループ kazei を作成しました。\n");
    cli_run_done(&r);
    r = RUN(place, "/sys", "token", "create", "--group", "kazei");
    assert_int_equal(r.code, CLI_OK);
    assert_non_null(strstr(r.out, "グループ kazei のトークン(番号 1)。"));
    cli_run_done(&r);
    r = RUN(place, "/sys", "token", "list");
    assert_non_null(strstr(r.out, "未使用"));
    cli_run_done(&r);
}

/* A name from a file must not move the cursor. */
static void test_foreign_place(void **state)
{
    struct cli_run r = RUN("/nonexistent/\x1b[2J", "/sys", "terminals");

    (void)state;
    assert_int_equal(r.code, CLI_FAILED);
    assert_null(strchr(r.err, '\x1b'));
    cli_run_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_token),
        cmocka_unit_test(test_foreign_place),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
