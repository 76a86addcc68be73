package p4.client;

/**
 * Who serves and reads a service in this daemon.
 *
 * @param service its name
 * @param servesCalls whether a program answers calls
 * @param readsMessages how many programs read its messages
 * @param acceptsStreams how many programs wait for its streams
 */
public record ServiceUse(String service, boolean servesCalls, int readsMessages, int acceptsStreams) {}
