#include "stream_carrier.hpp"

#include <algorithm>

namespace p4::detail {

namespace {

/// The code of a WebSocket whose stream another one has taken over.
constexpr int taken_over = 4001;

} // namespace

std::shared_ptr<StreamLink> StreamLink::open(std::shared_ptr<Connection> connection, const std::string& path,
                                             Clock::time_point deadline) {
    auto link = std::make_shared<StreamLink>(std::move(connection));
    if (!link->attach(path, true, deadline)) {
        return nullptr;
    }
    link->connection_->workers().start([link] { link->work(); });
    return link;
}

// -- the WebSocket ----------------------------------------------------------------------------------------

bool StreamLink::attach(const std::string& path, bool first, Clock::time_point deadline) {
    while (true) {
        const auto opening = std::make_shared<StreamCarrier>(weak_from_this());
        auto socket = connection_->open_socket(path, opening);
        {
            Lock lock(mutex_);
            const bool answered =
                changed_.wait_until(lock, deadline, [&] { return opening->open || opening->broken || closed_; });
            if (opening->open) {
                begin(opening, std::move(socket), first);
                changed_.notify_all();
                return true;
            }
            if (!answered) {
                return false; // one that comes in this moment comes again to the next who waits
            }
            if (opening->error) {
                throw P4Error(*opening->error);
            }
            refuse_ended();
        }
        // The daemon ended while it was waited for.
        connection_->sleep_until(Clock::now() + first_pause);
    }
}

void StreamLink::begin(const std::shared_ptr<StreamCarrier>& carrier, std::shared_ptr<Socket> socket, bool first) {
    const auto& open = *carrier->open;
    const auto written = member_number(open, "written");
    const auto from = member_number(open, "position");
    if (first) {
        id_ = member_text(open, "id");
        contact_ = record<ContactName>(open.value("contact", Json()));
        service_ = member_text(open, "service");
        name_ = member_text(open, "name");
        opened_here_ = open.value("opened_here", false);
        writing_ended_ = open.value("writing_ended", false);
        outgoing_.begin(written);
        arrived_through_ = position_ = consumed_ = from;
    } else if (!outgoing_.covers(written) || from > arrived_through_) {
        throw P4Error("lost", "The daemon came back with less, or more, of this stream than it had.");
    }
    outgoing_.send_from(written);
    confirmed_ = std::max(confirmed_, member_number(open, "confirmed"));
    said_end_ = open.value("writing_ended", false);
    said_consumed_ = from;
    said_knows_end_ = said_parting_ = end_arrived_ = false;
    said_flushes_ = flushed_;
    carrier_ = carrier;
    socket_ = std::move(socket);
    carrier->begun = true;
    carrier->given = from;
    for (auto& item : std::exchange(carrier->early, {})) {
        if (auto* data = std::get_if<Bytes>(&item)) {
            arrive(std::move(*data));
        } else {
            take(std::get<Json>(item));
        }
    }
}

void StreamLink::reattach() {
    const auto path = opened_here_
                          ? "/v1/contacts/" + path_part(contact_.id) + "/streams/" + path_part(service_) +
                                query({{"name", name_}, {"id", id_}})
                          : "/v1/streams/" + path_part(service_) + query({{"contact", contact_.id}, {"id", id_}});
    try {
        attach(path, false);
    } catch (const P4Error& error) {
        const Lock lock(mutex_);
        if (error.code() != "over" || !(parting_ || (writing_ended_ && end_read_))) {
            throw;
        }
        done_ = true;
        changed_.notify_all();
    }
}

void StreamLink::work() noexcept {
    try {
        while (true) {
            bool broken = false;
            {
                Lock lock(mutex_);
                wait(lock, Clock::time_point::max(),
                     [this] { return done_ || closed_ || carrier_->broken || has_work(); });
                if (done_ || closed_) {
                    return;
                }
                broken = carrier_->broken;
            }
            if (broken) {
                reattach();
            } else {
                send_next();
            }
        }
    } catch (const P4Error& error) {
        fail(error);
    }
}

// -- sending ----------------------------------------------------------------------------------------------

bool StreamLink::has_work() const {
    return outgoing_.has_unsent() || flushes_ > said_flushes_ || (writing_ended_ && !said_end_) ||
           (parting_ && !said_parting_) || may_consume() > said_consumed_ || must_say_end();
}

/// The daemon takes no word for bytes that it has not sent on this WebSocket.
std::uint64_t StreamLink::may_consume() const {
    return std::min(consumed_, carrier_->given);
}

bool StreamLink::must_say_end() const {
    return end_read_ && end_arrived_ && !said_knows_end_ && consumed_ == arrived_through_ &&
           carrier_->given >= consumed_;
}

void StreamLink::send_next() {
    std::shared_ptr<Socket> through;
    std::shared_ptr<StreamCarrier> carrier;
    Sending sending;
    {
        const Lock lock(mutex_);
        through = socket_;
        carrier = carrier_;
        sending = next();
    }
    try {
        if (auto* data = std::get_if<Bytes>(&sending)) {
            send_data(*through, std::move(*data));
        } else if (const auto* word = std::get_if<Json>(&sending)) {
            send_word(*through, *word);
        }
    } catch (const P4Error& error) {
        if (error.code() != "connection-lost") {
            throw;
        }
        const Lock lock(mutex_);
        carrier->broken = true;
    }
}

/// Bytes, or a word; it counts as said.
StreamLink::Sending StreamLink::next() {
    if (may_consume() > said_consumed_ || must_say_end()) {
        const bool knows_end = must_say_end();
        said_consumed_ = may_consume();
        said_knows_end_ = said_knows_end_ || knows_end;
        return Json{{"type", "consumed"}, {"offset", said_consumed_}, {"knows_end", knows_end}};
    }
    if (outgoing_.has_unsent()) {
        return outgoing_.next();
    }
    if (flushes_ > said_flushes_) {
        ++said_flushes_;
        return Json{{"type", "flush"}};
    }
    if (writing_ended_ && !said_end_) {
        said_end_ = true;
        return Json{{"type", "end"}};
    }
    if (parting_ && !said_parting_) {
        said_parting_ = true;
        return *parting_;
    }
    return {};
}

// -- what arrives -----------------------------------------------------------------------------------------

void StreamLink::took_word(StreamCarrier& from, const Json& word) {
    const Lock lock(mutex_);
    if (!from.open && member_text(word, "type") == "open") {
        from.open = word;
    } else if (&from == carrier_.get()) {
        take(word);
    } else if (!from.begun) {
        from.early.emplace_back(word);
    }
    changed_.notify_all();
}

void StreamLink::took_bytes(StreamCarrier& from, Bytes data) {
    const Lock lock(mutex_);
    if (&from == carrier_.get()) {
        arrive(std::move(data));
    } else if (!from.begun) {
        from.early.emplace_back(std::move(data));
    }
    changed_.notify_all();
}

void StreamLink::take(const Json& word) {
    const auto type = member_text(word, "type");
    outgoing_.stored(member_number(word, "written"));
    confirmed_ = std::max(confirmed_, member_number(word, "confirmed"));
    if (type == "flushed") {
        ++flushed_;
    } else if (type == "end") {
        end_arrived_ = true;
    } else if (type == "done") {
        end_arrived_ = done_ = true;
        confirmed_ = parting_ ? confirmed_ : outgoing_.written(); // it is over when all is consumed
    }
}

void StreamLink::arrive(Bytes data) {
    const auto offset = carrier_->given;
    const auto end = offset + data.size();
    carrier_->given = end;
    if (end > arrived_through_) {
        const auto known = offset < arrived_through_ ? arrived_through_ - offset : 0;
        data.erase(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(known));
        arrived_.push_back(std::move(data));
        arrived_through_ = end;
    }
}

void StreamLink::ended(StreamCarrier& from, std::optional<P4Error> error, int code) {
    {
        const Lock lock(mutex_);
        from.broken = true;
        if (!from.begun) {
            from.error = std::move(error);
            changed_.notify_all();
            return;
        }
        if (&from != carrier_.get()) {
            return;
        }
        changed_.notify_all();
    }
    if (error) {
        fail(std::move(*error));
    } else if (code == taken_over) {
        fail({"taken-over", "Another program, or another part of this one, uses the stream now."});
    }
}

void StreamLink::fail(P4Error error) {
    const Lock lock(mutex_);
    if (!error_ && !done_) {
        error_ = std::move(error);
    }
    changed_.notify_all();
}

} // namespace p4::detail
