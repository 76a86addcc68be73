/// What the parts that use WebSockets share: words in, words out, errors of the daemon.
#pragma once

#include "connection.hpp"

namespace p4::detail {

/// What arrives on one WebSocket, read; called on the network's thread, where nothing may wait or throw.
class WordReceiver : public SocketReceiver {
public:
    void text(std::string message) final;
    void bytes(Bytes message) final;
    void ended(int code) final;

protected:
    /// A text message that is no error.
    virtual void take_word(const Json& word) = 0;
    virtual void take_bytes(Bytes data) = 0;
    /// Nothing more arrives: by an error of the daemon, or the code that it closed with.
    virtual void take_end(std::optional<P4Error> error, int code) = 0;

private:
    std::optional<P4Error> error_;
};

/// Sends a word. @throws P4Error `connection-lost`, `closed`
void send_word(Socket& socket, const Json& word);
void send_data(Socket& socket, Bytes data);

} // namespace p4::detail
