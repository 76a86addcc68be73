/// @file
/// What the daemon tells, by the names of its API (spec/daemon-api/openapi.json). Times that end in `_ms` are Unix
/// milliseconds, lengths of time are seconds.
#pragma once

#include <p4/error.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace p4 {

/// Who a contact is.
struct ContactName {
    std::string id;   ///< names it for ever
    std::string name; ///< as the user calls it; may be empty

    /// What to show: the name, or the id of a contact that has none.
    [[nodiscard]] const std::string& label() const noexcept { return name.empty() ? id : name; }

    friend bool operator==(const ContactName&, const ContactName&) = default;

    /// Visits the members as the API names them.
    static void each(auto& self, auto&& visit) {
        visit("id", self.id);
        visit("name", self.name);
    }
};

/// Which way a link goes.
struct LinkPath {
    std::string kind; ///< such as `direct` or `relay`
    std::string local, remote, protocol, local_address, remote_address;
    std::optional<double> round_trip; ///< seconds
    std::int64_t bytes_sent = 0, bytes_received = 0;

    static void each(auto& self, auto&& visit) {
        visit("kind", self.kind);
        visit("local", self.local);
        visit("remote", self.remote);
        visit("protocol", self.protocol);
        visit("local_address", self.local_address);
        visit("remote_address", self.remote_address);
        visit("round_trip", self.round_trip);
        visit("bytes_sent", self.bytes_sent);
        visit("bytes_received", self.bytes_received);
    }
};

/// A contact and how it is at the moment. What a token may not see is empty.
struct ContactStatus {
    std::string id;                           ///< names it for ever
    std::string name;                         ///< as the user calls it; may be empty
    bool connected = false;                   ///< whether there is a link
    std::string state;                        ///< of the link, in a word
    int protocol = 0;                         ///< version that both speak, 0 if that is not known
    std::string policy;                       ///< `direct`, `relay-only` or `lan-only`
    std::string lanes;                        ///< how the link is divided, in a word
    std::vector<std::string> grants;          ///< services of this device that it may use
    std::optional<LinkPath> path;             ///< which way the link goes
    std::optional<double> round_trip;         ///< seconds
    std::optional<double> sending, receiving; ///< bytes a second
    int queued_messages = 0;                  ///< how many wait for it
    std::optional<std::int64_t> queued_bytes; ///< how long they are together
    int open_streams = 0;
    std::int64_t last_seen_ms = 0; ///< 0 for never
    std::string why_not;           ///< why there is no link, in a sentence
    std::optional<std::int64_t> next_attempt_ms;
    std::string verification; ///< `no`, `verified` or `verified-before-rotation`
    bool blocked = false;     ///< whether it is answered as strangers are

    /// Who it is.
    [[nodiscard]] ContactName contact() const { return {id, name}; }

    static void each(auto& self, auto&& visit) {
        visit("id", self.id);
        visit("name", self.name);
        visit("connected", self.connected);
        visit("state", self.state);
        visit("protocol", self.protocol);
        visit("policy", self.policy);
        visit("lanes", self.lanes);
        visit("grants", self.grants);
        visit("path", self.path);
        visit("round_trip", self.round_trip);
        visit("sending", self.sending);
        visit("receiving", self.receiving);
        visit("queued_messages", self.queued_messages);
        visit("queued_bytes", self.queued_bytes);
        visit("open_streams", self.open_streams);
        visit("last_seen_ms", self.last_seen_ms);
        visit("why_not", self.why_not);
        visit("next_attempt_ms", self.next_attempt_ms);
        visit("verification", self.verification);
        visit("blocked", self.blocked);
    }
};

/// Who this device is.
struct DeviceIdentity {
    std::string id;         ///< its peer id
    std::string public_key; ///< raw Ed25519 key in base64
    std::string name;       ///< as the device calls itself towards those whom it meets
    int protocol_version = 0;

    static void each(auto& self, auto&& visit) {
        visit("id", self.id);
        visit("public_key", self.public_key);
        visit("name", self.name);
        visit("protocol_version", self.protocol_version);
    }
};

/// The whole node at one moment.
struct DeviceStatus {
    std::string id; ///< its peer id
    std::int64_t moment_ms = 0, started_ms = 0, pid = 0;
    std::string state_directory;
    bool reachable = false;                 ///< whether others can find it
    std::string reachability;               ///< that in a sentence
    std::optional<std::int64_t> checked_ms; ///< when it was looked at
    std::vector<std::string> addresses;     ///< where others find it
    std::vector<std::string> local_addresses, mappings;
    bool lan = false; ///< whether it looks for contacts in the local network
    int port = 0;
    std::map<std::string, std::string> versions; ///< of its parts
    std::vector<ContactStatus> contacts;

    static void each(auto& self, auto&& visit) {
        visit("id", self.id);
        visit("moment_ms", self.moment_ms);
        visit("started_ms", self.started_ms);
        visit("pid", self.pid);
        visit("state_directory", self.state_directory);
        visit("reachable", self.reachable);
        visit("reachability", self.reachability);
        visit("checked_ms", self.checked_ms);
        visit("addresses", self.addresses);
        visit("local_addresses", self.local_addresses);
        visit("mappings", self.mappings);
        visit("lan", self.lan);
        visit("port", self.port);
        visit("versions", self.versions);
        visit("contacts", self.contacts);
    }
};

/// Who serves and reads a service in this daemon.
struct ServiceUse {
    std::string service;
    bool serves_calls = false; ///< whether a program answers calls
    int reads_messages = 0;    ///< how many programs read its messages
    int accepts_streams = 0;   ///< how many programs wait for its streams

    static void each(auto& self, auto&& visit) {
        visit("service", self.service);
        visit("serves_calls", self.serves_calls);
        visit("reads_messages", self.reads_messages);
        visit("accepts_streams", self.accepts_streams);
    }
};

/// What two people compare.
struct Verification {
    ContactName contact;
    std::vector<std::string> words; ///< six; the contact's device shows the same for this device
    std::string public_key;         ///< for which they are, base64
    std::string verification;       ///< `no`, `verified` or `verified-before-rotation`
    bool blocked = false;

    static void each(auto& self, auto&& visit) {
        visit("contact", self.contact);
        visit("words", self.words);
        visit("public_key", self.public_key);
        visit("verification", self.verification);
        visit("blocked", self.blocked);
    }
};

/// An invite of this device at one moment.
struct DeviceInvite {
    std::string id;   ///< names it in this daemon
    std::string kind; ///< `link`, `words` or `local-words`
    std::string text; ///< the link or the words, secret; empty once it has ended
    std::string name; ///< what the guest shall be called; empty for what it calls itself
    std::int64_t created_ms = 0, expires_at_ms = 0;
    std::string state;                  ///< `open`, `claimed`, `paired`, or the code of why it ended
    bool findable = false;              ///< whether a guest would find the device now
    std::string message;                ///< why it ended, in sentences
    std::optional<ContactName> contact; ///< who is paired by it

    /// Whether a guest can still come.
    [[nodiscard]] bool is_open() const noexcept { return state == "open" || state == "claimed"; }

    static void each(auto& self, auto&& visit) {
        visit("id", self.id);
        visit("kind", self.kind);
        visit("text", self.text);
        visit("name", self.name);
        visit("created_ms", self.created_ms);
        visit("expires_at_ms", self.expires_at_ms);
        visit("state", self.state);
        visit("findable", self.findable);
        visit("message", self.message);
        visit("contact", self.contact);
    }
};

/// A token of an app.
struct TokenRecord {
    std::string id, app;
    std::optional<std::vector<std::string>> services; ///< each with all below it; nothing for all
    std::optional<std::vector<std::string>> contacts; ///< ids; nothing for all
    std::int64_t created_ms = 0;
    std::optional<std::int64_t> expires_ms; ///< nothing for never
    std::string token;                      ///< the secret: only in the answer to making it

    static void each(auto& self, auto&& visit) {
        visit("id", self.id);
        visit("app", self.app);
        visit("services", self.services);
        visit("contacts", self.contacts);
        visit("created_ms", self.created_ms);
        visit("expires_ms", self.expires_ms);
        visit("token", self.token);
    }
};

/// A file that was spoken of in a chat.
struct ChatFile {
    std::string name;
    std::int64_t size = 0;
    std::string transfer; ///< its id

    static void each(auto& self, auto&& visit) {
        visit("name", self.name);
        visit("size", self.size);
        visit("transfer", self.transfer);
    }
};

/// One message of a history. Its text is a stranger's.
struct ChatLine {
    std::string id;         ///< its place in this history, a rising number
    std::string message_id; ///< the same on both devices
    bool mine = false;      ///< whether this device sent it
    std::string kind;       ///< `text`, `file`, `data` or `unreadable`
    std::string text;
    std::optional<ChatFile> file;
    std::int64_t sent_ms = 0; ///< by its sender's clock
    std::int64_t kept_ms = 0; ///< when it came into this history
    std::string state;        ///< `sending`, `queued`, `delivered`, `consumed`, `seen`, `failed`; for theirs `received`
    std::string reason;       ///< why it failed

    static void each(auto& self, auto&& visit) {
        visit("id", self.id);
        visit("message_id", self.message_id);
        visit("mine", self.mine);
        visit("kind", self.kind);
        visit("text", self.text);
        visit("file", self.file);
        visit("sent_ms", self.sent_ms);
        visit("kept_ms", self.kept_ms);
        visit("state", self.state);
        visit("reason", self.reason);
    }
};

/// A part of a history.
struct ChatPage {
    std::vector<ChatLine> entries;     ///< the oldest first
    std::optional<std::string> before; ///< asks for the page before this one; nothing if there is none
    int unread = 0;

    static void each(auto& self, auto&& visit) {
        visit("entries", self.entries);
        visit("before", self.before);
        visit("unread", self.unread);
    }
};

/// What is said with one contact, in short.
struct Conversation {
    ContactName contact;
    bool connected = false;
    int unread = 0;
    std::optional<ChatLine> last;

    static void each(auto& self, auto&& visit) {
        visit("contact", self.contact);
        visit("connected", self.connected);
        visit("unread", self.unread);
        visit("last", self.last);
    }
};

} // namespace p4
