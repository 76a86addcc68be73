import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import p4.P4Exception;

/** Reads requests and answers them, one after the other, until the input ends: conformance/README.md. */
public final class Conformance {
    private Conformance() {}

    /**
     * The command.
     *
     * @param arguments none
     * @throws IOException there is no standard input or output
     */
    public static void main(String[] arguments) throws IOException {
        Map<String, Protocol.Operation> operations = new HashMap<>();
        Local local = new Local();
        Native.into(operations);
        local.into(operations);
        new Channels(local).into(operations);
        OutputStream output = System.out;
        // BufferedReader ends lines at a carriage return as well; in JSON it only stands as an escape.
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            JsonNode request = Protocol.MAPPER.readTree(line);
            ObjectNode answer = answer(operations, request);
            answer.set("id", request.get("id"));
            output.write((answer + "\n").getBytes(StandardCharsets.UTF_8));
            output.flush();
        }
        local.close();
        System.exit(0);
    }

    private static ObjectNode answer(Map<String, Protocol.Operation> operations, JsonNode request) {
        ObjectNode answer = Protocol.object();
        String name = request.get("operation").asText();
        Protocol.Operation operation = operations.get(name);
        if (operation == null) {
            return answer.put("unsupported", "this command knows no " + name);
        }
        try {
            return answer.set("result", operation.run(request.get("arguments")));
        } catch (P4Exception error) {
            return answer.set("error", entry(error));
        } catch (Exception error) { // whatever the SDK throws is what the runner wants to see
            // Streams have their errors as causes of what java.io may throw.
            if (error.getCause() instanceof P4Exception cause) {
                return answer.set("error", entry(cause));
            }
            error.printStackTrace();
            return answer.put("failed", error.toString());
        }
    }

    private static ObjectNode entry(P4Exception error) {
        ObjectNode entry = Protocol.object().put("code", error.code()).put("message", error.getMessage());
        if (!error.type().isEmpty()) {
            entry.put("type", error.type());
        }
        if (error.type().startsWith("Call") || error.data().containsKey("may_have_run")) {
            entry.put("may_have_run", error.mayHaveRun());
        }
        if (error.type().equals("CallFailed")) {
            entry.set("service_data", Protocol.MAPPER.valueToTree(error.data().get("data")));
        }
        return entry;
    }
}
