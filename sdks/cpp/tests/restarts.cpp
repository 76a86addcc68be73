/// kill -9 of daemons in the midst of work: the clients go on by themselves, and nothing is lost or doubled.
#include "devices.hpp"

#include <doctest/doctest.h>

#include <future>
#include <numeric>
#include <thread>

using p4::Value;

namespace {

std::vector<Value> numbers(int from, int to) {
    std::vector<Value> values;
    for (int i = from; i < to; ++i) {
        values.emplace_back(i);
    }
    return values;
}

void restart(Device& device) {
    device.kill();
    device.start();
}

} // namespace

TEST_SUITE_BEGIN("restarts");

TEST_CASE("messages come once while the daemon of the reader is killed") {
    DevicePair pair;
    pair.on_phone.contact("laptop").grant({"notes"});
    constexpr int count = 600;
    const auto phone = pair.on_laptop.contact("phone");
    CHECK(phone.send_all("notes", numbers(0, count / 2)).size() == count / 2);
    std::vector<int> got;
    std::vector<std::shared_future<void>> noted;
    {
        auto notes = pair.on_phone.messages("notes", 32);
        for (int i = 0; i < count; ++i) {
            if (i == 100 || i == 400) {
                restart(pair.phone);
            }
            if (i == 200) {
                phone.send_all("notes", numbers(count / 2, count));
            }
            const auto message = notes.next();
            got.push_back(message.value().as<int>());
            noted.push_back(message.done());
        }
        CHECK(!notes.next(std::chrono::seconds(2)));
    }
    std::vector<int> all(count);
    std::iota(all.begin(), all.end(), 0);
    CHECK(got == all);
    for (const auto& one : noted) {
        one.get();
    }
    restart(pair.phone);
    auto notes = pair.on_phone.messages("notes");
    CHECK(!notes.next(std::chrono::seconds(2))); // what is done does not come again
}

TEST_CASE("streams, served calls, events and datagrams go on while both daemons are killed") {
    DevicePair pair;
    pair.on_phone.contact("laptop").grant({"films", "ask", "game"});
    pair.on_laptop.contact("phone").grant({"game"});
    auto serving = pair.on_phone.serve("ask", [](const p4::IncomingCall&) { return Value("here"); });
    auto events = pair.on_phone.events({"link.up"});
    auto here = pair.on_laptop.datagrams("game");
    auto there = pair.on_phone.datagrams("game");
    CHECK(events.next().kind == p4::feed_opened);
    p4::Bytes film(6'000'000);
    for (std::size_t i = 0; i < film.size(); ++i) {
        film[i] = static_cast<std::byte>(i * i >> 7U);
    }
    auto received = std::async(std::launch::async, [&] {
        auto stream = pair.on_phone.next_stream("films");
        auto all = stream.read_all();
        stream.end_writing();
        stream.await_done(2 * patience);
        return all;
    });
    {
        auto stream = pair.on_laptop.contact("phone").stream("films", "film");
        for (std::size_t i = 0; i < 6; ++i) {
            stream.write(std::span(film).subspan(i * 1'000'000, 1'000'000));
            if (i == 1) {
                restart(pair.phone);
            } else if (i == 3) {
                restart(pair.laptop);
            }
        }
        stream.end_writing();
        CHECK(received.get() == film);
        CHECK(stream.await_confirmed(film.size(), 2 * patience));
    }
    while (events.next().kind != p4::feed_opened) {
        // what happened before it was killed
    }
    std::string answer;
    for (int i = 0; i < 60 && answer != "here"; ++i) {
        try {
            answer = pair.on_laptop.contact("phone").call("ask", i, std::chrono::seconds(5)).text();
        } catch (const p4::P4Error&) {
            std::this_thread::sleep_for(std::chrono::milliseconds(500)); // there is no link yet
        }
    }
    CHECK(answer == "here");
    std::optional<p4::Datagram> arrived;
    for (int i = 0; i < 200 && !arrived; ++i) { // each may be lost
        here.send("phone", p4::bytes_of("7"));
        arrived = there.next(std::chrono::milliseconds(200));
    }
    CHECK(arrived);
}

TEST_SUITE_END();
