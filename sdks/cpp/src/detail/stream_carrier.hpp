/// One WebSocket of a stream.
#pragma once

#include "stream_link.hpp"

namespace p4::detail {

/// What arrives on one WebSocket of a stream. All that it holds is guarded by the link's mutex.
class StreamCarrier final : public WordReceiver {
public:
    explicit StreamCarrier(std::weak_ptr<StreamLink> link) : link_(std::move(link)) {}

    std::optional<Json> open; ///< the word that it began with
    bool begun = false;       ///< the link goes on with it
    bool broken = false;
    std::optional<P4Error> error;
    std::uint64_t given = 0;                     ///< offset behind the last byte that came on it
    std::deque<std::variant<Json, Bytes>> early; ///< what came before the link was ready

private:
    void take_word(const Json& word) override {
        if (const auto link = link_.lock()) {
            link->took_word(*this, word);
        }
    }
    void take_bytes(Bytes data) override {
        if (const auto link = link_.lock()) {
            link->took_bytes(*this, std::move(data));
        }
    }
    void take_end(std::optional<P4Error> problem, int code) override {
        if (const auto link = link_.lock()) {
            link->ended(*this, std::move(problem), code);
        }
    }

    std::weak_ptr<StreamLink> link_;
};

} // namespace p4::detail
