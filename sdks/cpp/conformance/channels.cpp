/// L1: what lives on between requests: subscriptions, served calls, streams, datagrams, events.
#include "protocol.hpp"

#include <condition_variable>
#include <mutex>

namespace {

struct Subscription {
    p4::MessageSubscription messages;
    std::map<std::pair<std::string, std::string>, p4::Message> taken;
};

/// Counts calls that were cancelled.
class Cancelled {
public:
    void add() {
        const std::scoped_lock lock(mutex_);
        ++count_;
        changed_.notify_all();
    }

    bool take(p4::Duration patience) {
        std::unique_lock lock(mutex_);
        const bool there = changed_.wait_for(lock, patience, [this] { return count_ > 0; });
        count_ -= there ? 1 : 0;
        return there;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int count_ = 0;
};

struct Served {
    std::shared_ptr<Cancelled> cancelled;
    p4::Serving serving; // ends first: its handlers use the other
};

struct HeldStream {
    p4::Stream stream;
    p4::Bytes rest; ///< read before a time limit, and not given yet

    [[nodiscard]] std::uint64_t position() const { return stream.position() - rest.size(); }
};

p4::Value answer(const p4::IncomingCall& call, Cancelled& cancelled) {
    const auto last = call.service.substr(call.service.rfind('.') + 1);
    if (last == "echo") {
        return call.argument;
    }
    if (last == "who") {
        return call.contact.name;
    }
    if (last == "fail") {
        throw p4::CallFailure("too-hot", "It burns.", {{"degrees", 99}});
    }
    if (last == "slow") {
        std::mutex mutex;
        std::condition_variable_any changed;
        std::unique_lock lock(mutex);
        changed.wait(lock, call.cancelled, [] { return false; });
        cancelled.add();
    }
    throw std::runtime_error("private");
}

class Channels {
public:
    explicit Channels(Clients& clients) : clients_(clients) {}

    Operations operations() {
        Operations all;
        add_messages(all);
        add_serving(all);
        add_streams(all);
        add_stream_ends(all);
        add_datagrams(all);
        add_events(all);
        return all;
    }

private:
    p4::Client& client(const Json& given) { return clients_.at(given, "client"); }

    void add_messages(Operations& all) {
        all["messages.open"] = [this](const Json& given) {
            auto& me = client(given);
            const auto service = text(given, "service");
            auto messages =
                given.contains("contact") ? me.contact(text(given, "contact")).messages(service) : me.messages(service);
            subscriptions_.put(given, "messages", {std::move(messages), {}});
            return Json::object();
        };
        all["messages.next"] = [this](const Json& given) {
            auto& subscription = subscriptions_.at(given, "messages");
            const auto message = subscription.messages.next(patience_of(given));
            require_in_time(message.has_value());
            subscription.taken.insert_or_assign({message->contact().id, message->id()}, *message);
            return with_value({{"contact", contact_entry(message->contact())},
                               {"id", message->id()},
                               {"service", message->service()},
                               {"key", message->key()}},
                              message->value());
        };
        all["messages.done"] = [this](const Json& given) {
            auto& taken = subscriptions_.at(given, "messages").taken;
            const auto found = taken.find({text(given, "contact_id"), text(given, "message_id")});
            if (found == taken.end()) {
                throw p4::P4Error("no-handle", "This message was not given.");
            }
            found->second.done().get();
            taken.erase(found);
            return Json::object();
        };
        all["messages.close"] = [this](const Json& given) {
            subscriptions_.drop(given, "messages");
            return Json::object();
        };
    }

    void add_serving(Operations& all) {
        all["serving.open"] = [this](const Json& given) {
            auto cancelled = std::make_shared<Cancelled>();
            auto serving = client(given).serve(
                text(given, "service"), [cancelled](const p4::IncomingCall& call) { return answer(call, *cancelled); });
            serving_.put(given, "serving", {cancelled, std::move(serving)});
            return Json::object();
        };
        all["serving.cancelled"] = [this](const Json& given) {
            require_in_time(serving_.at(given, "serving").cancelled->take(patience_of(given)));
            return Json::object();
        };
        all["serving.close"] = [this](const Json& given) {
            serving_.drop(given, "serving");
            return Json::object();
        };
    }

    Json hold(const Json& given, p4::Stream stream) {
        Json result{{"id", stream.id()}, {"written", stream.written()}, {"position", stream.position()}};
        streams_.put(given, "stream", {std::move(stream), {}});
        return result;
    }

    Json accept(const Json& given) {
        const auto service = text(given, "service");
        auto& me = client(given);
        auto stream = given.contains("contact")
                          ? me.contact(text(given, "contact")).next_stream(service, patience_of(given))
                          : me.next_stream(service, patience_of(given));
        require_in_time(stream.has_value());
        Json about{{"contact", contact_entry(stream->contact())}, {"name", stream->name()}};
        about.update(hold(given, std::move(*stream)));
        return about;
    }

    Json read(const Json& given) {
        auto& [stream, rest] = streams_.at(given, "stream");
        const auto length = given.at("length").get<std::size_t>();
        const auto deadline = std::chrono::steady_clock::now() + patience_of(given);
        bool at_end = false;
        while (rest.size() < length && !at_end) {
            const auto left = std::chrono::duration_cast<p4::Duration>(deadline - std::chrono::steady_clock::now());
            require_in_time(stream.await_readable(std::max(left, p4::Duration(0))));
            if (const auto piece = stream.read(length - rest.size())) {
                rest.insert(rest.end(), piece->begin(), piece->end());
            } else {
                at_end = true;
            }
        }
        const auto bytes = std::exchange(rest, {});
        stream.consumed(stream.position());
        return {{"bytes_b64", p4::core::to_base64(bytes)}, {"at_end", at_end}};
    }

    void add_streams(Operations& all) {
        all["stream.open"] = [this](const Json& given) {
            const auto contact = client(given).contact(text(given, "contact"));
            return hold(given, contact.stream(text(given, "service"), text(given, "name")));
        };
        all["stream.accept"] = [this](const Json& given) { return accept(given); };
        all["stream.write"] = [this](const Json& given) {
            streams_.at(given, "stream").stream.write(p4::core::from_base64(text(given, "bytes_b64")));
            return Json::object();
        };
        all["stream.flush"] = [this](const Json& given) {
            auto& stream = streams_.at(given, "stream").stream;
            stream.flush();
            return Json{{"written", stream.written()}};
        };
        all["stream.end"] = [this](const Json& given) {
            streams_.at(given, "stream").stream.end_writing();
            return Json::object();
        };
        all["stream.read"] = [this](const Json& given) { return read(given); };
        all["stream.resume"] = [this](const Json& given) {
            const auto& held = streams_.at(given, "stream");
            return Json{{"written", held.stream.written()}, {"position", held.position()}};
        };
    }

    void add_stream_ends(Operations& all) {
        all["stream.confirmed"] = [this](const Json& given) {
            auto& stream = streams_.at(given, "stream").stream;
            require_in_time(stream.await_confirmed(given.at("offset"), patience_of(given)));
            return Json::object();
        };
        all["stream.done"] = [this](const Json& given) {
            require_in_time(streams_.at(given, "stream").stream.await_done(patience_of(given)));
            return Json::object();
        };
        all["stream.reset"] = [this](const Json& given) {
            streams_.at(given, "stream").stream.reset(text(given, "reason"));
            return Json::object();
        };
        all["stream.detach"] = [this](const Json& given) {
            streams_.drop(given, "stream");
            return Json::object();
        };
    }

    void add_datagrams(Operations& all) {
        all["datagrams.open"] = [this](const Json& given) {
            datagrams_.put(given, "datagrams", client(given).datagrams(text(given, "service")));
            return Json::object();
        };
        all["datagrams.send"] = [this](const Json& given) {
            datagrams_.at(given, "datagrams")
                .send(text(given, "contact"), p4::core::from_base64(text(given, "bytes_b64")));
            return Json::object();
        };
        all["datagrams.next"] = [this](const Json& given) {
            const auto datagram = datagrams_.at(given, "datagrams").next(patience_of(given));
            require_in_time(datagram.has_value());
            return Json{{"contact", contact_entry(datagram->contact)},
                        {"bytes_b64", p4::core::to_base64(datagram->data)}};
        };
        all["datagrams.close"] = [this](const Json& given) {
            datagrams_.drop(given, "datagrams");
            return Json::object();
        };
    }

    void add_events(Operations& all) {
        all["events.open"] = [this](const Json& given) {
            auto events = client(given).events(given.at("types").get<std::vector<std::string>>());
            static_cast<void>(events.next(std::chrono::minutes(1))); // feed_opened
            events_.put(given, "events", std::move(events));
            return Json::object();
        };
        all["events.next"] = [this](const Json& given) {
            const auto deadline = std::chrono::steady_clock::now() + patience_of(given);
            while (true) {
                const auto left = std::chrono::duration_cast<p4::Duration>(deadline - std::chrono::steady_clock::now());
                const auto event = events_.at(given, "events").next(std::max(left, p4::Duration(0)));
                require_in_time(event.has_value());
                if (event->kind != p4::feed_opened) {
                    return Json{{"type", event->kind}, {"data", event->data}};
                }
            }
        };
        all["events.close"] = [this](const Json& given) {
            events_.drop(given, "events");
            return Json::object();
        };
    }

    Clients& clients_;
    Handles<Subscription> subscriptions_;
    Handles<Served> serving_;
    Handles<HeldStream> streams_;
    Handles<p4::Datagrams> datagrams_;
    Handles<p4::Events> events_;
};

} // namespace

Operations channel_operations(Clients& clients) {
    static Channels channels(clients);
    return channels.operations();
}
