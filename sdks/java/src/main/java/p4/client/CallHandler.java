package p4.client;

/** Answers calls; several may be answered at the same time, each on a thread of its own. */
@FunctionalInterface
public interface CallHandler {
    /**
     * Gives the result of a call. The thread is interrupted when nobody waits any more.
     *
     * @param call what is asked
     * @return what {@link Value#of} takes
     * @throws Exception {@link IncomingCall#failure} reaches the caller as it is, any other as {@code internal}
     */
    Object answer(IncomingCall call) throws Exception;
}
