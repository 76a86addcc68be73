/// @file
/// The client of the local daemon.
#pragma once

#include <p4/contact.hpp>
#include <p4/serving.hpp>

#include <filesystem>

namespace p4 {

/// Pairing of this device: its invites, and taking those of others. The owner's alone.
class Pairing {
public:
    /// Makes an invite. It is on the daemon's disk when this returns; give its text to the other person.
    /// @param kind `link`, `words` or `local-words`
    /// @param name what the guest shall be called; empty for what it calls itself
    [[nodiscard]] DeviceInvite create(std::string_view kind = "link", Duration lifetime = std::chrono::minutes(10),
                                      std::string_view name = {}) const;

    /// The open invites, the oldest first.
    [[nodiscard]] std::vector<DeviceInvite> list() const;

    /// Waits until a guest would find the device by an invite, or the invite has ended.
    DeviceInvite await_findable(std::string_view id) const;

    /// Waits until both sides are paired, over restarts of the daemon.
    /// @return the guest
    /// @throws P4Error it ended otherwise, with the reason as its code
    ContactName await(std::string_view id) const;

    /// Takes an invite back; one that has ended stays as it is.
    void cancel(std::string_view id) const;

    /// Takes the invite of another device.
    /// @param invite a link, words, or the JSON of version 1
    /// @param name what the device shall be called here; empty for what it calls itself
    /// @param patience how long it is looked for
    /// @return the contact; both sides have each other on disk
    /// @throws P4Error of pairing, with the reason as its code
    ContactStatus add(std::string_view invite, std::string_view name = {},
                      Duration patience = std::chrono::minutes(2)) const;

private:
    friend class Client;
    explicit Pairing(std::shared_ptr<detail::Connection> connection);
    [[nodiscard]] DeviceInvite look(std::string_view id, std::string_view wait) const;

    std::shared_ptr<detail::Connection> connection_;
};

/// Whom a token may reach, and until when.
struct TokenOptions {
    std::optional<std::vector<std::string>> services; ///< each with all below it; nothing for all
    std::optional<std::vector<std::string>> contacts; ///< names or ids; nothing for all
    std::optional<Duration> lifetime;                 ///< nothing for ever
};

/// How a client finds its daemon.
struct ClientOptions {
    std::optional<std::filesystem::path> state_directory; ///< of the device; nothing for `~/.p4`
    std::string url;                             ///< with a token: address of the daemon, `http://127.0.0.1:PORT`
    std::string token;                           ///< of an app, as `p4 token new` gave it
    Duration restart = std::chrono::seconds(20); ///< how long a request waits for a daemon that restarts
};

/// A program's way to the daemon of this machine (`p4 up`).
///
/// A handle: copies share the connection, which ends with the last copy and the last object made by one, or by
/// close(). Everything may be used by several threads at the same time; all calls block unless they say otherwise. When
/// the daemon restarts, requests wait for it, and subscriptions, events, served calls, streams and datagrams go on by
/// themselves. A request that changes something is not sent twice: `connection-lost` says that it may have been done.
class Client {
public:
    /// A client of the daemon of `~/.p4`.
    /// @throws P4Error `no-daemon`: none runs; `p4 up` starts one
    static Client connect();

    /// A client of the daemon of a state directory, which its user may read.
    static Client connect(const std::filesystem::path& state_directory);

    /// A client with the token of an app.
    /// @throws P4Error `no-daemon`, `bad-token`
    static Client connect(std::string_view url, std::string_view token);

    /// A client with all choices.
    static Client connect(const ClientOptions& options);

    /// Ends every connection. What is under way ends with `closed`; the daemon goes on.
    void close() noexcept;

    /// Who this device is.
    [[nodiscard]] DeviceIdentity identity() const;

    /// Calls this device otherwise towards those it pairs with from now on; empty for the machine's name.
    DeviceIdentity rename_device(std::string_view name) const;

    /// How the node and all its contacts are.
    [[nodiscard]] DeviceStatus status() const;

    /// Figures of the daemon in Prometheus' text format.
    [[nodiscard]] std::string metrics() const;

    /// Who serves and reads what in this daemon.
    [[nodiscard]] std::vector<ServiceUse> services() const;

    /// A contact by its name, id, or a unique beginning of its id; asks nothing.
    /// @throws P4Error `bad-name`: it cannot name anything
    [[nodiscard]] Contact contact(std::string_view reference) const;

    /// All contacts.
    [[nodiscard]] std::vector<ContactStatus> contacts() const;

    /// Invites of this device, and taking those of others.
    [[nodiscard]] Pairing pairing() const;

    /// The messages of contacts for a service, each once. Asks nothing yet: the first next() does.
    /// @param window how many come before one must be done, 1 to 256
    [[nodiscard]] MessageSubscription messages(std::string_view service, int window = 64) const;

    /// Waits for the next byte stream that a contact opens to a service. One that was not finished comes again, also
    /// after restarts: go on at its Stream::position.
    [[nodiscard]] Stream next_stream(std::string_view service) const;

    /// As next_stream(), but nothing if there is none in time.
    [[nodiscard]] std::optional<Stream> next_stream(std::string_view service, Duration patience) const;

    /// Datagrams of a service, from and to all contacts.
    [[nodiscard]] Datagrams datagrams(std::string_view service) const;

    /// Answers the calls for a service and those below it that nobody else serves. When this returns, calls are taken.
    /// @throws P4Error `already-served`, `not-granted`
    [[nodiscard]] Serving serve(std::string_view service, CallHandler handler) const;

    /// What happens in the daemon from now on: of what happens after this returned nothing is missed.
    /// @param kinds only these, such as `link.up`; none for all
    [[nodiscard]] Events events(std::vector<std::string> kinds = {}) const;

    /// What is said with whom, in short.
    [[nodiscard]] std::vector<Conversation> conversations() const;

    /// The tokens of apps, without their secrets.
    [[nodiscard]] std::vector<TokenRecord> tokens() const;

    /// Makes a token for an app; its secret is told this once.
    [[nodiscard]] TokenRecord new_token(std::string_view app, const TokenOptions& options = {}) const;

    /// Ends a token, and what is under way with it.
    void revoke_token(std::string_view id) const;

    /// Ends the daemon, within 2 seconds.
    void shutdown() const;

    /// Asks the daemon for what this library has no method for (spec/daemon-api).
    /// @param method of HTTP
    /// @param path with `/v1`; names in it percent-encoded
    /// @param body a JSON value, or nothing
    /// @return the JSON of the answer; null for an empty one
    Json request(std::string_view method, std::string_view path, const std::optional<Json>& body = {}) const;

private:
    explicit Client(std::shared_ptr<detail::Connection> connection);

    std::shared_ptr<detail::Connection> connection_;
};

} // namespace p4
