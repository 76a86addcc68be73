package p4.client;

import java.io.IOException;
import java.time.Duration;

/** Two devices that know each other as "phone" and "laptop", and a client of each. */
final class DevicePair implements AutoCloseable {
    final Device laptop;
    final Device phone;
    final Client onLaptop;
    final Client onPhone;

    DevicePair() throws IOException, InterruptedException {
        laptop = new Device("laptop").start();
        phone = new Device("phone").start();
        onLaptop = laptop.client();
        onPhone = phone.client();
        DeviceInvite invite = onLaptop.pairing().create("link", Duration.ofMinutes(5), "phone");
        onLaptop.pairing().awaitFindable(invite.id());
        onPhone.pairing().add(invite.text(), "laptop", Duration.ofSeconds(60));
        ContactName guest = onLaptop.pairing().await(invite.id());
        if (!guest.name().equals("phone")) {
            throw new IllegalStateException("paired with " + guest);
        }
    }

    @Override
    public void close() throws IOException {
        onLaptop.close();
        onPhone.close();
        laptop.close();
        phone.close();
    }
}
