/// @file
/// Identities, envelopes, replay windows and invites, for programs without a daemon: RAII over the C library
/// (native/include/p4_native.h).
#pragma once

#include <p4/value.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct p4_identity;
struct p4_replay_window;

/// The core of P4: what its programs agree on to the byte.
namespace p4::core {

inline constexpr std::size_t seed_bytes = 32;
inline constexpr std::size_t key_bytes = 32;
inline constexpr std::size_t signature_bytes = 64;
inline constexpr std::size_t nonce_bytes = 16;
/// By how much the clocks of two devices may differ, either way, in milliseconds: 24 hours.
inline constexpr std::uint64_t max_skew_ms = 24 * 60 * 60 * 1000;

using Seed = std::array<std::byte, seed_bytes>;
using PublicKey = std::array<std::byte, key_bytes>;
using Signature = std::array<std::byte, signature_bytes>;
using Nonce = std::array<std::byte, nonce_bytes>;

/// The peer id, 24 hex digits, of a public key.
/// @throws P4Error `bad-key`: it cannot serve as a key; points of small order included
[[nodiscard]] std::string peer_id(const PublicKey& key);

/// A key of standard padded base64. @throws P4Error `bad-key`
[[nodiscard]] PublicKey key_from_base64(std::string_view text);

/// Standard padded base64.
[[nodiscard]] std::string to_base64(std::span<const std::byte> bytes);

/// Bytes of standard padded base64. @throws P4Error `bad-base64`
[[nodiscard]] Bytes from_base64(std::string_view text);

/// Whether a signature is the key's. @throws P4Error `bad-key`
[[nodiscard]] bool verify(const PublicKey& key, std::span<const std::byte> message, const Signature& signature);

/// The canonical form (RFC 8785) of the text of a JSON object.
/// @throws P4Error a code of JSON, such as `duplicate-key`
[[nodiscard]] std::string canonical(std::string_view json);

/// 16 bytes that were never used before, from the system's randomness.
[[nodiscard]] Nonce new_nonce();

/// A private key with all that is derived from it. Moved, not copied; wiped by its destructor. Several threads may use
/// it.
class Identity {
public:
    /// A new one. @throws P4Error `no-randomness`
    static Identity generate();

    /// That of a seed.
    static Identity from_seed(const Seed& seed);

    /// That of a seed in standard padded base64. @throws P4Error `bad-key`
    static Identity from_base64(std::string_view seed);

    /// The secret to keep; wipe your copy.
    [[nodiscard]] Seed seed() const;

    [[nodiscard]] const PublicKey& public_key() const noexcept { return key_; }
    [[nodiscard]] const std::string& peer_id() const noexcept { return id_; }

    /// The Ed25519 signature of a message.
    [[nodiscard]] Signature sign(std::span<const std::byte> message) const;

private:
    friend std::string seal(const Identity& identity, std::string_view recipient, std::string_view payload,
                            std::uint64_t timestamp_ms, const Nonce& nonce);
    struct Free {
        void operator()(p4_identity* identity) const noexcept;
    };
    explicit Identity(p4_identity* identity);

    std::unique_ptr<p4_identity, Free> identity_;
    PublicKey key_{};
    std::string id_;
};

/// Signs a payload for one recipient.
/// @param recipient its peer id
/// @param payload text of a JSON object
/// @param timestamp_ms Unix time
/// @param nonce never used before, see new_nonce()
/// @return one line of canonical JSON without its end
/// @throws P4Error a code of JSON, `bad-field`, `too-long`
[[nodiscard]] std::string seal(const Identity& identity, std::string_view recipient, std::string_view payload,
                               std::uint64_t timestamp_ms, const Nonce& nonce);

/// The text of a payload. @throws P4Error `not-utf8`
[[nodiscard]] std::string payload_text(const Json& payload);

/// As above, with a payload that is no text yet. @throws P4Error `not-utf8`, and as above
template <std::same_as<Json> Object>
[[nodiscard]] std::string seal(const Identity& identity, std::string_view recipient, const Object& payload,
                               std::uint64_t timestamp_ms, const Nonce& nonce) {
    return seal(identity, recipient, std::string_view(payload_text(payload)), timestamp_ms, nonce);
}

/// What a verified envelope says.
struct Verified {
    std::string sender;             ///< its peer id
    std::uint64_t timestamp_ms = 0; ///< by the sender's clock
    Nonce nonce{};
    Json payload; ///< an object
};

/// A well-formed envelope of which nothing is proven. It serves to look up the sender's key, no more.
class Envelope {
public:
    /// Reads a line and checks its form.
    /// @throws P4Error `too-long`; a code of JSON; `bad-version`, `missing-field`, `bad-field`
    static Envelope parse(std::string_view line);

    [[nodiscard]] const std::string& sender() const noexcept { return sender_; }       ///< who is said to have sent it
    [[nodiscard]] const std::string& recipient() const noexcept { return recipient_; } ///< whom it is addressed to

    /// Proves that the owner of the key sent this to us at about this time. Next, ask the sender's ReplayWindow.
    /// @param me our own peer id
    /// @throws P4Error in this order: `wrong-sender`, `wrong-recipient`, `bad-time`, `bad-signature`
    [[nodiscard]] Verified verify(const PublicKey& key, std::string_view me, std::uint64_t now_ms,
                                  std::uint64_t max_skew = max_skew_ms) const;

private:
    Envelope() = default;

    std::string line_, sender_, recipient_;
};

/// The envelopes of one sender that were accepted. Store it before acting on an envelope. Moved, not copied; one thread
/// at a time.
class ReplayWindow {
public:
    static constexpr std::size_t usual_capacity = 4096;

    /// An accepted envelope.
    struct Entry {
        std::uint64_t timestamp_ms = 0;
        Nonce nonce{};

        friend bool operator==(const Entry&, const Entry&) = default;
    };

    /// The window of a sender from whom nothing was accepted yet.
    explicit ReplayWindow(std::size_t capacity = usual_capacity);

    /// The window that was stored; entries in any order.
    ReplayWindow(std::uint64_t floor_ms, std::span<const Entry> entries, std::size_t capacity = usual_capacity);

    /// Accepts an envelope, in whatever order envelopes arrive.
    /// @throws P4Error `replayed`: accepted before, or too old to tell; the window is unchanged
    void accept(const Nonce& nonce, std::uint64_t timestamp_ms);

    /// Forgets entries that are too old to be accepted by time anyway.
    void prune(std::uint64_t now_ms);

    /// Nothing that is not newer than this is accepted.
    [[nodiscard]] std::uint64_t floor_ms() const;

    /// What was accepted above the floor, the oldest first.
    [[nodiscard]] std::vector<Entry> entries() const;

private:
    struct Free {
        void operator()(p4_replay_window* window) const noexcept;
    };

    std::unique_ptr<p4_replay_window, Free> window_;
};

/// An invite of version 1: a key, and where its owner answers.
struct Invite {
    PublicKey public_key{};
    std::string transport; ///< `onion` or `direct`
    std::string address;
    std::uint16_t port = 0;

    /// Reads a file or pasted text. @throws P4Error `too-large`, `not-utf8`, a code of JSON, or why it is refused
    static Invite parse(std::string_view text);

    /// The peer id that belongs to the key.
    [[nodiscard]] std::string peer_id() const { return core::peer_id(public_key); }

    /// Canonical JSON. @throws P4Error `bad-key`, `bad-transport`, `bad-address`, `bad-port`
    [[nodiscard]] std::string to_text() const;

    friend bool operator==(const Invite&, const Invite&) = default;
};

} // namespace p4::core
