/// What a stream is on this side, whichever WebSocket carries it at the moment.
#pragma once

#include "messenger.hpp"
#include "outgoing_bytes.hpp"

#include <variant>

namespace p4::detail {

class StreamCarrier;

/// A task of its own sends what there is to send, and opens the next WebSocket when one has broken.
class StreamLink : public std::enable_shared_from_this<StreamLink> {
public:
    /// Opens a stream, or waits for one; null if there is none at the deadline.
    static std::shared_ptr<StreamLink> open(std::shared_ptr<Connection> connection, const std::string& path,
                                            Clock::time_point deadline = Clock::time_point::max());

    explicit StreamLink(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}

    // These do not change once it is open.
    [[nodiscard]] const std::string& id() const noexcept { return id_; }
    [[nodiscard]] const ContactName& contact() const noexcept { return contact_; }
    [[nodiscard]] const std::string& service() const noexcept { return service_; }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }

    [[nodiscard]] std::uint64_t written();
    [[nodiscard]] std::uint64_t confirmed();
    [[nodiscard]] std::uint64_t position();
    [[nodiscard]] bool has_arrived();

    std::optional<Bytes> read(std::size_t most);
    void consumed(std::uint64_t offset);
    void write(std::span<const std::byte> piece);
    void end_writing();
    void flush();
    void part(Json word);
    bool await_confirmed(std::uint64_t offset, Duration patience);
    bool await_done(Duration patience);
    bool await_readable(Duration patience);
    void close() noexcept;

    // Called by the carrier, on the network's thread.
    void took_word(StreamCarrier& from, const Json& word);
    void took_bytes(StreamCarrier& from, Bytes data);
    void ended(StreamCarrier& from, std::optional<P4Error> error, int code);

private:
    using Lock = std::unique_lock<std::mutex>;
    using Sending = std::variant<std::monostate, Json, Bytes>;

    bool attach(const std::string& path, bool first, Clock::time_point deadline = Clock::time_point::max());
    void begin(const std::shared_ptr<StreamCarrier>& carrier, std::shared_ptr<Socket> socket, bool first);
    void reattach();
    void work() noexcept;
    void send_next();
    Sending next();
    void take(const Json& word);
    void arrive(Bytes data);
    void fail(P4Error error);
    void refuse_ended() const;
    template <typename Condition>
    bool wait(Lock& lock, Clock::time_point deadline, const Condition& condition);

    [[nodiscard]] bool is_readable() const;
    [[nodiscard]] bool has_work() const;
    [[nodiscard]] std::uint64_t may_consume() const;
    [[nodiscard]] bool must_say_end() const;

    std::shared_ptr<Connection> connection_;
    std::string id_, service_, name_;
    ContactName contact_;
    bool opened_here_ = false;

    std::mutex mutex_;
    std::condition_variable changed_;

    // Of the present WebSocket; a new one begins anew.
    std::shared_ptr<StreamCarrier> carrier_;
    std::shared_ptr<Socket> socket_;
    bool said_end_ = false;
    bool said_knows_end_ = false;
    bool said_parting_ = false;
    std::uint64_t said_consumed_ = 0;
    std::uint64_t said_flushes_ = 0;

    // Of our direction.
    OutgoingBytes outgoing_;
    std::uint64_t confirmed_ = 0;
    std::uint64_t flushes_ = 0;
    std::uint64_t flushed_ = 0;
    bool writing_ended_ = false;

    // Of the contact's direction.
    std::deque<Bytes> arrived_;
    std::uint64_t arrived_through_ = 0;
    std::uint64_t position_ = 0;
    std::uint64_t consumed_ = 0;
    bool end_arrived_ = false;
    bool end_read_ = false;

    std::optional<Json> parting_;
    bool done_ = false;
    bool closed_ = false;
    std::optional<P4Error> error_;
};

template <typename Condition>
bool StreamLink::wait(Lock& lock, Clock::time_point deadline, const Condition& condition) {
    while (!condition()) {
        refuse_ended();
        if (changed_.wait_until(lock, deadline) == std::cv_status::timeout && !condition()) {
            return false;
        }
    }
    return true;
}

} // namespace p4::detail
