/// Server-sent events (WHATWG HTML, section 9.2.6) of one path, across restarts of the daemon.
#pragma once

#include "connection.hpp"

#include <deque>

namespace p4::detail {

/// One event. The kind is feed_opened first, and again after each restart: events may have been missed before.
struct FeedEvent {
    std::string kind;
    std::string data;
};

/// Read by the thread that waits for events. Several may; each event goes to one.
class EventFeed {
public:
    /// Asks nothing yet.
    EventFeed(std::shared_ptr<Connection> connection, std::string path);

    /// Opens it now, not with the first event that is waited for. @throws P4Error what the daemon says, `no-daemon`
    void begin();

    /// The next event; nothing at the deadline. @throws P4Error
    std::optional<FeedEvent> next(Clock::time_point deadline);

    /// Wakes who waits, who gets `closed`.
    void close() noexcept;

private:
    void open(Clock::time_point deadline);
    void read(Clock::time_point deadline);
    void take(std::string_view text);
    void take_line(std::string_view line);

    std::shared_ptr<Connection> connection_;
    std::string path_;
    std::atomic<bool> closed_{false};
    std::mutex body_mutex_;
    std::shared_ptr<EventBody> body_;

    std::timed_mutex reading_;
    std::optional<Connection::Attempts> attempts_;
    std::deque<FeedEvent> events_;
    std::string rest_;
    std::string kind_;
    std::optional<std::string> data_;
};

} // namespace p4::detail
