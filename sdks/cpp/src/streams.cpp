#include "detail/stream_link.hpp"

#include <algorithm>

namespace p4 {

namespace {

/// So much may be read before the daemon is told, if more is there to be read.
constexpr std::uint64_t told_bytes = 256 * 1024;

} // namespace

Stream Contact::stream(std::string_view service, std::string_view name) const {
    return Stream(detail::StreamLink::open(connection_, path_ + "/streams/" + detail::path_part(service) +
                                                            detail::query({{"name", std::string(name)}})));
}

Stream Contact::next_stream(std::string_view service) const {
    return Stream(detail::StreamLink::open(connection_, "/v1/streams/" + detail::path_part(service) +
                                                            detail::query({{"contact", reference_}})));
}

std::optional<Stream> Contact::next_stream(std::string_view service, Duration patience) const {
    auto link = detail::StreamLink::open(
        connection_, "/v1/streams/" + detail::path_part(service) + detail::query({{"contact", reference_}}),
        detail::Clock::now() + patience);
    return link ? std::optional(Stream(std::move(link))) : std::nullopt;
}

Stream Client::next_stream(std::string_view service) const {
    return Stream(detail::StreamLink::open(connection_, "/v1/streams/" + detail::path_part(service)));
}

std::optional<Stream> Client::next_stream(std::string_view service, Duration patience) const {
    auto link = detail::StreamLink::open(connection_, "/v1/streams/" + detail::path_part(service),
                                         detail::Clock::now() + patience);
    return link ? std::optional(Stream(std::move(link))) : std::nullopt;
}

Stream::Stream(std::shared_ptr<detail::StreamLink> link) : link_(std::move(link)), told_(link_->position()) {}

Stream::Stream(Stream&&) noexcept = default;

Stream& Stream::operator=(Stream&& other) noexcept {
    std::swap(link_, other.link_);
    std::swap(told_, other.told_);
    return *this;
}

Stream::~Stream() {
    close();
}

const std::string& Stream::id() const noexcept {
    return link_->id();
}

const ContactName& Stream::contact() const noexcept {
    return link_->contact();
}

const std::string& Stream::service() const noexcept {
    return link_->service();
}

const std::string& Stream::name() const noexcept {
    return link_->name();
}

std::uint64_t Stream::written() const {
    return link_->written();
}

std::uint64_t Stream::confirmed() const {
    return link_->confirmed();
}

std::uint64_t Stream::position() const {
    return link_->position();
}

std::optional<Bytes> Stream::read(std::size_t most) {
    return link_->read(std::max<std::size_t>(most, 1));
}

std::size_t Stream::read_some(std::span<std::byte> buffer) {
    if (buffer.empty()) {
        return 0;
    }
    if (const auto position = link_->position();
        position > told_ && (position - told_ >= told_bytes || !link_->has_arrived())) {
        link_->consumed(position);
        told_ = position;
    }
    const auto piece = link_->read(buffer.size());
    if (!piece) {
        told_ = link_->position();
        link_->consumed(told_);
        return 0;
    }
    std::copy(piece->begin(), piece->end(), buffer.begin());
    return piece->size();
}

bool Stream::await_readable(Duration patience) {
    return link_->await_readable(patience);
}

Bytes Stream::read_all() {
    Bytes all;
    while (const auto piece = link_->read(told_bytes)) {
        all.insert(all.end(), piece->begin(), piece->end());
        link_->consumed(link_->position());
    }
    link_->consumed(link_->position());
    return all;
}

void Stream::consumed(std::uint64_t offset) {
    link_->consumed(offset);
}

void Stream::write(std::span<const std::byte> bytes) {
    link_->write(bytes);
}

void Stream::end_writing() {
    link_->end_writing();
}

void Stream::flush() {
    link_->flush();
}

bool Stream::await_confirmed(std::uint64_t offset, Duration patience) {
    return link_->await_confirmed(offset, patience);
}

bool Stream::await_done(Duration patience) {
    return link_->await_done(patience);
}

void Stream::leave() {
    link_->part({{"type", "close"}});
}

void Stream::reset(std::string_view reason) {
    link_->part({{"type", "reset"}, {"reason", reason}});
}

void Stream::close() noexcept {
    if (link_) {
        link_->close();
    }
}

} // namespace p4
