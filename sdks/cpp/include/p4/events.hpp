/// @file
/// What happens in the daemon.
#pragma once

#include <p4/value.hpp>

#include <chrono>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace p4 {

namespace detail {
class Connection;
class EventFeed;
} // namespace detail

/// A length of time that somebody waits.
using Duration = std::chrono::milliseconds;

/// Kind of the event of this library that comes first, and again after each restart of the daemon: events may have
/// been missed before. Look at how things are.
inline constexpr std::string_view feed_opened = "feed.opened";

/// Iterates over what a reader gives, waiting for each; ends when the reader is closed.
template <typename Reader, typename Element>
class ReadingIterator {
public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = Element;
    using difference_type = std::ptrdiff_t;

    ReadingIterator() = default;
    explicit ReadingIterator(Reader& reader) : reader_(&reader) { ++*this; }

    Element& operator*() const noexcept { return *current_; }
    Element* operator->() const noexcept { return &*current_; }

    ReadingIterator& operator++() {
        try {
            current_ = reader_->next();
        } catch (const P4Error& error) {
            if (error.code() != "closed") {
                throw;
            }
            current_.reset();
        }
        return *this;
    }
    void operator++(int) { ++*this; }

    friend bool operator==(const ReadingIterator& one, std::default_sentinel_t) noexcept { return !one.current_; }

private:
    Reader* reader_ = nullptr;
    mutable std::optional<Element> current_;
};

/// Something that happened in the daemon (spec/daemon-api, "Events").
struct DaemonEvent {
    std::string kind; ///< such as `link.up`, or feed_opened
    Json data;        ///< an object; its members depend on the kind
};

/// What happens from now on, also after restarts of the daemon. Iterate over it, or call next().
///
/// Moved, not copied. Several threads may use it; each event goes to one. The destructor closes it.
class Events {
public:
    Events(Events&&) noexcept;
    Events& operator=(Events&&) noexcept;
    ~Events();

    /// Waits for the next event, however long that takes.
    /// @return of the kinds that were asked for, feed_opened, or `feed.missed`
    /// @throws P4Error `no-daemon`: it is gone and did not come back; `closed`
    DaemonEvent next();

    /// As next(), but nothing if there is none in time.
    std::optional<DaemonEvent> next(Duration patience);

    /// Hears no more; a next() that waits ends with `closed`.
    void close() noexcept;

    ReadingIterator<Events, DaemonEvent> begin() { return ReadingIterator<Events, DaemonEvent>(*this); }
    static std::default_sentinel_t end() noexcept { return {}; }

private:
    friend class Client;
    friend class Receipt;
    Events(const std::shared_ptr<detail::Connection>& connection, std::vector<std::string> kinds);

    std::vector<std::string> kinds_;
    std::shared_ptr<detail::EventFeed> feed_;
};

} // namespace p4
