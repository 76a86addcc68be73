/// @file
/// One contact of this device.
#pragma once

#include <p4/messages.hpp>
#include <p4/streams.hpp>

namespace p4 {

/// What is said with one contact: the history that `p4 chat` and the web page show.
class Chat {
public:
    /// A part of the history.
    /// @param before only what stands before the line of this id; nothing for the latest
    /// @param limit how many at most
    [[nodiscard]] ChatPage page(std::optional<std::string_view> before = {}, int limit = 50) const;

    /// Says something; it is on disk when this returns.
    ChatLine say(std::string_view text) const;

    /// A person was shown everything up to a line; the contact is told.
    /// @param through id of the line
    void mark_read(std::string_view through) const;

    /// A person is writing to the contact; say it as often as you like.
    void typing() const;

    /// Forgets the history, here only.
    void clear() const;

private:
    friend class Contact;
    Chat(std::shared_ptr<detail::Connection> connection, std::string_view contact);

    std::shared_ptr<detail::Connection> connection_;
    std::string path_;
};

/// A contact by its name, id, or a unique beginning of its id of at least 6 digits. Made by Client::contact; asks
/// nothing by itself. Copies are the same; several threads may use it.
///
/// Every method throws P4Error `unknown` or `ambiguous` if the reference names no contact.
class Contact {
public:
    /// How it is now.
    [[nodiscard]] ContactStatus status() const;

    /// The round trip through the contact's program, in seconds.
    [[nodiscard]] double ping() const;

    /// Cuts the link, which comes back by itself. @return false if there was none
    bool drop() const;

    /// Calls it something else. @throws P4Error `name-taken`, `bad-name`
    ContactStatus rename(std::string_view name) const;

    /// Forgets it, and what waits for it and from it.
    void remove() const;

    /// Chooses which paths to it may be used: `direct`, `relay-only` or `lan-only`.
    void set_policy(std::string_view policy) const;

    /// Blocks it, or makes it a contact as before.
    void set_blocked(bool blocked) const;

    /// The words to compare with the contact's person, and whether they were compared.
    [[nodiscard]] Verification verification() const;

    /// Records that the words were compared, or takes it back.
    /// @param public_key for which they were shown
    /// @throws P4Error `changed-key`: it has another one by now
    Verification verify(std::string_view public_key, bool verified = true) const;

    /// The services of this device that it may use; each covers all below it, `*` all.
    [[nodiscard]] std::vector<std::string> grants() const;

    /// Lets it use these, too. @return all that it may use then; on disk
    std::vector<std::string> grant(const std::vector<std::string>& services) const;

    /// Lets it use these no more. @return what is left
    std::vector<std::string> revoke(const std::vector<std::string>& services) const;

    /// Says something to its person: stands in the history that `p4 chat` and the web page show.
    /// @return on disk; arrives once, in order
    Receipt send(std::string_view text) const;

    /// Hands over a message. It is on disk when this returns, and arrives once, in order.
    /// @param service of the contact
    /// @param value up to 1 MiB
    /// @throws P4Error nothing was accepted, except `connection-lost`: the daemon ended in this moment, and it may have
    ///     been
    Receipt send(std::string_view service, const Value& value, const SendOptions& options = {}) const;

    /// Hands over several messages, all or none, with one write to disk.
    /// @param values at most 1000
    /// @return their receipts, in the same order
    std::vector<Receipt> send_all(std::string_view service, std::span<const Value> values,
                                  std::optional<Duration> ttl = {}) const;

    /// For many messages: does not wait for each.
    [[nodiscard]] MessagePipeline pipeline(std::string_view service) const;

    /// Its messages for a service of this device; see Client::messages.
    [[nodiscard]] MessageSubscription messages(std::string_view service, int window = 64) const;

    /// Asks a service of the contact and waits for its reply. It is executed at most once.
    /// @param deadline when the call is given up, here and there
    /// @throws P4Error no result; P4Error::may_have_run says whether it may have been executed
    [[nodiscard]] Value call(std::string_view service, const Value& argument,
                             Duration deadline = std::chrono::seconds(30)) const;

    /// Opens a byte stream to a service, or the one of this name that was opened before: go on at Stream::written and
    /// Stream::position.
    /// @throws P4Error `not-granted`, `too-many`
    [[nodiscard]] Stream stream(std::string_view service, std::string_view name = {}) const;

    /// Waits for the next stream that it opens to a service of this device; see Client::next_stream.
    [[nodiscard]] Stream next_stream(std::string_view service) const;

    /// As next_stream(), but nothing if there is none in time.
    [[nodiscard]] std::optional<Stream> next_stream(std::string_view service, Duration patience) const;

    /// What is said with it.
    [[nodiscard]] Chat chat() const;

private:
    friend class Client;
    Contact(std::shared_ptr<detail::Connection> connection, std::string_view reference);

    std::shared_ptr<detail::Connection> connection_;
    std::string reference_, path_;
};

} // namespace p4
