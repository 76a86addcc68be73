#include "detail/event_feed.hpp"

#include <algorithm>
#include <set>

namespace p4 {

namespace {

std::string path_of(const std::vector<std::string>& kinds) {
    std::set<std::string> subjects;
    for (const auto& kind : kinds) {
        if (kind != feed_opened) {
            subjects.insert(kind.substr(0, kind.find('.')));
        }
    }
    std::string types;
    for (const auto& subject : subjects) {
        types += types.empty() ? subject : "," + subject;
    }
    return "/v1/events" + detail::query({{"types", types}});
}

} // namespace

Events::Events(const std::shared_ptr<detail::Connection>& connection, std::vector<std::string> kinds)
    : kinds_(std::move(kinds)), feed_(std::make_shared<detail::EventFeed>(connection, path_of(kinds_))) {
    feed_->begin();
}

Events::Events(Events&&) noexcept = default;

Events& Events::operator=(Events&& other) noexcept {
    std::swap(kinds_, other.kinds_);
    std::swap(feed_, other.feed_);
    return *this;
}

Events::~Events() {
    close();
}

DaemonEvent Events::next() {
    while (true) {
        if (auto event = next(std::chrono::hours(1))) {
            return std::move(*event);
        }
    }
}

std::optional<DaemonEvent> Events::next(Duration patience) {
    const auto feed = feed_;
    const auto deadline = detail::Clock::now() + patience;
    while (true) {
        auto event = feed->next(deadline);
        if (!event) {
            return std::nullopt;
        }
        const bool wanted = kinds_.empty() || event->kind == feed_opened || event->kind == "feed.missed" ||
                            std::find(kinds_.begin(), kinds_.end(), event->kind) != kinds_.end();
        if (wanted) {
            return DaemonEvent{std::move(event->kind), detail::parse(event->data)};
        }
    }
}

void Events::close() noexcept {
    if (feed_) {
        feed_->close();
    }
}

} // namespace p4
