/// L2: without a daemon.
#include "protocol.hpp"

using namespace p4::core;

namespace {

std::string raw(const Json& given, const char* name) {
    return p4::text_of(from_base64(text(given, name)));
}

std::string hex(std::span<const std::byte> bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string result;
    for (const auto byte : bytes) {
        result += digits[std::to_integer<std::size_t>(byte) / 16];
        result += digits[std::to_integer<std::size_t>(byte) % 16];
    }
    return result;
}

Json about(const Identity& identity) {
    return {{"public_key_b64", to_base64(identity.public_key())}, {"peer_id", identity.peer_id()}};
}

Json generate(const Json&) {
    const auto identity = Identity::generate();
    auto result = about(identity);
    result["seed_b64"] = to_base64(identity.seed());
    return result;
}

Json check_signature(const Json& given) {
    const auto signature = array_of<Signature>(from_base64(text(given, "signature_b64")), "bad-signature");
    if (!verify(key_from_base64(text(given, "public_key_b64")), from_hex(text(given, "message_hex")), signature)) {
        throw p4::P4Error("bad-signature", "The signature is not that of the key.");
    }
    return Json::object();
}

Json open(const Json& given) {
    const auto verified = Envelope::parse(raw(given, "line_b64"))
                              .verify(key_from_base64(text(given, "public_key_b64")), text(given, "me"),
                                      given.at("now_ms"), given.at("max_skew_ms"));
    return {{"sender", verified.sender},
            {"timestamp_ms", verified.timestamp_ms},
            {"nonce_hex", hex(verified.nonce)},
            {"payload", verified.payload}};
}

Json seal_payload(const Json& given) {
    const auto nonce = array_of<Nonce>(from_hex(text(given, "nonce_hex")), "bad-field");
    const auto line = seal(Identity::from_base64(text(given, "seed_b64")), text(given, "recipient"),
                           given.at("payload"), given.at("now_ms").get<std::uint64_t>(), nonce);
    return {{"line_b64", to_base64(p4::bytes_of(line))}};
}

Json replay(const Json& given) {
    const auto capacity = given.at("capacity").get<std::size_t>();
    ReplayWindow window(capacity);
    for (const auto& step : given.at("steps")) {
        if (step.contains("restart")) {
            window = ReplayWindow(window.floor_ms(), window.entries(), capacity);
        } else if (step.contains("prune_now_ms")) {
            window.prune(step.at("prune_now_ms"));
        } else {
            window.accept(array_of<Nonce>(from_hex(text(step, "nonce_hex")), "bad-field"), step.at("timestamp_ms"));
        }
    }
    return {{"floor_ms", window.floor_ms()}, {"entries", window.entries().size()}};
}

Json read_invite(const Json& given) {
    const auto invite = Invite::parse(raw(given, "bytes_b64"));
    return {{"peer_id", invite.peer_id()},
            {"public_key_b64", to_base64(invite.public_key)},
            {"transport", invite.transport},
            {"address", invite.address},
            {"port", invite.port}};
}

Json write_invite(const Json& given) {
    const Invite invite{.public_key = key_from_base64(text(given, "public_key_b64")),
                        .transport = text(given, "transport"),
                        .address = text(given, "address"),
                        .port = given.at("port")};
    return {{"text", invite.to_text()}};
}

} // namespace

Operations core_operations() {
    return {
        {"identity.derive", [](const Json& given) { return about(Identity::from_base64(text(given, "seed_b64"))); }},
        {"identity.key",
         [](const Json& given) {
             return Json{{"peer_id", peer_id(key_from_base64(text(given, "public_key_b64")))}};
         }},
        {"identity.verify", check_signature},
        {"identity.generate", generate},
        {"identity.sign",
         [](const Json& given) {
             const auto identity = Identity::from_base64(text(given, "seed_b64"));
             return Json{{"signature_b64", to_base64(identity.sign(from_hex(text(given, "message_hex"))))}};
         }},
        {"canonical.parse",
         [](const Json& given) {
             return Json{{"canonical", canonical(raw(given, "bytes_b64"))}};
         }},
        {"envelope.verify", open},
        {"envelope.seal", seal_payload},
        {"replay.steps", replay},
        {"invite.parse", read_invite},
        {"invite.write", write_invite},
    };
}
