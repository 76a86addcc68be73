#include "event_feed.hpp"

namespace p4::detail {

namespace {

/// A message of 1 MiB in base64 or with JSON's escapes fits.
constexpr std::size_t line_bytes = 16 * 1024 * 1024;

} // namespace

EventFeed::EventFeed(std::shared_ptr<Connection> connection, std::string path)
    : connection_(std::move(connection)), path_(std::move(path)) {}

void EventFeed::begin() {
    const std::scoped_lock lock(reading_);
    open(Clock::time_point::max());
}

std::optional<FeedEvent> EventFeed::next(Clock::time_point deadline) {
    const std::unique_lock lock(reading_, deadline);
    if (!lock) {
        return std::nullopt;
    }
    while (true) {
        if (closed_) {
            throw closed_error();
        }
        if (!events_.empty()) {
            auto event = std::move(events_.front());
            events_.pop_front();
            return event;
        }
        try {
            if (body_) {
                read(deadline);
            } else {
                open(deadline);
            }
        } catch (const OutOfTime&) {
            return std::nullopt;
        }
    }
}

void EventFeed::close() noexcept {
    closed_ = true;
    const std::scoped_lock lock(body_mutex_);
    if (body_) {
        body_->abort();
    }
}

void EventFeed::open(Clock::time_point deadline) {
    if (!attempts_) {
        attempts_.emplace(*connection_);
    }
    attempts_->until(deadline);
    std::shared_ptr<EventBody> body;
    try {
        body = connection_->open_events(path_, *attempts_);
    } catch (const P4Error&) {
        attempts_.reset(); // whoever asks again has the whole patience again
        throw;
    }
    attempts_.reset();
    rest_.clear();
    kind_.clear();
    data_.reset();
    events_.push_back({std::string(feed_opened), "{}"});
    const std::scoped_lock lock(body_mutex_);
    body_ = std::move(body);
    if (closed_) {
        body_->abort();
    }
}

void EventFeed::read(Clock::time_point deadline) {
    std::optional<std::string> text;
    try {
        text = body_->read(deadline);
    } catch (const NetworkError& error) {
        {
            const std::scoped_lock lock(body_mutex_);
            body_.reset();
        }
        if (error.failure == Failure::closed) {
            throw closed_error();
        }
        // The daemon restarts, or is asked again and says what is wrong.
        connection_->sleep_until(std::min(deadline, Clock::now() + first_pause));
        return;
    }
    if (!text) {
        throw OutOfTime{};
    }
    take(*text);
}

void EventFeed::take(std::string_view text) {
    rest_ += text;
    std::size_t from = 0;
    for (auto end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n', from)) {
        auto line = std::string_view(rest_).substr(from, end - from);
        if (line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        take_line(line);
        from = end + 1;
    }
    rest_.erase(0, from);
    if (rest_.size() > line_bytes) {
        throw bad_answer();
    }
}

void EventFeed::take_line(std::string_view line) {
    if (line.empty()) {
        if (data_) {
            events_.push_back({kind_.empty() ? "message" : std::move(kind_), std::move(*data_)});
        }
        kind_.clear();
        data_.reset();
        return;
    }
    const auto colon = std::min(line.find(':'), line.size());
    const auto field = line.substr(0, colon);
    auto value = line.substr(std::min(colon + 1, line.size()));
    if (value.starts_with(' ')) {
        value.remove_prefix(1);
    }
    if (field == "event") {
        kind_ = value;
    } else if (field == "data") {
        data_ = data_ ? *data_ + '\n' + std::string(value) : std::string(value);
    }
}

} // namespace p4::detail
