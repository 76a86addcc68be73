// A small chat with one contact:
//
//   chat CONTACT [STATE_DIRECTORY]
//
// It shows the last lines of the history, then what is said from now on; each line that you type is sent. The daemon
// may restart meanwhile.
#include <p4/p4.hpp>

#include <iostream>
#include <string>
#include <thread>

namespace {

/// A line of the history. Its text is a stranger's: nothing in it may steer the terminal.
std::string shown(const p4::ChatLine& line, const std::string& name) {
    std::string text;
    for (std::size_t i = 0; i < line.text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(line.text[i]);
        const auto next = i + 1 < line.text.size() ? static_cast<unsigned char>(line.text[i + 1]) : 0;
        if (byte < 0x20 || byte == 0x7f) {
            text += "·";
        } else if (byte == 0xc2 && next < 0xa0) { // control characters beyond ASCII
            text += "·";
            ++i;
        } else if (byte == 0xe2 && (next == 0x80 || next == 0x81) && i + 2 < line.text.size()) {
            // Among these are the ones that turn the direction of writing.
            const auto last = static_cast<unsigned char>(line.text[i + 2]);
            const bool format = next == 0x80 ? (last >= 0x8b && last <= 0x8f) || (last >= 0xaa && last <= 0xae)
                                             : last >= 0xa0 && last <= 0xaf;
            text += format ? "·" : line.text.substr(i, 3);
            i += 2;
        } else {
            text += line.text[i];
        }
    }
    return (line.mine ? "me" : name.empty() ? line.id : name) + ": " + text;
}

/// Shows what is new. Whenever events begin anew some may have been missed, so the history is asked; it has each line
/// once.
void follow(p4::Events& events, const p4::Chat& chat, const p4::ContactStatus& contact) {
    unsigned long long latest = 0;
    for (const auto& event : events) {
        const bool ours = event.data.contains("contact") && event.data["contact"].value("id", "") == contact.id;
        if (event.kind != p4::feed_opened && !ours) {
            continue;
        }
        const auto page = chat.page({}, 20);
        for (const auto& line : page.entries) {
            if (std::stoull(line.id) > latest) {
                std::cout << shown(line, contact.name) << std::endl;
            }
        }
        if (!page.entries.empty()) {
            const auto& last = page.entries.back();
            latest = std::stoull(last.id);
            if (!last.mine) {
                chat.mark_read(last.id);
            }
        }
    }
}

int fail(const p4::P4Error& error) {
    std::cerr << error.message() << " [" << error.code() << "]\n";
    return 1;
}

int chat_with(const std::string& reference, const p4::ClientOptions& options) {
    auto me = p4::Client::connect(options);
    const auto contact = me.contact(reference).status();
    const auto chat = me.contact(contact.id).chat();
    auto events = me.events({std::string(p4::feed_opened), "chat.message"});
    int result = 0;
    std::jthread following([&] {
        try {
            follow(events, chat, contact);
        } catch (const p4::P4Error& error) {
            result = fail(error);
        }
    });
    for (std::string line; std::getline(std::cin, line);) {
        if (line.find_first_not_of(" \t\r") != std::string::npos) {
            chat.say(line);
        }
    }
    events.close();
    following.join();
    return result;
}

} // namespace

int main(int count, char** words) {
    if (count != 2 && count != 3) {
        std::cerr << "Usage: chat CONTACT [STATE_DIRECTORY]\n";
        return 2;
    }
    p4::ClientOptions options;
    if (count == 3) {
        options.state_directory = words[2];
    }
    try {
        return chat_with(words[1], options);
    } catch (const p4::P4Error& error) {
        return fail(error);
    }
}
