/// What the program does with a stream.
#include "stream_carrier.hpp"

#include <algorithm>

namespace p4::detail {

namespace {

/// Bytes of ours that are kept until the daemon has them; more waits.
constexpr std::uint64_t ahead_bytes = 4 * 1024 * 1024;
constexpr std::size_t piece_bytes = 256 * 1024;
constexpr std::chrono::seconds close_patience{10};

} // namespace

void StreamLink::refuse_ended() const {
    if (error_) {
        throw P4Error(*error_);
    }
    if (closed_ || connection_->is_closed()) {
        throw closed_error();
    }
}

std::uint64_t StreamLink::written() {
    const Lock lock(mutex_);
    return outgoing_.written();
}

std::uint64_t StreamLink::confirmed() {
    const Lock lock(mutex_);
    return confirmed_;
}

std::uint64_t StreamLink::position() {
    const Lock lock(mutex_);
    return position_;
}

bool StreamLink::has_arrived() {
    const Lock lock(mutex_);
    return !arrived_.empty();
}

std::optional<Bytes> StreamLink::read(std::size_t most) {
    Lock lock(mutex_);
    wait(lock, Clock::time_point::max(), [this] { return is_readable(); });
    changed_.notify_all();
    if (arrived_.empty()) {
        end_read_ = true;
        return std::nullopt;
    }
    auto piece = std::move(arrived_.front());
    arrived_.pop_front();
    if (piece.size() > most) {
        const auto cut = piece.begin() + static_cast<std::ptrdiff_t>(most);
        arrived_.emplace_front(cut, piece.end());
        piece.erase(cut, piece.end());
    }
    position_ += piece.size();
    return piece;
}

void StreamLink::consumed(std::uint64_t offset) {
    const Lock lock(mutex_);
    if (offset > position_) {
        throw P4Error("bad-offset", "What was not read cannot have been consumed.");
    }
    consumed_ = std::max(consumed_, offset);
    changed_.notify_all();
}

void StreamLink::write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const auto piece = bytes.first(std::min(bytes.size(), piece_bytes));
        bytes = bytes.subspan(piece.size());
        Lock lock(mutex_);
        wait(lock, Clock::time_point::max(),
             [this] { return outgoing_.ahead() < ahead_bytes || done_ || writing_ended_ || parting_; });
        if (writing_ended_ || done_ || parting_) {
            throw P4Error("ended", "Writing to this stream has ended. Nothing was sent.");
        }
        refuse_ended();
        outgoing_.add(Bytes(piece.begin(), piece.end()));
        changed_.notify_all();
    }
}

void StreamLink::end_writing() {
    const Lock lock(mutex_);
    writing_ended_ = true;
    changed_.notify_all();
}

void StreamLink::flush() {
    Lock lock(mutex_);
    const auto wanted = ++flushes_;
    changed_.notify_all();
    wait(lock, Clock::time_point::max(), [&] { return flushed_ >= wanted || done_; });
}

void StreamLink::part(Json word) {
    Lock lock(mutex_);
    parting_ = std::move(word);
    changed_.notify_all();
    wait(lock, Clock::time_point::max(), [this] { return done_; });
}

bool StreamLink::await_confirmed(std::uint64_t offset, Duration patience) {
    Lock lock(mutex_);
    return wait(lock, Clock::now() + patience, [&] { return confirmed_ >= offset || done_; });
}

bool StreamLink::await_done(Duration patience) {
    Lock lock(mutex_);
    return wait(lock, Clock::now() + patience, [this] { return done_; });
}

bool StreamLink::await_readable(Duration patience) {
    Lock lock(mutex_);
    return wait(lock, Clock::now() + patience, [this] { return is_readable(); });
}

bool StreamLink::is_readable() const {
    return !arrived_.empty() || (end_arrived_ && arrived_through_ <= carrier_->given) || done_;
}

void StreamLink::close() noexcept {
    std::shared_ptr<Socket> socket;
    {
        Lock lock(mutex_);
        if (closed_) {
            return;
        }
        try {
            wait(lock, Clock::now() + close_patience, [this] { return done_ || !has_work(); });
        } catch (const P4Error&) { // NOLINT(bugprone-empty-catch)
            // It has ended, or the daemon is away; what it did not get is told by `written` of the next opening.
        }
        closed_ = true;
        socket = socket_;
        changed_.notify_all();
    }
    socket->close();
}

} // namespace p4::detail
