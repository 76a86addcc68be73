#include <p4/core.hpp>

#include <p4_core.h>
#include <p4_native.h>

#include <algorithm>
#include <array>

namespace p4::core {

namespace {

const std::uint8_t* raw(std::span<const std::byte> bytes) noexcept {
    return reinterpret_cast<const std::uint8_t*>(bytes.data());
}

std::uint8_t* room(std::span<std::byte> bytes) noexcept {
    return reinterpret_cast<std::uint8_t*>(bytes.data());
}

struct FreeString {
    void operator()(char* text) const noexcept { p4_free_string(text); }
};
using Text = std::unique_ptr<char, FreeString>;

/// Why the last call of this thread failed: "code: sentence".
[[noreturn]] void fail() {
    const Text reason(p4_last_error_message());
    const std::string_view text = reason ? reason.get() : "internal-error: The library has no memory left.";
    const auto colon = text.find(": ");
    throw P4Error(std::string(text.substr(0, colon)), std::string(text.substr(colon + 2)));
}

void check(unsigned char good) {
    if (good == 0) {
        fail();
    }
}

std::string owned(char* result) {
    const Text text(result);
    if (!text) {
        fail();
    }
    return text.get();
}

template <typename Handle>
Handle* checked(Handle* handle) {
    if (handle == nullptr) {
        fail();
    }
    return handle;
}

/// What the core has written.
Json object(char* result) {
    return Json::parse(owned(result));
}

std::size_t hex_digit(char digit) {
    constexpr std::string_view digits = "0123456789abcdef";
    return digits.find(digit);
}

Nonce nonce_from_hex(std::string_view text) {
    Nonce nonce{};
    for (std::size_t i = 0; i < nonce.size(); ++i) {
        nonce.at(i) = static_cast<std::byte>(hex_digit(text.at(2 * i)) << 4U | hex_digit(text.at(2 * i + 1)));
    }
    return nonce;
}

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::size_t group_bytes = 3;
constexpr std::size_t group_letters = 4;
constexpr unsigned letter_bits = 6;
constexpr unsigned byte_bits = 8;

} // namespace

std::string to_base64(std::span<const std::byte> bytes) {
    std::string text;
    text.reserve((bytes.size() + 2) / group_bytes * group_letters);
    unsigned kept = 0;
    unsigned bits = 0;
    for (const auto byte : bytes) {
        kept = kept << byte_bits | std::to_integer<unsigned>(byte);
        bits += byte_bits;
        while (bits >= letter_bits) {
            bits -= letter_bits;
            text += alphabet[kept >> bits & (alphabet.size() - 1)];
        }
        kept &= (1U << bits) - 1;
    }
    if (bits > 0) {
        text += alphabet[kept << (letter_bits - bits) & (alphabet.size() - 1)];
    }
    text.resize((text.size() + group_letters - 1) / group_letters * group_letters, '=');
    return text;
}

Bytes from_base64(std::string_view text) {
    const auto refused = [] { return P4Error("bad-base64", "This is not standard base64 with its padding."); };
    const auto end = std::min(text.find('='), text.size());
    const auto padding = text.substr(end);
    if (text.size() % group_letters != 0 || padding.size() >= group_bytes ||
        padding != std::string_view("==").substr(0, padding.size())) {
        throw refused();
    }
    static const auto values = [] {
        std::array<unsigned char, 256> table{}; // NOLINT(readability-magic-numbers): of a byte
        table.fill(alphabet.size());
        for (std::size_t i = 0; i < alphabet.size(); ++i) {
            table.at(static_cast<unsigned char>(alphabet[i])) = static_cast<unsigned char>(i);
        }
        return table;
    }();
    Bytes bytes;
    bytes.reserve(text.size() / group_letters * group_bytes);
    unsigned kept = 0;
    unsigned bits = 0;
    for (const char letter : text.substr(0, end)) {
        const unsigned value = values.at(static_cast<unsigned char>(letter));
        if (value == alphabet.size()) {
            throw refused();
        }
        kept = kept << letter_bits | value;
        bits += letter_bits;
        if (bits >= byte_bits) {
            bits -= byte_bits;
            bytes.push_back(static_cast<std::byte>(kept >> bits));
            kept &= (1U << bits) - 1;
        }
    }
    if (kept != 0) {
        throw refused(); // two texts would stand for the same bytes
    }
    return bytes;
}

PublicKey key_from_base64(std::string_view text) {
    PublicKey key{};
    Bytes bytes;
    try {
        bytes = from_base64(text);
    } catch (const P4Error&) {
        bytes.clear();
    }
    if (bytes.size() != key.size()) {
        throw P4Error("bad-key", "A key is 32 bytes in standard base64.");
    }
    std::copy(bytes.begin(), bytes.end(), key.begin());
    return key;
}

std::string peer_id(const PublicKey& key) {
    return owned(p4_public_key_peer_id(raw(key)));
}

bool verify(const PublicKey& key, std::span<const std::byte> message, const Signature& signature) {
    if (p4_public_key_verify(raw(key), raw(message), message.size(), raw(signature)) != 0) {
        return true;
    }
    try {
        fail();
    } catch (const P4Error& error) {
        if (error.code() != "bad-signature") {
            throw;
        }
        return false;
    }
}

std::string canonical(std::string_view json) {
    return owned(p4_canonical_json(json.data(), json.size()));
}

Nonce new_nonce() {
    // The seed of a new identity is the system's randomness.
    const auto seed = Identity::generate().seed();
    Nonce nonce{};
    std::copy_n(seed.begin(), nonce.size(), nonce.begin());
    return nonce;
}

void Identity::Free::operator()(p4_identity* identity) const noexcept {
    p4_identity_free(identity);
}

Identity::Identity(p4_identity* identity) : identity_(checked(identity)) {
    check(p4_identity_public_key(identity_.get(), room(key_)));
    id_ = core::peer_id(key_);
}

Identity Identity::generate() {
    return Identity(p4_identity_generate());
}

Identity Identity::from_seed(const Seed& seed) {
    return Identity(p4_identity_from_seed(raw(seed)));
}

Identity Identity::from_base64(std::string_view seed) {
    return from_seed(key_from_base64(seed));
}

Seed Identity::seed() const {
    Seed seed{};
    check(p4_identity_seed(identity_.get(), room(seed)));
    return seed;
}

Signature Identity::sign(std::span<const std::byte> message) const {
    Signature signature{};
    check(p4_identity_sign(identity_.get(), raw(message), message.size(), room(signature)));
    return signature;
}

std::string seal(const Identity& identity, std::string_view recipient, std::string_view payload,
                 std::uint64_t timestamp_ms, const Nonce& nonce) {
    return owned(p4_envelope_seal(identity.identity_.get(), std::string(recipient).c_str(), payload.data(),
                                  payload.size(), timestamp_ms, raw(nonce)));
}

std::string payload_text(const Json& payload) {
    try {
        return payload.dump();
    } catch (const nlohmann::json::exception&) {
        throw P4Error("not-utf8", "The payload holds text that is not UTF-8. Nothing was signed.");
    }
}

Envelope Envelope::parse(std::string_view line) {
    const auto read = object(p4_envelope_read(line.data(), line.size()));
    Envelope envelope;
    envelope.line_ = line;
    envelope.sender_ = read.at("sender").get<std::string>();
    envelope.recipient_ = read.at("recipient").get<std::string>();
    return envelope;
}

Verified Envelope::verify(const PublicKey& key, std::string_view me, std::uint64_t now_ms,
                          std::uint64_t max_skew) const {
    auto read =
        object(p4_envelope_open(line_.data(), line_.size(), raw(key), std::string(me).c_str(), now_ms, max_skew));
    return {.sender = read.at("sender").get<std::string>(),
            .timestamp_ms = read.at("timestamp_ms").get<std::uint64_t>(),
            .nonce = nonce_from_hex(read.at("nonce_hex").get<std::string>()),
            .payload = std::move(read.at("payload"))};
}

void ReplayWindow::Free::operator()(p4_replay_window* window) const noexcept {
    p4_replay_window_free(window);
}

ReplayWindow::ReplayWindow(std::size_t capacity) : window_(checked(p4_replay_window_new(capacity))) {}

ReplayWindow::ReplayWindow(std::uint64_t floor_ms, std::span<const Entry> entries, std::size_t capacity) {
    std::vector<std::uint64_t> times;
    Bytes nonces;
    for (const auto& entry : entries) {
        times.push_back(entry.timestamp_ms);
        nonces.insert(nonces.end(), entry.nonce.begin(), entry.nonce.end());
    }
    window_.reset(checked(p4_replay_window_restore(floor_ms, times.data(), raw(nonces), times.size(), capacity)));
}

void ReplayWindow::accept(const Nonce& nonce, std::uint64_t timestamp_ms) {
    check(p4_replay_window_accept(window_.get(), raw(nonce), timestamp_ms));
}

void ReplayWindow::prune(std::uint64_t now_ms) {
    check(p4_replay_window_prune(window_.get(), now_ms));
}

std::uint64_t ReplayWindow::floor_ms() const {
    return p4_replay_window_floor_ms(window_.get());
}

std::vector<ReplayWindow::Entry> ReplayWindow::entries() const {
    std::vector<std::uint64_t> times(p4_replay_window_count(window_.get()));
    Bytes nonces(times.size() * nonce_bytes);
    check(p4_replay_window_entries(window_.get(), times.data(), room(nonces)));
    std::vector<Entry> entries(times.size());
    for (std::size_t i = 0; i < times.size(); ++i) {
        entries[i].timestamp_ms = times[i];
        const auto nonce = std::span(nonces).subspan(i * nonce_bytes, nonce_bytes);
        std::copy(nonce.begin(), nonce.end(), entries[i].nonce.begin());
    }
    return entries;
}

Invite Invite::parse(std::string_view text) {
    const auto read = object(p4_invite_read(text.data(), text.size()));
    return {.public_key = key_from_base64(read.at("public_key_b64").get<std::string>()),
            .transport = read.at("transport").get<std::string>(),
            .address = read.at("address").get<std::string>(),
            .port = read.at("port").get<std::uint16_t>()};
}

std::string Invite::to_text() const {
    return owned(p4_invite_write(raw(public_key), transport.c_str(), address.c_str(), port));
}

} // namespace p4::core
