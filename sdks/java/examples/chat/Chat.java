import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import p4.P4Exception;
import p4.client.ChatLine;
import p4.client.Client;
import p4.client.ContactStatus;
import p4.client.DaemonEvent;
import p4.client.Events;

/**
 * A small chat with one contact: {@code java Chat.java CONTACT [STATE_DIRECTORY]}.
 *
 * <p>It shows the last lines of the history, then what is said from now on; each line that you type is sent. The
 * daemon may restart meanwhile.
 */
public final class Chat {
    private static final int SHOWN = 20;

    private Chat() {}

    public static void main(String[] arguments) throws IOException, InterruptedException {
        if (arguments.length < 1 || arguments.length > 2) {
            System.err.println("Usage: java Chat.java CONTACT [STATE_DIRECTORY]");
            System.exit(2);
        }
        try (Client me = arguments.length == 1 ? Client.connect() : Client.connect(Path.of(arguments[1]))) {
            ContactStatus contact = me.contact(arguments[0]).status();
            Events events = me.events("chat.message");
            Thread following = new Thread(() -> follow(me, events, contact));
            following.start();
            BufferedReader typed = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
            for (String text = typed.readLine(); text != null; text = typed.readLine()) {
                if (!text.isBlank()) {
                    me.contact(contact.id()).chat().say(text);
                }
            }
            events.close();
            following.join();
        } catch (P4Exception error) {
            System.err.println(error.getMessage() + " [" + error.code() + "]");
            System.exit(1);
        }
    }

    private static void follow(Client me, Events events, ContactStatus contact) {
        p4.client.Chat chat = me.contact(contact.id()).chat();
        long shown = 0;
        try {
            while (true) {
                // Whenever events begin anew some may have been missed, so the history is asked. It has each line once.
                DaemonEvent event = events.next();
                String about = event.data().path("contact").path("id").asText();
                if (!event.kind().equals(Events.OPENED) && !about.equals(contact.id())) {
                    continue;
                }
                ChatLine last = null;
                for (ChatLine line : chat.page(null, SHOWN)) {
                    if (Long.parseLong(line.id()) > shown) {
                        System.out.println(shownLine(line, contact));
                        shown = Long.parseLong(line.id());
                    }
                    last = line;
                }
                if (last != null && !last.mine()) {
                    chat.markRead(last.id());
                }
            }
        } catch (P4Exception error) {
            if (!error.code().equals("closed")) {
                System.err.println(error.getMessage() + " [" + error.code() + "]");
            }
        }
    }

    private static String shownLine(ChatLine line, ContactStatus contact) {
        // The text is a stranger's: nothing in it may steer the terminal.
        String text = line.text().replaceAll("[\\p{Cc}\\p{Cf}]", "·");
        String name = contact.name().isEmpty() ? contact.id() : contact.name();
        return (line.mine() ? "me" : name) + ": " + text;
    }
}
