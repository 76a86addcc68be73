/// @file
/// Byte streams and datagrams with contacts.
#pragma once

#include <p4/events.hpp>
#include <p4/records.hpp>

#include <cstdint>
#include <span>

namespace p4 {

namespace detail {
class DatagramLink;
class StreamLink;
} // namespace detail

/// A byte stream with a contact, which outlives links and restarts (spec/daemon-api, "Streams").
///
/// When the daemon restarts, the stream goes on by itself: bytes of ours that the daemon had not taken are sent again
/// (up to 4 MiB are kept for that), and those of the contact that the program has already are passed over. The
/// destructor and close() let go of the stream without ending it: it can be opened again, also by the next run of the
/// program, and goes on at written() and position(). To end it, call end_writing() and read to the end, or leave().
///
/// Moved, not copied. One thread may read while another writes.
class Stream {
public:
    Stream(Stream&&) noexcept;
    Stream& operator=(Stream&&) noexcept;
    ~Stream();

    [[nodiscard]] const std::string& id() const noexcept;      ///< names the stream in this daemon, 16 hex digits
    [[nodiscard]] const ContactName& contact() const noexcept; ///< with whom it is
    [[nodiscard]] const std::string& service() const noexcept; ///< to which service it goes
    [[nodiscard]] const std::string& name() const noexcept;    ///< that its opener gave it; may be empty
    [[nodiscard]] std::uint64_t
    written() const; ///< bytes of ours accepted, in this and earlier runs: write on from here
    [[nodiscard]] std::uint64_t confirmed() const; ///< bytes of ours that the contact's application has consumed
    [[nodiscard]] std::uint64_t position() const;  ///< offset of the next byte that is read

    /// Reads what there is, without counting it as consumed: say consumed() when it is dealt with, or it comes again
    /// to the next who opens the stream.
    /// @param most how many bytes at most
    /// @return at least one byte; nothing at the contact's end
    /// @throws P4Error the stream ended before its end; `no-daemon`: it did not come back
    std::optional<Bytes> read(std::size_t most = 256 * 1024);

    /// Fills a buffer with what there is. What was read counts as consumed as soon as more is asked for.
    /// @return how many bytes; 0 at the contact's end
    /// @throws P4Error as read()
    std::size_t read_some(std::span<std::byte> buffer);

    /// Waits until read() would not have to: there are bytes, or the contact's end.
    /// @return whether that is so; false if the time is over
    /// @throws P4Error as read()
    bool await_readable(Duration patience);

    /// Reads up to the contact's end. Everything counts as consumed.
    /// @throws P4Error as read()
    Bytes read_all();

    /// Everything before an offset has been dealt with, and the contact's end if that was read.
    /// @throws P4Error `bad-offset`: it is beyond position()
    void consumed(std::uint64_t offset);

    /// Hands over bytes; waits while the daemon is too far behind.
    /// @throws P4Error `ended`, or as read()
    void write(std::span<const std::byte> bytes);

    /// As write() of the text's bytes.
    void write(std::string_view text) { write(bytes_of(text)); }

    /// Ends our direction; what was written still arrives.
    void end_writing();

    /// Waits until everything written is safe from a power failure here.
    void flush();

    /// Waits until the contact's application has consumed our bytes below an offset.
    /// @return whether it has; false if the time is over
    bool await_confirmed(std::uint64_t offset, Duration patience);

    /// Waits until both directions have ended and are consumed.
    /// @return whether that is so; false if the time is over
    bool await_done(Duration patience);

    /// Leaves the stream well: nothing more is read or written, what was written still arrives.
    void leave();

    /// Ends both directions at once; the contact's program gets an error with the reason.
    void reset(std::string_view reason);

    /// Lets go of the stream without ending it, after what was written is with the daemon.
    void close() noexcept;

private:
    friend class Client;
    friend class Contact;
    explicit Stream(std::shared_ptr<detail::StreamLink> link);

    std::shared_ptr<detail::StreamLink> link_;
    std::uint64_t told_ = 0;
};

/// A datagram of a contact.
struct Datagram {
    ContactName contact; ///< who sent it
    Bytes data;          ///< at most 1100 bytes
};

/// Datagrams of a service, from and to all contacts: now, or not at all. A reader that is too slow loses the oldest.
///
/// Opens itself again when the daemon restarts; what is sent meanwhile is lost. Moved, not copied; several threads may
/// use it. The destructor closes it.
class Datagrams {
public:
    Datagrams(Datagrams&&) noexcept;
    Datagrams& operator=(Datagrams&&) noexcept;
    ~Datagrams();

    /// Sends one; it may be lost.
    /// @param contact its name or id
    /// @param data at most 1100 bytes
    /// @throws P4Error an earlier one was refused, for example `not-granted`, and these datagrams have ended
    void send(std::string_view contact, std::span<const std::byte> data);

    /// Waits for the next one; nothing if there is none in time.
    /// @throws P4Error as send(), `no-daemon`, `closed`
    std::optional<Datagram> next(Duration patience);

    /// Hears no more.
    void close() noexcept;

private:
    friend class Client;
    Datagrams(const std::shared_ptr<detail::Connection>& connection, std::string_view service);

    std::shared_ptr<detail::DatagramLink> link_;
};

} // namespace p4
