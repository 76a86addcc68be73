import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import p4.P4Exception;
import p4.client.Client;
import p4.client.Contact;
import p4.client.Message;
import p4.client.MessageSubscription;

/**
 * A small chat in the terminal: {@code java Chat.java CONTACT [STATE_DIRECTORY]}. Both sides run it.
 *
 * <p>It uses a service of its own, {@code example.chat}, so it grants that to the contact.
 */
public final class Chat {
    private static final String SERVICE = "example.chat";

    private Chat() {}

    public static void main(String[] arguments) throws IOException {
        if (arguments.length < 1 || arguments.length > 2) {
            System.err.println("usage: Chat CONTACT [STATE_DIRECTORY]");
            System.exit(2);
        }
        Path state = arguments.length == 2
                ? Path.of(arguments[1]) : Path.of(System.getProperty("user.home"), ".p4");
        try (Client me = Client.connect(state)) {
            Contact contact = me.contact(arguments[0]);
            contact.grant(SERVICE);
            MessageSubscription theirs = contact.messages(SERVICE);
            Thread listening = new Thread(() -> listen(theirs));
            listening.setDaemon(true);
            listening.start();
            System.out.println("Write to " + arguments[0] + "; an empty line ends it.");
            BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
            for (String line = lines.readLine(); line != null && !line.isEmpty(); line = lines.readLine()) {
                contact.send(SERVICE, line); // on disk: it arrives, whenever the contact is there
            }
            theirs.close();
        } catch (P4Exception error) {
            System.err.println(error.getMessage());
            System.exit(1);
        }
    }

    private static void listen(MessageSubscription theirs) {
        try {
            while (true) {
                Message message = theirs.next();
                // What a contact sends is a stranger's text: no control characters into our terminal.
                String text = message.value().toString().replaceAll("\\p{Cntrl}", "�");
                System.out.println(message.contact().label() + ": " + text);
                message.done();
            }
        } catch (P4Exception error) {
            if (!error.code().equals("closed")) {
                System.err.println(error.getMessage());
            }
        }
    }
}
