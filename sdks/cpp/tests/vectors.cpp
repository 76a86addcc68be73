/// Every file of vectors/ that concerns the core: the layer, the code and the value must be as it says.
#include "places.hpp"

#include <p4/p4.hpp>

#include <doctest/doctest.h>

#include <map>
#include <set>

using p4::Json;
using namespace p4::core;

namespace {

struct Outcome {
    std::string layer, code;
    Json value;
};

using Names = std::set<std::string>;

/// By kind and operation, what the input consists of.
const std::map<std::string, Names> inputs{
    {"identity derive", {"seed_b64"}},
    {"identity key", {"public_key_b64"}},
    {"identity verify", {"public_key_b64", "message_hex", "signature_b64"}},
    {"canonical parse", {"bytes"}},
    {"envelope verify", {"line", "public_key_b64", "me", "now_ms", "max_skew_ms"}},
    {"replay steps", {"capacity", "steps"}},
    {"invite parse", {"bytes"}},
};

Names names(const Json& object) {
    Names found;
    for (const auto& [name, value] : object.items()) {
        found.insert(name);
    }
    return found;
}

p4::Bytes from_hex(const std::string& text) {
    p4::Bytes bytes;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
        bytes.push_back(static_cast<std::byte>(std::stoul(text.substr(i, 2), nullptr, 16)));
    }
    return bytes;
}

Nonce nonce_of(const Json& step) {
    const auto bytes = from_hex(step.at("nonce_hex"));
    Nonce nonce{};
    REQUIRE(bytes.size() == nonce.size());
    std::copy(bytes.begin(), bytes.end(), nonce.begin());
    return nonce;
}

std::string hex(std::span<const std::byte> bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const auto byte : bytes) {
        text += digits[std::to_integer<std::size_t>(byte) / 16];
        text += digits[std::to_integer<std::size_t>(byte) % 16];
    }
    return text;
}

std::string bytes_of_input(const Json& given) {
    auto text = given.contains("text") ? given.at("text").get<std::string>()
                                       : p4::text_of(from_hex(given.at("hex").get<std::string>()));
    text.append(given.value("zeros", std::size_t{0}), '\0');
    return text;
}

bool is_json(const std::string& code) {
    const Names codes{"not-utf8", "not-json", "not-object", "duplicate-key", "bad-number", "bad-string", "too-deep"};
    return codes.contains(code);
}

template <typename Work>
Outcome attempt(const std::string& layer, const Work& work) {
    try {
        return {layer, "ok", work()};
    } catch (const p4::P4Error& error) {
        return {layer, error.code(), {}};
    }
}

Outcome envelope(const Json& input) {
    const auto line = bytes_of_input(input.at("line"));
    auto read = attempt("form", [&] {
        static_cast<void>(Envelope::parse(line));
        return Json();
    });
    if (read.code != "ok") {
        read.layer = read.code == "too-long" ? "line" : is_json(read.code) ? "json" : "form";
        return read;
    }
    return attempt("trust", [&] {
        const auto verified = Envelope::parse(line).verify(
            key_from_base64(input.at("public_key_b64").get<std::string>()), input.at("me").get<std::string>(),
            input.at("now_ms"), input.at("max_skew_ms"));
        return Json{{"sender", verified.sender},
                    {"timestamp_ms", verified.timestamp_ms},
                    {"nonce_hex", hex(verified.nonce)},
                    {"payload", verified.payload}};
    });
}

Outcome replay(const Json& input) {
    const auto capacity = input.at("capacity").get<std::size_t>();
    const auto& steps = input.at("steps");
    ReplayWindow window(capacity);
    for (std::size_t i = 0; i < steps.size(); ++i) {
        const auto& step = steps[i];
        if (names(step) == Names{"restart"}) {
            auto entries = window.entries();
            std::reverse(entries.begin(), entries.end());
            ReplayWindow restored(window.floor_ms(), entries, capacity);
            CHECK(restored.entries() == window.entries());
            window = std::move(restored);
        } else if (names(step) == Names{"prune_now_ms"}) {
            window.prune(step.at("prune_now_ms"));
        } else {
            REQUIRE(names(step) == Names{"nonce_hex", "timestamp_ms"});
            try {
                window.accept(nonce_of(step), step.at("timestamp_ms"));
            } catch (const p4::P4Error& error) {
                CHECK(i + 1 == steps.size()); // only the last step may be refused
                return {"replay", error.code(), {}};
            }
        }
    }
    return {"replay", "ok", {{"floor_ms", window.floor_ms()}, {"entries", window.entries().size()}}};
}

Outcome invite(const std::string& text) {
    auto outcome = attempt("invite", [&] {
        const auto read = Invite::parse(text);
        CHECK(Invite::parse(read.to_text()) == read);
        return Json{{"peer_id", read.peer_id()},
                    {"public_key_b64", to_base64(read.public_key)},
                    {"transport", read.transport},
                    {"address", read.address},
                    {"port", read.port}};
    });
    if (outcome.code == "too-large" || outcome.code == "not-utf8") {
        outcome.layer = "text";
    } else if (is_json(outcome.code)) {
        outcome.layer = "json";
    }
    return outcome;
}

Outcome outcome_of(const std::string& operation, const Json& input) {
    const auto text = [&](const char* name) { return input.at(name).get<std::string>(); };
    if (operation == "identity derive") {
        const auto identity = Identity::from_base64(text("seed_b64"));
        return {
            "identity", "ok", {{"public_key_b64", to_base64(identity.public_key())}, {"peer_id", identity.peer_id()}}};
    }
    if (operation == "identity key") {
        return attempt("identity", [&] { return Json{{"peer_id", peer_id(key_from_base64(text("public_key_b64")))}}; });
    }
    if (operation == "identity verify") {
        const auto raw = from_base64(text("signature_b64"));
        Signature signature{};
        REQUIRE(raw.size() == signature.size());
        std::copy(raw.begin(), raw.end(), signature.begin());
        const bool good = verify(key_from_base64(text("public_key_b64")), from_hex(text("message_hex")), signature);
        return {"identity", good ? "ok" : "bad-signature", Json::object()};
    }
    if (operation == "canonical parse") {
        return attempt("json", [&] { return Json{{"canonical", canonical(bytes_of_input(input.at("bytes")))}}; });
    }
    if (operation == "envelope verify") {
        return envelope(input);
    }
    return operation == "replay steps" ? replay(input) : invite(bytes_of_input(input.at("bytes")));
}

} // namespace

TEST_SUITE_BEGIN("core");

TEST_CASE("every vector of the core") {
    int count = 0;
    for (const std::string kind : {"identity", "canonical", "envelope", "replay", "invite"}) {
        for (const auto& file : std::filesystem::directory_iterator(repository() / "vectors" / kind)) {
            if (file.path().extension() != ".json") {
                continue;
            }
            const auto name = file.path().filename().string();
            CAPTURE(name);
            const auto vector = Json::parse(read_file(file.path()));
            const Names known{"kind", "operation", "comment", "input", "expect", "v1_deviates", "v1_looser"};
            for (const auto& key : names(vector)) {
                CHECK(known.contains(key));
            }
            const auto operation = kind + " " + vector.at("operation").get<std::string>();
            REQUIRE(inputs.contains(operation));
            CHECK(names(vector.at("input")) == inputs.at(operation));
            const auto& expect = vector.at("expect");
            const auto outcome = outcome_of(operation, vector.at("input"));
            CHECK(outcome.layer == expect.at("layer").get<std::string>());
            CHECK(outcome.code == expect.at("code").get<std::string>());
            if (outcome.code == "ok") {
                CHECK(names(expect) == Names{"layer", "code", "value"});
                CHECK(outcome.value == expect.at("value"));
            } else {
                CHECK(names(expect) == Names{"layer", "code"});
            }
            ++count;
        }
    }
    CHECK(count >= 190);
    MESSAGE("vectors: ", count);
}

TEST_CASE("what is sealed is verified, once") {
    const auto sender = Identity::generate();
    const auto me = Identity::generate();
    const auto nonce = new_nonce();
    const auto line = seal(sender, me.peer_id(), Json{{"text", "hi"}}, 5, nonce);
    const auto envelope = Envelope::parse(line);
    CHECK(envelope.sender() == sender.peer_id());
    const auto verified = envelope.verify(sender.public_key(), me.peer_id(), 6);
    CHECK(verified.payload == Json{{"text", "hi"}});
    CHECK(verified.nonce == nonce);
    ReplayWindow window;
    window.accept(verified.nonce, verified.timestamp_ms);
    CHECK_THROWS_AS(window.accept(verified.nonce, verified.timestamp_ms), p4::P4Error);
    CHECK_THROWS_AS(static_cast<void>(envelope.verify(me.public_key(), me.peer_id(), 6)), p4::P4Error);
    CHECK_THROWS_AS(static_cast<void>(seal(sender, me.peer_id(), Json{{"text", "\xff"}}, 5, nonce)), p4::P4Error);
    CHECK(Identity::from_seed(sender.seed()).peer_id() == sender.peer_id());
}

TEST_CASE("base64 is read strictly") {
    for (const auto* text : {"", "AA==", "AAE=", "AAEC", "//79"}) {
        CHECK(to_base64(from_base64(text)) == text);
    }
    for (const auto* text : {"A", "AA", "AAA", "AB==", "AA=A", "A===", "====", "AA==AAAA", "AA_="}) {
        CAPTURE(text);
        CHECK_THROWS_AS(static_cast<void>(from_base64(text)), p4::P4Error);
    }
}

TEST_CASE("values are JSON or bytes") {
    CHECK(p4::Value("text").text() == "text");
    CHECK(p4::Value(1) == p4::Value(p4::Json(1)));
    CHECK(p4::Value(p4::Json{{"a", 1}}).to_string() == R"({"a":1})");
    CHECK(p4::Value(p4::bytes_of("abc")).bytes().size() == 3);
    CHECK(p4::Value(p4::Bytes(3)).to_string() == "3 bytes");
    CHECK(p4::Value(std::vector<int>{1, 2}).as<std::vector<int>>().back() == 2);
    CHECK_THROWS_AS(static_cast<void>(p4::Value(1).bytes()), p4::P4Error);
    CHECK_THROWS_AS(static_cast<void>(p4::Value(p4::Bytes(1)).json()), p4::P4Error);
    CHECK_THROWS_AS(static_cast<void>(p4::Value("x").as<int>()), p4::P4Error);
    CHECK(p4::Value().json().is_null());
}

namespace {

template <typename Record>
void compare(const Json& schemas, const std::string& schema, const Names& besides = {}) {
    CAPTURE(schema);
    Names ours = besides;
    Record record;
    Record::each(record, [&](const char* name, auto&) { ours.insert(name); });
    CHECK(ours == names(schemas.at(schema).at("properties")));
}

} // namespace

TEST_CASE("records have the members of the daemon's document") {
    const auto document = Json::parse(read_file(repository() / "spec" / "daemon-api" / "openapi.json"));
    const auto& schemas = document.at("components").at("schemas");
    compare<p4::ContactName>(schemas, "ContactName");
    compare<p4::ContactStatus>(schemas, "ContactModel");
    compare<p4::LinkPath>(schemas, "PathModel");
    compare<p4::DeviceIdentity>(schemas, "IdentityModel");
    compare<p4::DeviceStatus>(schemas, "StatusModel");
    compare<p4::ServiceUse>(schemas, "ServiceModel");
    compare<p4::Verification>(schemas, "VerificationModel");
    compare<p4::ChatPage>(schemas, "PageModel");
    compare<p4::Conversation>(schemas, "ConversationModel");
    compare<p4::ChatLine>(schemas, "EntryModel");
    compare<p4::ChatFile>(schemas, "FileModel");
    compare<p4::TokenRecord>(schemas, "MadeTokenModel");
    compare<p4::DeviceInvite>(schemas, "InviteModel");
}

TEST_SUITE_END();
