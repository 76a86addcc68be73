/// Everything of the client against two real daemons that stay.
#include "devices.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <random>
#include <ranges>
#include <thread>

using p4::Json;
using p4::Value;

static_assert(std::ranges::input_range<p4::MessageSubscription>);
static_assert(std::ranges::input_range<p4::Events>);

namespace {

/// Made by the first test that needs it; its daemons end with the program.
DevicePair& pair() {
    static DevicePair made;
    static const bool granted = [] {
        const std::vector<std::string> services{"notes", "ask", "films", "game", "chat"};
        made.on_laptop.contact("phone").grant(services);
        made.on_phone.contact("laptop").grant(services);
        return true;
    }();
    static_cast<void>(granted);
    return made;
}

p4::Bytes noise(std::size_t size) {
    std::mt19937 random(1); // NOLINT(cert-msc32-c, cert-msc51-cpp): the same each time
    p4::Bytes bytes(size);
    for (auto& byte : bytes) {
        byte = static_cast<std::byte>(random());
    }
    return bytes;
}

} // namespace

TEST_SUITE_BEGIN("client");

TEST_CASE("identity and status") {
    const auto identity = pair().on_laptop.identity();
    CHECK(identity.id == p4::core::peer_id(p4::core::key_from_base64(identity.public_key)));
    CHECK(pair().on_laptop.rename_device("laptop's name").name == "laptop's name");
    const auto status = pair().on_laptop.status();
    CHECK(status.id == identity.id);
    REQUIRE(status.contacts.size() == 1);
    CHECK(status.contacts[0].name == "phone");
    CHECK(!status.versions.empty());
    CHECK(pair().on_laptop.metrics().find("# TYPE") != std::string::npos);
    CHECK(pair().on_laptop.request("GET", "/v1/identity").at("id") == identity.id);
}

TEST_CASE("contacts and grants") {
    const auto phone = pair().on_laptop.contact("PHONE");
    CHECK(phone.status().id == pair().on_phone.identity().id);
    CHECK(std::ranges::count(phone.grant({"more.rights"}), "more.rights") == 1);
    CHECK(std::ranges::count(phone.revoke({"more.rights"}), "more.rights") == 0);
    const auto words = phone.verification();
    CHECK(words.words == pair().on_phone.contact("laptop").verification().words);
    CHECK(phone.verify(words.public_key).verification == "verified");
    CHECK(phone.ping() > 0);
    try {
        static_cast<void>(pair().on_laptop.contact("nobody").status());
        FAIL("there is nobody");
    } catch (const p4::P4Error& error) {
        CHECK(error.code() == "unknown");
        CHECK(error.type() == "ContactError");
        CHECK(error.status() == 404);
        CHECK(!error.may_have_run());
    }
    CHECK(code_of([] { static_cast<void>(pair().on_laptop.contact("a/b")); }) == "bad-name");
}

TEST_CASE("messages of JSON and bytes, each once") {
    const auto phone = pair().on_laptop.contact("phone");
    const p4::Bytes data{std::byte{0}, std::byte{1}, std::byte{255}};
    {
        auto notes = pair().on_phone.messages("notes");
        auto receipt = phone.send("notes", Json{{"héllo", {1, 2.5}}});
        phone.send("notes", data, {.ttl = std::chrono::hours(1), .latest = {}});
        CHECK(receipt.await_delivered(patience));
        const auto first = notes.next();
        CHECK(first.value().to_string() == R"({"héllo":[1,2.5]})");
        CHECK(first.contact().label() == "laptop");
        CHECK(first.id() == receipt.id());
        CHECK(first.service() == "notes");
        first.done().get();
        CHECK(receipt.await_consumed(patience));
        const auto second = notes.next();
        CHECK(second.value().bytes() == data);
        second.done();
    }
    auto notes = pair().on_phone.messages("notes");
    CHECK(!notes.next(std::chrono::milliseconds(300)));
    std::jthread closing([&] { notes.close(); });
    for (const auto& message : notes) {
        FAIL("it came again: ", message.id());
    }
}

TEST_CASE("a pipeline keeps the order") {
    auto many = pair().on_phone.messages("notes.many", 256);
    auto pipeline = pair().on_laptop.contact("phone").pipeline("notes.many");
    std::vector<std::future<p4::Receipt>> receipts;
    for (int i = 0; i < 500; ++i) {
        receipts.push_back(pipeline.send(i));
    }
    for (int i = 0; i < 500; ++i) {
        const auto message = many.next();
        CHECK(message.value().as<int>() == i);
        CHECK(receipts[static_cast<std::size_t>(i)].get().id() == message.id());
        message.done();
    }
    auto refused = pair().on_laptop.contact("phone").pipeline("no service!");
    auto receipt = refused.send(1);
    CHECK_THROWS_AS(receipt.get(), p4::P4Error);
}

TEST_CASE("chat is in the history of both") {
    auto receipt = pair().on_laptop.contact("phone").send("hi there");
    CHECK(receipt.await_delivered(patience));
    const auto chat = pair().on_phone.contact("laptop").chat();
    const auto page = chat.page({}, 10);
    REQUIRE(!page.entries.empty());
    CHECK(page.entries.back().text == "hi there");
    CHECK(!page.entries.back().mine);
    chat.mark_read(page.entries.back().id);
    REQUIRE(pair().on_phone.conversations().size() == 1);
    CHECK(pair().on_phone.conversations()[0].unread == 0);
}

TEST_CASE("calls and their failures") {
    std::atomic<bool> cancelled{false};
    {
        auto serving = pair().on_phone.serve("ask", [&](const p4::IncomingCall& call) -> Value {
            const auto& asked = call.argument.text();
            if (asked == "fail") {
                throw p4::CallFailure("no-milk", "There is none.", {{"left", 0}});
            }
            if (asked == "bug") {
                throw std::runtime_error("secret");
            }
            if (asked == "slow") {
                std::promise<void> stopped;
                const std::stop_callback notice(call.cancelled, [&] { stopped.set_value(); });
                stopped.get_future().wait();
                cancelled = true;
            }
            return call.contact.label() + " asks " + asked;
        });
        const auto phone = pair().on_laptop.contact("phone");
        CHECK(phone.call("ask", "why").text() == "laptop asks why");
        try {
            static_cast<void>(phone.call("ask", "fail"));
            FAIL("it should have failed");
        } catch (const p4::P4Error& error) {
            CHECK(error.code() == "no-milk");
            CHECK(error.data().at("data") == Json{{"left", 0}});
            CHECK(error.may_have_run());
        }
        try {
            static_cast<void>(phone.call("ask", "bug"));
            FAIL("it should have failed");
        } catch (const p4::P4Error& error) {
            CHECK(error.code() == "internal");
            CHECK(error.message().find("secret") == std::string_view::npos);
        }
        CHECK(code_of([&] { static_cast<void>(phone.call("ask", "slow", std::chrono::seconds(1))); }) != "");
        CHECK(code_of([] {
                  auto twice = pair().on_phone.serve("ask", [](const p4::IncomingCall&) { return Value(); });
              }) == "already-served");
        CHECK(!serving.problem());
    }
    CHECK(cancelled); // the destructor waits for handlers
    CHECK(code_of([] { static_cast<void>(pair().on_laptop.contact("phone").call("ask", "why")); }) != "");
}

TEST_CASE("streams both ways") {
    const auto film = noise(3'000'000);
    auto received = std::async(std::launch::async, [] {
        auto stream = pair().on_phone.next_stream("films");
        auto all = stream.read_all();
        stream.write("thanks");
        stream.end_writing();
        CHECK(stream.await_done(patience));
        return all;
    });
    auto stream = pair().on_laptop.contact("phone").stream("films", "film.mkv");
    CHECK(stream.service() == "films");
    CHECK(stream.name() == "film.mkv");
    CHECK(stream.contact().label() == "phone");
    stream.write(film);
    stream.flush();
    stream.end_writing();
    p4::Bytes answer(4);
    CHECK(stream.read_some(answer) == 4);
    CHECK(p4::text_of(answer) == "than");
    CHECK(p4::text_of(stream.read_all()) == "ks");
    CHECK(stream.await_done(patience));
    CHECK(stream.confirmed() == film.size());
    CHECK(received.get() == film);
    CHECK(code_of([&] { stream.write("more"); }) == "ended");
}

TEST_CASE("a stream that is reset says why") {
    auto stream = pair().on_laptop.contact("phone").stream("films", "broken");
    stream.write("1");
    {
        auto theirs = pair().on_phone.contact("laptop").next_stream("films");
        CHECK(theirs.read() == p4::Bytes{std::byte{'1'}});
        CHECK(code_of([&] { theirs.consumed(2); }) == "bad-offset");
        theirs.reset("no room");
    }
    try {
        static_cast<void>(stream.read());
        FAIL("it was reset");
    } catch (const p4::P4Error& error) {
        CHECK(error.type() == "StreamError");
    }
    CHECK(code_of([] { static_cast<void>(pair().on_laptop.contact("phone").stream("secret", "x")); }) == "not-granted");
}

TEST_CASE("datagrams") {
    auto here = pair().on_laptop.datagrams("game");
    auto there = pair().on_phone.datagrams("game");
    std::optional<p4::Datagram> arrived;
    for (int i = 0; i < 100 && !arrived; ++i) { // each may be lost
        here.send("phone", p4::bytes_of("7"));
        arrived = there.next(std::chrono::milliseconds(200));
    }
    REQUIRE(arrived);
    CHECK(p4::text_of(arrived->data) == "7");
    CHECK(arrived->contact.label() == "laptop");
}

TEST_CASE("events and tokens") {
    auto events = pair().on_laptop.events({"grants.changed"});
    CHECK(events.next().kind == p4::feed_opened);
    pair().on_laptop.contact("phone").grant({"of.events"});
    const auto event = events.next(patience);
    REQUIRE(event);
    CHECK(event->kind == "grants.changed");
    CHECK(event->data.contains("grants"));
    p4::TokenOptions options;
    options.services = {"notes"};
    options.lifetime = std::chrono::hours(1);
    const auto made = pair().on_laptop.new_token("app", options);
    const auto url = pair().laptop.url();
    {
        auto app = p4::Client::connect(url, made.token); // over TCP
        CHECK(code_of([&] { static_cast<void>(app.status()); }) == "owner-only");
        app.contact("phone").send("notes.app", 1);
        CHECK(code_of([&] { app.messages("other").next(); }) == "not-granted");
        auto theirs = app.messages("notes.app");
        CHECK(!theirs.next(std::chrono::milliseconds(10)));
    }
    pair().on_laptop.revoke_token(made.id);
    CHECK(code_of([&] { p4::Client::connect(url, made.token); }) == "bad-token");
    CHECK(code_of([&] { p4::Client::connect("ftp://x", made.token); }) == "bad-endpoint");
}

TEST_CASE("without a daemon it says so at once") {
    const auto begin = std::chrono::steady_clock::now();
    CHECK(code_of([] { p4::Client::connect(std::filesystem::path("/nonexistent")); }) == "no-daemon");
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
}

TEST_CASE("what waits ends when the client is closed") {
    auto client = pair().laptop.client();
    auto events = client.events({"link.up"});
    auto notes = client.messages("notes");
    static_cast<void>(events.next());
    std::vector<std::future<std::string>> waiting;
    waiting.push_back(
        std::async(std::launch::async, [&] { return code_of([&] { static_cast<void>(events.next()); }); }));
    waiting.push_back(
        std::async(std::launch::async, [&] { return code_of([&] { static_cast<void>(notes.next()); }); }));
    waiting.push_back(std::async(std::launch::async,
                                 [&] { return code_of([&] { static_cast<void>(client.next_stream("films")); }); }));
    client.close();
    for (auto& one : waiting) {
        CHECK(one.get() == "closed");
    }
    CHECK(code_of([&] { static_cast<void>(client.identity()); }) == "closed");
}

TEST_SUITE_END();
