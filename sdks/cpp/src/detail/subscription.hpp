/// What a subscription knows of its messages: given out, done, told to the daemon.
#pragma once

#include "event_feed.hpp"

#include <map>
#include <set>
#include <vector>

namespace p4::detail {

/// Of a message: its contact's id and its own.
struct MessageKey {
    std::string contact, id;

    friend auto operator<=>(const MessageKey&, const MessageKey&) = default;
};

/// Shared by the subscription, its messages and the task that tells the daemon.
class SubscriptionState : public std::enable_shared_from_this<SubscriptionState> {
public:
    SubscriptionState(std::shared_ptr<Connection> connection, std::string path, const std::string& query);

    /// The next message that was not given before, as the daemon wrote it; nothing at the deadline.
    std::optional<Json> next(Clock::time_point deadline);

    std::shared_future<void> done(const MessageKey& key);

    void close() noexcept;

private:
    struct Done {
        std::promise<void> promise;
        std::shared_future<void> future{promise.get_future().share()};
        bool answered = false;
        std::uint64_t order = 0;
    };
    using Guard = std::scoped_lock<std::mutex>;

    bool is_new(const MessageKey& key);
    Done& note(const MessageKey& key);
    void settle(const MessageKey& key);
    void tell(const Guard& guard);
    void tell_all();
    void tell_some(const std::vector<MessageKey>& keys);
    Json post(const Json& body);

    std::shared_ptr<Connection> connection_;
    std::string path_;
    EventFeed feed_;

    std::mutex mutex_;
    std::condition_variable told_;
    /// Given to the application, and not done yet.
    std::set<MessageKey> handed_out_;
    /// Done by the application, and not yet known to be so by the daemon.
    std::map<MessageKey, Done> done_;
    std::uint64_t dones_ = 0;
    /// The daemon was told, the oldest first. It may still come again: from a connection before, or because the daemon
    /// restarted and was told before it had handed the message out again.
    std::deque<MessageKey> settled_order_;
    std::set<MessageKey> settled_;
    /// Came again while the daemon was being told. It may have been told before it handed the message out, and then has
    /// not noted anything.
    std::set<MessageKey> again_;
    bool telling_ = false;
    /// Somebody wants all to be told once more.
    bool more_ = false;
};

} // namespace p4::detail
