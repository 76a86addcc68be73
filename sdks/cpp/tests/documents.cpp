/// What the README and the examples show works as it stands there.
#include "devices.hpp"
#include "places.hpp"

#include <doctest/doctest.h>

#include <thread>

namespace {

std::string readme_example() {
    const auto readme = read_file(repository() / "sdks" / "cpp" / "README.md");
    const std::string begin = "```cpp\n";
    const auto from = readme.find(begin) + begin.size();
    return readme.substr(from, readme.find("```", from) - from);
}

std::string wait_for(const std::filesystem::path& output, const std::string& text) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (read_file(output).find(text) == std::string::npos && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return read_file(output);
}

} // namespace

TEST_SUITE_BEGIN("documents");

TEST_CASE("the README begins with the example that is compiled") {
    CHECK(readme_example() == read_file(repository() / "sdks" / "cpp" / "examples" / "hello.cpp"));
}

TEST_CASE("the examples run, and the throughput program") {
    DevicePair pair;
    pair.on_phone.contact("laptop").grant({"chat", "bench"});
    pair.on_laptop.contact("phone").grant({"chat"});
    const auto& home = pair.laptop.home();
    {
        Program hello({P4_HELLO}, home, home / "hello.txt");
        CHECK(hello.wait() == 0);
        CHECK(read_file(home / "hello.txt") == "delivered: true\nconnected: true\n");
    }
    {
        Program chat({P4_CHAT, "phone", pair.laptop.state().string()}, home, home / "chat.txt");
        CHECK(wait_for(home / "chat.txt", "hello") == "me: hello\n"); // of the example before
        pair.on_phone.contact("laptop").send("morning\x1b[2J\xe2\x80\xae");
        CHECK(wait_for(home / "chat.txt", "morning") == "me: hello\nphone: morning·[2J·\n");
        chat.type("good morning\n");
        CHECK(wait_for(home / "chat.txt", "good") == "me: hello\nphone: morning·[2J·\nme: good morning\n");
        CHECK(chat.wait() == 0);
    }
    CHECK(pair.on_phone.contact("laptop").chat().page().entries.back().text == "good morning");
    {
        Program send({P4_THROUGHPUT, "send", "phone", pair.laptop.state().string(), "2000"}, home, home / "send.txt");
        CHECK(send.wait() == 0);
        MESSAGE(read_file(home / "send.txt"));
        Program crypto({P4_THROUGHPUT, "crypto", "1"}, home, home / "crypto.txt");
        CHECK(crypto.wait() == 0);
        MESSAGE(read_file(home / "crypto.txt"));
    }
}

TEST_SUITE_END();
