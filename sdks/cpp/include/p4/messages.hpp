/// @file
/// Durable messages: reading them, each once, and sending them.
#pragma once

#include <p4/events.hpp>
#include <p4/records.hpp>

#include <cstdint>
#include <future>

namespace p4 {

namespace detail {
class Pipeline;
class SubscriptionState;
} // namespace detail

/// A message of a contact, which is on the daemon's disk until done(). A handle: copies are the same message.
class Message {
public:
    [[nodiscard]] const ContactName& contact() const noexcept; ///< who sent it
    [[nodiscard]] const std::string& id() const noexcept;      ///< names it for ever among those of this contact
    [[nodiscard]] const std::string& service() const noexcept; ///< for which service it is
    [[nodiscard]] const std::string& key() const noexcept;     ///< of a latest-value message; empty for others
    [[nodiscard]] std::int64_t sent_ms() const noexcept;       ///< by its sender's clock
    [[nodiscard]] std::int64_t received_ms() const noexcept;   ///< by the daemon's clock

    /// What was sent. Valid as long as a copy of this message.
    /// @throws P4Error `bad-body`: the contact's program said JSON and sent none
    [[nodiscard]] const Value& value() const;

    /// The application has dealt with it. Returns at once; many are told to the daemon together.
    /// @return ready when the daemon has noted it: it will not come again. May be ignored: its destructor waits for
    ///     nothing, and a failure means that the message comes again to the next subscription.
    std::shared_future<void> done() const;

private:
    friend class MessageSubscription;
    struct Content;
    explicit Message(std::shared_ptr<const Content> content);

    std::shared_ptr<const Content> content_;
};

/// The messages of a service, each once, across restarts of the daemon. Iterate over it, or call next().
///
/// A message whose Message::done was called does not come again, whatever restarts: if the daemon ended before it had
/// noted that, it is told once more. One that was not done comes again to the next subscription. Moved, not copied.
/// Several threads may use it; each message goes to one. The destructor tells the daemon what is done, and closes.
class MessageSubscription {
public:
    MessageSubscription(MessageSubscription&&) noexcept;
    MessageSubscription& operator=(MessageSubscription&&) noexcept;
    ~MessageSubscription();

    /// Waits for the next message, however long that takes.
    /// @return one that this subscription has not given yet
    /// @throws P4Error `in-use`, `not-granted`; `no-daemon`: it is gone and did not come back; `closed`
    Message next();

    /// As next(), but nothing if there is none in time.
    std::optional<Message> next(Duration patience);

    /// Tells the daemon what is done, and reads no more; other readers get what is not done.
    void close() noexcept;

    ReadingIterator<MessageSubscription, Message> begin() {
        return ReadingIterator<MessageSubscription, Message>(*this);
    }
    static std::default_sentinel_t end() noexcept { return {}; }

private:
    friend class Client;
    friend class Contact;
    MessageSubscription(const std::shared_ptr<detail::Connection>& connection, std::string_view service,
                        std::string_view contact, int window);

    std::shared_ptr<detail::SubscriptionState> state_;
};

/// How a message is sent.
struct SendOptions {
    std::optional<Duration> ttl; ///< after this time it is of no use; nothing for never
    std::string latest; ///< a key: replaces earlier values with this key that have not arrived yet; empty for none
};

/// One accepted message and what becomes of it.
class Receipt {
public:
    /// The id of the message; the contact's application sees the same.
    [[nodiscard]] const std::string& id() const noexcept { return id_; }

    /// How far it is, as far as this receipt has been told: `queued`, `delivered`, `consumed` or `dropped`; of chat
    /// also `sending`, `seen` and `failed`.
    [[nodiscard]] const std::string& state() const noexcept { return state_; }

    /// Waits until it is on the contact's disk.
    /// @return whether it is; false if the time is over
    /// @throws P4Error it never will be, with the reason as code; `unknown`: the daemon has restarted since and does
    ///     not remember, and the message arrives all the same
    bool await_delivered(Duration patience);

    /// Waits until the contact's application has taken it. As await_delivered().
    bool await_consumed(Duration patience);

private:
    friend class Contact;
    friend class detail::Pipeline;
    Receipt(std::shared_ptr<detail::Connection> connection, std::string_view contact, const Json& entry);
    Receipt(std::shared_ptr<detail::Connection> connection, std::string_view contact, const ChatLine& line);

    bool await(std::string_view wanted, Duration patience);
    bool await_chat(std::string_view wanted, std::chrono::steady_clock::time_point deadline);
    void look(const DaemonEvent& event);
    [[nodiscard]] bool has_come(std::string_view wanted) const;

    std::shared_ptr<detail::Connection> connection_;
    std::string contact_, id_, state_;
    std::string chat_place_; ///< of what was said in the chat
};

/// Many messages to one service of a contact, in order: what is handed over while a request is under way goes together
/// with the next, in one write to the daemon's disk.
///
/// Moved, not copied; several threads may use it. The destructor waits until all has been answered.
class MessagePipeline {
public:
    MessagePipeline(MessagePipeline&&) noexcept;
    MessagePipeline& operator=(MessagePipeline&&) noexcept;
    ~MessagePipeline();

    /// Hands over a message; waits only while very many are under way.
    /// @return its receipt, when it is on the daemon's disk; or a P4Error if it was not accepted, or may not have been
    ///     (`connection-lost`)
    std::future<Receipt> send(const Value& value);

    /// Waits until everything that was handed over has been answered.
    void close() noexcept;

private:
    friend class Contact;
    MessagePipeline(std::shared_ptr<detail::Connection> connection, std::string_view contact, std::string_view service);

    std::shared_ptr<detail::Pipeline> pipeline_;
};

} // namespace p4
