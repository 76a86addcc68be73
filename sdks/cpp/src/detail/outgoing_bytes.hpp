/// Our bytes of a stream that the daemon may not have yet, with their offsets.
#pragma once

#include <p4/value.hpp>

#include <cstdint>
#include <deque>

namespace p4::detail {

/// Its user holds a lock.
class OutgoingBytes {
public:
    /// Nothing is kept: the program goes on where the daemon is.
    void begin(std::uint64_t offset) noexcept { from_ = written_ = sent_ = offset; }

    /// Whether another connection can go on at an offset.
    [[nodiscard]] bool covers(std::uint64_t offset) const noexcept { return from_ <= offset && offset <= written_; }

    /// Another connection goes on at an offset.
    void send_from(std::uint64_t offset) {
        stored(offset);
        sent_ = offset;
    }

    void add(Bytes piece) {
        written_ += piece.size();
        kept_.push_back(std::move(piece));
    }

    /// The daemon has all before an offset.
    void stored(std::uint64_t through) {
        while (!kept_.empty() && from_ + kept_.front().size() <= through) {
            from_ += kept_.front().size();
            kept_.pop_front();
        }
    }

    [[nodiscard]] bool has_unsent() const noexcept { return sent_ < written_; }

    /// What is to be sent next, at most one piece; it counts as sent. Nothing if there is none.
    Bytes next() {
        auto offset = from_;
        for (const auto& piece : kept_) {
            if (offset + piece.size() > sent_) {
                Bytes rest(piece.begin() + static_cast<std::ptrdiff_t>(sent_ - offset), piece.end());
                sent_ += rest.size();
                return rest;
            }
            offset += piece.size();
        }
        return {};
    }

    [[nodiscard]] std::uint64_t written() const noexcept { return written_; }

    /// How many bytes the daemon is not known to have.
    [[nodiscard]] std::uint64_t ahead() const noexcept { return written_ - from_; }

private:
    std::deque<Bytes> kept_;
    std::uint64_t from_ = 0, written_ = 0, sent_ = 0;
};

} // namespace p4::detail
