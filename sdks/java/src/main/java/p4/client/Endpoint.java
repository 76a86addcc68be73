package p4.client;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import p4.P4Exception;

/** How to reach one daemon: beginning of every address, and the token of the Authorization header. */
record Endpoint(String url, String token) {
    private static final int LARGEST_BYTES = 64 * 1024;

    /** What the daemon of a state directory has written about itself; it may have been killed since. */
    static Endpoint find(Path stateDirectory) {
        try (InputStream file = Files.newInputStream(stateDirectory.resolve("daemon").resolve("endpoint.json"))) {
            JsonNode entry = Wire.MAPPER.readTree(file.readNBytes(LARGEST_BYTES));
            int port = entry.path("port").asInt();
            String token = entry.path("owner_token").asText();
            if (port > 0 && !token.isEmpty()) {
                return new Endpoint("http://127.0.0.1:" + port, token);
            }
        } catch (IOException error) {
            throw noDaemon(stateDirectory, error);
        }
        throw noDaemon(stateDirectory, null);
    }

    static P4Exception noDaemon(Object where, Throwable cause) {
        return new P4Exception("no-daemon",
                "No P4 daemon answers for " + where + ". Nothing was done. Start it: p4 up --detach", Map.of(), cause);
    }

    @Override
    public String toString() {
        return url; // never the token
    }
}
