package p4;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Every error of this library: what the daemon says, what is wrong on the way to it, and what is refused here.
 *
 * <p>Programs look at {@link #code()}; a person reads {@link #getMessage()}. Codes of the way to the daemon are
 * {@code no-daemon} (none answers; nothing was done), {@code connection-lost} (it ended while it worked on this,
 * which may have been done), {@code no-answer} (it took too long), {@code closed} (this client was closed) and
 * {@code interrupted} (this thread was). All others are those of spec/daemon-api and of the specification.
 */
public final class P4Exception extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final String code;
    private final transient Map<String, Object> data;
    private final int status;

    /**
     * An error without data.
     *
     * @param code short, stable reason in kebab-case
     * @param message sentences for a person
     */
    public P4Exception(String code, String message) {
        this(code, message, Map.of(), null);
    }

    /**
     * An error with all its parts.
     *
     * @param code short, stable reason in kebab-case
     * @param message sentences for a person
     * @param data what else is known; JSON values by name
     * @param cause what led to it, or null
     */
    public P4Exception(String code, String message, Map<String, ?> data, Throwable cause) {
        this(code, message, data, cause, 0);
    }

    /**
     * An error of an answer of the daemon.
     *
     * @param code short, stable reason in kebab-case
     * @param message sentences for a person
     * @param data what else is known; JSON values by name
     * @param cause what led to it, or null
     * @param status HTTP status of the answer
     */
    public P4Exception(String code, String message, Map<String, ?> data, Throwable cause, int status) {
        super(message, cause);
        this.code = code;
        this.status = status;
        this.data = Collections.unmodifiableMap(new LinkedHashMap<>(data));
    }

    /**
     * The reason, for programs.
     *
     * @return short and stable, such as {@code name-taken}
     */
    public String code() {
        return code;
    }

    /**
     * HTTP status of the daemon's answer.
     *
     * @return 0 if it did not come from one
     */
    public int status() {
        return status;
    }

    /**
     * What else is known of it.
     *
     * @return JSON values by name, for example {@code type}, {@code may_have_run}, or {@code data} of a failed call
     */
    public Map<String, Object> data() {
        return data == null ? Map.of() : data;
    }

    /**
     * The kind of error, as spec/daemon-api names it.
     *
     * @return the class in the daemon, such as {@code ContactError}; empty for an error that was found here
     */
    public String type() {
        return data().get("type") instanceof String name ? name : "";
    }

    /**
     * Whether what was asked may have been done all the same.
     *
     * @return true for a connection that was lost, an answer that did not come, and calls whose outcome is unknown
     */
    public boolean mayHaveRun() {
        Object told = data().get("may_have_run");
        return told instanceof Boolean known ? known : code.equals("connection-lost") || code.equals("no-answer");
    }

    @Override
    public String toString() {
        return "P4Exception " + code + ": " + getMessage();
    }
}
