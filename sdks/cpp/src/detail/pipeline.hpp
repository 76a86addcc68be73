/// Messages on their way to the daemon's disk, many with one request.
#pragma once

#include "connection.hpp"

#include <deque>

namespace p4::detail {

class Pipeline : public std::enable_shared_from_this<Pipeline> {
public:
    Pipeline(std::shared_ptr<Connection> connection, std::string_view contact, std::string_view service);

    std::future<Receipt> send(const Value& value);
    void close() noexcept;

private:
    struct Waiting {
        Json body;
        std::size_t size = 0;
        std::promise<Receipt> receipt;
    };

    void run();
    void hand_over(std::span<Waiting> batch);

    std::shared_ptr<Connection> connection_;
    std::string contact_, service_, path_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Waiting> waiting_;
    bool sending_ = false;
    bool closed_ = false;
};

} // namespace p4::detail
