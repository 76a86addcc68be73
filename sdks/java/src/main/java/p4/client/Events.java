package p4.client;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import p4.P4Exception;

/** What happens in the daemon from now on, also after its restarts. Close it to hear no more. */
public final class Events implements AutoCloseable {
    /** Kind of an event of ours: it comes first and after each restart. Look at how things are. */
    public static final String OPENED = EventFeed.OPENED;

    private final EventFeed feed;
    private final List<String> kinds;

    Events(DaemonConnection connection, String... kinds) {
        TreeSet<String> subjects = new TreeSet<>();
        Arrays.stream(kinds).forEach(kind -> subjects.add(kind.split("\\.")[0]));
        this.kinds = List.of(kinds);
        this.feed = new EventFeed(connection, "/v1/events" + Wire.query(Map.of("types", String.join(",", subjects))));
    }

    /**
     * Waits for the next event, however long that takes.
     *
     * @return of the kinds that were asked for, {@link #OPENED}, or {@code feed.missed}
     * @throws P4Exception {@code no-daemon}: it is gone and did not come back; {@code closed}
     */
    public DaemonEvent next() {
        while (true) {
            DaemonEvent event = next(Duration.ofDays(1));
            if (event != null) {
                return event;
            }
        }
    }

    /**
     * Waits for the next event.
     *
     * @param patience how long at most
     * @return null if there is none in time
     * @throws P4Exception as {@link #next()}
     */
    public DaemonEvent next(Duration patience) {
        long deadline = System.nanoTime() + patience.toNanos();
        while (true) {
            EventFeed.Event event = feed.next(Duration.ofNanos(Math.max(0, deadline - System.nanoTime())));
            if (event == null) {
                return null;
            }
            String kind = event.kind();
            if (kinds.isEmpty() || kinds.contains(kind) || kind.equals(OPENED) || kind.equals("feed.missed")) {
                return new DaemonEvent(kind, Wire.parse(event.data()));
            }
        }
    }

    @Override
    public void close() {
        feed.close();
    }
}
