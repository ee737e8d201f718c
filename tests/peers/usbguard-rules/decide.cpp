/*
 * decide DIRECTORY: what the library of USBGuard decides. Links nothing of this project.
 *
 * Reads rows from standard input and prints each with its answers behind it:
 *
 *     FILE LINES IMPLICIT TIME FIRST COUNT
 *
 * FILE below DIRECTORY; LINES "7" for that line alone, "7-" from there to the end; IMPLICIT the target of what no rule matches; TIME of
 * the day, UTC, "12:00:00"; FIRST (from 1) and COUNT of the lines of DIRECTORY/devices that are asked for.
 *
 * An answer is a letter and the line of the rule that decided, 0 for the implicit target: a allow, b block, r reject, f the target is
 * none, so that the daemon fails. What depends on chance, on devices that are there or on what happened before is asked for DRAWS
 * times, half of them with a matching device that is allowed: A sometimes allow, B sometimes block and sometimes reject. What does
 * not parse is "x" for every device: the daemon would not start.
 */
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <sstream>

#include <usbguard/Interface.hpp>
#include <usbguard/MemoryRuleSet.hpp>
#include <usbguard/Rule.hpp>

namespace
{
time_t now;
const unsigned DRAWS = 200;

/* What conditions ask the daemon for. */
class Daemon : public usbguard::Interface
{
  public:
    bool has_device = false;

    std::string setParameter(const std::string &, const std::string &) override
    {
        return "";
    }
    std::string getParameter(const std::string &) override
    {
        return "";
    }
    uint32_t appendRule(const std::string &, uint32_t, bool) override
    {
        return 0;
    }
    void removeRule(uint32_t) override
    {
    }
    const std::vector<usbguard::Rule> listRules(const std::string &) override
    {
        return {};
    }
    uint32_t applyDevicePolicy(uint32_t, usbguard::Rule::Target, bool) override
    {
        return 0;
    }
    const std::vector<usbguard::Rule> listDevices(const std::string &) override
    {
        return std::vector<usbguard::Rule>(has_device ? 1 : 0);
    }
    void DevicePresenceChanged(uint32_t, usbguard::DeviceManager::EventType, usbguard::Rule::Target,
                               const std::string &) override
    {
    }
    void DevicePolicyChanged(uint32_t, usbguard::Rule::Target, usbguard::Rule::Target, const std::string &,
                             uint32_t) override
    {
    }
    void DevicePolicyApplied(uint32_t, usbguard::Rule::Target, const std::string &, uint32_t) override
    {
    }
    void PropertyParameterChanged(const std::string &, const std::string &, const std::string &) override
    {
    }
    void ExceptionMessage(const std::string &, const std::string &, const std::string &) override
    {
    }
};

std::vector<std::string> read_lines(const std::string &path)
{
    std::vector<std::string> lines;
    std::ifstream file(path, std::ios::binary);
    std::string line;

    if (!file)
        throw std::runtime_error(path + " cannot be read");
    while (std::getline(file, line))
        lines.push_back(line);
    return lines;
}

struct Row {
    std::string file, lines, implicit, clock;
    size_t first, count;
};

/* Rule ids are line numbers. */
void load(usbguard::MemoryRuleSet &rules, const Row &row, const std::vector<std::string> &lines)
{
    const size_t from = std::stoul(row.lines), to = row.lines.back() == '-' ? lines.size() : from;

    rules.setDefaultTarget(usbguard::Rule::targetFromString(row.implicit));
    for (size_t i = from; i <= to; i++) {
        usbguard::Rule rule = usbguard::Rule::fromString(lines[i - 1]);

        if (!rule) /* a comment */
            continue;
        rule.setRuleID(static_cast<uint32_t>(i));
        rules.appendRule(rule);
    }
}

struct Answer {
    char letter;
    size_t line;
};

char letter_of(usbguard::Rule::Target target)
{
    switch (target) {
    case usbguard::Rule::Target::Allow:
        return 'a';
    case usbguard::Rule::Target::Block:
        return 'b';
    case usbguard::Rule::Target::Reject:
        return 'r';
    default:
        return 'f';
    }
}

Answer draw(usbguard::MemoryRuleSet &rules, const usbguard::Rule &device)
{
    const auto rule = rules.getFirstMatchingRule(std::make_shared<const usbguard::Rule>(device));
    const bool implicit = rule->getRuleID() == usbguard::Rule::ImplicitID;

    rule->updateMetaDataCounters(true); /* as the daemon does when it has applied a rule */
    return {letter_of(rule->getTarget()), implicit ? 0 : rule->getRuleID()};
}

Answer ask(usbguard::MemoryRuleSet &rules, Daemon &daemon, const usbguard::Rule &device, unsigned draws)
{
    std::map<char, size_t> seen;

    for (unsigned i = 0; i < draws; i++) {
        daemon.has_device = i % 2 != 0;
        const Answer answer = draw(rules, device);
        const auto found = seen.emplace(answer.letter, answer.line).first;

        found->second = std::min(found->second, answer.line); /* of several, the same one each time */
    }
    if (seen.size() == 1)
        return {seen.begin()->first, seen.begin()->second};
    if (seen.count('a') > 0)
        return {'A', seen['a']};
    return {'B', seen.begin()->second};
}

/* Only conditions change from one time to the next. */
bool has_condition(const Row &row, const std::vector<std::string> &lines)
{
    for (size_t i = std::stoul(row.lines); i <= lines.size(); i++) {
        if (lines[i - 1].find("random") != std::string::npos || lines[i - 1].find("matches(") != std::string::npos ||
            lines[i - 1].find("rule-") != std::string::npos)
            return true;
        if (row.lines.back() != '-')
            break;
    }
    return false;
}

void answer_row(const Row &row, const std::vector<std::string> &lines, const std::vector<usbguard::Rule> &devices)
{
    Daemon daemon;
    usbguard::MemoryRuleSet rules(&daemon);
    struct tm tm = {};
    bool valid = true;

    tm.tm_year = 126;
    tm.tm_mon = 10;
    tm.tm_mday = 23; /* a Monday */
    if (strptime(row.clock.c_str(), "%H:%M:%S", &tm) == nullptr)
        throw std::runtime_error(row.clock + " is no time");
    now = timegm(&tm);
    std::cout << row.file << ' ' << row.lines << ' ' << row.implicit << ' ' << row.clock << ' ' << row.first;
    try {
        load(rules, row, lines);
    } catch (const std::exception &) {
        valid = false;
    }
    for (size_t i = row.first; i < row.first + row.count; i++) {
        Answer answer = {'x', 0};

        if (valid)
            answer = ask(rules, daemon, devices.at(i - 1), has_condition(row, lines) ? DRAWS : 1);
        std::cout << ' ' << answer.letter << answer.line;
    }
    std::cout << '\n';
}
} // namespace

/* The library's clock is ours: conditions by the hour are asked for at the row's time. */
extern "C" int clock_gettime(clockid_t id, struct timespec *ret) noexcept
{
    if (id != CLOCK_REALTIME || now == 0)
        return static_cast<int>(syscall(SYS_clock_gettime, id, ret));
    *ret = {now, 0};
    return 0;
}

int main(int argc, char **argv)
{
    std::map<std::string, std::vector<std::string>> files;
    std::vector<usbguard::Rule> devices;
    std::string text;

    if (argc != 2)
        return 2;
    std::clog.rdbuf(nullptr); /* the library says "Not implemented" there, for each text under match-all */
    std::cerr.rdbuf(nullptr);
    const std::string directory = std::string(argv[1]) + "/";
    for (const auto &line : read_lines(directory + "devices")) {
        const usbguard::Rule device = usbguard::Rule::fromString(line);

        if (device)
            devices.push_back(device);
    }
    while (std::getline(std::cin, text)) {
        std::istringstream words(text);
        Row row;

        if (!(words >> row.file >> row.lines >> row.implicit >> row.clock >> row.first >> row.count))
            throw std::runtime_error("no row: " + text);
        if (files.count(row.file) == 0)
            files[row.file] = read_lines(directory + row.file);
        answer_row(row, files[row.file], devices);
    }
    return 0;
}
