/// @file
/// Prints figures of this machine as lines of "name: figure /s":
///
///     throughput crypto [SECONDS]
///     throughput send CONTACT STATE_DIRECTORY [COUNT]
///
/// `send` needs a contact; each message is on the daemon's disk when its receipt is there.
#include <p4/p4.hpp>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

int number(std::string_view text) {
    int value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    return problem == std::errc() && end == text.data() + text.size() && value > 0 ? value : 1;
}

/// An envelope is sealed, read and verified, as one operation, on one thread.
void crypto(int seconds) {
    const auto sender = p4::core::Identity::generate();
    const auto recipient = p4::core::Identity::generate();
    auto nonce = p4::core::new_nonce();
    constexpr std::uint64_t now_ms = 1'700'000'000'000;
    std::uint64_t count = 0;
    const auto begin = Clock::now();
    while (seconds_since(begin) < seconds) {
        const auto payload = R"({"session_id":"s)" + std::to_string(count) + R"(","type":"ping"})";
        const auto line = p4::core::seal(sender, recipient.peer_id(), payload, now_ms, nonce);
        const auto verified = p4::core::Envelope::parse(line).verify(sender.public_key(), recipient.peer_id(), now_ms);
        count += verified.sender == sender.peer_id() ? 1 : 0;
        nonce.back() = static_cast<std::byte>(count);
    }
    std::printf("sign+verify, 1 thread: %.0f /s\n", static_cast<double>(count) / seconds_since(begin));
}

void send(const std::string& contact, const std::string& state, int count) {
    auto me = p4::Client::connect(std::filesystem::path(state));
    const auto begin = Clock::now();
    std::vector<std::future<p4::Receipt>> receipts;
    {
        auto pipeline = me.contact(contact).pipeline("bench");
        for (int i = 0; i < count; ++i) {
            receipts.push_back(pipeline.send(p4::Json{{"number", i}, {"text", "a short message"}}));
        }
    }
    for (auto& receipt : receipts) {
        receipt.get();
    }
    std::printf("durable sends, pipelined: %.0f /s\n", count / seconds_since(begin));
}

} // namespace

int main(int count, char** words) {
    const std::vector<std::string> arguments(words + 1, words + count);
    try {
        if (!arguments.empty() && arguments[0] == "crypto") {
            crypto(arguments.size() > 1 ? number(arguments[1]) : 2);
        } else if (arguments.size() >= 3 && arguments[0] == "send") {
            send(arguments[1], arguments[2], arguments.size() > 3 ? number(arguments[3]) : 5000);
        } else {
            std::cerr << "usage: throughput crypto [SECONDS] | send CONTACT STATE_DIRECTORY [COUNT]\n";
            return 2;
        }
    } catch (const p4::P4Error& error) {
        std::cerr << error.message() << " [" << error.code() << "]\n";
        return 1;
    }
}
