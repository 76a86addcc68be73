#include "messenger.hpp"

namespace p4::detail {

namespace {

[[noreturn]] void fail(const NetworkError& error) {
    throw error.failure == Failure::closed ? closed_error() : connection_lost();
}

} // namespace

void WordReceiver::text(std::string message) {
    if (error_) {
        return;
    }
    const auto word = Json::parse(message, nullptr, false);
    try {
        if (!word.is_object()) {
            error_ = bad_answer();
        } else if (member_text(word, "type") == "error") {
            error_ = error_of_object(word.value("error", Json::object()));
        } else {
            take_word(word);
        }
    } catch (const P4Error& error) {
        error_ = error;
    }
}

void WordReceiver::bytes(Bytes message) {
    if (!error_) {
        take_bytes(std::move(message));
    }
}

void WordReceiver::ended(int code) {
    take_end(std::move(error_), code);
}

void send_word(Socket& socket, const Json& word) {
    try {
        socket.send_text(text_of_json(word));
    } catch (const NetworkError& error) {
        fail(error);
    }
}

void send_data(Socket& socket, Bytes data) {
    try {
        socket.send_bytes(std::move(data));
    } catch (const NetworkError& error) {
        fail(error);
    }
}

} // namespace p4::detail
