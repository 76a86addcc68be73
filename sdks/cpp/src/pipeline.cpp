#include "detail/pipeline.hpp"

namespace p4 {

namespace detail {

namespace {

constexpr std::size_t most_values = 1000;
constexpr std::size_t most_bytes = 1'000'000; // of at most 2 MiB for a body
constexpr std::size_t most_waiting = 4000;

} // namespace

Pipeline::Pipeline(std::shared_ptr<Connection> connection, std::string_view contact, std::string_view service)
    : connection_(std::move(connection)), contact_(contact), service_(service),
      path_("/v1/contacts/" + path_part(contact) + "/messages/batch") {}

std::future<Receipt> Pipeline::send(const Value& value) {
    Waiting one;
    one.body = Json::object();
    one.size = put(value, one.body);
    auto receipt = one.receipt.get_future();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return closed_ || waiting_.size() < most_waiting; });
    if (closed_ || connection_->is_closed()) {
        throw closed_error();
    }
    waiting_.push_back(std::move(one));
    if (!sending_) {
        sending_ = true;
        connection_->workers().start([self = shared_from_this()] { self->run(); });
    }
    return receipt;
}

void Pipeline::close() noexcept {
    std::unique_lock lock(mutex_);
    closed_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !sending_; });
}

void Pipeline::run() {
    while (true) {
        std::vector<Waiting> batch;
        {
            const std::scoped_lock lock(mutex_);
            std::size_t size = 0;
            while (!waiting_.empty() && batch.size() < most_values &&
                   (batch.empty() || size + waiting_.front().size <= most_bytes)) {
                size += waiting_.front().size;
                batch.push_back(std::move(waiting_.front()));
                waiting_.pop_front();
            }
            sending_ = !batch.empty();
            changed_.notify_all();
            if (!sending_) {
                return;
            }
        }
        hand_over(batch);
    }
}

void Pipeline::hand_over(std::span<Waiting> batch) {
    Json body{{"service", service_}, {"values", Json::array()}};
    for (const auto& one : batch) {
        body["values"].push_back(one.body);
    }
    try {
        const auto answer = connection_->post(path_, std::move(body));
        const auto receipts = answer.is_object() ? answer.value("receipts", Json::array()) : Json::array();
        if (receipts.size() != batch.size()) {
            throw bad_answer();
        }
        for (std::size_t i = 0; i < batch.size(); ++i) {
            batch[i].receipt.set_value(Receipt(connection_, contact_, receipts[i]));
        }
    } catch (const P4Error& error) {
        const bool refused = error.status() != 0 && !error.may_have_run();
        for (auto& one : batch) {
            if (refused && batch.size() > 1) {
                hand_over(std::span(&one, 1)); // all or none: one of them may be the reason
            } else {
                one.receipt.set_exception(std::make_exception_ptr(error));
            }
        }
    }
}

} // namespace detail

MessagePipeline::MessagePipeline(std::shared_ptr<detail::Connection> connection, std::string_view contact,
                                 std::string_view service)
    : pipeline_(std::make_shared<detail::Pipeline>(std::move(connection), contact, service)) {}

MessagePipeline::MessagePipeline(MessagePipeline&&) noexcept = default;

MessagePipeline& MessagePipeline::operator=(MessagePipeline&& other) noexcept {
    std::swap(pipeline_, other.pipeline_);
    return *this;
}

MessagePipeline::~MessagePipeline() {
    close();
}

std::future<Receipt> MessagePipeline::send(const Value& value) {
    return pipeline_->send(value);
}

void MessagePipeline::close() noexcept {
    if (pipeline_) {
        pipeline_->close();
    }
}

} // namespace p4
